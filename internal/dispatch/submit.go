package dispatch

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/telemetry"
)

// Submission is a request for pictures and where it came from.
type Submission struct {
	Kind    editorial.JobKind // empty: KindGenerate
	Request editorial.Request
	DraftID string // empty: no draft, unless LinkTitle finds one
	// LinkTitle asks for the guess that the seed's front end needs: it sends
	// only the title. Set it only for a caller who may write drafts.
	LinkTitle bool
	Caller    string
	Key       *IdempotencyKey // nil: none
	// OnceBySource answers with the draft's present job when that copies the
	// same SourceURL already: a click that came twice is one import.
	OnceBySource bool
}

// IdempotencyKey is a client's guard against asking twice.
type IdempotencyKey struct {
	Scope      string // digest of caller, method, path and key
	BodySHA256 string // of the raw body
}

// Submit accepts a job: when it returns, the rows are committed and the job
// will end. Errors are editorial.Errors naming a field, or the database's.
// replayed is true when the same request had made the job before.
func (d *Dispatch) Submit(ctx context.Context, s Submission) (job editorial.Job, replayed bool, err error) {
	if s.Kind == "" {
		s.Kind = editorial.KindGenerate
	}
	s.Request.Normalize()
	if err := s.Request.Validate(); err != nil {
		return editorial.Job{}, false, err
	}
	if !d.Capabilities.CanAnswer(s.Request) {
		return editorial.Job{}, false, noGenerator(s.Request)
	}
	if err := d.affordable(ctx, &d.Store.Reader, s.Request); err != nil {
		return editorial.Job{}, false, err
	}
	id := newID()
	ctx, end := telemetry.Start(ctx, "accept", "job.id", id)
	defer func() { end(err) }()
	if s.DraftID == "" && !s.LinkTitle && s.Key == nil {
		job, err = d.acceptAlone(ctx, id, s)
	} else {
		job, replayed, err = d.acceptWith(ctx, id, s)
	}
	if err == nil && !replayed {
		d.backlog.grew(s.Caller)
	}
	return job, replayed, err
}

// acceptAlone accepts a job that concerns no draft and that no key guards:
// there is nothing to lock and nothing to look up, so it is one statement.
func (d *Dispatch) acceptAlone(ctx context.Context, id string, s Submission) (editorial.Job, error) {
	if err := d.admit(ctx, &d.Store.Reader, s, 1); err != nil {
		return editorial.Job{}, err
	}
	job := newJob(id, s)
	job.Trace = telemetry.Traceparent(ctx)
	var after aftermath
	after.submitted(job)
	if err := d.Store.Accept(ctx, &job, after.events[0]); err != nil {
		return editorial.Job{}, err
	}
	d.ringAndNotify(ctx, after)
	return job, nil
}

// acceptWith accepts a job together with the draft that it is for, or with the
// key that guards it.
func (d *Dispatch) acceptWith(ctx context.Context, id string, s Submission) (job editorial.Job, replayed bool, err error) {
	err = d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		job = editorial.Job{}
		link, err := linkOf(ctx, tx, s)
		if err != nil {
			return err
		}
		var state editorial.DraftImages
		if link.draftID != "" {
			if state, err = lockExistingDraft(ctx, tx, link.draftID); err != nil {
				return err
			}
			if err := onceBySource(ctx, tx, s, state); err != nil {
				return err
			}
		}
		job = newJob(id, s)
		job.Trace = telemetry.Traceparent(ctx)
		job.DraftID, job.LinkedBy = link.draftID, link.rule
		if job.DraftID == "" {
			if err := tx.InsertJob(ctx, &job); err != nil {
				return err
			}
			after.submitted(job)
		} else {
			p := publication{state: &state, row: &draftRow{id: job.DraftID}}
			if err := startRound(ctx, tx, &p, &job, after); err != nil {
				return err
			}
			if err := p.save(ctx, tx); err != nil {
				return err
			}
		}
		if err := rememberKey(ctx, tx, s.Key, id); err != nil {
			return err
		}
		// Last, so that a key's first job answers however many there are, and a
		// round counts without the one that it superseded.
		return d.admit(ctx, &tx.Reader, s, 0)
	})
	var replay *replayError
	if errors.As(err, &replay) {
		job, err = d.Store.Job(ctx, replay.jobID)
		return job, true, err
	}
	if err != nil {
		return editorial.Job{}, false, err
	}
	return job, false, nil
}

// replayError rolls the transaction back: the first job stands.
type replayError struct{ jobID string }

func (*replayError) Error() string { return "the same was asked before and has a job already" }

// onceBySource looks, under the draft's lock, whether its present round copies
// the picture that is asked for; a copy that came to nothing is begun again.
func onceBySource(ctx context.Context, tx *store.Tx, s Submission, state editorial.DraftImages) error {
	if !s.OnceBySource || state.Round == 0 {
		return nil
	}
	job, err := tx.JobOfRound(ctx, state.DraftID, state.Round)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if job.Request.SourceURL == s.Request.SourceURL && job.State != editorial.JobFailed && job.State != editorial.JobCanceled {
		return &replayError{jobID: job.ID}
	}
	return nil
}

