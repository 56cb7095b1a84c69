package spool

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Put keeps data for imageID, a lower-case UUID, and returns once it would
// survive a power cut. facts, when not nil, is kept beside it: whatever the
// caller needs to know to take the entry over from a dead worker. Putting the
// same bytes again keeps the first facts and is success. ErrFull when the quota
// or the disk has no room.
func (s *Spool) Put(ctx context.Context, imageID string, facts, data []byte) (Entry, error) {
	sum := digest(data)
	file, err := name(imageID, sum)
	if err != nil {
		return Entry{}, fmt.Errorf("put into spool: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return Entry{}, fmt.Errorf("put into spool: %w", err)
	}
	// A damaged file of that name is set aside here, and written anew.
	if f, e, err := s.openWhole(file); err == nil {
		// Whoever renamed it may have died before the directory was synced.
		return e, errors.Join(f.Close(), s.syncDir())
	}
	if err := s.put(imageID, file, facts, data); err != nil {
		return Entry{}, fmt.Errorf("put %s into spool: %w", file, asFull(err))
	}
	return Entry{ImageID: imageID, SHA256: sum, Bytes: int64(len(data)), At: time.Now()}, nil
}

func (s *Spool) put(imageID, file string, facts, data []byte) error {
	size := int64(len(facts) + len(data))
	if err := s.reserve(imageID, size); err != nil {
		return err
	}
	factsPart, part, err := s.writeParts(facts, data)
	if err != nil {
		s.release(size)
		return err
	}
	if err := s.name(file, factsPart, part, size); err != nil {
		s.drop(factsPart, part)
		return err
	}
	return s.syncDir()
}

// writeParts leaves both under temporary names, or neither.
func (s *Spool) writeParts(facts, data []byte) (factsPart, part string, err error) {
	if facts != nil {
		if factsPart, err = s.writePart(facts); err != nil {
			return "", "", err
		}
	}
	if part, err = s.writePart(data); err != nil {
		s.drop(factsPart)
		return "", "", err
	}
	return factsPart, part, nil
}

// name turns a reservation of size bytes into files, the facts first: an entry
// that can be found must have them. Both names become durable in the one sync
// that follows; journaling file systems keep the order within it.
func (s *Spool) name(file, factsPart, part string, size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight -= size
	if factsPart != "" {
		if err := s.rename(factsPart, file+factsSuffix); err != nil {
			return err
		}
	}
	return s.rename(part, file)
}

// rename moves a temporary file to its name and counts it, under mu.
func (s *Spool) rename(part, file string) error {
	before, statErr := s.root.Stat(file)
	if err := s.root.Rename(part, file); err != nil {
		return err
	}
	if statErr == nil {
		s.count(-before.Size(), -1)
	}
	if info, err := s.root.Stat(file); err == nil {
		s.count(info.Size(), 1)
	}
	return nil
}

// writePart leaves data, synced, under a temporary name.
func (s *Spool) writePart(data []byte) (part string, err error) {
	part = partPrefix + rand.Text()
	f, err := s.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		s.drop(part)
		return "", err
	}
	return part, nil
}

// drop removes temporary files; what cannot be removed is left to the sweep.
func (s *Spool) drop(parts ...string) {
	for _, part := range parts {
		if part != "" {
			_ = s.root.Remove(part)
		}
	}
}

func (s *Spool) syncDir() error {
	d, err := s.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// asFull turns the system's words for a full disk into ErrFull.
func asFull(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: the disk has no room left", ErrFull)
	}
	return err
}

func entryOf(info fs.FileInfo) (Entry, bool) {
	imageID, sum, ok := parseName(info.Name())
	if !ok || !info.Mode().IsRegular() {
		return Entry{}, false
	}
	return Entry{ImageID: imageID, SHA256: sum, Bytes: info.Size(), At: info.ModTime()}, true
}
