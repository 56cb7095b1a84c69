package desk_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// screen is a window in which every page is looked at.
type screen struct {
	name          string
	width, height int64
	dark          bool
}

var screens = []screen{
	{"light", 1440, 900, false},
	{"dark", 1440, 900, true},
	{"phone", 360, 780, false},
}

// TestScreenshots writes what every page looks like into the folder that
// SCREENSHOTS names; make screenshots does that for docs/screenshots.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		t.Skip("writes pictures, checks nothing: run make screenshots")
	}
	p := startProgram(t)
	p.studio.large = true
	ctx := browser(t, 1440, 900)
	shoot := func(name, path string, steps ...step) {
		for _, s := range screens {
			capture(ctx, t, s, filepath.Join(dir, name+"-"+s.name+".webp"), p.base+path, steps...)
		}
	}
	shoot("empty", "/desk")
	p.call(t, "POST", "/desk/samples", "")
	do(ctx, t, chromedp.Navigate(p.base+"/desk"), until(stored(6)))
	harbour := p.draft(t, "A Quiet Harbour, Seen From the Ferry", nil)
	p.call(t, "POST", "/desk/drafts/"+harbour+"/pictures", "prompt=A+quiet+harbour&count=2")
	do(ctx, t, chromedp.Navigate(p.base+"/desk"), until(stored(8)))
	var first string
	for title, prompt := range map[string]string{
		"The Orchard That Outlived Its Village": "An old orchard in blossom", "A Short History of the Night Bus": "A night bus in the rain",
		"What the Glaciers Took With Them": "A glacier in blue light",
	} {
		first = p.draft(t, title, nil)
		p.call(t, "POST", "/desk/drafts/"+first+"/pictures", url.Values{"prompt": {prompt}, "count": {"2"}}.Encode())
		do(ctx, t, chromedp.Navigate(p.base+"/desk/drafts/"+first), until(stored(2)), click("#decide .see-0 [data-key=a]"), visible("#said"))
	}
	odd := p.draft(t, "An Impossible Staircase", nil)
	p.call(t, "POST", "/desk/drafts/"+odd+"/pictures", "prompt=an+impossible+staircase&count=2")
	do(ctx, t, chromedp.Navigate(p.base+"/desk/drafts/"+odd), until(`document.querySelectorAll('.notice.error').length === 2`))
	p.studio.close()
	p.call(t, "POST", "/desk/drafts/"+harbour+"/pictures", "prompt=A+quiet+harbour+with+people&count=3")
	do(ctx, t, chromedp.Navigate(p.base+"/desk/drafts/"+harbour), until(`document.querySelector('progress')?.value > 20`))

	tram := eval[string](ctx, t, `fetch('/desk').then(r => r.text()).then(s => [...new DOMParser().parseFromString(s, 'text/html').querySelectorAll('[data-open]')].find(a => a.text.includes('Tram')).getAttribute('href'))`)
	shoot("drafts", "/desk")
	shoot("draft", tram)
	shoot("progress", "/desk/drafts/"+harbour)
	shoot("failed", "/desk/drafts/"+odd)
	shoot("published", "/desk/drafts/"+first)
	shoot("posts", "/desk/posts")
	shoot("jobs", "/desk/jobs")
	shoot("keys", "/desk", js(`document.getElementById('help').showModal()`))
	shoot("job", eval[string](ctx, t, `fetch('/desk/jobs').then(r => r.text()).then(s => [...new DOMParser().parseFromString(s, 'text/html').querySelectorAll('.job [data-open]')].find(a => a.text.includes('Tram')).getAttribute('href'))`))
	shoot("zoom", tram, js(`document.querySelectorAll('[data-zoom]')[1].click()`))
	shootLogin(ctx, t, dir)
	capture(ctx, t, screen{"4k", 3840, 2160, false}, filepath.Join(dir, "drafts-4k.webp"), p.base+"/desk")
}

// The page for signing in is another program's: this one's tests are all signed in.
func shootLogin(ctx context.Context, t *testing.T, dir string) {
	t.Helper()
	p := startProgram(t, "JWT_SECRET_KEY=a secret of the site, long enough to be one")
	for _, s := range screens {
		capture(ctx, t, s, filepath.Join(dir, "login-"+s.name+".webp"), p.base+"/desk/login")
	}
}

// stored is true when so many pictures are there to pick.
func stored(n int) string {
	return `document.querySelectorAll('.pick:not(:disabled)').length >= ` + string(rune('0'+n))
}

func capture(ctx context.Context, t *testing.T, s screen, file, url string, steps ...step) {
	t.Helper()
	scheme := "light"
	if s.dark {
		scheme = "dark"
	}
	window(ctx, t, s.width, s.height)
	do(ctx, t,
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		}),
		chromedp.Navigate(url),
		until(`[...document.images].every(i => i.complete || i.loading === 'lazy' && (!i.checkVisibility() || i.getBoundingClientRect().top > innerHeight))`),
	)
	do(ctx, t, steps...)
	if os.Getenv("SCREENSHOTS_FULL") != "" {
		window(ctx, t, s.width, eval[int64](ctx, t, `document.documentElement.scrollHeight`))
	}
	// The live look of a page that was just opened may still be under way.
	do(ctx, t, until(`!document.body.dataset.topic || performance.getEntriesByType('resource').some(r => r.initiatorType === 'fetch')`))
	quality := int64(80)
	out, err := chromedp.Call(ctx, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{Format: cdppage.CaptureScreenshotFormatWebp, Quality: &quality})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, out.Data, 0o644); err != nil {
		t.Fatal(err)
	}
}
