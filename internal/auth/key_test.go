package auth

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// rows are keys and sessions in memory.
type rows struct {
	mu       sync.Mutex
	keys     map[string]Key
	sessions map[string]Session // by token
	before   map[string]string  // token before -> present one
	asked    int                // for keys
	touched  []string
	err      error
}

func newRows() *rows {
	return &rows{keys: map[string]Key{}, sessions: map[string]Session{}, before: map[string]string{}}
}

func (r *rows) Key(_ context.Context, id string) (Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if r.err != nil {
		return Key{}, r.err
	}
	k, ok := r.keys[id]
	if !ok {
		return Key{}, ErrUnknown
	}
	return k, nil
}

func (r *rows) TouchKey(_ context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.touched = append(r.touched, id)
	return nil
}

// add makes a key, changed by change, and returns what its owner has.
func (r *rows) add(name string, role Role, change ...func(*Key)) (id, secret string) {
	k, secret := NewKey(name, role, time.Time{})
	for _, c := range change {
		c(&k)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys[k.ID] = k
	return k.ID, secret
}

// keysOn is Keys at a time that the test moves.
func keysOn(t *testing.T, r *rows) (*Keys, *time.Time) {
	t.Helper()
	k := NewKeys(r, slog.New(slog.DiscardHandler))
	at := now
	k.now = func() time.Time { return at }
	t.Cleanup(func() { k.Close() })
	return k, &at
}

func TestAKeyIsRecognised(t *testing.T) {
	t.Parallel()
	r := newRows()
	k, _ := keysOn(t, r)
	id, secret := r.add("front end", Editor)
	if form := regexp.MustCompile(`^fp_[a-z2-7]{12}_[a-z2-7]{52}$`); !form.MatchString(secret) {
		t.Errorf("%q has not the form of a key", secret)
	}
	got, err := ask(k.Method(), "Bearer "+secret)
	if err != nil || *got != (Identity{"key:" + id, "front end", Editor, "key"}) {
		t.Fatalf("Method() = %+v, %v", got, err)
	}
	for _, key := range r.keys {
		if strings.Contains(key.SHA256, strings.Split(secret, "_")[2][:8]) || len(key.SHA256) != 64 {
			t.Errorf("the row holds %q", key.SHA256)
		}
	}
}

func TestTwoKeysHaveNothingInCommon(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 100 {
		k, secret := NewKey("x", Author, time.Time{})
		for _, part := range []string{k.ID, secret, k.SHA256} {
			if seen[part] {
				t.Fatalf("%q came twice", part)
			}
			seen[part] = true
		}
	}
}

func TestKeysRefuse(t *testing.T) {
	t.Parallel()
	r := newRows()
	k, _ := keysOn(t, r)
	_, good := r.add("good", Operator)
	_, revoked := r.add("revoked", Operator, func(k *Key) { k.RevokedAt = now.Add(-time.Hour) })
	_, expired := r.add("expired", Operator, func(k *Key) { k.ExpiresAt = now })
	_, stranger := NewKey("of another installation", Operator, time.Time{})
	id, secret := good[:len("fp_")+12], good[len("fp_")+13:]
	tests := []struct{ name, token, code string }{
		{"a revoked one", revoked, "key_revoked"},
		{"an expired one", expired, "key_expired"},
		{"a stranger's", stranger, "invalid_key"},
		{"the secret of another key", id + "_" + stranger[len("fp_")+13:], "invalid_key"},
		{"a revoked one with a wrong secret is not told that it was revoked", revoked[:len("fp_")+12] + "_" + secret, "invalid_key"},
		{"one letter changed", good[:len(good)-1] + other(good[len(good)-1:]), "invalid_key"},
		{"upper case", "fp_" + strings.ToUpper(good[3:]), "invalid_key"},
		{"cut short", good[:len(good)-1], "invalid_key"},
		{"too long", good + "a", "invalid_key"},
		{"the id alone", id, "invalid_key"},
		{"no secret", id + "_", "invalid_key"},
		{"the digest instead of the key", id + "_" + r.keys[good[3:15]].SHA256[:52], "invalid_key"},
		{"the prefix alone", "fp_", "invalid_key"},
		{"SQL for an id", "fp_' OR 1=1 -_" + secret, "invalid_key"},
	}
	for _, tt := range tests {
		id, err := ask(k.Method(), "Bearer "+tt.token)
		var e *editorial.Error
		if id != nil || !errors.As(err, &e) || e.Kind != editorial.Unauthorized || e.Code != tt.code {
			t.Errorf("%s: %+v, %v, want Unauthorized %s", tt.name, id, err, tt.code)
		} else if strings.Contains(e.Message, secret[:8]) {
			t.Errorf("%s: the message tells the secret: %s", tt.name, e.Message)
		}
	}
	if id, err := ask(k.Method(), "Bearer a.b.c"); id != nil || err != nil {
		t.Errorf("a token that is no key: %+v, %v, want the next method to be asked", id, err)
	}
}

func other(letter string) string {
	if letter == "a" {
		return "b"
	}
	return "a"
}

// What never reaches the database: whatever has not the form of a key.
func TestWhatIsNoKeyAsksNobody(t *testing.T) {
	t.Parallel()
	r := newRows()
	k, _ := keysOn(t, r)
	for _, token := range []string{"fp_", "fp_x_y", "fp_" + strings.Repeat("a", 9999)} {
		if _, err := ask(k.Method(), "Bearer "+token); err == nil {
			t.Errorf("%.20q was let in", token)
		}
	}
	if r.asked != 0 {
		t.Errorf("%d queries", r.asked)
	}
}

func TestADatabaseThatIsAwayIsNoRefusal(t *testing.T) {
	t.Parallel()
	r := newRows()
	k, _ := keysOn(t, r)
	_, secret := r.add("x", Author)
	r.err = errors.New("away")
	id, err := ask(k.Method(), "Bearer "+secret)
	var e *editorial.Error
	if id != nil || err == nil || errors.As(err, &e) {
		t.Errorf("Method() = %+v, %v, want the database's own error", id, err)
	}
}

func TestARevokedKeyOpensForTwoSecondsMore(t *testing.T) {
	t.Parallel()
	r := newRows()
	k, at := keysOn(t, r)
	id, secret := r.add("x", Author)
	try := func() error { _, err := ask(k.Method(), "Bearer "+secret); return err }
	if err := try(); err != nil {
		t.Fatal(err)
	}
	key := r.keys[id]
	key.RevokedAt = now
	r.keys[id] = key
	*at = now.Add(KeyFreshness - time.Millisecond)
	if err := try(); err != nil || r.asked != 1 {
		t.Errorf("just before: %v after %d queries, want one query", err, r.asked)
	}
	*at = now.Add(KeyFreshness)
	if err := try(); !isCode(err, "key_revoked") {
		t.Errorf("afterwards: %v", err)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	t.Parallel()
	r := newRows()
	k, _ := keysOn(t, r)
	for range maxRecent + 10 {
		_, secret := r.add("x", Author)
		if _, err := ask(k.Method(), "Bearer "+secret); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(k.recent); n > maxRecent {
		t.Errorf("%d rows are remembered", n)
	}
}

func TestUsesAreRecordedOnceAMinute(t *testing.T) {
	t.Parallel()
	r := newRows()
	k, at := keysOn(t, r)
	_, secret := r.add("x", Author)
	for range 3 {
		for range 5 {
			if _, err := ask(k.Method(), "Bearer "+secret); err != nil {
				t.Fatal(err)
			}
		}
		k.touches.wait()
		*at = at.Add(touchEvery)
	}
	if len(r.touched) != 3 {
		t.Errorf("%d writes in three minutes", len(r.touched))
	}
}

// A database that does not take the write holds up nobody.
func TestRecordingAUseHoldsUpNoRequest(t *testing.T) {
	t.Parallel()
	touches := newTouches(slog.New(slog.DiscardHandler))
	stuck := make(chan struct{})
	for n := range maxTouches + 5 {
		touches.touch(t.Context(), string(rune('a'+n)), now, func(context.Context, string) error { <-stuck; return errors.New("slow") })
	}
	if touches.writing != maxTouches {
		t.Errorf("%d writes at once", touches.writing)
	}
	close(stuck)
	touches.wait()
}

// Digests are compared in constant time, and nowhere with == or bytes.Equal.
// Clocks cannot show that on a machine with other work, so the source does:
// every look at a kept digest is in the one call of subtle.ConstantTimeCompare.
func TestDigestsAreComparedInConstantTime(t *testing.T) {
	t.Parallel()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "key.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	compared, loose := 0, 0
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "ConstantTimeCompare" {
				for _, arg := range n.Args {
					ast.Inspect(arg, func(n ast.Node) bool {
						if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "SHA256" {
							compared++
						}
						return true
					})
				}
				return false
			}
		case *ast.SelectorExpr:
			if n.Sel.Name == "SHA256" {
				loose++
			}
		}
		return true
	})
	if compared != 1 || loose != 0 {
		t.Errorf("a key's digest is looked at %d times in ConstantTimeCompare and %d times elsewhere, want 1 and 0", compared, loose)
	}
}

