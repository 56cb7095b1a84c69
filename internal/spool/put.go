package spool

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
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
	p, err := s.Write(ctx, imageID, facts, data)
	if err != nil {
		return Entry{}, err
	}
	defer p.Close() //nolint:errcheck // Keep has said what became of the bytes
	return p.Entry, s.Keep(p)
}

// Part is an entry on its way into the spool: written and readable, but not kept
// yet. Closing it gives up what [Spool.Keep] has not kept.
type Part struct {
	Entry
	spool     *Spool
	file      *os.File
	name      string // of the entry
	part      string // temporary name; empty once it has its own
	factsPart string // the same of the facts; empty without any, too
	reserved  int64  // of the quota
}

// Write is the first half of [Spool.Put]; Keep is the other. After it data need
// not be in memory any more: waiting for the disk takes no room there.
func (s *Spool) Write(ctx context.Context, imageID string, facts, data []byte) (*Part, error) {
	sum := digest(data)
	file, err := name(imageID, sum)
	if err != nil {
		return nil, fmt.Errorf("put into spool: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("put into spool: %w", err)
	}
	// A damaged file of that name is set aside here, and written anew.
	if f, e, err := s.openWhole(file); err == nil {
		return &Part{Entry: e, spool: s, file: f, name: file}, nil
	}
	p := &Part{Entry: Entry{ImageID: imageID, SHA256: sum, Bytes: int64(len(data)), At: time.Now()}, spool: s, name: file}
	if err := p.write(facts, data); err != nil {
		_ = p.Close() // the first error is the one to tell
		return nil, fmt.Errorf("put %s into spool: %w", file, asFull(err))
	}
	return p, nil
}

// write leaves both under temporary names.
func (p *Part) write(facts, data []byte) error {
	size := int64(len(facts) + len(data))
	if err := p.spool.reserve(p.ImageID, size); err != nil {
		return err
	}
	p.reserved = size
	var err error
	if facts != nil {
		if p.factsPart, err = p.spool.writePart(facts); err != nil {
			return err
		}
	}
	p.file, p.part, err = p.spool.create(data)
	return err
}

// Keep returns once all parts would survive a power cut, each at its start.
func (s *Spool) Keep(parts ...*Part) error {
	for _, p := range parts {
		if err := p.keep(); err != nil {
			return fmt.Errorf("put %s into spool: %w", p.name, asFull(err))
		}
	}
	// Also for one that had its name: whoever gave it may have died before this.
	return s.syncDir()
}

// keep turns a part and its reservation into files, the facts first: an entry
// that can be found must have them. Both names become durable in the one sync
// that follows; journaling file systems keep the order within it.
func (p *Part) keep() error {
	if p.part == "" {
		return nil
	}
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := p.file.Sync(); err != nil {
		return err
	}
	p.spool.mu.Lock()
	defer p.spool.mu.Unlock()
	if p.factsPart != "" {
		if err := p.spool.rename(p.factsPart, p.name+factsSuffix); err != nil {
			return err
		}
		p.factsPart = ""
	}
	if err := p.spool.rename(p.part, p.name); err != nil {
		return err
	}
	p.spool.inFlight -= p.reserved
	p.part, p.reserved = "", 0
	return nil
}

// Read is the file's.
func (p *Part) Read(b []byte) (int, error) { return p.file.Read(b) }

// Seek is the file's.
func (p *Part) Seek(offset int64, whence int) (int64, error) { return p.file.Seek(offset, whence) }

// Close closes the file, and removes it when it is not kept; what cannot be
// removed is left to the sweep.
func (p *Part) Close() error {
	for _, part := range []string{p.part, p.factsPart} {
		if part != "" {
			_ = p.spool.root.Remove(part)
		}
	}
	p.spool.release(p.reserved)
	p.part, p.factsPart, p.reserved = "", "", 0
	if p.file == nil {
		return nil
	}
	return p.file.Close()
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
	f, part, err := s.create(data)
	if err != nil {
		return "", err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		_ = s.root.Remove(part) // what cannot be removed is left to the sweep
		return "", err
	}
	return part, nil
}

// create writes data into a temporary file.
func (s *Spool) create(data []byte) (f *os.File, part string, err error) {
	part = partPrefix + rand.Text()
	f, err = s.root.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, "", err
	}
	if _, err = f.Write(data); err != nil {
		_ = s.root.Remove(part)
		return nil, "", errors.Join(err, f.Close())
	}
	return f, part, nil
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
