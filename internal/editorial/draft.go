package editorial

import (
	"strings"
	"time"
)

// Draft is a piece of content awaiting approval: a row of content_tasks. The
// site's pipeline spreads its texts over columns, task_metadata and result;
// the methods know where to look.
type Draft struct {
	ID               string // content_tasks.task_id
	Status           DraftStatus
	ApprovalStatus   string
	Topic            string
	FeaturedImageURL string
	Tags             []string
	Metadata         map[string]any // task_metadata
	Result           map[string]any
	CreatedAt        time.Time
	UpdatedAt        time.Time
	// Columns is the whole row by column name, as JSON-friendly values: which
	// columns there are depends on the site's version.
	Columns map[string]any
}

// Text returns the first non-empty string among the column, task_metadata and
// result of that name.
func (d *Draft) Text(name string) string {
	for _, m := range []map[string]any{d.Columns, d.Metadata, d.Result} {
		if s, ok := m[name].(string); ok && strings.TrimSpace(s) != "" {
			return s
		}
	}
	return ""
}

// Content is the text to publish, "" when there is none yet.
func (d *Draft) Content() string { return d.Text("content") }

// Title is the draft's title: its own where it has one, else the leading
// heading of its content, else its topic.
func (d *Draft) Title() string {
	if s := d.Text("title"); s != "" {
		return strings.TrimSpace(s)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(d.Content()), "\n")
	if heading, ok := strings.CutPrefix(first, "# "); ok && strings.TrimSpace(heading) != "" {
		return strings.TrimSpace(heading)
	}
	return strings.TrimSpace(d.Topic)
}

// HasTitle reports whether a title someone typed means this draft. The seed's
// front end sends exactly what it shows, so the comparison is exact.
func (d *Draft) HasTitle(title string) bool {
	title = strings.TrimSpace(title)
	return title != "" && (d.Title() == title || strings.TrimSpace(d.Topic) == title)
}

// PictureURL is the picture that the row names, wherever the site's versions
// keep it: an empty or null member never hides a later one.
func (d *Draft) PictureURL() string {
	for _, m := range []map[string]any{d.Metadata, d.Result} {
		for _, path := range [][]string{{"featured_image_url"}, {"image", "url"}, {"image_url"}, {"featured_image", "url"}} {
			if s := dig(m, path); s != "" {
				return s
			}
		}
	}
	return d.FeaturedImageURL
}

func dig(m map[string]any, path []string) string {
	for _, step := range path[:len(path)-1] {
		m, _ = m[step].(map[string]any)
	}
	s, _ := m[path[len(path)-1]].(string)
	return s
}

// DraftImages is what we know of a draft: which round it is in, what was
// chosen, approved and published. Its row is locked before any other row of
// the draft changes.
type DraftImages struct {
	DraftID       string
	Round         int
	ChosenImageID string // shown as the draft's picture; empty when there is none yet
	HandPicked    bool   // a person chose it: no later picture of the round displaces it
	ApprovalID    string
	ApprovedRound int
	// ApprovedImageID is the picture that the approval named; empty for a
	// blind one, which takes whatever the rules say.
	ApprovedImageID  string
	PostID           string
	PublishedRound   int
	PublishedImageID string
}

// Approved reports whether an approval waits to be carried out.
func (d *DraftImages) Approved() bool {
	return d.ApprovalID != "" && d.ApprovedRound == d.Round && d.ApprovedRound > 0
}

// Bound reports whether that approval named a picture.
func (d *DraftImages) Bound() bool { return d.ApprovedImageID != "" }

// Approval is a recorded decision: who, when, yes or no, why, which image.
type Approval struct {
	ID        string
	DraftID   string
	Round     int
	Approved  bool
	Reviewer  string // as the decision named them
	Caller    string // as authentication knew them
	Feedback  string
	ImageID   string // empty for a blind one
	SHA256    string
	DecidedAt time.Time
}
