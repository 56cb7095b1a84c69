package editorial

import (
	"html"
	"strings"
	"time"
)

// Image is a candidate's facts and its own state, claim, seed, spool and key,
// never its bytes.
type Image struct {
	ID      string
	JobID   string
	DraftID string
	Round   int
	Number  int // 1 to 5 within its job
	State   ImageState

	// Epoch is raised whenever the image is rung again; the task is called
	// "<id>.<epoch>".
	Epoch int64
	// Attempt counts the tries of the current stage. A wait for a generator
	// that refuses connections, and a worker shut down in good order, do not
	// move it.
	Attempt       int
	NextAttemptAt time.Time
	// DeadlineAt is until when the image may be generated, zero for no limit;
	// an operator's retry sets it anew. Bytes that exist are uploaded however
	// late it is.
	DeadlineAt time.Time
	// Claim is the random token of the worker that owns the image, empty when
	// nobody does; it is worth nothing after ClaimExpiresAt.
	Claim          string
	ClaimExpiresAt time.Time

	Seed          int64
	Backend       string // the generator that made it, or is making it
	Model         string
	ProviderJobID string         // stored before waiting, so that a restart resumes; of a canceled image: still to be stopped
	Params        map[string]any // as the generator reported them
	Recipe        *Recipe        // nil until there are bytes
	Steps         []ChainStep    // what was asked before, and why it did not answer

	SpoolID   string
	RawSHA256 string // of the bytes as generated, set with StateUploading
	SHA256    string // of the finished original: what an approval names
	Key       string // made with the row, never given to other bytes
	URL       string // set only after it was fetched back and matched
	Source    string // "card-local", "sdxl-s3", "pexels": the seed's image.source

	ContentType string
	Width       int // measured, pixels
	Height      int
	Bytes       int64
	Renditions  []Rendition
	Placeholder string      // a blurDataURL
	Color       string      // dominant colour, #rrggbb
	Hash        string      // perceptual hash, hex
	Lookalikes  []Lookalike // found when it was stored; the nearest first
	AltText     string
	Credit      *Credit
	StockID     string   // "pexels:12345": which stock photo it is, empty for none
	Cost        *float64 // US dollars; nil when unknown, which is not 0

	Failure     *Failure
	CreatedAt   time.Time
	UpdatedAt   time.Time
	SpooledAt   time.Time // the upload's 72 hours start here; a retry's start anew
	FinalizedAt time.Time
	RemovedAt   time.Time // with StateRemoved: nobody can choose it from here on
	DeletedAt   time.Time // zero while its objects may still be in the bucket
}

// Keys are those under which the picture's bytes lie, the original's
// first; none when no key was ever issued.
func (i *Image) Keys() []string {
	if i.Key == "" {
		return nil
	}
	keys := []string{i.Key}
	for _, r := range i.Renditions {
		keys = append(keys, r.Key)
	}
	return keys
}

// Objects is how many objects the picture is in the bucket, and their size in
// bytes: the original and its renditions.
func (i *Image) Objects() (n int, bytes int64) {
	bytes = i.Bytes
	for _, r := range i.Renditions {
		bytes += r.Bytes
	}
	return 1 + len(i.Renditions), bytes
}

// Claimed reports whether a worker owns the image at now.
func (i *Image) Claimed(now time.Time) bool {
	return i.Claim != "" && now.Before(i.ClaimExpiresAt)
}

// Fallback says in plain words why the picture is not what was asked for first,
// or "" when it is (promise P9).
func (i *Image) Fallback() string {
	if len(i.Steps) == 0 {
		return ""
	}
	last := i.Steps[len(i.Steps)-1]
	return last.Backend + " could not: " + last.Failure.Message
}

// ChainStep is one generator that was asked and given up on.
type ChainStep struct {
	Backend string  `json:"backend"`
	Failure Failure `json:"failure"`
}

// Rendition is a smaller copy for readers, beside the original in the bucket.
type Rendition struct {
	Key         string `json:"key"`
	URL         string `json:"url,omitempty"`
	SHA256      string `json:"sha256"`
	ContentType string `json:"content_type"`
	Width       int    `json:"width"`
	Height      int    `json:"height"`
	Bytes       int64  `json:"bytes"`
}

// Credit says whose picture it is. It is never part of the alt text.
type Credit struct {
	Author    string `json:"author"`
	AuthorURL string `json:"author_url,omitempty"`
	PageURL   string `json:"page_url,omitempty"`
	Provider  string `json:"provider,omitempty"` // "Pexels"
	License   string `json:"license,omitempty"`
}

// Text is the credit line to print beside the picture.
func (c *Credit) Text() string {
	switch {
	case c == nil || c.Author == "" && c.Provider == "":
		return ""
	case c.Provider == "":
		return "Picture by " + c.Author
	case c.Author == "":
		return "Picture from " + c.Provider
	default:
		return "Photo by " + c.Author + " on " + c.Provider
	}
}

// HTML is Text with its links: the author's page, and the picture's own behind
// the provider's name, as Pexels asks for. It is safe to put into a page.
func (c *Credit) HTML() string {
	switch {
	case c == nil || c.Author == "" && c.Provider == "":
		return ""
	case c.Provider == "":
		return "Picture by " + link(c.Author, c.AuthorURL)
	case c.Author == "":
		return "Picture from " + link(c.Provider, c.PageURL)
	default:
		return "Photo by " + link(c.Author, c.AuthorURL) + " on " + link(c.Provider, c.PageURL)
	}
}

// link is text that leads to a page; only to one on the web.
func link(text, url string) string {
	text = html.EscapeString(text)
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
		return text
	}
	return `<a href="` + html.EscapeString(url) + `">` + text + `</a>`
}

// Candidates are the stored ones of a round's images, in the order given, and
// whether any other is still being made.
func Candidates(round []Image) (stored []Image, live bool) {
	for _, img := range round {
		switch {
		case img.State == StateStored:
			stored = append(stored, img)
		case !img.State.IsFinal():
			live = true
		}
	}
	return stored, live
}
