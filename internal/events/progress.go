package events

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// NoteProgress is the type of notes that a picture got further. They change no
// row and come twice a second, so they reach only who watches [ProgressOf].
const NoteProgress = "image.progress"

// ProgressOf is the topic of the progress of a job, a draft, an image, or with
// [All] of everything.
func ProgressOf(id string) string { return "progress:" + id }

// The pace of progress.
const (
	progressEvery   = 500 * time.Millisecond // between two writes of one image
	progressFor     = 30 * time.Second       // how long a dead worker's stays
	progressTimeout = 300 * time.Millisecond // what anybody waits for Redis because of it
	progressPause   = 2 * time.Second        // without Redis, between two looks
)

func progressKey(imageID string) string { return "frontispiece:progress:" + imageID }

// Board shows how far pictures are that are being made. It is kept in Redis
// only: without Redis there is none, and nothing else is missing. It is safe
// for concurrent use.
type Board struct {
	redis redis.UniversalClient
	hub   *Hub
	away  atomic.Int64 // Unix nanoseconds until which Redis is not asked
}

// NewBoard returns a board in client's Redis whose changes hub tells.
func NewBoard(client redis.UniversalClient, hub *Hub) *Board { return &Board{redis: client, hub: hub} }

// Of returns what is known of the images, in one round trip; nil when Redis is
// away. An image of which nothing is known is not in the map.
func (b *Board) Of(ctx context.Context, imageIDs ...string) map[string]editorial.Progress {
	now := time.Now()
	if len(imageIDs) == 0 || now.UnixNano() < b.away.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, progressTimeout)
	defer cancel()
	answers := make([]*redis.StringCmd, len(imageIDs))
	_, _ = b.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range imageIDs {
			answers[i] = p.HGet(ctx, progressKey(id), "progress")
		}
		return nil
	})
	found := make(map[string]editorial.Progress)
	for i, a := range answers {
		body, err := a.Bytes()
		var p editorial.Progress
		switch {
		case err == nil && json.Unmarshal(body, &p) == nil:
			found[imageIDs[i]] = p
		case err != nil && !errors.Is(err, redis.Nil):
			b.away.Store(now.Add(progressPause).UnixNano())
			return nil
		}
	}
	return found
}

// Follow begins to show an image's progress for the worker that holds img's
// claim. report takes the newest and never waits; what comes faster than twice
// a second is merged, and a picture that is there within half a second is never
// shown at all. end forgets the image, unless another worker shows it by now.
func (b *Board) Follow(ctx context.Context, img editorial.Image) (report func(editorial.Progress), end func()) {
	f := &follower{
		board: b, owner: img.Claim,
		note: dispatch.Note{JobID: img.JobID, ImageID: img.ID, DraftID: img.DraftID, Type: NoteProgress},
	}
	// What was shown is taken back also when the worker is told to stop.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { f.run(ctx) })
	return f.report, func() { cancel(); running.Wait() }
}

// follower writes one image's progress.
type follower struct {
	board *Board
	owner string
	note  dispatch.Note

	mu     sync.Mutex
	latest editorial.Progress
	fresh  bool
}

func (f *follower) report(p editorial.Progress) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.Preview == "" && p.Generator == f.latest.Generator {
		p.Preview = f.latest.Preview // generators send one only when it is new
	}
	p.At = time.Now().UTC()
	f.latest, f.fresh = p, true
}

// take returns the newest report, and whether nobody has taken it yet.
func (f *follower) take() (p editorial.Progress, fresh bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, fresh = f.latest, f.fresh
	f.fresh = false
	return p, fresh
}

func (f *follower) run(ctx context.Context) {
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	var written time.Time
	for {
		select {
		case <-ctx.Done():
			if !written.IsZero() {
				f.forget(ctx)
			}
			return
		case now := <-ticker.C:
			p, fresh := f.take()
			// A generator may be silent for longer than Redis remembers.
			if fresh || !written.IsZero() && now.Sub(written) > progressFor/3 {
				f.write(ctx, p, fresh)
				written = now
			}
		}
	}
}

func (f *follower) write(ctx context.Context, p editorial.Progress, tell bool) {
	body, err := json.Marshal(p)
	if err != nil {
		return // unreachable: it holds numbers and texts
	}
	ctx, cancel := context.WithTimeout(ctx, progressTimeout)
	defer cancel()
	key := progressKey(f.note.ImageID)
	_, err = f.board.redis.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.HSet(ctx, key, "owner", f.owner, "progress", body)
		pipe.Expire(ctx, key, progressFor)
		return nil
	})
	if err == nil && tell {
		f.board.hub.Notify(ctx, f.note)
	}
}

// drop forgets an image's progress if it is still the caller's: a worker that
// lost its claim must not take down what the next one shows.
var drop = redis.NewScript(`if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`)

func (f *follower) forget(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), progressTimeout)
	defer cancel()
	_ = drop.Run(ctx, f.board.redis, []string{progressKey(f.note.ImageID)}, f.owner).Err() // else it expires
}
