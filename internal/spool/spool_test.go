package spool_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/spool"
)

const (
	image1 = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
	image2 = "3f2504e0-4f89-41d3-9a0c-0305e82c3302"
)

func open(t testing.TB, dir string, quota int64) *spool.Spool {
	t.Helper()
	s, err := spool.Open(dir, quota)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func put(t testing.TB, s *spool.Spool, imageID, facts, data string) spool.Entry {
	t.Helper()
	e, err := s.Put(t.Context(), imageID, []byte(facts), []byte(data))
	if err != nil {
		t.Fatalf("Put = %v", err)
	}
	return e
}

func sum(data string) string {
	d := sha256.Sum256([]byte(data))
	return hex.EncodeToString(d[:])
}

func names(t testing.TB, dir string) (got []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "spool-id" {
			got = append(got, e.Name())
		}
	}
	return got
}

func age(t testing.TB, path string, by time.Duration) {
	t.Helper()
	at := time.Now().Add(-by)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestPutAndRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 1<<20)
	e := put(t, s, image1, `{"seed":7}`, "picture")
	if e.ImageID != image1 || e.SHA256 != sum("picture") || e.Bytes != 7 {
		t.Errorf("Put = %+v", e)
	}
	want := []string{image1 + "." + sum("picture"), image1 + "." + sum("picture") + ".json"}
	if diff := cmp.Diff(want, names(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	data, facts, err := s.Read(image1, e.SHA256)
	if err != nil || string(data) != "picture" || string(facts) != `{"seed":7}` {
		t.Errorf("Read = %q, %q, %v", data, facts, err)
	}
	if _, _, err := s.Read(image2, e.SHA256); !errors.Is(err, spool.ErrNotFound) {
		t.Errorf("Read of another image = %v, want ErrNotFound", err)
	}
}

// TestAdopt is the death between the Put and the row update.
func TestAdopt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, open(t, dir, 1<<20), image1, `{"model":"xl"}`, "raw")

	next := open(t, dir, 1<<20)
	found, err := next.Find(image1)
	if err != nil || len(found) != 1 || found[0].SHA256 != sum("raw") {
		t.Fatalf("Find = %+v, %v", found, err)
	}
	if _, facts, err := next.Read(image1, found[0].SHA256); err != nil || string(facts) != `{"model":"xl"}` {
		t.Errorf("facts = %q, %v", facts, err)
	}
	if found, err := next.Find(image2); err != nil || found != nil {
		t.Errorf("Find of an image without files = %v, %v", found, err)
	}
}

func TestFindSeesOnlyWhatIsWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 1<<20)
	put(t, s, image1, "{}", "raw")
	put(t, s, image1, "{}", "finished")
	for _, file := range []string{
		".part-" + image1, image1, image1 + ".abc", image1 + "." + sum("x") + ".json", image1 + "." + sum("y") + ".corrupt",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, image1+"."+sum("directory")), 0o700); err != nil {
		t.Fatal(err)
	}
	found, err := s.Find(image1)
	if err != nil || len(found) != 2 {
		t.Errorf("Find = %+v, %v, want the raw and the finished one", found, err)
	}
}

func TestPutTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 1<<20)
	put(t, s, image1, "first", "same")
	bytesBefore, filesBefore := s.Usage()
	put(t, open(t, dir, 1<<20), image1, "second", "same")
	put(t, s, image1, "third", "same")
	if b, f := s.Usage(); b != bytesBefore || f != filesBefore {
		t.Errorf("usage went from %d in %d to %d in %d", bytesBefore, filesBefore, b, f)
	}
	if facts, err := s.Facts(image1, sum("same")); err != nil || string(facts) != "first" {
		t.Errorf("facts = %q, %v, want the first", facts, err)
	}
}

// TestConcurrentPuts has frozen workers that wake up and put what others have
// put already, through the same Spool and through others on the directory.
func TestConcurrentPuts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 1<<30)
	picture := strings.Repeat("pixel", 10_000)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			worker := s
			if i%2 == 0 {
				worker = open(t, dir, 1<<30)
			}
			if _, err := worker.Put(t.Context(), image1, []byte("{}"), []byte(picture)); err != nil {
				t.Errorf("Put = %v", err)
			}
			if data, _, err := worker.Read(image1, sum(picture)); err != nil || string(data) != picture {
				t.Errorf("Read = %d bytes, %v", len(data), err)
			}
		})
	}
	wg.Wait()
	if got := names(t, dir); len(got) != 2 {
		t.Errorf("files = %v, want the picture and its facts", got)
	}
}

