package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/testenv"
)

// soon bounds what a program does at once.
const soon = 15 * time.Second

// No spelling of a path leads out of the folder of the pictures.
func TestImagesNeverLeaveTheirRoot(t *testing.T) {
	t.Parallel()
	e := startEmbedded(t, "RENDITIONS=off")
	j := e.awaitJob(e.mustSubmit(`{"prompt":"A wall","width":256,"height":256}`), embeddedBound)
	const secret = "nobody may read this"
	for _, path := range []string{filepath.Join(e.data, "secret.png"), filepath.Join(filepath.Dir(e.data), "secret.png")} {
		if err := os.WriteFile(path, []byte(secret), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(e.data, "secret.png"), filepath.Join(e.images(), "generated", "1-aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa.png")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/images/../secret.png",
		"/images/generated/../../secret.png",
		"/images/generated/../../../secret.png",
		"/images/%2e%2e/secret.png",
		"/images/%2E%2E%2Fsecret.png",
		"/images/generated/%2e%2e/%2e%2e/secret.png",
		"/images/generated%2f..%2f..%2fsecret.png",
		"/images/generated%2f%2e%2e%2f%2e%2e%2fsecret.png",
		"/images/..%252fsecret.png",
		`/images/..\secret.png`,
		"/images/..%5csecret.png",
		"/images/generated/..%5c..%5csecret.png",
		"/images/..%00/secret.png",
		"/images/../secret.png%00.png",
		"/images/generated/%00",
		"/images/..;/secret.png",
		"/images/%c0%ae%c0%ae/secret.png",
		"/images//" + e.data + "/secret.png",
		"/images/" + strings.ReplaceAll(e.data, "/", "%2f") + "%2fsecret.png",
		"/images/../frontispiece.db",
		"/images/../spool/spool-id",
		"/images/generated/1-aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa.png", // a link out of the root
		"/images/generated/",
		"/images/",
		"/images",
		"/images/generated/" + strings.Repeat("../", 200) + "etc/passwd",
	} {
		resp, body := e.raw(path)
		if resp.StatusCode == http.StatusOK || strings.Contains(body, secret) || strings.Contains(body, "SQLite") || strings.Contains(body, "root:") {
			t.Errorf("GET %s = %d %.100q", path, resp.StatusCode, body)
		}
		if to := resp.Header.Get("Location"); to != "" { // a cleaned path
			if _, body := e.raw(to); strings.Contains(body, secret) {
				t.Errorf("GET %s is sent to %s, which has it", path, to)
			}
		}
	}
	e.get(j.Candidates[0].URL).want(200)
	for _, method := range []string{"PUT", "POST", "DELETE", "PATCH"} {
		if a := e.call(method, j.Candidates[0].URL, ""); a.status != http.StatusMethodNotAllowed {
			t.Errorf("%s = %d", method, a.status)
		}
	}
	if got, err := fetch(e.base + j.Candidates[0].URL); err != nil || got != j.Candidates[0].SHA256 {
		t.Errorf("the picture has changed: %s %v", got, err)
	}
}

// raw sends a path as it is written: a client library would clean it.
func (c *client) raw(path string) (*http.Response, string) {
	c.t.Helper()
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(c.base, "http://"), soon)
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(soon)) // a TCP connection takes deadlines
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		c.t.Fatalf("GET %s: %v", path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("GET %s: %v", path, err)
	}
	return resp, string(body)
}

