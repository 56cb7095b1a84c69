//go:build !unix

package spool

import "errors"

// diskFree is unknown here; the quota and the disk's own error remain.
func diskFree(string) (int64, error) { return 0, errors.ErrUnsupported }
