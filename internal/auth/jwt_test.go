package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

const secret = "0123456789abcdef0123456789abcdef"

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newJWT() Method {
	return JWT(JWTConfig{
		Secret: secret, Editors: []string{"8", "9"}, Operators: []string{"9"},
		Now: func() time.Time { return now },
	})
}

// claims are the site's, changed as wanted; a nil value removes a claim.
func claims(change jwt.MapClaims) jwt.MapClaims {
	c := jwt.MapClaims{
		"type": "access", "user_id": "7", "sub": "7", "email": "a@b.c", "username": "ada", "name": "Ada",
		"auth_provider": "github", "iat": now.Unix(), "exp": now.Add(15 * time.Minute).Unix(),
	}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func sign(t *testing.T, method jwt.SigningMethod, key any, c jwt.MapClaims) string {
	t.Helper()
	token, err := jwt.NewWithClaims(method, c).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func hs256(t *testing.T, c jwt.MapClaims) string {
	t.Helper()
	return sign(t, jwt.SigningMethodHS256, []byte(secret), c)
}

func ask(method Method, authorization ...string) (*Identity, error) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if len(authorization) > 0 {
		r.Header["Authorization"] = authorization
	}
	return method(r)
}

func TestJWTRecognisesTheSitesUsers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change jwt.MapClaims
		want   Identity
	}{
		{"an author by default", nil, Identity{"7", "Ada", Author, "jwt"}},
		{"an editor when listed", jwt.MapClaims{"user_id": "8"}, Identity{"8", "Ada", Editor, "jwt"}},
		{"the greater role of two lists", jwt.MapClaims{"user_id": "9"}, Identity{"9", "Ada", Operator, "jwt"}},
		{"a number for an id", jwt.MapClaims{"user_id": 8}, Identity{"8", "Ada", Editor, "jwt"}},
		{"no name", jwt.MapClaims{"name": nil}, Identity{"7", "ada", Author, "jwt"}},
		{"no name and no username", jwt.MapClaims{"name": "", "username": nil}, Identity{"7", "a@b.c", Author, "jwt"}},
		{"no issue time", jwt.MapClaims{"iat": nil}, Identity{"7", "Ada", Author, "jwt"}},
		{"a role claimed is not a role given", jwt.MapClaims{"role": "operator", "roles": []string{"editor"}}, Identity{"7", "Ada", Author, "jwt"}},
		{"a subject listed is not the user", jwt.MapClaims{"sub": "9"}, Identity{"7", "Ada", Author, "jwt"}},
		{"a clock a little ahead", jwt.MapClaims{"nbf": now.Add(3 * time.Second).Unix()}, Identity{"7", "Ada", Author, "jwt"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			id, err := ask(newJWT(), "Bearer "+hs256(t, claims(tt.change)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, id); diff != "" {
				t.Errorf("identity (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJWTRefuses(t *testing.T) {
	t.Parallel()
	_, foreign, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := hs256(t, claims(nil))
	head, rest, _ := strings.Cut(good, ".")
	body, signature, _ := strings.Cut(rest, ".")
	encode := base64.RawURLEncoding.EncodeToString
	with := func(c jwt.MapClaims) string { return hs256(t, claims(c)) }
	tests := []struct{ name, token, want string }{
		{"alg none", sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims(nil)), invalidToken},
		{"alg none in the header of a signed token", encode([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + rest, invalidToken},
		{"no signature", head + "." + body + ".", invalidToken},
		{"HS512 with the right key", sign(t, jwt.SigningMethodHS512, []byte(secret), claims(nil)), invalidToken},
		{"another algorithm's key", sign(t, jwt.SigningMethodEdDSA, foreign, claims(nil)), invalidToken},
		{"a foreign key", sign(t, jwt.SigningMethodHS256, []byte(secret+"x"), claims(nil)), invalidToken},
		{"an empty key", sign(t, jwt.SigningMethodHS256, []byte{}, claims(nil)), invalidToken},
		{"claims changed after signing", head + "." + encode([]byte(`{"type":"access","user_id":"9","exp":9999999999}`)) + "." + signature, invalidToken},
		{"the signature cut short", good[:len(good)-2], invalidToken},
		{"a fourth part", good + ".x", invalidToken},
		{"not a token", "abc", invalidToken},
		{"not even text", "a.\x00\xff.c", invalidToken},
		{"far too long", strings.Repeat("a", maxToken+1), invalidToken},
		{"expired", with(jwt.MapClaims{"exp": now.Add(-time.Minute).Unix()}), invalidToken},
		{"expired and of another type", with(jwt.MapClaims{"exp": now.Add(-time.Minute).Unix(), "type": "refresh"}), invalidToken},
		{"not yet valid", with(jwt.MapClaims{"nbf": now.Add(time.Minute).Unix()}), invalidToken},
		{"expiry in words", with(jwt.MapClaims{"exp": "tomorrow"}), invalidToken},
		{"no expiry", with(jwt.MapClaims{"exp": nil}), invalidClaims},
		{"a refresh token", with(jwt.MapClaims{"type": "refresh"}), invalidClaims},
		{"no type", with(jwt.MapClaims{"type": nil}), invalidClaims},
		{"no user", with(jwt.MapClaims{"user_id": nil}), invalidClaims},
		{"an empty user", with(jwt.MapClaims{"user_id": " "}), invalidClaims},
		{"half a user", with(jwt.MapClaims{"user_id": 8.5}), invalidClaims},
		{"a user beyond exact numbers", with(jwt.MapClaims{"user_id": 1e300}), invalidClaims},
		{"a list of users", with(jwt.MapClaims{"user_id": []string{"9"}}), invalidClaims},
		{"the words of a visitor who is not logged in", "null", missingHeader},
		{"the other words of one", "undefined", missingHeader},
		{"nothing", "", missingHeader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			id, err := ask(newJWT(), "Bearer "+tt.token)
			var e *editorial.Error
			if id != nil || !errors.As(err, &e) || e.Kind != editorial.Unauthorized {
				t.Fatalf("JWT() = %+v, %v, want Unauthorized", id, err)
			}
			if e.Message != tt.want {
				t.Errorf("said %q, want %q", e.Message, tt.want)
			}
		})
	}
}

func TestAuthorizationHeader(t *testing.T) {
	t.Parallel()
	good := hs256(t, claims(nil))
	tests := []struct {
		name   string
		values []string
		known  bool
		err    bool
	}{
		{"none: the next method is asked", nil, false, false},
		{"another scheme: the next method is asked", []string{"Basic abc"}, false, false},
		{"any case, spaces around", []string{" bEARER   " + good + " "}, true, false},
		{"two headers", []string{"Bearer " + good, "Bearer " + good}, false, true},
		{"the second hides behind another scheme", []string{"Basic x", "Bearer " + good}, false, true},
		{"the scheme alone", []string{"Bearer"}, false, true},
		{"an empty header", []string{""}, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			id, err := ask(newJWT(), tt.values...)
			if (id != nil) != tt.known || (err != nil) != tt.err {
				t.Errorf("JWT() = %+v, %v", id, err)
			}
		})
	}
}

func TestJWTWithoutASecretIsAProgrammersError(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("an empty secret was accepted")
		}
	}()
	JWT(JWTConfig{})
}

func FuzzJWT(f *testing.F) {
	f.Add("Bearer a.b.c")
	f.Add("Bearer eyJhbGciOiJub25lIn0.eyJ1c2VyX2lkIjoiOSJ9.")
	method := newJWT()
	f.Fuzz(func(t *testing.T, authorization string) {
		id, err := ask(method, authorization)
		if id != nil {
			t.Fatalf("%q, made without the key, is %+v", authorization, id)
		}
		var e *editorial.Error
		if err != nil && (!errors.As(err, &e) || e.Kind != editorial.Unauthorized) {
			t.Fatalf("%q: %v is not an answer to a caller", authorization, err)
		}
	})
}
