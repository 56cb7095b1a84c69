package dispatch

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/telemetry"
)

// Decision is what an editor says about a draft.
type Decision struct {
	DraftID  string
	Approved bool
	Reviewer string
	Feedback string
	// ImageID and SHA256 bind an approval to the picture that the editor saw.
	// Either may stand alone; both empty is a blind approval.
	ImageID string
	SHA256  string
	// NewRound asks, with a rejection, for other pictures; Feedback goes into
	// their prompt.
	NewRound bool
	// SeenRound is the round that was on the editor's screen: when another has
	// started since, the decision is a conflict. Nil: not checked.
	SeenRound *int
	Caller    string
}

// Outcome is the real state of a draft after a decision, whatever was asked:
// the seed's front end sends every decision twice.
type Outcome struct {
	Draft     editorial.Draft
	State     editorial.DraftImages
	Post      *editorial.Post // nil while nothing is published; its times of creation and change may be zero
	Reviewer  string
	DecidedAt time.Time
	JobID     string // the round that the decision started, if it did
	Repeated  bool   // the draft was in that state already
}

// Decide records an approval or a rejection and publishes when everything else
// is there. An approval that comes before its picture waits for it.
func (d *Dispatch) Decide(ctx context.Context, dec Decision) (Outcome, error) {
	var o Outcome
	err := d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		state, row, err := lockWholeDraft(ctx, tx, dec.DraftID)
		if err != nil {
			return err
		}
		if dec.SeenRound != nil && *dec.SeenRound != state.Round {
			return editorial.Conflictf("round_changed", "other pictures have been asked for meanwhile: this is round %d, not %d; look at them and decide again", state.Round, *dec.SeenRound)
		}
		c := &decision{
			Decision: dec, publication: publication{state: &state, row: row}, d: d, tx: tx, after: after,
		}
		if dec.Approved {
			err = c.approve(ctx)
		} else {
			err = c.reject(ctx)
		}
		if err != nil {
			return err
		}
		if err := c.save(ctx, tx); err != nil {
			return err
		}
		o, err = c.outcome(ctx)
		return err
	})
	return o, err
}

// outcome is what is true when the transaction commits: what it wrote is not
// read again.
func (c *decision) outcome(ctx context.Context) (Outcome, error) {
	o := Outcome{
		Draft: *c.row.draft, State: *c.state, Post: c.post, JobID: c.jobID, Repeated: c.repeated,
		Reviewer: c.Reviewer, DecidedAt: c.row.draft.UpdatedAt,
	}
	last := []editorial.Approval{c.approval}
	if c.repeated {
		var err error
		if last, err = c.tx.Approvals(ctx, c.DraftID); err != nil {
			return o, err
		}
	}
	if n := len(last); n > 0 {
		o.Reviewer, o.DecidedAt = last[n-1].Reviewer, last[n-1].DecidedAt
	}
	if o.Post == nil && o.State.PostID != "" {
		post, err := c.tx.Post(ctx, o.State.PostID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return o, err
		}
		if err == nil {
			o.Post = &post
		}
	}
	return o, nil
}

// decision is one Decide under way, inside its transaction.
type decision struct {
	Decision
	publication
	d        *Dispatch
	tx       *store.Tx
	after    *aftermath
	jobID    string
	repeated bool
}

func (c *decision) approve(ctx context.Context) error {
	status := c.row.draft.Status.Awaits()
	if status != editorial.DraftPublished && status != editorial.DraftApproved && !status.CanBecome(editorial.DraftApproved) {
		return editorial.Conflictf("wrong_status", "a task that is %q cannot be approved; it must be awaiting_approval", c.row.draft.Status)
	}
	if strings.TrimSpace(c.row.draft.Content()) == "" {
		return editorial.Conflictf("empty_content", "the task has no content to publish yet")
	}
	bound, err := c.boundImage(ctx)
	if err != nil {
		return err
	}
	if c.saidBefore(status, bound) {
		c.repeated = true
		return c.d.publish(ctx, c.tx, &c.publication, c.after)
	}
	if err := c.record(ctx, bound); err != nil {
		return err
	}
	if status != editorial.DraftPublished {
		c.setStatus(editorial.DraftApproved, "approved")
	}
	if bound.ID == "" {
		if err := c.startMissingRound(ctx); err != nil {
			return err
		}
	}
	c.state.ApprovedRound, c.state.ApprovedImageID = c.state.Round, bound.ID
	if bound.ID == "" && status == editorial.DraftPublished && c.pickedAnother() {
		c.state.ApprovedImageID = c.state.ChosenImageID
	}
	if bound.ID != "" {
		c.state.ChosenImageID, c.state.HandPicked = bound.ID, true
	}
	return c.d.publish(ctx, c.tx, &c.publication, c.after)
}

