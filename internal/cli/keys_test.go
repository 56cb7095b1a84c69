package cli_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/store"
)

var keyForm = regexp.MustCompile(`fp_([a-z2-7]{12})_[a-z2-7]{52}`)

func TestKeysAreShownOnce(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	says(t, s.mustType("keys list"), "No API keys", "frontispiece keys create")
	out := s.mustType("keys create --role editor --name front-end --expires 90d")
	found := keyForm.FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("there is no key in:\n%s", out)
	}
	says(t, out, "front-end", "editor", "expires 20", "only time", "Authorization: Bearer", auth.LoginPath, "start the API again")
	if n := strings.Count(out, found[0]); n != 1 {
		t.Errorf("the key stands there %d times:\n%s", n, out)
	}
	list := s.mustType("keys list")
	says(t, list, "KEY", found[1], "front-end", "editor", "active, ends in 8", "never", "operator ")
	if keyForm.MatchString(list) || strings.Contains(list, strings.Split(found[0], "_")[2]) {
		t.Errorf("the list shows the secret:\n%s", list)
	}
	if again := s.mustType("keys create --role author --name another"); strings.Contains(again, "start the API again") {
		t.Errorf("the second key is said to be the first:\n%s", again)
	}
	kept, err := s.store.APIKey(t.Context(), found[1])
	if err != nil || kept.Role != "editor" || len(kept.SHA256) != 64 || kept.ExpiresAt.Before(time.Now().Add(89*24*time.Hour)) {
		t.Errorf("kept: %+v, %v", kept, err)
	}
}

func TestKeysForMachines(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	var made struct {
		ID, Key, Name, Role string
		ExpiresAt           *time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal([]byte(s.mustType("keys create --role operator --name ci --json")), &made); err != nil {
		t.Fatal(err)
	}
	if found := keyForm.FindStringSubmatch(made.Key); found == nil || found[1] != made.ID || made.Name != "ci" || made.Role != "operator" || made.ExpiresAt != nil {
		t.Errorf("made %+v", made)
	}
	var list []map[string]any
	if err := json.Unmarshal([]byte(s.mustType("keys list --json")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0]["state"] != "active" || list[0]["id"] != made.ID || list[0]["last_used_at"] != nil || list[0]["expires_at"] != nil {
		t.Errorf("listed %v", list)
	}
	if _, told := list[0]["sha256"]; told {
		t.Error("the list tells digests")
	}
}

func TestKeysRevoke(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	key := keyForm.FindStringSubmatch(s.mustType("keys create --role editor --name x"))
	terms := store.SessionTerms{Idle: time.Hour, Lifetime: time.Hour, Grace: time.Minute}
	for _, n := range []store.Session{{Token: "of the key", Subject: "key:" + key[1], KeyID: key[1]}, {Token: "of a user", Subject: "7"}} {
		if err := s.store.InsertSession(t.Context(), n, terms); err != nil {
			t.Fatal(err)
		}
	}
	says(t, s.mustType("keys revoke --plan "+key[1]+" --user 7"), key[1]+"  x, editor  would be revoked", "7  1 session would be ended", "Nothing was changed")
	says(t, s.mustType("keys revoke --plan --json "+key[1]+" --user 7"), `"result": "would_be_revoked"`, `"sessions": 1`)
	says(t, s.mustType("keys list"), "active")
	// Whoever found a key in a log has the whole of it at hand.
	out := s.mustType("keys revoke " + key[0] + " --user 7")
	says(t, out, key[1]+"  x, editor  revoked", "sessions are over", "7  1 session ended")
	if strings.Contains(out, key[0]) {
		t.Errorf("the key is repeated:\n%s", out)
	}
	for _, token := range []string{"of the key", "of a user"} {
		if _, err := s.store.Session(t.Context(), token, terms); err == nil {
			t.Errorf("the session %s goes on", token)
		}
	}
	says(t, s.mustType("keys revoke "+key[1]), "was revoked before")
	says(t, s.mustType("keys revoke --json "+key[1]), `"result": "was_revoked_before"`, `"users": []`)
	says(t, s.mustType("keys list"), "revoked")
	if a := s.types("keys revoke nobodyskey23 --json"); a.code != 1 || !strings.Contains(a.out, `"result": "unknown"`) {
		t.Errorf("one that is not there, for programs: exit %d\n%s%s", a.code, a.out, a.errors)
	}
	if a := s.types("keys revoke nobodyskey23"); a.code != 1 || !strings.Contains(a.out, "no such key") {
		t.Errorf("one that is not there: exit %d\n%s%s", a.code, a.out, a.errors)
	}
}

func TestKeysRefuse(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	for line, want := range map[string]string{
		"keys create --name x":                                        "--role",
		"keys create --role admin --name x":                           "author",
		"keys create --role editor":                                   "--name",
		"keys create --role editor --name " + strings.Repeat("n", 61): "60",
		"keys create --role editor --name x\x1b[2J":                   "printable",
		"keys create --role editor --name x --expires soon":           "2027-01-31",
		"keys create --role editor --name x --expires 0d":             "passed",
		"keys create --role editor --name x --expires=-1h":            "passed",
		"keys create --role editor --name x --expires 2020-01-01":     "passed",
		"keys create --role editor --name x --expires 9999999d":       "2027-01-31",
		"keys revoke": "name the keys",
	} {
		if a := s.types(line); a.code == 0 || !strings.Contains(a.errors, want) {
			t.Errorf("frontispiece %q: exit %d, want it to say %q:\n%s%s", line, a.code, want, a.out, a.errors)
		}
	}
	if out := s.mustType("keys list"); !strings.Contains(out, "No API keys") {
		t.Errorf("a refused one was made:\n%s", out)
	}
	if a := newSite(t).types("keys list"); a.code != 1 || !strings.Contains(a.errors, "frontispiece migrate") {
		t.Errorf("without a database: exit %d\n%s", a.code, a.errors)
	}
}
