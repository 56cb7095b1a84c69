package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/store"
)

type keysCmd struct {
	Create keysCreateCmd `cmd:"" help:"Make an API key. It is shown once."`
	List   keysListCmd   `cmd:"" help:"List API keys, the newest first: whose they are, and when they were last used."`
	Revoke keysRevokeCmd `cmd:"" help:"End API keys and the browser sessions that were opened with them."`
}

// keyRows opens the database for a command about keys.
func (s *session) keyRows(ctx context.Context) (*app.Rows, config.Config, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, cfg, err
	}
	rows, err := app.OpenReadyRows(ctx, cfg)
	return rows, cfg, err
}

type keysCreateCmd struct {
	Role    string `required:"" enum:"author,editor,operator" help:"What it may do: author, editor or operator. Each includes the one before." placeholder:"ROLE"`
	Name    string `required:"" help:"Who or what has it, to know it again in the list." placeholder:"NAME"`
	Expires expiry `help:"When it ends: a time from now, such as 90d or 12h, or a date, such as 2027-01-31. Never, if left out." placeholder:"WHEN"`
	JSON    bool   `help:"Print JSON, for programs."`
}

// maxKeyName is the longest name of a key, in characters: a table's cell.
const maxKeyName = 60

// Validate is called by kong.
func (c *keysCreateCmd) Validate() error {
	c.Name = strings.TrimSpace(c.Name)
	switch n := utf8.RuneCountInString(c.Name); {
	case n == 0 || n > maxKeyName:
		return fmt.Errorf("--name must be 1 to %d characters long, got %d", maxKeyName, n)
	case oneLine(c.Name) != c.Name:
		return errors.New("--name must be printable and of one line")
	default:
		return nil
	}
}

// Run makes a key.
func (c *keysCreateCmd) Run(ctx context.Context, s *session) error {
	expires, err := c.Expires.at(s.now())
	if err != nil {
		return err
	}
	rows, cfg, err := s.keyRows(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // what was committed is committed
	made, _, err := rows.CountAPIKeys(ctx)
	if err != nil {
		return err
	}
	role, err := auth.ParseRole(c.Role)
	if err != nil {
		return err // unreachable: kong has checked it
	}
	key, secret := auth.NewKey(c.Name, role, expires)
	err = rows.InsertAPIKey(ctx, store.APIKey{
		ID: key.ID, Name: key.Name, Role: role.String(), SHA256: key.SHA256, ExpiresAt: expires, CreatedBy: operatorName(),
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(s.out, struct {
			ID        string     `json:"id"`
			Key       string     `json:"key"`
			Name      string     `json:"name"`
			Role      string     `json:"role"`
			ExpiresAt *time.Time `json:"expires_at"`
		}{key.ID, secret, key.Name, role.String(), orNull(expires)})
	}
	s.out.line("%s  %s, %s, %s", key.ID, key.Name, role, ends(expires))
	s.out.line("")
	s.out.line("  %s", secret)
	s.out.line("")
	s.out.line("This is the only time that it is shown. Programs send it as")
	s.out.line("  Authorization: Bearer %s%s_…", auth.KeyPrefix, key.ID)
	s.out.line("and people paste it at %s.", auth.LoginPath)
	if made == 0 && !cfg.AuthConfigured() {
		s.out.line("It is the first: start the API again, and from then on nobody gets in without one.")
	}
	return nil
}

func ends(t time.Time) string {
	if t.IsZero() {
		return "never expires"
	}
	return "expires " + t.UTC().Format("2006-01-02 15:04 UTC")
}

// expiry is a time to come, as somebody types it.
type expiry string

// at returns the zero time for none.
func (e expiry) at(now time.Time) (time.Time, error) {
	text := strings.TrimSpace(string(e))
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		after, err := period(text)
		if err != nil {
			return time.Time{}, fmt.Errorf("--expires is %q; write a time from now, such as 90d or 12h, or a date, such as 2027-01-31", text)
		}
		at = now.Add(after)
	}
	if !at.After(now) {
		return time.Time{}, fmt.Errorf("--expires is %q, which has passed; write a time to come", text)
	}
	return at.UTC().Truncate(time.Second), nil
}

// maxDays keeps a period within what a duration can hold.
const maxDays = 36500

// period is a duration that may be in days.
func period(text string) (time.Duration, error) {
	days, ok := strings.CutSuffix(text, "d")
	if !ok {
		return time.ParseDuration(text)
	}
	n, err := strconv.Atoi(days)
	if err != nil || n > maxDays {
		return 0, fmt.Errorf("%q is no number of days", days)
	}
	return time.Duration(n) * 24 * time.Hour, nil
}

type keysListCmd struct {
	JSON bool `help:"Print JSON, for programs."`
}

// Run lists keys.
func (c *keysListCmd) Run(ctx context.Context, s *session) error {
	rows, _, err := s.keyRows(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // nothing was written
	keys, err := rows.APIKeys(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printKeysJSON(s, keys)
	}
	if len(keys) == 0 {
		s.out.line("No API keys. Make one: frontispiece keys create --role editor --name NAME")
		return nil
	}
	now := s.now()
	s.table("KEY\tNAME\tROLE\tSTATE\tLAST USED\tMADE", func(row func(cells ...any)) {
		for _, k := range keys {
			row(k.ID, oneLine(k.Name), k.Role, keyStateInWords(k, now), ago(k.LastUsedAt, now), ago(k.CreatedAt, now)+" by "+oneLine(k.CreatedBy))
		}
	})
	return nil
}

// keyState is "active", "expired" or "revoked".
func keyState(k store.APIKey, now time.Time) string {
	switch {
	case !k.RevokedAt.IsZero():
		return "revoked"
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		return "expired"
	default:
		return "active"
	}
}

func keyStateInWords(k store.APIKey, now time.Time) string {
	switch state := keyState(k, now); {
	case state == "revoked":
		return "revoked " + ago(k.RevokedAt, now)
	case state == "expired":
		return "expired " + ago(k.ExpiresAt, now)
	case !k.ExpiresAt.IsZero():
		return "active, ends in " + age(k.ExpiresAt.Sub(now))
	default:
		return state
	}
}

func ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return age(now.Sub(t)) + " ago"
}

// keyJSON is the machine's form. Names and meanings stay; members may be added.
type keyJSON struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Role       string     `json:"role"`
	State      string     `json:"state"`
	CreatedBy  string     `json:"created_by"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	RevokedAt  *time.Time `json:"revoked_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
}

func printKeysJSON(s *session, keys []store.APIKey) error {
	list := make([]keyJSON, len(keys))
	for i, k := range keys {
		list[i] = keyJSON{
			ID: k.ID, Name: k.Name, Role: k.Role, State: keyState(k, s.now()), CreatedBy: k.CreatedBy, CreatedAt: k.CreatedAt,
			ExpiresAt: orNull(k.ExpiresAt), RevokedAt: orNull(k.RevokedAt), LastUsedAt: orNull(k.LastUsedAt),
		}
	}
	return printJSON(s.out, list)
}
