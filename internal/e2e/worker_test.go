package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A worker dies with uploads and a generation under way, and nobody starts it
// again: another one takes its claims over when they have run out.
func TestAWorkerKilledMidWork(t *testing.T) {
	t.Parallel()
	s := startSite(t, plan{sharedSpool: true})
	victim, heir := s.workers[0], s.workers[1]
	heir.kill() // so that every claim is the victim's
	draft := s.newDraft("Killed in the middle")
	s.mustSubmit(orderFor(draft, 3))
	s.approve(draft)
	for range 4 {
		s.mustSubmit(`{"prompt":"In the middle of it","width":2048,"height":2048,"count":2}`)
	}
	s.cdn.set(hangsBeforeHeaders) // whatever is uploaded is held under a claim
	s.awaitClaim("uploading")
	victim.kill()
	s.cdn.set(nil)
	heir.start()

	r := s.check()
	r.wantAllStored(t)
	if len(r.posts) != 1 {
		t.Errorf("%d posts of one approved draft", len(r.posts))
	}
	if r.attempts("image.uploading") == len(r.images) {
		t.Error("no upload was begun twice: nothing was under way when the worker died")
	}
}

// Killed again and again, both of them in turn, under load.
func TestWorkersKilledInTurn(t *testing.T) {
	t.Parallel()
	s := startSite(t, plan{env: []string{"GENERATE_ATTEMPTS=20"}})
	s.approvedDraft("Killed in turn")
	stop := s.load(`{"prompt":"Under fire","width":640,"height":320,"count":3}`)
	for n := range 6 {
		w := s.workers[n%len(s.workers)]
		<-time.After(300*time.Millisecond + time.Duration(n)*170*time.Millisecond) // any moment
		w.kill()
		w.start()
	}
	stop()
	r := s.check()
	r.wantAllStored(t)
	if len(r.posts) != 1 {
		t.Errorf("%d posts of one approved draft", len(r.posts))
	}
	s.wantCleanRedis()
}

// The spool decides who may upload: what lies on a private disk waits for its
// worker, what lies on a shared one is everybody's.
func TestTheSpoolDecidesTheQueue(t *testing.T) {
	t.Parallel()
	for _, shared := range []bool{false, true} {
		t.Run(map[bool]string{false: "private disks", true: "a shared one"}[shared], func(t *testing.T) {
			t.Parallel()
			s := startSite(t, plan{sharedSpool: shared})
			s.s3.down()
			const pictures = 12
			for range pictures {
				s.mustSubmit(order)
			}
			s.awaitStates(productionBound, map[string]int{"uploading": pictures})
			spools := s.spoolsInUse()
			if want := map[bool]int{false: 2, true: 1}[shared]; len(spools) != want {
				t.Fatalf("the pictures lie in %v, want %d spools", spools, want)
			}
			victim := s.workers[0]
			id := s.spoolOf(victim)
			s.awaitNoClaims()
			victim.kill()
			s.s3.up()
			if shared {
				s.check().wantAllStored(t) // by the other, from the same disk
				return
			}
			waiting := spools[id]
			s.awaitStates(productionBound, map[string]int{"stored": pictures - waiting, "uploading": waiting})
			if r := s.rows(); r.attempts("image.generating") != pictures {
				t.Errorf("%d generations of %d pictures: a disk that is away is no reason to pay again", r.attempts("image.generating"), pictures)
			}
			victim.start()
			s.check().wantAllStored(t)
		})
	}
}

// S3 is away, the disk's quota is reached: generating pauses, requests are
// still accepted, and everything goes on by itself when S3 is back.
func TestTheSpoolsQuotaPausesGenerating(t *testing.T) {
	t.Parallel()
	s := startSite(t, plan{workers: 1, env: []string{"SPOOL_QUOTA=64MiB"}})
	w := s.workers[0]
	s.awaitJob(s.mustSubmit(order), productionBound)
	// All but two of the 64 MiB, less the 8 that are kept free for pictures
	// under way, are somebody's already.
	filler := filepath.Join(s.spoolDir(w), "leftover")
	if err := os.WriteFile(filler, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filler, 54<<20); err != nil {
		t.Fatal(err)
	}
	w.kill() // a worker counts what is on its disk when it starts
	s.s3.down()
	w.start()
	draft := s.newDraft("The quota")
	s.mustSubmit(orderFor(draft, 2))
	s.approve(draft)
	for range 12 {
		s.mustSubmit(`{"prompt":"Large and heavy","width":2048,"height":2048}`)
	}
	w.stderr.says(t, productionBound, "generating is paused")
	paused := s.rows()
	states := paused.imageStates()
	if states["queued"] == 0 || states["uploading"] == 0 {
		t.Errorf("paused too early or too late: %v", states)
	}
	s.mustSubmit(order)
	s.s3.up()
	if r := s.check(); len(r.posts) != 1 {
		t.Errorf("%d posts of one approved draft", len(r.posts))
	} else {
		r.wantAllStored(t)
	}
}

func (s *site) rows() records {
	s.t.Helper()
	r, err := readRows(s.t.Context(), s.db)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// attempts counts events of a kind over all images.
func (r *records) attempts(kind string) (n int) {
	for _, e := range r.events {
		if e.Type == kind {
			n++
		}
	}
	return n
}

// awaitClaim waits until a picture in this state is under somebody's hands.
func (s *site) awaitClaim(state string) {
	s.t.Helper()
	eventually(s.t, productionBound, func() error {
		for _, i := range s.rows().images {
			if i.State == state && i.Claimed {
				return nil
			}
		}
		return fmt.Errorf("nothing is %s under a claim", state)
	})
}

func (s *site) awaitNoClaims() {
	s.t.Helper()
	eventually(s.t, productionBound, func() error {
		for _, i := range s.rows().images {
			if i.Claimed {
				return errors.New("a picture is under a claim")
			}
		}
		return nil
	})
}

// spoolsInUse counts the pictures that wait in each spool.
func (s *site) spoolsInUse() map[string]int {
	s.t.Helper()
	spools := make(map[string]int)
	for _, i := range s.rows().images {
		if i.State == "uploading" {
			spools[i.SpoolID]++
		}
	}
	return spools
}

// spoolOf is the id of the spool that a worker serves.
func (s *site) spoolOf(w *program) string {
	s.t.Helper()
	id, err := os.ReadFile(filepath.Join(s.spoolDir(w), "spool-id"))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(id))
}
