package pexels

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// photo is what is kept of one in an answer.
type photo struct {
	ID              int64  `json:"id"`
	Width           int    `json:"width"`
	Height          int    `json:"height"`
	URL             string `json:"url"` // its page
	Photographer    string `json:"photographer"`
	PhotographerURL string `json:"photographer_url"`
	Color           string `json:"avg_color"`
	Alt             string `json:"alt"`
	Src             struct {
		Original string `json:"original"`
	} `json:"src"`
}

func (p photo) id() string { return strconv.FormatInt(p.ID, 10) }

// whole reports whether the photo can be fetched from the host at base, the
// only one that is asked for photos whatever an answer says.
func (p photo) whole(base string) bool {
	_, ok := p.path(base)
	return ok && p.ID > 0 && p.Width > 0 && p.Height > 0
}

// path is where the photo is below base.
func (p photo) path(base string) (string, bool) {
	b, err1 := url.Parse(base)
	u, err2 := url.Parse(p.Src.Original)
	if err1 != nil || err2 != nil || u.Scheme != b.Scheme || u.Host != b.Host || u.User != nil {
		return "", false
	}
	path, ok := strings.CutPrefix(u.EscapedPath(), strings.TrimSuffix(b.EscapedPath(), "/")+"/")
	return path, ok && path != "" && !strings.Contains(u.Path, "..")
}

// tooSmall is 1 for a photo that does not cover the request, else 0.
func (p photo) tooSmall(req imagegen.Request) int {
	if p.Width < req.Width || p.Height < req.Height {
		return 1
	}
	return 0
}

// largest is the longest side of a photo that was asked for without a size.
const largest = 1920

// crop is the photo cut to the shape of w×h, at that size unless the photo is
// smaller: it is never enlarged.
func (p photo) crop(base string, w, h int) (path string, q url.Values) {
	path, _ = p.path(base)
	q = url.Values{"auto": {"compress"}, "cs": {"tinysrgb"}}
	if w <= 0 || h <= 0 {
		q.Set("w", strconv.Itoa(min(largest, p.Width)))
		return path, q
	}
	scale := min(1, float64(p.Width)/float64(w), float64(p.Height)/float64(h))
	q.Set("fit", "crop")
	q.Set("w", strconv.Itoa(max(1, int(float64(w)*scale))))
	q.Set("h", strconv.Itoa(max(1, int(float64(h)*scale))))
	return path, q
}

// altText is what Pexels says is on the photo. Who took it is no description.
func (p photo) altText() string {
	alt := strings.Join(strings.Fields(p.Alt), " ")
	if strings.HasPrefix(strings.ToLower(alt), "photo by") {
		return ""
	}
	return alt
}

func (p photo) credit() *editorial.Credit {
	return &editorial.Credit{
		Author: strings.TrimSpace(p.Photographer), AuthorURL: webPage(p.PhotographerURL), PageURL: webPage(p.URL),
		Provider: "Pexels", License: "Pexels License",
	}
}

// webPage is a link as a page may print it, empty for anything else.
func webPage(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return u.String()
}
