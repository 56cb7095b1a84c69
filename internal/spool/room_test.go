package spool_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/spool"
)

// A time before everything, and a keep that keeps: a sweep that only counts.
var time0 = time.Time{}

func keepAll(string, string) bool { return true }

func TestOpenAgreesOnTheID(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "spool")
	ids := make([]string, 16)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			s, err := spool.Open(dir, 1)
			if err != nil {
				t.Errorf("Open = %v", err)
				return
			}
			defer s.Close()
			ids[i] = s.ID()
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] || len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
			t.Fatalf("ids = %q, want one of 32 hex digits", ids)
		}
	}
	if again := open(t, dir, 1); again.ID() != ids[0] {
		t.Errorf("id after a restart = %s, want %s", again.ID(), ids[0])
	}
	if other := open(t, t.TempDir(), 1); other.ID() == ids[0] {
		t.Error("two directories have one id")
	}
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	write := func(dir, id string) string {
		if err := os.WriteFile(filepath.Join(dir, "spool-id"), []byte(id), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, dir string
		quota     int64
		says      string
	}{
		{"a file", file, 1, file},
		{"no quota", t.TempDir(), 0, "quota"},
		{"an empty id", write(t.TempDir(), ""), 1, "spool-id"},
		{"an id that is no queue's name", write(t.TempDir(), "../../../etc/passwd"), 1, "spool-id"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := spool.Open(test.dir, test.quota)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Open = %v, want an error that names %s", err, test.says)
			}
		})
	}
}

func TestQuotaRefusesNewImagesOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 100)
	put(t, s, image1, "{}", strings.Repeat("r", 80))
	if _, err := s.Put(t.Context(), image2, []byte("{}"), make([]byte, 80)); !errors.Is(err, spool.ErrFull) {
		t.Fatalf("Put of a new image = %v, want ErrFull", err)
	}
	if got := names(t, dir); len(got) != 2 {
		t.Errorf("files = %v, want nothing half-written", got)
	}
	// The finished form of what waits already: refusing it would keep the spool full for ever.
	done := put(t, s, image1, "{}", strings.Repeat("f", 90))
	if !s.Full() {
		t.Error("Full = false above the quota")
	}
	if err := s.RemoveImage(image1); err != nil {
		t.Fatal(err)
	}
	if b, _ := s.Usage(); b != 0 || s.Full() || done.Bytes != 90 {
		t.Errorf("after the upload: %d bytes in use, full %v", b, s.Full())
	}
	put(t, s, image2, "{}", strings.Repeat("r", 80))
}

func TestFullKeepsRoomForWhatIsBeingMade(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), 800)
	put(t, s, image1, "", strings.Repeat("r", 690))
	if s.Full() {
		t.Error("Full at 690 of 800 bytes")
	}
	put(t, s, image2, "", strings.Repeat("r", 20))
	if !s.Full() {
		t.Error("not Full at 710 of 800 bytes: the picture being made has no room")
	}
}

func TestQuotaHoldsUnderConcurrency(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 1000)
	var (
		wg     sync.WaitGroup
		stored atomic.Int64
	)
	for range 32 {
		wg.Go(func() {
			_, err := s.Put(t.Context(), uuid.NewString(), nil, make([]byte, 100))
			switch {
			case err == nil:
				stored.Add(1)
			case !errors.Is(err, spool.ErrFull):
				t.Errorf("Put = %v", err)
			}
		})
	}
	wg.Wait()
	if b, f := s.Usage(); stored.Load() != 10 || b != 1000 || f != 10 {
		t.Errorf("%d stored, %d bytes in %d files, want 10, 1000 and 10", stored.Load(), b, f)
	}
}

// TestUsageOfASharedSpool: what others wrote is seen when it is counted anew.
func TestUsageOfASharedSpool(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir, 1000)
	b := open(t, dir, 1000)
	put(t, a, image1, "", "12345")
	if n, _ := b.Usage(); n != 0 {
		t.Errorf("usage = %d before counting anew", n)
	}
	if _, err := b.Sweep(time0, keepAll); err != nil {
		t.Fatal(err)
	}
	if n, f := b.Usage(); n != 5 || f != 2 {
		t.Errorf("usage = %d bytes in %d files, want 5 in 2: the picture and its empty facts", n, f)
	}
	if err := b.RemoveImage(image1); err != nil {
		t.Fatal(err)
	}
	if err := a.RemoveImage(image1); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Sweep(time0, keepAll); err != nil {
		t.Fatal(err)
	}
	if n, _ := a.Usage(); n != 0 {
		t.Errorf("usage = %d after another process removed all", n)
	}
}

func FuzzNames(f *testing.F) {
	dir := f.TempDir()
	s := open(f, dir, 1<<40)
	f.Add(image1, sum("x"))
	f.Add("../"+image1, sum("x"))
	f.Add(image1, "../"+sum("x"))
	f.Add("", "")
	f.Fuzz(func(t *testing.T, imageID, digest string) {
		_, _, err := s.Read(imageID, digest)
		if !errors.Is(err, spool.ErrName) && !errors.Is(err, spool.ErrNotFound) {
			t.Errorf("Read(%q, %q) = %v", imageID, digest, err)
		}
		e, err := s.Put(t.Context(), imageID, nil, []byte("x"))
		if err != nil {
			return
		}
		if filepath.Base(imageID) != imageID || len(imageID) != 36 {
			t.Errorf("Put took the image id %q", imageID)
		}
		if err := s.Remove(imageID, e.SHA256); err != nil {
			t.Error(err)
		}
	})
}
