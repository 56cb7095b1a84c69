package ops_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/app/apptest"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/testenv"
	"github.com/glad-labs/frontispiece/internal/testenv/chromium"
)

func TestMain(m *testing.M) {
	code := m.Run()
	chromium.Stop()
	os.Exit(code)
}

// program is the embedded program inside the test, as cmd/api runs it, with the
// operators' command beside it.
type program struct {
	*apptest.Program
	*app.Operator
	t *testing.T
}

func startProgram(t *testing.T, env ...string) *program {
	t.Helper()
	p := apptest.Start(t, env...)
	operator, err := app.OpenOperator(t.Context(), p.Config, app.Logger(p.Config, t.Output()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := operator.Close(); err != nil {
			t.Error(err)
		}
	})
	return &program{p, operator, t}
}

func (p *program) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// claimed is a picture that somebody has begun to make.
func (p *program) claimed(title string) editorial.Image {
	p.t.Helper()
	ctx := p.t.Context()
	job, _, err := p.Submit(ctx, dispatch.Submission{
		DraftID: p.Draft(title, nil), Caller: "olga", Request: editorial.Request{Prompt: title, UseGeneration: true, Count: 1},
	})
	p.must(err)
	img, _, err := p.ClaimGenerate(ctx, job.Images[0].ID)
	p.must(err)
	return img
}

// spooled is one that waits in a spool for its upload, and is being uploaded.
func (p *program) spooled(title, spool string) editorial.Image {
	p.t.Helper()
	ctx := p.t.Context()
	img := p.claimed(title)
	img.Backend, img.SpoolID, img.RawSHA256, img.Key = "sdwebui", spool, strings.Repeat("a", 64), dispatch.NewKey(img, "png")
	p.must(p.Spooled(ctx, img))
	img, _, err := p.ClaimUpload(ctx, img.ID)
	p.must(err)
	return img
}

func (p *program) giveUp(img editorial.Image, stage editorial.Stage, provider, code, message string) {
	p.t.Helper()
	p.must(p.GiveUp(p.t.Context(), img, editorial.NewFailure(code, stage, editorial.Terminal, provider, message)))
}

// lostWorker is one that was heard of six minutes ago, with pictures on its disk.
const lostSpool = "9c1f03aa7e4d4be2a1c07d5be8f6a210"

func (p *program) lostWorker() {
	p.t.Helper()
	ctx := p.t.Context()
	p.must(p.Store.BeatWorker(ctx, store.Worker{ID: "lost", Host: "worker-b.example", Version: "v0.1.0", SpoolID: lostSpool, DiskFree: 18 << 30}))
	p.must(p.Store.BeatSpool(ctx, store.Spool{ID: lostSpool, Host: "worker-b.example", Bytes: 412 << 20, Quota: 5 << 30}))
	seen := time.Now().UTC().Add(-6 * time.Minute).Format("2006-01-02T15:04:05.000Z")
	for _, table := range []string{"workers", "spools"} {
		_, err := p.Store.DB().ExecContext(ctx, `UPDATE `+table+` SET seen_at = ? WHERE `+
			map[string]string{"workers": "id = 'lost'", "spools": "id = '" + lostSpool + "'"}[table], seen)
		p.must(err)
	}
}

// trouble is a bad night: uploads that were given up, prompts that a generator
// refused, pictures that are tried again, a worker that went silent with its
// disk, a generator that is down, and a queue that somebody paused and forgot.
func (p *program) trouble() {
	p.t.Helper()
	ctx := p.t.Context()
	denied := "the bucket s3://glad-pictures answers 403 AccessDenied: the credentials may not put objects under generated/"
	for _, title := range []string{"What the Glaciers Took With Them", "A Quiet Harbour, Seen From the Ferry", "The Last Lamplighter of Ghent"} {
		p.giveUp(p.spooled(title, lostSpool), editorial.StageUpload, "s3", "access_denied", denied)
	}
	for _, title := range []string{"An Impossible Staircase", "<script>alert(1)</script> & Other Titles"} {
		p.giveUp(p.claimed(title), editorial.StageGenerate, "sdwebui", "refused", "the backend answers 422: this prompt asks for the <impossible>")
	}
	late := p.spooled("Night Trains Are Back", lostSpool)
	p.must(p.Postpone(ctx, late, editorial.NewFailure("unavailable", editorial.StageUpload, editorial.Transient, "s3",
		"the bucket answers 503 SlowDown: please reduce your request rate"), 4*time.Minute, true))
	p.lostWorker()
	p.JSON("POST", "/ops/queues/api/queues/generate:pause", nil)
	for _, title := range []string{"How a Tram Learned to Float", "Bread, Salt and Patience", "The Cartographer Who Drew Silence"} {
		p.JSON("POST", "/v1/jobs", map[string]any{"draft_id": p.Draft(title, nil), "prompt": title})
	}
}

