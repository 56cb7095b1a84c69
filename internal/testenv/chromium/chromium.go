// Package chromium gives tests a real browser: tabs of a window of any size in
// either colour scheme, waiting without sleeping, axe-core, and pictures of what
// a page looks like.
//
// One browser serves a package's tests; each tab has a profile of its own. A
// package that asks for a tab calls [Stop] in its TestMain. Only tests may
// import it.
package chromium

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/glad-labs/frontispiece/internal/testenv"
)

var running struct {
	sync.Mutex
	ctx  context.Context
	stop func()
}

// Stop ends the browser, if one was started.
func Stop() {
	running.Lock()
	defer running.Unlock()
	if running.stop != nil {
		running.stop()
		running.stop = nil
	}
}

// patience is how long a step waits for something. Only a test that fails waits
// so long, and a machine may be busy with much else.
const patience = 3 * time.Minute

// Tab is a page with a profile of its own.
type Tab struct {
	ctx context.Context
	t   testing.TB
}

// Open returns a tab. Where there is no Chromium the test is skipped.
func Open(t testing.TB) *Tab {
	t.Helper()
	running.Lock()
	defer running.Unlock()
	if running.stop == nil {
		path, err := exec.LookPath("chromium")
		if err != nil {
			testenv.Missing(t, "chromium")
		}
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
			chromedp.Flag("font-render-hinting", "none"), chromedp.Flag("disable-gpu", true))
		alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, stop := chromedp.NewContext(alloc)
		running.ctx, running.stop = ctx, func() { stop(); stopAlloc() }
		if err := chromedp.Do(ctx); err != nil {
			t.Fatalf("start chromium: %v", err)
		}
	}
	ctx, stop := chromedp.NewContext(running.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(ctx, 4*patience)
	t.Cleanup(cancel)
	return &Tab{ctx, t}
}

// Another returns a second tab with the profile of the first.
func (tab *Tab) Another() *Tab {
	ctx, stop := chromedp.NewContext(tab.ctx)
	tab.t.Cleanup(stop)
	return &Tab{ctx, tab.t}
}

// Step is something to do in a tab.
type Step = chromedp.Action[chromedp.Void]

// Do does steps in turn; when one fails the test says what the page says.
func (tab *Tab) Do(steps ...Step) {
	tab.t.Helper()
	if err := chromedp.Do(tab.ctx, steps...); err != nil {
		look, cancel := context.WithTimeout(context.WithoutCancel(tab.ctx), 5*time.Second)
		defer cancel()
		text, _ := chromedp.Run(look, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
		tab.t.Fatalf("%v; the page says:\n%s", err, text)
	}
}

// Screen is a window in which a page is looked at. A narrow one is a phone's.
type Screen struct {
	Name          string
	Width, Height int64 // CSS pixels
	Dark          bool
}

// Screens are those in which every page is looked at.
func Screens() []Screen {
	return []Screen{{"light", 1440, 900, false}, {"dark", 1440, 900, true}, {"phone", 360, 780, false}}
}

// phone is the width below which a window is a phone's.
const phone = 600

// Resize has the pages see this window from now on.
func (tab *Tab) Resize(s Screen) {
	tab.t.Helper()
	scheme := "light"
	if s.Dark {
		scheme = "dark"
	}
	tab.Do(
		Command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: s.Width, Height: s.Height, DeviceScaleFactor: 1, Mobile: s.Width < phone,
		}),
		Command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		}))
}

// Command is a command of the browser's protocol whose answer is nobody's need.
func Command[P, R any](c cdp.Command[P, R], params P) Step {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// Eval is the value of an expression in the page, awaited when it is a promise.
func Eval[T any](tab *Tab, expression string) T {
	tab.t.Helper()
	v, err := chromedp.Run(tab.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		tab.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// Until waits for an expression to be true, also across the loading of another
// page, in which it throws or cannot be asked.
func Until(expression string) Step {
	ask := chromedp.Evaluate[bool]("!!(" + expression + ")")
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		tick := time.NewTicker(25 * time.Millisecond)
		defer tick.Stop()
		for {
			is, err := ask(ctx, t)
			if is {
				return nil
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("wait until %s: %w", expression, errors.Join(ctx.Err(), err))
			case <-tick.C:
			}
		}
	})
}

// Axe has axe-core look at the page and returns its serious and critical
// violations, a line each. Where there is no axe-core the test is skipped.
func (tab *Tab) Axe() []string {
	tab.t.Helper()
	file := os.Getenv("AXE")
	if file == "" {
		testenv.Missing(tab.t, "axe-core (AXE)")
	}
	script, err := os.ReadFile(file)
	if err != nil {
		tab.t.Fatal(err)
	}
	tab.Do(chromedp.Evaluate[chromedp.Void](string(script)))
	return Eval[[]string](tab, `axe.run(document, {resultTypes: ['violations']}).then(r => r.violations
		.filter(v => v.impact === 'serious' || v.impact === 'critical')
		.map(v => v.id + ': ' + v.help + ': ' + v.nodes.map(n => n.html.slice(0, 160)).slice(0, 3).join(' | ')))`)
}

// Capture writes what the window shows, as WebP.
func (tab *Tab) Capture(file string) {
	tab.t.Helper()
	quality := int64(80)
	out, err := chromedp.Call(tab.ctx, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{Format: cdppage.CaptureScreenshotFormatWebp, Quality: &quality})
	if err != nil {
		tab.t.Fatal(err)
	}
	if err := os.WriteFile(file, out.Data, 0o644); err != nil {
		tab.t.Fatal(err)
	}
}
