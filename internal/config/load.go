package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Error is a configuration that cannot work. It prints as one line and holds
// no secret.
type Error struct {
	Name    string // the variable to change
	Problem string // what is wrong with it
	Fix     string // what to write instead
}

func (e *Error) Error() string {
	if e.Fix == "" {
		return e.Name + " " + e.Problem
	}
	return e.Name + " " + e.Problem + "; " + e.Fix
}

// Load reads the configuration from environ, in the form of os.Environ. White
// space around a value is dropped, since secrets read from files end in a line
// break, and an empty value is as good as none. The error is the first
// [*Error], in the order of the documentation.
func Load(environ []string) (Config, error) {
	vars := make(map[string]string, len(environ))
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		vars[name] = strings.TrimSpace(value)
	}
	var c Config
	if err := env.ParseWithOptions(&c, env.Options{Environment: vars}); err != nil {
		return Config{}, readable(err, vars)
	}
	c.set = make(map[string]bool)
	for _, f := range fields() {
		c.set[f.name] = vars[f.name] != ""
	}
	c.fillDefaults()
	if err := c.validate(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// readable turns the parser's error, which knows the fields of a Go struct,
// into one about variables.
func readable(err error, vars map[string]string) error {
	var all env.AggregateError
	if errors.As(err, &all) && len(all.Errors) > 0 {
		err = all.Errors[0]
	}
	var parse env.ParseError
	if !errors.As(err, &parse) {
		return fmt.Errorf("read configuration: %w", err)
	}
	i := slices.IndexFunc(fields(), func(f field) bool { return f.goName == parse.Name })
	if i < 0 {
		return fmt.Errorf("read configuration: %w", err) // unreachable: the field is ours
	}
	f := fields()[i]
	switch {
	case f.mayHoldSecret():
		return &Error{Name: f.name, Problem: parse.Err.Error()}
	case f.kind == reflect.TypeFor[time.Duration]():
		return &Error{f.name, fmt.Sprintf("is %.40q, which is not a duration", vars[f.name]), "write 90s, 15m or 72h"}
	case f.kind == reflect.TypeFor[int]():
		return &Error{f.name, fmt.Sprintf("is %.40q, which is not a whole number", vars[f.name]), "write digits only"}
	case f.name == "LOG_LEVEL":
		return &Error{f.name, fmt.Sprintf("is %.40q", vars[f.name]), "write DEBUG, INFO, WARN or ERROR"}
	default:
		return &Error{Name: f.name, Problem: fmt.Sprintf("(%.40q) %v", vars[f.name], parse.Err)}
	}
}

// fillDefaults fills what depends on other variables.
func (c *Config) fillDefaults() {
	c.DataDir = filepath.Clean(c.DataDir)
	c.SpoolDir = filepath.Clean(cmp.Or(c.SpoolDir, filepath.Join(c.DataDir, "spool")))
	if c.DatabaseURL.IsZero() {
		c.DatabaseURL = URL{raw: NewSecret("sqlite:" + filepath.Join(c.DataDir, "frontispiece.db"))}
	}
	if c.JWTSecretKey.IsZero() {
		c.JWTSecretKey = c.JWTSecret
	}
	if c.ListenAddr == "" {
		host := "127.0.0.1"
		if c.Port != "" && c.AuthConfigured() {
			host = ""
		}
		c.ListenAddr = net.JoinHostPort(host, cmp.Or(c.Port, "8000"))
	}
	if len(c.Generators) == 0 {
		if !c.PexelsAPIKey.IsZero() {
			c.Generators = append(c.Generators, mustURL("pexels:"))
		}
		c.Generators = append(c.Generators, mustURL("card:"))
	}
	if !c.set["GENERATE_CONCURRENCY"] {
		c.GenerateConcurrency = generateConcurrency(c.GeneratorList())
	}
	c.Editors, c.Operators = words(c.Editors), words(c.Operators)
	c.AllowedOrigins, c.TrustedHosts = words(c.AllowedOrigins), words(c.TrustedHosts)
	c.WorkerQueues = words(c.WorkerQueues)
	if len(c.AllowedOrigins) == 0 {
		c.AllowedOrigins = siteOrigins()
	}
}

// siteOrigins are the origins that the site's own front ends have in
// development.
func siteOrigins() []string {
	var origins []string
	for _, host := range []string{"localhost", "127.0.0.1"} {
		for port := 3000; port <= 3004; port++ {
			origins = append(origins, fmt.Sprintf("http://%s:%d", host, port))
		}
	}
	return origins
}

// words trims the members of a list and drops the empty ones, so that
// "a, b," is two.
func words(list []string) []string {
	var out []string
	for _, s := range list {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func mustURL(s string) URL {
	u, err := ParseURL(s)
	if err != nil {
		panic(err) // unreachable: constants
	}
	return u
}
