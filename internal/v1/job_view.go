package v1

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Job is a request for pictures in every state that it passes.
type Job struct {
	ID            string             `json:"id" format:"uuid"`
	Kind          string             `json:"kind" enum:"generate,import,backfill"`
	State         editorial.JobState `json:"state" enum:"queued,generating,uploading,stored,failed,canceled,superseded" doc:"stored: every candidate has ended and at least one is stored. The last four are final"`
	DraftID       string             `json:"draft_id,omitempty" doc:"The draft that the pictures are for"`
	Round         int                `json:"round,omitempty" doc:"Which request for pictures of its draft this is, from 1"`
	LinkedBy      string             `json:"linked_by,omitempty" enum:"task_id,title,approval,reject" doc:"How the job found its draft: named by the request, by title, or asked for by a decision"`
	Request       Request            `json:"request"`
	QueuePosition int                `json:"queue_position,omitempty" doc:"1 is next, 100 is anything from there on. Only while queued, and not in lists"`
	Progress      Progress           `json:"progress"`
	Candidates    []Candidate        `json:"candidates" nullable:"false" doc:"By number"`
	Failure       *editorial.Failure `json:"failure,omitempty" doc:"Why the job failed"`
	SupersededBy  string             `json:"superseded_by,omitempty" format:"uuid" doc:"The job of the newer round"`
	AgainOf       string             `json:"again_of,omitempty" format:"uuid" doc:"The job that this one was asked as another go of"`
	CreatedBy     string             `json:"created_by"`
	CreatedAt     time.Time          `json:"created_at"`
	UpdatedAt     time.Time          `json:"updated_at"`
	FinalizedAt   *time.Time         `json:"finalized_at,omitempty"`
	URLs          JobURLs            `json:"urls"`
}

// Request is what was asked for, with the defaults filled in.
type Request struct {
	Prompt         string   `json:"prompt"`
	Title          string   `json:"title,omitempty"`
	NegativePrompt string   `json:"negative_prompt,omitempty"`
	Keywords       []string `json:"keywords,omitempty" nullable:"false"`
	AltText        string   `json:"alt_text,omitempty"`
	Width          int      `json:"width"`
	Height         int      `json:"height"`
	Steps          int      `json:"steps,omitempty"`
	Guidance       float64  `json:"guidance,omitempty"`
	Seed           *int64   `json:"seed,omitempty" doc:"Absent when the service chose; each candidate tells its own"`
	Count          int      `json:"count"`
	Sources        []string `json:"sources" enum:"stock,generated" nullable:"false"`
	SourceURL      string   `json:"source_url,omitempty" doc:"The picture that an import copies"`
	Generator      string   `json:"generator,omitempty" doc:"The one that was named to answer"`
	Instruction    string   `json:"instruction,omitempty" doc:"What editors who rejected the rounds before want to be different; generators get it behind the prompt"`
	Timeout        int      `json:"timeout,omitempty" doc:"Seconds allowed for making the pictures"`
}

// Progress counts candidates.
type Progress struct {
	Percent int `json:"percent" minimum:"0" maximum:"100" doc:"Of the stages that all candidates have to pass"`
	Ended   int `json:"ended" doc:"Candidates that have ended"`
	Count   int `json:"count" doc:"Candidates in all"`
}

