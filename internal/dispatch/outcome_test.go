package dispatch_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// A decision answers with what its transaction wrote. Whoever reads the rows
// after it finds the same.
func TestADecisionTellsWhatTheRowsSay(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		ready := func(title string) string {
			draft := b.draft(title, nil)
			b.must(b.storeImage(b.submit(draft, 1).Images[0].ID))
			return draft
		}
		published, early, rejected, again := ready("Lamps at dusk"), b.draft("No picture yet", nil), ready("Not this one"), ready("Another one")
		for _, c := range []struct {
			name string
			dec  dispatch.Decision
			post bool
		}{
			{"approved with its picture", dispatch.Decision{DraftID: published, Approved: true, Reviewer: "jane", Feedback: "good"}, true},
			{"approved again by somebody else", dispatch.Decision{DraftID: published, Approved: true, Reviewer: "joe"}, true},
			{"approved before its picture", dispatch.Decision{DraftID: early, Approved: true, Reviewer: "jane"}, false},
			{"rejected", dispatch.Decision{DraftID: rejected, Reviewer: "jane", Feedback: "too dark"}, false},
			{"rejected again", dispatch.Decision{DraftID: rejected, Reviewer: "joe"}, false},
			{"rejected for another round", dispatch.Decision{DraftID: again, Reviewer: "jane", Feedback: "brighter", NewRound: true}, false},
		} {
			o, err := b.Decide(t.Context(), c.dec)
			b.must(err)
			draft, err := b.store.Draft(t.Context(), c.dec.DraftID)
			b.must(err)
			state, err := b.store.DraftImages(t.Context(), c.dec.DraftID)
			b.must(err)
			if diff := cmp.Diff(draft, o.Draft); diff != "" {
				t.Errorf("%s: the draft (-row +told):\n%s", c.name, diff)
			}
			if diff := cmp.Diff(state, o.State); diff != "" {
				t.Errorf("%s: its pictures (-row +told):\n%s", c.name, diff)
			}
			approvals, err := b.store.Approvals(t.Context(), c.dec.DraftID)
			b.must(err)
			last := approvals[len(approvals)-1]
			if o.Reviewer != last.Reviewer || !o.DecidedAt.Equal(last.DecidedAt) {
				t.Errorf("%s: decided by %s at %s, the row says %s at %s", c.name, o.Reviewer, o.DecidedAt, last.Reviewer, last.DecidedAt)
			}
			if (o.Post != nil) != c.post {
				t.Fatalf("%s: post %v", c.name, o.Post)
			}
			if !c.post {
				continue
			}
			post, err := b.store.Post(t.Context(), state.PostID)
			b.must(err)
			// Its times are the database's, which nobody is told.
			post.CreatedAt, post.UpdatedAt = o.Post.CreatedAt, o.Post.UpdatedAt
			post.Metadata, o.Post.Metadata = nil, nil // as JSON has it and as Go has it
			if diff := cmp.Diff(post, *o.Post); diff != "" {
				t.Errorf("%s: the post (-row +told):\n%s", c.name, diff)
			}
		}
	})
}

// The site's terms are found by their names in whatever case a draft writes them.
func TestTermsAreFoundByAnySpelling(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		var posts []editorial.Post
		for _, columns := range []map[string]any{
			{"category": "Notes", "tags": []string{"Sea", "sea", "Lighthouses"}},
			{"category": "notes", "tags": []string{"lighthouses", "SEA"}},
		} {
			draft := b.draft("A lamp", columns)
			b.must(b.storeImage(b.submit(draft, 1).Images[0].ID))
			posts = append(posts, *b.approve(draft).Post)
		}
		if posts[0].CategoryID != posts[1].CategoryID || posts[0].AuthorID != posts[1].AuthorID {
			t.Errorf("one category and author under two spellings: %+v", posts)
		}
		if len(posts[0].TagIDs) != 2 || len(posts[1].TagIDs) != 2 || posts[0].TagIDs[0] != posts[1].TagIDs[1] {
			t.Errorf("tags %v and %v, want the same two", posts[0].TagIDs, posts[1].TagIDs)
		}
	})
}
