package prompt

import (
	"regexp"
	"strings"
)

// Labels whose text belongs on the picture, and labels whose text is about it.
// What a picture must not show is the latter: an image model reads "no text"
// as text.
const (
	about = `scenes?|subject matter|(?:main |primary )?subjects?|(?:visual |art(?:istic)? )?style|composition|mood|tone|atmosphere|lighting|` +
		`colou?rs?|colou?r palette|palette|setting|background|foreground|environment|medium|perspective|camera(?: angle)?|` +
		`details?|key elements?|elements?|description|image description|concept|visuals?`
	aside = `constraints?|avoid|exclude|exclusions?|negative(?: prompts?)?|notes?|rationale|reasoning|explanation|goals?|objective|` +
		`plan|task|thoughts?|audience|target audience|aspect ratio|dimensions|resolution|format|output|requirements|steps|sampler|` +
		`seed|cfg scale|size|model|model hash|caption|alt text`
	prompts = `(?:positive |image |text-to-image |revised |refined |optimi[sz]ed |generated |sdxl |stable diffusion |dall[-·]?e )*prompts?`
	final   = `(?:final|here(?:'|’)?s the final|here is the final|my final) (?:image |sdxl )?(?:prompt|answer|version)`
)

var (
	thinking    = regexp.MustCompile(`(?is)<(think(?:ing)?)>.*?</think(?:ing)?>`)
	thoughtEnd  = regexp.MustCompile(`(?is)^.*</think(?:ing)?>`)
	inlineLabel = regexp.MustCompile(`(?i)([.;,!?|]|\s[-–—/])\s*[*_]*((?:` + about + `|` + aside + `|` + prompts + `)[*_]*\s?:)`)
	label       = regexp.MustCompile(`(?i)^_*(?:the )?(?:(` + final + `)|(` + about + `|` + prompts + `)|(` + aside + `))_*\s?:_*\s*`)
	preamble    = regexp.MustCompile(`(?i)^(?:(?:sure|certainly|of course|okay|ok|alright|absolutely|great|got it)\b[,!.: ]*)?(?:here(?:'s|’s| is| are)|this is|below is)\b[^:\n]{0,120}:\s*`)
	planning    = regexp.MustCompile(`(?i)^(?:(?:sure|certainly|of course|okay|ok|alright|absolutely|great|got it|hmm|wait)\b[,!. ]*(?:$|(?:let|i|we)\b)|let me\b|let's\b|let’s\b|i(?:'ll|’ll| will| need to| should| want to|'m going to| am going to)\b|we (?:need|should|want) |the user\b|first, (?:i|let)\b|step \d+\b|hope this\b|feel free\b|would you like\b)`)
	marker      = regexp.MustCompile(`^(?:[-*•‣◦·+–—>]+\s+|\(?\d{1,2}[.)]\s+|\[[ xX]\]\s+)+`)
	heading     = regexp.MustCompile(`^#{1,6}\s+`)
	ruleOrFence = regexp.MustCompile("^(?:[-–—/*_=~ ]+|`{3,}\\w*|[|:\\- ]{3,})$")
	link        = regexp.MustCompile(`!?\[([^\[\]]*)\]\([^()\s]*\)`)
	address     = regexp.MustCompile(`(?i)\bhttps?://\S*`)
)

// plainText removes what a language model puts around a prompt and joins the
// lines that are left.
func plainText(s string) string {
	s = thoughtEnd.ReplaceAllString(thinking.ReplaceAllString(s, "\n"), "")
	s = address.ReplaceAllString(link.ReplaceAllString(s, "$1"), "")
	s = inlineLabel.ReplaceAllString(s, "$1\n$2")
	var kept, doubtful []string
	for _, line := range strings.Split(s, "\n") {
		text, kind := readLine(line)
		switch {
		case text == "" && kind != finalLine:
		case kind == finalLine:
			kept, doubtful = nil, nil
			if text != "" {
				kept = append(kept, text)
			}
		case kind == contentLine:
			kept = append(kept, text)
		default:
			doubtful = append(doubtful, text)
		}
	}
	if len(kept) == 0 {
		kept = doubtful // a title may read like a plan
	}
	return join(kept)
}

type lineKind int

const (
	contentLine lineKind = iota
	doubtfulLine
	finalLine // whatever came before was the way to it
)

// readLine is a line without its markers and label, and what it seems to be.
func readLine(line string) (text string, kind lineKind) {
	line = strings.TrimSpace(line)
	if ruleOrFence.MatchString(line) {
		return "", contentLine
	}
	isHeading := heading.MatchString(line)
	line = marker.ReplaceAllString(heading.ReplaceAllString(line, ""), "")
	line = strings.TrimSpace(strings.NewReplacer("**", "", "*", "", "`", "").Replace(line))
	line = unquote(preamble.ReplaceAllString(line, ""))
	if m := label.FindStringSubmatch(line); m != nil {
		text = unquote(line[len(m[0]):])
		switch {
		case m[1] != "":
			return text, finalLine
		case m[3] != "":
			return line, doubtfulLine
		default:
			return text, contentLine
		}
	}
	if isHeading || strings.HasSuffix(line, ":") || planning.MatchString(line) {
		return line, doubtfulLine
	}
	return line, contentLine
}

// unquote takes the quotation marks off a text that stands in them as a whole.
func unquote(s string) string {
	s = strings.TrimSpace(s)
	for _, q := range [][2]string{{`"`, `"`}, {"“", "”"}, {"«", "»"}, {"„", "“"}, {"'", "'"}} {
		inner, opened := strings.CutPrefix(s, q[0])
		inner, closed := strings.CutSuffix(inner, q[1])
		if opened && closed && !strings.ContainsAny(inner, q[0]+q[1]) {
			return strings.TrimSpace(inner)
		}
	}
	return s
}

// join makes one line, with commas where a line ended without punctuation.
func join(lines []string) string {
	var b strings.Builder
	for i, line := range lines {
		if i > 0 {
			if !strings.ContainsAny(lines[i-1][len(lines[i-1])-1:], ".,;:!?") {
				b.WriteByte(',')
			}
			b.WriteByte(' ')
		}
		b.WriteString(line)
	}
	return b.String()
}
