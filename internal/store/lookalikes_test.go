package store_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// hashed is a stored picture with a hash, of a job of its own.
func (b *bench) hashed(hash uint64, draftID string) editorial.Image {
	b.t.Helper()
	return b.storedOf(b.job(editorial.KindGenerate, draftID, 1, 1), hash)
}

// storedOf stores the first picture of a job.
func (b *bench) storedOf(job editorial.Job, hash uint64) editorial.Image {
	b.t.Helper()
	img, err := b.claim((*store.Tx).ClaimGenerate, job.Images[0].ID, "g"+job.ID, lease)
	b.must(err)
	img.SpoolID, img.RawSHA256, img.Key, img.Hash = "spool", "raw", "generated/"+img.ID+".png", fmt.Sprintf("%016x", hash)
	b.tx(func(tx *store.Tx) error { return tx.Spooled(b.t.Context(), img) })
	img, err = b.claim((*store.Tx).ClaimUpload, img.ID, "u"+job.ID, lease)
	b.must(err)
	img.URL = "https://cdn.test/" + img.Key
	b.tx(func(tx *store.Tx) error { return tx.Stored(b.t.Context(), img) })
	return b.read(img.ID)
}

// flipped differs from hash in the given bits.
func flipped(hash uint64, bits ...int) uint64 {
	for _, bit := range bits {
		hash ^= 1 << bit
	}
	return hash
}

const someHash = 0x9d3c_61f0_4b8e_27a5

func TestLookalikesWithinSevenBits(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		want := map[string]int{}
		for distance, hash := range []uint64{
			someHash,
			flipped(someHash, 63),
			flipped(someHash, 0, 1),
			flipped(someHash, 0, 16, 32),
			flipped(someHash, 0, 16, 32, 48),
			flipped(someHash, 0, 1, 2, 3, 4),
			flipped(someHash, 0, 1, 16, 17, 32, 33),
			flipped(someHash, 0, 1, 16, 17, 32, 33, 48), // the worst that seven bits can be spread
		} {
			want[b.hashed(hash, "").ID] = distance
		}
		b.hashed(flipped(someHash, 0, 1, 16, 17, 32, 33, 48, 49), "")
		b.hashed(flipped(someHash, 0, 1, 2, 3, 4, 5, 6, 7), "")
		b.hashed(^uint64(someHash), "")

		one := editorial.Image{ID: newID(), JobID: newID(), Hash: fmt.Sprintf("%016x", uint64(someHash))}
		list, err := b.Lookalikes(t.Context(), one, 100)
		b.must(err)
		got := map[string]int{}
		for i, l := range list {
			got[l.ImageID] = l.Distance
			if i > 0 && l.Distance < list[i-1].Distance {
				t.Errorf("a picture at %d comes after one at %d", l.Distance, list[i-1].Distance)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pictures and their distances (-want +got):\n%s", diff)
		}
		if list, err = b.Lookalikes(t.Context(), one, 3); err != nil || len(list) != 3 {
			t.Errorf("of at most three: %d, %v", len(list), err)
		}
		one.Hash = ""
		if list, err = b.Lookalikes(t.Context(), one, 3); err != nil || len(list) != 0 {
			t.Errorf("without a hash: %v, %v", list, err)
		}
	})
}

func TestLookalikesAreOthersPictures(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.hashed(someHash, "draft-1")
		other := b.hashed(flipped(someHash, 5), "draft-2")
		shown := b.hashed(flipped(someHash, 5, 6, 7), "draft-3")
		b.tx(func(tx *store.Tx) error {
			state, err := tx.LockDraft(t.Context(), "draft-3")
			if err != nil {
				return err
			}
			state.PostID, state.PublishedImageID = newID(), shown.ID
			return tx.SaveDraftImages(t.Context(), state)
		})
		waiting := b.uploading("not stored yet")
		b.exec(`UPDATE images SET hash = '` + other.Hash + `' WHERE id = '` + waiting.ID + `'`)

		again := b.job(editorial.KindGenerate, "draft-1", 2, 1).Images[0]
		again.Hash = fmt.Sprintf("%016x", uint64(someHash))
		list, err := b.Lookalikes(t.Context(), again, 10)
		b.must(err)
		want := []editorial.Lookalike{
			{ImageID: shown.ID, JobID: shown.JobID, DraftID: "draft-3", Title: "a lighthouse", URL: shown.URL, Distance: 3},
			{ImageID: other.ID, JobID: other.JobID, DraftID: "draft-2", Title: "a lighthouse", URL: other.URL, Distance: 1},
		}
		if len(list) > 0 {
			want[0].PostID = list[0].PostID
		}
		if diff := cmp.Diff(want, list); diff != "" {
			t.Errorf("what a new round of draft-1 is like: what a post shows first, nothing of its own (-want +got):\n%s", diff)
		}
		if len(list) > 0 && list[0].PostID == "" {
			t.Error("the post that shows the picture is not named")
		}
	})
}

func TestRecipeAndLookalikesAreKept(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		recipe := &editorial.Recipe{
			Prompt: "a <lora:x:1> lighthouse", SentPrompt: "a lighthouse", Width: 1200, Height: 630, Version: "v1.10.1", DurationMS: 4200,
		}
		img := b.generating("g")
		img.Recipe, img.Key, img.Bytes = recipe, "generated/"+img.ID+".png", 1000
		b.tx(func(tx *store.Tx) error { return tx.Spooled(t.Context(), img) })
		img, err := b.claim((*store.Tx).ClaimUpload, img.ID, "u", lease)
		b.must(err)
		img.Lookalikes = []editorial.Lookalike{{ImageID: newID(), JobID: newID(), URL: "https://cdn.test/x", Distance: 4}}
		img.Renditions = []editorial.Rendition{{Bytes: 100}, {Bytes: 200}}
		b.tx(func(tx *store.Tx) error { return tx.Stored(t.Context(), img) })
		got := b.read(img.ID)
		if diff := cmp.Diff(recipe, got.Recipe); diff != "" {
			t.Errorf("recipe (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(img.Lookalikes, got.Lookalikes); diff != "" {
			t.Errorf("lookalikes (-want +got):\n%s", diff)
		}
		var objects, bytes int64
		b.must(b.DB().QueryRowxContext(t.Context(), `SELECT objects, stored_bytes FROM images WHERE id = '`+img.ID+`'`).Scan(&objects, &bytes))
		if objects != 3 || bytes != 1300 {
			t.Errorf("%d objects of %d bytes, want 3 of 1300", objects, bytes)
		}
	})
}
