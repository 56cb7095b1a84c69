package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

const imageColumns = `id, job_id, draft_id, round, number, state, epoch, attempt, next_attempt_at, claim,
	claim_expires_at, seed, backend, model, provider_job_id, params, steps, spool_id, raw_sha256, sha256,
	key, url, source, content_type, width, height, bytes, renditions, placeholder, color, hash, alt_text,
	credit, cost, failure, created_at, updated_at, spooled_at, finalized_at, recipe, similar_to,
	deadline_at, stock_id, removed_at, deleted_at`

type imageRow struct {
	ID             string                          `db:"id"`
	JobID          string                          `db:"job_id"`
	DraftID        text                            `db:"draft_id"`
	Round          int                             `db:"round"`
	Number         int                             `db:"number"`
	State          string                          `db:"state"`
	Epoch          int64                           `db:"epoch"`
	Attempt        int                             `db:"attempt"`
	NextAttemptAt  stamp                           `db:"next_attempt_at"`
	Claim          text                            `db:"claim"`
	ClaimExpiresAt stamp                           `db:"claim_expires_at"`
	Seed           int64                           `db:"seed"`
	Backend        string                          `db:"backend"`
	Model          string                          `db:"model"`
	ProviderJobID  string                          `db:"provider_job_id"`
	Params         document[map[string]any]        `db:"params"`
	Steps          document[[]editorial.ChainStep] `db:"steps"`
	SpoolID        string                          `db:"spool_id"`
	RawSHA256      string                          `db:"raw_sha256"`
	SHA256         string                          `db:"sha256"`
	Key            string                          `db:"key"`
	URL            string                          `db:"url"`
	Source         string                          `db:"source"`
	ContentType    string                          `db:"content_type"`
	Width          int                             `db:"width"`
	Height         int                             `db:"height"`
	Bytes          int64                           `db:"bytes"`
	Renditions     document[[]editorial.Rendition] `db:"renditions"`
	Placeholder    string                          `db:"placeholder"`
	Color          string                          `db:"color"`
	Hash           string                          `db:"hash"`
	AltText        string                          `db:"alt_text"`
	Credit         document[*editorial.Credit]     `db:"credit"`
	Cost           *float64                        `db:"cost"`
	Failure        document[*editorial.Failure]    `db:"failure"`
	CreatedAt      stamp                           `db:"created_at"`
	UpdatedAt      stamp                           `db:"updated_at"`
	SpooledAt      stamp                           `db:"spooled_at"`
	FinalizedAt    stamp                           `db:"finalized_at"`
	Recipe         document[*editorial.Recipe]     `db:"recipe"`
	SimilarTo      document[[]editorial.Lookalike] `db:"similar_to"`
	DeadlineAt     stamp                           `db:"deadline_at"`
	StockID        string                          `db:"stock_id"`
	RemovedAt      stamp                           `db:"removed_at"`
	DeletedAt      stamp                           `db:"deleted_at"`
}

func (r *imageRow) image() editorial.Image {
	return editorial.Image{
		ID: r.ID, JobID: r.JobID, DraftID: string(r.DraftID), Round: r.Round, Number: r.Number,
		State: editorial.ImageState(r.State), Epoch: r.Epoch, Attempt: r.Attempt,
		NextAttemptAt: r.NextAttemptAt.Time, Claim: string(r.Claim), ClaimExpiresAt: r.ClaimExpiresAt.Time,
		Seed: r.Seed, Backend: r.Backend, Model: r.Model, ProviderJobID: r.ProviderJobID,
		Params: r.Params.V, Steps: r.Steps.V, SpoolID: r.SpoolID, RawSHA256: r.RawSHA256, SHA256: r.SHA256,
		Key: r.Key, URL: r.URL, Source: r.Source, ContentType: r.ContentType,
		Width: r.Width, Height: r.Height, Bytes: r.Bytes, Renditions: r.Renditions.V,
		Placeholder: r.Placeholder, Color: r.Color, Hash: r.Hash, AltText: r.AltText, Credit: r.Credit.V,
		Cost: r.Cost, Failure: r.Failure.V, CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time,
		SpooledAt: r.SpooledAt.Time, FinalizedAt: r.FinalizedAt.Time, RemovedAt: r.RemovedAt.Time, DeletedAt: r.DeletedAt.Time,
		Recipe: r.Recipe.V, Lookalikes: r.SimilarTo.V,
		DeadlineAt: r.DeadlineAt.Time, StockID: r.StockID,
	}
}

