package desk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// draftTab is one of the list's views.
type draftTab struct {
	Name, Label string
	Statuses    []editorial.DraftStatus // as stored; nil for all
	Empty       string                  // what an empty list says
}

var draftTabs = []draftTab{
	{"awaiting", "To decide", editorial.AwaitingStatuses, "Nothing awaits a decision."},
	{"approved", "Waiting for a picture", []editorial.DraftStatus{editorial.DraftApproved}, "No approved draft waits for its picture."},
	{"rejected", "Rejected", []editorial.DraftStatus{editorial.DraftRejected}, "No draft is rejected."},
	{"all", "All", nil, "There are no drafts yet."},
}

// The sizes of a page of a list.
const (
	defaultPer = 25
	maxPer     = 200
)

// draftsPage is the body of the list of drafts.
type draftsPage struct {
	Now    time.Time
	Tab    draftTab
	Tabs   []draftTab
	Drafts []draftRow
	Total  int
	Pager  pager
	// Samples offers to make some: there is no draft at all.
	Samples bool
}

// draftRow is a draft in the list.
type draftRow struct {
	DOM          string // an id that is safe in an element
	ID           string
	Title        string
	Excerpt      string
	Category     string
	Status       editorial.DraftStatus
	Word         string
	CreatedAt    time.Time
	Round        int
	Candidates   []candidate
	Notices      []notice
	Foreign      string // a picture elsewhere that the draft itself names
	Live         int    // how many are still being made
	CanApprove   bool
	CanReject    bool
	WaitsPicture bool // approved, and published once a picture is stored
	Prompt       string
	Token        string
}

// Picked is the candidate that an approval would mean, nil for none.
func (r *draftRow) Picked() *candidate {
	for i := range r.Candidates {
		if r.Candidates[i].Checked {
			return &r.Candidates[i]
		}
	}
	return nil
}

func (d *Desk) listDrafts(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	tab := draftTabs[0]
	if name := q.Get("state"); name != "" {
		i := slices.IndexFunc(draftTabs, func(t draftTab) bool { return t.Name == name })
		if i < 0 {
			return editorial.NotFoundf("there is no such view of drafts")
		}
		tab = draftTabs[i]
	}
	pg := pagerOf(q, "/desk")
	list, total, err := d.Store.Drafts(r.Context(), store.DraftFilter{Statuses: tab.Statuses, Limit: pg.Per, Offset: pg.offset()})
	if err != nil {
		return err
	}
	rows, err := d.draftRows(r.Context(), list)
	if err != nil {
		return err
	}
	pg.Total = total
	body := draftsPage{Now: d.now(), Tab: tab, Tabs: draftTabs, Drafts: rows, Total: total, Pager: pg}
	if total == 0 && d.Samples {
		byStatus, err := d.Store.DraftCounts(r.Context())
		if err != nil {
			return err
		}
		body.Samples = len(byStatus) == 0
	}
	return d.render(w, r, http.StatusOK, pageDrafts, &page{Title: tab.Label, Section: "drafts", Topic: topicAll, Body: body})
}

// draftRows reads what a list of drafts shows, in a number of statements that
// does not depend on how many there are.
func (d *Desk) draftRows(ctx context.Context, list []editorial.Draft) ([]draftRow, error) {
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	states, err := d.Store.DraftImagesOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	rounds, err := d.Store.PresentRounds(ctx, ids)
	if err != nil {
		return nil, err
	}
	chosen, err := d.Store.Images(ctx, chosenElsewhere(states, rounds))
	if err != nil {
		return nil, err
	}
	images := make([][]editorial.Image, 0, len(rounds))
	for _, job := range rounds {
		images = append(images, job.Images)
	}
	l, err := d.looker(ctx, images...)
	if err != nil {
		return nil, err
	}
	rows := make([]draftRow, len(list))
	for i := range list {
		state := states[list[i].ID]
		rows[i] = l.draftRow(&list[i], state, rounds[list[i].ID], chosen[state.ChosenImageID])
	}
	return rows, nil
}

// chosenElsewhere are the chosen pictures that no present round holds.
func chosenElsewhere(states map[string]editorial.DraftImages, rounds map[string]editorial.Job) []string {
	var ids []string
	for id, state := range states {
		here := func(img editorial.Image) bool { return img.ID == state.ChosenImageID }
		if state.ChosenImageID != "" && !slices.ContainsFunc(rounds[id].Images, here) {
			ids = append(ids, state.ChosenImageID)
		}
	}
	return ids
}

