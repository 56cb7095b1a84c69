package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

const watchers = 5000

// crowd is open event streams that count how often each has an event.
type crowd struct {
	mu    sync.Mutex
	had   int
	want  int
	all   chan struct{} // closed when each has had the event that is awaited
	conns []net.Conn
}

// gather opens streams at a path and waits until each has been answered.
func gather(tb testing.TB, addr, path, event string) *crowd {
	tb.Helper()
	c := &crowd{}
	mark := []byte("event: " + event + "\n")
	var opened sync.WaitGroup
	slots := make(chan struct{}, 64) // a listener has a short queue
	for range watchers {
		slots <- struct{}{}
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			tb.Fatal(err)
		}
		c.conns = append(c.conns, conn)
		opened.Add(1)
		go func() {
			r := bufio.NewReaderSize(conn, 512)
			_, err := conn.Write(request("GET", path, "Accept: text/event-stream\r\n", ""))
			begun := false
			for err == nil {
				var line []byte
				if line, err = r.ReadSlice('\n'); errors.Is(err, bufio.ErrBufferFull) {
					err = nil // the rest of a long line is a line without a name
				}
				if !begun && bytes.HasPrefix(line, []byte("retry: ")) {
					begun = true
					<-slots
					opened.Done()
				}
				if bytes.Equal(line, mark) {
					c.got()
				}
			}
		}()
	}
	opened.Wait()
	return c
}

func (c *crowd) got() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.had++; c.had == c.want {
		close(c.all)
	}
}

// await is how long it takes until each has had one more event, in ms.
func (c *crowd) await(tb testing.TB, cause func()) float64 {
	tb.Helper()
	c.mu.Lock()
	c.had, c.want, c.all = 0, len(c.conns), make(chan struct{})
	c.mu.Unlock()
	begun := time.Now()
	cause()
	select {
	case <-c.all:
		return millis(time.Since(begun))
	case <-time.After(time.Minute):
		c.mu.Lock()
		defer c.mu.Unlock()
		tb.Fatalf("%d of %d watchers have the event of %s", c.had, c.want, c.conns[0].RemoteAddr())
		return 0
	}
}

func (c *crowd) leave() {
	for _, conn := range c.conns {
		conn.Close()
	}
}

// measureWatchers has a crowd follow one job, and another the whole board.
func measureWatchers(b *testing.B, m *machine) []figure {
	s, ours, bare := m.servers(b)
	defer ours.stop()
	defer bare.stop()
	draft := s.drafts(b, 1)[0]
	_, body := once(b, ours.addr, request("POST", "/v1/jobs", asJSON, `{"prompt":"A lighthouse at dawn","draft_id":"`+draft+`"}`), 202)
	var job struct{ ID string }
	if err := json.Unmarshal(body, &job); err != nil {
		b.Fatal(err)
	}
	floorMemory, floorTime := crowded(b, bare, "/stream", "tell", func(int) { once(b, bare.addr, request("POST", "/tell", "", ""), 200) })
	decide := func(round int) { // nothing but the history changes
		what, body := "/approve", `{}`
		if round%2 == 1 {
			what, body = "/reject", `{"reason":"no"}`
		}
		once(b, ours.addr, request("POST", "/v1/drafts/"+draft+what, asJSON, body), 200)
	}
	memory, onJob := crowded(b, ours, "/v1/jobs/"+job.ID+"/events", "", decide)
	_, onBoard := crowded(b, ours, "/v1/events", "", decide)
	return []figure{
		{"memory for each of 5,000 event-stream watchers", "KiB", memory, floorMemory, atMost(32)},
		{"an event of one job reaches all 5,000", "ms", onJob, floorTime, atMost(1000)},
		{"an event reaches 5,000 boards", "ms", onBoard, floorTime, atMost(1000)},
	}
}

// crowded measures what a crowd costs a process, in KiB each, and how long an
// event takes to reach all of it.
func crowded(b *testing.B, p *process, path, event string, cause func(round int)) (memory, took float64) {
	b.Helper()
	p.rest()
	before := p.memory(b, "VmRSS")
	names := []string{"draft.approved", "draft.rejected"}
	if event != "" {
		names = []string{event}
	}
	c := gather(b, p.addr, path, "")
	p.rest()
	memory = (p.memory(b, "VmRSS") - before) * 1024 / watchers
	c.leave()
	var times []float64
	for round := range 4 {
		c := gather(b, p.addr, path, names[round%len(names)])
		times = append(times, c.await(b, func() { cause(round) }))
		c.leave()
		p.rest()
	}
	return memory, median(times)
}

// stream holds an event stream open with nothing around it.
func (f *floor) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	rc := http.NewResponseController(w)
	next := func() chan struct{} {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.told
	}
	told := next() // before the client hears that it is watching
	_, _ = io.WriteString(w, "retry: 3000\n\n")
	_ = rc.Flush() // a client that is gone ends below
	for ; ; told = next() {
		select {
		case <-r.Context().Done():
			return
		case <-told:
			_, _ = io.WriteString(w, "id: 1\nevent: tell\ndata: {}\n\n")
			_ = rc.Flush()
		}
	}
}

func (f *floor) tell(http.ResponseWriter, *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.told)
	f.told = make(chan struct{})
}