// saidBefore reports whether the approval adds nothing to what is decided.
func (c *decision) saidBefore(status editorial.DraftStatus, bound editorial.Image) bool {
	switch {
	case status == editorial.DraftPublished && c.state.Round == 0:
		return true // published by the site itself, before us
	case status == editorial.DraftPublished && bound.ID == "":
		return !c.pickedAnother() && (c.state.PublishedRound == c.state.Round || c.state.ApprovedRound == c.state.Round)
	case status == editorial.DraftPublished:
		return bound.ID == c.state.PublishedImageID
	case status == editorial.DraftApproved:
		return c.state.Approved() && (bound.ID == "" || bound.ID == c.state.ApprovedImageID)
	default:
		return false
	}
}

// pickedAnother reports whether a person has picked another picture than the
// one that is public: approving then means that one.
func (c *decision) pickedAnother() bool {
	return c.state.HandPicked && c.state.ChosenImageID != "" && c.state.ChosenImageID != c.state.PublishedImageID
}

// boundImage is the picture that the approval names, checked to be the one that
// can still be published; the zero Image for a blind approval.
func (c *decision) boundImage(ctx context.Context) (editorial.Image, error) {
	if c.ImageID == "" && c.SHA256 == "" {
		return editorial.Image{}, nil
	}
	images, err := c.tx.ImagesOfDraft(ctx, c.DraftID)
	if err != nil {
		return editorial.Image{}, err
	}
	var img editorial.Image
	c.round = []editorial.Image{}
	for _, candidate := range images {
		if candidate.Round == c.state.Round {
			c.round = append(c.round, candidate)
		}
		// Of equal pictures the newest: an old round's twin is not on the screen.
		if candidate.ID == c.ImageID || c.ImageID == "" && candidate.SHA256 == c.SHA256 {
			img = candidate
		}
	}
	switch {
	case img.ID == "":
		return img, editorial.Conflictf("picture_changed", "the picture that was approved is not this task's, or no longer; look at the present ones and approve again")
	case c.SHA256 != "" && img.SHA256 != c.SHA256:
		return img, editorial.Conflictf("picture_changed", "the picture is not the one that was approved: its digest differs; look again")
	case img.Round != c.state.Round && img.ID != c.state.ChosenImageID && img.ID != c.state.PublishedImageID:
		return img, editorial.Conflictf("picture_superseded", "a newer round of pictures has taken this one's place; look at them and approve again")
	case img.State.IsFinal() && img.State != editorial.StateStored:
		return img, editorial.Conflictf("picture_"+string(img.State), "the picture that was approved is %s and cannot be published", img.State)
	}
	return img, nil
}

// record writes the audit row and makes it the draft's approval.
func (c *decision) record(ctx context.Context, bound editorial.Image) error {
	a := editorial.Approval{
		ID: newID(), DraftID: c.DraftID, Round: c.state.Round, Approved: c.Approved,
		Reviewer: c.Reviewer, Caller: c.Caller, Feedback: c.Feedback, ImageID: bound.ID, SHA256: bound.SHA256,
	}
	if err := c.tx.InsertApproval(ctx, &a); err != nil {
		return err
	}
	c.approval, c.state.ApprovalID = a, a.ID
	kind := "draft.rejected"
	if c.Approved {
		kind = "draft.approved"
	}
	data := map[string]any{"draft_id": c.DraftID, "round": a.Round, "reviewer": a.Reviewer, "feedback": a.Feedback}
	if bound.ID != "" {
		data["image_id"], data["sha256"] = bound.ID, bound.SHA256
	}
	eventID := c.after.tell(tidings{kind: kind, draftID: c.DraftID, data: data})
	return c.enterDecision(ctx, kind, map[string]any{"event": eventID, "reviewer": a.Reviewer})
}

// enterDecision writes a decision into the history of the round that it is
// about, where there is one.
func (c *decision) enterDecision(ctx context.Context, kind string, data map[string]any) error {
	round, err := c.candidates(ctx, c.tx)
	if err != nil {
		return err
	}
	if len(round) == 0 {
		c.after.notes = append(c.after.notes, Note{DraftID: c.DraftID, Type: kind})
		return nil
	}
	c.after.jobEvent(round[0].JobID, c.DraftID, "", kind, data)
	return nil
}

func (c *decision) setStatus(status editorial.DraftStatus, approval string) {
	c.row.set(map[string]any{
		"status": string(status), "approval_status": approval, "approved_by": c.Reviewer,
		"human_feedback": c.Feedback, "approval_notes": c.Feedback, "approval_timestamp": time.Now().UTC(),
	})
}

