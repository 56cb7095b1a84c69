package worker

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/prompt"
	"github.com/glad-labs/frontispiece/internal/queue"
)

// deadlineOf is when the time for generating an image is over, by this process'
// clock; zero for one without a deadline. The row was claimed a moment ago by
// the clock that set the deadline, so that the two clocks need not agree. Bytes
// that exist are paid for and are uploaded however late it is.
func deadlineOf(img editorial.Image) time.Time {
	if img.DeadlineAt.IsZero() {
		return time.Time{}
	}
	return time.Now().Add(img.DeadlineAt.Sub(img.UpdatedAt))
}

func (g *generation) overdue() bool {
	return !g.deadline.IsZero() && !time.Now().Before(g.deadline)
}

// soon is delay, or what is left until the deadline where that comes first: the
// task that finds it passed ends the picture.
func (g *generation) soon(delay time.Duration) time.Duration {
	if g.deadline.IsZero() {
		return delay
	}
	return min(delay, max(time.Until(g.deadline), 0))
}

// notNow is what becomes of a picture that got no place at its backend.
func (g *generation) notNow(ctx context.Context, backend imagegen.Generator) (again bool, _ error) {
	f := editorial.NewFailure("generator_busy", editorial.StageGenerate, editorial.Transient, backend.Name(),
		backend.Name()+" is busy with other pictures; this one waits for its turn")
	return false, g.later(ctx, g.img, f, g.soon(waitForTurn), false)
}

// unreachable has the picture wait for a backend that was not even asked, as
// long as its settings allow. One that names a time itself is there; it only
// takes no more until then.
func (g *generation) unreachable(ctx context.Context, backend imagegen.Generator, e *imagegen.Error, f *editorial.Failure) (again bool, err error) {
	wait := imagegen.SettingsOf(backend).Wait
	if e.RetryAfter > 0 {
		if wait > 0 && e.RetryAfter > wait {
			return g.moveOn(ctx, backend, f)
		}
		return false, g.later(ctx, g.img, f, g.soon(e.RetryAfter), false)
	}
	g.backends.lost(ctx, backend, f)
	if _, given := g.backends.missing(backend); given {
		return g.moveOn(ctx, backend, f)
	}
	return false, g.later(ctx, g.img, f, g.soon(waitForBackend), false)
}

// abandon stops the backend's job for a picture that nobody will ask it for
// again. Whether it could is no matter: the picture's way is decided.
func (g *generation) abandon(ctx context.Context, backend imagegen.Generator) {
	if g.img.ProviderJobID == "" || g.img.Backend != backend.Name() {
		return
	}
	_ = stopJob(context.WithoutCancel(ctx), backend, g.img.ProviderJobID)
}

// maxWish bounds what an instruction takes of a prompt, in characters.
const maxWish = prompt.DefaultMax / 2

// promptFor is what a generator is sent: the prompt, and behind it what an
// editor wanted to be different. A search for photos gets the prompt alone, as
// it finds nothing with whole sentences; its next page is the other picture.
func promptFor(r editorial.Request, backend imagegen.Generator) string {
	wish := prompt.Options{Max: maxWish}.Clean(r.Instruction)
	if wish == "" || imagegen.IsStock(backend) {
		return prompt.Clean(r.Prompt)
	}
	room := prompt.DefaultMax - utf8.RuneCountInString(wish) - len(". ")
	asked := prompt.Options{Max: room}.Clean(r.Prompt)
	return prompt.Clean(strings.TrimRight(asked, " .") + ". " + wish)
}

// backoff is the wait before the next counted try.
func (g *generation) backoff(least time.Duration) time.Duration {
	return g.soon(max(least, queue.Backoff(g.img.Attempt, g.MaxWait)))
}
