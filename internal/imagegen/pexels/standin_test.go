package pexels_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/imagegentest"
	"github.com/glad-labs/frontispiece/internal/imagegen/pexels"
)

// standIn is api.pexels.com and images.pexels.com: it wants the key without
// "Bearer", answers found photos for a query that it knows, and hands out
// photos at a path of their own.
type standIn struct {
	picture []byte
	found   func(query string) []map[string]any

	mu       sync.Mutex
	searches []url.Values
	fetched  []string
}

func photoOn(host string, id, w, h int) map[string]any {
	page := fmt.Sprintf("https://www.pexels.com/photo/a-mill-%d/", id)
	return map[string]any{
		"id": id, "width": w, "height": h, "url": page, "photographer": " Ada L. ", "photographer_url": "https://www.pexels.com/@ada",
		"photographer_id": 9, "avg_color": "#978E82", "liked": false, "alt": "A mill\n by the sea",
		"src": map[string]any{"original": fmt.Sprintf("http://%s/photos/%d/pexels-photo-%d.jpeg", host, id, id), "large": "http://10.0.0.1/x"},
	}
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case strings.HasPrefix(r.URL.Path, "/photos/") && r.Header.Get("Authorization") == "":
		s.fetched = append(s.fetched, r.URL.RequestURI())
		w.Write(s.picture)
	case r.URL.Path != "/v1/search":
		http.NotFound(w, r)
	case r.Header.Get("Authorization") != imagegentest.Secret:
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"status":401,"code":"Unauthorized"}`)
	default:
		s.searches = append(s.searches, r.URL.Query())
		list := []map[string]any{photoOn(r.Host, 11, 6000, 4000)}
		if s.found != nil {
			list = s.found(r.URL.Query().Get("query"))
		}
		if list == nil {
			list = []map[string]any{}
		}
		for _, p := range list { // their host is this server's
			if src, ok := p["src"].(map[string]any); ok {
				src["original"] = strings.Replace(src["original"].(string), "HOST", r.Host, 1)
			}
		}
		w.Header().Set("X-Ratelimit-Remaining", "19999")
		json.NewEncoder(w).Encode(map[string]any{"total_results": len(list), "page": 1, "per_page": 40, "photos": list})
	}
}

func (s *standIn) asked() (list []imagegentest.Asked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.searches {
		list = append(list, imagegentest.Asked{Prompt: q.Get("query")})
	}
	return list
}

func newGenerator(t testing.TB, rawURL string, c pexels.Config) *pexels.Generator {
	t.Helper()
	c.Key, c.FilesURL = imagegentest.Secret, rawURL
	g, err := pexels.New(rawURL, c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestConformance(t *testing.T) {
	t.Parallel()
	imagegentest.Run(t, imagegentest.Harness{
		New: func(t testing.TB, rawURL string) imagegen.Generator { return newGenerator(t, rawURL, pexels.Config{}) },
		Start: func(_ testing.TB, picture []byte) *imagegentest.StandIn {
			s := &standIn{picture: picture}
			return &imagegentest.StandIn{Handler: s, Asked: s.asked}
		},
		Want:   func(req imagegen.Request) imagegentest.Asked { return imagegentest.Asked{Prompt: req.Prompt} },
		Column: "pexels",
	})
}