// Image returns one image, or ErrNotFound.
func (r *Reader) Image(ctx context.Context, id string) (editorial.Image, error) {
	if !isUUID(id) {
		return editorial.Image{}, fmt.Errorf("read image %q: %w", id, ErrNotFound)
	}
	var row imageRow
	if err := r.one(ctx, &row, `SELECT `+imageColumns+` FROM images WHERE id = ?`, id); err != nil {
		return editorial.Image{}, fmt.Errorf("read image %s: %w", id, err)
	}
	return row.image(), nil
}

// ImageByKey returns the image that a key was issued to, or ErrNotFound.
func (r *Reader) ImageByKey(ctx context.Context, key string) (editorial.Image, error) {
	var row imageRow
	if err := r.one(ctx, &row, `SELECT `+imageColumns+` FROM images WHERE key = ?`, key); err != nil {
		return editorial.Image{}, fmt.Errorf("read image of key %s: %w", key, err)
	}
	return row.image(), nil
}

// ImagesOfJob returns a job's images by number.
func (r *Reader) ImagesOfJob(ctx context.Context, jobID string) ([]editorial.Image, error) {
	return r.images(ctx, `job_id = ? ORDER BY number, created_at`, jobID)
}

// ImagesOfDraft returns every image ever asked for a draft, by round and number.
func (r *Reader) ImagesOfDraft(ctx context.Context, draftID string) ([]editorial.Image, error) {
	return r.images(ctx, `draft_id = ? ORDER BY round, number, created_at`, draftID)
}

// ImagesOfRound returns a round's candidates by number.
func (r *Reader) ImagesOfRound(ctx context.Context, draftID string, round int) ([]editorial.Image, error) {
	return r.images(ctx, `draft_id = ? AND round = ? ORDER BY number, created_at`, draftID, round)
}

func (r *Reader) images(ctx context.Context, where string, args ...any) ([]editorial.Image, error) {
	var rows []imageRow
	if err := r.all(ctx, &rows, `SELECT `+imageColumns+` FROM images WHERE `+where, args...); err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	list := make([]editorial.Image, len(rows))
	for i := range rows {
		list[i] = rows[i].image()
	}
	return list, nil
}

// MaxQueuePosition is how far QueuePosition counts.
const MaxQueuePosition = 100

// QueuePosition is how many queued images stand before this one, plus one, and
// MaxQueuePosition for every image further behind: whoever asks pays for a few
// rows, however long the queue is. 0 when the image is not queued.
func (r *Reader) QueuePosition(ctx context.Context, img editorial.Image) (int, error) {
	if img.State != editorial.StateQueued {
		return 0, nil
	}
	var n int
	err := r.one(ctx, &n, `SELECT COUNT(*) FROM (SELECT 1 FROM images WHERE state = 'queued' AND (priority, created_at, id) <=
		((SELECT priority FROM images WHERE id = ?), (SELECT created_at FROM images WHERE id = ?), ?)
		ORDER BY priority, created_at LIMIT ?) AS ahead`, img.ID, img.ID, img.ID, MaxQueuePosition)
	if err != nil {
		return 0, fmt.Errorf("queue position of image %s: %w", img.ID, err)
	}
	return n, nil
}

// SetAltText changes what a picture's alternative text says.
func (t *Tx) SetAltText(ctx context.Context, imageID, alt string) error {
	_, err := t.exec(ctx, `UPDATE images SET alt_text = ?, updated_at = {now} WHERE id = ?`, alt, imageID)
	if err != nil {
		return fmt.Errorf("set alt text of image %s: %w", imageID, err)
	}
	return nil
}

