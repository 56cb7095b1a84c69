package v1_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/v1"
)

func TestAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.draft("draft-1", "A lighthouse at dawn")
	job := w.submit(map[string]any{"draft_id": "draft-1", "count": 2, "seed": 3})
	for name, test := range map[string]struct {
		body  any
		seeds []int64
	}{
		"no body":         {nil, []int64{5, 6}},
		"the same":        {map[string]any{"seed": "same"}, []int64{3, 4}},
		"a number":        {map[string]any{"seed": 4294967295}, []int64{4294967295, 0}},
		"one of them":     {map[string]any{"seed": "same", "candidate": 2}, []int64{4}},
		"another of them": {map[string]any{"seed": "next", "candidate": 2, "count": 1, "prompt": "A beacon", "width": 512}, nil},
	} {
		a := w.do("POST", job.URLs.Again, test.body)
		var again v1.Job
		a.decode(t, &again)
		if a.StatusCode != http.StatusAccepted || a.Header.Get("Location") != again.URLs.Self || a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d, Location %q, Retry-After %q", name, a.StatusCode, a.Header.Get("Location"), a.Header.Get("Retry-After"))
		}
		if again.AgainOf != job.ID || again.DraftID != "draft-1" || again.ID == job.ID {
			t.Errorf("%s: again of %q for %q", name, again.AgainOf, again.DraftID)
		}
		var seeds []int64
		for _, c := range again.Candidates {
			seeds = append(seeds, c.Seed)
		}
		// What is next depends on what came before, in a map's order.
		if diff := cmp.Diff(test.seeds, seeds); diff != "" && name != "no body" && name != "another of them" {
			t.Errorf("%s: seeds (-want +got):\n%s", name, diff)
		}
		if name == "another of them" && (again.Request.Prompt != "A beacon" || again.Request.Width != 512 || again.Request.Height != job.Request.Height) {
			t.Errorf("%s: request %+v", name, again.Request)
		}
	}
	superseded := w.do("GET", job.URLs.Self, nil)
	var old v1.Job
	superseded.decode(t, &old)
	if old.State != editorial.JobSuperseded {
		t.Errorf("the first round is %s, want superseded", old.State)
	}
}

func TestAgainIsIdempotentByKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.submit(map[string]any{})
	key := header{"Idempotency-Key", "once"}
	var first, second v1.Job
	w.do("POST", job.URLs.Again, map[string]any{"seed": "same"}, key).decode(t, &first)
	w.do("POST", job.URLs.Again, map[string]any{"seed": "same"}, key).decode(t, &second)
	if first.ID != second.ID {
		t.Errorf("two jobs of one key: %s and %s", first.ID, second.ID)
	}
	w.do("POST", job.URLs.Again, map[string]any{"seed": "next"}, key).problem(t, http.StatusUnprocessableEntity)
	other := w.submit(map[string]any{})
	var third v1.Job
	w.do("POST", other.URLs.Again, map[string]any{"seed": "same"}, key).decode(t, &third)
	if third.ID == first.ID {
		t.Error("the key of one job answered for another")
	}
}

func TestAgainRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.submit(map[string]any{"count": 2})
	for name, test := range map[string]struct {
		body   string
		status int
		field  string
	}{
		"a word that is none":     {`{"seed":"other"}`, 422, "seed"},
		"a negative seed":         {`{"seed":-1}`, 422, "seed"},
		"a seed of 33 bits":       {`{"seed":4294967296}`, 422, "seed"},
		"half a seed":             {`{"seed":1.5}`, 422, "seed"},
		"a list of seeds":         {`{"seed":[1]}`, 422, "seed"},
		"a candidate too many":    {`{"candidate":3}`, 422, "candidate"},
		"candidate 6":             {`{"candidate":6}`, 422, "candidate"},
		"a short prompt":          {`{"prompt":"ab"}`, 422, "prompt"},
		"a prompt with a NUL":     {`{"prompt":"A light\u0000house"}`, 422, "prompt"},
		"a narrow picture":        {`{"width":255}`, 422, "width"},
		"what only a job has":     {`{"draft_id":"draft-1"}`, 422, "draft_id"},
		"a body that is no JSON":  {`{"seed":`, 400, "body"},
		"a body that is no JSON2": {`"same"`, 422, "body"},
	} {
		p := w.do("POST", job.URLs.Again, test.body).problem(t, test.status)
		if len(p.Errors) == 0 || p.Errors[0].Field != test.field || p.Errors[0].Message == "" {
			t.Errorf("%s: %+v, want one on %s", name, p.Errors, test.field)
		}
	}
	w.do("POST", "/v1/jobs/00000000-0000-7000-8000-000000000000/again", nil).problem(t, 404)
	w.do("POST", "/v1/jobs/nonsense/again", nil).problem(t, 404)
}
