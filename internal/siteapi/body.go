package siteapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// maxBody bounds a request's body: an article of 150,000 words.
const maxBody = 1 << 20

// decode reads a JSON body into a struct. Unknown members are ignored, as the
// site does; a null leaves the member's default.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	if err := wantJSON(r); err != nil {
		return err
	}
	raw, err := readBody(w, r)
	if err != nil {
		return err
	}
	return unmarshal(raw, into)
}

// decodeOptional is decode for routes whose body may be missing.
func decodeOptional(w http.ResponseWriter, r *http.Request, into any) error {
	raw, err := readBody(w, r)
	if err != nil || len(bytes.TrimSpace(raw)) == 0 {
		return err
	}
	if err := wantJSON(r); err != nil {
		return err
	}
	return unmarshal(raw, into)
}

func wantJSON(r *http.Request) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json")) {
		return nil
	}
	return editorial.Invalidf("Content-Type", "must be application/json")
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, &editorial.Error{Kind: tooLarge, Code: "body_too_large", Field: "body", Message: "must be at most 1 MB"}
	case err != nil:
		return nil, editorial.Invalidf("body", "could not be read to its end")
	}
	return raw, nil
}

func unmarshal(raw []byte, into any) error {
	err := json.Unmarshal(raw, into)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return editorial.Invalidf("body", "must be valid JSON: %s at byte %d", syntax.Error(), syntax.Offset)
	}
	// Before the types: what follows a broken byte is not worth a reason.
	if err := refuseBrokenText(raw); err != nil {
		return err
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return wrongType(wrong)
	}
	if err != nil {
		return editorial.Invalidf("body", "must be a JSON object with members of the right types")
	}
	return nil
}

// wrongType names the member and not the place in its list, which only some
// versions of encoding/json know.
func wrongType(e *json.UnmarshalTypeError) error {
	path := slices.DeleteFunc(strings.Split(e.Field, "."), func(s string) bool { _, err := strconv.Atoi(s); return err == nil })
	return editorial.Invalidf(firstOf(strings.Join(path, "."), "body"), "must be %s, got %s", kindName(e.Type), e.Value)
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	default:
		return "an object"
	}
}

// refuseBrokenText names the first member, in alphabetical order, that holds
// bytes which are no UTF-8, or a NUL: encoding/json would replace the first
// without a word and PostgreSQL refuses the second with a worse message.
func refuseBrokenText(raw []byte) error {
	valid := utf8.Valid(raw)
	if valid && !bytes.Contains(raw, []byte(`\u0000`)) {
		return nil
	}
	var members map[string]json.RawMessage
	_ = json.Unmarshal(raw, &members) // what is no object has no members to name
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !utf8.Valid(members[name]) {
			return editorial.Invalidf(firstOf(name, "body"), "must be valid UTF-8")
		}
		var v any
		if json.Unmarshal(members[name], &v) == nil && hasNUL(v) {
			return editorial.Invalidf(firstOf(name, "body"), "must not contain NUL characters")
		}
		if strings.ContainsRune(name, 0) {
			return editorial.Invalidf("body", "must not contain NUL characters in a member's name")
		}
	}
	if !valid {
		return editorial.Invalidf("body", "must be valid UTF-8")
	}
	return nil
}

func hasNUL(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.ContainsRune(v, 0)
	case []any:
		return slices.ContainsFunc(v, hasNUL)
	case map[string]any:
		for name, member := range v {
			if strings.ContainsRune(name, 0) || hasNUL(member) {
				return true
			}
		}
	}
	return false
}
