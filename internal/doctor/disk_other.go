//go:build !unix

package doctor

import "errors"

// DiskFree is unknown here.
func DiskFree(string) (int64, error) { return 0, errors.ErrUnsupported }
