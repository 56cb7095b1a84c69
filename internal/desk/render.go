package desk

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/events"
)

//go:embed templates
var templates embed.FS

// The pages, each a template that fills the layout.
const (
	pageDrafts = "drafts"
	pageDraft  = "draft"
	pagePosts  = "posts"
	pageJobs   = "jobs"
	pageJob    = "job"
	pageError  = "error"
	pageLogin  = "login"
)

// page is what the layout needs of every page.
type page struct {
	Title   string
	Section string // which entry of the navigation is the present one
	Topic   string // what the page watches; empty for nothing
	Body    any
	Problem *problem // why a form was not carried out
	Path    string   // the page's own, to load it again; empty: the request's

	// The rest is filled in by render.
	Theme  string
	User   *auth.Identity
	Said   string
	Counts counts
}

// counts are the numbers in the navigation.
type counts struct{ Awaiting, Failed int }

// May reports whether the caller may do what a role demands: buttons that would
// be refused are not shown.
func (p *page) May(role string) bool {
	for _, r := range []auth.Role{auth.Author, auth.Editor, auth.Operator} {
		if r.String() == role {
			return p.User.May(r)
		}
	}
	return false
}

func parsePages(f *files) map[string]*template.Template {
	funcs := template.FuncMap{
		"asset": f.url, "draftPath": draftPath, "when": when, "many": many, "dict": dict,
		"plural": plural, "upper": strings.ToUpper,
	}
	parsed := make(map[string]*template.Template)
	for _, name := range []string{pageDrafts, pageDraft, pagePosts, pageJobs, pageJob, pageError, pageLogin} {
		t := template.New("layout.html.tmpl").Funcs(funcs)
		parsed[name] = template.Must(t.ParseFS(templates, "templates/layout.html.tmpl", "templates/parts.html.tmpl", "templates/"+name+".html.tmpl"))
	}
	return parsed
}

// dict makes the one argument that a template takes out of several.
func dict(pairs ...any) (map[string]any, error) {
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: argument %d is no name", i)
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// render writes a page. It is made whole before its first byte leaves, so that
// an error is never half a page.
func (d *Desk) render(w http.ResponseWriter, r *http.Request, status int, name string, p *page) error {
	p.Theme, p.User = themeOf(r), auth.FromContext(r.Context())
	if p.Path == "" {
		p.Path = ownPath(r.URL.RequestURI())
	}
	if p.Said == "" {
		p.Said = saying[r.URL.Query().Get("said")]
	}
	if p.User != nil {
		var err error
		if p.Counts, err = d.counts(r.Context()); err != nil {
			return err
		}
	}
	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)
	b.Reset()
	if err := d.pages[name].Execute(b, p); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client hung up: nobody to tell
	return nil
}

// buffers are what pages are made in: a long list is half a megabyte, several
// times a second while pictures arrive.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func (d *Desk) counts(ctx context.Context) (counts, error) {
	var c counts
	byStatus, err := d.Store.DraftCounts(ctx)
	if err != nil {
		return c, err
	}
	for _, s := range editorial.AwaitingStatuses {
		c.Awaiting += byStatus[s]
	}
	c.Failed, err = d.Store.CountFailed(ctx)
	return c, err
}

// statusOf is the table from an error's kind to its status.
var statusOf = map[editorial.Kind]int{
	editorial.Invalid: http.StatusUnprocessableEntity, editorial.NotFound: http.StatusNotFound, editorial.Gone: http.StatusGone,
	editorial.Conflict: http.StatusConflict, editorial.Mismatch: http.StatusUnprocessableEntity,
	editorial.Forbidden: http.StatusForbidden, editorial.Unauthorized: http.StatusUnauthorized,
	editorial.Limited: http.StatusTooManyRequests, editorial.Unavailable: http.StatusServiceUnavailable,
	editorial.Full: http.StatusInsufficientStorage,
}

// problem is why something was not done, in plain words.
type problem struct {
	Title string
	Text  string
	Field string // the form's field to look at; empty when none is to blame
}

