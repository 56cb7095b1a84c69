package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

const draftImagesColumns = `draft_id, round, chosen_image_id, hand_picked, approval_id, approved_round,
	approved_image_id, post_id, published_round, published_image_id`

type draftImagesRow struct {
	DraftID          string `db:"draft_id"`
	Round            int    `db:"round"`
	ChosenImageID    text   `db:"chosen_image_id"`
	HandPicked       bool   `db:"hand_picked"`
	ApprovalID       text   `db:"approval_id"`
	ApprovedRound    int    `db:"approved_round"`
	ApprovedImageID  text   `db:"approved_image_id"`
	PostID           text   `db:"post_id"`
	PublishedRound   int    `db:"published_round"`
	PublishedImageID text   `db:"published_image_id"`
}

func (r *draftImagesRow) draftImages() editorial.DraftImages {
	return editorial.DraftImages{
		DraftID: r.DraftID, Round: r.Round, ChosenImageID: string(r.ChosenImageID), HandPicked: r.HandPicked,
		ApprovalID: string(r.ApprovalID), ApprovedRound: r.ApprovedRound, ApprovedImageID: string(r.ApprovedImageID),
		PostID: string(r.PostID), PublishedRound: r.PublishedRound, PublishedImageID: string(r.PublishedImageID),
	}
}

// LockDraft holds a draft's row in draft_images until the transaction ends,
// making it where it is missing. It comes before any other row of the draft:
// that order is what makes an approval and a store see each other.
func (t *Tx) LockDraft(ctx context.Context, draftID string) (editorial.DraftImages, error) {
	lock := `SELECT ` + draftImagesColumns + ` FROM draft_images WHERE draft_id = ? {lock}`
	var row draftImagesRow
	err := t.one(ctx, &row, lock, draftID)
	if errors.Is(err, ErrNotFound) {
		if _, err = t.exec(ctx, `INSERT INTO draft_images (draft_id, updated_at) VALUES (?, {now})
			ON CONFLICT (draft_id) DO NOTHING`, draftID); err == nil {
			err = t.one(ctx, &row, lock, draftID)
		}
	}
	if err != nil {
		return editorial.DraftImages{}, fmt.Errorf("lock draft %s: %w", draftID, err)
	}
	return row.draftImages(), nil
}

// DraftImages returns what is known of a draft's pictures; a draft that nobody
// ever asked one for has the zero value.
func (r *Reader) DraftImages(ctx context.Context, draftID string) (editorial.DraftImages, error) {
	var row draftImagesRow
	err := r.one(ctx, &row, `SELECT `+draftImagesColumns+` FROM draft_images WHERE draft_id = ?`, draftID)
	if errors.Is(err, ErrNotFound) {
		return editorial.DraftImages{DraftID: draftID}, nil
	}
	if err != nil {
		return editorial.DraftImages{}, fmt.Errorf("read pictures of draft %s: %w", draftID, err)
	}
	return row.draftImages(), nil
}

// SaveDraftImages writes back a row that [Tx.LockDraft] holds.
func (t *Tx) SaveDraftImages(ctx context.Context, d editorial.DraftImages) error {
	_, err := t.exec(ctx, `UPDATE draft_images SET round = ?, chosen_image_id = ?, hand_picked = ?, approval_id = ?,
		approved_round = ?, approved_image_id = ?, post_id = ?, published_round = ?, published_image_id = ?,
		updated_at = {now} WHERE draft_id = ?`,
		d.Round, text(d.ChosenImageID), d.HandPicked, text(d.ApprovalID), d.ApprovedRound, text(d.ApprovedImageID),
		text(d.PostID), d.PublishedRound, text(d.PublishedImageID), d.DraftID)
	if err != nil {
		return fmt.Errorf("save pictures of draft %s: %w", d.DraftID, err)
	}
	return nil
}

