package desk

import (
	"bytes"
	"html/template"
	"strings"

	"github.com/yuin/goldmark"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// maxArticle bounds how much of a text a preview sets, in characters: enough to
// judge a picture beside it.
const maxArticle = 6000

// markdown leaves out raw HTML and addresses that run scripts, which is
// goldmark's own default: a draft's text comes from a model and from strangers.
var markdown = goldmark.New()

// article is how a draft's text begins, set as the public site would.
func article(draft *editorial.Draft) template.HTML {
	text := strings.TrimSpace(draft.Content())
	if first, rest, _ := strings.Cut(text, "\n"); strings.TrimSpace(strings.TrimPrefix(first, "# ")) == draft.Title() {
		text = rest // the title stands above already
	}
	if runes := []rune(text); len(runes) > maxArticle {
		text = string(runes[:maxArticle])
	}
	var b bytes.Buffer
	if err := markdown.Convert([]byte(text), &b); err != nil {
		return template.HTML(template.HTMLEscapeString(text)) //nolint:gosec // escaped
	}
	return template.HTML(b.String()) //nolint:gosec // goldmark escapes, and leaves out raw HTML
}
