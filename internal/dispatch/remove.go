package dispatch

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// KeyStem is the part of a key that no other key has and that nothing escapes:
// it finds the key in every text that names it, and its renditions.
func KeyStem(key string) string {
	stem, _, _ := strings.Cut(path.Base(key), ".")
	return stem
}

// Reap says that a picture that nobody uses is to be deleted. It looks once more,
// with the picture's row locked, whether nobody does: an editor may have chosen
// it since the caller looked. false: it stays.
func (d *Dispatch) Reap(ctx context.Context, img editorial.Image, why, caller string) (removed bool, err error) {
	err = d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		removed = false
		if img.DraftID != "" {
			if _, err := tx.LockDraft(ctx, img.DraftID); err != nil {
				return err
			}
		}
		// The write first, then the look: whoever chooses the picture locks its
		// row, so that one of the two sees the other.
		if ok, err := tx.RemoveImage(ctx, img.ID, img.State); err != nil || !ok {
			return err
		}
		drafts, err := tx.DraftsShowing(ctx, img.ID)
		if err != nil {
			return err
		}
		named, err := tx.Naming(ctx, KeyStem(img.Key))
		if err != nil {
			return err
		}
		if len(drafts)+len(named.Posts)+len(named.Drafts) > 0 {
			return errInUse
		}
		after.event(img, "image.removed", map[string]any{"by": caller, "why": why})
		removed = true
		return nil
	})
	if errors.Is(err, errInUse) {
		return false, nil
	}
	return removed, err
}

// errInUse rolls a removal back.
var errInUse = errors.New("the picture is in use")

// Takedown is what taking a picture down does, or did, to the rows.
type Takedown struct {
	Image editorial.Image
	// Posts showed the picture and show none now; Drafts likewise.
	Posts  []editorial.Post
	Drafts []string
	// Texts are the posts whose text names the picture: that is the author's to
	// change.
	Texts []editorial.Post
}

// TakeDown removes a picture from everything that shows it, whoever approved it,
// and says that it is to be deleted. Run again it finds the rows clear and
// returns the same picture, so that a deletion that failed is tried again.
//
// A post that showed it stays published, without a picture: to take its text
// offline would punish its readers for the picture, and no other candidate takes
// its place, since nobody approved that one. It is the one case in which a
// published post has no picture; a new round and an approval, or a backfill,
// give it another.
func (d *Dispatch) TakeDown(ctx context.Context, imageID, why, caller string) (t Takedown, err error) {
	err = d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		t, err = d.takeDown(ctx, tx, imageID, why, caller, after)
		return err
	})
	return t, err
}

// PlanTakedown says what TakeDown would do, and changes nothing.
func (d *Dispatch) PlanTakedown(ctx context.Context, imageID string) (t Takedown, err error) {
	err = d.Store.InTx(ctx, func(tx *store.Tx) error {
		if t, err = d.takeDown(ctx, tx, imageID, "", "", &aftermath{}); err != nil {
			return err
		}
		return errPlanned
	})
	if errors.Is(err, errPlanned) {
		err = nil
	}
	return t, err
}

func (d *Dispatch) takeDown(ctx context.Context, tx *store.Tx, imageID, why, caller string, after *aftermath) (t Takedown, err error) {
	if t.Image, err = tx.Image(ctx, imageID); errors.Is(err, store.ErrNotFound) {
		return t, editorial.NotFoundf("there is no image with this id")
	} else if err != nil {
		return t, err
	}
	showing, err := tx.DraftsShowing(ctx, imageID)
	if err != nil {
		return t, err
	}
	if t.Image.DraftID != "" && !slices.Contains(showing, t.Image.DraftID) {
		showing = append(showing, t.Image.DraftID)
		slices.Sort(showing)
	}
	for _, id := range showing {
		changed, err := forgetPicture(ctx, tx, id, imageID)
		if err != nil {
			return t, err
		}
		if changed {
			t.Drafts = append(t.Drafts, id)
		}
	}
	if t.Image, err = tx.LockImage(ctx, imageID); err != nil {
		return t, err
	}
	switch {
	case !t.Image.State.IsFinal():
		return t, editorial.Conflictf("picture_live", "the picture is still %s; cancel its job %s first, and take it down then", t.Image.State, t.Image.JobID)
	case t.Image.State != editorial.StateRemoved:
		if _, err := tx.RemoveImage(ctx, imageID, t.Image.State); err != nil {
			return t, err
		}
		after.event(t.Image, "image.removed", map[string]any{"by": caller, "why": why})
	}
	if t.Image.Key == "" {
		return t, nil // nothing was ever put anywhere
	}
	return t, d.clearRows(ctx, tx, &t, after)
}

