package spool_test

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/glad-labs/frontispiece/internal/spool"
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

func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := mount(t, "size=256k")
	s := open(t, dir, 1<<30)
	put(t, s, image1, "{}", strings.Repeat("a", 100<<10))
	_, err := s.Put(t.Context(), image2, []byte("{}"), make([]byte, 200<<10))
	if !errors.Is(err, spool.ErrFull) {
		t.Fatalf("Put on a full disk = %v, want ErrFull", err)
	}
	if got := names(t, dir); len(got) != 2 {
		t.Errorf("files = %v, want nothing half-written", got)
	}
	if !s.Full() {
		t.Error("Full = false with 150 KiB of disk left")
	}
	if _, _, err := s.Read(image1, sum(strings.Repeat("a", 100<<10))); err != nil {
		t.Errorf("the picture that was there: %v", err)
	}
}

func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	dir := mount(t, "size=256k")
	open(t, dir, 1<<20)
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := spool.Open(dir, 1<<20); err == nil || !strings.Contains(err.Error(), "writable") {
		t.Errorf("Open on a read-only disk = %v, want an error that says so", err)
	}
}
