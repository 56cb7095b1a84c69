package siteapi

import (
	"net/http"
	"strings"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// taskImageRequest asks for another picture of a draft.
type taskImageRequest struct {
	Source         string `json:"source"`
	Topic          string `json:"topic"`
	ContentSummary string `json:"content_summary"`
	Page           int    `json:"page"`
}

type taskImageResponse struct {
	ImageURL string      `json:"image_url"`
	Source   string      `json:"source"` // what was asked for; image.source says what it is
	Message  string      `json:"message"`
	Image    *mediaImage `json:"image"`
	JobID    string      `json:"job_id"`
	PollURL  string      `json:"poll_url"`
}

// summaryInPrompt is how much of a summary the site puts into a prompt.
const summaryInPrompt = 200

func (a *API) generateTaskImage(w http.ResponseWriter, r *http.Request) error {
	draft, err := a.draftOf(r)
	if err != nil {
		return err
	}
	q := queryOf(r)
	in := taskImageRequest{Source: firstOf(q.text("source", maxWord), "pexels"), Page: q.number("page", 1, 1, editorial.MaxPage)}
	if q.err != nil {
		return q.err
	}
	if err := decodeOptional(w, r, &in); err != nil {
		return err
	}
	if err := in.validate(); err != nil {
		return err
	}
	job, _, err := a.Dispatch.Submit(r.Context(), dispatch.Submission{
		Request: in.request(&draft), DraftID: draft.ID, Caller: callerOf(r),
	})
	if e := asError(err); e != nil && e.Code == "no_generator" {
		return editorial.Invalidf("source", "%s", e.Message)
	}
	if err != nil {
		return err
	}
	if job, err = a.wait(r, job.ID); err != nil {
		return err
	}
	return answerTaskImage(w, in.Source, job)
}

func (in *taskImageRequest) validate() error {
	if in.Source != "pexels" && in.Source != "sdxl" {
		return editorial.Invalidf("source", "must be pexels or sdxl, got %q", editorial.Clip(in.Source, maxWord))
	}
	if err := editorial.ValidText("topic", in.Topic, 0, maxDraftTitle); err != nil {
		return err
	}
	return between("page", in.Page, 1, editorial.MaxPage)
}

// request puts the summary's start behind the topic, for image models only: a
// stock search would find nothing with so many words.
func (in *taskImageRequest) request(d *editorial.Draft) editorial.Request {
	prompt := firstOf(strings.TrimSpace(in.Topic), d.Title())
	if summary := strings.TrimSpace(in.ContentSummary); in.Source == "sdxl" && summary != "" {
		prompt += ": " + editorial.Clip(summary, summaryInPrompt)
	}
	for len([]rune(prompt)) < editorial.MinPrompt {
		prompt += "."
	}
	return editorial.Request{
		Title: editorial.Clip(d.Title(), editorial.MaxTitle), Prompt: editorial.Clip(prompt, editorial.MaxPrompt),
		Page: in.Page, UseStock: in.Source == "pexels", UseGeneration: in.Source == "sdxl",
	}
}

// answerTaskImage answers a time-out with 504 also where the site had 408,
// which browsers take as leave to send the request again: another round.
func answerTaskImage(w http.ResponseWriter, source string, job editorial.Job) error {
	m := jobResponse(job)
	if m.Success {
		return ok(w, taskImageResponse{
			ImageURL: m.ImageURL, Source: source, Image: m.Image, JobID: m.JobID, PollURL: m.PollURL,
			Message: "✅ Image generated/fetched from " + m.Image.Source,
		})
	}
	e := &editorial.Error{
		Kind: editorial.Unavailable, Code: m.Code, Message: m.Message,
		Details: map[string]any{"job_id": m.JobID, "status": m.Status, "poll_url": m.PollURL},
	}
	switch {
	case !job.State.IsFinal():
		e.Kind = stillMaking
	case job.State == editorial.JobSuperseded || job.State == editorial.JobCanceled:
		e.Kind = editorial.Conflict
	case m.Code == "rate_limited":
		e.Kind, e.Message = editorial.Limited, "Image service rate limit exceeded. Please try again later."
	}
	return e
}
