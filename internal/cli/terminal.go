package cli

import (
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// columns is the width of the terminal behind w; false when there is none.
func columns(w io.Writer) (width int, terminal bool) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, false
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	return int(size.Col), true
}

// isSet reports whether the environment names a variable and gives it a value.
func (s *session) isSet(name string) bool {
	for _, line := range s.environ {
		if rest, ok := strings.CutPrefix(line, name+"="); ok && rest != "" {
			return true
		}
	}
	return false
}
