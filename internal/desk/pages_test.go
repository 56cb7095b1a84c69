package desk_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.draft("d-1", "A lighthouse", nil)
	job := w.ask(id, 1)
	img := w.finish(job.Images[0].ID)
	tests := []struct {
		method, path string
		form         url.Values
		need         string
	}{
		{"GET", "/desk", nil, "author"},
		{"GET", "/desk/drafts/d-1", nil, "author"},
		{"GET", "/desk/posts", nil, "author"},
		{"GET", "/desk/jobs", nil, "author"},
		{"GET", "/desk/jobs/" + job.ID, nil, "author"},
		{"POST", "/desk/drafts/d-1/pictures", url.Values{"prompt": {"A lighthouse"}}, "author"},
		{"POST", "/desk/drafts/d-1/approve", pick(img), "editor"},
		{"POST", "/desk/drafts/d-1/reject", url.Values{"reason": {"no"}, "round": {"1"}}, "editor"},
		{"POST", "/desk/drafts/d-1/choose", url.Values{"image": {img.ID}}, "editor"},
		{"POST", "/desk/images/" + img.ID + "/alt", url.Values{"alt": {"x"}}, "editor"},
		{"POST", "/desk/samples", nil, "editor"},
	}
	rank := map[string]int{"nobody": 0, "author": 1, "editor": 2}
	for _, test := range tests {
		for who, have := range rank {
			if have >= rank[test.need] {
				continue // that it works is another test's
			}
			p := w.send(test.method, test.path, test.form, as(who))
			refused := p.status == http.StatusForbidden || p.status == http.StatusUnauthorized || strings.HasPrefix(p.location, "/desk/login")
			if !refused {
				t.Errorf("%s %s as %s: %d, want a refusal", test.method, test.path, who, p.status)
			}
		}
	}
	if w.status(id) != editorial.DraftAwaitingApproval {
		t.Errorf("the draft is %s after nothing but refusals", w.status(id))
	}
	body := w.get("/desk/drafts/d-1", "author").wants(t, 200, "Make new pictures").body
	for _, text := range []string{"Approve and publish", "Or reject it", "Take this one"} {
		if strings.Contains(body, text) {
			t.Errorf("an author is shown %q", text)
		}
	}
}

func TestRetryIsTheOperators(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.ask(w.draft("d-1", "A lighthouse", nil), 1)
	w.fail(job.Images[0].ID, "no memory left")
	form := url.Values{"one": {"retry:" + job.ID}}
	w.post("/desk/jobs", form, "editor").wants(t, 409, "Your role does not allow this")
	if p := w.post("/desk/jobs", form); p.location != "/desk?said=changed" {
		t.Errorf("retried: %d to %q", p.status, p.location)
	}
	if again, _ := w.store.Job(t.Context(), job.ID); again.State != editorial.JobQueued {
		t.Errorf("the job is %s after the retry", again.State)
	}
}

func TestYouPublishWhatIsOnThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.draft("d-1", "A lighthouse", nil)
	job := w.ask(id, 3)
	var images []editorial.Image
	for _, img := range job.Images {
		images = append(images, w.finish(img.ID))
	}
	w.get("/desk").wants(t, 200, images[1].ID+":"+images[1].SHA256)

	other := url.Values{"pick": {images[1].ID + ":" + strings.Repeat("9", 64)}, "reason": {"my words"}}
	w.post("/desk/drafts/d-1/approve", other).wants(t, 409, "The picture has changed since you opened this page", "my words")
	w.post("/desk/drafts/d-1/approve", url.Values{}).wants(t, 409, "There is no picture to approve yet")
	if w.status(id) != editorial.DraftAwaitingApproval {
		t.Fatalf("the draft is %s after two refused approvals", w.status(id))
	}
	if p := w.post("/desk/drafts/d-1/approve", pick(images[1])); p.location != "/desk/drafts/d-1?said=published" {
		t.Fatalf("approved: %d to %q: %s", p.status, p.location, p.body)
	}
	state, err := w.store.DraftImages(t.Context(), id)
	if err != nil || state.PublishedImageID != images[1].ID {
		t.Errorf("published %q, want the second: %v", state.PublishedImageID, err)
	}
	if p := w.post("/desk/drafts/d-1/approve", pick(images[1])); p.location != "/desk/drafts/d-1?said=repeated" {
		t.Errorf("approved twice: %d to %q", p.status, p.location)
	}
	w.get("/desk/posts").wants(t, 200, "A lighthouse", images[1].Renditions[0].URL)
	w.get("/desk/drafts/d-1").wants(t, 200, "Replace the picture", "Public", "Olga", "approved the draft with picture 2 of round 1")
}