// Candidate is one picture of a job.
type Candidate struct {
	ID            string                `json:"id" format:"uuid"`
	Number        int                   `json:"number" doc:"1 to 5 within its job"`
	State         editorial.ImageState  `json:"state" enum:"queued,generating,uploading,stored,failed,canceled,superseded,removed" doc:"removed: its objects were deleted, by the reaper or a takedown; its address answers nothing any more"`
	URL           string                `json:"url,omitempty" doc:"Only when stored; then it works"`
	SHA256        string                `json:"sha256,omitempty" doc:"Of the picture at url: what an approval can name"`
	ContentType   string                `json:"content_type,omitempty" example:"image/png"`
	Width         int                   `json:"width,omitempty" doc:"Pixels, measured"`
	Height        int                   `json:"height,omitempty"`
	Bytes         int64                 `json:"bytes,omitempty"`
	Renditions    []editorial.Rendition `json:"renditions,omitempty" nullable:"false" doc:"Smaller copies, narrowest first"`
	Srcset        string                `json:"srcset,omitempty" doc:"The renditions as an img element's srcset"`
	Placeholder   string                `json:"placeholder,omitempty" doc:"A data: URL to show while the picture loads"`
	Color         string                `json:"color,omitempty" example:"#2f4858"`
	AltText       string                `json:"alt_text,omitempty"`
	Credit        *editorial.Credit     `json:"credit,omitempty" doc:"Whose picture it is; to be shown with it"`
	CreditText    string                `json:"credit_text,omitempty" example:"Photo by Ada on Pexels"`
	CreditHTML    string                `json:"credit_html,omitempty" doc:"The same with its links, to put into a page"`
	Seed          int64                 `json:"seed"`
	Backend       string                `json:"backend,omitempty" doc:"The generator that made it or is making it"`
	Model         string                `json:"model,omitempty"`
	Source        string                `json:"source,omitempty" example:"card-local"`
	Fallback      string                `json:"fallback,omitempty" doc:"Why the picture is not what was asked for first"`
	Steps         []editorial.ChainStep `json:"steps,omitempty" nullable:"false" doc:"Generators that were asked before and could not answer"`
	Cost          *float64              `json:"cost,omitempty" doc:"US dollars; absent when unknown"`
	Recipe        *editorial.Recipe     `json:"recipe,omitempty" doc:"How it was made; with backend, model and seed enough to make it again"`
	Similar       []editorial.Lookalike `json:"similar,omitempty" nullable:"false" doc:"Other pictures of the site that it is very like, as found when it was stored: those that posts show first, at most three"`
	Attempt       int                   `json:"attempt,omitempty" doc:"Tries of the present stage"`
	NextAttemptAt *time.Time            `json:"next_attempt_at,omitempty" doc:"When a postponed candidate is tried again"`
	Failure       *editorial.Failure    `json:"failure,omitempty" doc:"Why it failed, or why it was postponed"`
	Progress      *CandidateProgress    `json:"progress,omitempty" doc:"How far the generator is; only while generating, and only where it tells"`
}

// CandidateProgress is how far a generator is with a candidate.
type CandidateProgress struct {
	Generator string    `json:"generator" example:"sdcpp" doc:"The one that is being asked"`
	Percent   *int      `json:"percent,omitempty" minimum:"0" maximum:"100" doc:"Absent while it does not tell"`
	Stage     string    `json:"stage" example:"queued, place 3" doc:"For a person to read"`
	Step      int       `json:"step,omitempty"`
	Steps     int       `json:"steps,omitempty"`
	Preview   string    `json:"preview,omitempty" doc:"A data: URL of what there is to see so far"`
	At        time.Time `json:"at"`
}

// JobURLs are the paths to go on with. Those of an action are there while the
// action is possible.
type JobURLs struct {
	Self         string `json:"self"`
	Events       string `json:"events" doc:"Event stream"`
	History      string `json:"history"`
	Cancel       string `json:"cancel,omitempty" doc:"While the job is live"`
	Retry        string `json:"retry,omitempty" doc:"When a candidate has failed"`
	Again        string `json:"again"`
	Draft        string `json:"draft,omitempty"`
	Approve      string `json:"approve,omitempty" doc:"When a stored candidate of a draft can be approved"`
	SupersededBy string `json:"superseded_by,omitempty" doc:"Where to look instead"`
}

func jobPath(id string) string   { return "/v1/jobs/" + id }
func draftPath(id string) string { return "/v1/drafts/" + escapeSegment(id) }

// viewJob is a job as clients see it. position is 0 where it was not looked up.
func viewJob(j editorial.Job, position int) Job {
	images := latest(j.Images)
	v := Job{
		ID: j.ID, Kind: string(j.Kind), State: j.State, DraftID: j.DraftID, Round: j.Round,
		LinkedBy: string(j.LinkedBy), Request: viewRequest(j.Request), QueuePosition: position,
		Progress: progressOf(j.State, images), Candidates: []Candidate{}, Failure: j.Failure, SupersededBy: j.SupersededBy,
		AgainOf: j.Request.AgainOf, CreatedBy: j.CreatedBy, CreatedAt: j.CreatedAt, UpdatedAt: j.UpdatedAt, FinalizedAt: timeOrNil(j.FinalizedAt),
		URLs: urlsOf(j, images),
	}
	for _, img := range images {
		v.Candidates = append(v.Candidates, viewCandidate(img))
	}
	return v
}

// latest leaves out pictures that were made again under a new key because
// their spool was lost: of each number the newest counts.
func latest(images []editorial.Image) []editorial.Image {
	var list []editorial.Image
	for _, img := range images {
		if n := len(list); n > 0 && list[n-1].Number == img.Number {
			list[n-1] = img
			continue
		}
		list = append(list, img)
	}
	return list
}

