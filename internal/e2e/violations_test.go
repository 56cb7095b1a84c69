package e2e

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// violations lists every promise of DESIGN section 1 that the records break,
// one line each, beginning with its number. It is called when everything has
// had its time to end.
func violations(r *records) []string {
	var v report
	v.nothingLost(r)
	v.nothingPaidTwice(r)
	v.urlsWork(r)
	v.onePostADraft(r)
	v.lateWorkNeverWon(r)
	v.keysAreOnePictures(r)
	v.postsAreComplete(r)
	return v
}

type report []string

func (v *report) add(format string, args ...any) { *v = append(*v, fmt.Sprintf(format, args...)) }

var (
	jobEnds   = []string{"stored", "failed", "canceled", "superseded"}
	imageEnds = jobEnds
)

// P1: what was accepted ends, and failures say why (P10).
func (v *report) nothingLost(r *records) {
	states := make(map[string]string)
	for _, j := range r.jobs {
		states[j.ID] = j.State
		if !slices.Contains(jobEnds, j.State) {
			v.add("P1: job %s has not ended", j.ID)
		}
		if j.State == "failed" && !complete(j.Failure) {
			v.add("P10: job %s failed with %q", j.ID, j.Failure)
		}
	}
	for _, id := range r.accepted {
		if _, ok := states[id]; !ok {
			v.add("P1: job %s was accepted and is not there", id)
		}
	}
	for _, i := range r.images {
		if !slices.Contains(imageEnds, i.State) {
			v.add("P1: image %s is %s", i.ID, i.State)
		}
		if (i.State == "failed" || i.Failure != "") && !complete(i.Failure) {
			v.add("P10: image %s failed with %q", i.ID, i.Failure)
		}
	}
}

func complete(failureJSON string) bool {
	var f *failure
	return json.Unmarshal([]byte(failureJSON), &f) == nil && f.complete()
}

// P2: nothing is generated once its bytes were in the spool, neither as the
// same row nor as another one for the same place.
func (v *report) nothingPaidTwice(r *records) {
	places := make(map[string]string)
	for _, i := range r.images {
		place := fmt.Sprint(i.JobID, "/", i.Number)
		if other := places[place]; other != "" {
			v.add("P2: images %s and %s are both number %d of job %s", other, i.ID, i.Number, i.JobID)
		}
		places[place] = i.ID
		events := r.eventsOf(i.ID)
		if n := count(events, "image.spooled"); n > 1 {
			v.add("P2: image %s was spooled %d times", i.ID, n)
		}
		spooled := slices.Index(events, "image.spooled")
		if spooled >= 0 && slices.Contains(events[spooled:], "image.generating") {
			v.add("P2: image %s was generated again after it was spooled: %s", i.ID, strings.Join(events, " "))
		}
		if i.State == "stored" && (spooled < 0 || !slices.Contains(events[:spooled], "image.generating")) {
			v.add("P2: image %s is stored and its history tells nothing of it: %s", i.ID, strings.Join(events, " "))
		}
	}
}

// P3: every URL in the database answers with the bytes that the row promises.
func (v *report) urlsWork(r *records) {
	digests := make(map[string]string) // URL -> SHA-256
	for _, i := range r.images {
		if i.State != "stored" {
			continue
		}
		for _, f := range i.files() {
			digests[f.URL] = f.SHA256
			if got, err := r.fetch(f.URL); err != nil || got != f.SHA256 {
				v.add("P3: %q of image %s serves %.12s, its row says %.12s (%v)", f.URL, i.ID, got, f.SHA256, err)
			}
		}
	}
	for _, p := range r.posts {
		for _, url := range []string{p.Featured, p.Cover} {
			if _, known := digests[url]; !known {
				v.add("P3: post %s shows %q, which no stored image has", p.Slug, url)
			}
		}
	}
}

