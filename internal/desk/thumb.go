package desk

import (
	"fmt"
	"html"
	"html/template"
	"net/url"
	"strconv"
	"strings"
)

// Tile is a picture in the shape of a link preview, whatever its own is: a list
// has hundreds, and nested templates would be most of what the page costs.
// Whatever is not of our own making is escaped here, as a template would.
func (c *candidate) Tile(alt string) template.HTML {
	var b strings.Builder
	c.tile(&b, alt)
	return template.HTML(b.String()) //nolint:gosec // escaped in tile, field by field
}

func (c *candidate) tile(b *strings.Builder, alt string) {
	const place = `viewBox="0 0 1200 630" width="1200" height="630" aria-hidden="true">`
	switch {
	case c.URL != "":
		b.WriteString(`<span class="frame"><svg ` + place + `<rect width="100%" height="100%"`)
		if c.Color != "" {
			b.WriteString(` fill="` + c.Color + `"`) // checked by safeColor
		}
		b.WriteString(`/></svg><img class="shot crop" src="`)
		b.WriteString(html.EscapeString(safeURL(c.Thumb)))
		b.WriteString(`" width="1200" height="630" alt="`)
		b.WriteString(html.EscapeString(alt))
		b.WriteString(`" loading="lazy" decoding="async"></span>`)
	case c.Live:
		b.WriteString(`<span class="frame waiting"><svg ` + place + `</svg></span>`)
	default:
		b.WriteString(`<span class="frame waiting dead"><svg ` + place + `</svg></span>`)
	}
}

// plainPath reports whether an address is a path of nothing but letters, digits
// and marks without a meaning, as our own storage's are: it needs no parsing.
func plainPath(s string) bool {
	other := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '-' || r > '9') && (r < 'A' || r > 'Z') // from "-" to "9" are also "." and "/"
	}
	return strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//") && !strings.ContainsFunc(s, other)
}

// safeURL lets through addresses that can only be a picture's: a path, or the
// web.
func safeURL(s string) string {
	if plainPath(s) {
		return s
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return u.String()
}

// Film is the pictures of a row of the list: which is picked, that one large,
// and all of them small. It is the part of a long list that costs most.
func (r *draftRow) Film() template.HTML {
	var b strings.Builder
	b.Grow(len(r.Candidates) << 11)
	for i := range r.Candidates {
		c := &r.Candidates[i]
		fmt.Fprintf(&b, `<input class="pick pick-%d vh" type="radio" name="pick" form="f-%s" id="p-%s" value="%s" aria-label="Picture %d: %s"`,
			i, r.DOM, c.ID, html.EscapeString(c.Pick), c.Number, c.Word)
		if c.Checked {
			b.WriteString(" checked")
		}
		if c.Pick == "" {
			b.WriteString(" disabled")
		}
		b.WriteString(">")
	}
	fmt.Fprintf(&b, `<a class="stage" href="%s" tabindex="-1" aria-hidden="true">`, html.EscapeString(draftPath(r.ID)))
	for i := range r.Candidates {
		c := &r.Candidates[i]
		if c.URL == "" {
			continue
		}
		first := ""
		if c.Checked {
			first = " first"
		}
		fmt.Fprintf(&b, `<span class="big big-%d%s">`, i, first)
		c.tile(&b, c.Alt)
		b.WriteString(`</span>`)
	}
	if r.Picked() == nil && len(r.Candidates) > 0 {
		r.Candidates[0].wait(&b)
	}
	b.WriteString(`</a>`)
	if len(r.Candidates) > 1 {
		b.WriteString(`<div class="strip">`)
		for i := range r.Candidates {
			r.Candidates[i].chip(&b, i)
		}
		b.WriteString(`</div>`)
	}
	return template.HTML(b.String()) //nolint:gosec // escaped above, field by field
}

// wait is the place of the first picture while there is none.
func (c *candidate) wait(b *strings.Builder) {
	dead := " dead"
	if c.Live {
		dead = ""
	}
	fmt.Fprintf(b, `<span class="big none"><span class="frame waiting%s"><svg viewBox="0 0 1200 630" width="1200" height="630" aria-hidden="true"></svg><span class="state"><span class="say">%s</span>`,
		dead, html.EscapeString(c.Status))
	if c.Live {
		c.bar(b)
		fmt.Fprintf(b, `<span class="left">%s</span>`, html.EscapeString(c.Left))
	}
	b.WriteString(`</span></span></span>`)
}

func (c *candidate) chip(b *strings.Builder, i int) {
	number := strconv.Itoa(c.Number)
	if c.Old {
		number = "↺"
	}
	fmt.Fprintf(b, `<label class="chip chip-%d" for="p-%s" title="%s">`, i, c.ID, html.EscapeString(c.Status))
	c.tile(b, "")
	fmt.Fprintf(b, `<span class="num">%s</span>`, number)
	if c.Live {
		c.bar(b)
	}
	b.WriteString(`</label>`)
}

func (c *candidate) bar(b *strings.Builder) {
	fmt.Fprintf(b, `<progress max="100" value="%d" aria-label="Picture %d: %s"></progress>`, c.Percent, c.Number, html.EscapeString(c.Status))
}
