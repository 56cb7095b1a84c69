// Package apptest runs the whole embedded program inside a test, as cmd/api does.
// Only tests may import it.
package apptest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/testenv"
)

// patience is how long the program may take to listen. Only a test that fails
// waits so long, and a machine may be busy with much else.
const patience = 3 * time.Minute

// Program is the whole program, running until its test ends.
type Program struct {
	Base   string // its URL, without a slash at the end
	Token  string // with which the test itself asks; empty: as everybody on this machine
	Config config.Config

	t *testing.T
}

// Start runs the program on a free port with a data folder of its own, and with
// what env adds ("NAME=value").
func Start(t *testing.T, env ...string) *Program {
	t.Helper()
	addr := testenv.FreeAddr(t)
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
	return &Program{Base: "http://" + addr, Config: cfg, t: t}
}

// Do sends a request with the test's token and returns the answer's body.
func (p *Program) Do(method, path, contentType string, body []byte) (status int, answer []byte) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.Base+path, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if contentType != jsonType {
		req.Header.Set("Accept", "text/html")
	}
	if p.Token != "" {
		req.Header.Set("Authorization", "Bearer "+p.Token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(resp.Body); err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, answer
}

const jsonType = "application/json"

// JSON sends JSON, and fails the test unless the answer is a success; one
// without a body is nil.
func (p *Program) JSON(method, path string, body any) (answer map[string]any) {
	p.t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	status, got := p.Do(method, path, jsonType, encoded)
	if len(got) > 0 {
		err = json.Unmarshal(got, &answer)
	}
	if err != nil || status >= http.StatusMultipleChoices {
		p.t.Fatalf("%s %s: %d %s %v", method, path, status, got, err)
	}
	return answer
}

// Draft makes a draft through the site's API, with what more changes of it, and
// returns its id.
func (p *Program) Draft(title string, more map[string]any) string {
	p.t.Helper()
	body := map[string]any{"title": title, "topic": title[:min(len(title), maxTopic)], "content": "# " + title + "\n\nSome words about it.", "excerpt": "In short.", "category": "Culture"}
	maps.Copy(body, more)
	return fmt.Sprint(p.JSON(http.MethodPost, "/api/content/tasks", body)["task_id"])
}

// maxTopic is within what the site's API takes.
const maxTopic = 180

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
