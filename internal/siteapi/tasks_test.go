package siteapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

func TestCreateTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.as("author", "POST", "/api/tasks", `{"task_name":"Boats, part 1","topic":"How boats float","primary_keyword":"boat",
		"target_audience":"sailors","category":"Business","metadata":{"note":"mine"}}`)
	m := a.want(http.StatusCreated)
	a.golden(t, "task_create")
	b.get("/api/tasks/"+m["id"].(string)).golden(t, "task_pending")
}

// A client that could say which post its draft is would overwrite another's.
func TestMetadataCannotClaimAPostOrAPicture(t *testing.T) {
	t.Parallel()
	b := setup(t)
	theirs := b.newDraft("Theirs")
	b.post("/api/tasks/"+theirs+"/generate-image", `{}`).want(http.StatusOK)
	post := b.post("/api/content/tasks/"+theirs+"/approve", approval).want(http.StatusOK)["strapi_post_id"].(string)

	mine := b.as("author", "POST", "/api/tasks", `{"title":"Mine","topic":"Mine, all","content":"x","metadata":{"post_id":"`+post+`","cms_post_id":"`+post+`"}}`).want(http.StatusCreated)["id"].(string)
	b.as("author", "PATCH", "/api/tasks/"+mine, `{"metadata":{"post_id":"`+post+`"}}`).want(http.StatusOK)
	b.post("/api/tasks/"+mine+"/generate-image", `{}`).want(http.StatusOK)
	m := b.post("/api/content/tasks/"+mine+"/approve", approval).want(http.StatusOK)
	if m["strapi_post_id"] == post || m["published_url"] != "/posts/mine" {
		t.Errorf("published as %v at %v", m["strapi_post_id"], m["published_url"])
	}
	if p := b.get("/api/posts/theirs").want(http.StatusOK)["data"].(map[string]any); p["title"] != "Theirs" {
		t.Errorf("their post is now %v", p["title"])
	}
}

// The older front end makes the picture first and the task with it.
func TestATaskBringsItsPicture(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url := b.post("/api/media/generate-image", theSeedsCall).want(http.StatusOK)["image_url"].(string)
	id := b.post("/api/tasks", `{"task_name":"Image","topic":"A lighthouse","metadata":{"image_url":"`+url+`","image_source":"card-local"}}`).want(http.StatusCreated)["id"].(string)
	if m := b.get("/api/tasks/" + id).want(http.StatusOK); m["featured_image_url"] != url {
		t.Errorf("featured_image_url = %v, want %s", m["featured_image_url"], url)
	}
	for _, bad := range []string{`"featured_image_url":"data:image/png;base64,AA"`, `"metadata":{"image":{"url":"/home/me/a.png"}}`} {
		b.post("/api/tasks", `{"topic":"Refused",`+bad+`}`).refused(http.StatusBadRequest, "featured_image_url")
	}
	if m := b.get("/api/tasks").want(http.StatusOK); m["total"] != 1.0 {
		t.Errorf("refused tasks were kept: total %v", m["total"])
	}
}

func TestPatchTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.newDraft("To be changed")
	before := b.get("/api/tasks/" + id)

	unknown := b.as("author", "PATCH", "/api/tasks/"+id, `{"title":"No","approval_status":"approved","content":"No","task_id":"x"}`)
	unknown.want(http.StatusOK)
	if string(unknown.body) != string(before.body) {
		t.Errorf("unknown members changed something:\n%s\n%s", before.body, unknown.body)
	}

	m := b.as("author", "PATCH", "/api/tasks/"+id, `{"status":"in_progress","metadata":{"note":"x"},"result":{"score":1}}`).want(http.StatusOK)
	if m["status"] != "in_progress" || m["task_metadata"].(map[string]any)["note"] != "x" || m["task_metadata"].(map[string]any)["author"] != "Jane Doe" || m["result"].(map[string]any)["score"] != 1.0 {
		t.Errorf("patched to %v", m)
	}
	for _, status := range []string{"approved", "published", "rejected", "deleted", "x"} {
		b.as("editor", "PATCH", "/api/tasks/"+id, `{"status":"`+status+`"}`).refused(http.StatusBadRequest, "status")
	}
	b.as("author", "PATCH", "/api/tasks/"+uuid.NewString(), `{"status":"failed"}`).want(http.StatusNotFound)
}

func TestWhatIsApprovedIsNotChanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.newDraft("As approved")
	b.worker.busy = true
	b.post("/api/content/tasks/"+id+"/approve", approval).want(http.StatusOK)
	for _, patch := range []string{`{"status":"cancelled"}`, `{"result":{"content":"other"}}`, `{"metadata":{"slug":"other"}}`, `{"metadata":{"featured_image_url":"https://example.com/a.png"}}`} {
		b.as("author", "PATCH", "/api/tasks/"+id, patch).want(http.StatusConflict)
	}
	b.as("author", "DELETE", "/api/tasks/"+id, "").want(http.StatusConflict)
}