// studio is a generator that answers health checks.
func studio(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "[]") }))
	t.Cleanup(s.Close)
	return "sdwebui+" + s.URL
}

// nobody is an address at which nothing listens.
func nobody(t *testing.T) string { return "sdwebui+http://" + testenv.FreeAddr(t) }

// calm and stormy are the two rooms that are looked at.
func calm(t *testing.T) *program {
	p := startProgram(t, "GENERATORS=card:,"+studio(t)+"?cost=0.04", "SPEND_CAP=25")
	for _, title := range []string{"A Lighthouse at Dawn", "Tram to the Sea"} {
		p.JSON("POST", "/v1/jobs", map[string]any{"draft_id": p.Draft(title, nil), "prompt": title})
	}
	return p
}

func stormy(t *testing.T) *program {
	p := startProgram(t, "GENERATORS=card:,"+nobody(t)+"?cost=0.04", "SPEND_CAP=25")
	p.must(p.Store.InTx(t.Context(), func(tx *store.Tx) error {
		cost := 24.97 // the next picture would pass the cap
		return tx.CountPicture(t.Context(), "sdwebui", &cost)
	}))
	p.trouble()
	return p
}

const (
	isCalm   = `document.querySelector('.verdict.fine')`
	isStormy = `document.querySelectorAll('.finding').length >= 5`
)

// The page that somebody reads at night is one that everybody can read: in both
// colours, and on a phone without scrolling sideways.
func TestTheRoomIsAccessible(t *testing.T) {
	t.Parallel()
	for name, room := range map[string]struct {
		start func(*testing.T) *program
		ready string
	}{"calm": {calm, isCalm}, "stormy": {stormy, isStormy}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab := chromium.Open(t)
			p := room.start(t)
			for _, screen := range chromium.Screens() {
				tab.Resize(screen)
				tab.Do(chromedp.Navigate(p.Base+"/ops"), chromium.Until(room.ready))
				for _, violation := range tab.Axe() {
					t.Errorf("in %s: %s", screen.Name, violation)
				}
				if width := chromium.Eval[int64](tab, `document.documentElement.scrollWidth`); width > screen.Width {
					t.Errorf("in %s the page is %d pixels wide, of %d", screen.Name, width, screen.Width)
				}
			}
		})
	}
}

// TestScreenshots writes what the room looks like, and the dashboard behind it,
// into the folder that SCREENSHOTS names; make screenshots does that.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		t.Skip("writes pictures, checks nothing: run make screenshots")
	}
	tab := chromium.Open(t)
	shoot := func(p *program, name, path, ready string, screens ...chromium.Screen) {
		for _, screen := range screens {
			tab.Resize(screen)
			tab.Do(chromedp.Navigate(p.Base+path), chromium.Until(ready))
			// All of it: what to press stands at the top, why below.
			screen.Height = max(screen.Height, chromium.Eval[int64](tab, `document.documentElement.scrollHeight`))
			tab.Resize(screen)
			tab.Capture(filepath.Join(dir, "ops-"+name+"-"+screen.Name+".webp"))
		}
	}
	shoot(calm(t), "calm", "/ops", isCalm, chromium.Screens()...)
	storm := stormy(t)
	shoot(storm, "stormy", "/ops", isStormy, chromium.Screens()...)
	shoot(storm, "queues", "/ops/queues/queues/generate?status=pending", `document.body.innerText.includes("Cartographer")`, chromium.Screens()[0])
}