// A start that cannot succeed ends with one line that names what to change.
func TestRefusedStartsSayOneLine(t *testing.T) {
	t.Parallel()
	running, newer := startEmbedded(t), newerData(t)
	addr := strings.TrimPrefix(running.base, "http://")
	tests := []struct {
		name, file string
		env        []string
		want       []string
	}{
		{"the folder is another's", "api", []string{"DATA_DIR=" + running.data, "LISTEN_ADDR=" + testenv.FreeAddr(t)}, []string{"DATA_DIR", running.data, "another Frontispiece"}},
		{"the port is another's", "api", []string{"DATA_DIR=" + t.TempDir(), "LISTEN_ADDR=" + addr}, []string{"LISTEN_ADDR", addr, "another program"}},
		{"open to everybody", "api", []string{"DATA_DIR=" + t.TempDir(), "LISTEN_ADDR=0.0.0.0:0"}, []string{"LISTEN_ADDR", "JWT_SECRET_KEY"}},
		{"a worker without a queue", "worker", []string{"DATA_DIR=" + t.TempDir()}, []string{"REDIS_URL", "is not set"}},
		{"a worker without a database", "worker", []string{"REDIS_URL=redis://127.0.0.1:1/0"}, []string{"DATABASE_URL", "is not set"}},
		{"a key without its secret", "api", []string{"AWS_ACCESS_KEY_ID=AKIA", "AWS_S3_BUCKET=pictures"}, []string{"AWS_SECRET_ACCESS_KEY"}},
		{"a database that is away", "api", []string{"DATA_DIR=" + t.TempDir(), "DATABASE_URL=postgres://me:hunter2@127.0.0.1:1/site"}, []string{"DATABASE_URL", "127.0.0.1:1"}},
		{"a database of a newer version", "api", []string{"DATA_DIR=" + newer}, []string{"DATABASE_URL", "newer version", "9999", "start a newer version"}},
		{
			"a worker at one", "worker",
			[]string{"DATABASE_URL=sqlite:" + filepath.Join(newer, "frontispiece.db"), "REDIS_URL=redis://127.0.0.1:1/0", "DATA_DIR=" + t.TempDir()},
			[]string{"DATABASE_URL", "start a newer version"},
		},
		{"a folder that is a file", "api", []string{"DATA_DIR=" + filepath.Join(running.data, "lock")}, []string{"DATA_DIR"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantRefused(t, tt.file, tt.env, tt.want)
		})
	}
	t.Cleanup(func() {
		resp, err := http.Get(running.base + "/readyz")
		if err != nil || resp.Body.Close() != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("the running one after all that: %v", err)
		}
	})
}

// newerData is a folder with the rows of a program that knows a step more.
func newerData(t *testing.T) string {
	t.Helper()
	e := startEmbedded(t)
	e.api.kill()
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(e.data, "frontispiece.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.DB().ExecContext(t.Context(), `INSERT INTO frontispiece_migrations (version_id, is_applied) VALUES (9999, 1)`); err != nil {
		t.Fatal(err)
	}
	return e.data
}

func wantRefused(t *testing.T, file string, env, words []string) {
	t.Helper()
	p := newProgram(t, file, file, append(env, "LOG_LEVEL=ERROR")...)
	p.start()
	if code := p.exitCode(soon); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	said := p.stderr.String()
	if strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "frontispiece-"+file+": ") || strings.Contains(said, "hunter2") {
		t.Errorf("said %q, want one line", said)
	}
	for _, word := range words {
		if !strings.Contains(said, word) {
			t.Errorf("said %q, want it to say %q", said, word)
		}
	}
}

// Whoever follows a job or everything is told the end of the answer, and the
// program does not wait for them longer than that takes.
func TestInterruptEndsStreams(t *testing.T) {
	t.Parallel()
	e := startEmbedded(t)
	var streams []*http.Response
	for _, path := range []string{"/v1/events", "/v1/events"} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", e.base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		streams = append(streams, resp)
	}
	if line := "frontispiece_watchers 2\n"; !strings.Contains(string(e.get("/metrics").body), line) {
		t.Errorf("the metrics have not %s", line)
	}
	if code := e.api.stop(syscall.SIGTERM, soon); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, resp := range streams {
		if all, err := io.ReadAll(resp.Body); err != nil || !strings.HasPrefix(string(all), "retry: ") {
			t.Errorf("the stream ended with %v after %q", err, all)
		}
	}
	if line := `path=/v1/events status=200`; strings.Count(e.api.stderr.String(), line) != len(streams) {
		t.Errorf("the log has not %d times %s", len(streams), line)
	}
}

// Ctrl-C lets what runs finish, and the next start goes on where it was.
func TestInterruptDrainsAndTheNextStartGoesOn(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			e := startEmbedded(t, "RENDITIONS=64")
			for range 4 {
				e.mustSubmit(`{"prompt":"A slow boat","count":3,"width":1024,"height":1024}`)
			}
			e.api.stderr.says(t, embeddedBound, "msg=stored")
			if code := e.api.stop(sig, 30*time.Second); code != 0 {
				t.Errorf("exit code %d", code)
			}
			r, err := readRows(t.Context(), e.db)
			if err != nil {
				t.Fatal(err)
			}
			states := r.imageStates()
			if states["stored"] == 0 || states["stored"] == len(r.images) {
				t.Errorf("interrupted too early or too late: %v", states)
			}
			for _, i := range r.images {
				if i.Claimed {
					t.Errorf("image %s is still claimed after a drain", i.ID)
				}
			}
			e.start()
			e.check(embeddedBound).wantAllStored(t)
		})
	}
}
