package v1_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/v1"
)

const prompt = `"prompt":"A lighthouse at dawn"`

func TestBadSubmissionsNameTheField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tests := map[string]struct {
		body   string
		status int
		field  string
	}{
		"prompt of 2 characters":    {`{"prompt":"ab"}`, 422, "prompt"},
		"prompt of 501 characters":  {`{"prompt":"` + strings.Repeat("é", 501) + `"}`, 422, "prompt"},
		"no prompt":                 {`{}`, 422, "prompt"},
		"prompt is a number":        {`{"prompt":5}`, 422, "prompt"},
		"prompt is a list":          {`{"prompt":["A lighthouse"]}`, 422, "prompt"},
		"prompt with a NUL":         {`{"prompt":"A light\u0000house"}`, 422, "prompt"},
		"prompt in broken UTF-8":    {"{\"prompt\":\"A light\xffhouse\"}", 422, "prompt"},
		"title in broken UTF-8":     {"{" + prompt + ",\"title\":\"\xc3\x28\"}", 422, "title"},
		"a name in broken UTF-8":    {"{" + prompt + ",\"\xff\":1}", 422, "body"},
		"title of 201 characters":   {`{` + prompt + `,"title":"` + strings.Repeat("a", 201) + `"}`, 422, "title"},
		"negative prompt too long":  {`{` + prompt + `,"negative_prompt":"` + strings.Repeat("a", 501) + `"}`, 422, "negative_prompt"},
		"alt text too long":         {`{` + prompt + `,"alt_text":"` + strings.Repeat("a", 501) + `"}`, 422, "alt_text"},
		"21 keywords":               {`{` + prompt + `,"keywords":["a"` + strings.Repeat(`,"b"`, 20) + `]}`, 422, "keywords"},
		"a keyword is a number":     {`{` + prompt + `,"keywords":["a",2]}`, 422, "keywords[1]"},
		"keywords in one string":    {`{` + prompt + `,"keywords":"a,b"}`, 422, "keywords"},
		"width 255":                 {`{` + prompt + `,"width":255}`, 422, "width"},
		"width 2049":                {`{` + prompt + `,"width":2049}`, 422, "width"},
		"width 0":                   {`{` + prompt + `,"width":0}`, 422, "width"},
		"width of a half":           {`{` + prompt + `,"width":512.5}`, 422, "width"},
		"width in a string":         {`{` + prompt + `,"width":"1024"}`, 422, "width"},
		"width beyond any integer":  {`{` + prompt + `,"width":1e300}`, 422, "width"},
		"height -1":                 {`{` + prompt + `,"height":-1}`, 422, "height"},
		"steps 0":                   {`{` + prompt + `,"steps":0}`, 422, "steps"},
		"steps 101":                 {`{` + prompt + `,"steps":101}`, 422, "steps"},
		"guidance 0.5":              {`{` + prompt + `,"guidance":0.5}`, 422, "guidance"},
		"guidance 20.1":             {`{` + prompt + `,"guidance":20.1}`, 422, "guidance"},
		"seed -1":                   {`{` + prompt + `,"seed":-1}`, 422, "seed"},
		"seed of 33 bits":           {`{` + prompt + `,"seed":4294967296}`, 422, "seed"},
		"count 0":                   {`{` + prompt + `,"count":0}`, 422, "count"},
		"count 6":                   {`{` + prompt + `,"count":6}`, 422, "count"},
		"no sources":                {`{` + prompt + `,"sources":[]}`, 422, "sources"},
		"an unknown source":         {`{` + prompt + `,"sources":["magic"]}`, 422, "sources[0]"},
		"a source that is a list":   {`{` + prompt + `,"sources":[[]]}`, 422, "sources[0]"},
		"an unknown draft":          {`{` + prompt + `,"draft_id":"nope"}`, 422, "draft_id"},
		"a draft id with a NUL":     {`{` + prompt + `,"draft_id":"a\u0000b"}`, 422, "draft_id"},
		"an unknown field":          {`{` + prompt + `,"colour":"red"}`, 422, "colour"},
		"the seed's flag":           {`{` + prompt + `,"use_pexels":true}`, 422, "use_pexels"},
		"JSON cut off":              {`{` + prompt, 400, "body"},
		"no JSON":                   {`prompt=hello`, 400, "body"},
		"two objects":               {`{` + prompt + `}{}`, 400, "body"},
		"NaN":                       {`{` + prompt + `,"guidance":NaN}`, 400, "body"},
		"a raw NUL":                 {"{\"prompt\":\"A light\x00house\"}", 400, "body"},
		"a list":                    {`[]`, 422, "body"},
		"null":                      {`null`, 422, "body"},
		"nested 100,000 deep":       {strings.Repeat("[", 100_000), 400, "body"},
		"a body of more than 1 MiB": {`{"prompt":"` + strings.Repeat("a", 1<<20) + `"}`, 413, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := w.do("POST", "/v1/jobs", test.body).problem(t, test.status)
			if test.field == "" {
				return
			}
			if len(p.Errors) == 0 || p.Errors[0].Field != test.field || p.Errors[0].Message == "" {
				t.Errorf("errors %+v, want one on %s", p.Errors, test.field)
			}
		})
	}
	t.Cleanup(func() {
		jobs, err := w.store.CountLive(context.Background())
		if err != nil || jobs != 0 {
			t.Errorf("refused requests left %d images, %v", jobs, err)
		}
	})
}

func TestEveryWrongFieldIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.do("POST", "/v1/jobs", `{"prompt":"ab","width":1,"colour":"red"}`)
	golden(t, "problem_three_fields", a)
	if p := a.problem(t, 422); len(p.Errors) != 3 {
		t.Errorf("%d errors, want 3: %+v", len(p.Errors), p.Errors)
	}
}

func TestWhatWasWrongIsNotEchoed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.do("POST", "/v1/jobs", `{"prompt":"A lighthouse","title":5,"api_key":"hunter2"}`)
	if a.problem(t, 422); bytes.Contains(a.body, []byte("hunter2")) {
		t.Errorf("the answer repeats a secret: %s", a.body)
	}
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for contentType, want := range map[string]int{
		"application/json":                    202,
		"application/json; charset=utf-8":     202,
		"Application/JSON":                    202,
		"application/json; charset=utf-16":    415,
		"text/plain":                          415,
		"application/x-www-form-urlencoded":   415,
		"multipart/form-data; boundary=x":     415,
		"application/merge-patch+json":        415,
		"application/json, application/json;": 415,
		"":                                    415,
	} {
		t.Run(contentType, func(t *testing.T) {
			t.Parallel()
			a := w.do("POST", "/v1/jobs", `{`+prompt+`}`, header{"Content-Type", contentType})
			if a.StatusCode != want {
				t.Errorf("status %d, want %d", a.StatusCode, want)
			}
		})
	}
}

