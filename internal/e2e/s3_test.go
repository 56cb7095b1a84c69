package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// outage is something between a finished picture and its readers that fails for
// a while.
type outage struct {
	name   string
	env    []string
	strike func(s *site) (lift func())
	code   string // what a waiting picture's row says meanwhile
}

func s3Does(x fault) func(*site) func() {
	return func(s *site) func() {
		s.s3.set(x)
		return func() { s.s3.set(nil) }
	}
}

func cdnDoes(x fault) func(*site) func() {
	return func(s *site) func() {
		s.cdn.set(x)
		return func() { s.cdn.set(nil) }
	}
}

// impatient has hung calls end while the test looks on.
var impatient = []string{"UPLOAD_TIMEOUT=2s"}

var outages = []outage{
	{"S3 down", nil, func(s *site) func() { s.s3.down(); return s.s3.up }, "unreachable"},
	{"S3 answers 503 SlowDown", nil, s3Does(answers(503, "SlowDown")), "slow_down"},
	{"S3 answers 403", nil, s3Does(answers(403, "AccessDenied")), "access_denied"},
	{"S3 lacks the bucket", nil, takeBucketAway, "no_such_bucket"},
	{"S3 hangs before the headers", impatient, s3Does(hangsBeforeHeaders), "timeout"},
	{"S3 hangs in the body", impatient, s3Does(hangsInTheBody(500)), "unavailable"},
	{"S3 resets", nil, s3Does(resets), "unreachable"},
	{"S3 stores and the reply is lost", nil, s3Does(losesReplies), "unreachable"},
	{"CDN down", nil, func(s *site) func() { s.cdn.down(); return s.cdn.up }, "unreachable"},
	{"CDN answers 403", nil, cdnDoes(answers(403, "AccessDenied")), "not_found_yet"},
	{"CDN answers 403 and then 200", nil, cdnDoes(forbidsFirst(2)), "not_found_yet"},
	{"CDN serves other bytes", nil, cdnDoes(servesOtherBytes), "digest_mismatch"},
	{"CDN hangs in the body", impatient, cdnDoes(hangsInTheBody(200)), "timeout"},
}

// takeBucketAway really does.
func takeBucketAway(s *site) (lift func()) {
	from := filepath.Join(s.gateway.Dir, s.gateway.Bucket)
	to := filepath.Join(s.t.TempDir(), "bucket")
	move := func(from, to string) {
		s.t.Helper()
		if err := os.Rename(from, to); err != nil {
			s.t.Fatal(err)
		}
	}
	move(from, to)
	return func() { move(to, from) }
}

// Whatever stands between a picture and its readers: the picture is kept, its
// row says why it waits, no post shows it before its URL works, and when the
// outage is over everything ends by itself without being generated again.
func TestOutagesOfStorage(t *testing.T) {
	t.Parallel()
	for _, o := range outages {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			s := startSite(t, plan{env: o.env})
			s.awaitJob(s.mustSubmit(order), productionBound) // it works

			lift := o.strike(s)
			draft := s.newDraft("An outage")
			s.mustSubmit(orderFor(draft, 2))
			s.approve(draft)
			for range 3 {
				s.mustSubmit(order)
			}
			if f := s.awaitFailure(o.code); f.Stage != "upload" || f.Class != "transient" {
				t.Errorf("failure %+v", f)
			}
			s.noPost("an-outage")
			lift()

			r := s.check()
			r.wantAllStored(t)
			if len(r.posts) != 1 || r.drafts[0].Status != "published" {
				t.Errorf("the approved draft is %+v", r.drafts)
			}
		})
	}
}

// With S3 and its CDN in order, the object is what the seed promised.
func TestAnObjectIsAsTheSeedPromised(t *testing.T) {
	t.Parallel()
	s := startSite(t, plan{workers: 1})
	draft := s.newDraft("A promise")
	j := s.awaitJob(s.mustSubmit(orderFor(draft, 1)), productionBound)
	c := j.Candidates[0]
	key := c.URL[len(s.cdn.url)+1:]
	if c.URL != s.cdn.url+"/"+key {
		t.Errorf("URL %s is not the CDN's", c.URL)
	}
	head := s.gatewayHead(key)
	for name, want := range map[string]string{
		"content-type": "image/png", "cache-control": "public, max-age=31536000, immutable", "task-id": draft,
	} {
		if head[name] != want {
			t.Errorf("%s = %q, want %q", name, head[name], want)
		}
	}
	if head["generated-date"] == "" {
		t.Error("no generated-date")
	}
	// A front end that only knows the API's host is sent on.
	if got, err := fetch(s.base + "/images/" + key); err != nil || got != c.SHA256 {
		t.Errorf("through the API: %s, %v", got, err)
	}
	if image := s.get("/v1/drafts/" + draft).want(200).object(); fmt.Sprint(image["picture_url"]) != c.URL {
		t.Errorf("the draft shows %v", image["picture_url"])
	}
	s.approve(draft)
	s.check().wantAllStored(t)
}
