package dispatch_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

func TestAnAlternativeTextIsChangedWhereverItIsShown(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		draft := b.draft("A quiet harbour", nil)
		job := b.submit(draft, 2)
		b.must(b.storeImage(job.Images[0].ID))
		b.must(b.storeImage(job.Images[1].ID))
		b.approve(draft)
		for range 2 { // pressed twice: told once
			_, err := b.Describe(ctx, job.Images[0].ID, " A harbour at dusk ", "jane")
			b.must(err)
		}
		_, err := b.Describe(ctx, job.Images[1].ID, "Another", "jane")
		b.must(err)
		state, err := b.store.DraftImages(ctx, draft)
		b.must(err)
		post, err := b.store.Post(ctx, state.PostID)
		b.must(err)
		if got := post.Metadata["featured_image_alt"]; got != "A harbour at dusk" {
			t.Errorf("the post says %q", got)
		}
		if post.FeaturedImageURL == "" || len(post.TagIDs) == 0 {
			t.Errorf("describing emptied the post: %+v", post)
		}
		if n := b.notes.count("image.described"); n != 2 {
			t.Errorf("told %d times of two changes", n)
		}
		_, err = b.Describe(ctx, job.Images[0].ID, strings.Repeat("x", editorial.MaxAltText+1), "jane")
		var e *editorial.Error
		if !errors.As(err, &e) || e.Field != "alt_text" {
			t.Errorf("a text too long: %v", err)
		}
	})
}

func TestARejectionOfARoundThatIsGoneIsRefused(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		draft := b.draft("A quiet harbour", nil)
		b.submit(draft, 1)
		seen := 1
		reject := dispatch.Decision{DraftID: draft, Feedback: "too dark", NewRound: true, SeenRound: &seen}
		_, err := b.Decide(ctx, reject)
		b.must(err)
		_, err = b.Decide(ctx, reject)
		var e *editorial.Error
		if !errors.As(err, &e) || e.Code != "round_changed" {
			t.Errorf("the second click: %v", err)
		}
		if d, _ := b.store.DraftImages(ctx, draft); d.Round != 2 {
			t.Errorf("round %d, want 2", d.Round)
		}
	})
}
