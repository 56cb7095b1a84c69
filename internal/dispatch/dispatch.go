// Package dispatch is the only place where a row changes and a task is rung:
// submit, decide, publish, choose, retry, cancel, reconcile, and the steps that
// a worker reports.
//
// Every method follows one pattern: change the rows in one transaction, commit,
// and only then ring. A ring that fails is logged and is no error of the
// request, because the reconciler rings whatever a row says is due. Its one
// trap is the order of locks: the draft's row in draft_images first, then the
// job's, then images, then the site's rows.
package dispatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/tasks"
)

// Bell is a task to ring.
type Bell struct {
	Type    string // tasks.TypeGenerate and so on
	Queue   string
	Payload tasks.Payload
	Trace   string // traceparent of the request that the job began with; may be empty
}

// TaskState is what the queue knows of a task.
type TaskState int

// The states that make a difference to the reconciler.
const (
	TaskAbsent  TaskState = iota // unknown, archived, or without a state: nobody will run it
	TaskWaiting                  // pending, scheduled or waiting to be retried
	TaskActive                   // a worker has it, or had it when it died
)

// Ringer is the queue.
type Ringer interface {
	// Ring enqueues tasks. A task id that is taken already counts as rung.
	Ring(ctx context.Context, bells ...Bell) error
	// States looks tasks up, in the order asked.
	States(ctx context.Context, bells []Bell) ([]TaskState, error)
}

// Note says that something about a job or a draft changed; whoever waits for
// it reads the row again.
type Note struct {
	JobID   string `json:"job,omitempty"`
	ImageID string `json:"image,omitempty"`
	DraftID string `json:"draft,omitempty"`
	Type    string `json:"type"`
}

// Notifier tells waiting clients and working workers. It never blocks for long
// and never fails: the row remains the truth.
type Notifier interface {
	Notify(ctx context.Context, notes ...Note)
}

// Capabilities says which requests some configured generator may answer.
type Capabilities interface {
	CanAnswer(req editorial.Request) bool
}

// Links recognises our own public URLs.
type Links interface {
	KeyOf(url string) (key string, ok bool)
}

// Config is what a Dispatch needs. Every field down to Log is required.
type Config struct {
	Store        *store.Store
	Ringer       Ringer
	Notifier     Notifier
	Capabilities Capabilities
	Links        Links
	Log          *slog.Logger
	// Lease is how long a claim holds without a heartbeat. 0: 60 s.
	Lease time.Duration
	// SpoolLostAfter is the silence after which a spool counts as lost. 0: 15 min.
	SpoolLostAfter time.Duration
	// Spending is what pictures cost and may cost.
	Spending Spending
	// Targets lists who is told of a published post ("revalidate"), beside the
	// endpoints; may be nil.
	Targets []string
	// PlainWebhooks lets endpoints have http:// URLs.
	PlainWebhooks bool
	// MaxJobs and MaxJobsPerCaller bound the unfinished jobs that Submit adds to.
	// 0: no bound.
	MaxJobs, MaxJobsPerCaller int
}

// Dispatch is safe for concurrent use by any number of processes on one
// database.
type Dispatch struct {
	Config
	observer observer
	backlog  backlog
}

// New returns a Dispatch.
func New(c Config) *Dispatch {
	if c.Lease == 0 {
		c.Lease = time.Minute
	}
	if c.SpoolLostAfter == 0 {
		c.SpoolLostAfter = 15 * time.Minute
	}
	return &Dispatch{Config: c}
}

// ringTimeout bounds what a request waits for a queue that does not answer: the
// row is in, so nothing depends on it.
const ringTimeout = 700 * time.Millisecond

// aftermath collects what to do once the transaction has committed. A
// transaction that runs again starts with an empty one.
type aftermath struct {
	bells  []Bell
	notes  []Note
	events []editorial.JobEvent
	told   []tidings
}

func (a *aftermath) event(img editorial.Image, kind string, data map[string]any) {
	a.jobEvent(img.JobID, img.DraftID, img.ID, kind, data)
}

func (a *aftermath) jobEvent(jobID, draftID, imageID, kind string, data map[string]any) {
	a.events = append(a.events, editorial.JobEvent{JobID: jobID, ImageID: imageID, Type: kind, Data: data})
	a.notes = append(a.notes, Note{JobID: jobID, ImageID: imageID, DraftID: draftID, Type: kind})
}

// inTx runs fn in a transaction, writes the events it collected, commits, and
// only then rings and notifies.
func (d *Dispatch) inTx(ctx context.Context, fn func(*store.Tx, *aftermath) error) error {
	var after aftermath
	err := d.Store.InTx(ctx, func(tx *store.Tx) error {
		after = aftermath{}
		if err := fn(tx, &after); err != nil {
			return err
		}
		if err := d.queueDeliveries(ctx, tx, &after); err != nil {
			return err
		}
		return tx.AddEvents(ctx, after.events...)
	})
	if err != nil {
		return err
	}
	d.ringAndNotify(ctx, after)
	return nil
}

// ringAndNotify is what comes after the commit.
func (d *Dispatch) ringAndNotify(ctx context.Context, after aftermath) {
	d.ring(ctx, after.bells...)
	if len(after.notes) > 0 {
		d.Notifier.Notify(ctx, after.notes...)
	}
}

func (d *Dispatch) ring(ctx context.Context, bells ...Bell) {
	if len(bells) == 0 {
		return
	}
	// The commit is done: a client that hangs up now must not leave the task unrung.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ringTimeout)
	defer cancel()
	if err := d.Ringer.Ring(ctx, bells...); err != nil {
		d.Log.WarnContext(ctx, "the queue did not take a task; the reconciler will ring it",
			"task", bells[0].Payload.TaskID(), "tasks", len(bells), "error", err)
	}
}

// bellOf is the task that works on an image in its present state.
func bellOf(img editorial.Image, kind editorial.JobKind) Bell {
	b := Bell{Type: tasks.TypeGenerate, Queue: tasks.QueueGenerate, Payload: tasks.NewPayload(img.ID, img.Epoch)}
	switch {
	case img.State == editorial.StateUploading:
		b.Type, b.Queue = tasks.TypeUpload, tasks.UploadQueue(img.SpoolID)
	case kind == editorial.KindBackfill:
		b.Queue = tasks.QueueBackfill
	}
	return b
}

// of has a bell go on with the trace of its job, whoever rings it.
func (b Bell) of(trace string) Bell {
	b.Trace = trace
	return b
}

// newID is a random id that sorts by time, so that rows land side by side.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
