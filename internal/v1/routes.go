package v1

import (
	"context"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

const about = `Asks for pictures, follows them until they are stored, and decides which of them is published.

Every error is a Problem (RFC 9457): branch on its code, show its detail, mark its errors. Times are RFC 3339 in UTC. A picture's url works from the moment it is there.`

// The tags that group the documentation.
const (
	tagJobs   = "Jobs"
	tagDrafts = "Drafts"
	tagPosts  = "Posts"
	tagHooks  = "Webhooks"
	tagAbout  = "About"
)

// register is the whole API on one page: who may do what, and where.
func (a *API) register() {
	route(a, auth.Author, huma.Operation{
		OperationID: "submitJob", Method: http.MethodPost, Path: "/v1/jobs", Tags: []string{tagJobs}, DefaultStatus: http.StatusAccepted,
		Summary:     "Ask for pictures",
		Description: "Accepts a job: 202 while it is under way, 201 when it ended within the wait, 200 when an idempotency key had made it before and it has ended. An accepted job ends stored, failed with a reason, canceled or superseded, whatever happens meanwhile.",
	}, a.submit, answers[Job](http.StatusOK, http.StatusCreated), fails(400, 413, 415, 422, 429, 503, 507))
	route(a, auth.Author, huma.Operation{
		OperationID: "listJobs", Method: http.MethodGet, Path: "/v1/jobs", Tags: []string{tagJobs},
		Summary: "List jobs, newest first",
	}, a.listJobs, fails(422))
	route(a, auth.Author, huma.Operation{
		OperationID: "getJob", Method: http.MethodGet, Path: "/v1/jobs/{id}", Tags: []string{tagJobs},
		Summary:     "Look at a job, or wait for it",
		Description: "A superseded job answers 200 with state superseded, superseded_by and its path.",
	}, a.getJob, empty(http.StatusNotModified, "Nothing has changed since that ETag"), fails(404, 422))
	route(a, auth.Author, huma.Operation{
		OperationID: "watchJob", Method: http.MethodGet, Path: "/v1/jobs/{id}/events", Tags: []string{tagJobs},
		Summary:     "Follow a job as server-sent events",
		Description: "Sends the job's history and then what happens, each event named by its type with an Event as data; the last is named end and has the Job as data. Where the generator tells how far it is, image.progress says so in between, without an id. Comments keep a silent stream open. Connect again with Last-Event-ID to go on; 204 says that there is nothing more to come.",
	}, a.events, eventStream, empty(http.StatusNoContent, "The job has ended and the client has seen everything"), fails(404, 422))
	route(a, auth.Author, huma.Operation{
		OperationID: "watchAll", Method: http.MethodGet, Path: "/v1/events", Tags: []string{tagJobs},
		Summary:     "Follow all jobs and decisions as server-sent events",
		Description: "For a board: open it, then read the lists, and read a job or a draft again when an event names it. Begins with what happens next; connect again with Last-Event-ID and nothing is missed. It never ends by itself.",
	}, a.allEvents, eventStream, fails(422))
	route(a, auth.Author, huma.Operation{
		OperationID: "jobHistory", Method: http.MethodGet, Path: "/v1/jobs/{id}/history", Tags: []string{tagJobs},
		Summary: "Read what happened to a job",
	}, a.history, fails(404, 422))
	route(a, auth.Author, huma.Operation{
		OperationID: "cancelJob", Method: http.MethodPost, Path: "/v1/jobs/{id}/cancel", Tags: []string{tagJobs},
		Summary:     "Stop what is not finished",
		Description: "An author cancels their own jobs, an editor any. The job of an approved draft is not canceled: reject the draft first.",
	}, a.cancelJob, fails(404, 409))
	route(a, auth.Operator, huma.Operation{
		OperationID: "retryJob", Method: http.MethodPost, Path: "/v1/jobs/{id}/retry", Tags: []string{tagJobs}, DefaultStatus: http.StatusAccepted,
		Summary:     "Try failed pictures again",
		Description: "Each goes on at the stage that failed: an upload is retried alone, with the bytes that are there.",
	}, a.retryJob, fails(404, 409))
	route(a, auth.Author, huma.Operation{
		OperationID: "repeatJob", Method: http.MethodPost, Path: "/v1/jobs/{id}/again", Tags: []string{tagJobs}, DefaultStatus: http.StatusAccepted,
		Summary:     "Ask for a job's pictures another time",
		Description: "Makes a new job with the same request and seed, or with changes, whatever became of the old one; for a draft, its next round. An author repeats their own jobs, an editor any.",
	}, a.again, answers[Job](http.StatusOK), fails(400, 404, 409, 413, 415, 422, 429, 503, 507))

	route(a, auth.Author, huma.Operation{
		OperationID: "listDrafts", Method: http.MethodGet, Path: "/v1/drafts", Tags: []string{tagDrafts},
		Summary: "List drafts by state, newest first",
	}, a.listDrafts, fails(422))
	route(a, auth.Author, huma.Operation{
		OperationID: "getDraft", Method: http.MethodGet, Path: "/v1/drafts/{id}", Tags: []string{tagDrafts},
		Summary: "Look at a draft with its pictures and decisions",
	}, a.getDraft, fails(404, 410))
	route(a, auth.Editor, huma.Operation{
		OperationID: "approveDraft", Method: http.MethodPost, Path: "/v1/drafts/{id}/approve", Tags: []string{tagDrafts},
		Summary:     "Approve a draft, with the picture that was seen",
		Description: "Publishes when the picture is stored, else as soon as it is. Approving again answers 200 with the real state. Without image_id and sha256 the approval is blind: the lowest-numbered stored candidate is published once all have ended.",
	}, a.approve, fails(404, 409, 410, 415, 422, 503))
	route(a, auth.Editor, huma.Operation{
		OperationID: "rejectDraft", Method: http.MethodPost, Path: "/v1/drafts/{id}/reject", Tags: []string{tagDrafts},
		Summary: "Reject a draft, or ask for other pictures",
	}, a.reject, fails(404, 409, 410, 415, 422, 503))
	route(a, auth.Editor, huma.Operation{
		OperationID: "choosePicture", Method: http.MethodPost, Path: "/v1/drafts/{id}/choose", Tags: []string{tagDrafts},
		Summary:     "Make a stored picture the draft's",
		Description: "No later picture of the round displaces it. Publishing still takes an approval.",
	}, a.choose, fails(404, 409, 410, 415, 422))

	route(a, auth.Nobody, huma.Operation{
		OperationID: "getPost", Method: http.MethodGet, Path: "/v1/posts/{id}", Tags: []string{tagPosts},
		Summary:     "Read a post",
		Description: "Published posts are public; others are there for authors.",
	}, a.getPost, fails(404))
	route(a, auth.Author, huma.Operation{
		OperationID: "capabilities", Method: http.MethodGet, Path: "/v1/capabilities", Tags: []string{tagAbout},
		Summary: "What can be asked for",
	}, a.capabilities)
	a.registerWebhooks()
}

// registerWebhooks are the routes by which operators say who is told of events.
func (a *API) registerWebhooks() {
	route(a, auth.Operator, huma.Operation{
		OperationID: "createWebhook", Method: http.MethodPost, Path: "/v1/webhooks", Tags: []string{tagHooks}, DefaultStatus: http.StatusCreated,
		Summary:     "Have events sent to a URL",
		Description: "Events are posted as the Standard Webhooks specification (standardwebhooks.com) says, signed with HMAC-SHA256: check webhook-signature with one of its libraries and know an event again by its webhook-id. Each is sent at least once, for up to 24 hours until a 2xx answers; 410 disables the webhook. This answer alone carries the secret.",
	}, a.createWebhook, fails(409, 413, 415, 422))
	route(a, auth.Operator, huma.Operation{
		OperationID: "listWebhooks", Method: http.MethodGet, Path: "/v1/webhooks", Tags: []string{tagHooks},
		Summary: "List webhooks",
	}, a.listWebhooks)
	route(a, auth.Operator, huma.Operation{
		OperationID: "getWebhook", Method: http.MethodGet, Path: "/v1/webhooks/{id}", Tags: []string{tagHooks},
		Summary: "Look at a webhook",
	}, a.getWebhook, fails(404))
	route(a, auth.Operator, huma.Operation{
		OperationID: "changeWebhook", Method: http.MethodPatch, Path: "/v1/webhooks/{id}", Tags: []string{tagHooks},
		Summary: "Change a webhook, or disable and enable it",
	}, a.changeWebhook, fails(404, 413, 415, 422))
	route(a, auth.Operator, huma.Operation{
		OperationID: "deleteWebhook", Method: http.MethodDelete, Path: "/v1/webhooks/{id}", Tags: []string{tagHooks}, DefaultStatus: http.StatusNoContent,
		Summary: "Delete a webhook",
	}, a.deleteWebhook, fails(404))
	route(a, auth.Operator, huma.Operation{
		OperationID: "rotateWebhook", Method: http.MethodPost, Path: "/v1/webhooks/{id}/rotate", Tags: []string{tagHooks},
		Summary:     "Give a webhook a new secret",
		Description: "The old secret signs beside the new one for the overlap, a day unless asked otherwise. This answer alone carries the new secret.",
	}, a.rotateWebhook, fails(404, 413, 415, 422))
	route(a, auth.Operator, huma.Operation{
		OperationID: "pingWebhook", Method: http.MethodPost, Path: "/v1/webhooks/{id}/ping", Tags: []string{tagHooks}, DefaultStatus: http.StatusAccepted,
		Summary: "Try a webhook with an event that says nothing",
	}, a.pingWebhook, fails(404, 409))
	route(a, auth.Operator, huma.Operation{
		OperationID: "listDeliveries", Method: http.MethodGet, Path: "/v1/webhooks/{id}/deliveries", Tags: []string{tagHooks},
		Summary:     "See what was sent to a webhook and what came of it",
		Description: "Newest first. What has ended is kept for 30 days.",
	}, a.listDeliveries, fails(404, 422))
	route(a, auth.Operator, huma.Operation{
		OperationID: "resendDelivery", Method: http.MethodPost, Path: "/v1/webhooks/{id}/deliveries/{delivery}/resend", Tags: []string{tagHooks}, DefaultStatus: http.StatusAccepted,
		Summary:     "Send an event to a webhook again",
		Description: "Under the event's own id. One that is still pending is sent at once; for one that has ended there is a new delivery.",
	}, a.resendDelivery, fails(404, 409))
}

// makesJobs are the operations that add a job.
var makesJobs = []string{"submitJob", "repeatJob"}

// Routes describes every route, for docs/api.md.
func (a *API) Routes() []auth.Route {
	const section = "The jobs API"
	var list []auth.Route
	for path, item := range a.huma.OpenAPI().Paths {
		for method, op := range operationsOf(item) {
			name, _ := op.Extensions["x-role"].(string)
			role, _ := auth.ParseRole(name) // no role is public
			r := auth.Route{
				Section: section, Method: method, Path: path, Role: role, Summary: op.Summary,
				Jobs: slices.Contains(makesJobs, op.OperationID),
			}
			if op.RequestBody != nil {
				r.MaxBody = maxBody
			}
			list = append(list, r)
		}
	}
	return append(list,
		auth.Route{Section: section, Method: http.MethodGet, Path: "/openapi.json", Summary: "Describe the jobs API for programs (OpenAPI 3.1)"},
		auth.Route{Section: section, Method: http.MethodGet, Path: "/docs", Summary: "Describe the jobs API for people"},
		auth.Route{Section: section, Method: http.MethodGet, Path: "/docs/style.css", Summary: "Style that page"})
}

// option adds to an operation's documentation.
type option func(a *API, op *huma.Operation)

// route registers an operation. role is whom it demands; auth.Nobody leaves it
// open, with the caller recognised all the same.
func route[I, O any](a *API, role auth.Role, op huma.Operation, handler func(context.Context, *I) (*O, error), options ...option) {
	op.Responses = make(map[string]*huma.Response)
	op.BodyReadTimeout = -1 // see the package comment
	op.MaxBodyBytes = maxBody + 1
	op.Middlewares = huma.Middlewares{a.checkAddress, a.demand(role)}
	if op.Method != http.MethodGet {
		op.Middlewares = append(op.Middlewares, a.readBody)
	}
	op.Extensions = map[string]any{"x-role": roleName(role)}
	if role != auth.Nobody {
		op.Security = []map[string][]string{{"bearer": {}}}
		options = append(options, fails(401, 403))
	}
	for _, o := range append(options, fails(429, 500)) {
		o(a, &op)
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			return nil, a.problemOf(ctx, err)
		}
		return out, nil
	})
}