func TestPatchSetsAPicture(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.newDraft("With a picture")
	url := b.post("/api/media/generate-image", theSeedsCall).want(http.StatusOK)["image_url"].(string)
	m := b.as("author", "PATCH", "/api/tasks/"+id, `{"metadata":{"featured_image_url":"`+url+`"}}`).want(http.StatusOK)
	if m["featured_image_url"] != url {
		t.Errorf("featured_image_url = %v", m["featured_image_url"])
	}
	// Sent back as it was shown: nothing to do, and nothing to refuse.
	b.as("author", "PATCH", "/api/tasks/"+id, `{"metadata":{"featured_image_url":"`+url+`","note":"y"}}`).want(http.StatusOK)
	b.as("author", "PATCH", "/api/tasks/"+id, `{"metadata":{"featured_image_url":"data:x"}}`).refused(http.StatusBadRequest, "featured_image_url")
}

func TestBulk(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, two := b.newDraft("One"), b.newDraft("Two")
	b.worker.busy = true
	job := b.post("/api/media/generate-image", `{"prompt":"A boat","task_id":"`+one+`"}`).want(http.StatusOK)["job_id"].(string)

	a := b.as("author", "POST", "/api/tasks/bulk", fmt.Sprintf(`{"task_ids":[%q,%q,"no-such-task"],"action":"cancel"}`, one, two))
	a.want(http.StatusOK)
	a.golden(t, "tasks_bulk")
	if j, err := b.store.Job(t.Context(), job); err != nil || j.State != editorial.JobCanceled {
		t.Errorf("the canceled task's job is %s (%v)", j.State, err)
	}
	for action, status := range map[string]string{"pause": "paused", "resume": "in_progress", "delete": "deleted"} {
		m := b.post("/api/tasks/bulk", fmt.Sprintf(`{"task_ids":[%q],"action":%q}`, two, action)).want(http.StatusOK)
		if m["errors"] != nil || m["updated"] != 1.0 {
			t.Errorf("%s: %v", action, m)
		}
		if got := b.get("/api/tasks/" + two).want(http.StatusOK)["status"]; got != status {
			t.Errorf("after %s: %v", action, got)
		}
	}
	many := strings.Repeat(`"x",`, 101)
	b.post("/api/tasks/bulk", `{"task_ids":[`+many[:len(many)-1]+`],"action":"delete"}`).refused(http.StatusBadRequest, "task_ids")
	b.post("/api/tasks/bulk", `{"task_ids":[],"action":"delete"}`).refused(http.StatusBadRequest, "task_ids")
	b.post("/api/tasks/bulk", `{"task_ids":["x"],"action":"approve"}`).refused(http.StatusBadRequest, "action")
}

func TestCancelTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.newDraft("Canceled")
	for range 2 {
		if a := b.as("author", "DELETE", "/api/tasks/"+id, ""); a.status != http.StatusNoContent || len(a.body) != 0 {
			t.Errorf("DELETE = %d %s", a.status, a.body)
		}
	}
	if m := b.get("/api/tasks/" + id).want(http.StatusOK); m["status"] != "cancelled" {
		t.Errorf("status = %v", m["status"])
	}
	b.as("author", "DELETE", "/api/tasks/"+uuid.NewString(), "").want(http.StatusNotFound)
}

func TestTaskIDs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.get("/api/tasks/not-a-uuid").refused(http.StatusBadRequest, "task_id")
	if !strings.Contains(m["detail"].(string), "Invalid task ID format") {
		t.Errorf("detail = %v", m["detail"])
	}
	if m := b.get("/api/tasks/" + uuid.NewString()).want(http.StatusNotFound); m["detail"] != "Task not found" {
		t.Errorf("detail = %v", m["detail"])
	}
}

func TestTasksAreListedByStatusAndCategory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.newDraft("Finished")
	b.post("/api/tasks", `{"topic":"Not yet","category":"Business"}`).want(http.StatusCreated)
	for query, want := range map[string]float64{"": 2, "?status=pending": 1, "?status=awaiting_approval": 1, "?category=Business": 1, "?status=published": 0} {
		if got := b.get("/api/tasks" + query).want(http.StatusOK)["total"]; got != want {
			t.Errorf("%q lists %v, want %v", query, got, want)
		}
	}
	if got := b.get("/api/content/tasks").want(http.StatusOK)["total"]; got != 2.0 {
		t.Errorf("drafts: %v", got)
	}
}