func TestBadAddressesNameTheParameter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.draft("draft-1", "A lighthouse")
	tests := []struct {
		method, path, body string
		status             int
		field              string
	}{
		{"GET", "/v1/jobs/nonsense", "", 404, ""},
		{"GET", "/v1/jobs/00000000-0000-7000-8000-000000000000", "", 404, ""},
		{"GET", "/v1/jobs/a%00b", "", 404, ""},
		{"GET", "/v1/jobs/%ff", "", 404, ""},
		{"GET", "/v1/jobs/nonsense/events", "", 404, ""},
		{"GET", "/v1/jobs/nonsense/history", "", 404, ""},
		{"POST", "/v1/jobs/nonsense/cancel", "", 404, ""},
		{"POST", "/v1/jobs/nonsense/retry", "", 404, ""},
		{"GET", "/v1/jobs/x?wait=0", "", 422, "wait"},
		{"GET", "/v1/jobs/x?wait=121", "", 422, "wait"},
		{"GET", "/v1/jobs/x?wait=soon", "", 422, "wait"},
		{"GET", "/v1/jobs?state=done", "", 422, "state"},
		{"GET", "/v1/jobs?limit=101", "", 422, "limit"},
		{"GET", "/v1/jobs?limit=0", "", 422, "limit"},
		{"GET", "/v1/jobs?draft=%00", "", 422, "draft"},
		{"GET", "/v1/jobs?draft=%ff", "", 422, "draft"},
		{"GET", "/v1/jobs?stat=queued", "", 422, "stat"},
		{"GET", "/v1/drafts?state=lost", "", 422, "state"},
		{"GET", "/v1/drafts/%00", "", 404, ""},
		{"GET", "/v1/posts/%00", "", 404, ""},
		{"GET", "/v1/posts/nope", "", 404, ""},
		{"POST", "/v1/drafts/nope/approve", "", 404, ""},
		{"POST", "/v1/drafts/draft-1/approve", `{"image_id":"x"}`, 422, "image_id"},
		{"POST", "/v1/drafts/draft-1/approve", `{"sha256":"ABC"}`, 422, "sha256"},
		{"POST", "/v1/drafts/draft-1/approve", `{"approved":true}`, 422, "approved"},
		{"POST", "/v1/drafts/draft-1/approve", `{"feedback":"\u0000"}`, 422, "feedback"},
		{"POST", "/v1/drafts/draft-1/approve", `{"reviewer":"\u0000"}`, 422, "reviewer"},
		{"POST", "/v1/drafts/draft-1/reject", `{}`, 422, "reason"},
		{"POST", "/v1/drafts/draft-1/reject", `{"reason":""}`, 422, "reason"},
		{"POST", "/v1/drafts/draft-1/reject", `{"reason":"\u0000"}`, 422, "reason"},
		{"POST", "/v1/drafts/draft-1/reject", "", 400, ""},
		{"POST", "/v1/drafts/draft-1/choose", `{"image_id":"00000000-0000-7000-8000-000000000000"}`, 422, "image_id"},
		{"DELETE", "/v1/jobs", "", 405, ""},
		{"PUT", "/v1/drafts/draft-1", `{}`, 405, ""},
		{"GET", "/v1/nothing", "", 404, ""},
		{"GET", "/v1", "", 404, ""},
	}
	for _, test := range tests {
		t.Run(test.method+" "+test.path+" "+test.body, func(t *testing.T) {
			t.Parallel()
			var body any
			if test.body != "" {
				body = test.body
			}
			a := w.do(test.method, test.path, body)
			p := a.problem(t, test.status)
			if test.field != "" && (len(p.Errors) != 1 || p.Errors[0].Field != test.field) {
				t.Errorf("errors %+v, want one on %s", p.Errors, test.field)
			}
			if test.status == 405 && a.Header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
		})
	}
}

func TestBadHeadersAreNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.submit(map[string]any{})
	p := w.do("POST", "/v1/jobs", `{`+prompt+`}`, header{"Idempotency-Key", strings.Repeat("k", 256)}).problem(t, 422)
	if p.Errors[0].Field != "Idempotency-Key" {
		t.Errorf("errors %+v, want one on Idempotency-Key", p.Errors)
	}
	p = w.do("GET", job.URLs.Events, nil, header{"Last-Event-ID", "first"}).problem(t, 422)
	if p.Errors[0].Field != "Last-Event-ID" {
		t.Errorf("errors %+v, want one on Last-Event-ID", p.Errors)
	}
}

// refusing is a dispatch that answers every submission with one error.
type refusing struct {
	*dispatch.Dispatch
	err error
}

func (r refusing) Submit(context.Context, dispatch.Submission) (editorial.Job, bool, error) {
	return editorial.Job{}, false, r.err
}