// P4: one approval, one post, one event.
func (v *report) onePostADraft(r *records) {
	owners := make(map[string]string)
	for _, d := range r.drafts {
		if d.PostID == "" {
			if d.Status == "published" {
				v.add("P4: draft %s is published and has no post", d.ID)
			}
			continue
		}
		if other := owners[d.PostID]; other != "" {
			v.add("P4: drafts %s and %s have one post", other, d.ID)
		}
		owners[d.PostID] = d.ID
		published := 0
		for _, i := range r.images {
			if i.DraftID == d.ID {
				published += count(r.eventsOf(i.ID), "post.published")
			}
		}
		if published != 1 {
			v.add("P4: draft %s was published %d times", d.ID, published)
		}
	}
	for _, p := range r.posts {
		if owners[p.ID] == "" {
			v.add("P4: post %s belongs to no draft", p.Slug)
		}
	}
}

// P6: a stored picture is final, a post shows the picture that was approved,
// and of the round that was.
func (v *report) lateWorkNeverWon(r *records) {
	images := make(map[string]imageRecord)
	for _, i := range r.images {
		images[i.ID] = i
		events := r.eventsOf(i.ID)
		n := count(events, "image.stored")
		if (i.State == "stored") != (n == 1) || n > 1 {
			v.add("P6: image %s is %s and was stored %d times", i.ID, i.State, n)
		}
		if stored := slices.Index(events, "image.stored"); stored >= 0 {
			for _, e := range events[stored+1:] {
				if strings.HasPrefix(e, "image.") {
					v.add("P6: image %s: %s came after it was stored", i.ID, e)
				}
			}
		}
	}
	posts := make(map[string]postRecord)
	for _, p := range r.posts {
		posts[p.ID] = p
	}
	for _, d := range r.drafts {
		if d.PostID == "" {
			continue
		}
		shown := images[d.PublishedImage]
		switch {
		case posts[d.PostID].Featured != shown.URL:
			v.add("P6: post %s shows %q, not the published image %s", posts[d.PostID].Slug, posts[d.PostID].Featured, shown.ID)
		case d.ApprovedImage != "" && d.ApprovedImage != d.PublishedImage:
			v.add("P6: draft %s: image %s was approved and %s published", d.ID, d.ApprovedImage, d.PublishedImage)
		case d.ApprovedImage == "" && shown.Round != d.PublishedRound:
			v.add("P6: draft %s shows a picture of round %d, published was round %d", d.ID, shown.Round, d.PublishedRound)
		}
	}
}

// P7: one key, one picture, in the rows, in the bucket and in every put there
// ever was; and nothing lies in the bucket that no row knows.
func (v *report) keysAreOnePictures(r *records) {
	rows := make(map[string]string)
	for _, i := range r.images {
		for _, f := range i.files() {
			if f.Key == "" {
				continue
			}
			if other, ok := rows[f.Key]; ok && other != f.SHA256 {
				v.add("P7: key %s has two digests in the rows", f.Key)
			}
			rows[f.Key] = f.SHA256
			if got, ok := r.objects[f.Key]; i.State == "stored" && !ok || ok && got != f.SHA256 {
				v.add("P7: key %s holds %.12s, its row says %.12s", f.Key, got, f.SHA256)
			}
		}
	}
	for key := range r.objects {
		if _, ok := rows[key]; !ok {
			v.add("P7: object %s belongs to no row", key)
		}
	}
	for key, sums := range r.puts {
		if len(slices.Compact(slices.Sorted(slices.Values(sums)))) > 1 {
			v.add("P7: different bytes were put under %s: %v", key, sums)
		}
	}
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$`)

// P8: no column of a published post is left null.
func (v *report) postsAreComplete(r *records) {
	for _, p := range r.posts {
		for column, value := range map[string]string{
			"featured_image_url": p.Featured, "cover_image_url": p.Cover, "published_at": p.Published,
		} {
			if value == "" {
				v.add("P8: post %s has no %s", p.Slug, column)
			}
		}
		for column, value := range map[string]string{
			"author_id": p.Author, "category_id": p.Category, "created_by": p.CreatedBy, "updated_by": p.UpdatedBy,
		} {
			if !uuidForm.MatchString(value) {
				v.add("P8: post %s has the %s %q", p.Slug, column, value)
			}
		}
		if n := strings.Count(p.TagIDs, "-") / 4; n == 0 || n != p.PostTags {
			v.add("P8: post %s has tag_ids %s and %d rows of post_tags", p.Slug, p.TagIDs, p.PostTags)
		}
	}
}

func count(list []string, s string) (n int) {
	for _, e := range list {
		if e == s {
			n++
		}
	}
	return n
}
