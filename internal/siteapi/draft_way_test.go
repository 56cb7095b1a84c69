package siteapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/store/storetest"
)

// The whole way of a draft, each answer pinned: created with finished content,
// its picture made by its id, seen on it, approved, published, read by the
// public, approved again.
func TestADraftsWay(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		id := b.newDraft("Why lighthouses matter")
		b.get("/api/content/tasks?status=awaiting_approval&limit=100").golden(t, "content_tasks_list")
		b.get("/api/content/tasks/"+id).golden(t, "content_task_without_picture")

		b.post("/api/media/generate-image", `{"prompt":"A lighthouse","task_id":"`+id+`"}`).want(http.StatusOK)
		b.get("/api/content/tasks/"+id).golden(t, "content_task")
		b.get("/api/tasks/"+id).golden(t, "task")
		b.get("/api/tasks?limit=10&offset=0").golden(t, "tasks_list")

		first := b.post("/api/content/tasks/"+id+"/approve", approval)
		first.want(http.StatusOK)
		first.golden(t, "approve")
		b.as("", "GET", "/api/posts/why-lighthouses-matter", "").golden(t, "post")
		b.as("", "GET", "/api/posts?skip=0&limit=10&published_only=true", "").golden(t, "posts")
		b.as("", "GET", "/api/posts/search?q=LIGHTHOUSES", "").golden(t, "posts_search")
		b.as("", "GET", "/api/categories", "").golden(t, "categories")
		b.as("", "GET", "/api/tags", "").golden(t, "tags")
		b.as("", "GET", "/api/cms/status", "").golden(t, "cms_status")
		b.get("/api/content/tasks/"+id).golden(t, "content_task_published")

		second := b.post("/api/content/tasks/"+id+"/approve", approval)
		if string(second.body) != string(first.body) {
			t.Errorf("the second click answers otherwise:\n%s\n%s", first.body, second.body)
		}
	})
}

func TestCreateContentTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.as("author", "POST", "/api/content/tasks", `{"topic":"How boats float","style":"narrative","tone":"casual","target_length":800,"generate_featured_image":true}`)
	m := a.want(http.StatusCreated)
	a.golden(t, "content_task_create")
	if got := a.header.Get("Location"); got != m["polling_url"] {
		t.Errorf("Location = %q", got)
	}
	b.get("/api/content/tasks/"+m["task_id"].(string)).golden(t, "content_task_pending")

	finished := b.post("/api/content/tasks", `{"title":"Done","content":"All of it."}`).want(http.StatusCreated)
	if finished["status"] != "awaiting_approval" {
		t.Errorf("a finished draft is %v", finished["status"])
	}
}

func TestDeleteContentTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.newDraft("Not this one")
	a := b.as("author", "DELETE", "/api/content/tasks/"+id, "")
	a.want(http.StatusOK)
	a.golden(t, "content_task_delete")
	b.get("/api/content/tasks/"+id).refused(http.StatusNotFound, "")
	b.as("author", "DELETE", "/api/content/tasks/"+id, "").want(http.StatusNotFound)
}

// Before the picture is there, while it is made, after: the same post.
func TestApprovalAndPictureInAnyOrder(t *testing.T) {
	t.Parallel()
	generate := func(b *bench, id string) string {
		return b.post("/api/media/generate-image", `{"prompt":"A boat","task_id":"`+id+`"}`).want(http.StatusOK)["job_id"].(string)
	}
	tests := []struct {
		name string
		do   func(b *bench, id string)
	}{
		{"after", func(b *bench, id string) {
			generate(b, id)
			b.post("/api/content/tasks/"+id+"/approve", approval).want(http.StatusOK)
		}},
		{"while", func(b *bench, id string) {
			b.worker.busy = true
			job := generate(b, id)
			m := b.post("/api/content/tasks/"+id+"/approve", approval).want(http.StatusOK)
			if m["approval_status"] != "approved" || m["published_url"] != nil || m["strapi_post_id"] != nil {
				t.Errorf("approved while the picture is made: %v", m)
			}
			b.worker.work(job)
		}},
		{"before", func(b *bench, id string) {
			a := b.post("/api/content/tasks/"+id+"/approve", approval)
			m := a.want(http.StatusOK)
			a.golden(t, "approve_before_picture")
			b.worker.work(m["job_id"].(string))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id := b.newDraft("How boats float")
			tt.do(b, id)
			m := b.as("", "GET", "/api/posts/how-boats-float", "").want(http.StatusOK)["data"].(map[string]any)
			for _, column := range []string{"featured_image_url", "cover_image_url", "author_id", "category_id", "created_by", "updated_by", "published_at"} {
				if s, _ := m[column].(string); s == "" {
					t.Errorf("%s is empty", column)
				}
			}
			if ids, _ := m["tag_ids"].([]any); len(ids) != 2 {
				t.Errorf("tag_ids = %v", m["tag_ids"])
			}
		})
	}
}

