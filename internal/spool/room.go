package spool

import (
	"fmt"
	"strings"
	"time"
)

const (
	// headroom is what [Spool.Full] keeps free for pictures that are being made
	// when the quota is reached, but never more than an eighth of the quota.
	headroom = 64 << 20
	// rescanAfter bounds how long a full spool stays full after another process
	// has emptied it.
	rescanAfter = 5 * time.Second
)

// Usage is how much waits here. Files of other processes are counted since this
// one last looked at the disk, when it opened, swept or found the spool full.
func (s *Spool) Usage() (bytes int64, files int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used, s.files
}

// Quota is the bound on Usage's bytes.
func (s *Spool) Quota() int64 { return s.quota }

// Full reports that no new picture should be made, since there might be no room
// to keep it: little of the quota or of the disk is left. It is cheap enough to
// be asked before every picture.
func (s *Spool) Full() bool { return s.NoRoom() != "" }

// NoRoom is why the spool is [Spool.Full], empty when it is not: at the quota
// uploads or SPOOL_QUOTA have to make room, on a full disk whatever else is on it.
func (s *Spool) NoRoom() string {
	reserve := min(headroom, s.quota/8)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used+s.inFlight+reserve > s.quota {
		s.rescanIfOld()
		if s.used+s.inFlight+reserve > s.quota {
			return "the spool is at its quota (SPOOL_QUOTA) and waits for uploads to make room"
		}
	}
	if free, err := diskFree(s.dir); err == nil && free < reserve {
		return "the disk of the spool (SPOOL_DIR) is full, whatever SPOOL_QUOTA allows; make room on it"
	}
	return ""
}

// DiskFree is how much room the spool's disk has.
func (s *Spool) DiskFree() (int64, error) { return diskFree(s.dir) }

// reserve takes size bytes of the quota until release.
func (s *Spool) reserve(imageID string, size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used+s.inFlight+size > s.quota {
		s.rescanIfOld()
	}
	if s.used+s.inFlight+size > s.quota && !s.holds(imageID) {
		return fmt.Errorf("%w: %d of %d bytes are in use and the picture has %d",
			ErrFull, s.used+s.inFlight, s.quota, size)
	}
	s.inFlight += size
	return nil
}

func (s *Spool) release(size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight -= size
}

// holds reports whether an image has an entry already; see the package's trap.
func (s *Spool) holds(imageID string) bool {
	entries, err := s.Find(imageID)
	return err == nil && len(entries) > 0
}

// count adds to the usage, under mu. Another process may have removed what is
// counted here, so it stops at nothing.
func (s *Spool) count(bytes int64, files int) {
	s.used = max(0, s.used+bytes)
	s.files = max(0, s.files+files)
}

func (s *Spool) rescanIfOld() {
	if time.Since(s.scanned) > rescanAfter {
		_ = s.scan() // the old figures stand; whoever writes meets the disk's error
	}
}

// scan counts what is on the disk, under mu, so that no rename of ours is
// counted twice. Temporary files are left out: those of live puts are in
// inFlight, and the others go with the next sweep.
func (s *Spool) scan() error {
	files, err := s.list()
	if err != nil {
		return fmt.Errorf("read spool: %w", err)
	}
	s.used, s.files, s.scanned = 0, 0, time.Now()
	for _, file := range files {
		if file == idFile || strings.HasPrefix(file, partPrefix) {
			continue
		}
		if info, err := s.root.Lstat(file); err == nil { // else removed by another process meanwhile
			s.count(info.Size(), 1)
		}
	}
	return nil
}
