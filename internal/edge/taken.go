package edge

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// taken is the connections that handlers have taken from their server, which
// knows of them no longer. nil keeps none.
type taken struct {
	open sync.WaitGroup

	mu    sync.Mutex
	conns map[*takenConn]struct{}
}

// from has t keep what h takes.
func (t *taken) from(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := record(w)
		rec.from = t
		h.ServeHTTP(rec, r)
	})
}

// hijack takes w's connection from its server. ended is told how many bytes were
// written to it when it is closed.
func (t *taken) hijack(w http.ResponseWriter, ended func(bytes int64)) (net.Conn, *bufio.ReadWriter, error) {
	if t != nil {
		t.open.Add(1) // before the server forgets the connection
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		if t != nil {
			t.open.Done()
		}
		return nil, nil, err
	}
	c := &takenConn{Conn: conn, from: t, ended: ended}
	if t != nil {
		t.mu.Lock()
		t.conns[c] = struct{}{}
		t.mu.Unlock()
	}
	buffered.Writer.Reset(c)
	return c, buffered, nil
}

// wait waits until all are closed, or ctx ends.
func (t *taken) wait(ctx context.Context) error {
	none := make(chan struct{})
	go func() {
		t.open.Wait()
		close(none)
	}()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cut closes all under whoever has them.
func (t *taken) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.conns {
		_ = c.Conn.Close() // the end of its owner is not waited for
	}
}

// takenConn tells when it is closed.
type takenConn struct {
	net.Conn
	from  *taken
	bytes atomic.Int64
	once  sync.Once
	ended func(bytes int64)
}

func (c *takenConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.bytes.Add(int64(n))
	return n, err
}

func (c *takenConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.ended(c.bytes.Load())
		if c.from != nil {
			c.from.mu.Lock()
			delete(c.from.conns, c)
			c.from.mu.Unlock()
			c.from.open.Done()
		}
	})
	return err
}
