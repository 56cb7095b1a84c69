package ops

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// retryFor is how long one press of a button retries. Each job is a transaction
// of its own: what was done before the time was up, or before this process
// died, stays done, and the button is there for the rest.
const retryFor = 10 * time.Second

// done answers a button: the page again, with what happened. As a redirect, so
// that reloading presses nothing.
func (o *Room) done(w http.ResponseWriter, r *http.Request, message string) {
	o.forget()
	o.Log.InfoContext(r.Context(), "operators' room", "button", r.URL.Path, "caller", caller(r), "result", message)
	http.Redirect(w, r, "/ops?"+url.Values{"said": {message}}.Encode(), http.StatusSeeOther)
}

func caller(r *http.Request) string {
	if id := auth.FromContext(r.Context()); id != nil {
		return id.Subject
	}
	return ""
}

// retry sends failed pictures back to the stage at which they failed: those of
// one cause, or with stage=upload all whose bytes wait in a spool, which costs
// no generation.
func (o *Room) retry(w http.ResponseWriter, r *http.Request) {
	troubles, err := o.Rows.Troubles(r.Context(), maxTroubles)
	if err != nil {
		o.Fail(w, r, err)
		return
	}
	cause := Cause{Stage: r.PostFormValue("stage"), Provider: r.PostFormValue("provider"), Code: r.PostFormValue("code"), Failed: true}
	want := func(t store.Trouble) bool { return causeOf(t) == cause }
	if r.PostFormValue("all") == "uploads" {
		want = func(t store.Trouble) bool { return t.Spooled }
	}
	jobs := jobsOf(troubles, want)
	retried, err := o.retryJobs(r.Context(), jobs, caller(r))
	switch left := len(jobs) - retried; {
	case err != nil && retried == 0:
		o.Fail(w, r, err)
	case len(jobs) == 0:
		o.done(w, r, "There was nothing left to retry.")
	case left > 0:
		o.done(w, r, fmt.Sprintf("%d jobs were sent back; %d are left. Press again for the rest.", retried, left))
	default:
		o.done(w, r, fmt.Sprintf("%s sent back to the stage at which it failed.", counted(retried, "job was", "jobs were")))
	}
}

// retryJobs returns how many it has dealt with. A job that is refused was
// retried or replaced by somebody else meanwhile, which is as good.
func (o *Room) retryJobs(ctx context.Context, jobs []string, caller string) (dealt int, err error) {
	until := time.Now().Add(retryFor)
	for _, id := range jobs {
		if time.Now().After(until) || ctx.Err() != nil {
			return dealt, ctx.Err()
		}
		_, err := o.Changes.Retry(ctx, id, caller)
		var refused *editorial.Error
		if err != nil && !errors.As(err, &refused) {
			return dealt, err
		}
		dealt++
	}
	return dealt, nil
}

func (o *Room) reconcile(w http.ResponseWriter, r *http.Request) {
	report, err := o.Changes.Reconcile(r.Context())
	if err != nil {
		o.Fail(w, r, err)
		return
	}
	if report.Rung+report.Settled+report.Published+report.Replaced+report.Overdue == 0 {
		o.done(w, r, "Everything that is due is being worked on already.")
		return
	}
	did := fmt.Sprintf("%s rung anew, %s published late, %s made again, %s settled",
		counted(report.Rung, "task", "tasks"), counted(report.Published, "post", "posts"),
		counted(report.Replaced, "picture", "pictures"), counted(report.Settled, "job", "jobs"))
	if report.Overdue > 0 {
		did += ", " + counted(report.Overdue, "picture", "pictures") + " given up whose time was over"
	}
	o.done(w, r, did+".")
}

func (o *Room) resume(w http.ResponseWriter, r *http.Request) {
	name := r.PostFormValue("queue")
	queues, err := o.Queues.Conditions(r.Context())
	if err != nil {
		o.Fail(w, r, err)
		return
	}
	for _, q := range queues {
		if q.Name != name {
			continue
		}
		if err := o.Queues.Resume(r.Context(), name); err != nil {
			o.Fail(w, r, err)
			return
		}
		o.done(w, r, "The queue "+name+" goes on.")
		return
	}
	o.Fail(w, r, editorial.NotFoundf("there is no queue of this name"))
}

// counted is a number with its noun, both numbers of it.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
