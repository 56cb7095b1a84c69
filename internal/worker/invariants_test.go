package worker_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/glad-labs/frontispiece/internal/cdn"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// broken lists every promise that the rows, the bucket and the bill do not keep
// once everything has come to rest: I1 to I7 and I9 of reliability.md §4.4.
func (s *site) broken() []string {
	s.t.Helper()
	c := &checker{site: s}
	jobs, err := s.store.Jobs(s.t.Context(), store.JobFilter{Limit: 10_000})
	s.must(err)
	drafts, _, err := s.store.Drafts(s.t.Context(), store.DraftFilter{Limit: 10_000})
	s.must(err)
	for _, job := range jobs {
		c.job(job)
	}
	for _, draft := range drafts {
		c.draft(draft.ID)
	}
	c.posts()
	c.objects(jobs)
	if left := s.line.left(); len(left) > 0 {
		c.wrong("I9: the queue still knows %v", left)
	}
	s.bill.mu.Lock()
	defer s.bill.mu.Unlock()
	return append(c.wrongs, s.bill.wrongs...)
}

var allPosts = store.PostFilter{Limit: 10_000}

type checker struct {
	*site
	wrongs []string
}

func (c *checker) wrong(format string, args ...any) {
	c.wrongs = append(c.wrongs, fmt.Sprintf(format, args...))
}

// job checks that a job has ended, with a reason when it failed (I1), and that
// the generator was not asked more often than is allowed (I6).
func (c *checker) job(job editorial.Job) {
	if !job.State.IsFinal() || job.FinalizedAt.IsZero() {
		c.wrong("I1: job %s is %s", job.ID, job.State)
	}
	if f := job.Failure; job.State == editorial.JobFailed && (f == nil || f.Code == "" || f.Message == "" || f.Stage == "") {
		c.wrong("I1: job %s failed without a reason: %+v", job.ID, f)
	}
	if job.State == editorial.JobSuperseded && job.SupersededBy == "" {
		c.wrong("I1: job %s was superseded by nothing", job.ID)
	}
	for _, img := range job.Images {
		if !img.State.IsFinal() || img.FinalizedAt.IsZero() || img.Claim != "" {
			c.wrong("I1: image %s is %s, claimed by %q, failure %v", img.ID, img.State, img.Claim, img.Failure)
		}
		if img.State == editorial.StateFailed && img.Failure == nil {
			c.wrong("I1: image %s failed without a reason", img.ID)
		}
		if img.State == editorial.StateStored {
			c.stored(img)
		}
	}
}

// stored checks that a stored image's objects are there, are the bytes that
// its row promises, and are the picture that was made for it (I2, I3).
func (c *checker) stored(img editorial.Image) {
	data := c.object(img.Key, img.SHA256, img.Bytes)
	if img.URL != cdn.LocalPrefix+img.Key || img.Source == "" {
		c.wrong("I2: image %s is stored as %q from %q", img.ID, img.URL, img.Source)
	}
	if id, err := painted(data); err != nil || id != img.ID {
		c.wrong("I3: image %s shows the picture of %q, %v", img.ID, id, err)
	}
	for _, r := range img.Renditions {
		if c.object(r.Key, r.SHA256, r.Bytes); r.URL != cdn.LocalPrefix+r.Key {
			c.wrong("I2: rendition of image %s is at %q", img.ID, r.URL)
		}
	}
}

func (c *checker) object(key, digest string, size int64) []byte {
	data, err := os.ReadFile(filepath.Join(c.dir, "images", key))
	sum := sha256.Sum256(data)
	if err != nil || hex.EncodeToString(sum[:]) != digest || int64(len(data)) != size {
		c.wrong("I2: object %q: %v, %d bytes with digest %x, want %d with %s", key, err, len(data), sum, size, digest)
	}
	return data
}

// draft checks that an approval was carried out when it could be, with the
// picture that it meant (I3 to I5).
func (c *checker) draft(id string) {
	state, err := c.store.DraftImages(c.t.Context(), id)
	c.must(err)
	if !state.Approved() {
		return
	}
	round, err := c.store.ImagesOfRound(c.t.Context(), id, state.Round)
	stored, _ := editorial.Candidates(round)
	c.must(err)
	waiting := state.ApprovedRound > state.PublishedRound
	named := state.ApprovedImageID
	if named == "" && state.HandPicked && waiting {
		named = state.ChosenImageID
	}
	if named == "" && waiting && len(stored) > 0 {
		named = stored[0].ID
	}
	if img, err := c.store.Image(c.t.Context(), named); err == nil && img.State == editorial.StateStored && state.PublishedImageID != named {
		c.wrong("I5: draft %s is approved with picture %s and shows %q: %+v", id, named, state.PublishedImageID, state)
	}
}

// posts checks that each post has one draft, one event of its making, and a
// picture of that draft (I2 to I5).
func (c *checker) posts() {
	posts, _, err := c.store.Posts(c.t.Context(), allPosts)
	c.must(err)
	byDraft := map[string]int{}
	for _, post := range posts {
		byDraft[post.TaskID]++
		state, err := c.store.DraftImages(c.t.Context(), post.TaskID)
		c.must(err)
		img, err := c.store.Image(c.t.Context(), state.PublishedImageID)
		if err != nil || img.URL != post.FeaturedImageURL || img.DraftID != post.TaskID || img.Round > state.PublishedRound || img.State != editorial.StateStored {
			c.wrong("I3: post of draft %s shows %q, its published image is %+v, %v", post.TaskID, post.FeaturedImageURL, img, err)
		}
		if made := c.events(post.TaskID, "post.published"); byDraft[post.TaskID] != 1 || made != 1 {
			c.wrong("I5: draft %s has %d posts and %d times post.published", post.TaskID, byDraft[post.TaskID], made)
		}
	}
}

func (c *checker) events(draftID, kind string) int {
	return c.count(`SELECT COUNT(*) FROM job_events e JOIN image_jobs j ON j.id = e.job_id WHERE j.draft_id = ? AND e.type = ?`, draftID, kind)
}

func (c *checker) count(query string, args ...any) (n int) {
	c.must(c.store.DB().GetContext(c.t.Context(), &n, query, args...))
	return n
}

// objects checks that the bucket holds nothing that no row knows.
func (c *checker) objects(jobs []editorial.Job) {
	known := map[string]bool{}
	for _, job := range jobs {
		for _, img := range job.Images {
			known[img.Key] = true
			for _, r := range img.Renditions {
				known[r.Key] = true
			}
		}
	}
	root := filepath.Join(c.dir, "images")
	c.must(filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if key := strings.TrimPrefix(path, root+"/"); err == nil && !e.IsDir() && !known[key] {
			c.wrong("I2: an object that no row knows: %s", key)
		}
		return err
	}))
}
