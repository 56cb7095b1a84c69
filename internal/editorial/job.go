package editorial

import (
	"time"
	"unicode/utf8"
)

// JobKind tells where a job's bytes come from and how urgent it is.
type JobKind string

// The kinds of job.
const (
	KindGenerate JobKind = "generate"
	KindImport   JobKind = "import"   // copy a picture from Request.SourceURL
	KindBackfill JobKind = "backfill" // as generate or import, behind everything else
)

// LinkRule records how a job found its draft, because one of the ways is a
// guess and must be recognisable as one.
type LinkRule string

// The rules.
const (
	LinkNone     LinkRule = ""
	LinkTaskID   LinkRule = "task_id"  // the request named the draft
	LinkTitle    LinkRule = "title"    // exactly one draft awaiting approval bears the prompt as its title
	LinkApproval LinkRule = "approval" // the approval found no picture and asked for one
	LinkReject   LinkRule = "reject"   // the rejection asked for a new round
)

// Request is what a client asked for. It is stored with the job as JSON and
// never changes afterwards.
type Request struct {
	Title          string   `json:"title,omitempty"`
	Prompt         string   `json:"prompt"`
	NegativePrompt string   `json:"negative_prompt,omitempty"`
	Keywords       []string `json:"keywords,omitempty"`
	AltText        string   `json:"alt_text,omitempty"`
	Width          int      `json:"width"`  // pixels
	Height         int      `json:"height"` // pixels
	Steps          int      `json:"steps,omitempty"`
	Guidance       float64  `json:"guidance,omitempty"`
	Seed           *int64   `json:"seed,omitempty"` // nil: we choose; candidate n gets Seed+n-1
	Count          int      `json:"count"`          // candidates, 1 to MaxCount
	Page           int      `json:"page,omitempty"` // stock photos: result page, for "try again"
	UseStock       bool     `json:"use_stock"`      // the seed's use_pexels
	UseGeneration  bool     `json:"use_generation"`
	SourceURL      string   `json:"source_url,omitempty"` // the picture to copy; KindImport and KindBackfill only
	Credit         *Credit  `json:"credit,omitempty"`     // whose picture SourceURL is, as far as the site knew
	AgainOf        string   `json:"again_of,omitempty"`   // the job that this one was asked as another go of
	// Generator names the one that is to answer, whatever the two flags say.
	Generator string `json:"generator,omitempty"`
	// Instruction is what an editor who rejected the round before wants to be
	// different. Generators get it behind the prompt, which stays as asked.
	Instruction string `json:"instruction,omitempty"`
	// Timeout is how long the pictures may take to be made, in seconds from the
	// request, waiting for a generator included; 0: as long as it takes.
	Timeout int `json:"timeout,omitempty"`
}

// The limits of a request, the seed's where it has one.
const (
	MinPrompt    = 3
	MaxPrompt    = 500 // characters
	MaxNegative  = 500
	MaxTitle     = 200
	MaxAltText   = 500
	MaxCount     = 5
	MaxKeywords  = 20
	MinSide      = 256 // pixels
	MaxSide      = 2048
	MinSteps     = 1 // distilled models; the seed's own routes ask for 20
	MaxSteps     = 100
	MinGuidance  = 1.0
	MaxGuidance  = 20.0
	MaxPage      = 100
	MaxGenerator = 40 // characters of a generator's name
	MinTimeout   = 5  // seconds
	MaxTimeout   = 24 * 60 * 60
	DefaultCount = 1
	// The Open Graph size: what a link preview shows without cropping.
	DefaultWidth  = 1200
	DefaultHeight = 630
	MaxSeed       = 1<<32 - 1 // what every backend accepts
)

// Normalize fills the defaults of what was left out.
func (r *Request) Normalize() {
	if r.Count == 0 {
		r.Count = DefaultCount
	}
	if r.Width == 0 {
		r.Width = DefaultWidth
	}
	if r.Height == 0 {
		r.Height = DefaultHeight
	}
	if r.Page == 0 {
		r.Page = 1
	}
}