func TestAnApprovalOfAnOldRoundIsExplained(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.draft("d-1", "A lighthouse", nil)
	first := w.finish(w.ask(id, 1).Images[0].ID)
	newer := w.finish(w.ask(id, 1).Images[0].ID)
	w.post("/desk/drafts/d-1/approve", pick(first)).wants(t, 409, "Newer pictures have taken this one")

	// Back to the earlier one, through the same approval.
	w.get("/desk/drafts/d-1").wants(t, 200, "Take this one")
	if p := w.post("/desk/drafts/d-1/choose", url.Values{"image": {first.ID}}); p.status != 303 {
		t.Fatalf("chosen: %d %s", p.status, p.body)
	}
	w.get("/desk/drafts/d-1").wants(t, 200, "from round 1")
	w.post("/desk/drafts/d-1/approve", pick(first)).wants(t, 303)
	state, _ := w.store.DraftImages(t.Context(), id)
	if state.PublishedImageID != first.ID {
		t.Errorf("published %s, want the earlier %s and not %s", state.PublishedImageID, first.ID, newer.ID)
	}
}

// What readers see already is not offered to be published, but a round that was
// asked for since can be ended by keeping it.
func TestThePublicPictureIsNotPublishedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.draft("d-1", "A lighthouse", nil)
	first := w.finish(w.ask(id, 1).Images[0].ID)
	w.post("/desk/drafts/d-1/approve", pick(first)).wants(t, 303)
	body := w.get("/desk/drafts/d-1").wants(t, 200, "Picture 1 is the public one.").body
	for _, text := range []string{"Publish this picture", "Approve and publish"} {
		if strings.Contains(body, text) {
			t.Errorf("the page offers %q", text)
		}
	}
	if body := w.get("/desk?state=all").wants(t, 200, "Published").body; strings.Contains(body, "Approve</button>") {
		t.Error("the list offers to approve what is published")
	}

	second := w.finish(w.ask(id, 1).Images[0].ID)
	w.get("/desk/drafts/d-1").wants(t, 200, "Publish this picture", "Keep this one")
	w.get("/desk/posts").wants(t, 200, "New pictures to decide")
	if p := w.post("/desk/drafts/d-1/choose", url.Values{"image": {first.ID}}); p.location != "/desk/drafts/d-1?said=kept" {
		t.Errorf("kept: %d to %q: %s", p.status, p.location, p.body)
	}
	w.get("/desk/drafts/d-1").wants(t, 200, "Picture 1 of round 1 is the public one.", "Publish this picture") // the second is still to be had
	if body := w.get("/desk/posts").wants(t, 200).body; strings.Contains(body, "New pictures to decide") {
		t.Error("the decided round is still said to wait")
	}
	w.post("/desk/drafts/d-1/approve", pick(second)).wants(t, 303)
	state, err := w.store.DraftImages(t.Context(), id)
	if err != nil || state.PublishedImageID != second.ID {
		t.Errorf("readers see %s, want the second, %s: %v", state.PublishedImageID, second.ID, err)
	}
}

func TestWhatWasTakenDownIsShownAsThat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.draft("d-1", "A lighthouse", nil)
	job := w.ask(id, 2)
	gone, kept := w.finish(job.Images[0].ID), w.finish(job.Images[1].ID)
	if _, err := w.dispatch.TakeDown(t.Context(), gone.ID, "shows somebody's face", "Olga"); err != nil {
		t.Fatal(err)
	}
	body := w.get("/desk/drafts/d-1").wants(t, 200, "Taken down", "nobody can choose it any more", "took down picture 1 of round 1", "shows somebody&#39;s face").body
	if strings.Contains(body, gone.Key) || strings.Contains(body, gone.SHA256) || !strings.Contains(body, kept.SHA256) {
		t.Error("the picture that was taken down can still be picked, or the other one not")
	}
	w.get("/desk").wants(t, 200, "Picture 1: Taken down")
	w.get("/desk/jobs/"+job.ID).wants(t, 200, "Taken down")
	w.post("/desk/drafts/d-1/approve", pick(gone)).wants(t, 409)
}

