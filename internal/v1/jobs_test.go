package v1_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/v1"
)

func TestJobInEveryState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.draft("draft-1", "A lighthouse at dawn")
	a := w.do("POST", "/v1/jobs", map[string]any{
		"prompt": "A lighthouse at dawn", "title": "Lighthouses", "negative_prompt": "people", "keywords": []string{"sea"},
		"alt_text": "A lighthouse on a cliff", "width": 1024, "height": 1024, "steps": 20, "guidance": 7.5, "seed": 42,
		"count": 2, "sources": []string{"stock", "generated"}, "draft_id": "draft-1",
	})
	golden(t, "job_queued", a)
	var job v1.Job
	a.decode(t, &job)
	first, second := job.Candidates[0].ID, job.Candidates[1].ID

	if _, _, err := w.dispatch.ClaimGenerate(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	golden(t, "job_generating", w.do("GET", job.URLs.Self, nil))
	w.finish(first)
	golden(t, "job_one_stored", w.do("GET", job.URLs.Self, nil))

	newer := w.submit(map[string]any{"draft_id": "draft-1", "seed": 7})
	golden(t, "job_superseded", w.do("GET", job.URLs.Self, nil))
	w.fail(newer.Candidates[0].ID)
	golden(t, "job_failed", w.do("GET", newer.URLs.Self, nil))
	golden(t, "job_history", w.do("GET", newer.URLs.History, nil))
	golden(t, "job_retried", w.do("POST", newer.URLs.Self+"/retry", nil))
	golden(t, "job_canceled", w.do("POST", newer.URLs.Cancel, nil))
	golden(t, "job_list", w.do("GET", "/v1/jobs?draft=draft-1&limit=1", nil))
}

func TestSubmitWaitsAsPreferred(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	go func() {
		id := <-w.wait.waiting
		job, err := w.store.Job(t.Context(), id)
		if err != nil {
			t.Error(err)
			return
		}
		w.finish(job.Images[0].ID)
	}()
	a := w.do("POST", "/v1/jobs", map[string]any{"prompt": "A lighthouse at dawn", "seed": 1}, header{"Prefer", "respond-async, wait=60"})
	golden(t, "job_created", a)
	if a.StatusCode != http.StatusCreated {
		t.Errorf("status %d, want 201 for a job that ended within the wait", a.StatusCode)
	}
}

func TestDrainEndsLongPolls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.submit(map[string]any{})
	go func() {
		<-w.wait.waiting
		w.stop()
	}()
	a := w.do("GET", job.URLs.Self+"?wait=120", nil)
	var got v1.Job
	a.decode(t, &got)
	if a.StatusCode != http.StatusOK || got.State != editorial.JobQueued || a.Header.Get("Retry-After") == "" {
		t.Errorf("answer %d %s, Retry-After %q; want the present state and when to ask again", a.StatusCode, got.State, a.Header.Get("Retry-After"))
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := header{"Idempotency-Key", "abc"}
	body := `{"prompt":"A lighthouse at dawn"}`
	first := w.do("POST", "/v1/jobs", body, key)
	var job v1.Job
	first.decode(t, &job)

	t.Run("same key and body answer with the same job", func(t *testing.T) {
		again := w.do("POST", "/v1/jobs", body, key)
		if again.StatusCode != http.StatusAccepted || again.Header.Get("Location") != job.URLs.Self {
			t.Errorf("answer %d at %q, want 202 at %q", again.StatusCode, again.Header.Get("Location"), job.URLs.Self)
		}
	})
	t.Run("another body is refused", func(t *testing.T) {
		p := w.do("POST", "/v1/jobs", `{"prompt": "A lighthouse at dawn"}`, key).problem(t, http.StatusUnprocessableEntity)
		if p.Code != "idempotency_key_reused" || p.Errors[0].Field != "Idempotency-Key" {
			t.Errorf("problem %+v, want idempotency_key_reused on Idempotency-Key", p)
		}
	})
	t.Run("another caller's key is another key", func(t *testing.T) {
		other := w.do("POST", "/v1/jobs", body, key, header{"Authorization", "Bearer author"})
		if other.Header.Get("Location") == job.URLs.Self {
			t.Error("a stranger's key answered with this caller's job")
		}
	})
	t.Run("a replay of an ended job answers 200", func(t *testing.T) {
		w.finish(job.Candidates[0].ID)
		again := w.do("POST", "/v1/jobs", body, key)
		if again.StatusCode != http.StatusOK {
			t.Errorf("status %d, want 200", again.StatusCode)
		}
	})
	t.Run("a failure is not remembered", func(t *testing.T) {
		fresh := header{"Idempotency-Key", "xyz"}
		w.do("POST", "/v1/jobs", `{"prompt":"no"}`, fresh).problem(t, http.StatusUnprocessableEntity)
		if a := w.do("POST", "/v1/jobs", body, fresh); a.StatusCode != http.StatusAccepted {
			t.Errorf("status %d, want 202 for the corrected body", a.StatusCode)
		}
	})
}

func TestETagFollowsTheJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	earlier := w.submit(map[string]any{})
	job := w.submit(map[string]any{})
	etag := w.do("GET", job.URLs.Self, nil).Header.Get("ETag")
	same := func(etag string) bool {
		return w.do("GET", job.URLs.Self, nil, header{"If-None-Match", etag}).StatusCode == http.StatusNotModified
	}
	if !same(etag) || !same(`"other", `+etag) || !same(strings.TrimPrefix(etag, "W/")) {
		t.Error("an unchanged job was sent again")
	}
	if a := w.do("GET", job.URLs.Self, nil, header{"If-None-Match", etag}); len(a.body) > 0 || a.Header.Get("ETag") != etag {
		t.Errorf("a 304 with body %q and ETag %q", a.body, a.Header.Get("ETag"))
	}
	if same(`"other"`) {
		t.Error("304 for another ETag")
	}
	w.generate(earlier.Candidates[0].ID)
	if same(etag) {
		t.Error("304 although the place in the queue moved")
	}
	etag = w.do("GET", job.URLs.Self, nil).Header.Get("ETag")
	w.generate(job.Candidates[0].ID)
	if same(etag) {
		t.Error("304 although the picture was made")
	}
}

func TestListPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want []string
	for range 5 {
		want = append([]string{w.submit(map[string]any{}).ID}, want...)
	}
	var got []string
	path := "/v1/jobs?limit=2&state=queued"
	for pages := 0; path != ""; pages++ {
		if pages > 3 {
			t.Fatal("the list has no end")
		}
		var page v1.JobList
		w.do("GET", path, nil).decode(t, &page)
		for _, j := range page.Items {
			got = append(got, j.ID)
		}
		path = ""
		if page.NextCursor != "" {
			path = "/v1/jobs?limit=2&state=queued&cursor=" + page.NextCursor
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("pages %v, want %v", got, want)
	}
}

func TestCursorsAreSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.submit(map[string]any{})
	w.submit(map[string]any{})
	var page v1.JobList
	w.do("GET", "/v1/jobs?limit=1", nil).decode(t, &page)
	if page.NextCursor == "" {
		t.Fatal("no cursor")
	}
	altered := []byte(page.NextCursor)
	altered[len(altered)/2] ^= 1
	for name, path := range map[string]string{
		"altered":       "/v1/jobs?limit=1&cursor=" + string(altered),
		"cut":           "/v1/jobs?limit=1&cursor=" + page.NextCursor[:8],
		"nonsense":      "/v1/jobs?cursor=hello",
		"other filters": "/v1/jobs?limit=1&state=queued&cursor=" + page.NextCursor,
		"other list":    "/v1/drafts?cursor=" + page.NextCursor,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := w.do("GET", path, nil).problem(t, http.StatusUnprocessableEntity)
			if len(p.Errors) != 1 || p.Errors[0].Field != "cursor" {
				t.Errorf("errors %v, want one on cursor", p.Errors)
			}
		})
	}
}

func TestFlagsAndFallbackAreTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.submit(map[string]any{})
	img, _, err := w.dispatch.ClaimGenerate(t.Context(), job.Candidates[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	img.Steps = []editorial.ChainStep{{Backend: "pexels", Failure: *editorial.NewFailure("no_match", editorial.StageGenerate, editorial.Terminal, "pexels", "no photo matches")}}
	if err := w.dispatch.MovedOn(t.Context(), img); err != nil {
		t.Fatal(err)
	}
	var got v1.Job
	w.do("GET", job.URLs.Self, nil).decode(t, &got)
	if c := got.Candidates[0]; c.Fallback != "pexels could not: no photo matches" || len(c.Steps) != 1 {
		t.Errorf("fallback %q after %v", c.Fallback, c.Steps)
	}
}
