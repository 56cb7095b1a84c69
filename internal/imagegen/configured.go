package imagegen

import "time"

// Settings are what an operator says about a generator, whatever its kind.
type Settings struct {
	// Name replaces the generator's own where several are of one kind; empty:
	// its own.
	Name string
	// Concurrency is how many pictures it makes at once in one process; 0: no
	// limit of its own.
	Concurrency int
	// Wait is how long it is waited for while it cannot be reached, before the
	// next is asked; 0: for as long as it takes.
	Wait time.Duration
}

// Configured is a generator with its settings. What else it can do, other than
// [Generator]'s methods, is found by [IsStock] and [CancelerOf].
type Configured struct {
	Generator
	Settings Settings
}

// Configure returns g with settings.
func Configure(g Generator, s Settings) *Configured {
	if s.Name == "" {
		s.Name = g.Name()
	}
	return &Configured{Generator: g, Settings: s}
}

// Name is the configured one.
func (c *Configured) Name() string { return c.Settings.Name }

// SettingsOf are a generator's settings; the zero value, but for the name, for
// one that nobody configured.
func SettingsOf(g Generator) Settings {
	if c, ok := g.(*Configured); ok {
		return c.Settings
	}
	return Settings{Name: g.Name()}
}

// inner is the backend itself.
func inner(g Generator) Generator {
	for {
		c, ok := g.(*Configured)
		if !ok {
			return g
		}
		g = c.Generator
	}
}

// IsStock reports whether g finds pictures instead of making them.
func IsStock(g Generator) bool {
	_, ok := inner(g).(Stock)
	return ok
}

// CancelerOf is how g stops a job of ours, if it can.
func CancelerOf(g Generator) (c Canceler, ok bool) {
	c, ok = inner(g).(Canceler)
	return c, ok
}
