package v1

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// cursor is where a page ended. Clients see it sealed.
type cursor struct {
	Before time.Time `json:"t,omitzero"`
	ID     string    `json:"i,omitempty"`
	Offset int       `json:"o,omitempty"`
}

const macSize = 16

// sealCursor makes a cursor opaque. scope names the list and its filters: a
// cursor of one list means nothing in another.
func (a *API) sealCursor(scope string, c cursor) string {
	body, err := json.Marshal(c)
	if err != nil {
		panic(err) // unreachable: a time of ours, a string and a number
	}
	return base64.RawURLEncoding.EncodeToString(append(a.mac(scope, body), body...))
}

// openCursor is the inverse of sealCursor; no cursor is the first page.
func (a *API) openCursor(scope, sealed string) (cursor, error) {
	var c cursor
	if sealed == "" {
		return c, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || len(b) < macSize || !hmac.Equal(b[:macSize], a.mac(scope, b[macSize:])) || json.Unmarshal(b[macSize:], &c) != nil {
		return cursor{}, editorial.Invalidf("cursor", "is not one of this list with these filters; begin again without a cursor")
	}
	return c, nil
}

func (a *API) mac(scope string, body []byte) []byte {
	h := hmac.New(sha256.New, a.CursorKey)
	h.Write([]byte(scope))
	h.Write([]byte{0})
	h.Write(body)
	return h.Sum(nil)[:macSize]
}
