// Package file is the bucket on a local disk, for a site without S3: one
// directory, shared by every API and worker, and the handler that serves it.
//
// It deliberately keeps no metadata beside the bytes: the rows have it, and the
// content type follows from the key. The trap is the disk: it needs hard links,
// which exFAT and some network shares lack, because linking a finished file is
// the one portable way to give a name to bytes without taking it from others.
package file

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/glad-labs/frontispiece/internal/blob"
)

const (
	partPrefix = ".part-"
	// staleAfter is far above the longest put, so that opening the directory
	// never takes a file away from another process that still writes it.
	staleAfter = 24 * time.Hour
)

// Bucket keeps objects in a directory and never touches anything outside it,
// whatever symbolic links lie within.
type Bucket struct {
	root *os.Root
}

var _ blob.Bucket = (*Bucket)(nil)

// Open uses dir, and makes it when it is missing. What puts of processes that
// died have left behind for a day is removed.
func Open(dir string) (*Bucket, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, diskError(err, "make directory")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, diskError(err, "open directory")
	}
	b := &Bucket{root: root}
	b.removeStale(time.Now().Add(-staleAfter))
	return b, nil
}

// Close lets the directory go. Puts and the handler fail afterwards.
func (b *Bucket) Close() error { return b.root.Close() }

// Name is "local".
func (b *Bucket) Name() string { return "local" }

// Put writes o to a temporary file, syncs it and links it under its key. A key
// that holds other bytes is CodeKeyTaken.
func (b *Bucket) Put(ctx context.Context, o blob.Object) error {
	if err := o.Validate(); err != nil {
		return err
	}
	has, err := b.alreadyHas(ctx, o)
	if err == nil && !has {
		err = b.store(ctx, o)
	}
	if err != nil {
		return err
	}
	// Also for an object that was there: whoever linked it may have died here.
	return b.syncDirs(path.Dir(string(o.Key)))
}

// store writes o and gives it its name.
func (b *Bucket) store(ctx context.Context, o blob.Object) error {
	part, err := b.writePart(ctx, o)
	if err != nil {
		return err
	}
	defer b.root.Remove(part) // after the link it is a second name for the same bytes

	name := string(o.Key)
	if err := b.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return diskError(err, "make directory for "+name)
	}
	err = b.root.Link(part, name)
	if errors.Is(err, fs.ErrExist) { // another put of this key came first
		has, err := b.alreadyHas(ctx, o)
		if err == nil && !has {
			return blob.Transientf(blob.CodeConflict, nil, "%s was deleted while it was being stored", o.Key)
		}
		return err
	}
	return linkError(err, name)
}

// Delete removes the object; one that is not there is success.
func (b *Bucket) Delete(_ context.Context, key blob.Key) error {
	if _, err := blob.ParseKey(string(key)); err != nil {
		return blob.Terminalf(blob.CodeBadObject, err, "%v", err)
	}
	if err := b.root.Remove(string(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return diskError(err, "delete "+string(key))
	}
	return nil
}

// Check writes, syncs and links a small file, and removes it again.
func (b *Bucket) Check(ctx context.Context) error {
	body := "frontispiece\n"
	sum := sha256.Sum256([]byte(body))
	part, err := b.writePart(ctx, blob.Object{
		Key: blob.Canary, Body: strings.NewReader(body), Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:]),
	})
	if err != nil {
		return err
	}
	defer b.root.Remove(part)
	if err := linkError(b.root.Link(part, part+"-link"), "a file"); err != nil {
		return err
	}
	if err := b.root.Remove(part + "-link"); err != nil {
		return diskError(err, "delete a file")
	}
	return nil
}

// alreadyHas reports whether o is stored already, and an error when its key
// belongs to other bytes.
func (b *Bucket) alreadyHas(ctx context.Context, o blob.Object) (bool, error) {
	f, err := b.root.Open(string(o.Key))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, diskError(err, "open "+string(o.Key))
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, contextReader{ctx, f}); err != nil {
		return false, readError(ctx, err, string(o.Key))
	}
	if hex.EncodeToString(sum.Sum(nil)) != o.SHA256 {
		return false, blob.Terminalf(blob.CodeKeyTaken, nil,
			"%s already holds another picture, which was left as it is", o.Key)
	}
	return true, nil
}

// writePart leaves o's bytes, checked and synced, under a temporary name.
func (b *Bucket) writePart(ctx context.Context, o blob.Object) (string, error) {
	if _, err := o.Body.Seek(0, io.SeekStart); err != nil {
		return "", blob.Transientf(blob.CodeUnexpected, err, "rewind the picture's bytes: %v", err)
	}
	part := partPrefix + rand.Text()
	f, err := b.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", diskError(err, "make a file")
	}
	if err := writeChecked(ctx, f, o); err != nil {
		f.Close()
		b.root.Remove(part)
		return "", err
	}
	return part, nil
}

// writeChecked copies o into f and closes it.
func writeChecked(ctx context.Context, f *os.File, o blob.Object) error {
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), contextReader{ctx, o.Body})
	if err != nil {
		return readError(ctx, err, string(o.Key))
	}
	if n != o.Size || hex.EncodeToString(sum.Sum(nil)) != o.SHA256 {
		return blob.Transientf(blob.CodeBadDigest, nil,
			"the %d bytes read for %s are not the %d bytes with the recorded SHA-256", n, o.Key, o.Size)
	}
	if err := f.Sync(); err != nil {
		return diskError(err, "sync "+string(o.Key))
	}
	if err := f.Close(); err != nil {
		return diskError(err, "close "+string(o.Key))
	}
	return nil
}

// syncDirs makes the new name survive a power cut; the root too, since the
// directory in it may be as new.
func (b *Bucket) syncDirs(dir string) error {
	for _, name := range []string{dir, "."} {
		d, err := b.root.Open(name)
		if err != nil {
			return diskError(err, "open directory")
		}
		err = errors.Join(d.Sync(), d.Close())
		if err != nil {
			return diskError(err, "sync directory")
		}
	}
	return nil
}

// removeStale is best effort: what cannot be removed now is tried again when
// the program starts the next time.
func (b *Bucket) removeStale(before time.Time) {
	entries, err := fs.ReadDir(b.root.FS(), ".")
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), partPrefix) && info.ModTime().Before(before) {
			b.root.Remove(e.Name())
		}
	}
}

func readError(ctx context.Context, err error, name string) error {
	if ended := blob.ContextError(ctx); ended != nil {
		return ended
	}
	return diskError(err, "copy "+name)
}

// linkError is nil for nil. The operating system says "not permitted" where it
// means that the file system knows no links.
func linkError(err error, name string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported):
		return blob.Configf(blob.CodeNotSupported, err,
			"link %s: the disk of the pictures has no hard links: use another file system", name)
	default:
		return diskError(err, "link "+name)
	}
}

// diskError names what the operating system said in words that tell an operator
// what to do.
func diskError(err error, what string) *blob.Error {
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return blob.Transientf(blob.CodeFull, err, "%s: the disk of the pictures is full: free some space", what)
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		return blob.Configf(blob.CodeReadOnly, err,
			"%s: user %d may not write the directory of the pictures: chown it or mount it writable", what, os.Getuid())
	default:
		return blob.Transientf(blob.CodeUnexpected, err, "%s: %v", what, err)
	}
}

// contextReader ends a copy when its context has ended.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, fmt.Errorf("read: %w", err)
	}
	return c.r.Read(p)
}
