package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// Remove removes an entry and its facts; one that is not there is success.
func (s *Spool) Remove(imageID, sha256Hex string) error {
	file, err := name(imageID, sha256Hex)
	if err != nil {
		return fmt.Errorf("remove from spool: %w", err)
	}
	// The picture first: facts alone are swept, a picture alone would be found.
	for _, f := range []string{file, file + factsSuffix} {
		if _, err := s.remove(f); err != nil {
			return fmt.Errorf("remove from spool: %w", err)
		}
	}
	return nil
}

// RemoveImage removes whatever the spool has of an image, damaged files too.
func (s *Spool) RemoveImage(imageID string) error {
	if !isUUID(imageID) {
		return fmt.Errorf("remove from spool: %w: image %.60q", ErrName, imageID)
	}
	files, err := s.list()
	if err != nil {
		return fmt.Errorf("remove from spool: %w", err)
	}
	var errs []error
	for _, file := range files {
		if strings.HasPrefix(file, imageID+".") {
			_, err := s.remove(file)
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove from spool: %w", err)
	}
	return nil
}

// Swept is what a sweep removed.
type Swept struct {
	Files int
	Bytes int64
}

// Sweep removes what was last written before the given time and belongs to
// nobody: the temporary files of dead processes, and the entries, facts and
// damaged files of which keep says no. keep must say yes when it cannot tell. A
// spool has other writers, whose rows follow their files: before must lie
// further back than the longest time between a Put and its row update.
//
// It also counts the spool anew. A file that cannot be removed is reported and
// stops nothing.
func (s *Spool) Sweep(before time.Time, keep func(imageID, sha256Hex string) bool) (Swept, error) {
	files, err := s.list()
	if err != nil {
		return Swept{}, fmt.Errorf("sweep spool: %w", err)
	}
	var (
		swept Swept
		errs  []error
	)
	for _, file := range files {
		info, err := s.root.Lstat(file)
		if err != nil || !info.Mode().IsRegular() || !info.ModTime().Before(before) || !isLeftover(file, keep) {
			continue
		}
		removed, err := s.remove(file)
		if removed {
			swept.Files++
			swept.Bytes += info.Size()
		}
		errs = append(errs, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(append(errs, s.scan())...); err != nil {
		return swept, fmt.Errorf("sweep spool: %w", err)
	}
	return swept, nil
}

// isLeftover leaves alone what is not ours: an operator may keep notes here.
func isLeftover(file string, keep func(imageID, sha256Hex string) bool) bool {
	if strings.HasPrefix(file, partPrefix) {
		return true
	}
	imageID, sum, ok := parseName(strings.TrimSuffix(strings.TrimSuffix(file, factsSuffix), corruptSuffix))
	return ok && !keep(imageID, sum)
}

// remove removes one file and counts it, unless another process was faster.
func (s *Spool) remove(file string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := s.root.Lstat(file)
	if err == nil {
		err = s.root.Remove(file)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	}
	if !strings.HasPrefix(file, partPrefix) {
		s.count(-info.Size(), -1)
	}
	return true, nil
}
