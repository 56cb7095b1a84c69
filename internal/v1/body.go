package v1

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 1 << 20

type bodyDigest struct{}

// readBody reads and checks a body before huma does, because huma decodes
// first: invalid UTF-8 would arrive as replacement characters. It leaves the
// SHA-256 of the raw body in the context, for the idempotency key.
func (a *API) readBody(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	body, err := a.rawBody(w, r)
	if needed := ctx.Operation().RequestBody; err == nil && len(body) == 0 && needed != nil && needed.Required {
		p := newProblem(http.StatusBadRequest, "body_missing", "this needs a body: a JSON object, with Content-Type: application/json")
		p.Errors = []FieldError{{Field: "body", Message: "must be a JSON object"}}
		err = p
	}
	if err != nil {
		a.WriteError(w, r, err)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json") // huma compares it letter by letter
	sum := sha256.Sum256(body)
	next(huma.WithValue(ctx, bodyDigest{}, hex.EncodeToString(sum[:])))
}

func (a *API) rawBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	// The deadline stands when the body is refused: net/http still reads what is
	// left of it before it answers. A server that cannot set deadlines has its
	// own, or is a test.
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(a.BodyTimeout))
	if err := checkContentType(r); err != nil {
		return nil, err // unread
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, newProblem(http.StatusRequestEntityTooLarge, "body_too_large", "the body may have at most %d bytes", maxBody)
	case err != nil:
		return nil, newProblem(http.StatusBadRequest, "body_incomplete", "the body did not arrive whole within %s", a.BodyTimeout)
	}
	_ = rc.SetReadDeadline(time.Time{})
	return body, checkJSON(body)
}

func checkContentType(r *http.Request) error {
	if r.ContentLength == 0 {
		return nil
	}
	given := r.Header.Get("Content-Type")
	mediaType, params, err := mime.ParseMediaType(given)
	charset := strings.ToLower(params["charset"])
	if err == nil && mediaType == "application/json" && (charset == "" || charset == "utf-8") {
		return nil
	}
	p := newProblem(http.StatusUnsupportedMediaType, "wrong_content_type", "Content-Type must be application/json in UTF-8, got %.100q", given)
	p.Errors = []FieldError{{Field: "Content-Type", Message: "must be application/json in UTF-8"}}
	return p
}

func checkJSON(body []byte) error {
	if !utf8.Valid(body) {
		field := invalidUTF8In(body)
		p := newProblem(http.StatusUnprocessableEntity, "invalid_utf8", "%s: must be valid UTF-8", field)
		p.Errors = []FieldError{{Field: field, Message: "must be valid UTF-8"}}
		return p
	}
	if len(body) > 0 && !json.Valid(body) {
		var v any
		err := json.Unmarshal(body, &v)
		p := newProblem(http.StatusBadRequest, "bad_json", "the body is not valid JSON: %v", err)
		p.Errors = []FieldError{{Field: "body", Message: "must be valid JSON: " + err.Error()}}
		return p
	}
	return nil
}

// invalidUTF8In names the member that holds the bad bytes, "body" when the
// bytes are elsewhere.
func invalidUTF8In(body []byte) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) == nil {
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if !utf8.Valid(members[name]) {
				return name
			}
		}
	}
	return "body"
}

// checkAddress refuses what no database takes in a path or a query: an id with
// a NUL is the same as no such id, a query with one is a mistake to name.
func (a *API) checkAddress(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	if err := validAddress(r); err != nil {
		a.WriteError(w, r, err)
		return
	}
	if values := r.Header.Values("Prefer"); len(values) > 1 {
		r.Header.Set("Prefer", strings.Join(values, ", ")) // RFC 9110: one list, in any number of lines
	}
	next(ctx)
}

func validAddress(r *http.Request) error {
	if editorial.ValidText("path", r.URL.Path, 0, len(r.URL.Path)) != nil {
		return editorial.NotFoundf("there is no such thing here")
	}
	if r.URL.RawQuery == "" {
		return nil
	}
	query := r.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		for _, value := range query[name] {
			if err := editorial.ValidText(name, value, 0, len(value)); err != nil {
				return err
			}
		}
	}
	return nil
}
