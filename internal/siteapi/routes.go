package siteapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// handler answers a request, or returns why it did not.
type handler func(w http.ResponseWriter, r *http.Request) error

// public marks routes that need no role. Whoever is known is known there too.
const public = auth.Nobody

// route is one line of the table.
type route struct {
	pattern string
	role    auth.Role
	handler handler
}

// routes is every route of the site's API and the role that it needs.
func (a *API) routes() []route {
	return []route{
		{"POST /api/media/generate-image", auth.Author, a.generateImage},
		{"GET /api/media/images/search", auth.Author, a.searchImages},
		{"GET /api/media/health", public, a.mediaHealth},

		{"POST /api/content/tasks", auth.Author, a.createContentTask},
		{"GET /api/content/tasks", auth.Author, a.listContentTasks},
		{"GET /api/content/tasks/{id}", auth.Author, a.getContentTask},
		{"DELETE /api/content/tasks/{id}", auth.Author, a.deleteContentTask},
		{"POST /api/content/tasks/{id}/approve", auth.Editor, a.approveContentTask},

		{"POST /api/tasks", auth.Author, a.createTask},
		{"GET /api/tasks", auth.Author, a.listTasks},
		{"POST /api/tasks/bulk", auth.Author, a.bulkTasks},
		{"GET /api/tasks/{id}", auth.Author, a.getTask},
		{"PATCH /api/tasks/{id}", auth.Author, a.patchTask},
		{"DELETE /api/tasks/{id}", auth.Author, a.cancelTask},
		{"POST /api/tasks/{id}/approve", auth.Editor, a.approveTask},
		{"POST /api/tasks/{id}/reject", auth.Editor, a.rejectTask},
		{"POST /api/tasks/{id}/publish", auth.Editor, a.publishTask},
		{"POST /api/tasks/{id}/generate-image", auth.Author, a.generateTaskImage},

		{"GET /api/posts", public, a.listPosts},
		{"GET /api/posts/search", public, a.searchPosts},
		{"GET /api/posts/{slug}", public, a.getPost},
		{"GET /api/categories", public, a.listCategories},
		{"GET /api/tags", public, a.listTags},
		{"GET /api/cms/status", public, a.cmsStatus},
		{"POST /api/revalidate-cache", auth.Editor, a.revalidateCache},
		{"GET /api/health", public, a.health},
	}
}

// Register adds every route to mux, each behind the role that it needs.
func (a *API) Register(mux *http.ServeMux) {
	for _, rt := range a.routes() {
		mux.Handle(rt.pattern, a.guard(rt.role, rt.handler))
	}
}

func (a *API) guard(role auth.Role, h handler) http.Handler {
	inner := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			a.Fail(w, r, err)
		}
	}))
	if role == public {
		return a.Auth.Optional(a.Fail)(inner)
	}
	return a.Auth.Middleware(a.Fail)(auth.Require(role, a.Fail)(inner))
}

// NotFound answers, in the site's envelope, what no route serves: 405 where
// another method would be right, else 404. Mount it at /api/ when nothing
// stands behind us to pass such requests on to.
func (a *API) NotFound() http.Handler {
	served := http.NewServeMux()
	a.Register(served)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		allowed := methodsOf(served, r)
		if len(allowed) == 0 || slices.Contains(allowed, r.Method) {
			a.Fail(w, r, editorial.NotFoundf("Not Found"))
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		a.Fail(w, r, &editorial.Error{Kind: badMethod, Code: "method_not_allowed", Message: "Method Not Allowed"})
	})
}

func methodsOf(mux *http.ServeMux, r *http.Request) []string {
	var allowed []string
	for _, method := range []string{"GET", "HEAD", "POST", "PATCH", "DELETE"} {
		other := *r
		other.Method = method
		if _, pattern := mux.Handler(&other); pattern != "" {
			allowed = append(allowed, method)
		}
	}
	return allowed
}

// callerOf is who is asking, as it is recorded with what is done.
func callerOf(r *http.Request) string {
	if id := auth.FromContext(r.Context()); id != nil {
		return id.Subject
	}
	return ""
}
