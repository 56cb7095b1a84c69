package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/testenv"
	"github.com/glad-labs/frontispiece/internal/testenv/service"
)

// machine is what all figures share: the servers as a site would run them, and
// our programs, built.
type machine struct {
	postgres *service.Server
	redis    *service.Server
	bin      string
	databases,
	lines int // given away
}

// newMachine starts a PostgreSQL that syncs every commit and a Redis that syncs
// every second: what is measured is what a site would see.
func newMachine(tb testing.TB) *machine {
	tb.Helper()
	settings := []string{
		"fsync=on", "full_page_writes=on", "autovacuum=on", "shared_buffers=512MB", "max_wal_size=4GB", "checkpoint_timeout=30min",
	}
	if *profiles != "" {
		settings = append(settings, "shared_preload_libraries=pg_stat_statements")
	}
	m := &machine{
		postgres: testenv.StartPostgres(tb, settings...),
		redis:    testenv.StartRedis(tb, "--appendfsync", "everysec"),
		bin:      tb.TempDir(),
	}
	build := exec.CommandContext(tb.Context(), "go", "build", "-o", m.bin, "./cmd/api", "./cmd/worker")
	build.Dir = testenv.Root(tb)
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("build: %v\n%s", err, out)
	}
	return m
}

// database creates an empty one and returns its URL.
func (m *machine) database(tb testing.TB) string {
	tb.Helper()
	m.databases++
	name := fmt.Sprintf("bench_%d", m.databases)
	db := m.connect(tb, m.postgres.URL)
	if _, err := db.Exec(`CREATE DATABASE ` + name); err != nil {
		tb.Fatal(err)
	}
	u, err := url.Parse(m.postgres.URL)
	if err != nil {
		tb.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func (m *machine) connect(tb testing.TB, databaseURL string) *sqlx.DB {
	tb.Helper()
	db, err := sqlx.Open("pgx", databaseURL)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Close() })
	return db
}

// queue is a Redis database that nobody else uses.
func (m *machine) queue() string {
	m.lines++
	return strings.TrimSuffix(m.redis.URL, "/0") + "/" + strconv.Itoa(m.lines)
}

// statements writes what the database spent its time on beside the profiles.
func (m *machine) statements(tb testing.TB) {
	tb.Helper()
	db := m.connect(tb, m.postgres.URL)
	db.MustExec(`CREATE EXTENSION IF NOT EXISTS pg_stat_statements`)
	var lines []string
	err := db.Select(&lines, `SELECT format('%s ms in all, %s calls, %s ms each: %s', round(total_exec_time), calls,
			round(mean_exec_time::numeric, 3), left(regexp_replace(query, '\s+', ' ', 'g'), 160))
		FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT 40`)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*profiles, "statements.txt"), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// site is a database, a queue and the dispatch over them, in this process, to
// prepare what is measured.
type site struct {
	*dispatch.Dispatch
	store                 *store.Store
	queue                 *queue.Queue
	databaseURL, redisURL string
	dir                   string
}

func (m *machine) site(tb testing.TB) *site {
	tb.Helper()
	s := &site{databaseURL: m.database(tb), redisURL: m.queue(), dir: tb.TempDir()}
	var err error
	if s.store, err = store.Open(tb.Context(), s.databaseURL, store.Options{}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.store.Close() })
	if _, err := s.store.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if err := s.store.Detect(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if s.queue, err = queue.Open(s.redisURL, nil); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.queue.Close() })
	s.Dispatch = dispatch.New(dispatch.Config{
		Store: s.store, Ringer: s.queue, Notifier: silence{}, Capabilities: anything{}, Links: noLinks{}, Log: slog.New(slog.DiscardHandler),
	})
	return s
}

type silence struct{}

func (silence) Notify(context.Context, ...dispatch.Note) {}

type anything struct{}

func (anything) CanAnswer(editorial.Request) bool { return true }

type noLinks struct{}

func (noLinks) KeyOf(string) (string, bool) { return "", false }

// env is the configuration of our programs on this site.
func (s *site) env(extra ...string) []string {
	return append([]string{
		"DATABASE_URL=" + s.databaseURL, "REDIS_URL=" + s.redisURL, "DATA_DIR=" + s.dir,
		// One caller asks for tens of thousands of jobs, which it may not elsewhere.
		"MAX_JOBS=0", "MAX_JOBS_PER_CALLER=0",
	}, extra...)
}