func TestRejectIsSaidTwiceAndThenApproved(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.newDraft("Second thoughts")
	no := strings.Replace(approval, "true", "false", 1)
	first := b.post("/api/content/tasks/"+id+"/approve", no)
	first.want(http.StatusOK)
	first.golden(t, "reject")
	second := b.post("/api/content/tasks/"+id+"/approve", no)
	if string(second.body) != string(first.body) {
		t.Errorf("the second click answers otherwise:\n%s\n%s", first.body, second.body)
	}
	if m := b.post("/api/content/tasks/"+id+"/approve", approval).want(http.StatusOK); m["approval_status"] != "approved" {
		t.Errorf("approved after all: %v", m)
	}
}

func TestDecisionsThatCannotBe(t *testing.T) {
	t.Parallel()
	b := setup(t)
	no := strings.Replace(approval, "true", "false", 1)

	b.post("/api/content/tasks/"+uuid.NewString()+"/approve", approval).refused(http.StatusNotFound, "task_id")

	pending := b.post("/api/content/tasks", `{"topic":"Nothing yet"}`).want(http.StatusCreated)["task_id"].(string)
	b.post("/api/content/tasks/"+pending+"/approve", approval).want(http.StatusConflict)

	published := b.newDraft("Out already")
	b.post("/api/media/generate-image", `{"prompt":"A boat","task_id":"`+published+`"}`)
	b.post("/api/content/tasks/"+published+"/approve", approval).want(http.StatusOK)
	b.post("/api/content/tasks/"+published+"/approve", no).want(http.StatusConflict)

	empty := b.post("/api/tasks", `{"topic":"Empty content"}`).want(http.StatusCreated)["id"].(string)
	b.as("author", "PATCH", "/api/tasks/"+empty, `{"status":"completed"}`).want(http.StatusOK)
	m := b.post("/api/content/tasks/"+empty+"/approve", approval).want(http.StatusConflict)
	if m["details"].(map[string]any)["code"] != "empty_content" {
		t.Errorf("answer = %v", m)
	}
}

// You publish what you saw.
func TestAnApprovalBoundToAnotherPictureIsAConflict(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.newDraft("Seen and approved")
	seen := b.post("/api/media/generate-image", `{"prompt":"A boat","task_id":"`+id+`"}`).want(http.StatusOK)["image"].(map[string]any)
	b.post("/api/media/generate-image", `{"prompt":"Another boat","task_id":"`+id+`"}`).want(http.StatusOK)
	bound := strings.TrimSuffix(approval, "}") + `,"image_id":"` + seen["id"].(string) + `","sha256":"` + seen["sha256"].(string) + `"}`
	b.post("/api/content/tasks/"+id+"/approve", bound).want(http.StatusConflict)
	b.as("", "GET", "/api/posts/seen-and-approved", "").want(http.StatusNotFound)
}

