package app_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// A poll of a job that has not changed, with everything that stands around it.
func BenchmarkUnchangedPoll(b *testing.B) {
	s := newSite(b)
	path := "/v1/jobs/" + s.send("POST", "/v1/jobs", `{"prompt":"A lighthouse at dawn"}`).field(b, "id")
	etag := s.send("GET", path, "").header.Get("ETag")
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), "GET", "http://"+s.host+path, http.NoBody)
		r.RemoteAddr = "127.0.0.1:50000"
		r.Header.Set("If-None-Match", etag)
		rec := httptest.NewRecorder()
		s.handler.ServeHTTP(rec, r)
		if rec.Code != http.StatusNotModified {
			b.Fatal(rec.Code, rec.Body)
		}
		s.log.b.Reset()
	}
}