func TestRejections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.draft("d-1", "A lighthouse", nil)
	w.finish(w.ask(id, 1).Images[0].ID)
	w.post("/desk/drafts/d-1/reject", url.Values{"round": {"1"}}).wants(t, 422, "Say why", `aria-invalid="true"`)
	w.post("/desk/drafts/d-1/reject", url.Values{"round": {"1"}, "reason": {strings.Repeat("x", 2001)}}).wants(t, 422, strings.Repeat("x", 2001))
	form := url.Values{"round": {"1"}, "reason": {"too dark"}, "new_round": {"1"}}
	if p := w.post("/desk/drafts/d-1/reject", form); p.location != "/desk/drafts/d-1?said=another" {
		t.Fatalf("rejected: %d to %q: %s", p.status, p.location, p.body)
	}
	// Pressed twice: the second is about a round that is gone.
	w.post("/desk/drafts/d-1/reject", form).wants(t, 409, "Other pictures were asked for meanwhile", ">too dark</textarea>")
	state, _ := w.store.DraftImages(t.Context(), id)
	if state.Round != 2 {
		t.Errorf("round %d after a rejection sent twice, want 2", state.Round)
	}
	if p := w.post("/desk/drafts/d-1/reject", url.Values{"round": {"2"}, "reason": {"still too dark"}, "back": {"/desk?state=all"}}); p.location != "/desk?said=rejected&state=all" {
		t.Errorf("rejected: %d to %q", p.status, p.location)
	}
	w.get("/desk?state=rejected").wants(t, 200, "A lighthouse")
}

func TestAFormSentTwiceIsOneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.draft("d-1", "A lighthouse", nil)
	form := url.Values{"prompt": {"A lighthouse at dusk"}, "count": {"2"}, "size": {"1024x1024"}, "seed": {"7"}, "source": {"card"}, "token": {"t-1"}}
	for range 2 {
		if p := w.post("/desk/drafts/d-1/pictures", form); p.location != "/desk/drafts/d-1?said=asked" {
			t.Fatalf("asked: %d to %q: %s", p.status, p.location, p.body)
		}
	}
	rounds, _ := w.store.PresentRounds(t.Context(), []string{"d-1"})
	req := rounds["d-1"].Request
	if rounds["d-1"].Round != 1 || req.Prompt != "A lighthouse at dusk" || req.Width != 1024 || req.Count != 2 || req.Seed == nil || *req.Seed != 7 || req.Generator != "card" {
		t.Errorf("round %d with %+v", rounds["d-1"].Round, req)
	}
	for field, bad := range map[string]string{"seed": "seven", "size": "big", "count": "9", "source": "magic", "prompt": "a"} {
		wrong := url.Values{"prompt": {"A different prompt"}}
		wrong.Set(field, bad)
		p := w.post("/desk/drafts/d-1/pictures", wrong).wants(t, 422)
		if field != "prompt" && !strings.Contains(p.body, "A different prompt") {
			t.Errorf("a wrong %s loses the prompt", field)
		}
	}
}

func TestAlternativeTextReachesTheReaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.draft("d-1", "A lighthouse", nil)
	img := w.finish(w.ask(id, 1).Images[0].ID)
	w.post("/desk/drafts/d-1/approve", pick(img)).wants(t, 303)
	w.post("/desk/images/"+img.ID+"/alt", url.Values{"alt": {"  A white tower at dawn "}}).wants(t, 303)
	state, _ := w.store.DraftImages(t.Context(), id)
	post, err := w.store.Post(t.Context(), state.PostID)
	if err != nil || post.Metadata["featured_image_alt"] != "A white tower at dawn" {
		t.Errorf("the post's alternative text is %q, %v", post.Metadata["featured_image_alt"], err)
	}
	draft, _ := w.store.Draft(t.Context(), id)
	if draft.Metadata["featured_image_alt"] != "A white tower at dawn" {
		t.Errorf("the draft's is %q", draft.Metadata["featured_image_alt"])
	}
	w.post("/desk/images/"+img.ID+"/alt", url.Values{"alt": {strings.Repeat("x", 501)}}).wants(t, 422, "What you typed is not lost", strings.Repeat("x", 501))
	w.get("/desk/drafts/d-1").wants(t, 200, `alt="A white tower at dawn"`, "<strong><bdi>Olga</bdi></strong> described picture 1 of round 1")
}

func TestWhoIsNotSignedInLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.draft("d-1", "A lighthouse", nil)
	if p := w.get("/desk/drafts/d-1?x=1", "nobody"); p.status != 303 || p.location != "/desk/login?next=%2Fdesk%2Fdrafts%2Fd-1%3Fx%3D1" {
		t.Errorf("a page: %d to %q", p.status, p.location)
	}
	p := w.post("/desk/drafts/d-1/reject", url.Values{"reason": {"a long and careful reason"}, "round": {"0"}}, "nobody")
	p.wants(t, 401, "You are not signed in", "a long and careful reason", `name="round" value="0"`, `action="/desk/drafts/d-1/reject"`)
}