func problemOf(err error) *problem {
	var e *editorial.Error
	if !errors.As(err, &e) {
		return &problem{
			Title: "Something went wrong on our side",
			Text:  "It was not carried out. It has been logged; try again in a moment.",
		}
	}
	title, ok := titleOf[e.Code]
	if !ok {
		title = titleOf[string(e.Kind)]
	}
	return &problem{Title: title, Text: sentence(e.Message), Field: e.Field}
}

// errorPage is the body of a page that shows nothing but an error.
type errorPage struct {
	Status int
	Typed  []typed // what was sent with a form that was not carried out
	Action string  // where to send it again; empty when that makes no sense
}

// typed is one field of a form.
type typed struct{ Name, Label, Value string }

// fail shows an error as a page of its own. What had been typed stands on it:
// nobody should have to write a reason twice. A browser that has gone meanwhile
// is answered nothing.
func (d *Desk) fail(w http.ResponseWriter, r *http.Request, err error) {
	if gone(r) {
		d.Log.DebugContext(r.Context(), "the browser went away", "path", r.URL.Path, "error", err)
		return
	}
	status, known := statusOf[kindOf(err)]
	if !known {
		status = http.StatusInternalServerError
		d.Log.ErrorContext(r.Context(), "a page of the desk failed", "path", r.URL.Path, "error", err)
	}
	body := errorPage{Status: status}
	if r.Method == http.MethodPost && kindOf(err) != editorial.NotFound && sameOrigin(err) {
		body.Typed, body.Action = typedIn(r.PostForm), r.URL.Path
	}
	p := &page{Title: problemOf(err).Title, Problem: problemOf(err), Body: body}
	if err := d.render(w, r, status, pageError, p); err != nil && !gone(r) {
		d.Log.ErrorContext(r.Context(), "the error page failed as well", "error", err)
		http.Error(w, "Something went wrong. It was not carried out; try again in a moment.", http.StatusInternalServerError)
	}
}

// gone reports whether nobody waits for the answer any more. A request that has
// run out of time is not meant: that is ours to mend.
func gone(r *http.Request) bool { return errors.Is(r.Context().Err(), context.Canceled) }

// sameOrigin is false for what another site's page has sent: it is not repeated
// under our name.
func sameOrigin(err error) bool {
	var e *editorial.Error
	return !errors.As(err, &e) || e.Code != "cross_origin" && e.Code != "loopback_only"
}

// typedIn lists a form's fields, those that a person wrote first.
func typedIn(form url.Values) []typed {
	var list []typed
	for _, name := range []string{"reason", "prompt", "alt"} {
		if v := form.Get(name); v != "" {
			list = append(list, typed{Name: name, Label: labelOf[name], Value: v})
		}
	}
	for name, values := range form {
		if labelOf[name] != "" {
			continue
		}
		for _, v := range values {
			list = append(list, typed{Name: name, Value: v})
		}
	}
	return list
}

var labelOf = map[string]string{"reason": "The reason", "prompt": "The prompt", "alt": "The alternative text"}

// topicAll is what a page watches that shows many drafts or jobs.
const topicAll = events.All

const themeCookie = "desk-theme"

// themeOf is "light" or "dark" where somebody chose, else empty: the browser's.
func themeOf(r *http.Request) string {
	c, err := r.Cookie(themeCookie)
	if err != nil || c.Value != "light" && c.Value != "dark" {
		return ""
	}
	return c.Value
}

// setTheme remembers the choice in a cookie, so that pages come in the right
// colours at once and without a script.
func (d *Desk) setTheme(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	theme := r.PostFormValue("theme")
	if theme != "light" && theme != "dark" {
		theme = ""
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // a colour is no secret, and must work on localhost without TLS
		Name: themeCookie, Value: theme, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, Secure: r.TLS != nil,
		SameSite: http.SameSiteLaxMode,
	})
	http.Redirect(w, r, ownPath(r.PostFormValue("back")), http.StatusSeeOther) //nolint:gosec // ownPath lets through our own pages only
}

// ownPath is where a form asked to come back to, if that is a page of ours.
func ownPath(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || u.Path != "/desk" && !strings.HasPrefix(u.Path, "/desk/") {
		return "/desk"
	}
	q := u.Query()
	q.Del("said")
	u.RawQuery = q.Encode()
	return u.RequestURI()
}
