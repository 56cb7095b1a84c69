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
	summary string
}

// routes is every route of the site's API and the role that it needs.
func (a *API) routes() []route {
	return []route{
		{"POST /api/media/generate-image", auth.Author, a.generateImage, "Make or find a picture, and wait for it"},
		{"GET /api/media/images/search", auth.Author, a.searchImages, "Search stock photos"},
		{"GET /api/media/health", public, a.mediaHealth, "Say which sources of pictures, storage and queue work"},

		{"POST /api/content/tasks", auth.Author, a.createContentTask, "Create a draft"},
		{"GET /api/content/tasks", auth.Author, a.listContentTasks, "List drafts"},
		{"GET /api/content/tasks/{id}", auth.Author, a.getContentTask, "Look at a draft"},
		{"DELETE /api/content/tasks/{id}", auth.Author, a.deleteContentTask, "Delete a draft"},
		{"POST /api/content/tasks/{id}/approve", auth.Editor, a.approveContentTask, "Approve or reject a draft, and publish it"},

		{"POST /api/tasks", auth.Author, a.createTask, "Create a draft"},
		{"GET /api/tasks", auth.Author, a.listTasks, "List drafts"},
		{"POST /api/tasks/bulk", auth.Author, a.bulkTasks, "Change up to 100 drafts"},
		{"GET /api/tasks/{id}", auth.Author, a.getTask, "Look at a draft"},
		{"PATCH /api/tasks/{id}", auth.Author, a.patchTask, "Change a draft"},
		{"DELETE /api/tasks/{id}", auth.Author, a.cancelTask, "Cancel a draft"},
		{"POST /api/tasks/{id}/approve", auth.Editor, a.approveTask, "Approve a draft, and publish it"},
		{"POST /api/tasks/{id}/reject", auth.Editor, a.rejectTask, "Reject a draft"},
		{"POST /api/tasks/{id}/publish", auth.Editor, a.publishTask, "Publish an approved draft"},
		{"POST /api/tasks/{id}/generate-image", auth.Author, a.generateTaskImage, "Make or find a picture for a draft, and wait for it"},

		{"GET /api/posts", public, a.listPosts, "List published posts"},
		{"GET /api/posts/search", public, a.searchPosts, "Search published posts"},
		{"GET /api/posts/{slug}", public, a.getPost, "Read a published post"},
		{"GET /api/categories", public, a.listCategories, "List categories"},
		{"GET /api/tags", public, a.listTags, "List tags"},
		{"GET /api/cms/status", public, a.cmsStatus, "Say whether the site's tables are there, and how many rows they have"},
		{"POST /api/revalidate-cache", auth.Editor, a.revalidateCache, "Have the site make pages anew"},
		{"GET /api/health", public, a.health, "Say how the parts are"},
	}
}

// makesJobs are the routes that may add a job. Those after the first two do when
// they are sent the URL of a picture elsewhere, which is copied.
var makesJobs = []string{
	"POST /api/media/generate-image", "POST /api/tasks/{id}/generate-image",
	"POST /api/content/tasks", "POST /api/tasks", "PATCH /api/tasks/{id}", "POST /api/content/tasks/{id}/approve",
	"POST /api/tasks/{id}/approve", "POST /api/tasks/{id}/publish",
}

// Routes describes every route, for docs/api.md.
func (a *API) Routes() []auth.Route {
	var list []auth.Route
	for _, rt := range a.routes() {
		method, path, _ := strings.Cut(rt.pattern, " ")
		r := auth.Route{
			Section: "The site's API", Method: method, Path: path, Role: rt.role, Summary: rt.summary,
			Jobs: slices.Contains(makesJobs, rt.pattern),
		}
		if method == http.MethodPost || method == http.MethodPatch {
			r.MaxBody = maxBody
		}
		list = append(list, r)
	}
	return list
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
