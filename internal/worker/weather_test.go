package worker_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// weather is faults that strike steps at random while it storms.
type weather struct {
	mu       sync.Mutex
	rand     *rand.Rand
	storming bool
}

var errAway = errors.New("connection reset by peer")

// strike returns the fault that hits a step, nil for none. The same number of
// faults hits before and after the step has had its effect.
func (w *weather) strike(step string) error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.storming || w.rand.IntN(100) >= 8 {
		return nil
	}
	switch kind, when, _ := strings.Cut(step, ", "); kind {
	case "generator":
		return w.generatorFault(when == "not done")
	case "put":
		return blob.Transientf(blob.CodeUnavailable, nil, "the store answers 503")
	default:
		return errAway
	}
}

func (w *weather) generatorFault(notDone bool) error {
	switch {
	case !notDone: // it was paid for, and nothing came of it
		return imagegen.Transientf("timeout", "no answer within the time allowed")
	case w.rand.IntN(2) == 0:
		return &imagegen.Error{Class: "transient", Code: "unreachable", Message: "connection refused", Unreachable: true}
	case w.rand.IntN(4) == 0:
		return imagegen.Terminalf("moderation_blocked", "the provider refuses this prompt")
	default:
		return imagegen.Transientf("unavailable", "the backend answers 503")
	}
}

func (w *weather) storm(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.storming = on
}
