package e2e

import (
	"fmt"
	"testing"
	"time"
)

// The seed's way: a draft is created, its picture is made by its id, nobody
// sends the picture to it, it is approved, and the post has everything.
func TestADraftBecomesAPost(t *testing.T) {
	t.Parallel()
	e := startEmbedded(t)
	draft := e.newDraft("Why lighthouses matter")
	made := e.post("/api/media/generate-image", `{"prompt":"A lighthouse","use_generation":true,"task_id":"`+draft+`"}`).want(200).object()
	e.accept(made["job_id"].(string))
	url := made["image_url"].(string)

	if shown, _ := e.get("/api/content/tasks/" + draft).want(200).object()["result"].(map[string]any); shown["featured_image_url"] != url {
		t.Errorf("the draft shows %v, made was %s", shown["featured_image_url"], url)
	}
	if m := e.approve(draft); m["approval_status"] != "approved" || m["published_url"] != "/posts/why-lighthouses-matter" || m["reviewer_id"] != "jane.doe" {
		t.Errorf("approval: %v", m)
	}
	post, _ := e.get("/api/posts/why-lighthouses-matter").want(200).object()["data"].(map[string]any)
	for field, want := range map[string]any{
		"title": "Why lighthouses matter", "excerpt": "Once upon a time.", "status": "published", "featured_image_url": url,
		"cover_image_url": url, "seo_title": "In short", "seo_description": "About it.", "seo_keywords": "light, house",
	} {
		if post[field] != want {
			t.Errorf("%s = %v, want %v", field, post[field], want)
		}
	}
	if ids, _ := post["tag_ids"].([]any); len(ids) != 2 {
		t.Errorf("tag_ids = %v", post["tag_ids"])
	}
	r := e.check(embeddedBound) // reads the rows behind it, column by column
	r.wantAllStored(t)
	if len(r.posts) != 1 || len(r.drafts) != 1 || r.drafts[0].Status != "published" {
		t.Fatalf("posts %+v, drafts %+v", r.posts, r.drafts)
	}
	var author, category, reviewer string
	err := e.db.QueryRowContext(t.Context(), `SELECT a.name, c.name, t.approved_by FROM posts p JOIN authors a ON a.id = p.author_id
		JOIN categories c ON c.id = p.category_id JOIN content_tasks t ON t.task_id = p.task_id`).Scan(&author, &category, &reviewer)
	if err != nil || author != "Jane Doe" || category != "Seafaring" || reviewer != "jane.doe" {
		t.Errorf("the post is by %q in %q, approved by %q (%v)", author, category, reviewer, err)
	}
}

// Approved before there is a picture, while it is made, after: the same post.
func TestApprovalBeforeWhileAndAfter(t *testing.T) {
	t.Parallel()
	e := startEmbedded(t, "RENDITIONS=64")
	generate := func(draft, more string) string {
		return e.mustSubmit(`{"prompt":"How boats float","draft_id":"` + draft + `"` + more + `}`)
	}
	orders := map[string]func(draft string){
		"before": func(draft string) {
			if m := e.approve(draft); m["published_url"] != nil {
				t.Errorf("published without a picture: %v", m)
			}
		},
		"while": func(draft string) {
			job := generate(draft, `,"count":3,"width":2048,"height":2048`)
			m := e.approve(draft)
			if state := e.job(job).State; m["published_url"] != nil || state == "stored" {
				t.Errorf("approved too late to show anything: %v, the job is %s", m, state)
			}
		},
		"after": func(draft string) {
			e.awaitJob(generate(draft, ""), embeddedBound)
			if m := e.approve(draft); m["published_url"] == nil {
				t.Errorf("not published at once: %v", m)
			}
		},
	}
	posts := make(map[string]map[string]any)
	for order, do := range orders {
		draft := e.newDraft("How boats float " + order)
		do(draft)
		e.awaitStatus(draft, "published", embeddedBound)
		posts[order] = e.get("/api/posts/how-boats-float-" + order).want(200).object()["data"].(map[string]any)
		if again := e.approve(draft); again["published_url"] != "/posts/how-boats-float-"+order {
			t.Errorf("%s: the second click answers %v", order, again)
		}
	}
	if r := e.check(embeddedBound); len(r.posts) != 3 {
		t.Errorf("%d posts", len(r.posts))
	}
	for order, post := range posts {
		for field, value := range post {
			if (value == nil || value == "") != (posts["after"][field] == nil || posts["after"][field] == "") {
				t.Errorf("approved %s the post has the %s %v, approved after it %v", order, field, value, posts["after"][field])
			}
		}
	}
}

// An editor sees three candidates and publishes the one that was seen.
func TestACandidateIsChosenByItsDigest(t *testing.T) {
	t.Parallel()
	e := startEmbedded(t, "RENDITIONS=64")
	draft := e.newDraft("Three to choose from")
	first := e.awaitJob(e.mustSubmit(`{"prompt":"A harbour at noon","count":3,"draft_id":"`+draft+`","width":512,"height":256}`), embeddedBound)
	if len(first.Candidates) != 3 || first.State != "stored" {
		t.Fatalf("job: %+v", first)
	}
	seen := map[string]bool{}
	for _, c := range first.Candidates {
		seen[c.SHA256] = true
	}
	if len(seen) != 3 {
		t.Errorf("three candidates are %d pictures", len(seen))
	}
	approve := func(c candidate, digest string) answer {
		return e.post("/v1/drafts/"+draft+"/approve", fmt.Sprintf(`{"image_id":%q,"sha256":%q}`, c.ID, digest))
	}
	second, third := first.Candidates[1], first.Candidates[2]
	refused := approve(second, third.SHA256).want(409).object()
	if refused["code"] != "picture_changed" || e.draftStatus(draft) != "awaiting_approval" {
		t.Errorf("another digest: %v, and the draft is %s", refused, e.draftStatus(draft))
	}

	// A new round takes their place: what was seen is not on the screen any more.
	rejected := e.post("/v1/drafts/"+draft+"/reject", `{"reason":"More seagulls, please.","new_round":true}`).want(200).object()
	round2 := e.awaitJob(rejected["job_id"].(string), embeddedBound)
	e.accept(round2.ID)
	if old := approve(second, second.SHA256).want(409).object(); old["code"] != "picture_superseded" {
		t.Errorf("a picture of the round before: %v", old)
	}
	chosen := round2.Candidates[1]
	approve(chosen, chosen.SHA256).want(200)
	e.awaitStatus(draft, "published", 10*time.Second)
	e.post("/v1/drafts/"+draft+"/reject", `{"reason":"Too late."}`).want(409)

	post := e.get("/v1/posts/three-to-choose-from").want(200).object()
	if post["featured_image_url"] != chosen.URL {
		t.Errorf("the post shows %v, chosen was %s", post["featured_image_url"], chosen.URL)
	}
	r := e.check(embeddedBound)
	if d := r.drafts[0]; d.Round != 2 || d.PublishedImage != chosen.ID {
		t.Errorf("draft: %+v", d)
	}
}

func (c *client) draftStatus(draft string) string {
	c.t.Helper()
	status, _ := c.get("/api/content/tasks/" + draft).want(200).object()["status"].(string)
	return status
}
