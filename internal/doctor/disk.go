package doctor

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// Spool is a folder of waiting bytes that could be opened, which is to say that
// a file was written, synced and removed in it.
type Spool interface {
	ID() string
	Usage() (bytes int64, files int)
	Quota() int64
	Full() bool
	Close() error
}

type spoolFolder struct {
	dir   string
	open  func() (Spool, error)
	free  func(dir string) (int64, error)
	spool Spool
}

// Spools examines the spool in a folder. open returns [ErrNotYet] where a first
// start makes it; free is the room on its disk in bytes, [DiskFree].
func Spools(dir string, open func() (Spool, error), free func(dir string) (int64, error)) Section {
	s := &spoolFolder{dir: dir, open: open, free: free}
	return Section{
		Name: "Spool",
		Checks: []Check{
			{Name: "spool", Tries: "write, sync and remove a file in " + dir, Run: s.writable},
			{Name: "room", Tries: "compare what is used with the quota and the disk", Needs: "spool", Run: s.room},
		},
		Close: func() {
			if s.spool != nil {
				_ = s.spool.Close() // nothing was written
			}
		},
	}
}

func (s *spoolFolder) writable(context.Context) Outcome {
	sp, err := s.open()
	switch {
	case errors.Is(err, ErrNotYet):
		return skipped("it is %v", ErrNotYet)
	case err != nil:
		return broken("ls -ld "+s.dir+", and chown it to the user that the worker runs as", "%v", err)
	}
	s.spool = sp
	return ok("it can be written; its id is %s", sp.ID())
}

func (s *spoolFolder) room(context.Context) Outcome {
	used, files := s.spool.Usage()
	quota := s.spool.Quota()
	free, err := s.free(s.dir)
	if err != nil {
		free = quota // unknown on this system: the quota remains
	}
	waiting := fmt.Sprintf("%d files, %s of %s", files, size(used), size(quota))
	switch {
	case s.spool.Full():
		return broken("frontispiece jobs --state uploading, and df -h "+s.dir,
			"full, so no picture is made: %s, and %s free on the disk", waiting, size(free))
	case free < quota-used:
		return warning("set SPOOL_QUOTA to less than the disk has",
			"%s, but only %s free on the disk: it is full before its quota", waiting, size(free))
	default:
		return ok("%s; %s free on the disk", waiting, size(free))
	}
}

// size is a number of bytes for people.
func size(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	value, unit := float64(n), 0
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	if unit == 0 || value >= 100 {
		return fmt.Sprintf("%.0f %s", value, units[unit])
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}

// Generators asks each generator whether it could take a request. One that is
// away among others that are there is a warning: the next one answers.
func Generators(list ...imagegen.Generator) Section {
	s := Section{Name: "Generators"}
	var healthy atomic.Int32 // a check that ran out of time may still count
	for _, g := range list {
		s.Checks = append(s.Checks, Check{
			Name: g.Name(), Tries: "ask whether it could make a picture now",
			Run: func(ctx context.Context) Outcome {
				if err := g.Health(ctx); err != nil {
					return warning("start it, or correct its URL in GENERATORS", "%s", imagegen.AsError(err).Message)
				}
				healthy.Add(1)
				return ok("it could")
			},
		})
	}
	s.Checks = append(s.Checks, Check{
		Name: "any of them", Tries: "count those that could",
		Run: func(context.Context) Outcome {
			if healthy.Load() == 0 {
				return broken("start one of them, or add card: at the end of GENERATORS", "none: jobs are accepted and wait")
			}
			return ok("%d of %d", healthy.Load(), len(list))
		},
	})
	return s
}
