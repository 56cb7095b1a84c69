package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

const jobColumns = `id, kind, draft_id, round, final_state, request, linked_by, created_by,
	superseded_by, failure, traceparent, created_at, updated_at, finalized_at`

type jobRow struct {
	ID           string                       `db:"id"`
	Kind         string                       `db:"kind"`
	DraftID      text                         `db:"draft_id"`
	Round        int                          `db:"round"`
	FinalState   text                         `db:"final_state"`
	Request      document[editorial.Request]  `db:"request"`
	LinkedBy     string                       `db:"linked_by"`
	CreatedBy    string                       `db:"created_by"`
	SupersededBy text                         `db:"superseded_by"`
	Failure      document[*editorial.Failure] `db:"failure"`
	Trace        string                       `db:"traceparent"`
	CreatedAt    stamp                        `db:"created_at"`
	UpdatedAt    stamp                        `db:"updated_at"`
	FinalizedAt  stamp                        `db:"finalized_at"`
}

// job is the row as a Job. While no final state is recorded the images say
// where it stands, so a step of one image never has to write its job.
func (r *jobRow) job(images []editorial.Image) editorial.Job {
	j := editorial.Job{
		ID: r.ID, Kind: editorial.JobKind(r.Kind), DraftID: string(r.DraftID), Round: r.Round,
		State: editorial.JobState(r.FinalState), Request: r.Request.V,
		LinkedBy: editorial.LinkRule(r.LinkedBy), CreatedBy: r.CreatedBy,
		SupersededBy: string(r.SupersededBy), Failure: r.Failure.V, Trace: r.Trace,
		CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time, FinalizedAt: r.FinalizedAt.Time,
		Images: images,
	}
	for i := range images {
		if images[i].UpdatedAt.After(j.UpdatedAt) {
			j.UpdatedAt = images[i].UpdatedAt
		}
	}
	if j.State == "" {
		states := make([]editorial.ImageState, len(images))
		for i := range images {
			states[i] = images[i].State
		}
		j.State = editorial.JobStateOf(states)
	}
	return j
}

const insertJob = `INSERT INTO image_jobs
	(id, kind, draft_id, round, request, linked_by, created_by, traceparent, created_at, updated_at)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, {now}, {now})`

func insertJobArgs(j *editorial.Job) []any {
	return []any{j.ID, string(j.Kind), text(j.DraftID), j.Round, doc(j.Request), string(j.LinkedBy), j.CreatedBy, j.Trace}
}

// InsertJob inserts a job and its images, each with its id, number and seed set.
// Their times are the database's and are filled in, so that nobody has to read
// back what was just written.
func (t *Tx) InsertJob(ctx context.Context, j *editorial.Job) error {
	var now stamp
	if err := t.one(ctx, &now, insertJob+` RETURNING created_at`, insertJobArgs(j)...); err != nil {
		return fmt.Errorf("insert job %s: %w", j.ID, err)
	}
	j.CreatedAt, j.UpdatedAt = now.Time, now.Time
	if err := t.InsertImages(ctx, *j, j.Images); err != nil {
		return err
	}
	for _, img := range j.Images {
		j.UpdatedAt = img.UpdatedAt
	}
	return nil
}

// insertImages is the statement for a job's images and its arguments.
func insertImages(j *editorial.Job, images []editorial.Image) (query string, args []any) {
	row := `(?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, {now}, {now}, {now}, NULL)`
	timeout := float64(j.Request.Timeout)
	if timeout > 0 {
		row = strings.Replace(row, `NULL`, `{now+?}`, 1)
	}
	priority := 0
	if j.Kind == editorial.KindBackfill {
		priority = 1
	}
	for _, img := range images {
		args = append(args, img.ID, j.ID, text(j.DraftID), j.Round, img.Number, priority, img.Epoch, img.Seed, img.AltText)
		if timeout > 0 {
			args = append(args, timeout)
		}
	}
	return `INSERT INTO images
		(id, job_id, draft_id, round, number, state, priority, epoch, seed, alt_text, next_attempt_at, created_at, updated_at, deadline_at)
		VALUES ` + rows(len(images), row), args
}

// rows is the VALUES of so many rows.
func rows(n int, row string) string {
	return strings.Repeat(row+", ", n-1) + row
}