// rememberKey comes last in the transaction: the key is kept with the job or
// not at all, and failures are not remembered.
func rememberKey(ctx context.Context, tx *store.Tx, key *IdempotencyKey, jobID string) error {
	if key == nil {
		return nil
	}
	first, body, err := tx.RememberKey(ctx, key.Scope, key.BodySHA256, jobID)
	switch {
	case err != nil:
		return err
	case body != key.BodySHA256:
		return &editorial.Error{
			Kind: editorial.Mismatch, Code: "idempotency_key_reused", Field: "Idempotency-Key",
			Message: "this key was used for another request body within the last 24 hours; send a new key",
		}
	case first != jobID:
		return &replayError{jobID: first}
	}
	return nil
}

func noGenerator(r editorial.Request) error {
	message := "no generator is configured that may answer; set GENERATORS"
	switch {
	case r.Generator != "":
		return editorial.Invalidf("generator", "there is no generator of this name; /v1/capabilities lists those that there are")
	case !r.UseStock && !r.UseGeneration:
		message = "use_pexels and use_generation are both false: nothing may answer; set one of them"
	case r.UseStock && !r.UseGeneration:
		message = "only stock photos may answer and none are configured; set PEXELS_API_KEY or use_generation"
	}
	return &editorial.Error{Kind: editorial.Unavailable, Code: "no_generator", Message: message}
}

// newJob makes a job and its queued images. Candidate n gets the seed n-1
// further on, so that a round is different pictures of one request.
func newJob(id string, s Submission) editorial.Job {
	job := editorial.Job{ID: id, Kind: s.Kind, Request: s.Request, CreatedBy: s.Caller, State: editorial.JobQueued}
	seed := rand.Int64N(editorial.MaxSeed + 1)
	if s.Request.Seed != nil {
		seed = *s.Request.Seed
	}
	for n := range s.Request.Count {
		job.Images = append(job.Images, editorial.Image{
			ID: newID(), JobID: id, Number: n + 1, State: editorial.StateQueued,
			Seed: (seed + int64(n)) % (editorial.MaxSeed + 1), AltText: s.Request.AltText,
		})
	}
	return job
}

func (a *aftermath) submitted(job editorial.Job) {
	data := map[string]any{"count": len(job.Images), "by": job.CreatedBy}
	if job.DraftID != "" {
		data["draft"], data["round"], data["linked_by"] = job.DraftID, job.Round, string(job.LinkedBy)
	}
	a.jobEvent(job.ID, job.DraftID, "", "job.queued", data)
	for _, img := range job.Images {
		a.bells = append(a.bells, bellOf(img, job.Kind))
	}
}

type link struct {
	draftID string
	rule    editorial.LinkRule
}

// linkOf finds the draft that a submission is for. Without an id the title may
// tell, but only when exactly one draft awaiting approval bears it and nobody
// has picked its picture by hand.
func linkOf(ctx context.Context, tx *store.Tx, s Submission) (link, error) {
	if s.DraftID != "" {
		return link{s.DraftID, editorial.LinkTaskID}, nil
	}
	if !s.LinkTitle {
		return link{}, nil
	}
	title := s.Request.Title
	if title == "" {
		title = s.Request.Prompt
	}
	drafts, err := tx.DraftsTitled(ctx, title)
	if err != nil || len(drafts) != 1 {
		return link{}, err
	}
	state, err := tx.DraftImages(ctx, drafts[0].ID)
	if err != nil || state.HandPicked {
		return link{}, err
	}
	return link{drafts[0].ID, editorial.LinkTitle}, nil
}

// lockExistingDraft locks a draft's row, unless there is no such draft.
func lockExistingDraft(ctx context.Context, tx *store.Tx, draftID string) (editorial.DraftImages, error) {
	if _, err := tx.Draft(ctx, draftID); err != nil {
		return editorial.DraftImages{}, orNoTask(err)
	}
	return tx.LockDraft(ctx, draftID)
}

// lockWholeDraft is lockExistingDraft with the row of content_tasks locked too.
func lockWholeDraft(ctx context.Context, tx *store.Tx, draftID string) (editorial.DraftImages, *draftRow, error) {
	state, err := tx.LockDraft(ctx, draftID)
	if err != nil {
		return state, nil, err
	}
	row := &draftRow{id: draftID}
	// Where there is none, what LockDraft may have inserted is rolled back.
	_, err = row.lock(ctx, tx)
	return state, row, orNoTask(err)
}

func orNoTask(err error) error {
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return &editorial.Error{
		Kind: editorial.NotFound, Code: "not_found", Field: "task_id", Message: "there is no task with this id",
	}
}