// ApprovedUnpublished returns drafts whose approval could have been carried out
// and was not: the reconciler tries each again.
func (r *Reader) ApprovedUnpublished(ctx context.Context, limit int) ([]string, error) {
	var ids []string
	err := r.all(ctx, &ids, `SELECT d.draft_id FROM draft_images d
		WHERE approval_id IS NOT NULL AND approved_round = round AND approved_round > published_round
		AND EXISTS (SELECT 1 FROM images i WHERE i.draft_id = d.draft_id AND i.state = 'stored'
			AND (i.round = d.round OR i.id = d.approved_image_id OR i.id = d.chosen_image_id))
		AND NOT EXISTS (SELECT 1 FROM images i WHERE i.draft_id = d.draft_id AND i.round = d.round
			AND d.approved_image_id IS NULL AND i.state IN ('queued', 'generating', 'uploading'))
		ORDER BY d.updated_at LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("list approved drafts: %w", err)
	}
	return ids, nil
}

// InsertApproval records a decision. Its time is the database's and is filled in.
func (t *Tx) InsertApproval(ctx context.Context, a *editorial.Approval) error {
	var now stamp
	err := t.one(ctx, &now, `INSERT INTO approvals (id, draft_id, round, approved, reviewer, caller, feedback, image_id, sha256, decided_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, {now}) RETURNING decided_at`,
		a.ID, a.DraftID, a.Round, a.Approved, a.Reviewer, a.Caller, a.Feedback, text(a.ImageID), a.SHA256)
	if err != nil {
		return fmt.Errorf("record approval of draft %s: %w", a.DraftID, err)
	}
	a.DecidedAt = now.Time
	return nil
}

type approvalRow struct {
	ID        string `db:"id"`
	DraftID   string `db:"draft_id"`
	Round     int    `db:"round"`
	Approved  bool   `db:"approved"`
	Reviewer  string `db:"reviewer"`
	Caller    string `db:"caller"`
	Feedback  string `db:"feedback"`
	ImageID   text   `db:"image_id"`
	SHA256    string `db:"sha256"`
	DecidedAt stamp  `db:"decided_at"`
}

// Approvals returns a draft's decisions, oldest first.
func (r *Reader) Approvals(ctx context.Context, draftID string) ([]editorial.Approval, error) {
	var rows []approvalRow
	err := r.all(ctx, &rows, `SELECT id, draft_id, round, approved, reviewer, caller, feedback, image_id, sha256, decided_at
		FROM approvals WHERE draft_id = ? ORDER BY decided_at, id`, draftID)
	if err != nil {
		return nil, fmt.Errorf("list approvals of draft %s: %w", draftID, err)
	}
	list := make([]editorial.Approval, len(rows))
	for i, a := range rows {
		list[i] = editorial.Approval{
			ID: a.ID, DraftID: a.DraftID, Round: a.Round, Approved: a.Approved, Reviewer: a.Reviewer, Caller: a.Caller,
			Feedback: a.Feedback, ImageID: string(a.ImageID), SHA256: a.SHA256, DecidedAt: a.DecidedAt.Time,
		}
	}
	return list, nil
}

// DraftImagesOf is [Reader.DraftImages] for many drafts in one statement, by
// draft; one that nobody ever asked a picture for is absent.
func (r *Reader) DraftImagesOf(ctx context.Context, draftIDs []string) (map[string]editorial.DraftImages, error) {
	return r.draftImagesBy(ctx, "draft_id", draftIDs, func(d editorial.DraftImages) string { return d.DraftID })
}

// DraftImagesOfPosts finds the drafts that posts came from, by post; a post
// that the site published itself is absent.
func (r *Reader) DraftImagesOfPosts(ctx context.Context, postIDs []string) (map[string]editorial.DraftImages, error) {
	return r.draftImagesBy(ctx, "post_id", postIDs, func(d editorial.DraftImages) string { return d.PostID })
}

func (r *Reader) draftImagesBy(ctx context.Context, column string, ids []string, key func(editorial.DraftImages) string) (map[string]editorial.DraftImages, error) {
	found := make(map[string]editorial.DraftImages, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	var rows []draftImagesRow
	if err := r.allIn(ctx, &rows, `SELECT `+draftImagesColumns+` FROM draft_images WHERE `+column+` IN (?)`, ids); err != nil {
		return nil, fmt.Errorf("read pictures of %d drafts: %w", len(ids), err)
	}
	for i := range rows {
		d := rows[i].draftImages()
		found[key(d)] = d
	}
	return found, nil
}
