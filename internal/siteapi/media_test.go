package siteapi_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/siteapi"
)

const theSeedsCall = `{"prompt":"A lighthouse at dawn","use_generation":true}`

func TestGenerateImageAnswersWithThePicture(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		a := b.as("author", "POST", "/api/media/generate-image", theSeedsCall)
		m := a.want(http.StatusOK)
		a.golden(t, "generate_image")
		if url, _ := m["image_url"].(string); !strings.HasPrefix(url, "/images/generated/") {
			t.Errorf("image_url = %q", url)
		}
	})
}

func TestGenerateImageCreditsThePhotographer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.worker.source, b.worker.credit = "pexels", &editorial.Credit{Author: "Ada", AuthorURL: "https://pexels.test/@ada", Provider: "Pexels"}
	a := b.post("/api/media/generate-image", theSeedsCall)
	a.want(http.StatusOK)
	a.golden(t, "generate_image_pexels")

	b.worker.source, b.worker.credit = "sdxl-s3", nil
	image := b.post("/api/media/generate-image", theSeedsCall).want(http.StatusOK)["image"].(map[string]any)
	if image["photographer"] != "SDXL (AI Generated)" || image["photographer_url"] != "" {
		t.Errorf("of SDXL: %v by %v", image["photographer_url"], image["photographer"])
	}
}

func TestGenerateImageSendsTheSeedsDefaults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.post("/api/media/generate-image", `{"prompt":" A lighthouse ","count":4,"style":"x","resolution":"1024x1024","title":null,"task_id":null}`).want(http.StatusOK)
	job, err := b.store.Job(t.Context(), m["job_id"].(string))
	b.must(err)
	r := job.Request
	if r.Prompt != "A lighthouse" || !r.UseStock || r.UseGeneration || r.Steps != 50 || r.Guidance != 8 || r.Page != 1 || r.Count != 1 {
		t.Errorf("request = %+v", r)
	}
	if job.CreatedBy != "user-2" {
		t.Errorf("created by %q", job.CreatedBy)
	}
}

func TestGenerateImageKeepsEveryFlag(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keywords := `["` + strings.Repeat("long ", 60) + `"` + strings.Repeat(`,"k"`, 30) + `]`
	m := b.post("/api/media/generate-image", `{"prompt":"abc","title":"T","keywords":`+keywords+`,"use_pexels":false,"use_generation":true,
		"use_refinement":true,"high_quality":false,"num_inference_steps":20,"guidance_scale":20.0,"page":100}`).want(http.StatusOK)
	job, err := b.store.Job(t.Context(), m["job_id"].(string))
	b.must(err)
	r := job.Request
	if r.Title != "T" || r.UseStock || !r.UseGeneration || r.Steps != 20 || r.Guidance != 20 || r.Page != 100 || len(r.Keywords) != editorial.MaxKeywords {
		t.Errorf("request = %+v", r)
	}
}

func TestGenerateImageThatTakesTooLongGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.worker.busy = true
	a := b.post("/api/media/generate-image", theSeedsCall)
	m := a.want(http.StatusOK)
	a.golden(t, "generate_image_pending")
	b.worker.work(m["job_id"].(string))
	job, err := b.store.Job(t.Context(), m["job_id"].(string))
	b.must(err)
	if job.State != editorial.JobStored {
		t.Errorf("the job that nobody waited for is %s", job.State)
	}
}

func TestGenerateImageSaysWhyThereIsNone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.worker.refuses = true
	a := b.post("/api/media/generate-image", theSeedsCall)
	a.want(http.StatusOK)
	a.golden(t, "generate_image_failed")

	b.can.none = true
	a = b.post("/api/media/generate-image", theSeedsCall)
	a.want(http.StatusOK)
	a.golden(t, "generate_image_no_generator")
	if n, err := b.store.CountLive(t.Context()); n != 0 || err != nil {
		t.Errorf("%d jobs were made (%v)", n, err)
	}
}

// The older front end's button sends the title and no id.
func TestGenerateImageFindsTheDraftByItsTitle(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.newDraft("Why lighthouses matter")
	b.as("author", "POST", "/api/media/generate-image", `{"prompt":"Why lighthouses matter","title":"Why lighthouses matter"}`).want(http.StatusOK)
	m := b.get("/api/content/tasks/" + id).want(http.StatusOK)
	if m["picture"] == nil || m["result"].(map[string]any)["featured_image_url"] == nil {
		t.Errorf("the draft has no picture: %v", m)
	}
}

