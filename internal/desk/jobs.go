package desk

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// jobsPage is the body of the list of jobs.
type jobsPage struct {
	Now    time.Time
	Filter jobFilter
	Jobs   []jobRow
	// Next is the page after, empty on the last; Filtered says that a filter
	// hides the rest.
	Next     string
	Filtered bool
	States   []choice
	Stages   []choice
	Ages     []choice
	Makers   []choice
	Results  []jobResult // what became of a form's jobs
	Back     string      // this list, for its forms to come back to
}

type choice struct{ Value, Label string }

// jobFilter is what the list is narrowed to, as the address has it.
type jobFilter struct{ State, Stage, Generator, Age string }

// jobRow is a job in the list.
type jobRow struct {
	ID, DraftID  string
	Title        string
	Word         string
	State        editorial.JobState
	Kind         string
	Round        int
	CreatedBy    string
	CreatedAt    time.Time
	Took         string
	Percent      int
	Where        string // where its first live picture stands
	Candidates   []candidate
	Makers       string
	Failures     []string
	SupersededBy string
	CanRetry     bool
	CanCancel    bool
	CanAgain     bool
}

// jobResult is what became of one job of a form.
type jobResult struct{ ID, Title, Text string }

var (
	jobStates = []choice{
		{"", "Any state"},
		{"queued", "Waiting"},
		{"generating", "Being made"},
		{"uploading", "Being stored"},
		{"stored", "Ready"},
		{"failed", "Failed"},
		{"canceled", "Canceled"},
		{"superseded", "Replaced"},
	}
	jobStages = []choice{{"", "Any stage"}, {"generate", "Making"}, {"upload", "Storing"}}
	jobAges   = []choice{{"", "Any age"}, {"1h", "Last hour"}, {"24h", "Last day"}, {"168h", "Last week"}, {"over-1h", "Older than an hour"}}
)

const jobsPer = 50

func (d *Desk) listJobs(w http.ResponseWriter, r *http.Request) error {
	body, err := d.readJobs(r.Context(), r.URL.Query())
	if err != nil {
		return err
	}
	return d.render(w, r, http.StatusOK, pageJobs, &page{Title: "Jobs", Section: "jobs", Topic: topicAll, Body: body})
}

func (d *Desk) readJobs(ctx context.Context, q url.Values) (*jobsPage, error) {
	f := jobFilter{State: q.Get("state"), Stage: q.Get("stage"), Generator: q.Get("generator"), Age: q.Get("age")}
	p := &jobsPage{Now: d.now(), Filter: f, Filtered: f != jobFilter{}, States: jobStates, Stages: jobStages, Ages: jobAges, Makers: d.makers()}
	filter, err := p.filter(q)
	if err != nil {
		return nil, err
	}
	jobs, err := d.Store.Jobs(ctx, filter)
	if err != nil {
		return nil, err
	}
	if len(jobs) > jobsPer {
		jobs = jobs[:jobsPer]
		last := jobs[jobsPer-1]
		next := f.query()
		next.Set("before", last.CreatedAt.UTC().Format(time.RFC3339Nano))
		next.Set("id", last.ID)
		p.Next = "/desk/jobs?" + next.Encode()
	}
	p.Back = "/desk/jobs"
	if q := f.query().Encode(); q != "" {
		p.Back += "?" + q
	}
	images := make([][]editorial.Image, len(jobs))
	for i := range jobs {
		images[i] = jobs[i].Images
	}
	l, err := d.looker(ctx, images...)
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		p.Jobs = append(p.Jobs, l.jobRow(j))
	}
	return p, nil
}

func (d *Desk) makers() []choice {
	list := []choice{{"", "Any generator"}}
	for _, name := range d.Generators {
		list = append(list, choice{name, name})
	}
	return list
}

