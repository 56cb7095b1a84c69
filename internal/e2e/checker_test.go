package e2e

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// sound is a small world without a fault: a draft with a published picture and
// its rendition.
func sound() *records {
	const id = "c0ffee00-0000-4000-8000-000000000001"
	return &records{
		accepted: []string{"job"},
		jobs:     []jobRecord{{ID: "job", State: "stored"}},
		images: []imageRecord{{
			ID: "img", JobID: "job", DraftID: "draft", Round: 1, Number: 1, State: "stored", Key: "generated/1.png",
			URL: "/1.png", SHA256: "aa", Renditions: `[{"key":"generated/1.png-64.webp","url":"/1-64.webp","sha256":"bb"}]`,
		}},
		events: []eventRecord{
			{1, "job", "", "job.queued"},
			{2, "job", "img", "image.generating"},
			{3, "job", "img", "image.spooled"},
			{4, "job", "img", "image.uploading"},
			{5, "job", "img", "image.stored"},
			{6, "job", "img", "post.published"},
		},
		drafts: []draftRecord{{ID: "draft", Status: "published", Round: 1, PostID: "post", ApprovedRound: 1, PublishedRound: 1, PublishedImage: "img"}},
		posts: []postRecord{{
			ID: "post", Slug: "slug", Featured: "/1.png", Cover: "/1.png", Author: id, Category: id, TagIDs: `["` + id + `"]`,
			CreatedBy: id, UpdatedBy: id, Published: "2026-01-01", PostTags: 1,
		}},
		objects: map[string]string{"generated/1.png": "aa", "generated/1.png-64.webp": "bb"},
		puts:    map[string][]string{"generated/1.png": {"aa", "aa"}},
		fetch: func(url string) (string, error) {
			if sum := map[string]string{"/1.png": "aa", "/1-64.webp": "bb"}[url]; sum != "" {
				return sum, nil
			}
			return "", errors.New("404")
		},
	}
}

// The checker is trusted by every other test here, so each of its rules is seen
// red once.
func TestTheCheckerSeesEachBreach(t *testing.T) {
	t.Parallel()
	if v := violations(sound()); len(v) > 0 {
		t.Fatalf("the sound world breaks %q", v)
	}
	event := func(kind string) func(*records) {
		return func(r *records) { r.events = append(r.events, eventRecord{9, "job", "img", kind}) }
	}
	tests := []struct {
		name, want string
		breach     func(*records)
	}{
		{"job lost", "P1", func(r *records) { r.accepted = append(r.accepted, uuid.NewString()) }},
		{"job stuck", "P1", func(r *records) { r.jobs[0].State = "" }},
		{"image stuck", "P1", func(r *records) { r.images[0].State = "uploading" }},
		{"failed without a word", "P10", func(r *records) { r.jobs[0].State, r.jobs[0].Failure = "failed", `{"code":"x"}` }},
		{"generated again", "P2", event("image.generating")},
		{"spooled again", "P2", event("image.spooled")},
		{"made again as another row", "P2", func(r *records) { r.images = append(r.images, imageRecord{ID: "2", JobID: "job", Number: 1}) }},
		{"no history", "P2", func(r *records) { r.events = r.events[3:] }},
		{"URL serves other bytes", "P3", func(r *records) { r.images[0].SHA256 = "cc" }},
		{"rendition is not served", "P3", func(r *records) { r.images[0].Renditions = `[{"key":"k","url":"/2","sha256":"bb"}]` }},
		{"post shows what is not ours", "P3", func(r *records) { r.posts[0].Cover = "/2.png" }},
		{"published twice", "P4", event("post.published")},
		{"two posts", "P4", func(r *records) { r.posts = append(r.posts, r.posts[0]); r.posts[1].ID = "other" }},
		{"stored twice", "P6", event("image.stored")},
		{"failed after it was stored", "P6", event("image.failed")},
		{"another than the approved", "P6", func(r *records) { r.drafts[0].ApprovedImage = "other" }},
		{"an old round's picture", "P6", func(r *records) { r.images[0].Round = 0 }},
		{"object holds other bytes", "P7", func(r *records) { r.objects["generated/1.png"] = "cc" }},
		{"object of nobody", "P7", func(r *records) { r.objects["generated/2.png"] = "cc" }},
		{"other bytes were sent", "P7", func(r *records) { r.puts["generated/1.png"] = []string{"aa", "cc"} }},
		{"reviewer's name for a UUID", "P8", func(r *records) { r.posts[0].CreatedBy = "jane.doe" }},
		{"no category", "P8", func(r *records) { r.posts[0].Category = "" }},
		{"tags without rows", "P8", func(r *records) { r.posts[0].PostTags = 0 }},
		{"not published at any time", "P8", func(r *records) { r.posts[0].Published = "" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := sound()
			tt.breach(r)
			for _, v := range violations(r) {
				if strings.HasPrefix(v, tt.want+":") {
					return
				}
			}
			t.Errorf("not seen: %q", violations(r))
		})
	}
}
