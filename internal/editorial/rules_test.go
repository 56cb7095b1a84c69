package editorial_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

func TestNormalizeKeywords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   any
		want []string
	}{
		{"nothing", nil, nil},
		{"a list", []any{"go", " queues ", "", "Go", 7}, []string{"go", "queues"}},
		{"a JSON list in a string", `["go", "queues"]`, []string{"go", "queues"}},
		{"comma-separated", "go, queues ,,go", []string{"go", "queues"}},
		{"one word", "go", []string{"go"}},
		{"characters joined with commas", `[,",w,i,t,h,",,, ,",g,o,",]`, []string{"with", "go"}},
		{"the same, cut off by the column", `[,",w,i,t,h,",,, ,",g,o`, []string{"with", "go"}},
		{"a JSON list that was cut off", `["with", "kuberne`, []string{"with", "kuberne"}},
		{"single letters are words too", "a,b,c", []string{"a", "b", "c"}},
		{"a number", 12, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, editorial.NormalizeKeywords(tt.in)); diff != "" {
				t.Errorf("NormalizeKeywords(%v) (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

func TestCategorySlugCountsWholeWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Training by email":                    editorial.DefaultCategory, // "ai" is in both and in neither
		"Budget and investment":                "finance",
		"A film for your streaming brand":      "entertainment",
		"Machine learning with Python":         "technology",
		"":                                     editorial.DefaultCategory,
		"SEO, brand and social campaign":       "marketing",
		"strategy for a startup entrepreneur!": "business",
	} {
		if got := editorial.CategorySlug(text); got != want {
			t.Errorf("CategorySlug(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestDraftTitleAndPicture(t *testing.T) {
	t.Parallel()
	d := editorial.Draft{Topic: "topic", Columns: map[string]any{}, Metadata: map[string]any{}}
	if got := d.Title(); got != "topic" {
		t.Errorf("title %q, want the topic", got)
	}
	d.Columns["content"] = "# From the heading\n\nText."
	if got := d.Title(); got != "From the heading" {
		t.Errorf("title %q, want the heading", got)
	}
	d.Metadata["title"] = " Own "
	if got := d.Title(); got != "Own" {
		t.Errorf("title %q, want its own", got)
	}
	d.FeaturedImageURL = "https://x/column.png"
	d.Metadata["featured_image_url"] = nil // a key that is present and null hides nothing
	d.Metadata["image"] = map[string]any{"url": "https://x/member.png"}
	if got := d.PictureURL(); got != "https://x/member.png" {
		t.Errorf("picture %q, want the member", got)
	}
	delete(d.Metadata, "image")
	if got := d.PictureURL(); got != "https://x/column.png" {
		t.Errorf("picture %q, want the column", got)
	}
}

func TestRequestValidateNamesTheField(t *testing.T) {
	t.Parallel()
	good := editorial.Request{Prompt: "A lighthouse at dawn", UseGeneration: true}
	seed := int64(-1)
	tests := []struct {
		field  string
		change func(*editorial.Request)
	}{
		{"", func(*editorial.Request) {}},
		{"", func(r *editorial.Request) { r.Prompt = strings.Repeat("漢", 500) }},
		{"prompt", func(r *editorial.Request) { r.Prompt = "ab" }},
		{"prompt", func(r *editorial.Request) { r.Prompt = strings.Repeat("漢", 501) }},
		{"prompt", func(r *editorial.Request) { r.Prompt = "abc\xff" }},
		{"prompt", func(r *editorial.Request) { r.Prompt = "abc\x00d" }},
		{"title", func(r *editorial.Request) { r.Title = strings.Repeat("x", 201) }},
		{"alt_text", func(r *editorial.Request) { r.AltText = strings.Repeat("x", 501) }},
		{"negative_prompt", func(r *editorial.Request) { r.NegativePrompt = strings.Repeat("x", 501) }},
		{"keywords", func(r *editorial.Request) { r.Keywords = make([]string, 21) }},
		{"count", func(r *editorial.Request) { r.Count = 6 }},
		{"count", func(r *editorial.Request) { r.Count = -1 }},
		{"width", func(r *editorial.Request) { r.Width = 255 }},
		{"height", func(r *editorial.Request) { r.Height = 2049 }},
		{"steps", func(r *editorial.Request) { r.Steps = 101 }},
		{"guidance", func(r *editorial.Request) { r.Guidance = 20.1 }},
		{"guidance", func(r *editorial.Request) { r.Guidance = 0.5 }},
		{"seed", func(r *editorial.Request) { r.Seed = &seed }},
		{"page", func(r *editorial.Request) { r.Page = 101 }},
	}
	for _, tt := range tests {
		r := good
		tt.change(&r)
		r.Normalize()
		err := r.Validate()
		var e *editorial.Error
		if tt.field == "" {
			if err != nil {
				t.Errorf("%+v is refused: %v", r, err)
			}
			continue
		}
		if ok := asError(err, &e); !ok || e.Field != tt.field || e.Kind != editorial.Invalid {
			t.Errorf("got %v, want an invalid %s", err, tt.field)
		}
	}
}

func asError(err error, e **editorial.Error) bool {
	got, ok := err.(*editorial.Error) //nolint:errorlint // unwrapped by contract
	*e = got
	return ok
}

func TestFailureIsNeverEmpty(t *testing.T) {
	t.Parallel()
	f := editorial.NewFailure("", editorial.StageGenerate, "", "", " \n")
	if f.Code == "" || f.Class == "" || f.Provider == "" || f.Message == "" {
		t.Errorf("a member is empty: %+v", f)
	}
	long := editorial.NewFailure("x", editorial.StageUpload, editorial.Terminal, "s3", strings.Repeat("é", 2000)+"\xff")
	if n := utf8.RuneCountInString(long.Message); n > 500 || !utf8.ValidString(long.Message) {
		t.Errorf("message of %d characters, valid %v", n, utf8.ValidString(long.Message))
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		n    int
		want string
	}{
		{"short", 10, "short"},
		{"exactly ten", 11, "exactly ten"},
		{"a sentence that is cut at a word", 24, "a sentence that is cut…"},
		{"onelongwordwithoutanyspaces", 10, "onelongwo…"},
		{"ééééé", 3, "éé…"},
	} {
		if got := editorial.Clip(tt.in, tt.n); got != tt.want {
			t.Errorf("Clip(%q, %d) = %q, want %q", tt.in, tt.n, got, tt.want)
		}
	}
}