// An id that nobody has takes the same steps as a wrong secret: the comparison
// is reached, with a digest that no key has.
func TestAnUnknownKeyIsComparedToo(t *testing.T) {
	t.Parallel()
	if k, secret := NewKey("x", Author, time.Time{}); digest(secret) == never || k.SHA256 != digest(secret) {
		t.Error("the digest of no key is a key's")
	}
	r := newRows()
	k, _ := keysOn(t, r)
	_, stranger := NewKey("x", Operator, time.Time{})
	_, wrong := r.add("known", Operator)
	wrong = wrong[:len(wrong)-1] + other(wrong[len(wrong)-1:])
	_, unknownErr := k.verify(t.Context(), stranger)
	_, wrongErr := k.verify(t.Context(), wrong)
	if unknownErr == nil || wrongErr == nil || unknownErr.Error() != wrongErr.Error() {
		t.Errorf("an unknown key answers %q, a wrong secret %q: the difference tells which ids exist", unknownErr, wrongErr)
	}
}

func TestAUserOfTheSiteIsNoKey(t *testing.T) {
	t.Parallel()
	id, err := ask(newJWT(), "Bearer "+hs256(t, claims(map[string]any{"user_id": "key:abcdefghijkl"})))
	if id != nil || !isCode(err, "invalid_claims") {
		t.Errorf("a token for the user id of a key: %+v, %v", id, err)
	}
}

func FuzzKeys(f *testing.F) {
	f.Add("fp_abcdefghijkl_" + strings.Repeat("a", 52))
	f.Add("fp__")
	f.Add("fp_\x00")
	f.Fuzz(func(t *testing.T, token string) {
		r := newRows()
		k := NewKeys(r, slog.New(slog.DiscardHandler))
		r.add("x", Operator)
		id, err := k.verify(t.Context(), token)
		var e *editorial.Error
		if id != nil || !errors.As(err, &e) || e.Kind != editorial.Unauthorized {
			t.Fatalf("%q, made without the key, is %+v, %v", token, id, err)
		}
	})
}
