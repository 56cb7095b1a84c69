package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Find returns what is whole of an image, by digest; none is nil and no error. It finds what a worker left that died between its Put and its row
// update. It reads the directory once and no file.
func (s *Spool) Find(imageID string) ([]Entry, error) {
	if !isUUID(imageID) {
		return nil, fmt.Errorf("find in spool: %w: image %.60q", ErrName, imageID)
	}
	files, err := s.list()
	if err != nil {
		return nil, fmt.Errorf("find in spool: %w", err)
	}
	var found []Entry
	for _, file := range files {
		if !strings.HasPrefix(file, imageID+".") {
			continue
		}
		info, err := s.root.Lstat(file)
		if err != nil { // removed by another process meanwhile
			continue
		}
		if e, ok := entryOf(info); ok {
			found = append(found, e)
		}
	}
	return found, nil
}

// list is the names in the directory, sorted. It asks the disk about none of
// them, which in a spool of thousands is most of the time.
func (s *Spool) list() ([]string, error) {
	d, err := s.root.Open(".")
	if err != nil {
		return nil, err
	}
	files, err := d.Readdirnames(-1)
	slices.Sort(files)
	return files, errors.Join(err, d.Close())
}

// Open opens an entry after comparing its bytes with its name, so that what is
// uploaded from it is what was spooled. It holds no more than a small buffer in
// memory; the caller closes the file. ErrCorrupt when the bytes differ, and
// ErrNotFound when there is no such entry.
func (s *Spool) Open(imageID, sha256Hex string) (io.ReadSeekCloser, Entry, error) {
	file, err := name(imageID, sha256Hex)
	if err != nil {
		return nil, Entry{}, fmt.Errorf("open in spool: %w", err)
	}
	f, e, err := s.openWhole(file)
	if err != nil {
		return nil, Entry{}, fmt.Errorf("open %s in spool: %w", file, err)
	}
	return f, e, nil
}

// Read is the whole of an entry with the facts that were put beside it, nil
// when there were none. Its errors are Open's.
func (s *Spool) Read(imageID, sha256Hex string) (data, facts []byte, err error) {
	f, e, err := s.Open(imageID, sha256Hex)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	data = make([]byte, e.Bytes)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, nil, fmt.Errorf("read %s.%s in spool: %w", imageID, sha256Hex, err)
	}
	facts, err = s.Facts(imageID, sha256Hex)
	return data, facts, err
}

// Facts is what was put beside an entry, nil when there was nothing.
func (s *Spool) Facts(imageID, sha256Hex string) ([]byte, error) {
	file, err := name(imageID, sha256Hex)
	if err != nil {
		return nil, fmt.Errorf("read facts: %w", err)
	}
	facts, err := s.root.ReadFile(file + factsSuffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read facts of %s: %w", file, err)
	}
	return facts, nil
}

func (s *Spool) openWhole(file string) (*os.File, Entry, error) {
	f, err := s.root.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Entry{}, ErrNotFound
	}
	if err != nil {
		return nil, Entry{}, err
	}
	e, err := verify(f)
	if err == nil {
		return f, e, nil
	}
	err = errors.Join(err, f.Close())
	if errors.Is(err, ErrCorrupt) {
		err = errors.Join(err, s.setAside(file))
	}
	return nil, Entry{}, err
}

// verify reads f once and leaves it at its start.
func verify(f *os.File) (Entry, error) {
	info, err := f.Stat()
	if err != nil {
		return Entry{}, err
	}
	e, ok := entryOf(info)
	if !ok {
		return Entry{}, ErrNotFound
	}
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	if err != nil {
		return Entry{}, err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != e.SHA256 || n != e.Bytes {
		return Entry{}, fmt.Errorf("%w: %d bytes with the digest %s", ErrCorrupt, n, got)
	}
	_, err = f.Seek(0, io.SeekStart)
	return e, err
}

// setAside keeps a damaged file for a person to look at, until the sweep, and
// makes its name free for the same bytes.
func (s *Spool) setAside(file string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.root.Rename(file, file+corruptSuffix)
}
