// Package service starts the real servers that tests need, each on a free
// loopback port with a folder of its own: a Redis, alone or with a replica and
// sentinels, and a PostgreSQL, alone or behind a pooler, that tests may kill,
// freeze and start again.
//
// It deliberately knows nothing of testing.T, so that the command withservices
// can use it, and installs nothing. The trap: PostgreSQL refuses to run as
// root, so under root its folder belongs to another user; look into it with
// that in mind.
package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// ErrMissing is returned when a server's program is not installed.
var ErrMissing = errors.New("not installed")

const (
	readyTimeout = 30 * time.Second
	stopTimeout  = 15 * time.Second
	pollEvery    = 20 * time.Millisecond
)

// Server is a running child process. Its address survives Kill and Start.
type Server struct {
	Name string
	URL  string // with the user, as clients want it
	Addr string // 127.0.0.1:port

	argv    []string
	as      *user
	logPath string
	stop    os.Signal
	ready   func(context.Context) error

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has ended
}

// Start runs the program and waits until it answers. It is what a test calls
// after Kill or Stop; the constructors have called it already.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running() {
		return nil
	}
	log, err := os.OpenFile(s.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log of %s: %w", s.Name, err)
	}
	defer log.Close() // the child has its own descriptor
	// Not CommandContext: ctx bounds the start, not the life.
	cmd := exec.Command(s.argv[0], s.argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = filepath.Dir(s.logPath)
	cmd.SysProcAttr = s.as.attributes()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.Name, err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(done)
	}()
	s.cmd, s.done = cmd, done
	if err := s.await(ctx, s.ready); err != nil {
		s.end(os.Kill)
		return fmt.Errorf("start %s: %w\n%s", s.Name, err, s.logTail())
	}
	return nil
}

func (s *Server) running() bool {
	if s.cmd == nil {
		return false
	}
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// await asks until the answer is nil, the server ends or readyTimeout is over.
func (s *Server) await(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			return errors.New("ended at once")
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", err)
		case <-tick.C:
		}
	}
}

// Stop ends the server in good order, or kills it when it takes too long. It is
// harmless when nothing runs.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(s.stop)
}

// Kill ends the server as a power cut would, as far as the process goes.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(os.Kill)
}

// Signal sends sig, such as SIGSTOP to make the server hang with its
// connections open. A frozen server must be killed or continued, not stopped.
func (s *Server) Signal(sig os.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running() {
		return fmt.Errorf("signal %s: not running", s.Name)
	}
	return s.cmd.Process.Signal(sig)
}

func (s *Server) end(sig os.Signal) {
	if !s.running() {
		return
	}
	_ = s.cmd.Process.Signal(sig) // an error means that it has just ended
	select {
	case <-s.done:
	case <-time.After(stopTimeout):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

func (s *Server) logTail() string {
	b, err := os.ReadFile(s.logPath)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// freePort asks the system for a port that nobody listens on. Somebody may take
// it before our server does; its start then fails and says so.
func freePort(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
