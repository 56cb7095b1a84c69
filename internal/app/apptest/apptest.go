// Package apptest runs the whole embedded program inside a test, as cmd/api does.
// Only tests may import it.
package apptest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/config"
)

// patience is how long the program may take to listen. Only a test that fails
// waits so long, and a machine may be busy with much else.
const patience = 3 * time.Minute

// Start runs the program on a free port with a data folder of its own, and with
// what env adds ("NAME=value"), until the test ends. It returns the program's
// URL, without a slash at the end, and its configuration.
func Start(t *testing.T, env ...string) (base string, cfg config.Config) {
	t.Helper()
	addr := FreeAddr(t)
	cfg, err := config.Load(append([]string{"DATA_DIR=" + t.TempDir(), "LISTEN_ADDR=" + addr, "LOG_LEVEL=ERROR"}, env...))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	a, err := app.Open(ctx, app.API, cfg, app.Logger(cfg, t.Output()))
	if err != nil {
		stop()
		t.Fatal(err)
	}
	banner := &lines{told: make(chan struct{})}
	var running sync.WaitGroup
	running.Go(func() { report(t, a.RunAPI(ctx, banner)) })
	running.Go(func() { report(t, a.RunWorker(ctx)) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		report(t, a.Close())
	})
	select {
	case <-banner.told: // it listens
	case <-time.After(patience):
		t.Fatal("the program never said where it listens")
	}
	return "http://" + addr, cfg
}

// FreeAddr is an address of this machine on which nothing listens.
func FreeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func report(t *testing.T, err error) {
	if err != nil {
		t.Errorf("the program: %v", err)
	}
}

// lines closes told at the first write.
type lines struct {
	once sync.Once
	told chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.once.Do(func() { close(l.told) })
	return len(p), nil
}
