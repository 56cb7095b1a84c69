package desk

import (
	"html"
	"html/template"
	"net/url"
	"strings"
)

// Tile is a picture in the shape of a link preview, whatever its own is: a list
// has hundreds, and nested templates would be most of what the page costs.
// Whatever is not of our own making is escaped here, as a template would.
func (c candidate) Tile(alt string) template.HTML {
	var b strings.Builder
	const place = `viewBox="0 0 1200 630" width="1200" height="630" aria-hidden="true">`
	switch {
	case c.URL != "":
		b.WriteString(`<span class="frame crop"><svg class="blur" ` + place + `<rect width="100%" height="100%"`)
		if c.Color != "" {
			b.WriteString(` fill="` + c.Color + `"`) // checked by safeColor
		}
		b.WriteString(`/></svg><img class="shot" src="` + html.EscapeString(safeURL(c.Thumb)) +
			`" width="1200" height="630" alt="` + html.EscapeString(alt) + `" loading="lazy" decoding="async"></span>`)
	case c.Live:
		b.WriteString(`<span class="frame crop waiting"><svg ` + place + `</svg></span>`)
	default:
		b.WriteString(`<span class="frame crop waiting dead"><svg ` + place + `</svg></span>`)
	}
	return template.HTML(b.String()) //nolint:gosec // escaped above, field by field
}

// safeURL lets through addresses that can only be a picture's: a path, or the
// web.
func safeURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return u.String()
}
