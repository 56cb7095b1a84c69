package repair_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/repair"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/store/storetest"
)

// bench is a real database and dispatch with a bucket that only remembers.
type bench struct {
	*dispatch.Dispatch
	t      *testing.T
	bucket *bucketBook
}

func each(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		test(t, &bench{t: t, bucket: &bucketBook{}, Dispatch: dispatch.New(dispatch.Config{
			Store: s, Ringer: nobody{}, Notifier: nobody{}, Capabilities: nobody{}, Links: nobody{}, Log: slog.New(slog.DiscardHandler),
		})})
	})
}

type nobody struct{}

func (nobody) Ring(context.Context, ...dispatch.Bell) error { return nil }
func (nobody) States(_ context.Context, b []dispatch.Bell) ([]dispatch.TaskState, error) {
	return make([]dispatch.TaskState, len(b)), nil
}
func (nobody) Notify(context.Context, ...dispatch.Note) {}
func (nobody) CanAnswer(editorial.Request) bool         { return true }
func (nobody) KeyOf(url string) (string, bool)          { return strings.CutPrefix(url, "https://cdn.test/") }

type bucketBook struct {
	deleted []string
	refuses error
}

func (b *bucketBook) Delete(_ context.Context, key blob.Key) error {
	if b.refuses == nil {
		b.deleted = append(b.deleted, string(key))
	}
	return b.refuses
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) draft(title string) string {
	b.t.Helper()
	id := uuid.NewString()
	b.must(b.Store.InTx(b.t.Context(), func(tx *store.Tx) error {
		return tx.InsertDraft(b.t.Context(), id, map[string]any{
			"topic": title, "status": "awaiting_approval", "content": "Text.", "task_metadata": map[string]any{},
		})
	}))
	return id
}

// round asks for count pictures and stores them; a draft of "" is none.
func (b *bench) round(draft string, count int) []editorial.Image {
	b.t.Helper()
	ctx := b.t.Context()
	job, _, err := b.Submit(ctx, dispatch.Submission{
		Request: editorial.Request{Prompt: "a lighthouse", UseGeneration: true, Count: count}, DraftID: draft, Caller: "tester",
	})
	b.must(err)
	for i := range job.Images {
		img, _, err := b.ClaimGenerate(ctx, job.Images[i].ID)
		b.must(err)
		img.SpoolID, img.RawSHA256, img.Key = "spool", strings.Repeat("a", 64), dispatch.NewKey(img, "png")
		b.must(b.Spooled(ctx, img))
		img, _, err = b.ClaimUpload(ctx, img.ID)
		b.must(err)
		img.SHA256, img.Bytes, img.URL = strings.Repeat("b", 64), 1000, "https://cdn.test/"+img.Key
		img.Renditions = []editorial.Rendition{{Key: img.Key + "-640.webp", Bytes: 24}}
		b.must(b.Finished(ctx, img))
		b.must(b.Stored(ctx, img))
		if job.Images[i], err = b.Store.Image(ctx, img.ID); err != nil {
			b.t.Fatal(err)
		}
	}
	return job.Images
}

func (b *bench) approve(draft string) {
	b.t.Helper()
	_, err := b.Decide(b.t.Context(), dispatch.Decision{DraftID: draft, Approved: true, Reviewer: "ann", Feedback: "good as it is"})
	b.must(err)
}

func (b *bench) reaper() *repair.Reaper {
	return &repair.Reaper{
		Rows: b.Store, Remover: b, Marker: b.Store, Bucket: b.bucket, Caller: "operator",
		Grace: -time.Minute, Max: 100, // everything is old enough
	}
}

func TestWhatIsReaped(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		published := b.draft("Published")
		shown := b.round(published, 2)
		b.approve(published)
		waiting := b.draft("Still to be chosen from")
		first, second := b.round(waiting, 1), b.round(waiting, 2)
		deleted := b.draft("Deleted")
		gone := b.round(deleted, 1)
		b.must(b.DeleteDraft(t.Context(), deleted))
		loose := b.round("", 1)

		r := b.reaper()
		plan, err := r.Plan(t.Context())
		b.must(err)
		got := make(map[string]string)
		for _, p := range plan.Pictures {
			got[p.ID] = p.Why
		}
		want := map[string]string{
			shown[1].ID: "another candidate was published",
			first[0].ID: "of round 1, and the draft is in round 2",
			gone[0].ID:  "its draft was deleted",
		}
		if diff := cmp.Diff(want, got); diff != "" || plan.Kept != 2 {
			t.Errorf("kept %d; to delete (-want +got):\n%s", plan.Kept, diff)
		}

		r.Max = 2
		if plan, err = r.Plan(t.Context()); err != nil || len(plan.Pictures) != 2 || !plan.More {
			t.Errorf("with a cap of 2: %d pictures, more %v, %v", len(plan.Pictures), plan.More, err)
		}
		r.Max, r.Unlinked = 100, true
		plan, err = r.Plan(t.Context())
		b.must(err)
		sum, err := r.Run(t.Context(), plan, func() {})
		b.must(err)
		if sum.Deleted != 4 || sum.Bytes != 4*1024 || len(b.bucket.deleted) != 8 {
			t.Errorf("%+v, objects %v", sum, b.bucket.deleted)
		}
		for _, keep := range []editorial.Image{shown[0], second[0], second[1]} {
			if slices.Contains(b.bucket.deleted, keep.Key) {
				t.Errorf("%s was deleted", keep.Key)
			}
		}
		if !slices.Contains(b.bucket.deleted, loose[0].Key+"-640.webp") {
			t.Error("a rendition was left")
		}
		if plan, err = r.Plan(t.Context()); err != nil || len(plan.Pictures) != 0 {
			t.Errorf("a second run would delete %d, %v", len(plan.Pictures), err)
		}
	})
}

