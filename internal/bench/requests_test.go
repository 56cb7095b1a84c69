package bench

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

const clients = 64

const submission = `{"prompt":"A lighthouse at dawn, waves below, warm light","title":"The Keeper's Last Night"}`

// servers are our API and the bare one, on one site.
func (m *machine) servers(tb testing.TB) (s *site, ours, bare *process) {
	tb.Helper()
	s = m.site(tb)
	m.connect(tb, s.databaseURL).MustExec(floorTables)
	ours = m.serve(tb, "api", s.env()...)
	bare = m.serve(tb, "floor", s.env()...)
	return s, ours, bare
}

func measureAccept(b *testing.B, m *machine) []figure {
	s, ours, bare := m.servers(b)
	defer ours.stop()
	defer bare.stop()
	submit := request("POST", "/v1/jobs", asJSON, submission)
	rate := func(p *process) func() float64 {
		return func() float64 { return perSecond(b, p.addr, clients, 2*time.Second, 202, submit) }
	}
	rate(ours)()
	rate(bare)()
	// PostgreSQL does so by itself within a minute; plans made for empty tables
	// are nobody's figure.
	m.connect(b, s.databaseURL).MustExec(`VACUUM ANALYZE`)
	o, f := inTurns(5, rate(ours), rate(bare))
	return []figure{{"accepted jobs, 64 clients", "/s", o, f, atLeast(0.7)}}
}

func measurePolls(b *testing.B, m *machine) []figure {
	_, ours, bare := m.servers(b)
	defer ours.stop()
	defer bare.stop()
	var polls [][]byte
	for range clients {
		_, body := once(b, ours.addr, request("POST", "/v1/jobs", asJSON, submission), 202)
		var job struct{ ID string }
		if err := json.Unmarshal(body, &job); err != nil {
			b.Fatal(err)
		}
		polls = append(polls, []byte(job.ID))
	}
	for i, id := range polls {
		path := "/v1/jobs/" + string(id)
		resp, _ := once(b, ours.addr, request("GET", path, "", ""), 200)
		polls[i] = request("GET", path, "If-None-Match: "+resp.Header.Get("ETag")+"\r\n", "")
	}
	rate := func(p *process) func() float64 {
		return func() float64 { return perSecond(b, p.addr, clients, 2*time.Second, 304, polls...) }
	}
	o, f := inTurns(5, rate(ours), rate(bare))
	return []figure{{"status polls, unchanged job (304), 64 clients", "/s", o, f, atLeast(0.5)}}
}

// drafts inserts so many drafts awaiting approval.
func (s *site) drafts(tb testing.TB, n int) []string {
	tb.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = uuid.NewString()
		title := fmt.Sprintf("Notes from the lighthouse, part %d", i)
		err := s.store.InTx(tb.Context(), func(tx *store.Tx) error {
			return tx.InsertDraft(tb.Context(), ids[i], map[string]any{
				"topic": title, "title": title, "status": "awaiting_approval", "content": "# " + title + "\n\nThe lamp was lit at dusk.",
				"tags": []string{"lighthouses", "sea"}, "category": "Notes", "task_metadata": map[string]any{"title": title},
			})
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	return ids
}

func (s *site) submit(tb testing.TB, draftID string) editorial.Job {
	tb.Helper()
	job, _, err := s.Submit(tb.Context(), dispatch.Submission{
		Request: editorial.Request{Prompt: "a lighthouse at dawn", UseGeneration: true}, DraftID: draftID, Caller: "bench",
	})
	if err != nil {
		tb.Fatal(err)
	}
	return job
}

// spool takes a job's picture as far as uploading, its bytes in a spool.
func (s *site) spool(tb testing.TB, job editorial.Job, spoolID, digest string, bytes int64) editorial.Image {
	tb.Helper()
	img, _, err := s.ClaimGenerate(tb.Context(), job.Images[0].ID)
	if err != nil {
		tb.Fatal(err)
	}
	img.SpoolID, img.RawSHA256, img.Backend = spoolID, digest, "card"
	img.ContentType, img.Width, img.Height, img.Bytes = "image/png", 1200, 630, bytes
	img.Key = dispatch.NewKey(img, "png")
	if err := s.Spooled(tb.Context(), img); err != nil {
		tb.Fatal(err)
	}
	return img
}

const someDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// storePicture takes a job's picture all the way.
func (s *site) storePicture(tb testing.TB, job editorial.Job) {
	tb.Helper()
	s.spool(tb, job, "bench", someDigest, 1000)
	img, _, err := s.ClaimUpload(tb.Context(), job.Images[0].ID)
	if err != nil {
		tb.Fatal(err)
	}
	img.SHA256 = someDigest
	if err := s.Finished(tb.Context(), img); err != nil {
		tb.Fatal(err)
	}
	img.URL, img.Source = "https://cdn.test/"+img.Key, "card-s3"
	if err := s.Stored(tb.Context(), img); err != nil {
		tb.Fatal(err)
	}
}

func measurePublish(b *testing.B, m *machine) []figure {
	s, ours, bare := m.servers(b)
	defer ours.stop()
	defer bare.stop()
	const warm, n = 10, 250
	ids, plain := s.drafts(b, warm+n), s.drafts(b, warm+n)
	for _, id := range ids {
		s.storePicture(b, s.submit(b, id))
	}
	one, other := connection(b, ours), connection(b, bare)
	var os, fs []float64
	for i := range ids {
		// In turns, one by one: the disk's moods meet both.
		o := latency(b, one, request("POST", "/v1/drafts/"+ids[i]+"/approve", asJSON, `{"reviewer":"jane"}`), 200)
		f := latency(b, other, request("POST", "/publish/"+plain[i], asJSON, `{"approved":true,"reviewer_id":"jane"}`), 200)
		if i >= warm {
			os, fs = append(os, o), append(fs, f)
		}
	}
	var posts int
	if err := s.store.DB().Get(&posts, `SELECT COUNT(*) FROM posts`); err != nil || posts != 2*(warm+n) {
		b.Fatalf("%d posts of %d, %v", posts, 2*(warm+n), err)
	}
	return []figure{
		{"approve to published, p50", "ms", median(os), median(fs), timesFloor(2)},
		{"approve to published, p99", "ms", quantile(os, 0.99), quantile(fs, 0.99), timesFloor(2)},
	}
}

func connection(tb testing.TB, p *process) *client {
	tb.Helper()
	c, err := dial(p.addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.conn.Close() })
	return c
}