// InsertImages adds queued images to a job and fills in their times.
func (t *Tx) InsertImages(ctx context.Context, j editorial.Job, images []editorial.Image) error {
	query, args := insertImages(&j, images)
	var now []stamp // the same for each
	err := t.all(ctx, &now, query+` RETURNING created_at`, args...)
	if err != nil {
		return fmt.Errorf("insert images of job %s: %w", j.ID, err)
	}
	queuedAt(images, now[0].Time)
	return nil
}

func queuedAt(images []editorial.Image, now time.Time) {
	for i := range images {
		images[i].CreatedAt, images[i].UpdatedAt, images[i].NextAttemptAt = now, now, now
	}
}

// Accept inserts a job that concerns no draft, with its images and the first
// line of its history, and commits. It is what every client waits for, and so
// one statement where the database can: PostgreSQL checks the references of
// the three inserts when all of them are done.
func (s *Store) Accept(ctx context.Context, j *editorial.Job, queued editorial.JobEvent) error {
	if !s.d.insertsInWith {
		return s.InTx(ctx, func(tx *Tx) error {
			if err := tx.InsertJob(ctx, j); err != nil {
				return err
			}
			return tx.AddEvents(ctx, queued)
		})
	}
	pictures, pictureArgs := insertImages(j, j.Images)
	query := `WITH job AS (` + insertJob + ` RETURNING created_at), pictures AS (` + pictures +
		`), history AS (` + insertEvents(1) + `) SELECT created_at FROM job`
	args := slices.Concat(insertJobArgs(j), pictureArgs, insertEventsArgs([]editorial.JobEvent{queued}))
	var now stamp
	if err := s.one(ctx, &now, query, args...); err != nil {
		return fmt.Errorf("accept job %s: %w", j.ID, err)
	}
	j.CreatedAt, j.UpdatedAt = now.Time, now.Time
	queuedAt(j.Images, now.Time)
	return nil
}

// Job returns a job with its images, or ErrNotFound.
func (r *Reader) Job(ctx context.Context, id string) (editorial.Job, error) {
	job, err := r.readJob(ctx, id)
	if err == nil && job.State.IsFinal() && job.FinalizedAt.IsZero() {
		// Its last image ended between the two statements, and its own end was
		// recorded in the same transaction.
		return r.readJob(ctx, id)
	}
	return job, err
}

func (r *Reader) readJob(ctx context.Context, id string) (editorial.Job, error) {
	if !isUUID(id) {
		return editorial.Job{}, fmt.Errorf("read job %q: %w", id, ErrNotFound)
	}
	var row jobRow
	if err := r.one(ctx, &row, `SELECT `+jobColumns+` FROM image_jobs WHERE id = ?`, id); err != nil {
		return editorial.Job{}, fmt.Errorf("read job %s: %w", id, err)
	}
	images, err := r.ImagesOfJob(ctx, id)
	if err != nil {
		return editorial.Job{}, err
	}
	return row.job(images), nil
}

// JobWithoutImages returns a job's own row: what a worker needs of it.
func (r *Reader) JobWithoutImages(ctx context.Context, id string) (editorial.Job, error) {
	var row jobRow
	if err := r.one(ctx, &row, `SELECT `+jobColumns+` FROM image_jobs WHERE id = ?`, id); err != nil {
		return editorial.Job{}, fmt.Errorf("read job %s: %w", id, err)
	}
	return row.job(nil), nil
}

// Origin is where a job comes from: what kind it is, and the trace of the
// request that was accepted, if any.
type Origin struct {
	Kind  editorial.JobKind
	Trace string
}

// JobOrigins returns the origin of each job.
func (r *Reader) JobOrigins(ctx context.Context, ids []string) (map[string]Origin, error) {
	var rows []struct {
		ID    string `db:"id"`
		Kind  string `db:"kind"`
		Trace string `db:"traceparent"`
	}
	if err := r.allIn(ctx, &rows, `SELECT id, kind, traceparent FROM image_jobs WHERE id IN (?)`, ids); err != nil {
		return nil, fmt.Errorf("read origins of jobs: %w", err)
	}
	origins := make(map[string]Origin, len(rows))
	for _, row := range rows {
		origins[row.ID] = Origin{editorial.JobKind(row.Kind), row.Trace}
	}
	return origins, nil
}