func TestCorruptIsSetAside(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{"a flipped bit": "qicture", "cut off": "pic", "emptied": "", "longer": "picture!"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := open(t, dir, 1<<20)
			e := put(t, s, image1, "{}", "picture")
			path := filepath.Join(dir, image1+"."+e.SHA256)
			if err := os.WriteFile(path, []byte(damage), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Read(image1, e.SHA256); !errors.Is(err, spool.ErrCorrupt) {
				t.Fatalf("Read = %v, want ErrCorrupt", err)
			}
			if got, err := os.ReadFile(path + ".corrupt"); err != nil || string(got) != damage {
				t.Errorf("set aside: %q, %v", got, err)
			}
			if _, _, err := s.Open(image1, e.SHA256); !errors.Is(err, spool.ErrNotFound) {
				t.Errorf("Open after it was set aside = %v, want ErrNotFound", err)
			}
			put(t, s, image1, "{}", "picture")
			if data, _, err := s.Read(image1, e.SHA256); err != nil || string(data) != "picture" {
				t.Errorf("Read after a new Put = %q, %v", data, err)
			}
		})
	}
}

func TestPutRepairsADamagedFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 1<<20)
	e := put(t, s, image1, "{}", "picture")
	if err := os.WriteFile(filepath.Join(dir, image1+"."+e.SHA256), []byte("qicture"), 0o600); err != nil {
		t.Fatal(err)
	}
	put(t, s, image1, "{}", "picture")
	if data, _, err := s.Read(image1, e.SHA256); err != nil || string(data) != "picture" {
		t.Errorf("Read = %q, %v", data, err)
	}
}

func TestOpenStreamsFromTheStart(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), 1<<20)
	e := put(t, s, image1, "{}", "picture")
	f, got, err := s.Open(image1, e.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(f); err != nil || b.String() != "picture" || got.Bytes != 7 {
		t.Errorf("read %q (%d bytes announced), %v", b.String(), got.Bytes, err)
	}
}

func TestNamesAreNeverPaths(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), 1<<20)
	for _, id := range []string{"", "..", "../x", "a/b", strings.ToUpper(image1), image1 + "/", image1[:35], image1 + "0", strings.Repeat("-", 36)} {
		if _, err := s.Put(t.Context(), id, nil, []byte("x")); !errors.Is(err, spool.ErrName) {
			t.Errorf("Put(%q) = %v, want ErrName", id, err)
		}
		if _, err := s.Find(id); !errors.Is(err, spool.ErrName) {
			t.Errorf("Find(%q) = %v, want ErrName", id, err)
		}
		if err := s.RemoveImage(id); !errors.Is(err, spool.ErrName) {
			t.Errorf("RemoveImage(%q) = %v, want ErrName", id, err)
		}
	}
	for _, digest := range []string{"", "..", "/etc/passwd", strings.ToUpper(sum("x")), sum("x")[1:]} {
		if _, _, err := s.Read(image1, digest); !errors.Is(err, spool.ErrName) {
			t.Errorf("Read(%q) = %v, want ErrName", digest, err)
		}
		if err := s.Remove(image1, digest); !errors.Is(err, spool.ErrName) {
			t.Errorf("Remove(%q) = %v, want ErrName", digest, err)
		}
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 1<<20)
	raw, done := put(t, s, image1, "{}", "raw"), put(t, s, image1, "{}", "finished")
	other := put(t, s, image2, "{}", "other")
	for range 2 {
		if err := s.Remove(image1, raw.SHA256); err != nil {
			t.Fatal(err)
		}
	}
	if found, _ := s.Find(image1); len(found) != 1 || found[0].SHA256 != done.SHA256 {
		t.Errorf("after Remove: %+v", found)
	}
	for range 2 {
		if err := s.RemoveImage(image1); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Remove(image2, other.SHA256); err != nil {
		t.Fatal(err)
	}
	if b, f := s.Usage(); b != 0 || f != 0 || len(names(t, dir)) != 0 {
		t.Errorf("usage %d bytes in %d files, on disk %v, want none", b, f, names(t, dir))
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 1<<20)
	wanted, dead := put(t, s, image1, "{}", "wanted"), put(t, s, image2, "{}", "dead")
	fresh := put(t, s, image2, "{}", "fresh")
	for _, file := range []string{".part-old", ".part-new", "README", image2 + "." + sum("bad") + ".corrupt", image2 + "." + sum("gone") + ".json"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte("12345"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range names(t, dir) {
		if !strings.Contains(file, fresh.SHA256) && file != ".part-new" {
			age(t, filepath.Join(dir, file), 2*time.Hour)
		}
	}
	var asked sync.Map
	swept, err := s.Sweep(time.Now().Add(-time.Hour), func(imageID, digest string) bool {
		asked.Store(digest, true)
		return imageID == image1
	})
	// The dead picture with its facts, the temporary and the damaged file, the facts without a picture.
	if err != nil || swept.Files != 5 || swept.Bytes != int64(4+2+5+5+5) {
		t.Errorf("Sweep = %+v, %v", swept, err)
	}
	want := []string{
		".part-new", image1 + "." + wanted.SHA256, image1 + "." + wanted.SHA256 + ".json",
		image2 + "." + fresh.SHA256, image2 + "." + fresh.SHA256 + ".json", "README",
	}
	if diff := cmp.Diff(want, names(t, dir)); diff != "" {
		t.Errorf("left after the sweep (-want +got):\n%s", diff)
	}
	if _, ok := asked.Load(dead.SHA256); !ok {
		t.Error("the dead picture went without asking")
	}
	if _, ok := asked.Load(fresh.SHA256); ok {
		t.Error("a fresh file was asked about: its row may not be written yet")
	}
}

func TestPutRespectsItsContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 1<<20)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Put(ctx, image1, nil, []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Put = %v, want context.Canceled", err)
	}
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("files = %v", got)
	}
}

