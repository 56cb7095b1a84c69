package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/store"
)

type keysRevokeCmd struct {
	Keys []string `arg:"" optional:"" name:"key" help:"The keys' ids, as the list shows them, or whole keys."`
	User []string `help:"End the browser sessions of users of the site, by their ids." placeholder:"USER-ID"`
	Plan bool     `help:"Say what would be ended, and do nothing."`
	JSON bool     `help:"Print JSON, for programs."`
}

// Help is what --help says below the usage.
func (*keysRevokeCmd) Help() string {
	return `Examples:

    frontispiece keys revoke k3x9f2 --plan
    frontispiece keys revoke --user 42`
}

// Validate is called by kong.
func (c *keysRevokeCmd) Validate() error {
	if len(c.Keys)+len(c.User) == 0 {
		return errors.New("name the keys to revoke, or --user the users whose sessions end")
	}
	return nil
}

// What becomes of a key. The words are the machine's form, too.
const (
	keyRevoked    = "revoked"
	keyWouldBe    = "would_be_revoked"
	keyWasRevoked = "was_revoked_before"
	keyUnknown    = "unknown"
)

// revokedJSON is the machine's form. Names and meanings stay; members may be
// added.
type revokedJSON struct {
	Keys  []revokedKey  `json:"keys"`
	Users []revokedUser `json:"users"`
}

type revokedKey struct {
	ID     string `json:"id"`
	Name   string `json:"name,omitempty"`
	Role   string `json:"role,omitempty"`
	Result string `json:"result"`
}

type revokedUser struct {
	ID       string `json:"id"`
	Sessions int64  `json:"sessions"` // ended, or with --plan those there are
}

// Run revokes keys. What was done before an error stays done.
func (c *keysRevokeCmd) Run(ctx context.Context, s *session) error {
	rows, _, err := s.keyRows(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // what was committed is committed
	out := revokedJSON{Keys: []revokedKey{}, Users: []revokedUser{}}
	err = c.revoke(ctx, rows, &out)
	if c.JSON {
		err = errors.Join(err, printJSON(s.out, out))
	} else {
		c.tell(s, out)
	}
	if err != nil {
		return err
	}
	for _, k := range out.Keys {
		if k.Result == keyUnknown {
			return code(exitFailed)
		}
	}
	return nil
}

func (c *keysRevokeCmd) revoke(ctx context.Context, rows *app.Rows, out *revokedJSON) error {
	for _, text := range c.Keys {
		k, err := c.revokeKey(ctx, rows, idOfKey(text))
		if err != nil {
			return err
		}
		out.Keys = append(out.Keys, k)
	}
	end := rows.EndSessionsOf
	if c.Plan {
		end = rows.SessionsOf
	}
	for _, user := range c.User {
		n, err := end(ctx, user)
		if err != nil {
			return err
		}
		out.Users = append(out.Users, revokedUser{user, n})
	}
	return nil
}

func (c *keysRevokeCmd) revokeKey(ctx context.Context, rows *app.Rows, id string) (revokedKey, error) {
	k, err := rows.APIKey(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return revokedKey{ID: id, Result: keyUnknown}, nil
	case err != nil:
		return revokedKey{}, err
	}
	revoked := k.RevokedAt.IsZero()
	done := keyWouldBe
	if !c.Plan {
		done = keyRevoked
		if revoked, err = rows.RevokeAPIKey(ctx, id); err != nil {
			return revokedKey{}, err
		}
	}
	if !revoked {
		done = keyWasRevoked
	}
	return revokedKey{id, k.Name, k.Role, done}, nil
}

func (c *keysRevokeCmd) tell(s *session, out revokedJSON) {
	for _, k := range out.Keys {
		whose := k.ID + "  " + oneLine(k.Name) + ", " + k.Role
		switch k.Result {
		case keyUnknown:
			s.out.line("%s  there is no such key; frontispiece keys list shows all", oneLine(k.ID))
		case keyWasRevoked:
			s.out.line("%s  was revoked before", whose)
		case keyWouldBe:
			s.out.line("%s  would be revoked, and its sessions ended", whose)
		default:
			s.out.line("%s  revoked; its sessions are over, and running programs refuse it within %s", whose, auth.KeyFreshness)
		}
	}
	ended := "ended"
	if c.Plan {
		ended = "would be ended"
	}
	for _, u := range out.Users {
		s.out.line("%s  %s %s", oneLine(u.ID), plural(int(u.Sessions), "session", "sessions"), ended)
	}
	if c.Plan {
		s.out.line("Nothing was changed. Without --plan it is done, and cannot be undone: make a new key instead.")
	}
}

// idOfKey is the public part of what may be a whole key: whoever revokes one
// that leaked has it at hand.
func idOfKey(text string) string {
	id, _, _ := strings.Cut(strings.TrimPrefix(text, auth.KeyPrefix), "_")
	return id
}
