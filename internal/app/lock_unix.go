//go:build unix

package app

import (
	"errors"
	"os"
	"syscall"
)

// lockFolder holds a lock file until unlock is called or the process ends,
// however it ends.
func lockFolder(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, errors.New("another Frontispiece is running on this folder; stop it, or set DATA_DIR to another")
	}
	return f.Close, nil
}
