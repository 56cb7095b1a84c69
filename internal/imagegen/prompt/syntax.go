package prompt

import (
	"regexp"
	"strings"
)

var (
	// stable-diffusion.cpp takes size, steps and LoRAs from here.
	extraArgs = regexp.MustCompile(`(?is)<sd_cpp_extra_args>.*?(?:</sd_cpp_extra_args>|\z)`)
	// <lora:…>, <hypernet:…>, <lyco:…>, and HTML.
	tag = regexp.MustCompile(`<[\pL/!][^<>]*>`)
	// ComfyUI loads the file, also by a path.
	embedding = regexp.MustCompile(`(?i)\bembedding:[^\s,()\[\]{}|]+`)

	choice     = regexp.MustCompile(`\{(?:[\d-]+\$\$)?([^{}|]*)(?:\|[^{}]*)?\}`) // {a|b}, {2$$a|b}
	alternate  = regexp.MustCompile(`\[([^\[\]|]*)\|[^\[\]]*\]`)                 // [a|b]
	schedule   = regexp.MustCompile(`\[([^\[\]:]*):([^\[\]:]*):?\s*[\d.]+\s*\]`) // [from:to:0.5], [to:0.5]
	weight     = regexp.MustCompile(`:\s*[-+]?\d*\.\d+\s*\)|([^\d\s:])\s*:\s*[-+]?\d+\s*\)`)
	wildcard   = regexp.MustCompile(`__([\pL\d/_ *-]*?)__`)
	keyword    = regexp.MustCompile(`\b(?:BREAK|ADDCOMM|ADDBASE|ADDROW|ADDCOL)\b`)
	and        = regexp.MustCompile(`\bAND\b`)
	flag       = regexp.MustCompile(`(?:^|\s)--[a-z]+(?:\s+[\d.:]+)?`) // Midjourney's --ar 16:9
	spaces     = regexp.MustCompile(`\s+`)
	before     = regexp.MustCompile(`\s+([,.;:!?])`)
	separators = regexp.MustCompile(`([,;:])(?:\s*[,;:])+`)
	afterStop  = regexp.MustCompile(`([.!?])(?:\s*[,;:])+`)
)

// maxNesting is how deep brackets are understood; deeper ones just go.
const maxNesting = 4

// plainSyntax removes the syntax of the backends and keeps the words in it.
func plainSyntax(s string) string {
	s = extraArgs.ReplaceAllString(s, " ")
	s = nested(s, tag, " ")
	s = embedding.ReplaceAllString(s, " ")
	s = nested(s, choice, "$1")
	s = nested(s, alternate, "$1")
	s = schedule.ReplaceAllStringFunc(s, firstOf)
	s = nested(s, weight, "$1)")
	s = wildcard.ReplaceAllStringFunc(s, func(w string) string { return strings.NewReplacer("_", " ", "/", " ").Replace(w) })
	s = keyword.ReplaceAllString(s, ", ")
	s = and.ReplaceAllString(s, "and")
	s = flag.ReplaceAllString(s, "")
	return strings.NewReplacer(
		"|", ", ", // LocalAI's negative prompt begins there
		"<", " ", ">", " ", "(", " ", ")", " ", "[", " ", "]", " ", "{", " ", "}", " ",
		"__", " ", "**", " ", "`", "", `\`, "",
	).Replace(s)
}

// nested replaces from the inside out.
func nested(s string, re *regexp.Regexp, with string) string {
	for range maxNesting {
		next := re.ReplaceAllString(s, with)
		if next == s {
			break
		}
		s = next
	}
	return s
}

// firstOf is what a prompt with a schedule begins with.
func firstOf(s string) string {
	m := schedule.FindStringSubmatch(s)
	if strings.TrimSpace(m[1]) != "" {
		return m[1]
	}
	return m[2]
}

// tidy mends the spaces and commas around what was taken away.
func tidy(s string) string {
	s = spaces.ReplaceAllString(s, " ")
	s = before.ReplaceAllString(s, "$1")
	s = separators.ReplaceAllString(s, "$1")
	s = afterStop.ReplaceAllString(s, "$1")
	s = strings.TrimLeft(s, " ,;:.-–—#*")
	return strings.TrimRight(s, " ,;:-–—#*")
}