func TestApprovalWithAPictureURL(t *testing.T) {
	t.Parallel()
	with := func(url string) string {
		return strings.TrimSuffix(approval, "}") + `,"featured_image_url":"` + url + `"}`
	}
	t.Run("one of ours", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		id := b.newDraft("With ours")
		url := b.post("/api/media/generate-image", theSeedsCall).want(http.StatusOK)["image_url"].(string)
		b.post("/api/content/tasks/"+id+"/approve", with(url)).want(http.StatusOK)
		m := b.as("", "GET", "/api/posts/with-ours", "").want(http.StatusOK)["data"].(map[string]any)
		if m["featured_image_url"] != url {
			t.Errorf("published %v, approved %s", m["featured_image_url"], url)
		}
	})
	t.Run("another's, sent twice", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		id := b.newDraft("With another's")
		for range 2 {
			b.post("/api/content/tasks/"+id+"/approve", with("https://example.com/a.jpg")).want(http.StatusOK)
		}
		jobs, err := b.store.Jobs(t.Context(), jobsOf(id))
		b.must(err)
		if len(jobs) != 1 || jobs[0].Kind != editorial.KindImport || jobs[0].Request.SourceURL != "https://example.com/a.jpg" {
			t.Fatalf("%d jobs: %+v", len(jobs), jobs)
		}
		b.worker.work(jobs[0].ID)
		b.post("/api/content/tasks/"+id+"/approve", with("https://example.com/a.jpg")).want(http.StatusOK)
		if jobs, err = b.store.Jobs(t.Context(), jobsOf(id)); err != nil || len(jobs) != 1 {
			t.Errorf("a third click made %d jobs (%v)", len(jobs), err)
		}
		b.as("", "GET", "/api/posts/with-another-s", "").want(http.StatusNotFound)
		b.as("", "GET", "/api/posts/with-anothers", "").want(http.StatusOK)
	})
	for _, bad := range []string{"data:image/png;base64,AAAA", "/etc/passwd", "file:///etc/passwd", "/images/generated/not-ours.png", "https://example.com/" + strings.Repeat("a", 500)} {
		t.Run(bad[:min(len(bad), 30)], func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id := b.newDraft("With none of these")
			b.post("/api/content/tasks/"+id+"/approve", with(bad)).refused(http.StatusBadRequest, "featured_image_url")
			if m := b.get("/api/content/tasks/" + id).want(http.StatusOK); m["status"] != "awaiting_approval" {
				t.Errorf("the refused approval changed the draft: %v", m)
			}
		})
	}
}

func jobsOf(draftID string) store.JobFilter { return store.JobFilter{DraftID: draftID, Limit: 10} }

// What is not published is for those who write.
func TestDraftsAreNotServedToThePublic(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must(b.store.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.InsertPost(t.Context(), editorial.Post{ID: uuid.NewString(), Title: "Secret", Slug: "secret", Content: "x", Status: "draft"})
		return err
	}))
	b.as("", "GET", "/api/posts/secret", "").want(http.StatusNotFound)
	b.as("author", "GET", "/api/posts/secret", "").want(http.StatusOK)
	b.as("", "GET", "/api/posts?published_only=false", "").want(http.StatusUnauthorized)
	if m := b.as("", "GET", "/api/posts", "").want(http.StatusOK); len(m["data"].([]any)) != 0 {
		t.Errorf("the public sees %v", m["data"])
	}
	if m := b.as("author", "GET", "/api/posts?published_only=false", "").want(http.StatusOK); len(m["data"].([]any)) != 1 {
		t.Errorf("an author sees %v", m["data"])
	}
	if m := b.as("", "GET", "/api/posts/search?q=secret", "").want(http.StatusOK); len(m["data"].([]any)) != 0 {
		t.Errorf("the public finds %v", m["data"])
	}
}

// The older pages put the API's address before coverImage's URL.
func TestCoverImageIsAPathOnTheAPIsHost(t *testing.T) {
	t.Parallel()
	tests := []struct{ stored, want string }{
		{"https://cdn.test/generated/1-a.png", "/images/generated/1-a.png"},
		{"/images/generated/1-a.png", "/images/generated/1-a.png"},
		{"https://images.pexels.com/1.jpg", "https://images.pexels.com/1.jpg"},
	}
	for _, tt := range tests {
		t.Run(tt.stored, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.must(b.store.InTx(t.Context(), func(tx *store.Tx) error {
				_, err := tx.InsertPost(t.Context(), editorial.Post{
					ID: uuid.NewString(), Title: "P", Slug: "p", Content: "x", Status: "published", FeaturedImageURL: tt.stored,
				})
				return err
			}))
			cover := b.as("", "GET", "/api/posts/p", "").want(http.StatusOK)["data"].(map[string]any)["coverImage"].(map[string]any)
			inner := cover["data"].(map[string]any)["attributes"].(map[string]any)
			if cover["url"] != tt.want || inner["url"] != tt.want {
				t.Errorf("coverImage = %v", cover)
			}
		})
	}
}

