package service

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// StartPgbouncer starts a pooler in front of the server of a PostgreSQL URL, as
// a cautious operator would: it pools transactions over three sessions, and
// ignores nothing that it does not know. The server's URL is that of the same
// database and user through the pooler. extra are lines of its configuration.
func StartPgbouncer(ctx context.Context, dir, databaseURL string, extra ...string) (*Server, error) {
	program, err := pgbouncerProgram()
	if err != nil {
		return nil, err
	}
	through, err := url.Parse(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("read the database's URL: %w", err)
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	as, err := notRoot() // it refuses to run as root, too
	if err != nil {
		return nil, err
	}
	config, err := pgbouncerConfig(dir, port, through, extra)
	if err != nil {
		return nil, err
	}
	for _, path := range []string{dir, config} {
		if err := as.own(path); err != nil {
			return nil, err
		}
	}
	through.Host = "127.0.0.1:" + port
	s := &Server{
		Name: "pgbouncer", Addr: through.Host, URL: through.String(),
		argv:    []string{program, config},
		as:      as,
		logPath: filepath.Join(dir, "pgbouncer.log"),
		stop:    syscall.SIGTERM,
	}
	s.ready = func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, s.URL)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	}
	return s, s.Start(ctx)
}

// pgbouncerConfig writes the configuration and its list of users, which has the
// only user's name in it and no password: the server trusts whoever asks.
func pgbouncerConfig(dir, port string, server *url.URL, extra []string) (path string, err error) {
	users, path := filepath.Join(dir, "users.txt"), filepath.Join(dir, "pgbouncer.ini")
	lines := append([]string{
		"[databases]",
		"* = host=" + server.Hostname() + " port=" + server.Port(),
		"[pgbouncer]",
		"listen_addr = 127.0.0.1", "listen_port = " + port, "unix_socket_dir =",
		"auth_type = trust", "auth_file = " + users,
		"pool_mode = transaction", "default_pool_size = 3", "max_client_conn = 200",
	}, extra...)
	// Readable by the user whom it runs as; there is no secret in them.
	for file, content := range map[string]string{
		users: fmt.Sprintf("%q \"\"\n", server.User.Username()),
		path:  strings.Join(lines, "\n") + "\n",
	} {
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			return "", fmt.Errorf("configure pgbouncer: %w", err)
		}
	}
	return path, nil
}

// pgbouncerProgram finds the pooler, which Debian keeps out of a user's PATH.
func pgbouncerProgram() (string, error) {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("pgbouncer: %w", ErrMissing)
}
