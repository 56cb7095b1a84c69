package worker_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/ops"
	"github.com/glad-labs/frontispiece/internal/testenv"
	"github.com/glad-labs/frontispiece/tasks"
)

var update = flag.Bool("update", false, "rewrite docs/dashboard.md")

// The states of a task in the dashboard, each a tab of a queue's page.
var states = []string{"pending", "active", "scheduled", "retry", "archived", "completed"}

// button is one of the dashboard's, with the tabs that have it. Each is pressed
// in three ways where it has them: at one task, for those that are selected,
// and for all.
type button struct {
	name, method string
	tabs         []string
}

var buttons = []button{
	{"run", http.MethodPost, []string{"scheduled", "retry", "archived"}},
	{"archive", http.MethodPost, []string{"pending", "scheduled", "retry"}},
	{"delete", http.MethodDelete, []string{"pending", "scheduled", "retry", "archived", "completed"}},
	{"cancel", http.MethodPost, []string{"active"}},
	{"pause queue", http.MethodPost, states},
	{"delete queue", http.MethodDelete, states},
}

// The ways to press a button.
const (
	atOne    = "one"
	selected = "selected"
	all      = "all"
	theQueue = "queue"
)

func (b button) ways() []string {
	if strings.HasSuffix(b.name, "queue") {
		return []string{theQueue}
	}
	return []string{atOne, selected, all}
}

// address is where a press goes, and with what method and body.
func (b button) address(way, tab string, t subject) (method, path string, body any) {
	queuePath := ops.Root + "/api/queues/" + t.bell.Queue
	switch way {
	case theQueue:
		if b.name == "pause queue" {
			return b.method, queuePath + ":pause", nil
		}
		return b.method, queuePath, nil
	case all:
		return b.method, queuePath + "/" + tab + "_tasks:" + b.name + "_all", nil
	case selected:
		return http.MethodPost, queuePath + "/" + tab + "_tasks:batch_" + b.name, map[string][]string{"task_ids": {t.bell.Payload.TaskID()}}
	}
	path = queuePath + "/" + tab + "_tasks/" + t.bell.Payload.TaskID()
	if b.method != http.MethodDelete {
		path += ":" + b.name
	}
	return b.method, path, nil
}

// press sends what the dashboard's page would, and returns the status.
func (f *floor) press(method, path string, body any) int {
	f.t.Helper()
	var sent bytes.Buffer
	if body != nil {
		f.must(json.NewEncoder(&sent).Encode(body))
	}
	r := httptest.NewRequest(method, path, &sent)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	answer := httptest.NewRecorder()
	f.dashboard.ServeHTTP(answer, r)
	return answer.Code
}

// cell is a button pressed in a way at a state.
type cell struct {
	state  string
	button button
	way    string
}

func (c cell) String() string { return c.state + ", " + c.button.name + ", " + c.way }

// play presses the button at a task of every kind, before and after its post is
// published, lets a worker go on, and checks every promise. It returns what
// became of the tasks, for the page.
func (c cell) play(t *testing.T) (before, after string) {
	f := newFloor(t)
	setUp, notifier := f.process()
	var subjects []subject
	for _, kind := range kinds {
		subjects = append(subjects, f.subject(setUp, notifier, kind, false))
		if c.state != "active" { // a task of a published picture ends the moment it becomes active
			subjects = append(subjects, f.subject(setUp, notifier, kind, true))
		}
	}
	setUp.life.kill()
	f.asynq.flush() // the rings of the set-up
	if c.state == "active" {
		f.gate.close()
	}
	for _, s := range subjects {
		f.put(s, c.state)
	}
	if c.state == "active" {
		f.work()
		pass(3 * time.Second)
	}
	statuses := map[string]int{}
	for _, s := range subjects {
		if got := f.state(s); got != c.state {
			t.Fatalf("the set-up left the task of %s (after: %v) %s", s.kind, s.after, got)
		}
	}
	for _, s := range subjects {
		method, path, body := c.button.address(c.way, c.state, s)
		if c.way == theQueue || c.way == all {
			if _, pressed := statuses[s.bell.Queue]; pressed {
				continue // one press does for the whole queue
			}
		}
		statuses[s.bell.Queue] = f.press(method, path, body)
	}
	f.checkPress(c, statuses)
	f.gate.open()
	if c.state != "active" {
		f.work()
	}
	if c.button.name == "pause queue" {
		f.whilePaused(c, subjects)
	}
	for _, s := range subjects {
		f.waitFor(s.job.ID, 2*within)
	}
	pass(later + 2*reconcileEvery)
	if c.state == "active" {
		pass(asynqRecovers)
	}
	return f.outcome(c, subjects)
}

