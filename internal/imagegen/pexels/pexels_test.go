package pexels_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/imagegentest"
	"github.com/glad-labs/frontispiece/internal/imagegen/pexels"
)

func serve(t *testing.T, s *standIn, c pexels.Config) *pexels.Generator {
	t.Helper()
	s.picture = imagegentest.PNG()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return newGenerator(t, srv.URL, c)
}

// photos answers the queries of a map, one photo for each triple.
func photos(byQuery map[string][][3]int) func(string) []map[string]any {
	return func(query string) (list []map[string]any) {
		for _, p := range byQuery[query] {
			list = append(list, photoOn("HOST", p[0], p[1], p[2]))
		}
		return list
	}
}

func request() imagegen.Request {
	return imagegen.Request{ImageID: "img-1", Prompt: " A  Tide Mill!", Keywords: []string{"tide", "Mill,", "a tide mill", "dawn"}, Width: 1200, Height: 630, Seed: 7}
}

func TestThePhotoWithItsCredit(t *testing.T) {
	t.Parallel()
	s := &standIn{}
	g := serve(t, s, pexels.Config{})
	got, err := g.Generate(t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	free := 0.0
	want := imagegen.Result{
		Bytes: imagegentest.PNG(), Seed: 7, AltText: "A mill by the sea", Cost: &free,
		Credit: &editorial.Credit{
			Author: "Ada L.", AuthorURL: "https://www.pexels.com/@ada", PageURL: "https://www.pexels.com/photo/a-mill-11/",
			Provider: "Pexels", License: "Pexels License",
		},
		Params: map[string]any{
			"photo_id": "11", "query": "a tide mill", "avg_color": "#978E82", "page": 1, "original_width": 6000, "original_height": 4000,
		},
	}
	ignore := cmpopts.IgnoreMapEntries(func(k string, _ any) bool { return k == "fetched_at" })
	if diff := cmp.Diff(want, got, ignore); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := time.Parse(time.RFC3339, got.Params["fetched_at"].(string)); err != nil {
		t.Errorf("fetched_at: %v", err)
	}
	wantFetch := []string{"/photos/11/pexels-photo-11.jpeg?auto=compress&cs=tinysrgb&fit=crop&h=630&w=1200"}
	if diff := cmp.Diff(wantFetch, s.fetched); diff != "" {
		t.Errorf("fetched (-want +got):\n%s", diff)
	}
}

func TestWhatIsSearchedFor(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("lighthouse ", 50)
	tests := []struct {
		name                    string
		req                     imagegen.Request
		queries                 []string
		orientation, size, page string
	}{
		{"prompt, then three keywords, none twice", request(), []string{"a tide mill", "tide", "mill"}, "landscape", "small", "1"},
		{"a page of one's own", imagegen.Request{Prompt: "x", Page: 3}, []string{"x"}, "landscape", "small", "3"},
		{"tall", imagegen.Request{Prompt: "x", Width: 1080, Height: 1920}, []string{"x"}, "portrait", "small", "1"},
		{"square and large", imagegen.Request{Prompt: "x", Width: 3000, Height: 3000}, []string{"x"}, "square", "medium", "1"},
		{"larger", imagegen.Request{Prompt: "x", Width: 6000, Height: 4000}, []string{"x"}, "landscape", "large", "1"},
		{"a sentence is cut", imagegen.Request{Prompt: long}, []string{strings.TrimSpace(long[:99])}, "landscape", "small", "1"},
		{"other scripts", imagegen.Request{Prompt: "日落, ÖL–Gemälde"}, []string{"日落 öl gemälde"}, "landscape", "small", "1"},
		{"only keywords have words", imagegen.Request{Prompt: "…!", Keywords: []string{"", "sea"}}, []string{"sea"}, "landscape", "small", "1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &standIn{found: photos(nil)}
			_, err := serve(t, s, pexels.Config{}).Generate(t.Context(), tt.req)
			if e := imagegen.AsError(err); e == nil || e.Code != "nothing_found" || e.Class != editorial.Terminal {
				t.Errorf("error = %v, want nothing_found", err)
			}
			var got []string
			for _, v := range s.searches {
				got = append(got, v.Get("query"))
				if diff := cmp.Diff([]string{tt.orientation, tt.size, tt.page, "40"}, []string{v.Get("orientation"), v.Get("size"), v.Get("page"), v.Get("per_page")}); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
			if diff := cmp.Diff(tt.queries, got); diff != "" {
				t.Errorf("queries (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := serve(t, &standIn{}, pexels.Config{}).Generate(t.Context(), imagegen.Request{Prompt: "?"}); imagegen.AsError(err).Code != "nothing_to_search" {
		t.Errorf("error = %v", err)
	}
}

func TestWhichPhotoIsChosen(t *testing.T) {
	t.Parallel()
	big := func(ids ...int) (list [][3]int) {
		for _, id := range ids {
			list = append(list, [3]int{id, 4000, 3000})
		}
		return list
	}
	used := func(ids ...string) func(context.Context, []string, string) (map[string]bool, error) {
		return func(_ context.Context, asked []string, imageID string) (map[string]bool, error) {
			found := map[string]bool{}
			for _, id := range asked {
				found[id] = slices.Contains(ids, id) && imageID == "img-1"
			}
			return found, nil
		}
	}
	tests := []struct {
		name   string
		found  map[string][][3]int
		config pexels.Config
		want   string // the photo and its crop, or the error's code
	}{
		{"the first", map[string][][3]int{"a tide mill": big(1, 2)}, pexels.Config{}, "1 1200x630"},
		{"the first that is free", map[string][][3]int{"a tide mill": big(1, 2, 3)}, pexels.Config{Used: used("1", "2")}, "3 1200x630"},
		{"a keyword's when all are used", map[string][][3]int{"a tide mill": big(1), "tide": big(1, 4)}, pexels.Config{Used: used("1")}, "4 1200x630"},
		{"none", map[string][][3]int{"a tide mill": big(1, 2)}, pexels.Config{Used: used("1", "2")}, "all_used"},
		{"another image's", map[string][][3]int{"a tide mill": big(1, 2)}, pexels.Config{
			Claim: func(_ context.Context, photo, image string) (bool, error) {
				return photo == "2" && image == "img-1", nil
			},
		}, "2 1200x630"},
		{"large ones first", map[string][][3]int{"a tide mill": {{1, 800, 600}, {2, 4000, 3000}}}, pexels.Config{}, "2 1200x630"},
		{"a small one is not enlarged", map[string][][3]int{"a tide mill": {{1, 600, 600}}}, pexels.Config{}, "1 600x315"},
		{"nonsense is passed over", map[string][][3]int{"a tide mill": {{0, 800, 600}, {5, 0, 600}, {6, 4000, 3000}}}, pexels.Config{}, "6 1200x630"},
		{"nobody knows", map[string][][3]int{"a tide mill": big(1)}, pexels.Config{
			Used: func(context.Context, []string, string) (map[string]bool, error) { return nil, errors.New("away") },
		}, "usage_unknown"},
		{"nobody can claim", map[string][][3]int{"a tide mill": big(1)}, pexels.Config{
			Claim: func(context.Context, string, string) (bool, error) { return false, errors.New("away") },
		}, "usage_unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &standIn{found: photos(tt.found)}
			res, err := serve(t, s, tt.config).Generate(t.Context(), request())
			var got string
			if err != nil {
				got = imagegen.AsError(err).Code
			} else {
				q := httptest.NewRequest(http.MethodGet, s.fetched[0], nil).URL.Query()
				got = fmt.Sprintf("%v %sx%s", res.Params["photo_id"], q.Get("w"), q.Get("h"))
			}
			if got != tt.want {
				t.Errorf("got %s, want %s (%v)", got, tt.want, err)
			}
		})
	}
}

// An answer cannot lead us to any other host.
func TestOtherHostsAreNotFetched(t *testing.T) {
	t.Parallel()
	for _, original := range []string{
		"http://169.254.169.254/latest/meta-data", "https://HOST/photos/1/x.jpeg", "http://HOST@10.0.0.1/photos/1/x.jpeg",
		"http://u:p@HOST/photos/1/x.jpeg", "//HOST/photos/1/x.jpeg", "http://HOST.evil.example/photos/1/x.jpeg", "http://HOST/../v1/search",
		"http://HOST/%2e%2e/v1/search", "http://HOST", "file:///etc/passwd", "http://[::1", "",
	} {
		s := &standIn{found: func(string) []map[string]any {
			p := photoOn("HOST", 1, 4000, 3000)
			p["src"] = map[string]any{"original": original}
			return []map[string]any{p}
		}}
		_, err := serve(t, s, pexels.Config{}).Generate(t.Context(), imagegen.Request{Prompt: "x"})
		if e := imagegen.AsError(err); e == nil || e.Code != "nothing_found" || len(s.fetched) != 0 {
			t.Errorf("%q: error %v, fetched %q", original, err, s.fetched)
		}
	}
}

func TestWhoTookItIsNoAltText(t *testing.T) {
	t.Parallel()
	for alt, want := range map[any]string{"Photo by Ada L.": "", "photo BY ada": "", nil: "", "Photo booth": "Photo booth"} {
		s := &standIn{found: func(string) []map[string]any {
			p := photoOn("HOST", 1, 4000, 3000)
			p["alt"], p["photographer_url"], p["url"] = alt, "javascript:alert(1)", "not a page"
			return []map[string]any{p}
		}}
		got, err := serve(t, s, pexels.Config{}).Generate(t.Context(), imagegen.Request{Prompt: "x"})
		if err != nil {
			t.Fatal(err)
		}
		if got.AltText != want || got.Credit.AuthorURL != "" || got.Credit.PageURL != "" {
			t.Errorf("alt %v: AltText = %q, credit %+v", alt, got.AltText, got.Credit)
		}
	}
}

// The hourly limit's answer says nothing about when to ask again.
func TestTooManyRequestsWaitForTheNextHour(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }))
	defer srv.Close()
	b := &counter{}
	g := newGenerator(t, srv.URL, pexels.Config{Budget: b})
	_, err := g.Generate(t.Context(), request())
	e := imagegen.AsError(err)
	if e == nil || e.Class != editorial.Transient || e.Code != "rate_limited" || e.RetryAfter <= 0 || e.RetryAfter > time.Hour {
		t.Errorf("error = %#v, want a transient one until the next hour", e)
	}
	if b.taken != 1 || b.spent != 1 {
		t.Errorf("taken %d, spent %d, want 1 and 1", b.taken, b.spent)
	}
	var limited *editorial.Error
	if _, err := g.Search(t.Context(), "sea", 3); !errors.As(err, &limited) || limited.Kind != editorial.Limited {
		t.Errorf("Search: error = %v, want it limited", err)
	}
}

type counter struct {
	taken, spent int
	err          error
}

func (c *counter) Take(context.Context) error { c.taken++; return c.err }
func (c *counter) Spent(context.Context)      { c.spent++ }

func TestASpentBudgetAsksNothing(t *testing.T) {
	t.Parallel()
	s := &standIn{}
	spent := imagegen.Terminalf("monthly_budget_spent", "all gone")
	g := serve(t, s, pexels.Config{Budget: &counter{err: spent}})
	if _, err := g.Generate(t.Context(), request()); !errors.Is(err, spent) {
		t.Errorf("error = %v", err)
	}
	var limited *editorial.Error
	if _, err := g.Search(t.Context(), "sea", 3); !errors.As(err, &limited) || limited.Kind != editorial.Limited {
		t.Errorf("Search: error = %v, want it limited", err)
	}
	if len(s.searches) != 0 {
		t.Errorf("asked for %v", s.searches)
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	s := &standIn{found: photos(map[string][][3]int{"sea": {{1, 4000, 3000}, {0, 1, 1}, {2, 900, 600}, {3, 4000, 3000}}})}
	g := serve(t, s, pexels.Config{})
	got, err := g.Search(t.Context(), " Sea ", 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		_, got[i].URL, _ = strings.Cut(got[i].URL, "/photos/")
	}
	const by, page = "https://www.pexels.com/@ada", "https://www.pexels.com/photo/a-mill-"
	want := []pexels.Photo{
		{"1/pexels-photo-1.jpeg?auto=compress&cs=tinysrgb&w=1920", page + "1/", "Ada L.", by, 1920, 1440, "A mill by the sea"},
		{"2/pexels-photo-2.jpeg?auto=compress&cs=tinysrgb&w=900", page + "2/", "Ada L.", by, 900, 600, "A mill by the sea"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, q := range []string{"", "!?"} {
		if got, err := g.Search(t.Context(), q, 5); len(got) != 0 || err != nil {
			t.Errorf("Search(%q) = %v, %v", q, got, err)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	if _, err := pexels.New("", pexels.Config{}); err == nil || !strings.Contains(err.Error(), "PEXELS_API_KEY") {
		t.Errorf("without a key: %v", err)
	}
	if _, err := pexels.New("gopher://x", pexels.Config{Key: "k"}); err == nil {
		t.Error("a wrong address is taken")
	}
	g, err := pexels.New("", pexels.Config{Key: "k"})
	if err != nil || !imagegen.IsStock(g) {
		t.Errorf("New: %v, %v", g, err)
	}
}
