package ops_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/ops"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/store"
)

// scene is what a room looks at, and what its buttons did.
type scene struct {
	now        time.Time
	survey     store.Survey
	workers    []store.Worker
	spools     []store.Spool
	troubles   []store.Trouble
	queues     []queue.Condition
	generators []ops.Generator
	budgets    []ops.Budget
	rowsErr    error
	queueErr   error
	retryErr   map[string]error

	mu      sync.Mutex
	looks   int
	retried []string
	resumed []string
	report  dispatch.Report
}

func (s *scene) Survey(context.Context) (store.Survey, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	return s.survey, s.now, s.rowsErr
}
func (s *scene) Workers(context.Context) ([]store.Worker, error)        { return s.workers, nil }
func (s *scene) Spools(context.Context) ([]store.Spool, error)          { return s.spools, nil }
func (s *scene) Troubles(context.Context, int) ([]store.Trouble, error) { return s.troubles, s.rowsErr }

func (s *scene) Conditions(context.Context) ([]queue.Condition, error) { return s.queues, s.queueErr }
func (s *scene) Reconcile(context.Context) (dispatch.Report, error)    { return s.report, nil }
func (s *scene) Resume(_ context.Context, name string) error {
	s.resumed = append(s.resumed, name)
	return nil
}

func (s *scene) Retry(_ context.Context, id, caller string) (editorial.Job, error) {
	if caller != "olga" {
		return editorial.Job{}, errors.New("nobody pressed the button")
	}
	s.retried = append(s.retried, id)
	return editorial.Job{}, s.retryErr[id]
}

// well is a scene in which nothing is wrong.
func well() *scene {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	return &scene{
		now:        now,
		workers:    []store.Worker{{ID: "w", Host: "worker-1", Version: "v1", SpoolID: "spool-one", DiskFree: 1 << 30, SeenAt: now.Add(-5 * time.Second)}},
		spools:     []store.Spool{{ID: "spool-one", Host: "worker-1", Bytes: 1 << 20, Quota: 1 << 30, SeenAt: now.Add(-5 * time.Second)}},
		queues:     []queue.Condition{{Name: "generate", Pending: 2}, {Name: "upload-spool-one"}},
		generators: []ops.Generator{{Name: "card", OK: true}},
	}
}

func (s *scene) room(role auth.Role) (*ops.Room, http.Handler) {
	log := slog.New(slog.DiscardHandler)
	room := ops.New(ops.Config{
		Rows: s, Queues: s, Changes: s, Log: log, Fail: ops.Refuse(log), SpoolLostAfter: 15 * time.Minute, Version: "v1",
		Generators: func(context.Context) []ops.Generator { return s.generators },
		Budgets:    func(context.Context) ([]ops.Budget, error) { return s.budgets, nil },
		Auth: auth.Authenticator{func(*http.Request) (*auth.Identity, error) {
			return &auth.Identity{Subject: "olga", Role: role}, nil
		}},
	})
	return room, room.Handler(http.NotFoundHandler())
}

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return answer
}

