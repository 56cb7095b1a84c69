package ops

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/glad-labs/frontispiece/tasks"
)

// sentence is a message as a sentence of its own.
func sentence(message string) string {
	first, size := utf8.DecodeRuneInString(message)
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(message[size:], ".") + "."
}

// queueName is a queue for people: a spool's id says nothing to anybody.
func queueName(name string) string {
	if spool, ok := tasks.SpoolOf(name); ok {
		return "upload (spool " + short(spool) + ")"
	}
	return name
}

func short(id string) string {
	if len(id) > 8 {
		return id[:8]
	}
	return id
}

// age is a duration in its largest unit or two: nobody counts the seconds of
// hours.
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// size is a number of bytes for people.
func size(n int64) string {
	const unit = 1024.0
	v := float64(n)
	for _, name := range []string{"B", "KiB", "MiB", "GiB"} {
		if v < unit {
			if name == "B" || v >= 100 {
				return fmt.Sprintf("%.0f %s", v, name)
			}
			return fmt.Sprintf("%.1f %s", v, name)
		}
		v /= unit
	}
	return fmt.Sprintf("%.1f TiB", v)
}
