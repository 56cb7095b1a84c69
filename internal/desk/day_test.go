package desk_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/glad-labs/frontispiece/internal/testenv/chromium"
)

// An editor's day, from an empty desk to a retried job, in a real browser.
func TestAnEditorsDay(t *testing.T) {
	t.Parallel()
	p := startProgram(t)
	tab := window(t, 1280, 800)
	p.studio.close()

	// The root leads to the desk, and its button fills it.
	tab.Do(chromedp.Navigate(p.Base+"/"), click("#samples"), until(`document.querySelectorAll('.draft').length === 3`))
	if at := chromium.Eval[string](tab, `location.pathname`); at != "/desk" {
		t.Errorf("the root led to %s", at)
	}
	lighthouse, tram := openOf(tab, t, "Lighthouse"), openOf(tab, t, "Tram")

	// Pictures arrive while one looks, and nothing on the page moves for it.
	tab.Do(chromedp.Navigate(p.Base+lighthouse), until(`[...document.querySelectorAll('.cand progress')].some(p => p.value > 10)`))
	before := chromium.Eval[float64](tab, progressNow)
	tab.Do(until(fmt.Sprintf(`%s > %f`, progressNow, before)))
	p.studio.open()
	tab.Do(until(`document.querySelectorAll('.cand .pick:not(:disabled)').length === 3`))
	// Nor when the time that has passed takes more room.
	tab.Do(js(`for (const at of document.querySelectorAll('main time')) at.textContent = '59 min ago'`))
	still(tab, t, "a draft whose pictures arrive")

	// The second of three, as readers would meet it, and then for real.
	tab.Do(click(".cand:nth-of-type(2) .open"), until(`document.querySelector('#decide .see-1').checkVisibility()`))
	second := chromium.Eval[string](tab, `document.querySelector('.pick:checked').value.split(':')[0]`)
	tab.Do(click("#decide .see-1 [data-key=a]"), until(`document.querySelector('#said')?.innerText.includes('published')`),
		until(`document.querySelector('#c-`+second+` .tag.published')`))
	tab.Do(chromedp.Navigate(p.Base+"/desk/posts"), until(`document.querySelector('.post .shot')?.naturalWidth > 0`))
	still(tab, t, "the published posts")
	if list := fmt.Sprint(p.JSON("GET", "/api/posts", nil)); !strings.Contains(list, "Lighthouse Keeper") {
		t.Errorf("the public API lists %s", list)
	}

	// A reason, and other pictures that heed it.
	tab.Do(chromedp.Navigate(p.Base+tram), until(`document.querySelectorAll('.cand .pick:not(:disabled)').length === 3`),
		chromedp.SendKeys(chromedp.CSS("#reason"), "with more people"), click("#reject [name=new_round]"), click("#reject .btn"),
		until(`document.querySelector('#draft-meta').innerText.includes('round 2')`),
		until(`document.querySelectorAll('.cand .pick:not(:disabled)').length >= 3`),
		until(`document.getElementById('prompt')?.value.includes('with more people')`))

	// A job that fails, says why, and works when it is retried.
	odd := p.Draft("An Impossible Staircase", nil)
	p.call("POST", "/desk/drafts/"+odd+"/pictures", "prompt=an+impossible+staircase&count=1")
	tab.Do(chromedp.Navigate(p.Base+"/desk/jobs"), until(`document.querySelector('.job .why')?.innerText.includes('asks for the impossible')`))
	p.studio.mu.Lock()
	p.studio.lenient = true
	p.studio.mu.Unlock()
	tab.Do(js(`for (const at of document.querySelectorAll('main time')) at.textContent = '59 min ago'`))
	still(tab, t, "the jobs, one of which fails")
	tab.Do(click(".job:has(.why) [value^=retry]"), until(`document.querySelector('#said')`),
		until(`!document.querySelector('.job .why') && document.querySelector('.job').innerText.includes('Ready')`))
}

