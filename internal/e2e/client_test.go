package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// client calls one API as a front end does, and remembers every job that was
// accepted: those are what promise P1 is about.
type client struct {
	t    testing.TB
	base string // "http://127.0.0.1:<port>"
	http *http.Client

	mu       sync.Mutex
	accepted []string
}

func newClient(t testing.TB, base string) *client {
	return &client{t: t, base: base, http: &http.Client{Timeout: 3 * time.Minute}}
}

// answer is what came back.
type answer struct {
	t      testing.TB
	what   string // method and path
	status int
	header http.Header
	body   []byte
	took   time.Duration
}

// try sends a request that may fail: the API may be dead.
func (c *client) try(method, path, body string, header ...string) (answer, error) {
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for pair := range slices.Chunk(header, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	began := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{t: c.t, what: method + " " + path, status: resp.StatusCode, header: resp.Header}
	a.body, err = io.ReadAll(resp.Body)
	a.took = time.Since(began)
	return a, err
}

func (c *client) call(method, path, body string, header ...string) answer {
	c.t.Helper()
	a, err := c.try(method, path, body, header...)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func (c *client) get(path string) answer { c.t.Helper(); return c.call("GET", path, "") }

func (c *client) post(path, body string) answer { c.t.Helper(); return c.call("POST", path, body) }

// want fails the test on any other status.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s = %d, want %d: %s", a.what, a.status, status, a.body)
	}
	return a
}

// object is the body as JSON.
func (a answer) object() map[string]any {
	a.t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.body, &m); err != nil {
		a.t.Fatalf("%s: %v: %s", a.what, err, a.body)
	}
	return m
}

// into decodes the body.
func (a answer) into(v any) {
	a.t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		a.t.Fatalf("%s: %v: %s", a.what, err, a.body)
	}
}

// job is what these tests read of a job.
type job struct {
	ID         string      `json:"id"`
	State      string      `json:"state"`
	Candidates []candidate `json:"candidates"`
	Failure    *failure    `json:"failure"`
}

type candidate struct {
	ID      string   `json:"id"`
	Number  int      `json:"number"`
	State   string   `json:"state"`
	URL     string   `json:"url"`
	SHA256  string   `json:"sha256"`
	Attempt int      `json:"attempt"`
	Failure *failure `json:"failure"`
}

// failure has to be complete wherever there is one (P10).
type failure struct {
	Code     string `json:"code"`
	Stage    string `json:"stage"`
	Class    string `json:"class"`
	Provider string `json:"provider"`
	Message  string `json:"message"`
}

func (f *failure) complete() bool {
	return f != nil && f.Code != "" && f.Stage != "" && f.Class != "" && f.Provider != "" && f.Message != ""
}

// submit asks for pictures; ok is false when the job was not accepted, for
// whatever reason.
func (c *client) submit(body string) (id string, ok bool) {
	a, err := c.try("POST", "/v1/jobs", body)
	if err != nil || a.status != http.StatusAccepted && a.status != http.StatusCreated && a.status != http.StatusOK {
		return "", false
	}
	var j job
	if json.Unmarshal(a.body, &j) != nil || j.ID == "" {
		return "", false
	}
	c.accept(j.ID)
	return j.ID, true
}

// mustSubmit asks for pictures of which the job has to be accepted.
func (c *client) mustSubmit(body string) string {
	c.t.Helper()
	var j job
	c.post("/v1/jobs", body).want(http.StatusAccepted).into(&j)
	c.accept(j.ID)
	return j.ID
}

func (c *client) accept(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.accepted = append(c.accepted, id)
}

func (c *client) acceptedJobs() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.accepted)
}

func (c *client) job(id string) (j job) {
	c.t.Helper()
	c.get("/v1/jobs/" + id).want(http.StatusOK).into(&j)
	return j
}

// awaitJob waits for a job's end.
func (c *client) awaitJob(id string, within time.Duration) (j job) {
	c.t.Helper()
	eventually(c.t, within, func() error {
		j = c.job(id)
		switch j.State {
		case "stored", "failed", "canceled", "superseded":
			return nil
		}
		return fmt.Errorf("job %s is %s", id, j.State)
	})
	return j
}

// newDraft creates a draft with finished content, as the site's pipeline does.
func (c *client) newDraft(title string) string {
	c.t.Helper()
	body, err := json.Marshal(map[string]any{
		"title": title, "content": "# " + title + "\n\nOnce upon a time.", "excerpt": "Once upon a time.",
		"topic": title, "category": "Seafaring", "tags": []string{"Cloud", "Lighthouses"}, "author": "Jane Doe",
		"seo_title": "In short", "seo_description": "About it.", "seo_keywords": "light, house",
	})
	if err != nil {
		c.t.Fatal(err)
	}
	id, _ := c.post("/api/content/tasks", string(body)).want(http.StatusCreated).object()["task_id"].(string)
	if id == "" {
		c.t.Fatal("the new draft has no id")
	}
	return id
}

// approval is the site's own body; its front end knows no picture.
const approval = `{"approved":true,"human_feedback":"Reads very well.","reviewer_id":"jane.doe"}`

func (c *client) approve(draft string) map[string]any {
	c.t.Helper()
	return c.post("/api/content/tasks/"+draft+"/approve", approval).want(http.StatusOK).object()
}

// awaitStatus waits until a draft has a status.
func (c *client) awaitStatus(draft, status string, within time.Duration) map[string]any {
	c.t.Helper()
	var m map[string]any
	eventually(c.t, within, func() error {
		m = c.get("/api/content/tasks/" + draft).want(http.StatusOK).object()
		if m["status"] != status {
			return fmt.Errorf("draft %s is %v", draft, m["status"])
		}
		return nil
	})
	return m
}

// fetch reads a picture at an absolute URL and returns its digest.
func fetch(url string) (digest string, err error) {
	resp, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s %.200s", url, resp.Status, bytes.TrimSpace(b))
	}
	return digestOf(b), nil
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