// MoveImage takes an image that no worker has to keep from one state to
// another: cancel, supersede, retry. It drops any claim, raises the epoch and
// makes the image due at once. It returns false when the image was not in from.
func (t *Tx) MoveImage(ctx context.Context, imageID string, from, to editorial.ImageState, f *editorial.Failure) (bool, error) {
	if !from.CanBecome(to) {
		return false, fmt.Errorf("move image %s: %s never becomes %s", imageID, from, to)
	}
	finalized := `NULL`
	if to.IsFinal() {
		finalized = `{now}`
	}
	if to == editorial.StateUploading {
		finalized += `, spooled_at = {now}` // an operator's retry has as long as the first upload had
	}
	n, err := t.exec(ctx, `UPDATE images SET state = ?, failure = ?, claim = NULL, claim_expires_at = NULL,
		attempt = 0, epoch = epoch + 1, next_attempt_at = {now}, updated_at = {now}, finalized_at = `+finalized+`
		WHERE id = ? AND state = ?`, string(to), doc(f), imageID, string(from))
	if err != nil {
		return false, fmt.Errorf("move image %s to %s: %w", imageID, to, err)
	}
	return n == 1, nil
}

// Due returns images on which somebody should be working and, as far as the
// rows tell, nobody is: live, due, unclaimed, and unchanged for quiet, which
// leaves a task that was rung a moment ago the time to be picked up. They come
// by id, which is by age, from the one behind after; empty for the first page.
func (r *Reader) Due(ctx context.Context, quiet time.Duration, after string, limit int) ([]editorial.Image, error) {
	if after == "" {
		after = uuid.Nil.String()
	}
	return r.images(ctx, `state IN ('queued', 'generating', 'uploading') AND next_attempt_at <= {now}
		AND (claim IS NULL OR claim_expires_at < {now}) AND updated_at <= {now+?} AND id > ?
		ORDER BY id LIMIT ?`, -quiet.Seconds(), after, limit)
}

// Reepoch raises an image's epoch if it is still the given one and nobody owns
// it, so that of several reconcilers one rings. It returns the new epoch and
// false when another was faster.
func (s *Store) Reepoch(ctx context.Context, imageID string, epoch int64) (int64, bool, error) {
	n, err := s.exec(ctx, `UPDATE images SET epoch = epoch + 1, updated_at = {now}
		WHERE id = ? AND epoch = ? AND (claim IS NULL OR claim_expires_at < {now})`, imageID, epoch)
	if err != nil {
		return 0, false, fmt.Errorf("raise epoch of image %s: %w", imageID, err)
	}
	return epoch + 1, n == 1, nil
}

// CountLive is how many images are queued or being worked on, in all.
func (r *Reader) CountLive(ctx context.Context) (int, error) {
	var n int
	err := r.one(ctx, &n, `SELECT COUNT(*) FROM images WHERE state IN ('queued', 'generating', 'uploading')`)
	return n, err
}

// ClearSteps forgets which backends were given up on, for an image that starts
// over; one whose bytes exist keeps them, since they say why it looks so.
func (t *Tx) ClearSteps(ctx context.Context, imageID string, state editorial.ImageState) error {
	if state != editorial.StateQueued {
		return nil
	}
	_, err := t.exec(ctx, `UPDATE images SET steps = NULL, backend = '', provider_job_id = '' WHERE id = ?`, imageID)
	if err != nil {
		return fmt.Errorf("clear steps of image %s: %w", imageID, err)
	}
	return nil
}

// Images returns the images of the given ids, by id; what there is none of is
// absent.
func (r *Reader) Images(ctx context.Context, ids []string) (map[string]editorial.Image, error) {
	found := make(map[string]editorial.Image, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	var rows []imageRow
	if err := r.allIn(ctx, &rows, `SELECT `+imageColumns+` FROM images WHERE id IN (?)`, ids); err != nil {
		return nil, fmt.Errorf("read %d images: %w", len(ids), err)
	}
	for i := range rows {
		found[rows[i].ID] = rows[i].image()
	}
	return found, nil
}

// QueueHead is the front of the queue: the ids of the first [MaxQueuePosition]
// queued images in order. Who shows many images reads it once instead of asking
// [Reader.QueuePosition] for each.
func (r *Reader) QueueHead(ctx context.Context) ([]string, error) {
	var ids []string
	err := r.all(ctx, &ids, `SELECT id FROM images WHERE state = 'queued' ORDER BY priority, created_at, id LIMIT ?`, MaxQueuePosition)
	if err != nil {
		return nil, fmt.Errorf("read the head of the queue: %w", err)
	}
	return ids, nil
}
