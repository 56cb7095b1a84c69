package v1

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// AgainRequest is the body of POST /v1/jobs/{id}/again; what is left out stays
// as it was.
type AgainRequest struct {
	Seed      SeedChoice `json:"seed,omitempty" doc:"same: the same picture again, as far as its generator can, or what the same seed makes of the other changes. next: seeds that the job and its draft have not had. Or a seed"`
	Candidate int        `json:"candidate,omitempty" minimum:"1" maximum:"5" doc:"The candidate that is meant, by its number: its seed counts, and one picture is asked for"`
	Prompt    string     `json:"prompt,omitempty" minLength:"3" maxLength:"500"`
	Width     int        `json:"width,omitempty" minimum:"256" maximum:"2048" doc:"Pixels"`
	Height    int        `json:"height,omitempty" minimum:"256" maximum:"2048" doc:"Pixels"`
	Count     int        `json:"count,omitempty" minimum:"1" maximum:"5" doc:"Candidates to choose from"`
	Generator string     `json:"generator,omitempty" maxLength:"40" doc:"Another one to answer, of those in the capabilities" example:"sdcpp"`
}

// The words that stand for a seed.
const (
	seedSame = "same"
	seedNext = "next"
)

// SeedChoice is "same", "next" or a number; the zero value is next.
type SeedChoice struct {
	Same   bool
	Number *int64
}

// UnmarshalJSON reads either form; huma has checked it against the schema.
func (s *SeedChoice) UnmarshalJSON(b []byte) error {
	var word string
	if json.Unmarshal(b, &word) == nil {
		s.Same = word == seedSame
		return nil
	}
	if err := json.Unmarshal(b, &s.Number); err != nil {
		return fmt.Errorf("read seed: %w", err)
	}
	return nil
}

// MarshalJSON is for clients in Go.
func (s SeedChoice) MarshalJSON() ([]byte, error) {
	switch {
	case s.Number != nil:
		return json.Marshal(*s.Number)
	case s.Same:
		return json.Marshal(seedSame)
	default:
		return json.Marshal(seedNext)
	}
}

// Schema implements [huma.SchemaProvider].
func (SeedChoice) Schema(huma.Registry) *huma.Schema {
	low, high := 0.0, float64(editorial.MaxSeed)
	words := &huma.Schema{Type: huma.TypeString, Enum: []any{seedSame, seedNext}}
	number := &huma.Schema{Type: huma.TypeInteger, Minimum: &low, Maximum: &high}
	words.PrecomputeMessages()
	number.PrecomputeMessages()
	return &huma.Schema{OneOf: []*huma.Schema{words, number}, Default: seedNext}
}

type againInput struct {
	ID             string `path:"id" doc:"The job's id"`
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"As of submitting"`
	Body           *AgainRequest
}

// again asks for a job another time.
func (a *API) again(ctx context.Context, in *againInput) (*jobOutput, error) {
	old, err := a.readJob(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	// As with canceling: one's own, or an editor's to decide.
	if old.CreatedBy != caller(ctx) {
		if err := auth.Check(ctx, auth.Editor); err != nil {
			return nil, err
		}
	}
	if in.Body == nil {
		in.Body = new(AgainRequest)
	}
	job, replayed, err := a.Dispatch.Again(ctx, dispatch.Repeat{
		JobID: in.ID, Candidate: in.Body.Candidate, SameSeed: in.Body.Seed.Same, Seed: in.Body.Seed.Number,
		Prompt: in.Body.Prompt, Width: in.Body.Width, Height: in.Body.Height, Count: in.Body.Count, Generator: in.Body.Generator, Caller: caller(ctx),
		Key: idempotencyKey(ctx, http.MethodPost, jobPath(in.ID)+"/again", in.IdempotencyKey),
	})
	if err != nil {
		return nil, inOurWords(err)
	}
	out, err := a.jobAnswer(ctx, job)
	if err != nil {
		return nil, err
	}
	out.Location, out.Status = jobPath(job.ID), http.StatusAccepted
	switch {
	case !job.State.IsFinal():
		out.RetryAfter = pollPause
	case replayed:
		out.Status = http.StatusOK
	}
	return out, nil
}
