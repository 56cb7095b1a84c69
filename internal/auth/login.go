package auth

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Where people log in and out. Both paths take a POST of a form, the first also
// a GET.
const (
	LoginPath  = "/desk/login"
	LogoutPath = "/desk/logout"
)

// home is where a log-in without a wish leads.
const home = "/desk"

// LoginForm is what a [LoginPage] shows. Its form posts to [LoginPath] the
// fields "credential" (an API key or a token of the site) and "next".
type LoginForm struct {
	Status  int    // to answer with
	Problem string // what went wrong, for a person; empty the first time
	Next    string // the path to which the log-in leads
}

// LoginPage writes the page with the form.
type LoginPage func(w http.ResponseWriter, r *http.Request, form LoginForm)

// MaxForm is far more than a key and a path, in bytes.
const MaxForm = 16 << 10

// Handler serves [LoginPath] and [LogoutPath]. A nil page is a plain one.
func (s *Sessions) Handler(page LoginPage) http.Handler {
	if page == nil {
		page = plainPage
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+LoginPath, func(w http.ResponseWriter, r *http.Request) { s.showForm(w, r, page) })
	mux.HandleFunc("POST "+LoginPath, func(w http.ResponseWriter, r *http.Request) { s.takeForm(w, r, page) })
	mux.HandleFunc("POST "+LogoutPath, func(w http.ResponseWriter, r *http.Request) { s.leave(w, r, page) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if err := s.crossOrigin.Check(r); err != nil {
			// Logging somebody in unasked, as somebody else, is an attack too.
			page(w, r, LoginForm{Status: http.StatusForbidden, Problem: "This form was sent by another site's page. Log in here.", Next: home})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// The marks by which the page knows why somebody comes back to it.
const (
	markKept  = "kept" // after a log-in: the browser should have a cookie now
	markEnded = "ended"
)

func (s *Sessions) showForm(w http.ResponseWriter, r *http.Request, page LoginPage) {
	form := LoginForm{Status: http.StatusOK, Next: localPath(r.FormValue("next"))}
	id, err := s.Method()(r)
	switch {
	case err != nil:
		s.Log.ErrorContext(r.Context(), "a session could not be read", "error", err)
		form.Status, form.Problem = http.StatusServiceUnavailable, "The database cannot be reached. Try again in a moment."
	case id != nil:
		http.Redirect(w, r, form.Next, http.StatusSeeOther)
		return
	case r.FormValue("after") == markKept:
		form.Problem = "You are logged in, but your browser did not keep the cookie. Open this page over https, and allow cookies for it."
	case r.FormValue("after") == markEnded:
		form.Problem = "You are logged out."
	case cookieOf(r) != "":
		form.Problem = "Your session is over. Log in again to go on."
	}
	page(w, r, form)
}

func (s *Sessions) takeForm(w http.ResponseWriter, r *http.Request, page LoginPage) {
	r.Body = http.MaxBytesReader(w, r.Body, MaxForm)
	form := LoginForm{Status: http.StatusBadRequest, Problem: "The form could not be read. Send it again.", Next: home}
	if err := r.ParseForm(); err != nil {
		page(w, r, form)
		return
	}
	form.Next = localPath(r.PostForm.Get("next"))
	_, err := s.Login(w, r, r.PostForm.Get("credential"))
	if err == nil {
		http.Redirect(w, r, LoginPath+"?"+url.Values{"after": {markKept}, "next": {form.Next}}.Encode(), http.StatusSeeOther)
		return
	}
	form.Status, form.Problem = http.StatusServiceUnavailable, "The database cannot be reached. Try again in a moment."
	var e *editorial.Error
	switch {
	case !errors.As(err, &e):
		s.Log.ErrorContext(r.Context(), "nobody can log in", "error", err)
	case e.Kind == editorial.Limited:
		form.Status, form.Problem = http.StatusTooManyRequests, sentence(e.Message)
	default:
		// Not 401, which asks the browser for credentials of another kind.
		form.Status, form.Problem = http.StatusUnprocessableEntity, sentence(e.Message)
	}
	page(w, r, form)
}

// Login opens a session for whom an API key or a token of the site recognises,
// and sets the cookie. Its errors are [*editorial.Error]s of kind Unauthorized
// or Limited, or a database's. A session that the browser had before ends.
func (s *Sessions) Login(w http.ResponseWriter, r *http.Request, credential string) (*Identity, error) {
	if s.Pace != nil {
		if err := s.Pace.Try(r); err != nil {
			return nil, err
		}
	}
	id, session, err := s.admit(r.Context(), pasted(credential))
	if err != nil {
		if s.Pace != nil && isKind(err, editorial.Unauthorized) {
			s.Pace.Failed(r)
		}
		return nil, err
	}
	if old := cookieOf(r); old != "" {
		if err := s.Rows.EndSession(r.Context(), digest(old)); err != nil {
			return nil, err
		}
	}
	value := randomText()
	session.Token, session.Subject, session.Name = digest(value), id.Subject, id.Name
	if err := s.Rows.OpenSession(r.Context(), session); err != nil {
		return nil, err
	}
	s.Log.InfoContext(r.Context(), "logged in", "subject", id.Subject, "role", id.Role.String())
	http.SetCookie(w, cookie(r, value))
	id.Via = "session"
	return id, nil
}

// admit checks what was pasted into the form.
func (s *Sessions) admit(ctx context.Context, token string) (*Identity, Session, error) {
	switch {
	case token == "":
		return nil, Session{}, unauthorized("missing_credentials", "paste an API key or a token of the site")
	case len(token) > maxToken:
		return nil, Session{}, invalidKey()
	case strings.HasPrefix(token, KeyPrefix):
		id, err := s.Keys.verify(ctx, token)
		keyID, _ := keyID(token)
		return id, Session{KeyID: keyID}, err
	case s.users == nil:
		return nil, Session{}, unauthorized("invalid_key", "this is not an API key: those begin with "+KeyPrefix)
	}
	id, err := s.users.verify(token)
	return id, Session{Issuer: s.users.issuer()}, err
}

// pasted is a credential without what comes along when it is copied from a
// terminal or a header.
func pasted(s string) string {
	s = strings.Trim(strings.TrimSpace(s), `"'`)
	if len(s) > 7 && strings.EqualFold(s[:7], "Bearer ") {
		s = strings.TrimSpace(s[7:])
	}
	return s
}

func (s *Sessions) leave(w http.ResponseWriter, r *http.Request, page LoginPage) {
	if err := s.Logout(w, r); err != nil {
		s.Log.ErrorContext(r.Context(), "a session could not be ended", "error", err)
		page(w, r, LoginForm{
			Status: http.StatusServiceUnavailable, Next: home,
			Problem: "The database cannot be reached, so the session is not ended everywhere. Log out again in a moment.",
		})
		return
	}
	http.Redirect(w, r, LoginPath+"?after="+markEnded, http.StatusSeeOther)
}

// Logout ends the session and takes the cookie away. Without a session it does
// the same.
func (s *Sessions) Logout(w http.ResponseWriter, r *http.Request) error {
	if value := cookieOf(r); value != "" {
		if err := s.Rows.EndSession(r.Context(), digest(value)); err != nil {
			return err
		}
	}
	gone := cookie(r, "") //nolint:gosec // as cookie says
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	return nil
}

// ToLogin leads a person's browser that asked for a page and is not logged in
// to the form and, after it, back. It returns false when the error is another
// one or the client no browser, and has then written nothing.
func ToLogin(w http.ResponseWriter, r *http.Request, err error) bool {
	if !isKind(err, editorial.Unauthorized) || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return false
	}
	next := home
	if r.Method == http.MethodGet {
		next = localPath(r.URL.RequestURI())
	}
	http.Redirect(w, r, LoginPath+"?"+url.Values{"next": {next}}.Encode(), http.StatusSeeOther)
	return true
}

// localPath is a path of this server, and home for everything that could lead
// anywhere else, or back to the form.
func localPath(next string) string {
	u, err := url.Parse(next)
	switch {
	case err != nil, u.IsAbs(), u.Host != "", u.User != nil, u.Opaque != "":
		return home
	case !strings.HasPrefix(next, "/"), strings.HasPrefix(next, "//"), strings.ContainsAny(next, "\\\r\n\t"):
		return home // browsers take a backslash for a slash, and drop tabs and breaks
	case u.Path == LoginPath, u.Path == LogoutPath:
		return home
	}
	return next
}

// sentence is an error's message as a sentence.
func sentence(message string) string {
	return strings.ToUpper(message[:1]) + message[1:] + "."
}

var plainTemplate = template.Must(template.New("login").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Log in · Frontispiece</title>
<h1>Log in</h1>
{{with .Problem}}<p role="alert">{{.}}</p>{{end}}
<form method="post" action="/desk/login">
<input type="hidden" name="next" value="{{.Next}}">
<p><label>API key, or token of the site<br><input type="password" name="credential" autocomplete="current-password" required autofocus></label></p>
<p><button>Log in</button></p>
</form>
</html>
`))

// plainPage is for a program without a desk.
func plainPage(w http.ResponseWriter, _ *http.Request, form LoginForm) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(form.Status)
	_ = plainTemplate.Execute(w, form) // the client hung up: nobody to tell
}
