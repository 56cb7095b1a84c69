package app

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
)

// banner tells whoever started the program where it listens, where everything
// is kept, and one thing to try.
func (a *App) banner(w io.Writer, addr net.Addr) {
	base := "http://" + reachable(addr.String())
	var text strings.Builder
	line := func(name, value string) { fmt.Fprintf(&text, "  %-11s %s\n", name, value) }
	fmt.Fprintf(&text, "\nFrontispiece %s\n\n", Version())
	line("listening", base)
	line("desk", base+"/desk")
	if data, err := filepath.Abs(a.cfg.DataDir); err == nil && a.cfg.Embedded() {
		line("data", data)
	}
	line("database", a.cfg.DatabaseURL.String())
	line("queue", a.queueName())
	line("pictures", a.storageName())
	line("generators", a.generatorNames())
	line("access", a.accessName())
	fmt.Fprintf(&text, `
Try it:

  curl -X POST %s/api/media/generate-image \
    -H 'Content-Type: application/json' \
    -d '{"prompt":"A lighthouse at dawn","use_generation":true}'

The API's documentation is at %s/docs. Ctrl-C drains and stops.

`, base, base)
	_, _ = io.WriteString(w, text.String()) // nobody reads it: nothing to do
}

// reachable is an address that a person on this machine can open.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() || ip.IsLoopback() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

func (a *App) queueName() string {
	if a.cfg.Embedded() {
		return "in this process (set REDIS_URL to share it)"
	}
	return a.cfg.RedisURL.String()
}

func (a *App) storageName() string {
	if !a.cfg.UsesS3() {
		return a.cfg.ImageDir() + " (set AWS_S3_BUCKET for S3)"
	}
	return "s3://" + a.cfg.S3Bucket + ", read at " + a.cdn.URL("")
}

func (a *App) generatorNames() string {
	var names []string
	for _, g := range a.chain.Generators() {
		names = append(names, g.Name())
	}
	return strings.Join(names, ", then ")
}

func (a *App) accessName() string {
	switch {
	case a.cfg.AuthConfigured():
		return "the site's tokens, and API keys"
	case a.knowsCallers:
		return "API keys"
	default:
		return "this machine only, without authentication"
	}
}