func TestAnotherSitesFormIsNotCarriedOutNorRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.draft("d-1", "A lighthouse", nil)
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/desk/drafts/d-1/reject", strings.NewReader("reason=visit+evil.example&round=0"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	p := w.serve(r).wants(t, 403, "Sent from another site")
	if strings.Contains(p.body, "evil.example") || w.status(id) != editorial.DraftAwaitingApproval {
		t.Errorf("the draft is %s, the page says:\n%s", w.status(id), p.body)
	}
}

func TestJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	failed := w.ask(w.draft("d-1", "A lighthouse", nil), 1)
	w.fail(failed.Images[0].ID, "the graphics card has no memory left")
	ready := w.ask(w.draft("d-2", "A harbour", nil), 1)
	w.finish(ready.Images[0].ID)
	waiting := w.ask(w.draft("d-3", "A mole", nil), 2)

	all := map[string]string{"failed": failed.ID, "ready": ready.ID, "waiting": waiting.ID}
	for query, want := range map[string][]string{
		"": {"failed", "ready", "waiting"}, "?state=failed": {"failed"}, "?state=queued": {"waiting"}, "?stage=generate": {"failed", "waiting"},
		"?stage=upload": {}, "?generator=card": {"ready"}, "?generator=pexels": {}, "?age=1h": {"failed", "ready", "waiting"}, "?age=over-1h": {},
	} {
		body := w.get("/desk/jobs"+query).wants(t, 200).body
		for name, id := range all {
			shown, wanted := strings.Contains(body, `id="j-`+id), strings.Contains(strings.Join(want, " "), name)
			if shown != wanted {
				t.Errorf("%q shows the %s job: %v", query, name, shown)
			}
		}
	}
	w.get("/desk/jobs?state=lost").wants(t, 404)
	w.get("/desk/jobs").wants(t, 200, "The graphics card has no memory left. (card at generate: refused)", "Next in the queue")

	form := url.Values{"do": {"cancel"}, "job": {ready.ID, waiting.ID}, "back": {"/desk/jobs?age=1h"}}
	w.post("/desk/jobs", form).wants(t, 409, "Not everything could be done", "That job has ended already")
	if job, _ := w.store.Job(t.Context(), waiting.ID); job.State != editorial.JobCanceled {
		t.Errorf("the waiting job is %s", job.State)
	}
	w.post("/desk/jobs", url.Values{"do": {"cancel"}}).wants(t, 409, "Tick the jobs first")
	w.post("/desk/jobs", url.Values{"one": {"again:" + failed.ID}}).wants(t, 303)
	if rounds, _ := w.store.PresentRounds(t.Context(), []string{"d-1"}); rounds["d-1"].Round != 2 {
		t.Errorf("again made round %d", rounds["d-1"].Round)
	}
	w.get("/desk/jobs/"+failed.ID).wants(t, 200, "The draft", "Make again", "the graphics card has no memory left")
	w.get("/desk/jobs/nonsense").wants(t, 404)
}

func TestSamplesAreMadeOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.get("/desk").wants(t, 200, "Make three sample drafts")
	w.post("/desk/samples", nil).wants(t, 303)
	w.post("/desk/samples", nil).wants(t, 303)
	_, total, err := w.store.Drafts(t.Context(), everyDraft)
	if err != nil || total != 3 {
		t.Errorf("%d drafts, %v", total, err)
	}
	w.get("/desk").wants(t, 200, "The Last Lighthouse Keeper", "Make 3 pictures", "Next in the queue")
}

func TestColoursAreRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.post("/desk/theme", url.Values{"theme": {"dark"}, "back": {"/desk/jobs?state=failed"}})
	if p.location != "/desk/jobs?state=failed" || !strings.Contains(p.header.Get("Set-Cookie"), "desk-theme=dark") {
		t.Errorf("to %q with %q", p.location, p.header.Get("Set-Cookie"))
	}
	for _, back := range []string{"https://evil.example/desk", "//evil.example/desk", "/ops", "/desktop"} {
		if p := w.post("/desk/theme", url.Values{"back": {back}}); p.location != "/desk" {
			t.Errorf("%q leads to %q", back, p.location)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/desk", nil)
	r.AddCookie(&http.Cookie{Name: "desk-theme", Value: "dark"})
	w.serve(r).wants(t, 200, `data-theme="dark"`)
}
