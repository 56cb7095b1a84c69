package ops

import (
	"errors"
	"html/template"
	"log/slog"
	"net/http"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

var refusal = template.Must(template.New("refusal").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}} · Frontispiece</title>
<link rel="stylesheet" href="/desk/static/present/desk.css">
<link rel="stylesheet" href="/ops/static/ops.css">
</head>
<body>
<main class="room"><section class="verdict {{.Level}}">
<h1><span class="dot" aria-hidden="true"></span>{{.Title}}</h1>
<p class="calm">{{.Message}}</p>
<p class="calm">{{if .LogIn}}<a href="/desk/login?next=/ops">Log in</a> · {{end}}<a href="/ops">Operations</a></p>
</section></main>
</body>
</html>
`))

var refusals = map[editorial.Kind]struct {
	status int
	title  string
}{
	editorial.Unauthorized: {http.StatusUnauthorized, "Log in first"},
	editorial.Forbidden:    {http.StatusForbidden, "This is for operators"},
	editorial.NotFound:     {http.StatusNotFound, "It is not there"},
	editorial.Conflict:     {http.StatusConflict, "That cannot be done now"},
	editorial.Invalid:      {http.StatusBadRequest, "That makes no sense"},
	editorial.Limited:      {http.StatusTooManyRequests, "Too much at once"},
}

// Refuse answers a person at a browser with a page that says why. What is not
// the caller's doing is logged and not shown.
func Refuse(log *slog.Logger) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		status, title, message := http.StatusServiceUnavailable, "It did not work", "Something that this needs does not answer. Nothing is lost; try again in a moment."
		var e *editorial.Error
		if errors.As(err, &e) {
			message = e.Message
			if known, ok := refusals[e.Kind]; ok {
				status, title = known.status, known.title
			}
		} else {
			log.ErrorContext(r.Context(), "operators' room", "path", r.URL.Path, "error", err)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_ = refusal.Execute(w, map[string]any{ // a client that is gone
			"Title": title, "Message": message, "Level": Warning, "LogIn": status == http.StatusUnauthorized,
		})
	}
}
