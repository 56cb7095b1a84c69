package dispatch

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

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
	req := withReason(withReason(requestOf("a lighthouse"), " warmer light, please. "), "no people")
	if req.Prompt != "a lighthouse" || req.Instruction != "warmer light, please. no people" {
		t.Errorf("prompt %q, instruction %q; want the one as asked and the other both wishes", req.Prompt, req.Instruction)
	}
	if again := withReason(req, " "); again.Instruction != req.Instruction {
		t.Errorf("no reason changed the instruction to %q", again.Instruction)
	}
	for n := range 20 { // an editor who is hard to please
		req = withReason(req, strings.Repeat("é", 100*n)+" wish "+strconv.Itoa(n))
		if err := editorial.ValidText("instruction", req.Instruction, 1, editorial.MaxPrompt); err != nil {
			t.Fatal(err)
		}
	}
}

func requestOf(prompt string) editorial.Request { return editorial.Request{Prompt: prompt} }
