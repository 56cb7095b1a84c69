package desk

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Section is the desk's part of docs/api.md.
const Section = "The desk"

// route is one line of the table.
type route struct {
	pattern string
	need    auth.Role
	handler handler
	summary string
}

// table is every page and every button: who may do what, and where.
func (d *Desk) table() []route {
	return []route{
		{"GET /desk", auth.Author, d.listDrafts, "Show the drafts that await a decision"},
		{"GET /desk/drafts/{id}", auth.Author, d.showDraft, "Show a draft with its pictures"},
		{"POST /desk/drafts/{id}/approve", auth.Editor, d.approve, "Approve a draft with the picture that was seen"},
		{"POST /desk/drafts/{id}/reject", auth.Editor, d.reject, "Reject a draft, or ask for other pictures"},
		{"POST /desk/drafts/{id}/choose", auth.Editor, d.choose, "Choose a picture"},
		{"POST /desk/drafts/{id}/pictures", auth.Author, d.askForPictures, "Ask for pictures"},
		{"POST /desk/drafts/{id}/copy", auth.Editor, d.copyPicture, "Copy a picture from elsewhere"},
		{"POST /desk/images/{id}/alt", auth.Editor, d.describe, "Change a picture's alternative text"},

		{"GET /desk/posts", auth.Author, d.listPosts, "Show what was published"},

		{"GET /desk/jobs", auth.Author, d.listJobs, "Show jobs"},
		{"GET /desk/jobs/{id}", auth.Author, d.showJob, "Show a job"},
		{"POST /desk/jobs", auth.Author, d.changeJobs, "Retry, cancel or repeat jobs"},

		{"POST /desk/samples", auth.Editor, d.makeSamples, "Make sample drafts"},
		{"GET /desk/live", auth.Author, d.live, "Follow what changes as server-sent events"},
	}
}

// Routes describes every page and button, for docs/api.md.
func (d *Desk) Routes() []auth.Route {
	var list []auth.Route
	for _, rt := range d.table() {
		method, path, _ := strings.Cut(rt.pattern, " ")
		r := auth.Route{
			Section: Section, Method: method, Path: path, Role: rt.need, Summary: rt.summary,
			// Those that ask for pictures, or have one copied.
			Jobs: strings.HasSuffix(path, "/pictures") || strings.HasSuffix(path, "/copy") || rt.pattern == "POST /desk/jobs",
		}
		if method == http.MethodPost {
			r.MaxBody = maxForm
		}
		list = append(list, r)
	}
	return append(list,
		auth.Route{Section: Section, Method: http.MethodGet, Path: "/desk/static/{digest}/{name}", Summary: "Serve the desk's styles and scripts"},
		auth.Route{Section: Section, Method: http.MethodPost, Path: "/desk/theme", Summary: "Choose light or dark"})
}

func (d *Desk) routes() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range d.table() {
		mux.Handle(rt.pattern, d.guard(rt.need, rt.handler))
	}
	mux.Handle("/desk/", d.guard(auth.Author, func(http.ResponseWriter, *http.Request) error {
		return editorial.NotFoundf("there is no such page on the desk")
	}))
	// Open to everybody: they tell nothing and change nothing but a cookie.
	mux.Handle("GET /desk/static/{digest}/{name}", d.files)
	mux.HandleFunc("POST /desk/theme", d.setTheme)
	return mux
}

// handler is a page or a button. An [*editorial.Error] is shown as a page of
// its kind, any other error is logged.
type handler func(w http.ResponseWriter, r *http.Request) error

// maxForm bounds a form, in bytes: the longest honest one is a prompt and a
// reason in a script of four bytes a character.
const maxForm = 256 << 10

// guard recognises the caller, refuses forms that another site's page has sent,
// and turns errors into pages.
func (d *Desk) guard(need auth.Role, h handler) http.Handler {
	var crossOrigin http.CrossOriginProtection
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private, no-store")
		if err := crossOrigin.Check(r); err != nil {
			d.fail(w, r, &editorial.Error{
				Kind: editorial.Forbidden, Code: "cross_origin",
				Message: "this form was sent by another site's page, and was not carried out",
			})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if r.Method == http.MethodPost {
			if err := r.ParseForm(); err != nil {
				d.fail(w, r, editorial.Invalidf("form", "the form could not be read: %v", err))
				return
			}
		}
		id, err := d.Auth.Recognise(w, r)
		if err == nil {
			ctx := auth.NewContext(r.Context(), id)
			r, err = r.WithContext(ctx), auth.Check(ctx, need)
		}
		if err != nil {
			d.refuse(w, r, err)
			return
		}
		if err := h(w, r); err != nil {
			d.fail(w, r, err)
		}
	})
}

// refuse answers whom auth does not let through. Somebody who is not signed in
// is shown how; what they had typed is on that page.
func (d *Desk) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if r.Method == http.MethodGet && auth.ToLogin(w, r, err) {
		return
	}
	d.fail(w, r, err)
}

// Login writes the page with the form for signing in; auth carries it out.
func (d *Desk) Login(w http.ResponseWriter, r *http.Request, form auth.LoginForm) {
	if err := d.render(w, r, form.Status, pageLogin, &page{Title: "Sign in", Body: form}); err != nil && !gone(r) {
		d.Log.ErrorContext(r.Context(), "the page for signing in failed", "error", err)
		http.Error(w, "Something went wrong; try again in a moment.", http.StatusInternalServerError)
	}
}

// redirect ends a form that was carried out: reloading the page that follows
// sends nothing again. said names the message there.
func redirect(w http.ResponseWriter, r *http.Request, to, said string) error {
	u, err := url.Parse(to)
	if err != nil {
		return err
	}
	q := u.Query()
	if said != "" {
		q.Set("said", said)
	}
	u.RawQuery = q.Encode()
	http.Redirect(w, r, u.String(), http.StatusSeeOther) //nolint:gosec // to is a path of ours: ownPath or draftPath made it
	return nil
}

// draftPath is the page of a draft, whose id may be any text.
func draftPath(id string) string { return "/desk/drafts/" + url.PathEscape(id) }

// kindOf is an error's kind, empty for one that is ours alone.
func kindOf(err error) editorial.Kind {
	var e *editorial.Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}
