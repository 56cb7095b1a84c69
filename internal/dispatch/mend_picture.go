package dispatch

import (
	"maps"
	"net/url"
	"regexp"
	"strings"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// pictureRepair is what becomes of a post's two picture columns. Both end up
// with the same picture: where they differ, the site's list shows another than
// its article.
type pictureRepair struct {
	*mended
	d        *Dispatch
	ours     func(url string) bool
	generate bool
	// decided: the post is one of ours, so its picture takes an approval.
	decided bool
	img     *editorial.Image // that was made for it; nil when none is (yet)
}

// SamePicture is what becomes of a column when the other one gets a picture.
const SamePicture = "the same picture"

func (p *pictureRepair) mend(f *editorial.Finding) {
	if p.img != nil {
		p.show(f)
		return
	}
	if other := p.otherColumn(f.Column); p.ours(other) {
		p.columns[f.Column], f.Would = other, "set to the post's own picture"
		return
	}
	switch source := p.source(); {
	case p.request != nil:
		f.Would = SamePicture
	case p.decided:
		f.Would = "left: the post was published here, so another picture takes a new round and an approval"
	case source != "":
		p.ask(source)
		f.Would = "copied from " + source
	case p.generate:
		p.ask("")
		f.Would = "generated"
	default:
		f.Would = "left: there is nothing to copy; --generate has one made"
	}
}

// show sets the picture that was made for the post, unless somebody gave it one
// of our own meanwhile.
func (p *pictureRepair) show(f *editorial.Finding) {
	p.columns[f.Column], f.Would = p.img.URL, "set to "+p.img.URL
	if f.Column != "featured_image_url" && p.ours(p.post.FeaturedImageURL) {
		p.columns[f.Column] = p.post.FeaturedImageURL
		return
	}
	m := maps.Clone(p.post.Metadata)
	if m == nil {
		m = make(map[string]any)
	}
	m["featured_image"], m["featured_image_alt"] = PictureFacts(*p.img), p.img.AltText
	p.columns["metadata"] = m
}

func (p *pictureRepair) otherColumn(column string) string {
	if column == "cover_image_url" {
		return p.post.FeaturedImageURL
	}
	return p.post.CoverImageURL
}

// source is the first of the two that can be copied at all.
func (p *pictureRepair) source() string {
	for _, u := range []string{p.post.FeaturedImageURL, p.post.CoverImageURL} {
		if isForeign(strings.TrimSpace(u), p.d.Links) {
			return strings.TrimSpace(u)
		}
	}
	return ""
}

// ask makes the request; a copy that fails goes on to the generators only when
// they may be asked.
func (p *pictureRepair) ask(source string) {
	req := p.d.requestFor(&p.draft)
	req.UseStock, req.UseGeneration = p.generate, p.generate
	req.SourceURL, req.Credit = source, nil
	if source != "" {
		req.Credit = creditOf(source, &p.draft, p.post.Content)
	}
	req.AltText = editorial.Clip(altOf(&p.draft, p.post.Post), editorial.MaxAltText)
	req.Normalize()
	p.request = &req
}

func altOf(draft *editorial.Draft, post editorial.Post) string {
	recorded, _ := draft.Columns["featured_image_data"].(map[string]any)
	for _, v := range []any{post.Metadata["featured_image_alt"], draft.Metadata["featured_image_alt"], recorded["alt_text"], recorded["alt"]} {
		if s, ok := v.(string); ok && strings.TrimSpace(s) != "" {
			return s
		}
	}
	return ""
}

var (
	pexelsPhoto = regexp.MustCompile(`/photos/([0-9]+)/`)
	// attribution is the line that the site's writers put under a stock photo.
	attribution = regexp.MustCompile(`Photo by \[([^\]\n]{1,200})\]\((https?://[^)\s]{1,300})\)(?: on (\w+))?`)
)

// creditOf gathers whose picture a hot-linked one is: what the draft recorded,
// what the text says, what its address tells. Nothing of it reached the site's
// posts, which is half of why the picture is copied.
func creditOf(source string, draft *editorial.Draft, content string) *editorial.Credit {
	c := &editorial.Credit{PageURL: source}
	u, err := url.Parse(source)
	if err != nil {
		return nil
	}
	c.Provider = u.Hostname()
	fromPexels := c.Provider == "pexels.com" || strings.HasSuffix(c.Provider, ".pexels.com")
	if draft.PictureURL() == source || draft.FeaturedImageURL == source {
		c.Author, _ = draft.Metadata["featured_image_photographer"].(string)
		recorded, _ := draft.Columns["featured_image_data"].(map[string]any)
		if s, ok := recorded["photographer"].(string); ok && c.Author == "" {
			c.Author = s
		}
		c.AuthorURL, _ = recorded["photographer_url"].(string)
		fromPexels = fromPexels || draft.Metadata["featured_image_source"] == "pexels"
	}
	if m := attribution.FindStringSubmatch(content); m != nil && (c.Author == "" || c.Author == m[1]) {
		c.Author, c.AuthorURL = m[1], m[2]
	}
	if fromPexels {
		c.Provider, c.License = "Pexels", "Pexels License"
		if m := pexelsPhoto.FindStringSubmatch(u.Path); m != nil {
			c.PageURL = "https://www.pexels.com/photo/" + m[1] + "/"
		}
	}
	return c
}
