package desk

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// maxEarlier bounds how many earlier pictures a page offers.
const maxEarlier = 24

// draftPage is the body of one draft's page.
type draftPage struct {
	draftRow
	Now      time.Time
	Job      *editorial.Job // of the present round; nil before the first
	Earlier  []candidate    // stored pictures of earlier rounds, newest first
	Ask      askForm
	Form     decisionForm
	Preview  preview
	History  []historyLine
	Post     *editorial.Post
	Decision string // who decided last, and what
}

// askForm is the form that asks for pictures, filled with what was asked last.
type askForm struct {
	Prompt, Negative string
	Size             string // "1200x630"
	Sizes            []sizeChoice
	Seed             string // empty: another one
	LastSeed         string
	Source           string
	Sources          []sourceChoice
	Count            int
	Token            string // makes a form that is sent twice one request
}

// Counts are how many pictures may be asked for at once.
func (askForm) Counts() []int { return []int{1, 2, 3, 4, 5} }

type sizeChoice struct{ Value, Label string }

type sourceChoice struct{ Value, Label string }

// decisionForm keeps what an editor has typed.
type decisionForm struct {
	Reason   string
	NewRound bool
}

// preview is the post as readers would meet it.
type preview struct {
	Site, Title, Summary, Author, Category string
	Date                                   time.Time
	Article                                template.HTML
}

func (d *Desk) showDraft(w http.ResponseWriter, r *http.Request) error {
	return d.draftPage(w, r, nil)
}

// draftPage renders a draft. With an error, which is why a form was not carried
// out, what was typed stands in the fields again.
func (d *Desk) draftPage(w http.ResponseWriter, r *http.Request, failed error) error {
	id := r.PathValue("id")
	body, err := d.readDraftPage(r.Context(), id)
	if err != nil {
		return err
	}
	status := http.StatusOK
	p := &page{Title: body.Title, Section: sectionOf(body.Status), Topic: id, Body: body, Path: draftPath(id)}
	if failed == nil {
		p.Path = "" // with its query
	}
	if failed != nil {
		if kindOf(failed) == "" {
			return failed
		}
		status, p.Problem = statusOf[kindOf(failed)], problemOf(failed)
		body.keep(r)
	}
	return d.render(w, r, status, pageDraft, p)
}

func sectionOf(s editorial.DraftStatus) string {
	if s == editorial.DraftPublished {
		return "posts"
	}
	return "drafts"
}

// keep puts what was sent back into the fields.
func (p *draftPage) keep(r *http.Request) {
	f := r.PostForm
	p.Form.Reason, p.Form.NewRound = f.Get("reason"), f.Get("new_round") != ""
	if f.Has("prompt") {
		p.Ask.Prompt, p.Ask.Negative, p.Ask.Seed = f.Get("prompt"), f.Get("negative"), f.Get("seed")
		p.Ask.Size, p.Ask.Source = f.Get("size"), f.Get("source")
	}
	picked := f.Get("pick")
	if slices.ContainsFunc(p.Candidates, func(c candidate) bool { return picked != "" && c.Pick == picked }) {
		for i := range p.Candidates {
			p.Candidates[i].Checked = p.Candidates[i].Pick == picked
		}
	}
}

