package desk_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Whatever drafts, editors and servers say is shown as text, on every page.
func TestWhateverIsSaidIsText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	evil := "\u202e<script>alert('x')</script><img src=x onerror=alert(1)>\"' style=x</textarea></title>"
	long := evil + strings.Repeat("ж", 10_000)
	id := w.draft(`a/b "c" <d>`, long, map[string]any{
		"content": "# T\n\n" + evil + "\n\n[a](javascript:alert(1)) <iframe src=x></iframe>", "excerpt": evil, "category": evil,
		"featured_image_prompt": evil,
	})
	path := "/desk/drafts/" + url.PathEscape(id)
	job := w.ask(id, 3)
	img := w.finish(job.Images[0].ID, func(img *editorial.Image) {
		img.AltText, img.Color = evil, `red"/><script>`
		img.Credit = &editorial.Credit{Author: evil, PageURL: "javascript:alert(1)", Provider: evil}
	})
	w.fail(job.Images[1].ID, evil)
	if p := w.post(path+"/reject", url.Values{"reason": {evil}, "round": {"1"}}); p.status != 303 {
		t.Fatalf("rejected: %d %s", p.status, p.body)
	}
	pages := map[string]page{
		"list": w.get("/desk?state=all"), "draft": w.get(path), "jobs": w.get("/desk/jobs"), "job": w.get("/desk/jobs/" + job.ID),
		"stale": w.post(path+"/reject", url.Values{"reason": {evil}, "round": {"9"}}),
		"error": w.post("/desk/images/"+img.ID+"/alt", url.Values{"alt": {long}}),
	}
	w.post(path+"/approve", pick(img)).wants(t, 303)
	pages["posts"] = w.get("/desk/posts")
	pages["search"] = w.get("/desk/posts?q=" + url.QueryEscape(evil))
	inline := regexp.MustCompile(`(?i)<script>|<iframe|onerror=alert\(1\)>|\son\w+="|\sstyle="|href="javascript:|</textarea></title>`)
	for name, p := range pages {
		if found := inline.FindString(p.body); found != "" {
			t.Errorf("%s: %q came through", name, found)
		}
		if name != "search" && !strings.Contains(p.body, "&lt;script&gt;alert(") {
			t.Errorf("%s does not show what was said: %d", name, p.status)
		}
	}
	if !strings.Contains(pages["draft"].body, strings.Repeat("ж", 9000)) {
		t.Error("the draft's page does not show the whole title")
	}
}

// Texts of unknown direction are isolated: a mark in a title must not turn the
// rest of the line around.
func TestTextsAreIsolated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.draft("d-1", "\u202eRightToLeft", map[string]any{"category": "\u202ecategory", "excerpt": "\u202eexcerpt"})
	body := w.get("/desk").wants(t, 200).body
	around := regexp.MustCompile(`<(\w+)([^<>]*)>\x{202e}`)
	found := around.FindAllStringSubmatch(body, -1)
	if len(found) != 3 {
		t.Fatalf("found %d of the 3 texts", len(found))
	}
	for _, m := range found {
		if m[1] != "bdi" && !strings.Contains(m[2], `dir="auto"`) {
			t.Errorf("a text stands in %s without isolation", m[0])
		}
	}
}