func TestATitleOfAnyCharactersGetsASlug(t *testing.T) {
	t.Parallel()
	b := setup(t)
	seen := make(map[string]bool)
	for _, title := range []string{strings.Repeat("🎉", 500), strings.Repeat("🎉", 500), "灯台", "灯台", "../../etc/passwd", "a b\tc", `"';DROP TABLE posts`, "%2e%2e", "<script>"} {
		id := b.newDraft(title)
		b.post("/api/tasks/"+id+"/generate-image", `{"topic":"boat"}`).want(http.StatusOK)
		m := b.post("/api/content/tasks/"+id+"/approve", approval).want(http.StatusOK)
		url, _ := m["published_url"].(string)
		if url == "" || seen[url] || strings.Trim(strings.TrimPrefix(url, "/posts/"), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("%.20q is published at %q", title, url)
		}
		seen[url] = true
		b.as("", "GET", "/api"+url, "").want(http.StatusOK)
	}
}

func TestAPostWhoseSlugIsSearch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.as("", "GET", "/api/posts/search", "").want(http.StatusNotFound)
	id := b.newDraft("Search")
	b.post("/api/tasks/"+id+"/generate-image", `{}`).want(http.StatusOK)
	b.post("/api/content/tasks/"+id+"/approve", approval).want(http.StatusOK)
	if m := b.as("", "GET", "/api/posts/search", "").want(http.StatusOK)["data"].(map[string]any); m["title"] != "Search" {
		t.Errorf("served %v", m["title"])
	}
}

func TestAnApprovalSaysThatThePictureFailed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.newDraft("Without a picture")
	b.worker.refuses = true
	b.post("/api/media/generate-image", `{"prompt":"A boat","task_id":"`+id+`"}`).want(http.StatusOK)
	b.worker.busy = true
	first := b.post("/api/content/tasks/"+id+"/approve", approval).want(http.StatusOK)
	b.worker.work(first["job_id"].(string)) // the round that the approval began fails as well
	m := b.post("/api/content/tasks/"+id+"/approve", approval).want(http.StatusOK)
	if message := m["message"].(string); m["status"] != "approved" || !strings.Contains(message, "refuses this prompt") {
		t.Errorf("answer = %v", m)
	}
	// Another picture, and it is out.
	b.worker.refuses, b.worker.busy = false, false
	b.post("/api/tasks/"+id+"/generate-image", `{"source":"sdxl"}`).want(http.StatusOK)
	b.as("", "GET", "/api/posts/without-a-picture", "").want(http.StatusOK)
}

// The oldest version of the site's table has none of the newer columns.
func TestADatabaseWithoutTheNewerColumns(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t)
	for _, column := range []string{
		"title", "result", "seo_title", "seo_description", "seo_keywords", "category", "primary_keyword", "target_audience",
		"stage", "percentage", "message", "published_at", "started_at", "id", "agent_id",
	} {
		if _, err := s.DB().ExecContext(t.Context(), "ALTER TABLE content_tasks DROP COLUMN "+column); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Detect(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, s)
	id := b.newDraft("Why lighthouses matter")
	b.post("/api/media/generate-image", `{"prompt":"A lighthouse","task_id":"`+id+`"}`).want(http.StatusOK)
	b.get("/api/tasks/"+id).golden(t, "task_oldest_database")
	b.post("/api/content/tasks/"+id+"/approve", approval).golden(t, "approve")
	b.as("", "GET", "/api/posts/why-lighthouses-matter", "").golden(t, "post")
}
