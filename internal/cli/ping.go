package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/store"
)

type pingCmd struct {
	API    pingAPICmd    `cmd:"" name:"api" help:"Ask the API of this machine whether it answers."`
	Worker pingWorkerCmd `cmd:"" name:"worker" help:"Look whether the worker of this machine has been heard of."`
}

const pingTimeout = 4 * time.Second

type pingAPICmd struct{}

// Run asks /healthz where the environment says that the API listens. It is the
// health check of an image without a shell.
func (*pingAPICmd) Run(ctx context.Context, s *session) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	addr := reachable(cfg.ListenAddr)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/healthz", nil)
	if err != nil {
		return fmt.Errorf("LISTEN_ADDR %s: %w", cfg.ListenAddr, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("no API answers at %s: start it, or set LISTEN_ADDR or PORT as it has them", addr)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("what answers at %s is no healthy API: it says %s", addr, resp.Status)
	}
	s.out.line("ok")
	return nil
}

// reachable is where an address that is listened on can be asked from here.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = ""
	}
	return net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port)
}

type pingWorkerCmd struct{}

// silence is how long a worker may not have been heard of: it says where its
// spool is every ten seconds. Clocks of two machines may differ by some of it.
const silence = time.Minute

// Run looks at the row that a worker keeps fresh: it listens on no port that
// could be asked.
func (*pingWorkerCmd) Run(ctx context.Context, s *session) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	id, err := spoolID(cfg)
	if err != nil {
		return err
	}
	rows, err := app.OpenRows(ctx, cfg, false)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // every statement was checked
	spools, err := rows.Spools(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(spools, func(sp store.Spool) bool { return sp.ID == id })
	if i < 0 {
		return fmt.Errorf("no worker was ever heard of on SPOOL_DIR %s: start one", cfg.SpoolDir)
	}
	if since := s.now().Sub(spools[i].SeenAt); since > silence {
		return fmt.Errorf("the worker on SPOOL_DIR %s was last heard of %s ago: start it, or look into its log", cfg.SpoolDir, age(since))
	}
	s.out.line("ok")
	return nil
}

// spoolID reads what the worker has written, without opening the spool, which
// would write.
func spoolID(cfg config.Config) (string, error) {
	b, err := os.ReadFile(filepath.Join(cfg.SpoolDir, "spool-id"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("SPOOL_DIR %s is no spool yet: start a worker, or set it as the worker has it", cfg.SpoolDir)
	}
	if err != nil {
		return "", fmt.Errorf("SPOOL_DIR: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
