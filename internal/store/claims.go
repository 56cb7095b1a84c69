package store

import (
	"context"
	"fmt"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// ClaimGenerate takes a queued image, or one whose worker's claim has run out,
// for token, until lease from now by the database's clock. The attempt is
// counted here, so that a crash counts too. ErrNotFound: not due, final, or
// somebody else's.
func (t *Tx) ClaimGenerate(ctx context.Context, imageID, token string, lease time.Duration) (editorial.Image, error) {
	return t.claim(ctx, imageID, token, lease, `state = 'generating', attempt = attempt + 1`,
		`state IN ('queued', 'generating')`)
}

// ClaimUpload takes an image whose bytes wait in a spool.
func (t *Tx) ClaimUpload(ctx context.Context, imageID, token string, lease time.Duration) (editorial.Image, error) {
	return t.claim(ctx, imageID, token, lease, `attempt = attempt + 1`, `state = 'uploading'`)
}

func (t *Tx) claim(ctx context.Context, imageID, token string, lease time.Duration, set, condition string) (editorial.Image, error) {
	var row imageRow
	err := t.one(ctx, &row, `UPDATE images SET `+set+`, claim = ?, claim_expires_at = {now+?}, updated_at = {now}
		WHERE id = ? AND `+condition+` AND (claim IS NULL OR claim_expires_at < {now})
		RETURNING `+imageColumns, token, lease.Seconds(), imageID)
	if err != nil {
		return editorial.Image{}, fmt.Errorf("claim image %s: %w", imageID, err)
	}
	return row.image(), nil
}

// ExtendClaims gives claims another lease and returns the tokens that no
// longer own anything.
func (s *Store) ExtendClaims(ctx context.Context, tokens []string, lease time.Duration) (lost []string, err error) {
	if len(tokens) == 0 {
		return nil, nil
	}
	var held []string
	err = s.InTx(ctx, func(t *Tx) error {
		held = nil
		if _, err := t.execIn(ctx, `UPDATE images SET claim_expires_at = {now+?} WHERE claim IN (?)`, lease.Seconds(), tokens); err != nil {
			return err
		}
		return t.allIn(ctx, &held, `SELECT claim FROM images WHERE claim IN (?)`, tokens)
	})
	if err != nil {
		return nil, fmt.Errorf("extend claims: %w", err)
	}
	holds := make(map[string]bool, len(held))
	for _, token := range held {
		holds[token] = true
	}
	for _, token := range tokens {
		if !holds[token] {
			lost = append(lost, token)
		}
	}
	return lost, nil
}

// DropClaims frees every claim there is. Only for a process that knows itself
// to be alone with the database: after a crash its own old claims are nobody's.
func (s *Store) DropClaims(ctx context.Context) (int64, error) {
	n, err := s.exec(ctx, `UPDATE images SET claim = NULL, claim_expires_at = NULL WHERE claim IS NOT NULL`)
	if err != nil {
		return 0, fmt.Errorf("drop claims: %w", err)
	}
	return n, nil
}

// SetProviderJob stores the provider's job id under a claim, before anybody
// waits for that job.
func (s *Store) SetProviderJob(ctx context.Context, imageID, token, backend, providerJobID string) error {
	return fenced(s.exec(ctx, `UPDATE images SET backend = ?, provider_job_id = ?, updated_at = {now}
		WHERE id = ? AND claim = ?`, backend, providerJobID, imageID, token))
}

// Spooled moves a claimed image on to uploading: its bytes are in the spool and
// paid for. The claim ends, and the epoch is raised for the upload's own task.
func (t *Tx) Spooled(ctx context.Context, img editorial.Image) error {
	return fenced(t.exec(ctx, `UPDATE images SET state = 'uploading', claim = NULL, claim_expires_at = NULL,
		attempt = 0, epoch = epoch + 1, next_attempt_at = {now}, failure = NULL, spooled_at = {now}, updated_at = {now},
		spool_id = ?, raw_sha256 = ?, key = ?, backend = ?, model = ?, seed = ?, params = ?, steps = ?,
		content_type = ?, width = ?, height = ?, bytes = ?, color = ?, hash = ?, alt_text = ?, credit = ?, cost = ?,
		recipe = ?, stock_id = ?
		WHERE id = ? AND claim = ? AND state = 'generating'`,
		img.SpoolID, img.RawSHA256, img.Key, img.Backend, img.Model, img.Seed, doc(img.Params), doc(img.Steps),
		img.ContentType, img.Width, img.Height, img.Bytes, img.Color, img.Hash, img.AltText, doc(img.Credit), img.Cost,
		doc(img.Recipe), img.StockID, img.ID, img.Claim))
}

// Finished records the digests of what will be put, before the first put, so
// that no retry ever encodes again.
func (s *Store) Finished(ctx context.Context, img editorial.Image) error {
	return fenced(s.exec(ctx, `UPDATE images SET sha256 = ?, bytes = ?, renditions = ?, placeholder = ?, updated_at = {now}
		WHERE id = ? AND claim = ? AND state = 'uploading'`,
		img.SHA256, img.Bytes, doc(img.Renditions), img.Placeholder, img.ID, img.Claim))
}

// Stored ends a claimed upload: the public URL answered with the digest.
func (t *Tx) Stored(ctx context.Context, img editorial.Image) error {
	objects, bytes := img.Objects()
	return fenced(t.exec(ctx, `UPDATE images SET state = 'stored', claim = NULL, claim_expires_at = NULL,
		failure = NULL, url = ?, source = ?, renditions = ?, similar_to = ?, objects = ?, stored_bytes = ?,
		updated_at = {now}, finalized_at = {now}
		WHERE id = ? AND claim = ? AND state = 'uploading'`,
		img.URL, img.Source, doc(img.Renditions), doc(img.Lookalikes), objects, bytes, img.ID, img.Claim))
}

// Postpone gives a claimed image back, to be tried again after delay. A try
// that never reached the provider is not counted.
func (t *Tx) Postpone(ctx context.Context, img editorial.Image, f *editorial.Failure, delay time.Duration, counted bool) error {
	attempt := `attempt`
	if !counted {
		attempt = `CASE WHEN attempt > 0 THEN attempt - 1 ELSE 0 END`
	}
	state := editorial.StateQueued
	if img.State == editorial.StateUploading {
		state = editorial.StateUploading
	}
	return fenced(t.exec(ctx, `UPDATE images SET state = ?, claim = NULL, claim_expires_at = NULL, attempt = `+attempt+`,
		failure = ?, next_attempt_at = {now+?}, updated_at = {now}
		WHERE id = ? AND claim = ? AND state = ?`,
		string(state), doc(f), delay.Seconds(), img.ID, img.Claim, string(img.State)))
}

// MovedOn records that a backend was given up on; the claim goes on with the
// next one, whose attempts count from 1.
func (t *Tx) MovedOn(ctx context.Context, img editorial.Image) error {
	return fenced(t.exec(ctx, `UPDATE images SET steps = ?, attempt = 1, backend = '', provider_job_id = '', updated_at = {now}
		WHERE id = ? AND claim = ? AND state = 'generating'`, doc(img.Steps), img.ID, img.Claim))
}

// GiveUp ends a claimed image as failed.
func (t *Tx) GiveUp(ctx context.Context, img editorial.Image, f *editorial.Failure) error {
	return fenced(t.exec(ctx, `UPDATE images SET state = 'failed', claim = NULL, claim_expires_at = NULL,
		steps = ?, failure = ?, updated_at = {now}, finalized_at = {now}
		WHERE id = ? AND claim = ? AND state = ?`,
		doc(img.Steps), doc(f), img.ID, img.Claim, string(img.State)))
}

// BytesLost ends an upload whose bytes are gone; the caller makes a new image
// in its place. The fence holds for an image that nobody has claimed, too:
// whoever claims it meanwhile can read its bytes.
func (t *Tx) BytesLost(ctx context.Context, img editorial.Image, f *editorial.Failure) error {
	return fenced(t.exec(ctx, `UPDATE images SET state = 'superseded', claim = NULL, claim_expires_at = NULL,
		epoch = epoch + 1, failure = ?, updated_at = {now}, finalized_at = {now}
		WHERE id = ? AND COALESCE(claim, '') = ? AND state = 'uploading'`, doc(f), img.ID, img.Claim))
}
