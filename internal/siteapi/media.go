package siteapi

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// generateRequest is the body of generate-image. The site's flags for its own
// refiner and log are checked and have no effect.
type generateRequest struct {
	Prompt        string   `json:"prompt"`
	Title         string   `json:"title"`
	Keywords      []string `json:"keywords"`
	UsePexels     bool     `json:"use_pexels"`
	UseGeneration bool     `json:"use_generation"`
	UseRefinement bool     `json:"use_refinement"`
	HighQuality   bool     `json:"high_quality"`
	Steps         int      `json:"num_inference_steps"`
	Guidance      float64  `json:"guidance_scale"`
	TaskID        string   `json:"task_id"`
	Page          int      `json:"page"`
}

// The site's defaults, and its lower limit for steps.
const (
	defaultSteps    = 50
	defaultGuidance = 8.0
	minSteps        = 20
)

// mediaResponse is what all image routes under /api/media answer. The members
// up to PreviewMode are the site's.
type mediaResponse struct {
	Success        bool         `json:"success"`
	ImageURL       string       `json:"image_url"` // empty, never null, on failure
	Image          *mediaImage  `json:"image"`
	Message        string       `json:"message"`
	GenerationTime float64      `json:"generation_time"` // seconds
	LocalPath      *string      `json:"local_path"`      // always null: a server's path is nobody's business
	PreviewMode    bool         `json:"preview_mode"`    // always false: pictures are stored
	Images         []mediaImage `json:"images,omitempty"`
	Code           string       `json:"code,omitempty"` // why not, for programs
	JobID          string       `json:"job_id,omitempty"`
	Status         string       `json:"status,omitempty"` // the job's
	PollURL        string       `json:"poll_url,omitempty"`
	SupersededBy   string       `json:"superseded_by,omitempty"`
	// Progress is that of a picture that is being made, where its generator tells.
	Progress *editorial.Progress `json:"progress,omitempty"`
}

type mediaImage struct {
	URL             string  `json:"url"`
	Source          string  `json:"source"`
	Photographer    *string `json:"photographer"`
	PhotographerURL *string `json:"photographer_url"`
	Width           *int    `json:"width"`  // measured, pixels
	Height          *int    `json:"height"` // measured, pixels
	ID              string  `json:"id,omitempty"`
	SHA256          string  `json:"sha256,omitempty"`   // what an approval may name
	AltText         string  `json:"alt_text,omitempty"` // never holds the credit
	Fallback        string  `json:"fallback,omitempty"` // why it is not what was asked for first
}

func (a *API) generateImage(w http.ResponseWriter, r *http.Request) error {
	started := a.Now()
	in := generateRequest{UsePexels: true, HighQuality: true, Steps: defaultSteps, Guidance: defaultGuidance, Page: 1}
	if err := decode(w, r, &in); err != nil {
		return err
	}
	if err := in.validate(); err != nil {
		return err
	}
	job, _, err := a.Dispatch.Submit(r.Context(), in.submission(r))
	if e := asError(err); e != nil && e.Code == "no_generator" {
		return a.answerMedia(w, started, mediaResponse{Message: "❌ No image found: " + e.Message, Code: e.Code})
	}
	if err != nil {
		return badTaskID(err)
	}
	if job, err = a.wait(r, job.ID); err != nil {
		return err
	}
	answer := jobResponse(job)
	answer.Progress = a.progressOf(r, job)
	return a.answerMedia(w, started, answer)
}

// progressOf is that of the first picture of a job that has any.
func (a *API) progressOf(r *http.Request, job editorial.Job) *editorial.Progress {
	if a.Progress == nil || job.State.IsFinal() {
		return nil
	}
	for _, img := range job.Images {
		if img.State != editorial.StateGenerating {
			continue
		}
		if p, ok := a.Progress.Of(r.Context(), img.ID)[img.ID]; ok {
			return &p
		}
	}
	return nil
}

func (in *generateRequest) validate() error {
	in.Prompt = strings.TrimSpace(in.Prompt)
	err := errors.Join(
		editorial.ValidText("prompt", in.Prompt, editorial.MinPrompt, editorial.MaxPrompt),
		editorial.ValidText("title", in.Title, 0, editorial.MaxTitle),
		editorial.ValidText("task_id", in.TaskID, 0, maxID),
		between("num_inference_steps", in.Steps, minSteps, editorial.MaxSteps),
		between("page", in.Page, 1, editorial.MaxPage),
	)
	if err == nil && !(in.Guidance >= editorial.MinGuidance && in.Guidance <= editorial.MaxGuidance) {
		err = editorial.Invalidf("guidance_scale", "must be between %g and %g, got %g", editorial.MinGuidance, editorial.MaxGuidance, in.Guidance)
	}
	return err
}