// JobOfRound returns the job of a draft's round, or ErrNotFound.
func (r *Reader) JobOfRound(ctx context.Context, draftID string, round int) (editorial.Job, error) {
	var id string
	if err := r.one(ctx, &id, `SELECT id FROM image_jobs WHERE draft_id = ? AND round = ?`, draftID, round); err != nil {
		return editorial.Job{}, fmt.Errorf("read round %d of draft %s: %w", round, draftID, err)
	}
	return r.Job(ctx, id)
}

// LockJob holds the rows of a job and its images until the transaction ends and
// returns the job. Images of one job that become final at the same moment would
// otherwise each take the other for live.
func (t *Tx) LockJob(ctx context.Context, id string) (editorial.Job, error) {
	var row jobRow
	if err := t.one(ctx, &row, `SELECT `+jobColumns+` FROM image_jobs WHERE id = ? {lock}`, id); err != nil {
		return editorial.Job{}, fmt.Errorf("lock job %s: %w", id, err)
	}
	images, err := t.images(ctx, `job_id = ? ORDER BY number, created_at {lock}`, id)
	if err != nil {
		return editorial.Job{}, err
	}
	return row.job(images), nil
}

// FinishJob records the state in which a job ended. A live state reopens it.
func (t *Tx) FinishJob(ctx context.Context, id string, state editorial.JobState, f *editorial.Failure, supersededBy string) error {
	final := state
	finalized := `{now}`
	if !state.IsFinal() {
		final, finalized = "", `NULL`
	}
	_, err := t.exec(ctx, `UPDATE image_jobs SET final_state = ?, failure = ?, superseded_by = ?,
		finalized_at = `+finalized+`, updated_at = {now} WHERE id = ?`,
		text(final), doc(f), text(supersededBy), id)
	if err != nil {
		return fmt.Errorf("finish job %s: %w", id, err)
	}
	return nil
}

// JobFilter narrows a listing. The zero value lists everything.
type JobFilter struct {
	State     editorial.JobState
	DraftID   string
	Kind      editorial.JobKind
	CreatedBy string
	Stage     editorial.Stage // of which a picture is in, or failed at
	Backend   string          // that made, or is making, one of its pictures
	// CreatedAfter is of that moment and later, CreatedBefore earlier.
	CreatedAfter  time.Time
	CreatedBefore time.Time
	// Before and BeforeID are the last row of the page before: newest first.
	Before   time.Time
	BeforeID string
	Limit    int // rows; the caller's to bound
}

