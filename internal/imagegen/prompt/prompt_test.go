package prompt_test

import (
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/glad-labs/frontispiece/internal/imagegen/prompt"
)

// corpus reads testdata/corpus.txt: "== name", the prompt, "--", what is sent.
func corpus(t testing.TB) (cases [][3]string) {
	t.Helper()
	b, err := os.ReadFile("testdata/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split("\n"+string(b), "\n== ")[1:] {
		name, rest, _ := strings.Cut(block, "\n")
		in, want, ok := strings.Cut(rest, "\n--\n")
		if !ok {
			t.Fatalf("%s: no line --", name)
		}
		cases = append(cases, [3]string{name, in, strings.TrimSuffix(want, "\n")})
	}
	return cases
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, c := range corpus(t) {
		t.Run(c[0], func(t *testing.T) {
			t.Parallel()
			if got := prompt.Clean(c[1]); got != c[2] {
				t.Errorf("Clean(%q)\n got %q\nwant %q", c[1], got, c[2])
			}
		})
	}
}

func TestInvisibleCharacters(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a\x00 cat\x1b[31m\x7f\r\non a mat":                          "a cat 31m, on a mat",
		"a \u202ecat\u202c \u2066on\u2069":                           "a cat on",
		"\ufeffa\u200b cat\u00ad":                                    "a cat",
		"a\u00a0cat\u3000on\u2028a mat":                              "a cat on, a mat",
		"a \xff\xfecat \ue000\U000e0041":                             "a cat",
		"می\u200cخواهم":                                              "می\u200cخواهم",
		"<lo\u200bra:x:1> a cat <l\u202eora:y:1>":                    "a cat",
		"a cat\u0000<sd_cpp_extra_args>{}\u200b</sd_cpp_extra_args>": "a cat",
		"":       "",
		" \n\t ": "",
		"***":    "",
		"🦊":      "🦊",
	} {
		if got := prompt.Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLongPrompts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		max      int
		want     string
	}{
		{"on a word", strings.Repeat("lighthouse, ", 1000), 0, strings.TrimSuffix(strings.Repeat("lighthouse, ", 41), ", ")},
		{"just long enough", strings.Repeat("a", 500), 0, strings.Repeat("a", 500)},
		{"no spaces", strings.Repeat("灯", 10_000), 0, strings.Repeat("灯", 500)},
		{"not within a character", strings.Repeat("e\u0301", 10_000), 3, "e\u0301"},
		{"a limit of one's own", "one two three", 8, "one two"},
		{"the plan is long, the prompt short", strings.Repeat("- a thought\n", 1000) + "Final prompt: a cat", 0, "a cat"},
		{"brackets", strings.Repeat("(", 5000) + "cat" + strings.Repeat(")", 5000), 0, "cat"},
		{"braces", strings.Repeat("{a|", 3000) + "cat" + strings.Repeat("}", 3000), 20, "a, a, a, a, a, a, a"},
		{"tags", strings.Repeat("<l", 5000) + strings.Repeat(">", 5000), 5, "l l l"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := prompt.Options{Max: tt.max}.Clean(tt.in)
			if got != tt.want {
				t.Errorf("got %q (%d), want %q", got, utf8.RuneCountInString(got), tt.want)
			}
		})
	}
}

func FuzzClean(f *testing.F) {
	for _, c := range corpus(f) {
		f.Add(c[1])
	}
	for _, s := range []string{"", "a:1)(", "[[a:b:1]|c]", "Subject: Style: x", "{{{", "<think>", "a--b --c", "(a:1.0:1.0)", "\u200d", "'a'-", "Final prompt:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := prompt.Clean(s)
		if again := prompt.Clean(got); again != got {
			t.Errorf("Clean(%q) = %q, and again %q", s, got, again)
		}
		if n := utf8.RuneCountInString(got); n > prompt.DefaultMax || !utf8.ValidString(got) {
			t.Errorf("Clean(%q) has %d characters", s, n)
		}
		if strings.ContainsFunc(strings.ToValidUTF8(s, ""), unicode.IsLetter) && got == "" {
			t.Errorf("Clean(%q) is empty", s)
		}
		if strings.ContainsAny(got, "<>|{}[]()\n\r\x00\\`") || strings.Contains(got, "__") {
			t.Errorf("Clean(%q) = %q still has syntax", s, got)
		}
	})
}

func BenchmarkClean(b *testing.B) {
	for name, in := range map[string]string{
		"title": "Why we moved our build farm to bare metal",
		"10k":   strings.Repeat("Subject: a (red:1.2) cat, here is <lora:x:1> [a|b] {c|d} __e__\n", 160),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				prompt.Clean(in)
			}
		})
	}
}
