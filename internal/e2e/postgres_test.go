package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/testenv"
)

// PostgreSQL stops under load and comes back: requests fail meanwhile, and what
// had been accepted ends.
func TestPostgresRestartsUnderLoad(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]time.Duration{"at once": 0, "after a while": 8 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			postgres := testenv.StartPostgres(t)
			s := startSite(t, plan{database: postgres.URL})
			s.approvedDraft("Before the restart")
			stop := s.load(order)
			s.workers[0].stderr.says(t, productionBound, "msg=stored")
			before := len(s.acceptedJobs())

			postgres.Stop()
			<-time.After(outage) // the fault itself
			if a, err := s.try("POST", "/v1/jobs", order); outage > 0 && (err != nil || a.status != http.StatusServiceUnavailable) {
				t.Errorf("without a database: %d %s %v", a.status, a.body, err)
			}
			if err := postgres.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			eventually(t, productionBound, func() error {
				if _, ok := s.submit(order); !ok {
					return errors.New("nothing is accepted")
				}
				return nil
			})
			stop()
			if after := len(s.acceptedJobs()); before == 0 || after == before {
				t.Errorf("%d accepted before, %d in all: no load", before, after)
			}
			if r := s.check(); len(r.posts) != 1 {
				t.Errorf("%d posts of one approved draft", len(r.posts))
			}
		})
	}
}

// The server commits and nobody hears of it: the outcome of a transaction is
// unknown to whoever asked for it, in the API as in the workers.
func TestCommitRepliesAreLost(t *testing.T) {
	t.Parallel()
	w := startWire(t, testenv.Postgres(t))
	s := startSite(t, plan{database: w.url})
	s.awaitJob(s.mustSubmit(order), productionBound)

	w.loseEvery.Store(3)
	stop := s.load(order)
	draft := s.newDraftTried("A commit of which nobody heard")
	s.submit(orderFor(draft, 2)) // the approval begins a round where this one was not heard
	eventually(t, productionBound, func() error {
		a, err := s.try("POST", "/api/content/tasks/"+draft+"/approve", approval)
		if err == nil && a.status != http.StatusOK {
			err = fmt.Errorf("approval: %d %s", a.status, a.body)
		}
		return err
	})
	eventually(t, productionBound, func() error {
		if n := w.lost.Load(); n < 30 {
			return fmt.Errorf("only %d replies were lost", n)
		}
		return nil
	})
	stop()
	w.loseEvery.Store(0)

	r := s.check()
	r.wantAllStored(t)
	if len(r.posts) != 1 {
		t.Errorf("%d posts of one approved draft", len(r.posts))
	}
	t.Logf("%d replies to a commit were lost; %d jobs, of which %d clients heard", w.lost.Load(), len(r.jobs), len(r.accepted))
}

// A pooler hands each transaction another of its few sessions.
func TestThroughAPooler(t *testing.T) {
	t.Parallel()
	pooler := testenv.StartPgbouncer(t, testenv.Postgres(t))
	s := startSite(t, plan{database: pooler.URL + "&default_query_exec_mode=exec"}) // as the refusal of the bare one says
	drafts := make([]string, 4)
	stop := s.load(order)
	for n := range drafts {
		drafts[n] = s.approvedDraft(fmt.Sprint("Through a pooler ", n))
	}
	for _, draft := range drafts {
		s.awaitStatus(draft, "published", productionBound)
	}
	stop()
	s.check().wantAllStored(t)
}

// approvedDraft is published as soon as its picture is there.
func (c *client) approvedDraft(title string) string {
	c.t.Helper()
	draft := c.newDraft(title)
	c.mustSubmit(orderFor(draft, 1))
	c.approve(draft)
	return draft
}

// newDraftTried creates a draft through an API whose database is in trouble.
// The one whose answer was lost stays behind without a picture.
func (c *client) newDraftTried(title string) (id string) {
	c.t.Helper()
	eventually(c.t, productionBound, func() error {
		a, err := c.try("POST", "/api/content/tasks", `{"title":"`+title+`","content":"Once.","tags":["Cloud"]}`)
		if err != nil {
			return err
		}
		if a.status != http.StatusCreated {
			return fmt.Errorf("new draft: %d %s", a.status, a.body)
		}
		id, _ = a.object()["task_id"].(string)
		return nil
	})
	return id
}

// wire stands between the programs and PostgreSQL and swallows the replies to
// commits: no toxin of a general proxy knows which bytes those are.
type wire struct {
	url    string
	target string
	// loseEvery is n to lose every nth reply to a commit, 0 to lose none.
	loseEvery atomic.Int64
	commits   atomic.Int64
	lost      atomic.Int64
}

func startWire(t testing.TB, database string) *wire {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{target: u.Host}
	u.Host = l.Addr().String()
	w.url = u.String()
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { w.carry(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); conns.Wait() }) // the programs are dead by then
	return w
}

// commit is pgx's simple query, message header included.
var commit = []byte("Q\x00\x00\x00\x0bcommit\x00")

func (w *wire) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer server.Close()
	var losing atomic.Bool // the reply that comes next
	go func() {
		defer server.Close()
		buf := make([]byte, 32<<10)
		for {
			n, err := client.Read(buf)
			if bytes.HasSuffix(buf[:n], commit) {
				every := w.loseEvery.Load()
				losing.Store(every > 0 && w.commits.Add(1)%every == 0)
			}
			if _, werr := server.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := server.Read(buf)
		if losing.Load() && n > 0 {
			w.lost.Add(1)
			return // committed, and the connection breaks
		}
		if _, werr := client.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}