func press(t *testing.T, h http.Handler, path string, fields ...string) *httptest.ResponseRecorder {
	t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

func failure(stage editorial.Stage, provider, code, message string) editorial.Failure {
	return *editorial.NewFailure(code, stage, editorial.Terminal, provider, message)
}

// Each thing that can be wrong is said in plain words, with why and what to do,
// and nothing is said when nothing is wrong.
func TestWhatThePageSays(t *testing.T) {
	t.Parallel()
	ago := func(s *scene, d time.Duration) time.Time { return s.now.Add(-d) }
	tests := []struct {
		name   string
		change func(*scene)
		want   []string
	}{
		{"nothing is wrong", func(*scene) {}, []string{"Everything works", "Nothing is stuck"}},
		{"the database is away", func(s *scene) { s.rowsErr = errors.New("connection refused") }, []string{"1 thing needs you", "The database does not answer", "frontispiece doctor"}},
		{"Redis is away", func(s *scene) { s.queueErr = errors.New("connection refused") }, []string{"Redis does not answer", "nothing is lost"}},
		{"no worker, and pictures wait", func(s *scene) {
			s.workers[0].SeenAt = ago(s, time.Hour)
			s.spools[0].Bytes = 0
			s.survey.Queued = store.Standing{Count: 3, Oldest: ago(s, time.Minute)}
		}, []string{"No worker is running", "3 pictures wait and nobody works on them", "silent for 1 h"}},
		{"no worker, and nothing waits", func(s *scene) { s.workers = nil }, []string{"It works, with 1 thing to look at", "No worker is running"}},
		{"uploads are paused", func(s *scene) { s.workers[0].UploadsPaused = "s3 access_denied: no" }, []string{"Uploads are paused on worker-1", "S3 access_denied: no.", "go on by themselves"}},
		{"generating is paused", func(s *scene) {
			s.workers[0].GeneratingPaused = "the disk of the spool (SPOOL_DIR) is full"
			s.survey.Queued = store.Standing{Count: 2, Oldest: ago(s, time.Hour)} // needs no advice of its own
		}, []string{"1 thing to look at", "Generating is paused on worker-1", "The disk of the spool (SPOOL_DIR) is full.", "Meanwhile 2 pictures wait in line."}},
		{"a disk is away", func(s *scene) {
			s.spools = append(s.spools, store.Spool{ID: "abcdefghij", Host: "w2", Bytes: 3 << 20, SeenAt: ago(s, 2*time.Minute)})
		}, []string{"The disk of w2 is away with 3.0 MiB", "abcdefgh", "After 15 min of silence"}},
		{"a disk has been away for long", func(s *scene) {
			s.spools = append(s.spools, store.Spool{ID: "a", Host: "w2", Bytes: 3 << 20, SeenAt: ago(s, 2*time.Hour)})
		}, []string{"has been away for 2 h", "made again elsewhere"}},
		{"a spool fills", func(s *scene) { s.spools[0].Bytes = 900 << 20 }, []string{"nearly full", "900 MiB of 1.0 GiB"}},
		{"a queue is paused", func(s *scene) { s.queues[0].Paused = true }, []string{"The queue generate is paused", "2 tasks wait", `action="/ops/resume"`, `name="queue" value="generate"`}},
		{"pictures wait for long", func(s *scene) { s.survey.Queued = store.Standing{Count: 2, Oldest: ago(s, time.Hour)} }, []string{"2 pictures wait to be generated", "The oldest for 1 h", "Reconcile now"}},
		{"a delivery was given up", func(s *scene) { s.survey.DeliveriesFailed.Count = 1 }, []string{"1 was given up"}},
		{"uploads failed", func(s *scene) {
			s.troubles = []store.Trouble{{JobID: "j", Failed: true, Spooled: true, Failure: failure("upload", "s3", "access_denied", "no")}}
		}, []string{"1 upload was given up", "Retry all failed uploads", "Uploads from the spool; nothing is generated"}},
		{"a generator is down", func(s *scene) {
			s.generators = append(s.generators, ops.Generator{Name: "sdcpp", Detail: "connection refused; start it"})
		}, []string{"The generator sdcpp does not answer", "go to the next generator", "Connection refused; start it."}},
		{"the bucket is away", func(s *scene) {
			s.survey.Uploading = store.Standing{Count: 3, Oldest: ago(s, time.Minute)}
			for range 3 {
				s.troubles = append(s.troubles, store.Trouble{JobID: "j", Spooled: true, Failure: failure("upload", "bucket", "unreachable", "no answer from s3:443.")})
			}
		}, []string{"It works, with 1 thing to look at", "3 uploads fail and are tried again", "The bucket says: no answer from s3:443.<", "go on by themselves"}},
		{"the bucket has been away for a while", func(s *scene) {
			s.survey.Queued = store.Standing{Count: 7, Oldest: ago(s, time.Minute)}
			s.survey.Uploading = store.Standing{Count: 1, Oldest: ago(s, 40*time.Minute)}
			s.spools[0].Bytes, s.workers[0].GeneratingPaused = 1<<30, "the spool is at its quota"
			s.troubles = []store.Trouble{{JobID: "j", Spooled: true, Failure: failure("upload", "bucket", "unreachable", "no answer")}}
		}, []string{"1 thing needs you, and 1 can wait", "No picture can be stored: 1 upload fails and is tried again", "Generating is paused on worker-1", "Meanwhile 7 pictures wait in line"}},
		{"the bucket hiccups", func(s *scene) {
			s.survey.Uploading = store.Standing{Count: 1, Oldest: ago(s, time.Minute)}
			s.troubles = []store.Trouble{{JobID: "j", Spooled: true, Failure: failure("upload", "bucket", "slow_down", "503")}}
		}, []string{"Everything works", "tried again by itself"}},
		{"every generator is down", func(s *scene) { s.generators[0].OK = false }, []string{"1 thing needs you", "No generator would take a request now"}},
		{"a budget is spent", func(s *scene) {
			s.budgets = []ops.Budget{{Name: "Pexels this hour", Unit: "requests", Used: 200, Limit: 200, Spent: true}}
		}, []string{"The budget for Pexels this hour is spent", "200 of 200 requests", "renews by itself"}},
		{"the month's money is spent", func(s *scene) {
			s.budgets = []ops.Budget{{Name: "pictures this month", Unit: ops.UnitUSD, Used: 24.97, Limit: 25, Spent: true, Do: "Raise SPEND_CAP."}}
		}, []string{"The budget for pictures this month is spent", "$24.97 of $25.00", "Raise SPEND_CAP."}},
		{"nobody set a cap", func(s *scene) {
			s.budgets = []ops.Budget{{Name: "pictures this month", Unit: ops.UnitUSD, Used: 3.5}}
		}, []string{"Everything works", "$3.50, without a cap"}},
		{"failed uploads are on a disk that is away", func(s *scene) {
			s.spools = append(s.spools, store.Spool{ID: "b", Host: "w2", Bytes: 3 << 20, SeenAt: ago(s, 5*time.Minute)})
			s.troubles = []store.Trouble{{JobID: "j", Failed: true, Spooled: true, SpoolID: "b", Failure: failure("upload", "s3", "access_denied", "no")}}
		}, []string{"2 things need you", "It is on the disk of w2, which is away", "Start a worker on that disk first"}},
		{"something is tried again", func(s *scene) {
			f := failure("upload", "s3", "unavailable", "503")
			f.At = ago(s, 3*time.Minute)
			s.troubles = []store.Trouble{{JobID: "j", Title: "Night Trains", NextAttemptAt: s.now.Add(4 * time.Minute), Failure: f}}
		}, []string{"tried again by itself, in 4 min", "3 min ago", "Night Trains"}},
		{"scripts in an error", func(s *scene) {
			s.troubles = []store.Trouble{{JobID: "j", Failed: true, Failure: failure("generate", "openai", "refused", "<script>alert(1)</script>\u202e")}}
		}, []string{"&lt;script&gt;alert(1)", `<bdi dir="auto">`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := well()
			tt.change(s)
			_, h := s.room(auth.Operator)
			answer := get(t, h, "/ops")
			page := strings.ReplaceAll(answer.Body.String(), "&#39;", "'")
			for _, want := range tt.want {
				if !strings.Contains(page, want) {
					t.Errorf("the page does not say %q:\n%s", want, page)
				}
			}
			if answer.Code != http.StatusOK || strings.Contains(page, "<script>alert") || strings.Contains(page, " style=") {
				t.Errorf("the page answers %d, runs what an error says, or has an inline style", answer.Code)
			}
		})
	}
}

// A button retries its own group and nothing else, the oldest job first, each
// once; what somebody else retried meanwhile is no error.
func TestRetrying(t *testing.T) {
	t.Parallel()
	scenery := func() *scene {
		s := well()
		denied, refused := failure("upload", "s3", "access_denied", "no"), failure("generate", "openai", "refused", "no")
		s.troubles = []store.Trouble{
			{JobID: "waits", Failure: denied, Spooled: true},
			{JobID: "new", Failed: true, Spooled: true, Failure: denied},
			{JobID: "refused", Failed: true, Failure: refused},
			{JobID: "old", Failed: true, Spooled: true, Failure: denied},
			{JobID: "old", Failed: true, Spooled: true, Failure: denied},
		}
		s.retryErr = map[string]error{"old": editorial.Conflictf("nothing_failed", "somebody else was faster")}
		return s
	}
	tests := []struct {
		name   string
		fields []string
		want   []string
		said   string
	}{
		{"all uploads", []string{"all", "uploads"}, []string{"old", "new"}, "2 jobs were sent back"},
		{"one cause", []string{"stage", "generate", "provider", "openai", "code", "refused"}, []string{"refused"}, "1 job was sent back"},
		{"a cause that is gone", []string{"stage", "generate", "provider", "openai", "code", "mended"}, nil, "nothing left to retry"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := scenery()
			_, h := s.room(auth.Operator)
			answer := press(t, h, "/ops/retry", tt.fields...)
			if answer.Code != http.StatusSeeOther || !slices.Equal(s.retried, tt.want) {
				t.Fatalf("answers %d and retries %v, want a redirect and %v", answer.Code, s.retried, tt.want)
			}
			page := get(t, h, answer.Header().Get("Location")).Body.String()
			if !strings.Contains(page, tt.said) {
				t.Errorf("the page afterwards does not say %q", tt.said)
			}
		})
	}
	broken := scenery()
	broken.retryErr["old"] = errors.New("connection refused")
	_, h := broken.room(auth.Operator)
	if answer := press(t, h, "/ops/retry", "all", "uploads"); answer.Code != http.StatusServiceUnavailable || strings.Contains(answer.Body.String(), "connection refused") {
		t.Errorf("without a database it answers %d: %s", answer.Code, answer.Body)
	}
}

