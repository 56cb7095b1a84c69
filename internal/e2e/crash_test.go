package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// lives is how often the program is killed.
const lives = 8

// Killed at any moment and started again, everything that was accepted ends,
// and what was in the spool is never generated a second time.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	// The twenty attempts are for the picture that is unlucky every time: a try
	// that dies with its process counts, so that a poisonous one ends.
	e := newEmbedded(t, filepath.Join(t.TempDir(), "data"), "RENDITIONS=64", "GENERATE_ATTEMPTS=20")
	unnoticed := make(map[string]string) // images whose bytes the spool had before their row knew
	for life := range lives {
		e.start()
		stop := e.load(`{"prompt":"A lighthouse in a storm","count":3,"width":640,"height":320}`)
		<-time.After(100*time.Millisecond + rand.N(900*time.Millisecond)) // a moment like any other, not a wait for anything
		if life%2 == 1 {
			e.awaitNewInSpool() // the moment at which a crash costs a generation
		}
		e.api.kill()
		stop()
		e.findUnnoticed(unnoticed)
	}
	e.start()
	r := e.check(2 * embeddedBound)
	r.wantAllStored(t)

	log := e.api.stderr.String()
	for _, i := range r.images {
		if digest, ok := unnoticed[i.ID]; ok && (i.RawSHA256 != digest || !strings.Contains(log, `msg="adopted bytes from the spool" image=`+i.ID)) {
			t.Errorf("image %s was generated again: the spool held %s and the row says %s", i.ID, digest, i.RawSHA256)
		}
	}
	if n := len(r.accepted); n < lives {
		t.Errorf("only %d jobs in %d lives: killed too early to prove anything", n, lives)
	}
	t.Logf("%d jobs, %d images; %d were adopted from the spool", len(r.accepted), len(r.images), len(unnoticed))
}

// load submits jobs until stop is called; a dead API is no error.
func (c *client) load(body string) (stop func()) {
	done := make(chan struct{})
	var submitters sync.WaitGroup
	for range 2 {
		submitters.Go(func() {
			tick := time.NewTicker(150 * time.Millisecond)
			defer tick.Stop()
			for {
				c.submit(body)
				select {
				case <-done:
					return
				case <-tick.C:
				}
			}
		})
	}
	return func() {
		close(done)
		submitters.Wait()
	}
}

// awaitNewInSpool returns as soon as a generated picture has its name in the spool,
// which is before its row knows.
func (e *embedded) awaitNewInSpool() {
	e.t.Helper()
	list := func() []string {
		files, err := filepath.Glob(filepath.Join(e.data, "spool", "*-*-*"))
		if err != nil {
			e.t.Fatal(err)
		}
		return files
	}
	before := list()
	deadline := time.After(embeddedBound)
	tick := time.NewTicker(200 * time.Microsecond)
	defer tick.Stop()
	for {
		for _, file := range list() {
			if filepath.Ext(file) != ".json" && !slices.Contains(before, file) && kindOf(file+".json") == "raw" {
				return
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			e.t.Fatal("nothing gets into the spool")
		}
	}
}

// findUnnoticed looks, while the program is dead, for raw pictures in the spool
// of which their rows know nothing yet.
func (e *embedded) findUnnoticed(found map[string]string) {
	e.t.Helper()
	r, err := readRows(e.t.Context(), e.db)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, i := range r.images {
		if i.State != "queued" && i.State != "generating" {
			continue
		}
		entries, err := filepath.Glob(filepath.Join(e.data, "spool", i.ID+".*.json"))
		if err != nil {
			e.t.Fatal(err)
		}
		for _, facts := range entries {
			file := strings.TrimSuffix(facts, ".json")
			if _, err := os.Stat(file); err == nil && kindOf(facts) == "raw" {
				found[i.ID] = strings.TrimPrefix(filepath.Ext(file), ".")
			}
		}
	}
}

func kindOf(factsFile string) string {
	b, err := os.ReadFile(factsFile)
	var facts struct{ Kind string }
	if err != nil || json.Unmarshal(b, &facts) != nil {
		return fmt.Sprint("unreadable: ", err)
	}
	return facts.Kind
}