// checkPress wants success, but for deleting a queue that holds anything: asynq
// refuses that.
func (f *floor) checkPress(c cell, statuses map[string]int) {
	f.t.Helper()
	for name, status := range statuses {
		refused := c.button.name == "delete queue" && c.state != "completed"
		if ok := status/100 == 2; ok == refused {
			f.t.Errorf("%s at the queue %s answers %d", c, name, status)
		}
	}
}

// whilePaused checks that paused queues stand still and are reported, and
// resumes them in turn as /ops does and as the dashboard does.
func (f *floor) whilePaused(c cell, subjects []subject) {
	f.t.Helper()
	pass(10 * time.Second)
	conditions, err := f.asynq.Conditions(f.t.Context())
	f.must(err)
	for i, q := range conditions {
		if !q.Paused {
			f.t.Errorf("the queue %s is not reported as paused", q.Name)
		}
		if i%2 == 1 {
			if status := f.press(http.MethodPost, ops.Root+"/api/queues/"+q.Name+":resume", nil); status != http.StatusNoContent {
				f.t.Errorf("the dashboard's resuming of %s answers %d", q.Name, status)
			}
			continue
		}
		r := httptest.NewRequest(http.MethodPost, "/ops/resume", strings.NewReader("queue="+q.Name))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		f.dashboard.ServeHTTP(answer, r)
		if answer.Code != http.StatusSeeOther {
			f.t.Errorf("resuming %s answers %d", q.Name, answer.Code)
		}
	}
	for _, s := range subjects {
		if s.kind == "generate" && !s.after && c.state == "pending" && f.job(s.job.ID).State.IsFinal() {
			f.t.Error("a paused queue was worked on")
		}
	}
}

// outcome checks the promises and says in words what became of the tasks.
func (f *floor) outcome(c cell, subjects []subject) (before, after string) {
	f.t.Helper()
	rung, same := 0, 0
	for _, s := range subjects {
		img, err := f.store.Image(f.t.Context(), s.job.Images[0].ID)
		f.must(err)
		post := f.post(s.draft)
		switch {
		case img.State != editorial.StateStored, post.FeaturedImageURL != img.URL:
			f.t.Errorf("%s: the picture of %s is %s, its post shows %q", c, s.kind, img.State, post.FeaturedImageURL)
		case s.after && (post.FeaturedImageURL != s.post.FeaturedImageURL || !post.UpdatedAt.Equal(s.post.UpdatedAt) || f.painter.count(img.ID) != s.painted):
			f.t.Errorf("%s: a published post of %s was changed, or its picture made again", c, s.kind)
		}
		if told := f.told.count(f.delivery(s.draft)); told != 1 {
			f.t.Errorf("%s: the post of %s was told %d times", c, s.kind, told)
		}
		if s.after {
			continue
		}
		if f.epochOf(s) > s.bell.Payload.Epoch+extraEpochs(s) {
			rung++
		} else {
			same++
		}
	}
	for _, wrong := range f.broken() {
		// What an operator archived, or another program wants kept, stays.
		if !strings.HasPrefix(wrong, "I9") {
			f.t.Errorf("%s: %s", c, wrong)
		}
	}
	f.checkLeft(c)
	before = map[bool]string{true: "the same task goes on", false: "the reconciler rings the row anew"}[rung == 0]
	if rung > 0 && same > 0 {
		before = "the same task goes on, or the reconciler rings the row anew"
	}
	if c.state == "active" {
		return c.words() + before, "cannot be: it ends the moment it is taken"
	}
	return c.words() + before, "nothing changes"
}

// words is what asynq makes of a press, as checkPress and whilePaused saw it.
func (c cell) words() string {
	switch {
	case c.button.name == "pause queue":
		return "stands still until resumed; "
	case c.button.name == "delete queue" && c.state != "completed":
		return "refused, since the queue is not empty; "
	case c.button.name == "cancel":
		return "the try is broken off and begins again; "
	default:
		return ""
	}
}

// extraEpochs is how often a row's epoch is raised on the usual way from a kind
// of task until it is stored.
func extraEpochs(s subject) int64 {
	if s.kind == "generate" || s.kind == "backfill" {
		return 1 // spooled: the upload is rung under the next
	}
	return 0
}

