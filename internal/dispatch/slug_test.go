package dispatch

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

func TestSlugify(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Why lighthouses blink":         "why-lighthouses-blink",
		"  Don't   panic!! ":            "dont-panic",
		"C'est l’été à Århus":           "cest-lete-a-arhus",
		"Straße & Œuvre, Łódź":          "strasse-oeuvre-lodz",
		"--a--b--":                      "a-b",
		"Go 1.26: what's new?":          "go-1-26-whats-new",
		"漢字 with Latin":                 "with-latin",
		strings.Repeat("word ", 40):     strings.TrimSuffix(strings.Repeat("word-", 16), "-"),
		strings.Repeat("x", 200):        strings.Repeat("x", 80),
		"../../etc/passwd\x00<script>x": "etc-passwd-script-x",
	} {
		if got := slugify(in, maxSlug); got != want {
			t.Errorf("slugify(%q) = %q, want %q", in, got, want)
		}
	}
	one, two := slugify("灯台はなぜ光るのか", maxSlug), slugify(strings.Repeat("🦆", 500), maxSlug)
	if one == two || !slugForm.MatchString(one) || !slugForm.MatchString(two) {
		t.Errorf("titles without a Latin letter: %q and %q, want two valid slugs", one, two)
	}
}

var slugForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func FuzzSlugify(f *testing.F) {
	for _, seed := range []string{"Why lighthouses blink", "漢字", "", "\xff\x00", "🦆🦆", "İstanbul", "ﬁne ㎏ ½"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, title string) {
		slug := slugify(title, maxSlug)
		if !slugForm.MatchString(slug) || len(slug) > maxSlug {
			t.Fatalf("slugify(%q) = %q", title, slug)
		}
		if again := slugify(slug, maxSlug); again != slug {
			t.Fatalf("slugify(%q) = %q, and of that %q", title, slug, again)
		}
	})
}

func TestWithReasonKeepsTheReason(t *testing.T) {
	t.Parallel()
	req := withReason(requestOf(strings.Repeat("long prompt ", 41)), "warmer light, please")
	if n := utf8.RuneCountInString(req.Prompt); n > 500 || !strings.HasSuffix(req.Prompt, "warmer light, please") {
		t.Errorf("%d characters ending %q", n, req.Prompt[len(req.Prompt)-30:])
	}
	long := withReason(requestOf("a lighthouse"), strings.Repeat("é", 1000))
	if n := utf8.RuneCountInString(long.Prompt); n > 500 || !strings.HasPrefix(long.Prompt, "a lighthouse") {
		t.Errorf("%d characters starting %q", n, long.Prompt[:20])
	}
}

func requestOf(prompt string) editorial.Request { return editorial.Request{Prompt: prompt} }
