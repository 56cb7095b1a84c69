package service

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// StartPostgres creates a cluster in dir and starts it, without fsync and
// without a Unix socket: it is to be fast and to be thrown away. A kill of the
// process loses nothing all the same, since the kernel has what was written.
func StartPostgres(ctx context.Context, dir string, extra ...string) (*Server, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	as, err := notRoot()
	if err != nil {
		return nil, err
	}
	if err := as.own(dir); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := initDB(ctx, bin, data, as); err != nil {
		return nil, err
	}
	s := &Server{
		Name: "PostgreSQL", Addr: "127.0.0.1:" + port,
		URL:     "postgres://postgres@127.0.0.1:" + port + "/postgres?sslmode=disable",
		as:      as,
		logPath: filepath.Join(dir, "postgres.log"),
		stop:    syscall.SIGINT, // "fast": does not wait for clients
	}
	s.argv = []string{filepath.Join(bin, "postgres"), "-D", data}
	for _, setting := range append([]string{
		"listen_addresses=127.0.0.1", "port=" + port, "unix_socket_directories=", "max_connections=300",
		"fsync=off", "full_page_writes=off", "shared_buffers=64MB", "autovacuum=off",
	}, extra...) {
		s.argv = append(s.argv, "-c", setting)
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

func initDB(ctx context.Context, bin, data string, as *user) error {
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres",
		"--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
	cmd.SysProcAttr = as.attributes()
	cmd.Dir = filepath.Dir(data)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("create a PostgreSQL cluster: %w\n%s", err, out)
	}
	return nil
}

// postgresBin finds the folder of the server's programs. Debian keeps it out of
// PATH, one for each version; the newest is taken.
func postgresBin() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("PostgreSQL's initdb: %w", ErrMissing)
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, string(os.PathSeparator))[4])
		return n
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}