func (f *floor) epochOf(s subject) (epoch int64) {
	query, id := `SELECT epoch FROM images WHERE id = ?`, s.bell.Payload.ID
	if s.kind == "notify" {
		query = `SELECT epoch FROM webhook_deliveries WHERE id = ?`
	}
	f.must(f.store.DB().GetContext(f.t.Context(), &epoch, query, id))
	return epoch
}

// checkLeft wants nothing in the queue but what was put away on purpose.
func (f *floor) checkLeft(c cell) {
	f.t.Helper()
	for _, left := range f.line.left() {
		if !strings.Contains(left, "archived") && !strings.Contains(left, "completed") {
			f.t.Errorf("%s: the queue still knows %s", c, left)
		}
	}
}

// Every button of the dashboard, at every state of every kind of task, before
// and after its post is published: no job is lost, and no published picture
// changes. docs/dashboard.md is the table of what was seen.
func TestEveryButtonOfTheDashboard(t *testing.T) {
	var cells []cell
	for _, state := range states {
		for _, b := range buttons {
			if !slices.Contains(b.tabs, state) {
				continue
			}
			for _, way := range b.ways() {
				cells = append(cells, cell{state, b, way})
			}
		}
	}
	before, after := make([]string, len(cells)), make([]string, len(cells))
	t.Run("cells", func(t *testing.T) {
		for i, c := range cells {
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { before[i], after[i] = c.play(t) })
			})
		}
	})
	if t.Failed() || slices.Contains(before, "") {
		return // or -run chose some of them
	}
	checkPage(t, cells, before, after)
}

// The table has every button: whatever of asynqmon's API changes anything is
// pressed by it.
func TestNoButtonIsLeftOut(t *testing.T) {
	t.Parallel()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/hibiken/asynqmon").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "handler.go"))
	if err != nil {
		t.Fatal(err)
	}
	pressed := map[string]bool{"POST /queues/{qname}:resume": true} // by whilePaused
	anything := subject{bell: dispatch.Bell{Queue: "{qname}", Payload: tasks.NewPayload("id", 0)}}
	for _, b := range buttons {
		for _, tab := range b.tabs {
			for _, way := range b.ways() {
				method, path, _ := b.address(way, tab, anything)
				path = strings.TrimPrefix(path, ops.Root+"/api")
				pressed[method+" "+strings.ReplaceAll(path, anything.bell.Payload.TaskID(), "{task_id}")] = true
			}
		}
	}
	routes := regexp.MustCompile(`api\.HandleFunc\("([^"]+)", .*Methods\("(POST|DELETE|PUT|PATCH)"\)`).FindAllStringSubmatch(string(source), -1)
	if len(routes) < 30 {
		t.Fatalf("asynqmon has %d routes that change something; is it read right?", len(routes))
	}
	for _, r := range routes {
		if strings.Contains(r[1], "/groups/") {
			continue // none of our tasks is in a group
		}
		if button := r[2] + " " + r[1]; !pressed[button] {
			t.Errorf("nobody presses %s", button)
		}
	}
}

// checkPage compares the table in docs/dashboard.md with what was seen.
func checkPage(t *testing.T, cells []cell, before, after []string) {
	t.Helper()
	const begin, end = "<!-- seen by TestEveryButtonOfTheDashboard; make generate rewrites it -->\n", "<!-- end -->\n"
	var table strings.Builder
	table.WriteString("\n| state | button | pressed for | before the post is published | after |\n| --- | --- | --- | --- | --- |\n")
	for i := 0; i < len(cells); i++ {
		ways := []string{cells[i].way}
		for i+1 < len(cells) && cells[i+1].state == cells[i].state && cells[i+1].button.name == cells[i].button.name && before[i+1] == before[i] {
			i++
			ways = append(ways, cells[i].way)
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s | %s |\n", cells[i].state, cells[i].button.name, strings.Join(ways, ", "), before[i], after[i])
	}
	table.WriteString("\n")
	path := filepath.Join(testenv.Root(t), "docs", "dashboard.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(page), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	switch {
	case !ok || !ok2:
		t.Fatalf("%s has no place for the table", path)
	case old == table.String():
	case *update:
		if err := os.WriteFile(path, []byte(head+begin+table.String()+end+tail), 0o600); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("docs/dashboard.md is not what was seen; go test ./internal/worker -run Dashboard -update\n%s", table.String())
	}
}
