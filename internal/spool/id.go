package spool

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

const (
	idFile  = "spool-id"
	idBytes = 16
)

// loadID reads the directory's id, or gives it one. Of several processes that
// open a fresh directory at once one link succeeds, and all read that one's id.
func (s *Spool) loadID() (string, error) {
	id, err := s.readID()
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	random := make([]byte, idBytes)
	rand.Read(random) // never fails, see crypto/rand
	part, err := s.writePart([]byte(hex.EncodeToString(random) + "\n"))
	if err != nil {
		return "", err
	}
	defer s.root.Remove(part)
	if err := s.root.Link(part, idFile); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("name the spool: the file system must support hard links: %w", err)
	}
	if err := s.syncDir(); err != nil {
		return "", err
	}
	return s.readID()
}

func (s *Spool) readID() (string, error) {
	b, err := s.root.ReadFile(idFile)
	if err != nil {
		return "", err
	}
	id := strings.TrimSpace(string(b))
	if len(id) < 16 || len(id) > 32 || !isHex(id, len(id)) {
		return "", fmt.Errorf("the file %s holds %.40q instead of 16 to 32 hex digits: "+
			"restore it, or delete it if nothing here waits for an upload", idFile, id)
	}
	return id, nil
}
