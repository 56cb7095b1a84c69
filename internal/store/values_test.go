package store_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

func newPostID() string { return uuid.NewString() }

func (b *bench) draft(columns map[string]any) editorial.Draft {
	b.t.Helper()
	id := newID()
	row := map[string]any{"topic": "T"}
	for name, v := range columns {
		row[name] = v
	}
	b.tx(func(tx *store.Tx) error { return tx.InsertDraft(b.t.Context(), id, row) })
	draft, err := b.Draft(b.t.Context(), id)
	b.must(err)
	return draft
}

func TestTimesSurviveARoundTrip(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		east := time.FixedZone("east", 5*3600+1800)
		for _, at := range []time.Time{
			time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC),
			time.Date(2026, 1, 2, 3, 4, 5, 0, east),
			time.Date(2024, 2, 29, 23, 59, 59, 999e6, time.UTC),
			time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC),
		} {
			post := editorial.Post{ID: newPostID(), Title: "T", Slug: newPostID(), Content: "C", Status: "published", PublishedAt: at}
			b.tx(func(tx *store.Tx) error { return ignoring(tx.InsertPost(t.Context(), post)) })
			got, err := b.Post(t.Context(), post.ID)
			if err != nil || !got.PublishedAt.Equal(at) || got.PublishedAt.Location() != time.UTC {
				t.Errorf("%s came back as %s, %v", at, got.PublishedAt, err)
			}
			if age := time.Since(got.CreatedAt); age < -time.Hour || age > time.Hour {
				t.Errorf("made %s ago, by the database's clock", age)
			}
		}
	})
}

// What the site's own pipeline wrote into SQLite lacks the zone, the fraction,
// or the time.
func TestTimesAsTheSiteWroteThem(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
		for text, want := range map[string]time.Time{
			"2026-01-02T03:04:05.123456Z":      day.Add(3*time.Hour + 4*time.Minute + 5*time.Second + 123456*time.Microsecond),
			"2026-01-02T03:04:05.123456+00:00": day.Add(3*time.Hour + 4*time.Minute + 5*time.Second + 123456*time.Microsecond),
			"2026-01-02T03:04:05":              day.Add(3*time.Hour + 4*time.Minute + 5*time.Second),
			"2026-01-02 03:04:05":              day.Add(3*time.Hour + 4*time.Minute + 5*time.Second),
			"2026-01-02":                       day,
		} {
			draft := b.draft(nil)
			b.exec(`UPDATE content_tasks SET created_at = '` + text + `' WHERE task_id = '` + draft.ID + `'`)
			if got, err := b.Draft(t.Context(), draft.ID); err != nil || !got.CreatedAt.Equal(want) {
				t.Errorf("%q was read as %s, %v; want %s", text, got.CreatedAt, err, want)
			}
		}
	})
}

func TestTagIDs(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for _, ids := range [][]string{nil, {newPostID()}, {newPostID(), newPostID(), newPostID()}} {
			post := editorial.Post{ID: newPostID(), Title: "T", Slug: newPostID(), Content: "C", Status: "draft", TagIDs: ids}
			b.tx(func(tx *store.Tx) error { return ignoring(tx.InsertPost(t.Context(), post)) })
			got, err := b.Post(t.Context(), post.ID)
			if diff := cmp.Diff(ids, got.TagIDs); diff != "" || err != nil {
				t.Errorf("tag_ids (-want +got), %v:\n%s", err, diff)
			}
		}
	})
}

// The site wrote JSON, and JSON strings that hold JSON: both mean the same.
func TestJSONColumns(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		metadata := map[string]any{"title": "A \"quoted\" title", "n": 1.0, "deep": map[string]any{"list": []any{"a", nil}}}
		plain, err := json.Marshal(metadata)
		b.must(err)
		asString, err := json.Marshal(string(plain))
		b.must(err)
		for name, value := range map[string]any{"written by us": metadata, "JSON": string(plain), "a string of JSON": string(asString)} {
			draft := b.draft(map[string]any{"task_metadata": value, "tags": `["go", "images"]`})
			if diff := cmp.Diff(metadata, draft.Metadata); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if diff := cmp.Diff([]string{"go", "images"}, draft.Tags); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
		}
		if got := b.draft(nil); got.Metadata != nil || got.Tags != nil {
			t.Errorf("columns that are NULL: %v, %v", got.Metadata, got.Tags)
		}
	})
}

func TestAnImageSurvivesARoundTrip(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		cost := 0.042
		img := b.generating("mine")
		img.SpoolID, img.RawSHA256, img.Key, img.Backend, img.Model = "spool", "raw", "generated/1.png", "sdcpp", "xl"
		img.Seed, img.Cost, img.ContentType, img.Width, img.Height, img.Bytes = editorial.MaxSeed, &cost, "image/png", 1200, 630, 1<<40
		img.Params = map[string]any{"steps": 20.0, "sampler": "euler'; --"}
		img.Credit = &editorial.Credit{Author: "Ann Ünïcode", License: "CC0"}
		img.Color, img.Hash, img.AltText = "#00ff7f", "8f0e", "Ein Leuchtturm 灯台 🗼"
		img.Steps = []editorial.ChainStep{{Backend: "pexels", Failure: *failure}}
		b.tx(func(tx *store.Tx) error { return tx.Spooled(t.Context(), img) })
		got := b.read(img.ID)
		if got.SpooledAt.IsZero() || got.Epoch != img.Epoch+1 {
			t.Errorf("spooled at %s, epoch %d", got.SpooledAt, got.Epoch)
		}
		want := img
		want.State, want.Epoch, want.Attempt, want.Claim = editorial.StateUploading, got.Epoch, 0, ""
		want.ClaimExpiresAt, want.NextAttemptAt = time.Time{}, got.NextAttemptAt
		want.SpooledAt, want.UpdatedAt = got.SpooledAt, got.UpdatedAt
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("image (-want +got):\n%s", diff)
		}
	})
}

// A transaction that fails leaves nothing, and its error is the caller's own.
func TestAFailedTransactionLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		errOwn := errors.New("mine")
		job := editorial.Job{ID: newID(), Kind: editorial.KindGenerate, CreatedBy: "tester", Images: []editorial.Image{{ID: newID(), Number: 1}}}
		err := b.InTx(t.Context(), func(tx *store.Tx) error {
			return errors.Join(tx.InsertJob(t.Context(), &job), errOwn)
		})
		if !errors.Is(err, errOwn) {
			t.Errorf("InTx = %v, want the function's own error", err)
		}
		if _, err := b.Job(t.Context(), job.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the job of a failed transaction: %v, want ErrNotFound", err)
		}
	})
}
