package dispatch_test

import (
	"testing"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// A picture made for no draft is picked for one that never had a round.
func TestAPickedPictureIsPublishedWithoutARound(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		job, _, err := b.Submit(t.Context(), dispatch.Submission{Request: editorial.Request{Prompt: "a lighthouse", UseGeneration: true}})
		b.must(err)
		b.must(b.storeImage(job.Images[0].ID))
		id := b.draft("Picked", nil)
		b.must(b.Choose(t.Context(), id, job.Images[0].ID, "jane"))
		o := b.approve(id)
		if o.Post == nil || o.State.PublishedImageID != job.Images[0].ID {
			t.Errorf("after the approval: post %v, state %+v", o.Post, o.State)
		}
		if again := b.approve(id); !again.Repeated || again.Post == nil || again.Post.ID != o.Post.ID {
			t.Errorf("after the second click: %+v", again)
		}
	})
}

func TestCase3AnotherPictureOfAPublishedPostTakesAnotherApproval(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("A quiet harbour", nil)
		job := b.submit(draft, 2)
		b.must(b.storeImage(job.Images[0].ID))
		b.must(b.storeImage(job.Images[1].ID))
		b.approve(draft)
		assertPublished(t, b, draft, job.Images[0].ID)
		b.must(b.Choose(t.Context(), draft, job.Images[1].ID, "jane"))
		if d, _ := b.store.DraftImages(t.Context(), draft); d.PublishedImageID != job.Images[0].ID {
			t.Fatal("picking another picture changed the public post without an approval")
		}
		b.approve(draft)
		assertPublished(t, b, draft, job.Images[1].ID)
	})
}