func between(field string, n, low, high int) error {
	if n < low || n > high {
		return editorial.Invalidf(field, "must be between %d and %d, got %d", low, high, n)
	}
	return nil
}

// submission is the request as a job. The site limits keywords neither in
// number nor in length, so what is over our limits is cut, not refused.
func (in *generateRequest) submission(r *http.Request) dispatch.Submission {
	keywords := make([]string, 0, len(in.Keywords))
	for _, k := range in.Keywords[:min(len(in.Keywords), editorial.MaxKeywords)] {
		keywords = append(keywords, editorial.Clip(k, editorial.MaxTitle))
	}
	return dispatch.Submission{
		Request: editorial.Request{
			Title: strings.TrimSpace(in.Title), Prompt: in.Prompt, Keywords: keywords,
			Steps: in.Steps, Guidance: in.Guidance, Page: in.Page,
			UseStock: in.UsePexels, UseGeneration: in.UseGeneration,
		},
		DraftID:   strings.TrimSpace(in.TaskID),
		LinkTitle: auth.Check(r.Context(), auth.Author) == nil,
		Caller:    callerOf(r),
	}
}

// badTaskID makes the draft that a body names, and that is not there, the
// body's fault: only a path that leads nowhere is a 404.
func badTaskID(err error) error {
	if e := asError(err); e != nil && e.Kind == editorial.NotFound && e.Field != "" {
		return editorial.Invalidf(e.Field, "%s", e.Message)
	}
	return err
}

func asError(err error) *editorial.Error {
	var e *editorial.Error
	errors.As(err, &e)
	return e
}

// wait waits for a job at most SyncWait, less when the client leaves or the
// server drains.
func (a *API) wait(r *http.Request, jobID string) (editorial.Job, error) {
	ctx, cancel := context.WithTimeout(r.Context(), a.SyncWait)
	defer cancel()
	defer context.AfterFunc(a.Drain, cancel)() //nolint:contextcheck // Drain is the server's, on purpose
	return a.Waiter.WaitJob(ctx, jobID)
}

func (a *API) answerMedia(w http.ResponseWriter, started time.Time, m mediaResponse) error {
	m.GenerationTime = math.Round(a.Now().Sub(started).Seconds()*1000) / 1000
	return ok(w, m)
}

// jobResponse is what a job came to so far.
func jobResponse(job editorial.Job) mediaResponse {
	m := mediaResponse{JobID: job.ID, Status: string(job.State), PollURL: pollURL(job.ID)}
	switch job.State {
	case editorial.JobStored:
		img := firstStored(job)
		m.Success, m.ImageURL, m.Image = true, img.URL, imageOf(img)
		m.Message = "✅ Image found via " + img.Source
	case editorial.JobFailed:
		f := failureOf(job)
		m.Code, m.Message = f.Code, "❌ No image found: "+f.Message
	case editorial.JobSuperseded:
		m.Code, m.Message = "superseded", "❌ A newer request for this task has taken this one's place."
		if job.SupersededBy != "" {
			m.SupersededBy, m.PollURL = job.SupersededBy, pollURL(job.SupersededBy)
		}
	case editorial.JobCanceled:
		m.Code, m.Message = "canceled", "❌ The request was canceled."
	default:
		m.Code, m.Message = "pending", "⏳ The image is still being made; it will arrive by itself. Ask "+m.PollURL+" for it."
	}
	return m
}

func pollURL(jobID string) string { return "/v1/jobs/" + jobID }

func firstStored(job editorial.Job) editorial.Image {
	for _, img := range job.Images {
		if img.State == editorial.StateStored {
			return img
		}
	}
	return editorial.Image{}
}

// failureOf is why a job failed; the last image to fail wrote it on the job.
func failureOf(job editorial.Job) editorial.Failure {
	if job.Failure != nil {
		return *job.Failure
	}
	for _, img := range job.Images {
		if img.Failure != nil {
			return *img.Failure
		}
	}
	return *editorial.NewFailure("unknown", editorial.StageGenerate, editorial.Terminal, "", "")
}

func imageOf(img editorial.Image) *mediaImage {
	m := &mediaImage{
		URL: img.URL, Source: img.Source, Width: positive(img.Width), Height: positive(img.Height),
		ID: img.ID, SHA256: img.SHA256, AltText: img.AltText, Fallback: img.Fallback(),
	}
	empty := ""
	switch {
	case img.Credit != nil:
		m.Photographer, m.PhotographerURL = orNull(img.Credit.Author), orNull(img.Credit.AuthorURL)
	case strings.HasPrefix(img.Source, "sdxl-"):
		m.Photographer, m.PhotographerURL = orNull("SDXL (AI Generated)"), &empty // the site's own words
	}
	return m
}

func positive(n int) *int {
	if n <= 0 {
		return nil
	}
	return &n
}
