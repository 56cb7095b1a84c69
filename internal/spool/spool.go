// Package spool is the disk where bytes wait for their upload, so that a
// picture once paid for survives crashes and any outage of its bucket.
//
// A file is named for its image and its content, "<image id>.<sha256>", and gets
// that name only when it is whole and synced. Two workers can therefore only
// ever write the same bytes under a name, nothing has to be renamed after a row
// was updated, and a frozen worker that wakes up harms nothing. The order is
// argued in docs/decisions/spool-order.md.
//
// It deliberately knows no rows and no queues: which digest is the raw picture,
// which the finished one and which a rendition stands in the image's row. The
// trap is the quota: it refuses new images only. An image that has something in
// the spool may always add to it, because finishing it is what makes room.
package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	// ErrFull says that the quota or the disk has no room. Nothing was kept.
	ErrFull = errors.New("the spool is full")
	// ErrCorrupt says that a file is not what its name promises. It was set
	// aside; the picture must be made again.
	ErrCorrupt = errors.New("the spooled bytes are damaged")
	// ErrNotFound says that the spool has no such entry.
	ErrNotFound = errors.New("not in the spool")
	// ErrName says that an image id or a digest has not the form of one.
	ErrName = errors.New("not a name of a spooled picture")
)

// Spool is a directory of waiting bytes, which several processes may share. It
// is safe for concurrent use.
type Spool struct {
	root  *os.Root
	dir   string
	id    string
	quota int64

	mu       sync.Mutex // guards what follows, and renames and removals against scans
	used     int64      // bytes under final names
	files    int
	inFlight int64     // bytes of puts that have no final name yet
	scanned  time.Time // when used and files were last taken from the disk
}

// Entry is one waiting file, whole by its name.
type Entry struct {
	ImageID string
	SHA256  string // of the bytes, lower-case hex
	Bytes   int64
	At      time.Time // when it was spooled, by the disk's clock
}

// Open uses dir, and makes it and its id when they are missing. quota bounds
// the bytes in it and must be positive. The directory is probed by writing, so
// that a disk that is read-only is found now and not by the first picture.
func Open(dir string, quota int64) (*Spool, error) {
	if quota <= 0 {
		return nil, fmt.Errorf("open spool %s: the quota must be more than 0 bytes, got %d", dir, quota)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	s := &Spool{root: root, dir: dir, quota: quota}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("open spool %s: %w", dir, err), root.Close())
	}
	return s, nil
}

func (s *Spool) prepare() error {
	if err := s.CheckWritable(); err != nil {
		return err
	}
	id, err := s.loadID()
	if err != nil {
		return err
	}
	s.id = id
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scan()
}

// Close lets the directory go. Every call fails afterwards.
func (s *Spool) Close() error { return s.root.Close() }

// ID names the spool, not the process or the host: everybody who opens the same
// directory gets the same one. 32 lower-case hex digits, fit for a queue's name.
// A copied directory is two spools with one id; delete its file spool-id.
func (s *Spool) ID() string { return s.id }

// Dir is the directory, for people.
func (s *Spool) Dir() string { return s.dir }

// CheckWritable writes, syncs and removes a small file.
func (s *Spool) CheckWritable() error {
	part, err := s.writePart([]byte("probe"))
	if err == nil {
		err = s.root.Remove(part)
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("user %d may not write here: chown the directory or mount it writable: %w", os.Getuid(), err)
	}
	return err
}

// name is an entry's file name, refused unless both parts have their form:
// neither can then be a path, and neither can look like a name of ours.
func name(imageID, sha256Hex string) (string, error) {
	if !isUUID(imageID) || !isHex(sha256Hex, sha256.Size*2) {
		return "", fmt.Errorf("%w: image %.60q, digest %.80q", ErrName, imageID, sha256Hex)
	}
	return imageID + "." + sha256Hex, nil
}

// The endings and beginnings of the names that are not entries.
const (
	partPrefix    = ".part-"
	factsSuffix   = ".json"
	corruptSuffix = ".corrupt"
)

// parseName is the inverse of name.
func parseName(file string) (imageID, sha256Hex string, ok bool) {
	imageID, sha256Hex, _ = strings.Cut(file, ".")
	_, err := name(imageID, sha256Hex)
	return imageID, sha256Hex, err == nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func isHex(s string, length int) bool {
	return len(s) == length && strings.Trim(s, "0123456789abcdef") == ""
}

// isUUID takes the lower-case form only: on some disks case makes no difference
// and on the others two spellings would be two images.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !isHex(string(c), 1) {
			return false
		}
	}
	return true
}