// Jobs lists jobs, newest first, with their images.
func (r *Reader) Jobs(ctx context.Context, f JobFilter) ([]editorial.Job, error) {
	where, args := f.conditions()
	var rows []jobRow
	err := r.all(ctx, &rows, `SELECT `+jobColumns+` FROM image_jobs WHERE `+strings.Join(where, " AND ")+
		` ORDER BY created_at DESC, id DESC LIMIT ?`, append(args, f.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return r.withImages(ctx, rows)
}

// conditions are what the filter asks, in SQL.
func (f *JobFilter) conditions() (where []string, args []any) {
	where = []string{"1 = 1"}
	add := func(wanted bool, condition string, values ...any) {
		if wanted {
			where, args = append(where, condition), append(args, values...)
		}
	}
	add(f.State.IsFinal(), "final_state = ?", string(f.State))
	// A live job stands where its most advanced live image does; only live rows
	// are looked at, and those the partial index holds.
	add(f.State != "" && !f.State.IsFinal(), liveJobCondition[f.State])
	add(f.DraftID != "", "draft_id = ?", f.DraftID)
	add(f.Kind != "", cmp.Or(kindCondition[f.Kind], "1 = 0"))
	add(f.CreatedBy != "", "created_by = ?", f.CreatedBy)
	add(f.Stage != "", "EXISTS (SELECT 1 FROM images i WHERE i.job_id = image_jobs.id AND "+cmp.Or(stageCondition[f.Stage], "1 = 0")+")")
	add(f.Backend != "", "EXISTS (SELECT 1 FROM images i WHERE i.job_id = image_jobs.id AND i.backend = ?)", f.Backend)
	// A picture is never older than its job: all that is newer than the
	// generator's last picture need not be looked at.
	add(f.Backend != "", "created_at <= (SELECT created_at FROM images WHERE backend = ? ORDER BY created_at DESC LIMIT 1)", f.Backend)
	add(!f.CreatedAfter.IsZero(), "created_at >= ?", stamp{f.CreatedAfter})
	add(!f.CreatedBefore.IsZero(), "created_at < ?", stamp{f.CreatedBefore})
	// As a row, so that the index is entered at the cursor; two conditions
	// joined by OR would be read from its beginning.
	add(!f.Before.IsZero(), "(created_at, id) < (?, ?)", stamp{f.Before}, f.BeforeID)
	return where, args
}

// kindCondition spells the kinds out: the partial index of those that are rare
// serves no parameter.
var kindCondition = map[editorial.JobKind]string{
	editorial.KindGenerate: `kind = 'generate'`,
	editorial.KindImport:   `kind = 'import'`,
	editorial.KindBackfill: `kind = 'backfill'`,
}

var liveJobCondition = map[editorial.JobState]string{
	editorial.JobGenerating: `final_state IS NULL AND id IN (SELECT job_id FROM images WHERE state = 'generating')`,
	editorial.JobUploading: `final_state IS NULL AND id IN (SELECT job_id FROM images WHERE state = 'uploading')
		AND id NOT IN (SELECT job_id FROM images WHERE state = 'generating')`,
	editorial.JobQueued: `final_state IS NULL AND id IN (SELECT job_id FROM images WHERE state = 'queued')
		AND id NOT IN (SELECT job_id FROM images WHERE state IN ('generating', 'uploading'))`,
}

// stageCondition tells an image's stage by what it has: bytes that are paid for
// are what a retry goes on from.
var stageCondition = map[editorial.Stage]string{
	editorial.StageGenerate: `(i.state IN ('queued', 'generating') OR i.state = 'failed' AND i.raw_sha256 = '')`,
	editorial.StageUpload:   `(i.state = 'uploading' OR i.state = 'failed' AND i.raw_sha256 <> '')`,
}

func (r *Reader) withImages(ctx context.Context, rows []jobRow) ([]editorial.Job, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	ids := make([]string, len(rows))
	for i := range rows {
		ids[i] = rows[i].ID
	}
	// A row is a kilobyte: growing by doubling would copy most of them twice.
	imageRows := make([]imageRow, 0, 3*len(rows))
	if err := r.allIn(ctx, &imageRows, `SELECT `+imageColumns+` FROM images WHERE job_id IN (?) ORDER BY number, created_at`, ids); err != nil {
		return nil, fmt.Errorf("list images of jobs: %w", err)
	}
	byJob := make(map[string][]editorial.Image, len(rows))
	for i := range imageRows {
		img := imageRows[i].image()
		byJob[img.JobID] = append(byJob[img.JobID], img)
	}
	jobs := make([]editorial.Job, len(rows))
	for i := range rows {
		jobs[i] = rows[i].job(byJob[rows[i].ID])
		if jobs[i].State.IsFinal() && jobs[i].FinalizedAt.IsZero() {
			job, err := r.Job(ctx, jobs[i].ID)
			if err != nil {
				return nil, err
			}
			jobs[i] = job
		}
	}
	return jobs, nil
}

// UnsettledJobs returns the ids of jobs whose images are all final but whose
// own end was never recorded: a transaction was lost in between.
func (r *Reader) UnsettledJobs(ctx context.Context, limit int) ([]string, error) {
	var ids []string
	err := r.all(ctx, &ids, `SELECT id FROM image_jobs j WHERE final_state IS NULL AND updated_at < {now+?}
		AND NOT EXISTS (SELECT 1 FROM images i WHERE i.job_id = j.id AND i.state IN ('queued', 'generating', 'uploading'))
		ORDER BY updated_at LIMIT ?`, -30.0, limit)
	if err != nil {
		return nil, fmt.Errorf("list unsettled jobs: %w", err)
	}
	return ids, nil
}

// CountUnfinished counts the unfinished jobs of a caller, or all, up to a limit.
func (r *Reader) CountUnfinished(ctx context.Context, createdBy string, limit int) (int, error) {
	condition, args := "", []any{limit}
	if createdBy != "" {
		condition, args = "AND created_by = ?", []any{createdBy, limit}
	}
	var n int
	err := r.one(ctx, &n, `SELECT COUNT(*) FROM (SELECT 1 FROM image_jobs WHERE final_state IS NULL `+condition+` LIMIT ?) AS unfinished`, args...)
	if err != nil {
		return 0, fmt.Errorf("count unfinished jobs: %w", err)
	}
	return n, nil
}
