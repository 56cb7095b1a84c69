package store

import (
	"context"
	"fmt"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// MaxCounted is how far a survey counts. Whoever has more of anything waiting
// does not need the exact number, and a scrape must not cost what the backlog
// weighs.
const MaxCounted = 100_000

// Standing is how many rows stand at one place, up to [MaxCounted], and since
// when the oldest has existed; zero when there is none.
type Standing struct {
	Count  int
	Oldest time.Time
}

// Survey is where everything stands. Each of its numbers comes from an index
// of its own that holds nothing else.
type Survey struct {
	Queued, Generating, Uploading Standing
	Failed                        Standing // pictures that ended so, whoever still wants them
	Approved                      Standing // approvals that wait for their picture
	DeliveriesPending             Standing
	DeliveriesFailed              Standing
}

// The places of a survey. The states stand in the text, because a planner
// matches a partial index with a condition that it can read.
var places = []struct {
	at    func(*Survey) *Standing
	query string
}{
	{func(s *Survey) *Standing { return &s.Queued }, `SELECT created_at AS since FROM images WHERE state = 'queued' ORDER BY created_at`},
	{func(s *Survey) *Standing { return &s.Generating }, `SELECT created_at AS since FROM images WHERE state = 'generating' ORDER BY created_at`},
	{func(s *Survey) *Standing { return &s.Uploading }, `SELECT created_at AS since FROM images WHERE state = 'uploading' ORDER BY created_at`},
	{func(s *Survey) *Standing { return &s.Failed }, `SELECT finalized_at AS since FROM images WHERE state = 'failed' ORDER BY finalized_at`},
	{func(s *Survey) *Standing { return &s.Approved }, `SELECT updated_at AS since FROM draft_images WHERE approved_round > published_round ORDER BY updated_at`},
	{func(s *Survey) *Standing { return &s.DeliveriesPending }, `SELECT created_at AS since FROM webhook_deliveries WHERE state = 'pending' ORDER BY created_at`},
	{func(s *Survey) *Standing { return &s.DeliveriesFailed }, `SELECT finalized_at AS since FROM webhook_deliveries WHERE state = 'failed' ORDER BY finalized_at`},
}

// Survey counts. now is the database's clock, by which the ages are meant.
func (r *Reader) Survey(ctx context.Context) (survey Survey, now time.Time, err error) {
	var clock stamp
	if err := r.one(ctx, &clock, `SELECT {now}`); err != nil {
		return survey, now, fmt.Errorf("survey: %w", err)
	}
	for _, p := range places {
		var row struct {
			N      int   `db:"n"`
			Oldest stamp `db:"oldest"`
		}
		err := r.one(ctx, &row, `SELECT COUNT(*) AS n, MIN(since) AS oldest FROM (`+p.query+` LIMIT ?) AS place`, MaxCounted)
		if err != nil {
			return survey, now, fmt.Errorf("survey: %w", err)
		}
		*p.at(&survey) = Standing{row.N, row.Oldest.Time}
	}
	return survey, clock.Time, nil
}

// Trouble is a picture that failed, or waits to be tried again after an error.
type Trouble struct {
	ImageID, JobID, DraftID string
	Title                   string // of the request; may be empty
	Failure                 editorial.Failure
	Failed                  bool      // for good, until somebody retries it; else it is tried again by itself
	NextAttemptAt           time.Time // when it is, unless Failed
	Spooled                 bool      // its bytes are there: a retry uploads and generates nothing
	SpoolID                 string    // where, when Spooled
}

// Troubles lists the newest troubles, first those that are tried again and then
// the failed ones that somebody may still want: a picture of a round that a
// newer one has replaced is nobody's trouble any more.
func (r *Reader) Troubles(ctx context.Context, limit int) ([]Trouble, error) {
	waiting, err := r.troubles(ctx, false, `i.failure IS NOT NULL AND i.state IN ('queued', 'generating', 'uploading')
		ORDER BY i.updated_at DESC LIMIT ?`, limit)
	if err != nil {
		return nil, err
	}
	failed, err := r.troubles(ctx, true, `i.state = 'failed' AND (i.draft_id IS NULL OR i.round = d.round)
		ORDER BY i.finalized_at DESC LIMIT ?`, limit)
	return append(waiting, failed...), err
}

func (r *Reader) troubles(ctx context.Context, failed bool, where string, limit int) ([]Trouble, error) {
	var rows []struct {
		ID      string                       `db:"id"`
		JobID   string                       `db:"job_id"`
		DraftID text                         `db:"draft_id"`
		Title   text                         `db:"title"`
		Failure document[*editorial.Failure] `db:"failure"`
		Next    stamp                        `db:"next_attempt_at"`
		Spool   text                         `db:"spool_id"`
		Made    bool                         `db:"made"`
	}
	err := r.all(ctx, &rows, `SELECT i.id, i.job_id, i.draft_id, `+r.titled()+` AS title, i.failure, i.next_attempt_at, i.spool_id,
		i.raw_sha256 <> '' AS made
		FROM images i JOIN image_jobs j ON j.id = i.job_id LEFT JOIN draft_images d ON d.draft_id = i.draft_id
			LEFT JOIN content_tasks t ON t.task_id = i.draft_id WHERE `+where, limit)
	if err != nil {
		return nil, fmt.Errorf("list troubles: %w", err)
	}
	list := make([]Trouble, 0, len(rows))
	for _, row := range rows {
		t := Trouble{ImageID: row.ID, JobID: row.JobID, DraftID: string(row.DraftID), Title: string(row.Title), Failed: failed}
		if t.Spooled = row.Made && row.Spool != ""; t.Spooled {
			t.SpoolID = string(row.Spool)
		}
		if !failed {
			t.NextAttemptAt = row.Next.Time
		}
		if row.Failure.V != nil {
			t.Failure = *row.Failure.V
		}
		list = append(list, t)
	}
	return list, nil
}

// TaskFacts are what a queue's dashboard shows of the row behind a task.
type TaskFacts struct {
	Title string
	State string
	Epoch int64
}

// FactsOfImage says what the row behind an image's task is about.
func (r *Reader) FactsOfImage(ctx context.Context, imageID string) (TaskFacts, error) {
	return r.facts(ctx, imageID, `SELECT `+r.titled()+` AS title, i.state, i.epoch
		FROM images i JOIN image_jobs j ON j.id = i.job_id LEFT JOIN content_tasks t ON t.task_id = i.draft_id WHERE i.id = ?`)
}

// titled is what a picture is for, in people's words: the request's title, else
// its draft's, of the job j and the draft t.
func (r *Reader) titled() string {
	draft := "t.topic" // no version of the site lacks it
	if r.site.has("content_tasks", "title") {
		draft = "NULLIF(t.title, ''), t.topic"
	}
	return `COALESCE(NULLIF(j.request->>'title', ''), ` + draft + `, '')`
}

// FactsOfDelivery says what the row behind a delivery's task is about.
func (r *Reader) FactsOfDelivery(ctx context.Context, id string) (TaskFacts, error) {
	return r.facts(ctx, id, `SELECT event AS title, state, epoch FROM webhook_deliveries WHERE id = ?`)
}

func (r *Reader) facts(ctx context.Context, id, query string) (TaskFacts, error) {
	var row struct {
		Title text   `db:"title"`
		State string `db:"state"`
		Epoch int64  `db:"epoch"`
	}
	if !isUUID(id) {
		return TaskFacts{}, fmt.Errorf("read row of task %q: %w", id, ErrNotFound)
	}
	if err := r.one(ctx, &row, query, id); err != nil {
		return TaskFacts{}, fmt.Errorf("read row of task %s: %w", id, err)
	}
	return TaskFacts{string(row.Title), row.State, row.Epoch}, nil
}