func TestReapWaitsForTheGraceOfPictureAndDraft(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("Young")
		b.round(draft, 2)
		b.approve(draft)
		r := b.reaper()
		r.Grace = time.Hour
		if plan, err := r.Plan(t.Context()); err != nil || len(plan.Pictures) != 0 {
			t.Errorf("%d pictures would be deleted within their grace, %v", len(plan.Pictures), err)
		}
		old := "UPDATE images SET finalized_at = '2020-01-01T00:00:00.000Z', updated_at = '2020-01-01T00:00:00.000Z'"
		_, err := b.Store.DB().ExecContext(t.Context(), old)
		b.must(err)
		if plan, err := r.Plan(t.Context()); err != nil || len(plan.Pictures) != 0 {
			t.Errorf("%d pictures of a draft that changed a moment ago would be deleted, %v", len(plan.Pictures), err)
		}
		_, err = b.Store.DB().ExecContext(t.Context(), "UPDATE draft_images SET updated_at = '2020-01-01T00:00:00.000Z'")
		b.must(err)
		if plan, err := r.Plan(t.Context()); err != nil || len(plan.Pictures) != 1 {
			t.Errorf("%d pictures would be deleted after it, want 1, %v", len(plan.Pictures), err)
		}
	})
}

func TestADeletionThatIsRefusedIsFinishedLater(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("Refused")
		b.round(draft, 2)
		b.approve(draft)
		r := b.reaper()
		plan, err := r.Plan(t.Context())
		b.must(err)
		b.bucket.refuses = blob.Configf(blob.CodeAccessDenied, errors.New("403"), "the credentials may not delete")
		if _, err := r.Run(t.Context(), plan, func() {}); !repair.NotAllowed(err) {
			t.Fatalf("error is %v, want the bucket's refusal", err)
		}
		b.bucket.refuses = nil
		if plan, err = r.Plan(t.Context()); err != nil || len(plan.Pictures) != 1 {
			t.Fatalf("%d pictures are left to delete, want 1, %v", len(plan.Pictures), err)
		}
		sum, err := r.Run(t.Context(), plan, func() {})
		b.must(err)
		if sum.Deleted != 1 || len(b.bucket.deleted) != 2 {
			t.Errorf("%+v, objects %v", sum, b.bucket.deleted)
		}
	})
}

// The takedown's order: what the CDN forgets must be gone from the bucket.
func TestTakedownInvalidatesLastAndAgain(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("Taken down")
		img := b.round(draft, 1)[0]
		b.approve(draft)
		cdn := &forgetful{bucket: b.bucket, fails: true}
		td := repair.Takedown{Pictures: b.Store, Clearer: b, Marker: b.Store, Bucket: b.bucket, Links: nobody{}, CDN: cdn, Caller: "operator"}
		found, err := td.Find(t.Context(), img.URL)
		if err != nil || found.ID != img.ID {
			t.Fatalf("found %s, %v", found.ID, err)
		}
		if _, _, err := td.Do(t.Context(), found, "complaint"); !errors.Is(err, errAway) {
			t.Fatalf("error is %v, want the CDN's", err)
		}
		cdn.fails = false
		_, id, err := td.Do(t.Context(), found, "complaint")
		b.must(err)
		if id != "I1" || cdn.reference != img.ID || !cmp.Equal(cdn.paths, []string{"/" + img.Key + "*"}) || cdn.deletedBefore < 2 {
			t.Errorf("invalidation %q of %v for %s after %d deletions", id, cdn.paths, cdn.reference, cdn.deletedBefore)
		}
	})
}

var errAway = errors.New("away")

type forgetful struct {
	bucket        *bucketBook
	fails         bool
	reference     string
	paths         []string
	deletedBefore int
}

func (f *forgetful) Invalidate(_ context.Context, reference string, paths []string) (string, error) {
	if f.fails {
		return "", errAway
	}
	f.reference, f.paths, f.deletedBefore = reference, paths, len(f.bucket.deleted)
	return "I1", nil
}
