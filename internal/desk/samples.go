package desk

import (
	"embed"
	"fmt"
	"net/http"
	"strings"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

//go:embed samples
var sampleTexts embed.FS

// sample is a draft to try the desk with. Its text is samples/<name>.md.
type sample struct {
	name, title, excerpt, category, prompt string
	tags                                   []string
	pictures                               int // asked for at once; 0 leaves that to the reader
}

var samples = []sample{
	{
		name: "lighthouse", title: "The Last Lighthouse Keeper’s Logbook", category: "Culture", tags: []string{"history", "sea"}, pictures: 3,
		excerpt: "For thirty-one years one man wrote down the weather twice a day. What he left behind is the longest hand-kept record of a coast that is disappearing.",
		prompt:  "A lighthouse on a cliff at dawn, calm sea, first light",
	},
	{
		name: "trams", title: "Why Quiet Cities Are Bringing Back the Tram", category: "Cities", tags: []string{"transport", "design"}, pictures: 3,
		excerpt: "Rails are expensive, slow to build and impossible to move. That turns out to be exactly why they change the streets around them.",
		prompt:  "A tram crossing a tree-lined square in the evening, warm windows",
	},
	{
		name: "bread", title: "A Field Guide to Bread That Keeps", category: "Food", tags: []string{"baking", "kitchen"},
		excerpt: "Sourdough is fashionable; keeping qualities are not. Five loaves that are better on the third day, and why.",
		prompt:  "Loaves of dark rye bread on a wooden table, morning light",
	},
}

// makeSamples makes the sample drafts while there are no drafts at all, and
// asks for the pictures of two: the third shows how that is done.
func (d *Desk) makeSamples(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if !d.Samples {
		return editorial.NotFoundf("sample drafts are made in the embedded mode only")
	}
	byStatus, err := d.Store.DraftCounts(ctx)
	if err != nil {
		return err
	}
	if len(byStatus) > 0 {
		return redirect(w, r, "/desk", "repeated")
	}
	for _, s := range samples {
		text, err := sampleTexts.ReadFile("samples/" + s.name + ".md")
		if err != nil {
			return fmt.Errorf("read sample draft: %w", err)
		}
		draft, err := d.Dispatch.CreateDraft(ctx, s.columns(strings.TrimSpace(string(text))))
		if err != nil {
			return err
		}
		if s.pictures == 0 {
			continue
		}
		_, _, err = d.Dispatch.Submit(ctx, dispatch.Submission{DraftID: draft.ID, Caller: caller(ctx), Request: editorial.Request{
			Title: s.title, Prompt: s.prompt, Count: s.pictures, UseStock: true, UseGeneration: true,
		}})
		if err != nil {
			return err
		}
	}
	return redirect(w, r, "/desk", "samples")
}

func (s sample) columns(text string) map[string]any {
	return map[string]any{
		"status": string(editorial.DraftAwaitingApproval), "approval_status": "pending_human_review",
		"topic": s.title, "title": s.title, "content": text, "excerpt": s.excerpt, "category": s.category, "tags": s.tags,
		"task_type": "blog_post", "request_type": "basic", "style": "narrative", "tone": "friendly", "publish_mode": "draft",
		"agent_id": "content-agent", "target_length": 600, "featured_image_prompt": s.prompt,
		"task_metadata": map[string]any{"title": s.title, "excerpt": s.excerpt, "category": s.category, "featured_image_prompt": s.prompt, "sample": true},
	}
}
