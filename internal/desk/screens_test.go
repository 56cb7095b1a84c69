package desk_test

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/glad-labs/frontispiece/internal/testenv/chromium"
)

// TestScreenshots writes what every page looks like into the folder that
// SCREENSHOTS names; make screenshots does that for docs/screenshots.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		t.Skip("writes pictures, checks nothing: run make screenshots")
	}
	p := startProgram(t)
	p.studio.large = true
	tab := window(t, 1440, 900)
	shoot := func(name, path string, steps ...chromium.Step) {
		for _, s := range chromium.Screens() {
			capture(tab, t, s, filepath.Join(dir, name+"-"+s.Name+".webp"), p.Base+path, steps...)
		}
	}
	shoot("empty", "/desk")
	p.call("POST", "/desk/samples", "")
	tab.Do(chromedp.Navigate(p.Base+"/desk"), until(stored(6)))
	harbour := p.Draft("A Quiet Harbour, Seen From the Ferry", nil)
	p.call("POST", "/desk/drafts/"+harbour+"/pictures", "prompt=A+quiet+harbour&count=2")
	tab.Do(chromedp.Navigate(p.Base+"/desk"), until(stored(8)))
	var first string
	for title, prompt := range map[string]string{
		"The Orchard That Outlived Its Village": "An old orchard in blossom", "A Short History of the Night Bus": "A night bus in the rain",
		"What the Glaciers Took With Them": "A glacier in blue light",
	} {
		first = p.Draft(title, nil)
		p.call("POST", "/desk/drafts/"+first+"/pictures", url.Values{"prompt": {prompt}, "count": {"2"}}.Encode())
		tab.Do(chromedp.Navigate(p.Base+"/desk/drafts/"+first), until(stored(2)), click("#decide .see-0 [data-key=a]"), visible("#said"))
	}
	odd := p.Draft("An Impossible Staircase", nil)
	p.call("POST", "/desk/drafts/"+odd+"/pictures", "prompt=an+impossible+staircase&count=2")
	tab.Do(chromedp.Navigate(p.Base+"/desk/drafts/"+odd), until(`document.querySelectorAll('.notice.error').length === 2`))
	p.studio.close()
	p.call("POST", "/desk/drafts/"+harbour+"/pictures", "prompt=A+quiet+harbour+with+people&count=3")
	tab.Do(chromedp.Navigate(p.Base+"/desk/drafts/"+harbour), until(`document.querySelector('progress')?.value > 20`))

	tram := chromium.Eval[string](tab, `fetch('/desk').then(r => r.text()).then(s => [...new DOMParser().parseFromString(s, 'text/html').querySelectorAll('[data-open]')].find(a => a.text.includes('Tram')).getAttribute('href'))`)
	shoot("drafts", "/desk")
	shoot("draft", tram)
	shoot("progress", "/desk/drafts/"+harbour)
	shoot("failed", "/desk/drafts/"+odd)
	shoot("published", "/desk/drafts/"+first)
	shoot("posts", "/desk/posts")
	shoot("jobs", "/desk/jobs")
	shoot("keys", "/desk", js(`document.getElementById('help').showModal()`))
	shoot("job", chromium.Eval[string](tab, `fetch('/desk/jobs').then(r => r.text()).then(s => [...new DOMParser().parseFromString(s, 'text/html').querySelectorAll('.job [data-open]')].find(a => a.text.includes('Tram')).getAttribute('href'))`))
	shoot("zoom", tram, js(`document.querySelectorAll('[data-zoom]')[1].click()`))
	shootLogin(tab, t, dir)
	capture(tab, t, chromium.Screen{Width: 3840, Height: 2160}, filepath.Join(dir, "drafts-4k.webp"), p.Base+"/desk")
}

// The page for signing in is another program's: this one's tests are all signed in.
func shootLogin(tab *chromium.Tab, t *testing.T, dir string) {
	t.Helper()
	p := startProgram(t, "JWT_SECRET_KEY=a secret of the site, long enough to be one")
	for _, s := range chromium.Screens() {
		capture(tab, t, s, filepath.Join(dir, "login-"+s.Name+".webp"), p.Base+"/desk/login")
	}
}

// stored is true when so many pictures are there to pick.
func stored(n int) string {
	return `document.querySelectorAll('.pick:not(:disabled)').length >= ` + string(rune('0'+n))
}

func capture(tab *chromium.Tab, t *testing.T, s chromium.Screen, file, url string, steps ...chromium.Step) {
	t.Helper()
	tab.Resize(s)
	tab.Do(
		chromedp.Navigate(url),
		until(`[...document.images].every(i => i.complete || i.loading === 'lazy' && (!i.checkVisibility() || i.getBoundingClientRect().top > innerHeight))`),
	)
	tab.Do(steps...)
	if os.Getenv("SCREENSHOTS_FULL") != "" {
		s.Height = chromium.Eval[int64](tab, `document.documentElement.scrollHeight`)
		tab.Resize(s)
	}
	// The live look of a page that was just opened may still be under way.
	tab.Do(until(`!document.body.dataset.topic || performance.getEntriesByType('resource').some(r => r.initiatorType === 'fetch')`))
	tab.Capture(file)
}
