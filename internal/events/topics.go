package events

import "sync"

// topics is who watches what.
type topics struct {
	mu       sync.RWMutex
	watchers map[string]map[*Watcher]struct{} // topic -> watchers
}

// Watcher waits for something to happen to its topics. What happens is merged:
// a slow watcher hears once that there is something to look at.
type Watcher struct {
	of     *topics
	topics []string
	c      chan struct{}
}

// Watch starts watching topics: ids of jobs, drafts or images, types of notes,
// [All], or [ProgressOf] any of the ids. Close the watcher when done.
func (t *topics) Watch(names ...string) *Watcher {
	w := &Watcher{of: t, topics: names, c: make(chan struct{}, 1)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watchers == nil {
		t.watchers = make(map[string]map[*Watcher]struct{})
	}
	for _, name := range names {
		if t.watchers[name] == nil {
			t.watchers[name] = make(map[*Watcher]struct{})
		}
		t.watchers[name][w] = struct{}{}
	}
	return w
}

// tell tells who watches any of the topics; "" is none.
func (t *topics) tell(names ...string) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, name := range names {
		if name == "" {
			continue
		}
		for w := range t.watchers[name] {
			select {
			case w.c <- struct{}{}:
			default:
			}
		}
	}
}

// Watching is how many watchers there are on topics, for metrics.
func (t *topics) Watching() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	n := 0
	for _, set := range t.watchers {
		n += len(set)
	}
	return n
}

// C has an element when something may have changed since it was last read.
func (w *Watcher) C() <-chan struct{} { return w.c }

// Close stops watching.
func (w *Watcher) Close() {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	for _, name := range w.topics {
		delete(w.of.watchers[name], w)
		if len(w.of.watchers[name]) == 0 {
			delete(w.of.watchers, name)
		}
	}
}
