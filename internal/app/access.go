package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/desk"
	"github.com/glad-labs/frontispiece/internal/ratelimit"
	"github.com/glad-labs/frontispiece/internal/store"
)

// openAccess counts the API keys, and refuses an API that other machines can
// reach and that could tell nobody from anybody.
func (a *App) openAccess(ctx context.Context, part Part) error {
	if part != API {
		return nil
	}
	made, usable, err := a.store.CountAPIKeys(ctx)
	if err != nil {
		return err
	}
	// A key that was made once counts, whatever became of it: an installation
	// does not fall back to trusting whoever can connect because a key expired.
	a.knowsCallers = a.cfg.AuthConfigured() || made > 0
	switch {
	case a.cfg.AuthConfigured():
	case usable > 0:
		if a.cfg.PortAlone() {
			a.cfg.ListenAddr = ":" + a.cfg.Port
		}
	case !a.cfg.Loopback():
		return fmt.Errorf("LISTEN_ADDR %s can be reached from other machines and nothing tells who is calling; "+
			"set JWT_SECRET_KEY to the site's secret, or make a key (frontispiece keys create --role operator --name me), or listen on 127.0.0.1",
			a.cfg.ListenAddr)
	case made > 0:
		a.log.WarnContext(ctx, "every API key was revoked or has expired, and JWT_SECRET_KEY is not set: nobody gets in; "+
			"make a key (frontispiece keys create)")
	}
	a.keys = auth.NewKeys(keyRows{a.store}, a.log)
	a.onClose(a.keys.Close)
	return nil
}

// openPace comes after the queue, whose Redis several APIs count in.
func (a *App) openPace(_ context.Context, part Part) error {
	if part != API {
		return nil
	}
	c := ratelimit.Config{Requests: a.cfg.RateLimit, Failures: a.cfg.RateLimitFailures, Log: a.log}
	if !a.cfg.Embedded() {
		c.Redis = a.queue.Redis()
	}
	a.paces = ratelimit.New(c)
	a.sessions = auth.NewSessions(auth.SessionsConfig{
		Rows: sessionRows{a.store}, Keys: a.keys, Users: a.users(), Pace: a.paces, Log: a.log,
	})
	return nil
}

// users says how the site's tokens are recognised, nil when they are not.
func (a *App) users() *auth.JWTConfig {
	if !a.cfg.AuthConfigured() {
		return nil
	}
	return &auth.JWTConfig{Secret: a.cfg.JWTSecretKey.Reveal(), Editors: a.cfg.Editors, Operators: a.cfg.Operators}
}

// authenticator recognises callers: by keys, sessions and the site's tokens
// once there is any of these, else everybody on this machine and nobody else.
func (a *App) authenticator() auth.Authenticator {
	if !a.knowsCallers {
		return auth.Authenticator{auth.Loopback(a.cfg.AllowedOrigins...)}
	}
	// What a program says of itself goes before what a browser adds by itself.
	methods := []auth.Method{a.keys.Method()}
	if users := a.users(); users != nil {
		methods = append(methods, auth.JWT(*users))
	}
	return auth.Authenticator{auth.Paced(a.paces, append(methods, a.sessions.Method())...)}
}

// mountLogin mounts the form and the way out. On a machine that trusts itself
// there is nothing to log in to.
func (a *App) mountLogin(r *router, page auth.LoginPage) {
	login := http.RedirectHandler("/desk", http.StatusSeeOther)
	if a.knowsCallers {
		login = a.sessions.Handler(page)
	}
	r.mount(auth.LoginPath, login,
		auth.Route{Section: desk.Section, Method: http.MethodGet, Path: auth.LoginPath, Summary: "Show the form for an API key or a token of the site"},
		auth.Route{Section: desk.Section, Method: http.MethodPost, Path: auth.LoginPath, Summary: "Log a browser in", MaxBody: auth.MaxForm})
	r.mount(auth.LogoutPath, login,
		auth.Route{Section: desk.Section, Method: http.MethodPost, Path: auth.LogoutPath, Summary: "Log a browser out"})
}

// OpenReadyRows is [OpenRows] for a database that must be there and migrated.
func OpenReadyRows(ctx context.Context, cfg config.Config) (*Rows, error) {
	rows, err := OpenRows(ctx, cfg, false)
	if err != nil {
		return nil, err
	}
	if err := rows.ready(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("DATABASE_URL %s: %w", cfg.DatabaseURL, err), rows.Close())
	}
	return rows, nil
}

// keyRows and sessionRows are the store's rows as auth knows them.
type (
	keyRows     struct{ *store.Store }
	sessionRows struct{ *store.Store }
)

// Key implements [auth.KeyRows].
func (r keyRows) Key(ctx context.Context, id string) (auth.Key, error) {
	k, err := r.APIKey(ctx, id)
	if err != nil {
		return auth.Key{}, unknown(err)
	}
	// A role that this version does not know is nobody's.
	role, _ := auth.ParseRole(k.Role)
	return auth.Key{ID: k.ID, Name: k.Name, Role: role, SHA256: k.SHA256, ExpiresAt: k.ExpiresAt, RevokedAt: k.RevokedAt}, nil
}

// TouchKey implements [auth.KeyRows].
func (r keyRows) TouchKey(ctx context.Context, id string) error { return r.TouchAPIKey(ctx, id) }

func sessionTerms() store.SessionTerms {
	return store.SessionTerms{Idle: auth.SessionTerms.Idle, Lifetime: auth.SessionTerms.Lifetime, Grace: auth.SessionTerms.Grace}
}

// OpenSession implements [auth.SessionRows].
func (r sessionRows) OpenSession(ctx context.Context, s auth.Session) error {
	return r.InsertSession(ctx, store.Session{
		Token: s.Token, Subject: s.Subject, Name: s.Name, KeyID: s.KeyID, Issuer: s.Issuer,
	}, sessionTerms())
}

// Session implements [auth.SessionRows].
func (r sessionRows) Session(ctx context.Context, token string) (auth.Session, error) {
	s, err := r.Store.Session(ctx, token, sessionTerms())
	if err != nil {
		return auth.Session{}, unknown(err)
	}
	return auth.Session{
		Token: s.Token, Subject: s.Subject, Name: s.Name, KeyID: s.KeyID, Issuer: s.Issuer,
		RotatedFor: s.RotatedFor, Superseded: s.Superseded,
	}, nil
}

func unknown(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return auth.ErrUnknown
	}
	return err
}