func (l looker) draftRow(draft *editorial.Draft, state editorial.DraftImages, job editorial.Job, chosen editorial.Image) draftRow {
	status := draft.Status.Awaits()
	row := draftRow{
		DOM: domID(draft.ID), ID: draft.ID, Title: titleText(draft), Excerpt: editorial.Clip(excerptOf(draft), 280),
		Category: draft.Text("category"), Status: status, Word: statusWord(draft.Status), CreatedAt: draft.CreatedAt, Round: state.Round,
		Candidates: l.candidates(state, job, chosen),
	}
	row.CanReject = status.CanBecome(editorial.DraftRejected)
	decidable := status.CanBecome(editorial.DraftApproved) || status == editorial.DraftPublished
	for _, c := range row.Candidates {
		if c.Live {
			row.Live++
		}
		for _, n := range c.Notices {
			if !slices.Contains(row.Notices, n) {
				row.Notices = append(row.Notices, n)
			}
		}
	}
	row.CanApprove = decidable && row.Picked() != nil && strings.TrimSpace(draft.Content()) != ""
	row.WaitsPicture = status == editorial.DraftApproved && state.ApprovedRound > state.PublishedRound
	if len(row.Candidates) == 0 {
		row.Foreign, row.Prompt, row.Token = draft.PictureURL(), promptOf(draft), uuid.NewString()
	}
	return row
}

// candidates are the pictures of the present round, so that the keys 1 to 5 are
// their numbers, and after them the one that the draft has from an earlier one.
func (l looker) candidates(state editorial.DraftImages, job editorial.Job, chosen editorial.Image) []candidate {
	list := make([]candidate, 0, len(job.Images)+1)
	for _, img := range latest(job.Images) {
		list = append(list, l.candidate(img, job.Request))
	}
	if chosen.ID != "" && chosen.State == editorial.StateStored {
		c := l.candidate(chosen, editorial.Request{Width: chosen.Width, Height: chosen.Height})
		c.Old = true
		list = append(list, c)
	}
	picked := -1
	for i, c := range list {
		list[i].Public = c.ID == state.PublishedImageID
		if c.Pick != "" && (picked < 0 || c.ID == state.ChosenImageID) {
			picked = i
		}
	}
	if picked >= 0 {
		list[picked].Checked = true
	}
	return list
}

// titleText is a draft's title, never empty: it is what people click.
func titleText(draft *editorial.Draft) string {
	if t := draft.Title(); t != "" {
		return t
	}
	return "Untitled draft"
}

// excerptOf is a draft's summary, else how its text begins.
func excerptOf(draft *editorial.Draft) string {
	if s := strings.TrimSpace(draft.Text("excerpt")); s != "" {
		return s
	}
	for line := range strings.Lines(draft.Content()) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			return line
		}
	}
	return ""
}

// promptOf is what a draft suggests to ask for.
func promptOf(draft *editorial.Draft) string {
	return editorial.Clip(firstOf(draft.Text("featured_image_prompt"), draft.Title()), editorial.MaxPrompt)
}

// domID is an element's id for something whose own id may be any text.
func domID(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:6])
}

// pager is where in a list a page stands.
type pager struct {
	Page, Per, Total int
	path             string
	query            url.Values
}

func pagerOf(q url.Values, path string) pager {
	p := pager{Page: 1, Per: defaultPer, path: path, query: q}
	if n, err := strconv.Atoi(q.Get("page")); err == nil {
		p.Page = min(max(n, 1), 1_000_000)
	}
	if n, err := strconv.Atoi(q.Get("per")); err == nil {
		p.Per = min(max(n, 1), maxPer)
	}
	return p
}

func (p pager) offset() int { return (p.Page - 1) * p.Per }

// First and Last are the numbers of the rows on the page.
func (p pager) First() int { return min(p.offset()+1, p.Total) }

// Last see First.
func (p pager) Last() int { return min(p.offset()+p.Per, p.Total) }

// Many reports whether there is more than one page.
func (p pager) Many() bool { return p.Total > p.Per || p.Page > 1 }

// Newer is the page before, empty on the first.
func (p pager) Newer() string {
	if p.Page == 1 {
		return ""
	}
	return p.at(p.Page - 1)
}

// Older is the page after, empty on the last.
func (p pager) Older() string {
	if p.Last() >= p.Total {
		return ""
	}
	return p.at(p.Page + 1)
}

func (p pager) at(n int) string {
	q := url.Values{}
	for name, values := range p.query {
		if name != "said" && name != "page" {
			q[name] = values
		}
	}
	if n > 1 {
		q.Set("page", strconv.Itoa(n))
	}
	if len(q) == 0 {
		return p.path
	}
	return p.path + "?" + q.Encode()
}