// forgetPicture takes a picture out of what a draft has chosen, approved and
// published. An approval that had named it is void: the draft awaits another.
func forgetPicture(ctx context.Context, tx *store.Tx, draftID, imageID string) (changed bool, err error) {
	state, err := tx.LockDraft(ctx, draftID)
	if err != nil {
		return false, err
	}
	was := state
	p := publication{state: &state, row: &draftRow{id: draftID}}
	if state.ChosenImageID == imageID {
		state.ChosenImageID, state.HandPicked = "", false
	}
	if state.PublishedImageID == imageID {
		state.PublishedImageID = ""
	}
	if state.ApprovedImageID == imageID {
		state.ApprovedImageID = ""
		if state.ApprovedRound > state.PublishedRound {
			state.ApprovalID, state.ApprovedRound = "", state.PublishedRound
			err = awaitApprovalAgain(ctx, tx, p.row)
			if errors.Is(err, store.ErrNotFound) {
				err = nil // the draft was deleted
			}
		}
	}
	if err != nil || state == was {
		return false, err
	}
	return true, p.save(ctx, tx)
}

// clearRows clears the site's rows of a picture.
func (d *Dispatch) clearRows(ctx context.Context, tx *store.Tx, t *Takedown, after *aftermath) error {
	stem := KeyStem(t.Image.Key)
	named, err := tx.Naming(ctx, stem)
	if err != nil {
		return err
	}
	for _, id := range named.Drafts {
		changed, err := clearDraft(ctx, tx, id, stem)
		if err != nil {
			return err
		}
		if changed && !slices.Contains(t.Drafts, id) {
			t.Drafts = append(t.Drafts, id)
		}
	}
	for _, id := range named.Posts {
		row, err := tx.LockPost(ctx, id)
		if err != nil {
			return err
		}
		if strings.Contains(row.Content+row.Excerpt, stem) {
			t.Texts = append(t.Texts, row.Post)
		}
		columns := withoutPicture(row, stem)
		if len(columns) == 0 {
			continue
		}
		if err := tx.SetPostColumns(ctx, id, columns); err != nil {
			return err
		}
		t.Posts = append(t.Posts, row.Post)
		if row.Status == string(editorial.DraftPublished) {
			row.FeaturedImageURL = ""
			tellOfPost(row.Post, t.Image, after)
		}
	}
	return nil
}

// withoutPicture are the columns of a post that have to change for it to name a
// picture no more.
func withoutPicture(row store.PostRow, stem string) map[string]any {
	columns := make(map[string]any)
	for _, name := range []string{"featured_image_url", "cover_image_url", "featured_image_data"} {
		if s, _ := row.Columns[name].(string); strings.Contains(s, stem) {
			columns[name] = nil
		}
	}
	if s, _ := row.Columns["metadata"].(string); strings.Contains(s, stem) {
		columns["metadata"] = withoutMembers(row.Metadata, stem)
	}
	return columns
}

// withoutMembers are the metadata without the members that name a picture, and
// without its alt text.
func withoutMembers(metadata map[string]any, stem string) map[string]any {
	m := make(map[string]any, len(metadata))
	for name, v := range metadata {
		if !names(v, stem) {
			m[name] = v
		}
	}
	if !names(metadata["featured_image"], stem) && !names(metadata["featured_image_url"], stem) {
		return m
	}
	for _, name := range []string{"featured_image_alt", "featured_image_source", "featured_image_photographer"} {
		delete(m, name)
	}
	return m
}

// names reports whether a JSON value holds a text with that part.
func names(v any, part string) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, part)
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return names(item, part) })
	case map[string]any:
		for _, item := range v {
			if names(item, part) {
				return true
			}
		}
	}
	return false
}

// clearDraft clears a draft's own row; its text is its author's.
func clearDraft(ctx context.Context, tx *store.Tx, draftID, stem string) (changed bool, err error) {
	draft, err := tx.LockContent(ctx, draftID)
	if err != nil {
		return false, err
	}
	columns := make(map[string]any)
	for _, name := range []string{"featured_image_url", "featured_image_data"} {
		if names(draft.Columns[name], stem) {
			columns[name] = nil
		}
	}
	for name, m := range map[string]map[string]any{"task_metadata": draft.Metadata, "result": draft.Result} {
		kept := maps.Clone(m)
		delete(kept, "content")
		if names(kept, stem) {
			kept = withoutMembers(kept, stem)
			if content, there := m["content"]; there {
				kept["content"] = content
			}
			columns[name] = kept
		}
	}
	if len(columns) == 0 {
		return false, nil
	}
	_, err = tx.UpdateDraft(ctx, draftID, columns)
	return true, err
}