// process is a child being measured.
type process struct {
	cmd    *exec.Cmd
	addr   string
	stdout bytes.Buffer
	stderr string // a file: reading a busy program's log would cost us
	done   chan struct{}
}

// start runs one of our programs, or a role of this test binary.
func (m *machine) start(tb testing.TB, name string, env ...string) *process {
	tb.Helper()
	p := &process{addr: testenv.FreeAddr(tb), done: make(chan struct{})}
	path := filepath.Join(m.bin, name)
	if _, err := os.Stat(path); err != nil || *profiles != "" {
		path = os.Args[0]
		env = append(env, roleVariable+"="+name)
		if *profiles != "" {
			env = append(env, profileVariable+"="+filepath.Join(*profiles, name+"-"+strconv.FormatInt(time.Now().Unix(), 36)+".pprof"))
		}
	}
	p.cmd = exec.Command(path)
	p.cmd.Env = append(env, "LISTEN_ADDR="+p.addr, "HOME="+os.Getenv("HOME"))
	p.cmd.Dir = tb.TempDir()
	p.stderr = filepath.Join(p.cmd.Dir, "stderr")
	log, err := os.Create(p.stderr)
	if err != nil {
		tb.Fatal(err)
	}
	defer log.Close() // the child has its own descriptor
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, log
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // what it said tells more
		close(p.done)
	}()
	tb.Cleanup(p.stop)
	return p
}

// serve starts a program that answers requests, and waits until it does.
func (m *machine) serve(tb testing.TB, name string, env ...string) *process {
	tb.Helper()
	p := m.start(tb, name, env...)
	p.awaitReady(tb)
	return p
}

func (p *process) awaitReady(tb testing.TB) {
	tb.Helper()
	p.await(tb, "is not ready", func() error {
		resp, err := http.Get("http://" + p.addr + "/readyz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			return errors.Join(err, errors.New(resp.Status))
		}
		return nil
	})
}

// await asks every few milliseconds while the process lives.
func (p *process) await(tb testing.TB, what string, ask func() error) {
	tb.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(2 * time.Minute)
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-p.done:
			tb.Fatalf("%s ended: %v\n%s", p.cmd.Path, err, p.said())
		case <-timeout:
			tb.Fatalf("%s %s: %v", p.cmd.Path, what, err)
		case <-tick.C:
		}
	}
}

// said is the end of what the process logged.
func (p *process) said() string {
	b, _ := os.ReadFile(p.stderr) // for a message that has an error already
	return string(b[max(0, len(b)-4000):])
}

// finish waits for a role's end and reads what it measured.
func (p *process) finish(tb testing.TB, result any) {
	tb.Helper()
	<-p.done
	if !p.cmd.ProcessState.Success() {
		tb.Fatalf("%v\n%s", p.cmd.ProcessState, p.said())
	}
	if err := json.Unmarshal(p.stdout.Bytes(), result); err != nil {
		tb.Fatalf("%v in %q", err, p.stdout.String())
	}
}

// stop ends the process in good order, for its profile, and then for good.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended
	select {
	case <-p.done:
	case <-time.After(3 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// memory reads a line of /proc/<pid>/status, in MiB: VmRSS now, VmHWM the peak.
func (p *process) memory(tb testing.TB, line string) float64 {
	tb.Helper()
	mib, err := memoryOf(p.cmd.Process.Pid, line)
	if err != nil {
		tb.Fatal(err)
	}
	return mib
}

func memoryOf(pid int, line string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(status), line+":")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0, errors.New("no " + line)
	}
	kib, err := strconv.ParseFloat(fields[0], 64)
	return kib / 1024, err
}

// cpu is the processor time of all of a process's threads so far. Threads of a
// Go program hardly ever end.
func (p *process) cpu(tb testing.TB) time.Duration {
	tb.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.cmd.Process.Pid))
	if err != nil {
		tb.Fatal(err)
	}
	var sum time.Duration
	for _, path := range threads {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		n, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		if err != nil {
			tb.Fatal(err)
		}
		sum += time.Duration(n)
	}
	return sum
}
