package editorial

import (
	"strings"
	"time"
)

// Problem is what is wrong with a column of a published post.
type Problem string

// The problems that a backfill looks for.
const (
	ProblemMissing   Problem = "missing"   // NULL or empty
	ProblemHotlinked Problem = "hotlinked" // the picture lies on somebody else's server
	ProblemDataURI   Problem = "data_uri"  // the picture is inside the text of its own address
	ProblemPath      Problem = "path"      // a file on some machine, which readers cannot reach
	ProblemCorrupt   Problem = "corrupt"   // keywords whose characters were joined with commas
)

// Finding is one thing that is wrong with a published post.
type Finding struct {
	Column  string  `json:"column"`
	Problem Problem `json:"problem"`
	Value   string  `json:"value,omitempty"` // what stands there
	// Would is what a backfill does about it, or why it does nothing.
	Would string `json:"would,omitempty"`
}

// IsPicture reports whether the finding is about the post's picture.
func (f Finding) IsPicture() bool {
	return f.Column == "featured_image_url" || f.Column == "cover_image_url"
}

// BackfillState is where one post's change stands.
type BackfillState string

// The states of a change. Only an undo leaves BackfillApplied, and an applied
// change that could not be undone stays applied, with a note.
const (
	BackfillWaiting BackfillState = "waiting" // for its picture
	BackfillApplied BackfillState = "applied" // the row was changed
	BackfillKept    BackfillState = "kept"    // nothing could be done; the note says why
	BackfillUndone  BackfillState = "undone"  // the row is as it was
)

// RunState is where a backfill as a whole stands.
type RunState string

// The states of a run. One that is running can be continued by anybody.
const (
	RunRunning RunState = "running"
	RunDone    RunState = "done"
	RunUndone  RunState = "undone"
)

// BackfillRun is one pass over all published posts.
type BackfillRun struct {
	ID        string
	StartedBy string
	Generate  bool // generators may be asked for pictures that nobody can copy
	State     RunState
	CreatedAt time.Time
	UpdatedAt time.Time
}

// BackfillChange is what a run does to one post.
type BackfillChange struct {
	ID       string
	RunID    string
	PostID   string
	State    BackfillState
	JobID    string // whose picture it waits for; empty when it needs none
	Findings []Finding
	// Was and Became are the columns that were changed, before and after, as
	// text or nil; the pseudo-column post_tags is the ids joined with commas.
	Was       map[string]any
	Became    map[string]any
	Note      string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// PostFindings looks at a published post. has says which columns this database
// has, tags are the post's rows in post_tags, and ours recognises the pictures
// that lie in our own bucket: those are never found fault with.
func PostFindings(p Post, tags []string, has func(column string) bool, ours func(url string) bool) []Finding {
	var list []Finding
	add := func(column string, problem Problem, value string) {
		if problem != "" && has(column) {
			list = append(list, Finding{Column: column, Problem: problem, Value: value})
		}
	}
	add("featured_image_url", pictureProblem(p.FeaturedImageURL, ours), p.FeaturedImageURL)
	add("cover_image_url", pictureProblem(p.CoverImageURL, ours), p.CoverImageURL)
	add("author_id", missing(p.AuthorID == ""), "")
	add("category_id", missing(p.CategoryID == ""), "")
	add("tag_ids", missing(len(p.TagIDs) == 0), "")
	if len(tags) == 0 {
		list = append(list, Finding{Column: "post_tags", Problem: ProblemMissing})
	}
	add("created_by", missing(p.CreatedBy == ""), "")
	add("updated_by", missing(p.UpdatedBy == ""), "")
	add("published_at", missing(p.PublishedAt.IsZero()), "")
	if strings.HasPrefix(strings.TrimSpace(p.SEOKeywords), "[") {
		add("seo_keywords", ProblemCorrupt, p.SEOKeywords)
	}
	return list
}

func missing(yes bool) Problem {
	if yes {
		return ProblemMissing
	}
	return ""
}

func pictureProblem(url string, ours func(string) bool) Problem {
	url = strings.TrimSpace(url)
	scheme, _, _ := strings.Cut(strings.ToLower(url), ":")
	switch {
	case url == "":
		return ProblemMissing
	case scheme == "data":
		return ProblemDataURI
	case ours(url):
		return ""
	case scheme == "http" || scheme == "https":
		return ProblemHotlinked
	default:
		return ProblemPath
	}
}

// Keywords are a stored column of keywords in the form in which it should be.
func Keywords(column string) string { return joinKeywords(NormalizeKeywords(column)) }
