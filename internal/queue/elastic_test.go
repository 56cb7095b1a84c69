package queue_test

import (
	"fmt"
	"testing"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/queue"
)

// A client sends a whole pipeline before it reads the first reply. Through a
// pipe without room both ends then wait for each other for ever, and a restart
// with many pictures due would never ring one of them.
func TestManyTasksAreLookedUpAtOnce(t *testing.T) {
	each(t, func(t *testing.T, q *queue.Queue) {
		bells := make([]dispatch.Bell, 5000)
		for i := range bells {
			bells[i] = bell(fmt.Sprintf("01a20ac5-0215-719f-a4bc-%012d", i), 1)
		}
		if err := q.Ring(t.Context(), bells[len(bells)-1]); err != nil {
			t.Fatal(err)
		}
		states, err := q.States(t.Context(), bells)
		if err != nil {
			t.Fatal(err)
		}
		if last := states[len(states)-1]; last != dispatch.TaskWaiting || states[0] != dispatch.TaskAbsent {
			t.Errorf("the first is %v and the last %v", states[0], last)
		}
	})
}
