package cli_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/glad-labs/frontispiece/internal/cli"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// ping's connection, kept by net/http for the next one.
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// site is an installation whose command is typed.
type site struct {
	t       *testing.T
	dir     string
	environ []string
	store   *store.Store // as the programs have it; nil until migrated
}

// newSite is one on SQLite with nothing in it yet.
func newSite(t *testing.T, environ ...string) *site {
	t.Helper()
	dir := t.TempDir()
	return &site{t: t, dir: dir, environ: append([]string{"DATA_DIR=" + dir}, environ...)}
}

// migrated is a site with its tables.
func migrated(t *testing.T, environ ...string) *site {
	t.Helper()
	s := newSite(t, environ...)
	s.mustType("migrate")
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(s.dir, "frontispiece.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Detect(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.store = db
	return s
}

type answer struct {
	code        int
	out, errors string
}

// types runs a command line.
func (s *site) types(line string) answer {
	s.t.Helper()
	return s.typesIn(s.t.Context(), line)
}

func (s *site) typesIn(ctx context.Context, line string) answer {
	s.t.Helper()
	var out, errors bytes.Buffer
	code := cli.Run(ctx, strings.Fields(line), s.environ, &out, &errors)
	return answer{code, out.String(), errors.String()}
}

// longAgo makes every image's last change one that nobody is busy with.
func (s *site) longAgo() {
	s.t.Helper()
	const old = "2020-01-01T00:00:00.000Z"
	if _, err := s.store.DB().ExecContext(s.t.Context(), `UPDATE images SET updated_at = ?, next_attempt_at = ?`, old, old); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) mustType(line string) string {
	s.t.Helper()
	a := s.types(line)
	if a.code != 0 || a.errors != "" {
		s.t.Fatalf("frontispiece %s: exit %d\n%s%s", line, a.code, a.out, a.errors)
	}
	return a.out
}

// says fails unless the text has every part.
func says(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("this does not say %q:\n%s", part, text)
		}
	}
}

// deaf is a queue that takes everything and a hub that tells nobody.
type deaf struct{}

func (deaf) Ring(context.Context, ...dispatch.Bell) error { return nil }
func (deaf) States(_ context.Context, b []dispatch.Bell) ([]dispatch.TaskState, error) {
	return make([]dispatch.TaskState, len(b)), nil
}
func (deaf) Notify(context.Context, ...dispatch.Note) {}
func (deaf) CanAnswer(editorial.Request) bool         { return true }
func (deaf) KeyOf(string) (key string, ours bool)     { return "", false }

func (s *site) dispatch() *dispatch.Dispatch {
	return dispatch.New(dispatch.Config{
		Store: s.store, Ringer: deaf{}, Notifier: deaf{}, Capabilities: deaf{}, Links: deaf{}, Log: slog.New(slog.DiscardHandler),
	})
}

// submitted is the job of a request.
func (s *site) submitted(prompt string) editorial.Job {
	s.t.Helper()
	job, _, err := s.dispatch().Submit(s.t.Context(), dispatch.Submission{
		Kind: editorial.KindGenerate, Caller: "user-1",
		Request: editorial.Request{Prompt: prompt, UseGeneration: true},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	job, err = s.store.Job(s.t.Context(), job.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	return job
}

// failed is a job that failed at a stage.
func (s *site) failed(prompt string, stage editorial.Stage) editorial.Job {
	s.t.Helper()
	ctx, d := s.t.Context(), s.dispatch()
	job := s.submitted(prompt)
	img, _, err := d.ClaimGenerate(ctx, job.Images[0].ID)
	if err != nil {
		s.t.Fatal(err)
	}
	failure := editorial.NewFailure("refused", stage, editorial.Terminal, "sdcpp", "the model does not like it")
	if stage == editorial.StageUpload {
		failure = editorial.NewFailure("access_denied", stage, editorial.Transient, "s3", "the credentials may not write here")
		img.SpoolID, img.RawSHA256, img.Key = "00112233445566778899aabbccddeeff", strings.Repeat("a", 64), dispatch.NewKey(img, "png")
		if err := d.Spooled(ctx, img); err != nil {
			s.t.Fatal(err)
		}
		if img, _, err = d.ClaimUpload(ctx, img.ID); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := d.GiveUp(ctx, img, failure); err != nil {
		s.t.Fatal(err)
	}
	return s.job(job.ID)
}

func (s *site) job(id string) editorial.Job {
	s.t.Helper()
	job, err := s.store.Job(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return job
}

// states are where jobs stand.
func (s *site) states(jobs ...editorial.Job) []editorial.JobState {
	s.t.Helper()
	var list []editorial.JobState
	for _, j := range jobs {
		list = append(list, s.job(j.ID).State)
	}
	return list
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// execPostgres runs one statement and returns the first value of its answer.
func execPostgres(t *testing.T, url, statement string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	value := ""
	if rows.Next() {
		value = string(rows.RawValues()[0])
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return value
}
