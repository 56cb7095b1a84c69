package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/store"
)

// Access is what the configuration says of who gets in. API keys are the other
// half, which only the database knows of.
type Access struct {
	Listens   string // where the API listens
	Loopback  bool   // only this machine can reach it
	PortAlone bool   // PORT is set and LISTEN_ADDR is not, as platforms do
	Tokens    bool   // JWT_SECRET_KEY: the site's tokens open it
	Operators bool   // OPERATORS names somebody
}

// soon is when a key that ends is worth a word: a week to hand out another.
const soon = 7 * 24 * time.Hour

const (
	makeKey         = "frontispiece keys create --role operator --name me"
	theirPort       = "; with a key or JWT_SECRET_KEY, PORT opens it to others"
	nobodyOperates  = "nobody is an operator: /ops, retries and the dashboard are closed to all"
	trustsItsOwn    = "none: whoever is on this machine may do everything, and nobody else gets in"
	wouldNotStart   = "none, and %s can be reached from other machines: the API refuses to start"
	nobodyGetsIn    = "%s, and JWT_SECRET_KEY is not set: nobody gets in"
	tokensOpenAlone = "none; the site's tokens open it"
)

// keys says who may get in with an API key, by role. It tells no key's id or
// name: a report is pasted into tickets.
func (d *database) keys(ctx context.Context) Outcome {
	a := d.access
	if !d.migrated {
		if !a.Loopback && !a.Tokens {
			return broken("frontispiece migrate, then "+makeKey, wouldNotStart, a.Listens)
		}
		return skipped("there is no table of ours yet")
	}
	made, err := d.db.APIKeys(ctx)
	switch {
	case err != nil && d.behind:
		return skipped("the schema's next step comes first")
	case err != nil:
		return broken("frontispiece keys list", "%v", err)
	}
	c := countKeys(made, time.Now())
	switch {
	case c.usable == 0 && len(made) > 0 && !a.Tokens:
		return broken(makeKey, nobodyGetsIn, c)
	case c.usable == 0 && !a.Tokens && !a.Loopback:
		return broken(makeKey, wouldNotStart, a.Listens)
	case c.usable == 0 && !a.Tokens && a.PortAlone:
		return warning(makeKey, "%s%s", trustsItsOwn, theirPort)
	case c.usable == 0 && !a.Tokens:
		return ok(trustsItsOwn)
	case c.byRole["operator"] == 0 && !a.Operators:
		return warning(makeKey, "%s; %s", c, nobodyOperates)
	case c.ending > 0:
		return warning("frontispiece keys list", "%s; %d of them %s within a week", c, c.ending, verb(c.ending, "ends", "end"))
	case len(made) == 0:
		return ok(tokensOpenAlone)
	}
	return ok("%s", c)
}

// keyCount is how many keys there are, by role where they open anything.
type keyCount struct {
	byRole               map[string]int
	usable, over, ending int
}

func countKeys(keys []store.APIKey, now time.Time) keyCount {
	c := keyCount{byRole: map[string]int{}}
	for _, k := range keys {
		if !k.RevokedAt.IsZero() || !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) {
			c.over++
			continue
		}
		c.usable++
		c.byRole[k.Role]++
		if !k.ExpiresAt.IsZero() && k.ExpiresAt.Sub(now) < soon {
			c.ending++
		}
	}
	return c
}

func (c keyCount) String() string {
	var parts []string
	for _, role := range []string{"operator", "editor", "author"} {
		if n := c.byRole[role]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, role))
		}
	}
	text := "none works"
	if c.usable > 0 {
		text = fmt.Sprintf("%d %s: %s", c.usable, verb(c.usable, "works", "work"), strings.Join(parts, ", "))
	}
	if c.over > 0 {
		text += fmt.Sprintf("; %d %s revoked or expired", c.over, verb(c.over, "is", "are"))
	}
	return text
}

// verb agrees with a count.
func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