// filter checks what the address says and turns it into the store's.
func (p *jobsPage) filter(q url.Values) (store.JobFilter, error) {
	f := store.JobFilter{
		State: editorial.JobState(p.Filter.State), Stage: editorial.Stage(p.Filter.Stage), Backend: p.Filter.Generator, Limit: jobsPer + 1,
	}
	for _, c := range []struct {
		field, value string
		known        []choice
	}{{"state", p.Filter.State, p.States}, {"stage", p.Filter.Stage, p.Stages}, {"age", p.Filter.Age, p.Ages}} {
		if !slices.ContainsFunc(c.known, func(k choice) bool { return k.Value == c.value }) {
			return f, editorial.NotFoundf("there is no such view of jobs: %s is none of those in the list", c.field)
		}
	}
	age, older := strings.CutPrefix(p.Filter.Age, "over-")
	if age != "" {
		span, err := time.ParseDuration(age)
		if err != nil {
			return f, err // unreachable: one of the list above
		}
		if older {
			f.CreatedBefore = p.Now.Add(-span)
		} else {
			f.CreatedAfter = p.Now.Add(-span)
		}
	}
	if before := q.Get("before"); before != "" {
		t, err := time.Parse(time.RFC3339Nano, before)
		if err != nil {
			return f, editorial.NotFoundf("there is no such page of the list")
		}
		f.Before, f.BeforeID = t, q.Get("id")
	}
	return f, nil
}

func (f jobFilter) query() url.Values {
	q := url.Values{}
	for name, v := range map[string]string{"state": f.State, "stage": f.Stage, "generator": f.Generator, "age": f.Age} {
		if v != "" {
			q.Set(name, v)
		}
	}
	return q
}

func (l looker) jobRow(j editorial.Job) jobRow {
	row := jobRow{
		ID: j.ID, DraftID: j.DraftID, Title: firstOf(j.Request.Title, j.Request.Prompt, "Untitled"), Word: jobWord[j.State], State: j.State,
		Kind: string(j.Kind), Round: j.Round, CreatedBy: j.CreatedBy, CreatedAt: j.CreatedAt, SupersededBy: j.SupersededBy,
		CanCancel: !j.State.IsFinal(), CanAgain: j.State.IsFinal() && j.Kind != editorial.KindImport,
	}
	if !j.FinalizedAt.IsZero() {
		row.Took = until(j.FinalizedAt.Sub(j.CreatedAt))
	}
	var makers []string
	for _, img := range latest(j.Images) {
		c := l.candidate(img, j.Request)
		row.Candidates = append(row.Candidates, c)
		row.Percent += c.Percent
		if c.Live && row.Where == "" {
			row.Where = c.Status
		}
		if img.Backend != "" && !slices.Contains(makers, img.Backend) {
			makers = append(makers, img.Backend)
		}
		if img.State == editorial.StateFailed {
			row.CanRetry = j.State != editorial.JobSuperseded
		}
		if img.Failure != nil {
			if text := failureText(img.Failure); !slices.Contains(row.Failures, text) {
				row.Failures = append(row.Failures, text)
			}
		}
	}
	row.Percent /= max(1, len(row.Candidates))
	row.Makers = strings.Join(makers, ", ")
	if len(row.Failures) == 0 && j.Failure != nil {
		row.Failures = []string{failureText(j.Failure)}
	}
	return row
}

// jobPage is the body of one job's page.
type jobPage struct {
	jobRow
	Now     time.Time
	Request editorial.Request
	History []historyLine
}

func (d *Desk) showJob(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	job, err := d.Store.Job(ctx, r.PathValue("id"))
	if errors.Is(err, store.ErrNotFound) {
		return editorial.NotFoundf("there is no job with this id")
	}
	if err != nil {
		return err
	}
	events, err := d.Store.Events(ctx, job.ID, 0, maxHistory)
	if err != nil {
		return err
	}
	l, err := d.looker(ctx, job.Images)
	if err != nil {
		return err
	}
	body := &jobPage{jobRow: l.jobRow(job), Now: d.now(), Request: job.Request}
	numbers := numbersOf(job.Images)
	for _, e := range slices.Backward(events) {
		body.History = append(body.History, everyLine(e, numbers))
	}
	return d.render(w, r, http.StatusOK, pageJob, &page{Title: body.Title, Section: "jobs", Topic: job.ID, Body: body})
}
