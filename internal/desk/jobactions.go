package desk

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// changeJobs does one thing to the jobs that were ticked, or to the one whose
// own button was pressed. Each is asked by itself: what was possible is done,
// and the page says of every other one why not.
func (d *Desk) changeJobs(w http.ResponseWriter, r *http.Request) error {
	do, ids := r.PostForm.Get("do"), r.PostForm["job"]
	if one := r.PostForm.Get("one"); one != "" {
		verb, id, _ := strings.Cut(one, ":")
		do, ids = verb, []string{id}
	}
	change := d.jobChange(do)
	switch {
	case change == nil:
		return editorial.Invalidf("do", "must be retry, cancel or again")
	case len(ids) == 0:
		return d.jobsAgain(w, r, []jobResult{{Text: "Tick the jobs first, then press the button."}})
	case len(ids) > maxPer:
		return editorial.Invalidf("job", "at most %d at once", maxPer)
	}
	var refused []jobResult
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if err := change(r.Context(), id); err != nil {
			if kindOf(err) == "" {
				return err
			}
			refused = append(refused, d.resultOf(r.Context(), id, err))
		}
	}
	if len(refused) > 0 {
		return d.jobsAgain(w, r, refused)
	}
	return redirect(w, r, ownPath(r.PostForm.Get("back")), "changed")
}

// jobChange is what a verb does to a job, for whom its role allows it; nil for
// a verb that there is not.
func (d *Desk) jobChange(verb string) func(ctx context.Context, id string) error {
	switch verb {
	case "retry":
		return func(ctx context.Context, id string) error {
			if err := auth.Check(ctx, auth.Operator); err != nil {
				return err
			}
			_, err := d.Dispatch.Retry(ctx, id, caller(ctx))
			return err
		}
	case "cancel":
		return func(ctx context.Context, id string) error {
			if err := d.mayChange(ctx, id); err != nil {
				return err
			}
			_, err := d.Dispatch.Cancel(ctx, id, caller(ctx))
			return err
		}
	case "again":
		return d.again
	default:
		return nil
	}
}

// mayChange lets an author change what they asked for themselves; another's is
// an editor's.
func (d *Desk) mayChange(ctx context.Context, jobID string) error {
	if auth.Check(ctx, auth.Editor) == nil {
		return nil
	}
	job, err := d.Store.Job(ctx, jobID)
	if err != nil {
		return editorial.NotFoundf("there is no job with this id")
	}
	if job.CreatedBy == caller(ctx) {
		return nil
	}
	return auth.Check(ctx, auth.Editor)
}

// again asks for the same pictures with other seeds.
func (d *Desk) again(ctx context.Context, jobID string) error {
	if err := d.mayChange(ctx, jobID); err != nil {
		return err
	}
	_, _, err := d.Dispatch.Again(ctx, dispatch.Repeat{JobID: jobID, Caller: caller(ctx)})
	return err
}

func (d *Desk) resultOf(ctx context.Context, id string, err error) jobResult {
	res := jobResult{ID: id, Title: id, Text: problemOf(err).Title + ": " + problemOf(err).Text}
	if job, err := d.Store.Job(ctx, id); err == nil {
		res.Title = firstOf(job.Request.Title, job.Request.Prompt, id)
	}
	return res
}

// jobsAgain shows the list that the form was sent from, with what became of it.
func (d *Desk) jobsAgain(w http.ResponseWriter, r *http.Request, results []jobResult) error {
	q := url.Values{}
	if u, err := url.Parse(ownPath(r.PostForm.Get("back"))); err == nil && u.Path == "/desk/jobs" {
		q = u.Query()
	}
	body, err := d.readJobs(r.Context(), q)
	if err != nil {
		return err
	}
	body.Results = results
	p := &page{Title: "Jobs", Section: "jobs", Topic: topicAll, Body: body, Path: body.Back}
	p.Problem = &problem{Title: "Not everything could be done", Text: "What was possible is done."}
	return d.render(w, r, http.StatusConflict, pageJobs, p)
}