// key presses a key as a keyboard does, so that a page that uses it up keeps it
// out of the field that it leads to.
func key(k string) chromium.Step {
	return chromedp.Steps(
		chromium.Command(input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: "keyDown", Key: k, Text: k}),
		chromium.Command(input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: "keyUp", Key: k}),
	)
}

// progressNow is how far the picture is that is furthest.
const progressNow = `Math.max(...[...document.querySelectorAll('.cand progress')].map(p => p.value))`

// openOf is the page of the draft in the list whose title has a word in it.
func openOf(tab *chromium.Tab, t *testing.T, word string) string {
	t.Helper()
	return chromium.Eval[string](tab, `[...document.querySelectorAll('[data-open]')].find(a => a.text.includes('`+word+`')).getAttribute('href')`)
}

// still fails when anything has moved that the reader did not move.
func still(tab *chromium.Tab, t *testing.T, what string) {
	t.Helper()
	moved := chromium.Eval[[]string](tab, `new Promise(done => {
		const moved = [];
		const place = r => [r.x, r.y, r.width, r.height].map(n => Math.round(10 * n) / 10).join();
		new PerformanceObserver(list => {
			for (const e of list.getEntries()) if (!e.hadRecentInput)
				moved.push(e.value + ': ' + e.sources.map(s => place(s.previousRect) + ' to ' + place(s.currentRect) + ' ' + (s.node?.outerHTML ?? s.node?.data ?? '').slice(0, 90)).join(' | '));
		}).observe({type: 'layout-shift', buffered: true});
		requestAnimationFrame(() => requestAnimationFrame(() => done(moved)));
	})`)
	for _, m := range moved {
		t.Errorf("%s: it moved by %s", what, m)
	}
}

// The same without a mouse: from the list to the published post, and a reason
// on the next draft.
func TestKeysAlone(t *testing.T) {
	t.Parallel()
	p := startProgram(t)
	tab := window(t, 1280, 800)
	p.call(http.MethodPost, "/desk/samples", "")
	tab.Do(chromedp.Navigate(p.Base+"/desk"), until(stored(6)))
	still(tab, t, "the list of drafts")
	tab.Do(key("j"), key("j"), until(`document.activeElement.matches('.draft:nth-child(2)')`),
		key("2"), until(`document.activeElement.querySelector('.pick-1').checked`),
		key("a"), until(`document.activeElement.innerText === 'Approve'`))
	if outline := chromium.Eval[string](tab, `getComputedStyle(document.activeElement).outlineStyle`); outline != "solid" {
		t.Errorf("the focus is not to be seen: outline %s", outline)
	}
	tab.Do(chromedp.KeyEvent(kb.Enter), until(`document.querySelector('#said')?.innerText.includes('published')`),
		until(`document.activeElement.matches('.draft:nth-child(2)')`), // the keys go on where they were
		key("o"), until(`location.pathname.startsWith('/desk/drafts/') && document.documentElement.classList.contains('js')`),
		key("2"), key("z"), visible("#zoom[open]"), until(`document.getElementById('zoom-caption').innerText === 'Picture 2 (2 of 3)'`),
		chromedp.KeyEvent(kb.ArrowRight), until(`document.getElementById('zoom-caption').innerText === 'Picture 3 (3 of 3)'`),
		chromedp.KeyEvent(kb.ArrowRight), until(`document.getElementById('zoom-img').naturalWidth > 0 && document.getElementById('zoom-caption').innerText === 'Picture 1 (1 of 3)'`),
		chromedp.KeyEvent(kb.Escape), until(`!document.querySelector('#zoom[open]') && document.activeElement.matches('.cand:nth-of-type(2) .zoom')`), // and back
		key("r"), until(`document.activeElement.id === 'reason'`),
		chromedp.KeyEvent("never mind j k a"), chromedp.KeyEvent(kb.Escape), until(`document.activeElement.id !== 'reason'`),
		key("?"), visible("#help[open]"), chromedp.KeyEvent(kb.Escape), until(`!document.querySelector('#help[open]')`),
		// What was begun survives a closed page.
		chromedp.Navigate(p.Base+"/desk"), chromedp.NavigateBack(), until(`document.getElementById('reason')?.value === 'never mind j k a'`))
}