func roleName(role auth.Role) string {
	if role == auth.Nobody {
		return "public"
	}
	return role.String()
}

// demand recognises the caller and refuses one whose role is too small.
func (a *API) demand(role auth.Role) func(huma.Context, func(huma.Context)) {
	recognise, require := a.Auth.Middleware(a.WriteError), auth.Require(role, a.WriteError)
	if role == auth.Nobody {
		recognise, require = a.Auth.Optional(a.WriteError), func(h http.Handler) http.Handler { return h }
	}
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		recognise(require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			next(huma.WithContext(ctx, r.Context()))
		}))).ServeHTTP(w, r)
	}
}

// answers documents further statuses with the same kind of body.
func answers[T any](statuses ...int) option {
	return func(a *API, op *huma.Operation) {
		schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
		for _, status := range statuses {
			op.Responses[strconv.Itoa(status)] = &huma.Response{
				Description: http.StatusText(status),
				Content:     map[string]*huma.MediaType{"application/json": {Schema: schema}},
			}
		}
	}
}

func empty(status int, description string) option {
	return func(_ *API, op *huma.Operation) {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Description: description}
	}
}

func eventStream(_ *API, op *huma.Operation) {
	op.Responses["200"] = &huma.Response{
		Description: "Events until the job ends",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}
}

