package e2e

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// mount gives the test a disk of its own. Only root may.
func mount(t testing.TB, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skip("this would have run on a tmpfs of its own; run it as root:", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes the disk's last byte, and gives everything back when free is called.
func fill(t testing.TB, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; _, err = f.Write(make([]byte, size)) {
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// A disk that fills up in the middle of the work: what cannot be accepted is
// answered with 507 and leaves nothing behind, what was accepted waits for room
// and ends.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := mount(t, "size=40m")
	// The smallest spool: it stops making pictures when 8 MiB are left.
	e := newEmbedded(t, filepath.Join(dir, "data"), "SPOOL_QUOTA=64MiB", "RENDITIONS=64")
	e.start()
	stored := e.awaitJob(e.mustSubmit(`{"prompt":"Before the flood","width":256,"height":256}`), embeddedBound)
	for range 4 {
		e.mustSubmit(`{"prompt":"In the middle of it","count":3,"width":1024,"height":1024}`)
	}
	free := fill(t, dir)

	var refused answer
	eventually(t, embeddedBound, func() error {
		a := e.post("/v1/jobs", `{"prompt":"`+strings.Repeat("No room for this. ", 25)+`"}`)
		switch a.status {
		case http.StatusAccepted: // a page that was free
			var j job
			a.into(&j)
			e.accept(j.ID)
			return errors.New("still accepting")
		case http.StatusInsufficientStorage:
			refused = a
			return nil
		}
		t.Fatalf("answer %d: %s", a.status, a.body)
		return nil
	})
	if m := refused.object(); m["code"] != "full" || m["status"] != 507.0 {
		t.Errorf("refused with %s", refused.body)
	}
	site := e.post("/api/content/tasks", `{"topic":"No room for this","content":"`+strings.Repeat("Word upon word. ", 5000)+`"}`).want(http.StatusInsufficientStorage)
	if m := site.object(); m["error_code"] == nil || m["detail"] == nil {
		t.Errorf("refused with %s", site.body)
	}
	// Readers notice nothing.
	if got, err := fetch(e.base + stored.Candidates[0].URL); err != nil || got != stored.Candidates[0].SHA256 {
		t.Errorf("the picture that was there: %s, %v", got, err)
	}
	if e.job(stored.ID).State != "stored" {
		t.Error("the job that had ended has changed")
	}
	e.api.stderr.says(t, embeddedBound, "generating is paused")

	free()
	e.mustSubmit(`{"prompt":"After the flood","width":256,"height":256}`)
	r := e.check(2 * embeddedBound)
	r.wantAllStored(t)
	if len(r.jobs) != len(r.accepted) {
		t.Errorf("%d jobs, of which %d were accepted: a refusal left something behind", len(r.jobs), len(r.accepted))
	}
	if parts := partsBelow(t, e.data); len(parts) > 0 {
		t.Errorf("half-written: %v", parts)
	}
}

// partsBelow lists temporary files.
func partsBelow(t testing.TB, dir string) (parts []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), ".part-") {
			parts = append(parts, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return parts
}
