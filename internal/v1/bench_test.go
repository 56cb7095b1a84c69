package v1_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// A poll of a job that has not changed: what it costs beside a handler that
// returns a constant.
func BenchmarkUnchangedPoll(b *testing.B) {
	w := newWorld(b)
	job := w.submit(map[string]any{})
	w.finish(job.Candidates[0].ID)
	etag := w.do("GET", job.URLs.Self, nil).Header.Get("ETag")
	b.ReportAllocs()
	for b.Loop() {
		r := w.request("GET", job.URLs.Self, nil, header{"If-None-Match", etag})
		rec := httptest.NewRecorder()
		w.api.ServeHTTP(rec, r)
		if rec.Code != http.StatusNotModified {
			b.Fatal(rec.Code)
		}
	}
}