func fails(statuses ...int) option {
	return func(a *API, op *huma.Operation) {
		schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")
		for _, status := range statuses {
			op.Responses[strconv.Itoa(status)] = &huma.Response{
				Description: title(status),
				Content:     map[string]*huma.MediaType{problemType: {Schema: schema}},
			}
		}
	}
}

// routes builds the handler: the operations, the documentation, and Problems
// for what is neither.
func (a *API) routes() http.Handler {
	mux := http.NewServeMux()
	a.huma = humago.New(mux, a.humaConfig())
	a.register()
	// huma puts its own error type into every description; ours replaces it.
	delete(a.huma.OpenAPI().Components.Schemas.Map(), "ErrorModel")
	delete(a.huma.OpenAPI().Components.Schemas.Map(), "ErrorDetail")
	a.documentation(mux)
	for path, allowed := range a.methods() {
		// Less specific than the operations: reached by every other method.
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allowed)
			a.WriteError(w, r, newProblem(http.StatusMethodNotAllowed, "method_not_allowed", "%s is not possible here; possible are %s", r.Method, allowed))
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.WriteError(w, r, editorial.NotFoundf("there is nothing at this path; /docs lists what there is"))
	})
	return mux
}

// methods lists the methods of each path, as an Allow header wants them.
func (a *API) methods() map[string]string {
	allowed := make(map[string]string)
	for path, item := range a.huma.OpenAPI().Paths {
		ops := operationsOf(item)
		names := slices.Sorted(maps.Keys(ops))
		if ops[http.MethodGet] != nil {
			names = append(names, http.MethodHead)
		}
		allowed[path] = strings.Join(names, ", ")
	}
	return allowed
}

func (a *API) humaConfig() huma.Config {
	c := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "Frontispiece", Version: a.Version, Description: about},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{"bearer": {
					Type: "http", Scheme: "bearer", BearerFormat: "JWT",
					Description: "The site's access token, or an API key (fp_…). A browser that is logged in to the desk needs neither, nor does this machine on loopback without authentication.",
				}},
			},
			Tags: []*huma.Tag{
				{Name: tagJobs, Description: "Pictures being made"},
				{Name: tagDrafts, Description: "Content that waits for a decision"},
				{Name: tagPosts, Description: "What was published"},
				{Name: tagHooks, Description: "Who is told of events"},
				{Name: tagAbout, Description: "This installation"},
			},
		},
		// huma looks application/problem+json up as "json".
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{asProblem},
	}
	return c
}