// Validate checks a normalised request and names the first field that is wrong.
func (r *Request) Validate() error {
	texts := []struct {
		field, value string
		low, high    int
	}{
		{"prompt", r.Prompt, MinPrompt, MaxPrompt},
		{"title", r.Title, 0, MaxTitle},
		{"negative_prompt", r.NegativePrompt, 0, MaxNegative},
		{"alt_text", r.AltText, 0, MaxAltText},
		{"generator", r.Generator, 0, MaxGenerator},
		{"instruction", r.Instruction, 0, MaxPrompt},
	}
	for _, t := range texts {
		if err := ValidText(t.field, t.value, t.low, t.high); err != nil {
			return err
		}
	}
	if len(r.Keywords) > MaxKeywords {
		return Invalidf("keywords", "at most %d keywords, got %d", MaxKeywords, len(r.Keywords))
	}
	for _, k := range r.Keywords {
		if err := ValidText("keywords", k, 0, MaxTitle); err != nil {
			return err
		}
	}
	ints := []struct {
		field           string
		value, low, top int
		optional        bool
	}{
		{"count", r.Count, 1, MaxCount, false},
		{"width", r.Width, MinSide, MaxSide, false},
		{"height", r.Height, MinSide, MaxSide, false},
		{"steps", r.Steps, MinSteps, MaxSteps, true},
		{"page", r.Page, 1, MaxPage, false},
		{"timeout", r.Timeout, MinTimeout, MaxTimeout, true},
	}
	for _, n := range ints {
		if n.optional && n.value == 0 {
			continue
		}
		if n.value < n.low || n.value > n.top {
			return Invalidf(n.field, "must be between %d and %d, got %d", n.low, n.top, n.value)
		}
	}
	if r.Guidance != 0 && !(r.Guidance >= MinGuidance && r.Guidance <= MaxGuidance) {
		return Invalidf("guidance", "must be between %g and %g, got %g", MinGuidance, MaxGuidance, r.Guidance)
	}
	if r.Seed != nil && (*r.Seed < 0 || *r.Seed > MaxSeed) {
		return Invalidf("seed", "must be between 0 and %d, got %d", int64(MaxSeed), *r.Seed)
	}
	return nil
}

// ValidText checks a text of low to high characters: valid UTF-8 and no NUL,
// which PostgreSQL would refuse later with a worse message.
func ValidText(field, s string, low, high int) error {
	if !utf8.ValidString(s) {
		return Invalidf(field, "must be valid UTF-8")
	}
	n := 0
	for _, r := range s {
		n++
		if r == 0 {
			return Invalidf(field, "must not contain NUL characters")
		}
	}
	if n < low || n > high {
		return Invalidf(field, "must be %d to %d characters long, got %d", low, high, n)
	}
	return nil
}

// Job is the row a client asked for: for a draft, one round.
type Job struct {
	ID           string
	Kind         JobKind
	DraftID      string // empty: a picture for no draft
	Round        int    // 1 and up for a draft, 0 without one
	State        JobState
	Request      Request
	LinkedBy     LinkRule
	CreatedBy    string // the caller, as the API knew it
	SupersededBy string // the newer round's job, set with JobSuperseded
	Failure      *Failure
	Trace        string // traceparent of the request that was accepted; empty when nobody traces
	CreatedAt    time.Time
	UpdatedAt    time.Time
	FinalizedAt  time.Time // zero while the job is live
	Images       []Image   // by number; nil where a listing left them out
}

// JobEvent is one line of a job's history, and the source of its event stream.
type JobEvent struct {
	ID      int64
	JobID   string
	DraftID string // the job's; filled in by reading
	ImageID string // empty when the event concerns the whole job
	Type    string // noun.verb: image.spooled, job.canceled
	Data    map[string]any
	At      time.Time
}