func TestTheOtherButtons(t *testing.T) {
	t.Parallel()
	s := well()
	s.report = dispatch.Report{Rung: 2, Published: 1}
	_, h := s.room(auth.Operator)
	if answer := press(t, h, "/ops/reconcile"); !strings.Contains(answer.Header().Get("Location"), url.QueryEscape("2 tasks rung anew, 1 post published late")) {
		t.Errorf("reconciling leads to %s", answer.Header().Get("Location"))
	}
	if answer := press(t, h, "/ops/resume", "queue", "generate"); answer.Code != http.StatusSeeOther || !slices.Equal(s.resumed, []string{"generate"}) {
		t.Errorf("resuming answers %d, resumed %v", answer.Code, s.resumed)
	}
	if answer := press(t, h, "/ops/resume", "queue", "*"); answer.Code != http.StatusNotFound || len(s.resumed) != 1 {
		t.Errorf("a queue that is not there: %d, resumed %v", answer.Code, s.resumed)
	}
}

// Nobody but an operator, and no other site's page, gets in.
func TestWhoGetsIn(t *testing.T) {
	t.Parallel()
	for role, want := range map[auth.Role]int{auth.Author: http.StatusForbidden, auth.Editor: http.StatusForbidden, auth.Operator: http.StatusOK} {
		_, h := well().room(role)
		if answer := get(t, h, "/ops"); answer.Code != want {
			t.Errorf("%s gets %d, want %d", role, answer.Code, want)
		}
	}
	s := well()
	_, h := s.room(auth.Operator)
	for _, path := range []string{"/ops/retry", "/ops/reconcile", "/ops/resume", "/ops/queues/api/queues/generate:pause"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader("queue=generate"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		if answer.Code != http.StatusForbidden || len(s.resumed) > 0 {
			t.Errorf("another site's form at %s answers %d", path, answer.Code)
		}
	}
	stranger := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ops?said=Call+this+number", nil)
	stranger.Header.Set("Sec-Fetch-Site", "cross-site")
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, stranger)
	if strings.Contains(answer.Body.String(), "Call this number") {
		t.Error("a link from elsewhere puts words into the page's mouth")
	}
}

// However many look, the rows are read once in a while.
func TestLooksAreShared(t *testing.T) {
	t.Parallel()
	s := well()
	room, h := s.room(auth.Operator)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { room.Look(t.Context()); get(t, h, "/ops") })
	}
	all.Wait()
	if s.looks != 1 {
		t.Errorf("40 looks read the rows %d times", s.looks)
	}
	press(t, h, "/ops/reconcile")
	get(t, h, "/ops")
	if s.looks != 2 {
		t.Errorf("after a button the rows were read %d times, want once more", s.looks)
	}
}

func BenchmarkPage(b *testing.B) {
	s := well()
	for i := range 2000 {
		s.troubles = append(s.troubles, store.Trouble{JobID: fmt.Sprint(i), Failed: true, Failure: failure("upload", "s3", fmt.Sprint("code_", i%12), "no")})
	}
	_, h := s.room(auth.Operator)
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/ops", nil))
	}
}
