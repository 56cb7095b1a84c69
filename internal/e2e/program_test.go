package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is one of ours, running as a child. It can be killed and started
// again; what it says is kept over all its lives and shown when the test fails.
type program struct {
	t    testing.TB
	name string
	file string
	env  []string

	stdout, stderr output
	cmd            *exec.Cmd
	done           chan struct{} // closed when cmd has ended
}

// newProgram is cmd/<file> with nothing but env in its environment, not yet
// running.
func newProgram(t testing.TB, file, name string, env ...string) *program {
	t.Helper()
	p := &program{t: t, name: name, file: file, env: env}
	t.Cleanup(func() {
		p.kill()
		p.wantOneKindOfLog()
		if t.Failed() {
			t.Logf("%s said:\n%s%s", name, p.stdout.tail(30), p.stderr.tail(60))
		}
	})
	return p
}

// wantOneKindOfLog looks for lines that no log collector could read: a library
// that writes to stderr by itself, a panic. The refusal of a start is no log.
func (p *program) wantOneKindOfLog() {
	for line := range strings.Lines(p.stderr.String()) {
		if !strings.HasPrefix(line, "time=") && !strings.HasPrefix(line, "frontispiece-"+p.file+": ") {
			p.t.Errorf("%s: a line that is not of its log: %.200s", p.name, line)
			return
		}
	}
}

func (p *program) start() {
	p.t.Helper()
	// Not CommandContext: several lives, and cleanup ends the last one.
	cmd := exec.Command(filepath.Join(built, p.file))
	cmd.Env = p.env
	cmd.Stdout, cmd.Stderr = &p.stdout, &p.stderr
	cmd.Dir = p.t.TempDir()
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		p.t.Fatalf("start %s: %v", p.name, err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // read from ProcessState by whoever asks
		close(done)
	}()
	p.cmd, p.done = cmd, done
}

// kill is kill -9. It is harmless when nothing runs.
func (p *program) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill() // an error means that it has ended
	<-p.done
}

// stop asks the program to end and returns its exit code.
func (p *program) stop(sig os.Signal, within time.Duration) int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatalf("signal %s: %v", p.name, err)
	}
	return p.exitCode(within)
}

// exitCode waits for the program's end.
func (p *program) exitCode(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // its goroutines go to the log
		p.t.Fatalf("%s did not end within %v", p.name, within)
		return -1
	}
}

// awaitReady waits until an API answers requests.
func (p *program) awaitReady(base string) {
	p.t.Helper()
	eventually(p.t, 30*time.Second, func() error {
		select {
		case <-p.done:
			p.t.Fatalf("%s ended at its start", p.name)
		default:
		}
		resp, err := http.Get(base + "/readyz")
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New("/readyz: " + resp.Status)
		}
		return nil
	})
}

// output collects what a program writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// tail is the end of it without the lines about requests, which the polling of
// these tests makes by the thousand.
func (o *output) tail(n int) string {
	lines := slices.DeleteFunc(strings.SplitAfter(o.String(), "\n"), func(line string) bool { return strings.Contains(line, " msg=request ") })
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// says waits until the program has written text.
func (o *output) says(t testing.TB, within time.Duration, text string) {
	t.Helper()
	eventually(t, within, func() error {
		if !strings.Contains(o.String(), text) {
			return fmt.Errorf("the log never says %q", text)
		}
		return nil
	})
}

// eventually asks until the answer is nil, and fails the test with the last
// error when that has taken longer than within.
func eventually(t testing.TB, within time.Duration, ask func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %v", within, err)
		case <-tick.C:
		}
	}
}
