package v1

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// The sources of a picture, in the order in which they are asked.
const (
	sourceStock     = "stock"
	sourceGenerated = "generated"
)

// Submission is the body of POST /v1/jobs. Its limits repeat editorial's, so
// that every wrong field is named at once and the OpenAPI file has them; a test
// compares the two.
type Submission struct {
	Prompt         string   `json:"prompt" minLength:"3" maxLength:"500" doc:"What the picture shows" example:"A lighthouse at dawn"`
	Title          string   `json:"title,omitempty" maxLength:"200" doc:"What a typographic cover sets; left out, covers have no words"`
	NegativePrompt string   `json:"negative_prompt,omitempty" maxLength:"500" doc:"What it should not show"`
	Keywords       []string `json:"keywords,omitempty" maxItems:"20" maxLength:"200" nullable:"false" doc:"To search stock photos by"`
	AltText        string   `json:"alt_text,omitempty" maxLength:"500" doc:"For readers who cannot see it"`
	Width          int      `json:"width,omitempty" minimum:"256" maximum:"2048" default:"1200" doc:"Pixels"`
	Height         int      `json:"height,omitempty" minimum:"256" maximum:"2048" default:"630" doc:"Pixels"`
	Steps          int      `json:"steps,omitempty" minimum:"1" maximum:"100" doc:"Left out: the generator's own"`
	Guidance       float64  `json:"guidance,omitempty" minimum:"1" maximum:"20" doc:"Left out: the generator's own"`
	Seed           *int64   `json:"seed,omitempty" minimum:"0" maximum:"4294967295" doc:"Candidate n gets seed+n-1; left out, the service chooses"`
	Count          int      `json:"count,omitempty" minimum:"1" maximum:"5" default:"1" doc:"Candidates to choose from"`
	Page           int      `json:"page,omitempty" minimum:"1" maximum:"100" default:"1" doc:"Page of stock photos, to be offered others"`
	Sources        []string `json:"sources,omitempty" enum:"stock,generated" minItems:"1" maxItems:"2" nullable:"false" doc:"Who may answer; stock photos are asked first. Left out: generated"`
	Generator      string   `json:"generator,omitempty" maxLength:"40" doc:"The one that is to answer, of those in the capabilities; it alone is asked, whatever sources says" example:"sdcpp"`
	Timeout        int      `json:"timeout,omitempty" minimum:"5" maximum:"86400" doc:"Seconds within which the pictures have to be made, waiting included; then the job fails with deadline_exceeded. Left out: as long as it takes"`
	DraftID        string   `json:"draft_id,omitempty" maxLength:"255" doc:"Makes the job the draft's next round"`
}

func (s *Submission) request() editorial.Request {
	r := editorial.Request{
		Prompt: s.Prompt, Title: s.Title, NegativePrompt: s.NegativePrompt, Keywords: s.Keywords, AltText: s.AltText,
		Width: s.Width, Height: s.Height, Steps: s.Steps, Guidance: s.Guidance, Seed: s.Seed, Count: s.Count, Page: s.Page,
		Generator: s.Generator, Timeout: s.Timeout,
		UseGeneration: len(s.Sources) == 0,
	}
	for _, source := range s.Sources {
		r.UseStock = r.UseStock || source == sourceStock
		r.UseGeneration = r.UseGeneration || source == sourceGenerated
	}
	return r
}

type submitInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"The same key with the same body answers with the first job for 24 hours; with another body it is refused"`
	Prefer         string `header:"Prefer" doc:"wait=N (1 to 120 seconds) answers when the job has ended, or after N seconds with its present state; respond-async alone answers at once" example:"wait=30"`
	Body           Submission
}

type jobOutput struct {
	Status            int
	ETag              string `header:"ETag" doc:"A version of the job, for If-None-Match"`
	CacheControl      string `header:"Cache-Control"`
	Location          string `header:"Location" doc:"The job's own path"`
	RetryAfter        string `header:"Retry-After" doc:"Seconds until asking again is worth while; only while the job is live"`
	PreferenceApplied string `header:"Preference-Applied"`
	Body              Job
}

// pollPause is what a client without long polls should wait between looks, in
// seconds: half of what the quickest picture takes.
const pollPause = "2"

func (a *API) submit(ctx context.Context, in *submitInput) (*jobOutput, error) {
	prefer := parsePrefer(in.Prefer)
	job, replayed, err := a.Dispatch.Submit(ctx, dispatch.Submission{
		Request: in.Body.request(), DraftID: in.Body.DraftID, Caller: caller(ctx),
		Key: idempotencyKey(ctx, http.MethodPost, "/v1/jobs", in.IdempotencyKey),
	})
	if err != nil {
		return nil, inOurWords(err)
	}
	if prefer.wait > 0 && !job.State.IsFinal() {
		if job, err = a.waitFor(ctx, job.ID, prefer.wait); err != nil {
			return nil, err
		}
	}
	out, err := a.jobAnswer(ctx, job)
	if err != nil {
		return nil, err
	}
	out.Location, out.PreferenceApplied = jobPath(job.ID), prefer.applied()
	switch {
	case !job.State.IsFinal():
		out.Status, out.RetryAfter = http.StatusAccepted, pollPause
	case replayed:
		out.Status = http.StatusOK
	default:
		out.Status = http.StatusCreated
	}
	return out, nil
}

// idempotencyKey is a key as dispatch remembers it: the caller, the method and
// the path are part of it, so that nobody meets another's keys.
func idempotencyKey(ctx context.Context, method, path, key string) *dispatch.IdempotencyKey {
	if key == "" {
		return nil
	}
	// Quoted, so that no two scopes run together.
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", caller(ctx), method, path, key))
	body, _ := ctx.Value(bodyDigest{}).(string)
	return &dispatch.IdempotencyKey{Scope: hex.EncodeToString(sum[:]), BodySHA256: body}
}

// inOurWords renames the field that dispatch, in the site's words, calls
// task_id. A draft that the body names and that there is not is a wrong field,
// not a wrong address.
func inOurWords(err error) error {
	var e *editorial.Error
	if !errors.As(err, &e) || e.Field != "task_id" {
		return err
	}
	if e.Kind == editorial.NotFound {
		return &editorial.Error{Kind: editorial.Invalid, Code: "unknown_draft", Field: "draft_id", Message: "there is no draft with this id"}
	}
	renamed := *e
	renamed.Field = "draft_id"
	return &renamed
}

// waitFor is the job when it has ended, when d has passed or when the server
// drains, whichever comes first.
func (a *API) waitFor(ctx context.Context, id string, d time.Duration) (editorial.Job, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	defer context.AfterFunc(a.drain, cancel)() //nolint:contextcheck // the server's end, not the request's
	return a.Wait.WaitJob(ctx, id)
}

func (a *API) jobAnswer(ctx context.Context, job editorial.Job) (*jobOutput, error) {
	if job.State.IsFinal() && job.FinalizedAt.IsZero() {
		// A job and its images are read one after the other: this one ended in
		// between, and its own row has more to say by now.
		var err error
		if job, err = a.readJob(ctx, job.ID); err != nil {
			return nil, err
		}
	}
	position, err := a.queuePosition(ctx, job)
	if err != nil {
		return nil, err
	}
	known := a.progressOf(ctx, job)
	out := &jobOutput{
		Status: http.StatusOK, ETag: etagOf(job, position, known), CacheControl: "private, no-cache", Body: viewJob(job, position),
	}
	out.Body.showProgress(known)
	return out, nil
}

// progressOf is how far the pictures of jobs are that are being made; asked
// for no other, so most answers cost no look.
func (a *API) progressOf(ctx context.Context, jobs ...editorial.Job) map[string]editorial.Progress {
	if a.Progress == nil {
		return nil
	}
	var ids []string
	for _, job := range jobs {
		for _, img := range job.Images {
			if img.State == editorial.StateGenerating {
				ids = append(ids, img.ID)
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return a.Progress.Of(ctx, ids...)
}

type getJobInput struct {
	ID          string `path:"id" doc:"The job's id"`
	Wait        int    `query:"wait" minimum:"1" maximum:"120" doc:"Seconds to wait for the job to end; the answer comes when it has, or after that time with the present state"`
	IfNoneMatch string `header:"If-None-Match" doc:"An ETag from before: 304 when nothing has changed"`
}

func (a *API) getJob(ctx context.Context, in *getJobInput) (*jobOutput, error) {
	if in.Wait > 0 || in.IfNoneMatch == "" {
		return a.lookAtJob(ctx, in)
	}
	if s, ok := a.recent.unchanged(in.ID, in.IfNoneMatch); ok {
		return notModified(s), nil
	}
	s := a.recent.look(in.ID)
	out, err := a.lookAtJob(ctx, in)
	a.recent.keep(in.ID, s, out)
	return out, err
}

// notModified is the answer without the body, which a 304 does not have.
func notModified(s *sighting) *jobOutput {
	out := &jobOutput{Status: http.StatusNotModified, ETag: s.etag, CacheControl: "private, no-cache"}
	if s.live {
		out.RetryAfter = pollPause
	}
	return out
}

func (a *API) lookAtJob(ctx context.Context, in *getJobInput) (*jobOutput, error) {
	job, err := a.readJob(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Wait > 0 && !job.State.IsFinal() {
		if job, err = a.waitFor(ctx, in.ID, time.Duration(in.Wait)*time.Second); err != nil {
			return nil, err
		}
	}
	out, err := a.jobAnswer(ctx, job)
	if err != nil {
		return nil, err
	}
	if !job.State.IsFinal() {
		out.RetryAfter = pollPause
	}
	if matches(in.IfNoneMatch, out.ETag) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}

func (a *API) readJob(ctx context.Context, id string) (editorial.Job, error) {
	job, err := a.Store.Job(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return job, editorial.NotFoundf("there is no job with this id")
	}
	return job, err
}

// matches compares as RFC 9110 wants it for If-None-Match: a list, weakly.
func matches(header, etag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

type jobIDInput struct {
	ID string `path:"id" doc:"The job's id"`
}

func (a *API) cancelJob(ctx context.Context, in *jobIDInput) (*jobOutput, error) {
	job, err := a.readJob(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	// An author may take back a request of their own; another's work is an
	// editor's to stop.
	if job.CreatedBy != caller(ctx) {
		if err := auth.Check(ctx, auth.Editor); err != nil {
			return nil, err
		}
	}
	if job, err = a.Dispatch.Cancel(ctx, in.ID, caller(ctx)); err != nil {
		return nil, err
	}
	return a.jobAnswer(ctx, job)
}

func (a *API) retryJob(ctx context.Context, in *jobIDInput) (*jobOutput, error) {
	job, err := a.Dispatch.Retry(ctx, in.ID, caller(ctx))
	if err != nil {
		return nil, err
	}
	out, err := a.jobAnswer(ctx, job)
	if err != nil {
		return nil, err
	}
	out.Status, out.Location, out.RetryAfter = http.StatusAccepted, jobPath(job.ID), pollPause
	return out, nil
}