// The newer front end's parameters are query parameters, its code sends a body.
func TestDecisionsOfTheNewerFrontEnd(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		id := b.newDraft("Decided anew")
		b.post("/api/tasks/"+id+"/generate-image", `{"source":"pexels","topic":null,"content_summary":null,"page":1}`).golden(t, "task_generate_image")

		b.post("/api/tasks/"+id+"/publish", `{}`).want(http.StatusConflict)
		b.post("/api/tasks/"+id+"/reject", `{"reason":"Too short"}`).golden(t, "task_reject")
		m := b.post("/api/tasks/"+id+"/approve?reviewer_id=jane&human_feedback=fine", `{"feedback":"Better","auto_publish":false}`)
		m.golden(t, "task_approve")
		b.post("/api/tasks/"+id+"/publish", `{}`).golden(t, "task_publish")
		b.post("/api/tasks/"+id+"/publish", ``).want(http.StatusOK)

		draft, err := b.store.Draft(t.Context(), id)
		b.must(err)
		if got := draft.Text("human_feedback"); got != "fine" {
			t.Errorf("feedback = %q", got)
		}
	})
}

func TestQueryAndBodyAreBothHonoured(t *testing.T) {
	t.Parallel()
	tests := []struct{ query, body, reviewer, feedback, status string }{
		{"", "", "ed", "", "approved"},
		{"?reviewer_id=jane&human_feedback=fine", "", "jane", "fine", "approved"},
		{"?reviewer_id=jane", `{"reviewer_id":"joe","feedback":"ok"}`, "joe", "ok", "approved"},
		{"?approved=false", `{"feedback":"no"}`, "ed", "no", "rejected"},
		{"", `{"approved":false,"human_feedback":"0123456789","reviewer_id":"joe"}`, "joe", "0123456789", "rejected"},
		{"?approved=false", `{"approved":true}`, "ed", "", "approved"},
	}
	for _, tt := range tests {
		t.Run(tt.query+tt.body, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.worker.busy = true
			id := b.newDraft("Either way")
			m := b.post("/api/tasks/"+id+"/approve"+tt.query, tt.body).want(http.StatusOK)
			if m["status"] != tt.status || m["reviewer_id"] != tt.reviewer {
				t.Errorf("%v by %v, want %s by %s", m["status"], m["reviewer_id"], tt.status, tt.reviewer)
			}
			draft, err := b.store.Draft(t.Context(), id)
			b.must(err)
			if got := draft.Text("human_feedback"); got != tt.feedback {
				t.Errorf("feedback = %q, want %q", got, tt.feedback)
			}
		})
	}
}

func TestTaskImageSaysWhyThereIsNone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.newDraft("No picture")
	path := "/api/tasks/" + id + "/generate-image"
	b.post(path, `{"source":"dalle"}`).refused(http.StatusBadRequest, "source")
	b.post(path, `{"page":101}`).refused(http.StatusBadRequest, "page")
	b.post("/api/tasks/"+uuid.NewString()+"/generate-image", `{}`).want(http.StatusNotFound)

	b.worker.refuses = true
	if m := b.post(path, `{"source":"sdxl","content_summary":"About boats"}`).want(http.StatusServiceUnavailable); !strings.Contains(m["detail"].(string), "refuses this prompt") {
		t.Errorf("detail = %v", m["detail"])
	}
	b.worker.busy = true
	m := b.post(path, `{"source":"sdxl"}`).want(http.StatusGatewayTimeout)
	if m["details"].(map[string]any)["poll_url"] == nil {
		t.Errorf("details = %v", m["details"])
	}
	b.can.none = true
	b.post(path, `{}`).refused(http.StatusBadRequest, "source")
}

func TestTaskImagePrompt(t *testing.T) {
	t.Parallel()
	tests := []struct{ body, prompt string }{
		{`{}`, "Boats"},
		{`{"topic":"Harbours"}`, "Harbours"},
		{`{"source":"sdxl","topic":"Harbours","content_summary":"at night"}`, "Harbours: at night"},
		{`{"source":"pexels","content_summary":"at night"}`, "Boats"},
	}
	for _, tt := range tests {
		t.Run(tt.body, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id := b.newDraft("Boats")
			m := b.post("/api/tasks/"+id+"/generate-image", tt.body).want(http.StatusOK)
			job, err := b.store.Job(t.Context(), m["job_id"].(string))
			b.must(err)
			if job.Request.Prompt != tt.prompt || job.Request.UseStock == job.Request.UseGeneration {
				t.Errorf("request = %+v", job.Request)
			}
		})
	}
}