// Every page, for people who cannot see it, in both colours; and none of them
// wider than a phone.
func TestEveryPageIsAccessible(t *testing.T) {
	t.Parallel()
	p := startProgram(t)
	tab := window(t, 1280, 800)
	pages := map[string]string{"empty": "/desk"}
	look := func() {
		for _, screen := range chromium.Screens() {
			tab.Resize(screen)
			for name, path := range pages {
				tab.Do(chromedp.Navigate(p.Base + path))
				accessible(tab, t, name+" in "+screen.Name)
				if width := chromium.Eval[int64](tab, `document.documentElement.scrollWidth`); width > screen.Width {
					t.Errorf("%s in %s is %d pixels wide, of %d", name, screen.Name, width, screen.Width)
				}
			}
		}
		tab.Resize(chromium.Screen{Width: 1280, Height: 800})
	}
	look()
	p.call(http.MethodPost, "/desk/samples", "")
	odd := p.Draft("An Impossible Staircase", nil)
	p.call(http.MethodPost, "/desk/drafts/"+odd+"/pictures", "prompt=an+impossible+staircase&count=2")
	tab.Do(chromedp.Navigate(p.Base+"/desk"), until(stored(6)), until(`document.querySelectorAll('.notice.error').length > 0`))
	lighthouse := openOf(tab, t, "Lighthouse")
	tab.Do(chromedp.Navigate(p.Base+openOf(tab, t, "Tram")), click("#decide .see-0 [data-key=a]"), until(`document.querySelector('#said')`))
	job := chromium.Eval[string](tab, `fetch('/desk/jobs').then(r => r.text()).then(s => s.match(/\/desk\/jobs\/[0-9a-f-]{36}/)[0])`)
	pages = map[string]string{
		"drafts": "/desk", "draft": lighthouse, "failed draft": "/desk/drafts/" + odd, "posts": "/desk/posts", "jobs": "/desk/jobs", "job": job,
		"no such page": "/desk/nothing",
	}
	look()
}

// accessible fails when axe-core finds something serious in the page.
func accessible(tab *chromium.Tab, t *testing.T, what string) {
	t.Helper()
	for _, violation := range tab.Axe() {
		t.Errorf("%s: %s", what, violation)
	}
}

var (
	pickIn = regexp.MustCompile(`value="([0-9a-f-]{36}:[0-9a-f]{64})"`)
	jobIn  = regexp.MustCompile(`/desk/jobs/([0-9a-f-]{36})`)
)

// Without scripts every decision can still be made.
func TestWithoutScripts(t *testing.T) {
	t.Parallel()
	p := startProgram(t)
	id := p.Draft("A Lighthouse by Hand", nil)
	p.call(http.MethodPost, "/desk/drafts/"+id+"/pictures", "prompt=A+lighthouse&count=2")
	_, jobs := p.call(http.MethodGet, "/desk/jobs", "")
	job := jobIn.FindStringSubmatch(jobs)
	if job == nil {
		t.Fatalf("no job in the list:\n%s", jobs)
	}
	p.JSON(http.MethodGet, "/v1/jobs/"+job[1]+"?wait=120", nil)
	_, draft := p.call(http.MethodGet, "/desk/drafts/"+id, "")
	picks := pickIn.FindAllStringSubmatch(draft, -1)
	if len(picks) != 2 {
		t.Fatalf("%d pictures to pick:\n%s", len(picks), draft)
	}
	status, page := p.call(http.MethodPost, "/desk/drafts/"+id+"/approve", "pick="+picks[1][1])
	if status != http.StatusOK || !strings.Contains(page, "Approved and published.") {
		t.Errorf("approved: %d:\n%s", status, page)
	}
}
