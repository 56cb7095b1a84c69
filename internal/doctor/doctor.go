// Package doctor tries for real whatever Frontispiece depends on and says what
// it tried, what happened and what to type next: the configuration, the bucket
// and the way back from it through the CDN, the database, Redis and a task's
// round trip, the spool, the generators.
//
// It deliberately mends nothing and makes no folder, database or table: run as
// another user than the service it would leave things behind that the service
// may not write. What a first start will make is reported as not there yet.
//
// The trap is the word "works": a put that succeeds proves nothing about
// readers, and a bucket that may not be listed is no fault. So each check does
// what the program itself does, with no right that the program does not need.
package doctor

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Status is how a check came out.
type Status string

// The ways in which a check comes out.
const (
	OK      Status = "ok"
	Warning Status = "warning" // it works, and something should be changed
	Broken  Status = "broken"  // it does not work until somebody changes something
	Skipped Status = "skipped" // it would say nothing, for the reason given
)

// Outcome is what a check found.
type Outcome struct {
	Status Status
	Said   string // what happened; never empty
	Next   string // what to type or to change; empty when there is nothing to do
}

func ok(format string, args ...any) Outcome {
	return Outcome{Status: OK, Said: fmt.Sprintf(format, args...)}
}

func skipped(format string, args ...any) Outcome {
	return Outcome{Status: Skipped, Said: fmt.Sprintf(format, args...)}
}

func warning(next, format string, args ...any) Outcome {
	return Outcome{Status: Warning, Said: fmt.Sprintf(format, args...), Next: next}
}

func broken(next, format string, args ...any) Outcome {
	return Outcome{Status: Broken, Said: fmt.Sprintf(format, args...), Next: next}
}

// Check is one thing to try.
type Check struct {
	Name  string
	Tries string // what is tried, as a command: "put a small file"
	// Needs is the name of an earlier check of the same section without which
	// this one would only repeat the other's complaint; empty: none.
	Needs   string
	Timeout time.Duration // 0: 10 s
	Run     func(ctx context.Context) Outcome
}

// Section is checks that are tried one after the other. Sections are tried side
// by side, so that a server that hangs delays nobody else.
type Section struct {
	Name   string
	Checks []Check
	// Close lets go of what the checks have opened; may be nil.
	Close func()
}

// Finding is a check with its outcome.
type Finding struct {
	Name  string
	Tried string
	Outcome
	Took time.Duration
}

// Findings are those of one section.
type Findings struct {
	Section string
	Checks  []Finding
}

// Report is what an examination found, in the order of the sections.
type Report struct{ Sections []Findings }

// Examine tries everything. Each check has a time of its own, and none keeps
// another from being tried.
func Examine(ctx context.Context, sections ...Section) Report {
	r := Report{Sections: make([]Findings, len(sections))}
	var all sync.WaitGroup
	for i, s := range sections {
		all.Go(func() { r.Sections[i] = s.examine(ctx) })
	}
	all.Wait()
	return r
}

func (s Section) examine(ctx context.Context) Findings {
	f := Findings{Section: s.Name}
	came := make(map[string]Status, len(s.Checks))
	for _, c := range s.Checks {
		start := time.Now()
		var o Outcome
		if need := came[c.Needs]; c.Needs != "" && need != OK && need != Warning {
			o = skipped("%s comes first", c.Needs)
		} else {
			o = c.try(ctx)
		}
		came[c.Name] = o.Status
		f.Checks = append(f.Checks, Finding{Name: c.Name, Tried: c.Tries, Outcome: o, Took: time.Since(start)})
	}
	if s.Close != nil {
		s.Close()
	}
	return f
}

const (
	defaultTimeout = 10 * time.Second
	// lastWords is how long a check whose time is over may take to say what it
	// was waiting for, which tells more than that it waited.
	lastWords = 500 * time.Millisecond
)

// try runs a check and leaves it behind when its time is over: a dead network
// disk holds its caller whatever the context says.
func (c Check) try(ctx context.Context) Outcome {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	said := make(chan Outcome, 1)
	go func() { said <- c.Run(limited) }()
	select {
	case o := <-said:
		return o
	case <-limited.Done():
	}
	select {
	case o := <-said:
		return o
	case <-time.After(lastWords):
	}
	if ctx.Err() != nil {
		return skipped("stopped before it answered")
	}
	return broken("look at whether it hangs, and try again", "no answer within %s", timeout)
}

// ExitCode is 0 when everything works, 1 when it works with warnings and 2 when
// something is broken.
func (r Report) ExitCode() int {
	code := 0
	for _, s := range r.Sections {
		for _, f := range s.Checks {
			switch f.Status {
			case Broken:
				return 2
			case Warning:
				code = 1
			}
		}
	}
	return code
}

// with lists the names of the checks that came out in a way.
func (r Report) with(status Status) []string {
	var names []string
	for _, s := range r.Sections {
		for _, f := range s.Checks {
			if f.Status == status {
				names = append(names, f.Name)
			}
		}
	}
	return names
}