func TestEveryKindOfErrorHasItsStatus(t *testing.T) {
	t.Parallel()
	for kind, want := range map[editorial.Kind]int{
		editorial.Invalid: 422, editorial.NotFound: 404, editorial.Gone: 410, editorial.Conflict: 409, editorial.Mismatch: 422,
		editorial.Forbidden: 403, editorial.Unauthorized: 401, editorial.Limited: 429, editorial.Unavailable: 503, editorial.Full: 507,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *v1.Config) {
				c.Dispatch = refusing{err: &editorial.Error{Kind: kind, Message: "because", Details: map[string]any{"retry_after": 7}}}
			})
			a := w.do("POST", "/v1/jobs", `{`+prompt+`}`)
			p := a.problem(t, want)
			if p.Code != string(kind) || p.Detail != "because" || p.RequestID != "req-1" {
				t.Errorf("problem %+v", p)
			}
			if after := a.Header.Get("Retry-After"); kind == editorial.Limited && after != "7" {
				t.Errorf("Retry-After %q, want 7", after)
			}
		})
	}
}

func TestInternalErrorsAreNotShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *v1.Config) {
		c.Dispatch = refusing{err: fmt.Errorf("pq: password authentication failed for user %q", "frontispiece")}
	})
	a := w.do("POST", "/v1/jobs", `{`+prompt+`}`)
	if a.problem(t, http.StatusInternalServerError); bytes.Contains(a.body, []byte("password")) {
		t.Errorf("the answer shows an internal error: %s", a.body)
	}
}

func TestLimitsAreEditorials(t *testing.T) {
	t.Parallel()
	want := map[string]map[string]float64{
		"Prompt":         {"minLength": editorial.MinPrompt, "maxLength": editorial.MaxPrompt},
		"Title":          {"maxLength": editorial.MaxTitle},
		"NegativePrompt": {"maxLength": editorial.MaxNegative},
		"AltText":        {"maxLength": editorial.MaxAltText},
		"Keywords":       {"maxItems": editorial.MaxKeywords, "maxLength": editorial.MaxTitle},
		"Width":          {"minimum": editorial.MinSide, "maximum": editorial.MaxSide, "default": editorial.DefaultWidth},
		"Height":         {"minimum": editorial.MinSide, "maximum": editorial.MaxSide, "default": editorial.DefaultHeight},
		"Steps":          {"minimum": editorial.MinSteps, "maximum": editorial.MaxSteps},
		"Guidance":       {"minimum": editorial.MinGuidance, "maximum": editorial.MaxGuidance},
		"Seed":           {"minimum": 0, "maximum": editorial.MaxSeed},
		"Count":          {"minimum": 1, "maximum": editorial.MaxCount, "default": editorial.DefaultCount},
		"Page":           {"minimum": 1, "maximum": editorial.MaxPage},
	}
	for name, limits := range want {
		field, ok := reflect.TypeFor[v1.Submission]().FieldByName(name)
		if !ok {
			t.Errorf("Submission has no field %s", name)
			continue
		}
		for tag, limit := range limits {
			if got, err := strconv.ParseFloat(field.Tag.Get(tag), 64); err != nil || got != limit {
				t.Errorf("%s: %s is %q, want %v", name, tag, field.Tag.Get(tag), limit)
			}
		}
	}
}

func TestMessagesAreAdvice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for body, want := range map[string]string{
		`{}`:                                   "is required",
		`{"prompt":"ab"}`:                      "must be at least 3 characters long",
		`{"prompt":5}`:                         "must be a string",
		`[]`:                                   "must be an object",
		`{` + prompt + `,"x":1}`:               "there is no such field",
		`{` + prompt + `,"width":1}`:           "must be at least 256",
		`{` + prompt + `,"width":9999}`:        "must be at most 2048",
		`{` + prompt + `,"width":300.5}`:       "must be a whole number",
		`{` + prompt + `,"guidance":"a"}`:      "must be a number",
		`{` + prompt + `,"keywords":"a"}`:      "must be a list",
		`{` + prompt + `,"sources":[]}`:        "must have at least 1 items",
		`{` + prompt + `,"sources":["magic"]}`: `must be one of "stock, generated"`,
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			p := w.do("POST", "/v1/jobs", body).problem(t, http.StatusUnprocessableEntity)
			if got := p.Errors[0].Message; got != want {
				t.Errorf("message %q, want %q", got, want)
			}
		})
	}
}