// startMissingRound asks for a picture when the approved draft has none and
// none is on its way: the one that its row names, else one of its title.
func (c *decision) startMissingRound(ctx context.Context) error {
	if c.state.HandPicked && c.state.ChosenImageID != "" {
		return nil
	}
	round, err := c.candidates(ctx, c.tx)
	if err != nil {
		return err
	}
	if stored, live := editorial.Candidates(round); live || len(stored) > 0 {
		return nil
	}
	return c.startRound(ctx, editorial.LinkApproval, c.d.requestFor(c.row.draft))
}

func (c *decision) startRound(ctx context.Context, rule editorial.LinkRule, req editorial.Request) error {
	req.Normalize()
	s := Submission{Kind: editorial.KindGenerate, Request: req, DraftID: c.DraftID, Caller: c.Caller}
	if req.SourceURL != "" {
		s.Kind = editorial.KindImport
	}
	if !c.d.Capabilities.CanAnswer(req) {
		return noGenerator(req)
	}
	if err := c.d.affordable(ctx, &c.tx.Reader, req); err != nil {
		return err
	}
	c.jobID = newID()
	job := newJob(c.jobID, s)
	job.DraftID, job.LinkedBy, job.Trace = c.DraftID, rule, telemetry.Traceparent(ctx)
	return startRound(ctx, c.tx, &c.publication, &job, c.after)
}

// requestFor is the picture that a draft itself suggests: the foreign one that
// its row names is copied, else its title is drawn.
func (d *Dispatch) requestFor(draft *editorial.Draft) editorial.Request {
	title := draft.Title()
	req := editorial.Request{
		Title:         editorial.Clip(title, editorial.MaxTitle),
		Prompt:        editorial.Clip(title, editorial.MaxPrompt),
		UseStock:      true,
		UseGeneration: true,
	}
	for len([]rune(req.Prompt)) < editorial.MinPrompt {
		req.Prompt += "."
	}
	if url := draft.PictureURL(); isForeign(url, d.Links) {
		req.SourceURL = url
	}
	return req
}

func isForeign(url string, links Links) bool {
	if !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") {
		return false
	}
	_, ours := links.KeyOf(url)
	return !ours
}

func (c *decision) reject(ctx context.Context) error {
	status := c.row.draft.Status.Awaits()
	switch {
	case status == editorial.DraftPublished:
		return editorial.Conflictf("already_published", "the task is published and cannot be rejected any more")
	case status == editorial.DraftRejected && !c.NewRound:
		c.repeated = true
		return nil
	case status != editorial.DraftRejected && !status.CanBecome(editorial.DraftRejected):
		return editorial.Conflictf("wrong_status", "a task that is %q cannot be rejected; it must be awaiting_approval", c.row.draft.Status)
	}
	if err := c.record(ctx, editorial.Image{}); err != nil {
		return err
	}
	c.state.ApprovalID, c.state.ApprovedRound, c.state.ApprovedImageID = "", c.state.PublishedRound, ""
	if !c.NewRound {
		c.setStatus(editorial.DraftRejected, "rejected")
		return nil
	}
	// Other pictures are on their way: the draft waits for a decision again.
	c.setStatus(editorial.DraftAwaitingApproval, "rejected")
	req, err := c.nextRequest(ctx)
	if err != nil {
		return err
	}
	return c.startRound(ctx, editorial.LinkReject, req)
}

// nextRequest is the last round's request with the reason added to it and a
// seed of its own.
func (c *decision) nextRequest(ctx context.Context) (editorial.Request, error) {
	job, err := c.tx.JobOfRound(ctx, c.DraftID, c.state.Round)
	if errors.Is(err, store.ErrNotFound) {
		return withReason(c.d.requestFor(c.row.draft), c.Feedback), nil
	}
	if err != nil {
		return editorial.Request{}, err
	}
	req := job.Request
	req.Seed, req.SourceURL, req.Credit, req.AgainOf = nil, "", nil, ""
	if !req.UseStock && !req.UseGeneration {
		req.UseStock, req.UseGeneration = true, true
	}
	req.Page++
	if req.Page > editorial.MaxPage {
		req.Page = 1
	}
	return withReason(req, c.Feedback), nil
}

// withReason puts an editor's reason behind those of earlier rounds. The prompt
// stays as it was asked for; generators get both. What no longer fits is the
// oldest wish.
func withReason(req editorial.Request, reason string) editorial.Request {
	reason = strings.TrimSpace(editorial.Clip(strings.TrimSpace(reason), editorial.MaxPrompt/2))
	if reason == "" {
		return req
	}
	if earlier := strings.TrimRight(req.Instruction, " ."); earlier != "" {
		reason = earlier + ". " + reason
	}
	if wishes := []rune(reason); len(wishes) > editorial.MaxPrompt {
		reason = string(wishes[len(wishes)-editorial.MaxPrompt:])
	}
	req.Instruction = reason
	return req
}