func BenchmarkFind(b *testing.B) {
	s := open(b, b.TempDir(), 1<<40)
	for i := range 10_000 {
		path := filepath.Join(s.Dir(), image2[:28]+hex.EncodeToString([]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})+"."+sum("x"))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := s.Find(image1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPutAndRead1MiB(b *testing.B) {
	s := open(b, b.TempDir(), 1<<40)
	data := bytes.Repeat([]byte{1, 2, 3, 4}, 1<<18)
	b.SetBytes(int64(len(data)))
	for i := 0; b.Loop(); i++ {
		data[0], data[1], data[2] = byte(i), byte(i>>8), byte(i>>16)
		e, err := s.Put(b.Context(), image1, []byte("{}"), data)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := s.Read(image1, e.SHA256); err != nil {
			b.Fatal(err)
		}
		if err := s.Remove(image1, e.SHA256); err != nil {
			b.Fatal(err)
		}
	}
}

// What is written counts against the quota and is nobody's until it is kept;
// given up, it leaves nothing behind.
func TestWriteAndKeep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 10)
	write := func(imageID, facts, data string) *spool.Part {
		t.Helper()
		p, err := s.Write(t.Context(), imageID, []byte(facts), []byte(data))
		if err != nil {
			t.Fatalf("Write = %v", err)
		}
		return p
	}
	given := write(image1, "{}", "given up")
	if found, err := s.Find(image1); err != nil || found != nil {
		t.Errorf("Find before Keep = %v, %v, want nothing", found, err)
	}
	if _, err := s.Write(t.Context(), image2, nil, []byte("late")); !errors.Is(err, spool.ErrFull) {
		t.Errorf("Write beside 10 bytes of 10 = %v, want ErrFull", err)
	}
	if err := given.Close(); err != nil || names(t, dir) != nil {
		t.Errorf("Close = %v and leaves %v, want nothing", err, names(t, dir))
	}

	one, two := write(image1, "", "one"), write(image1, "", "two")
	again := write(image1, "", "one")
	if err := s.Keep(one, two, again); err != nil {
		t.Fatalf("Keep = %v", err)
	}
	var read bytes.Buffer
	for _, p := range []*spool.Part{one, two, again} {
		if _, err := read.ReadFrom(p); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	if read.String() != "onetwoone" {
		t.Errorf("read %q, want each from its start", read.String())
	}
	if found, err := s.Find(image1); err != nil || len(found) != 2 {
		t.Errorf("Find after Keep = %v, %v, want two", found, err)
	}
	if used, _ := s.Usage(); used != 6 {
		t.Errorf("%d bytes are in use, want 6", used)
	}
}
