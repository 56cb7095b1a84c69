package auth

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// writeKind is an ErrorFunc that answers with the error's kind and code.
func writeKind(w http.ResponseWriter, _ *http.Request, err error) {
	var e *editorial.Error
	if !errors.As(err, &e) {
		http.Error(w, "internal: "+err.Error(), http.StatusInternalServerError)
		return
	}
	status := map[editorial.Kind]int{editorial.Unauthorized: 401, editorial.Forbidden: 403}[e.Kind]
	w.Header().Set("X-Code", e.Code)
	http.Error(w, e.Message, status)
}

func as(role Role) Method {
	return func(*http.Request) (*Identity, error) {
		return &Identity{Subject: "7", Role: role, Via: "test"}, nil
	}
}

func passes(*http.Request) (*Identity, error) { return nil, nil }

func refuses(*http.Request) (*Identity, error) {
	return nil, unauthorized("invalid_token", invalidToken)
}

func TestRolesIncludeWhatStandsBelow(t *testing.T) {
	t.Parallel()
	roles := []Role{Role(-1), Nobody, Author, Editor, Operator, Operator + 1}
	want := map[Role][]Role{
		Author:   {Author},
		Editor:   {Author, Editor},
		Operator: {Author, Editor, Operator},
	}
	for _, have := range roles {
		var got []Role
		for _, need := range roles {
			if have.Includes(need) {
				got = append(got, need)
			}
		}
		if diff := cmp.Diff(want[have], got); diff != "" {
			t.Errorf("%v includes (-want +got):\n%s", have, diff)
		}
	}
	var nobody *Identity
	if nobody.May(Author) {
		t.Error("a caller who is not known may act as an author")
	}
}

func TestMiddlewareDeniesByDefault(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		chain      Authenticator
		optional   bool
		need       Role
		wantStatus int
		wantCode   string
	}{
		{"no method at all", nil, false, Author, 401, "missing_credentials"},
		{"nobody recognises the caller", Authenticator{passes, passes}, false, Author, 401, "missing_credentials"},
		{"the second method does", Authenticator{passes, as(Author)}, false, Author, 204, ""},
		{"bad credentials do not fall through", Authenticator{refuses, as(Operator)}, false, Author, 401, "invalid_token"},
		{"an author is no editor", Authenticator{as(Author)}, false, Editor, 403, "role_required"},
		{"an editor is no operator", Authenticator{as(Editor)}, false, Operator, 403, "role_required"},
		{"an operator is everything", Authenticator{as(Operator)}, false, Author, 204, ""},
		{"an identity without a role is nothing", Authenticator{as(Nobody)}, false, Author, 403, "role_required"},
		{"a demand without a role is nobody's", Authenticator{as(Operator)}, false, Nobody, 403, "role_required"},
		{"optional still needs the role", Authenticator{passes}, true, Author, 401, "missing_credentials"},
		{"optional still refuses bad credentials", Authenticator{refuses}, true, Author, 401, "invalid_token"},
		{"optional keeps the identity", Authenticator{as(Editor)}, true, Editor, 204, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			outer := tt.chain.Middleware(writeKind)
			if tt.optional {
				outer = tt.chain.Optional(writeKind)
			}
			h := outer(Require(tt.need, writeKind)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNoContent)
			})))
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
			if rec.Code != tt.wantStatus || rec.Header().Get("X-Code") != tt.wantCode {
				t.Errorf("answered %d %q, want %d %q", rec.Code, rec.Header().Get("X-Code"), tt.wantStatus, tt.wantCode)
			}
			if got := rec.Header().Get("WWW-Authenticate") != ""; got != (tt.wantStatus == 401) {
				t.Errorf("WWW-Authenticate = %q with status %d", rec.Header().Get("WWW-Authenticate"), rec.Code)
			}
			if tt.wantStatus >= 400 && rec.Header().Get("Cache-Control") != "no-store" {
				t.Error("a refusal may be cached")
			}
		})
	}
}

func TestOptionalLetsStrangersSeePublicPages(t *testing.T) {
	t.Parallel()
	h := Authenticator{passes}.Optional(writeKind)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if id := FromContext(r.Context()); id != nil {
			t.Errorf("a stranger became %+v", id)
		}
	}))
	rec := httptest.NewRecorder()
	if h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil)); rec.Code != http.StatusOK {
		t.Errorf("answered %d", rec.Code)
	}
}

func TestCheckSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	ctx := NewContext(context.Background(), &Identity{Subject: "u-7", Role: Author})
	err := Check(ctx, Operator)
	want := "this needs the role operator and you are an author; an operator can list your user id (u-7) in OPERATORS"
	if err == nil || err.Error() != want {
		t.Errorf("Check() = %v, want %s", err, want)
	}
}