func viewRequest(r editorial.Request) Request {
	v := Request{
		Prompt: r.Prompt, Title: r.Title, NegativePrompt: r.NegativePrompt, Keywords: r.Keywords, AltText: r.AltText,
		Width: r.Width, Height: r.Height, Steps: r.Steps, Guidance: r.Guidance, Seed: r.Seed, Count: r.Count,
		Sources: []string{}, SourceURL: r.SourceURL, Generator: r.Generator, Instruction: r.Instruction, Timeout: r.Timeout,
	}
	if r.UseStock {
		v.Sources = append(v.Sources, sourceStock)
	}
	if r.UseGeneration {
		v.Sources = append(v.Sources, sourceGenerated)
	}
	return v
}

// stagePercent is how far a candidate is: making it takes most of the time.
var stagePercent = map[editorial.ImageState]int{
	editorial.StateQueued: 0, editorial.StateGenerating: 25, editorial.StateUploading: 75,
}

func progressOf(state editorial.JobState, images []editorial.Image) Progress {
	p := Progress{Count: len(images)}
	for _, img := range images {
		if img.State.IsFinal() {
			p.Ended++
			p.Percent += 100
			continue
		}
		p.Percent += stagePercent[img.State]
	}
	p.Percent /= max(1, p.Count)
	if state.IsFinal() {
		p.Percent = 100
	}
	return p
}

func urlsOf(j editorial.Job, images []editorial.Image) JobURLs {
	self := jobPath(j.ID)
	u := JobURLs{Self: self, Events: self + "/events", History: self + "/history", Again: self + "/again"}
	var failed, stored bool
	for _, img := range images {
		failed = failed || img.State == editorial.StateFailed
		stored = stored || img.State == editorial.StateStored
	}
	if !j.State.IsFinal() {
		u.Cancel = self + "/cancel"
	}
	current := j.State != editorial.JobSuperseded
	if failed && current {
		u.Retry = self + "/retry"
	}
	if j.DraftID != "" {
		u.Draft = draftPath(j.DraftID)
		if stored && current {
			u.Approve = u.Draft + "/approve"
		}
	}
	if j.SupersededBy != "" {
		u.SupersededBy = jobPath(j.SupersededBy)
	}
	return u
}

func viewCandidate(img editorial.Image) Candidate {
	v := Candidate{
		ID: img.ID, Number: img.Number, State: img.State, URL: img.URL, SHA256: img.SHA256, ContentType: img.ContentType,
		Width: img.Width, Height: img.Height, Bytes: img.Bytes, Renditions: img.Renditions, Srcset: dispatch.Srcset(img),
		Placeholder: img.Placeholder, Color: img.Color, AltText: img.AltText, Credit: img.Credit, CreditText: img.Credit.Text(), CreditHTML: img.Credit.HTML(),
		Seed: img.Seed, Backend: img.Backend, Model: img.Model, Source: img.Source, Fallback: img.Fallback(), Steps: img.Steps,
		Cost: img.Cost, Recipe: img.Recipe, Similar: img.Lookalikes, Attempt: img.Attempt, Failure: img.Failure,
	}
	if img.State == editorial.StateRemoved {
		v.Renditions, v.Srcset = nil, "" // nothing answers there any more
	}
	if img.Failure != nil && !img.State.IsFinal() {
		v.NextAttemptAt = timeOrNil(img.NextAttemptAt)
	}
	return v
}

// showProgress adds what is known of the candidates being generated, and moves
// the job's own percentage on by it.
func (v *Job) showProgress(known map[string]editorial.Progress) {
	moved := 0
	for i := range v.Candidates {
		c := &v.Candidates[i]
		p, ok := known[c.ID]
		if !ok || c.State != editorial.StateGenerating {
			continue
		}
		shown := CandidateProgress(p)
		c.Progress = &shown
		if p.Percent != nil {
			next := stagePercent[editorial.StateUploading] - stagePercent[editorial.StateGenerating]
			moved += next * *p.Percent / 100
		}
	}
	v.Progress.Percent += moved / max(1, v.Progress.Count)
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// etagOf is a version of what viewJob and showProgress show: of the job's row,
// of its images', of the place in the queue and of the generators' progress,
// which both move without any of them. Rows keep milliseconds, so their times
// alone could hide one of two quick changes.
func etagOf(j editorial.Job, position int, known map[string]editorial.Progress) string {
	h := sha256.New()
	_, _ = fmt.Fprintln(h, j.ID, j.State, j.UpdatedAt.UnixNano(), position)
	for _, img := range j.Images {
		_, _ = fmt.Fprintln(h, img.ID, img.State, img.Epoch, img.Attempt, img.UpdatedAt.UnixNano(), known[img.ID].At.UnixNano())
	}
	return `W/"` + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:12]) + `"`
}
