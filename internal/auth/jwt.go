package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxToken bounds what is parsed for an unknown caller; the site's tokens have
// about 500 bytes.
const maxToken = 8 << 10

// JWTConfig is what [JWT] needs.
type JWTConfig struct {
	Secret    string           // the site's, shared; must not be empty
	Editors   []string         // user ids
	Operators []string         // user ids
	Now       func() time.Time // if nil, time.Now
}

// JWT is the method for the site's own access tokens: HS256 and nothing else,
// type "access", a user_id, not expired. A user is an author, and more only
// when listed: the site's backend mints a valid token for anybody, so a token
// alone proves little.
//
// A request without an Authorization header passes to the next method, and so
// does another scheme than Bearer.
func JWT(cfg JWTConfig) Method {
	site := newSiteTokens(cfg)
	return func(r *http.Request) (*Identity, error) {
		token, err := bearer(r.Header)
		if token == "" || err != nil {
			return nil, err
		}
		return site.verify(token)
	}
}

// siteTokens verifies the site's tokens.
type siteTokens struct {
	JWTConfig
	parser *jwt.Parser
}

func newSiteTokens(cfg JWTConfig) *siteTokens {
	if cfg.Secret == "" {
		panic("auth: JWT with an empty secret would accept anybody's token")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &siteTokens{cfg, jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(cfg.Now),
		// The site counts in whole seconds and its clock is another machine's.
		jwt.WithLeeway(5*time.Second),
		jwt.WithStrictDecoding(),
	)}
}

func (t *siteTokens) verify(token string) (*Identity, error) {
	var claims siteClaims
	key := func(*jwt.Token) (any, error) { return []byte(t.Secret), nil }
	if _, err := t.parser.ParseWithClaims(token, &claims, key); err != nil {
		return nil, refusedToken(err)
	}
	return t.identity(claims), nil
}

// issuer tells the site's secrets apart without telling them: a session that a
// token opened ends when the secret is changed.
func (t *siteTokens) issuer() string {
	mac := hmac.New(sha256.New, []byte(t.Secret))
	mac.Write([]byte("frontispiece session issuer"))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// refusedToken picks the site's words. An expired token is said to be expired
// whatever else is wrong with it, because the front end then logs in anew.
func refusedToken(err error) error {
	claims := errors.Is(err, errClaims) || errors.Is(err, jwt.ErrTokenRequiredClaimMissing)
	if claims && !errors.Is(err, jwt.ErrTokenExpired) {
		return unauthorized("invalid_claims", invalidClaims)
	}
	return unauthorized("invalid_token", invalidToken)
}

// bearer returns the token, "" when there is none for us. A site whose visitor
// is not logged in sends the words "Bearer null".
func bearer(h http.Header) (string, error) {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(strings.TrimSpace(values[0]), " ")
	if len(values) == 1 && scheme != "" && !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	token = strings.TrimSpace(token)
	switch {
	case len(values) > 1 || token == "" || token == "null" || token == "undefined":
		return "", unauthorized("invalid_header", missingHeader)
	case len(token) > maxToken:
		return "", unauthorized("invalid_token", invalidToken)
	}
	return token, nil
}

// siteClaims are the claims that the site's backend writes.
type siteClaims struct {
	jwt.RegisteredClaims
	Type     string `json:"type"`
	UserID   userID `json:"user_id"`
	Username string `json:"username"`
	Name     string `json:"name"`
	Email    string `json:"email"`
}

var errClaims = errors.New("claims of another kind of token")

// Validate runs after the signature and the times were found good.
func (c siteClaims) Validate() error {
	if c.Type != "access" || c.UserID == "" || strings.HasPrefix(string(c.UserID), keySubject) {
		return errClaims
	}
	return nil
}

// userID is a string or a whole number, depending on the site's version.
type userID string

func (u *userID) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case string:
		*u = userID(strings.TrimSpace(v))
	case float64:
		// Above 2^53 two ids could become the same one.
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return errClaims
		}
		*u = userID(strconv.FormatInt(int64(v), 10))
	case nil:
	default:
		return errClaims
	}
	return nil
}

func (cfg JWTConfig) identity(c siteClaims) *Identity {
	id := &Identity{Subject: string(c.UserID), Via: "jwt"}
	for _, name := range []string{c.Name, c.Username, c.Email} {
		if id.Name == "" {
			id.Name = name
		}
	}
	id.Role = cfg.roleOf(id.Subject)
	return id
}

// roleOf is what the lists make of a user.
func (cfg JWTConfig) roleOf(subject string) Role {
	switch {
	case slices.Contains(cfg.Operators, subject):
		return Operator
	case slices.Contains(cfg.Editors, subject):
		return Editor
	default:
		return Author
	}
}