func TestASupersededRequestSaysWhereToLook(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.newDraft("Two clicks")
	b.deps.Waiter = waiterFunc(func(ctx context.Context, jobID string) (editorial.Job, error) {
		// Somebody asks again while the first request waits.
		b.worker.busy = true
		b.as("author", "POST", "/api/tasks/"+id+"/generate-image", `{}`)
		return b.store.Job(ctx, jobID)
	})
	first := siteapi.New(b.deps)
	mux := http.NewServeMux()
	first.Register(mux)
	outer := &bench{t: t, handler: mux}
	m := outer.post("/api/media/generate-image", `{"prompt":"abc","task_id":"`+id+`"}`).want(http.StatusOK)
	if m["success"] != false || m["code"] != "superseded" || m["superseded_by"] == nil || m["poll_url"] != "/v1/jobs/"+m["superseded_by"].(string) {
		t.Errorf("answer = %v", m)
	}
}

type waiterFunc func(ctx context.Context, jobID string) (editorial.Job, error)

func (f waiterFunc) WaitJob(ctx context.Context, jobID string) (editorial.Job, error) {
	return f(ctx, jobID)
}

func TestADrainingServerAnswersWithTheJobAsItStands(t *testing.T) {
	t.Parallel()
	drain, stop := context.WithCancel(t.Context())
	b := setup(t, func(d *siteapi.Deps) { d.Drain = drain })
	b.deps.Waiter = waiterFunc(func(ctx context.Context, jobID string) (editorial.Job, error) {
		stop()
		<-ctx.Done()
		return b.store.Job(context.WithoutCancel(ctx), jobID)
	})
	api := siteapi.New(b.deps)
	mux := http.NewServeMux()
	api.Register(mux)
	b.handler = mux
	m := b.post("/api/media/generate-image", theSeedsCall).want(http.StatusOK)
	if m["code"] != "pending" {
		t.Errorf("answer = %v", m)
	}
}

func TestMediaHealth(t *testing.T) {
	t.Parallel()
	a := setup(t).as("", "GET", "/api/media/health", "")
	a.want(http.StatusOK)
	a.golden(t, "media_health")
}

func TestImageSearch(t *testing.T) {
	t.Parallel()
	photos := []siteapi.Photo{
		{URL: "https://images.pexels.com/1.jpg", Photographer: "Ada", PhotographerURL: "https://pexels.test/@ada", Width: 940, Height: 627, AltText: "a lighthouse"},
		{URL: "https://images.pexels.com/2.jpg", Photographer: "Bo"},
	}
	b := setup(t, func(d *siteapi.Deps) { d.Stock = stock{photos: photos} })
	a := b.get("/api/media/images/search?query=lighthouse&count=2")
	a.want(http.StatusOK)
	a.golden(t, "image_search")
	if m := b.get("/api/media/images/search?query=lighthouse").want(http.StatusOK); m["message"] != "✅ Found image: Ada" {
		t.Errorf("of one: %v", m["message"])
	}
}

func TestImageSearchThatFindsNothing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, code string
		stock      siteapi.Stock
	}{
		{"not configured", "no_stock", nil},
		{"nothing there", "nothing_found", stock{}},
		{"budget spent", "rate_limited", stock{err: &editorial.Error{Kind: editorial.Limited, Code: "rate_limited", Message: "try again next month"}}},
		{"away", "stock_away", stock{err: errors.New("dial tcp 10.0.0.1:443: secret")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(d *siteapi.Deps) { d.Stock = tt.stock })
			a := b.get("/api/media/images/search?query=lighthouse")
			m := a.want(http.StatusOK)
			if m["success"] != false || m["image_url"] != "" || m["image"] != nil || m["code"] != tt.code {
				t.Errorf("answer = %s", a.body)
			}
			if strings.Contains(string(a.body), "10.0.0.1") {
				t.Errorf("the answer leaks: %s", a.body)
			}
		})
	}
}

type stock struct {
	photos []siteapi.Photo
	err    error
}

func (s stock) Search(_ context.Context, _ string, count int) ([]siteapi.Photo, error) {
	return s.photos[:min(count, len(s.photos))], s.err
}
