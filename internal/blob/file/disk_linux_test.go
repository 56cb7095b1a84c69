package file_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/blob/blobtest"
	"github.com/glad-labs/frontispiece/internal/blob/file"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

func TestDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skip("this would have run on a tmpfs of its own; run it as root:", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	b := open(t, dir)
	small := blobtest.NewObject(t, make([]byte, 100<<10))
	if err := b.Put(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	err := b.Put(t.Context(), blobtest.NewObject(t, make([]byte, 200<<10)))
	blobtest.WantError(t, err, blob.CodeFull, editorial.Transient)
	if got := files(t, dir); len(got) != 1 || got[0] != string(small.Key) {
		t.Errorf("files = %v, want nothing half-written", got)
	}

	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	readOnly, err := file.Open(dir)
	if err != nil {
		t.Fatalf("Open on a read-only disk = %v: the API may still serve from it", err)
	}
	defer readOnly.Close()
	for what, err := range map[string]error{
		"Put": b.Put(t.Context(), blobtest.NewObject(t, []byte("x"))), "Check": readOnly.Check(t.Context()),
	} {
		blobtest.WantError(t, err, blob.CodeReadOnly, editorial.Transient)
		if !blob.AsError(err).Config {
			t.Errorf("%s on a read-only disk is no configuration error: %v", what, err)
		}
	}
}