func (d *Desk) readDraftPage(ctx context.Context, id string) (*draftPage, error) {
	draft, err := d.Store.Draft(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, d.noDraft(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	states, err := d.Store.DraftImagesOf(ctx, []string{id})
	if err != nil {
		return nil, err
	}
	rounds, err := d.Store.PresentRounds(ctx, []string{id})
	if err != nil {
		return nil, err
	}
	images, err := d.Store.ImagesOfDraft(ctx, id)
	if err != nil {
		return nil, err
	}
	l, err := d.looker(ctx, images)
	if err != nil {
		return nil, err
	}
	state, job := states[id], rounds[id]
	chosen, err := d.chosenPicture(ctx, state, job, images)
	if err != nil {
		return nil, err
	}
	p := &draftPage{draftRow: l.draftRow(&draft, state, job, chosen), Now: d.now()}
	if job.ID != "" {
		p.Job = &job
	}
	p.Earlier = l.earlier(images, p.Candidates, state.PublishedImageID)
	p.Ask = d.askForm(&draft, p.Job)
	p.Preview = d.preview(&draft)
	return p, d.readPast(ctx, p, id, state, images)
}

// readPast reads what has happened, and the post that came of it.
func (d *Desk) readPast(ctx context.Context, p *draftPage, id string, state editorial.DraftImages, images []editorial.Image) error {
	approvals, err := d.Store.Approvals(ctx, id)
	if err != nil {
		return err
	}
	events, err := d.Store.DraftEvents(ctx, id, maxHistory)
	if err != nil {
		return err
	}
	p.History = historyOf(approvals, events, images, namesOf(ctx, approvals))
	if n := len(approvals); n > 0 {
		p.Decision = decisionLine(approvals[n-1], images)
	}
	if state.PostID == "" {
		return nil
	}
	post, err := d.Store.Post(ctx, state.PostID)
	if errors.Is(err, store.ErrNotFound) {
		return nil // the site deleted it
	}
	p.Post = &post
	return err
}

// noDraft tells a draft that never was from one that was deleted: of the latter
// our own tables keep the pictures.
func (d *Desk) noDraft(ctx context.Context, id string) error {
	images, err := d.Store.ImagesOfDraft(ctx, id)
	if err != nil {
		return err
	}
	if len(images) > 0 {
		return &editorial.Error{Kind: editorial.Gone, Code: "draft_deleted", Message: "the draft was deleted; the jobs that made its pictures are still listed under Jobs"}
	}
	return editorial.NotFoundf("there is no draft with this id")
}

// chosenPicture is the picture that was taken from elsewhere than the present
// round; zero when there is none.
func (d *Desk) chosenPicture(ctx context.Context, state editorial.DraftImages, job editorial.Job, images []editorial.Image) (editorial.Image, error) {
	if state.ChosenImageID == "" || slices.ContainsFunc(job.Images, func(i editorial.Image) bool { return i.ID == state.ChosenImageID }) {
		return editorial.Image{}, nil
	}
	for _, img := range images {
		if img.ID == state.ChosenImageID {
			return img, nil
		}
	}
	found, err := d.Store.Images(ctx, []string{state.ChosenImageID}) // made for no draft, or for another
	return found[state.ChosenImageID], err
}

// earlier are the stored pictures that are not candidates any more.
func (l looker) earlier(images []editorial.Image, present []candidate, public string) []candidate {
	var list []candidate
	for _, img := range slices.Backward(images) {
		here := func(c candidate) bool { return c.ID == img.ID }
		if img.State == editorial.StateStored && !slices.ContainsFunc(present, here) && len(list) < maxEarlier {
			c := l.candidate(img, editorial.Request{Width: img.Width, Height: img.Height})
			c.Public = c.ID == public
			list = append(list, c)
		}
	}
	return list
}

// sizes are the shapes that sites use; whatever was asked for last is added.
var sizes = []sizeChoice{
	{"1200x630", "1200 × 630, link preview"},
	{"1536x864", "1536 × 864, wide"},
	{"1024x1024", "1024 × 1024, square"},
	{"1024x1280", "1024 × 1280, portrait"},
}

func (d *Desk) askForm(draft *editorial.Draft, job *editorial.Job) askForm {
	f := askForm{Size: sizes[0].Value, Sizes: slices.Clone(sizes), Count: 3, Token: uuid.NewString(), Sources: d.sources()}
	f.Prompt = promptOf(draft)
	if job == nil {
		return f
	}
	f.Prompt, f.Negative, f.Count = job.Request.Prompt, job.Request.NegativePrompt, max(job.Request.Count, 1)
	if wish := job.Request.Instruction; wish != "" {
		f.Prompt = editorial.Clip(strings.TrimRight(f.Prompt, " .")+". "+wish, editorial.MaxPrompt)
	}
	f.Size = sizeValue(job.Request)
	if !slices.ContainsFunc(f.Sizes, func(s sizeChoice) bool { return s.Value == f.Size }) {
		f.Sizes = append(f.Sizes, sizeChoice{f.Size, strings.Replace(f.Size, "x", " × ", 1) + ", as last time"})
	}
	if len(job.Images) > 0 {
		f.LastSeed = seedText(job.Images[0].Seed)
	}
	f.Source = job.Request.Generator
	return f
}

func (d *Desk) preview(draft *editorial.Draft) preview {
	return preview{
		Site: d.Site, Title: titleText(draft), Summary: editorial.Clip(excerptOf(draft), 300),
		Author: firstOf(draft.Text("author"), editorial.DefaultAuthorName), Category: draft.Text("category"),
		Date: d.now(), Article: article(draft),
	}
}

func firstOf(candidates ...string) string {
	for _, s := range candidates {
		if strings.TrimSpace(s) != "" {
			return s
		}
	}
	return ""
}
