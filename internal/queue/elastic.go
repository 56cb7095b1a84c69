package queue

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"time"
)

// elasticConn is a pipe to a server with room for its replies: the server never
// waits for its client to read. A plain net.Pipe holds nothing, and a client
// that sends a pipeline reads the first reply only after the last command.
type elasticConn struct {
	net.Conn          // to the server: commands go straight there
	replies  net.Conn // what forward hands on
}

func elastic(server net.Conn) net.Conn {
	ours, theirs := net.Pipe()
	go forward(theirs, server)
	return &elasticConn{Conn: server, replies: ours}
}

func (c *elasticConn) Read(p []byte) (int, error)        { return c.replies.Read(p) }
func (c *elasticConn) SetReadDeadline(t time.Time) error { return c.replies.SetReadDeadline(t) }
func (c *elasticConn) SetDeadline(t time.Time) error {
	return errors.Join(c.Conn.SetWriteDeadline(t), c.replies.SetReadDeadline(t))
}
func (c *elasticConn) Close() error { return errors.Join(c.Conn.Close(), c.replies.Close()) }

// forward hands on what comes from src, keeping what dst does not take yet,
// until either is closed.
func forward(dst, src net.Conn) {
	var (
		mu      sync.Mutex
		more    = sync.NewCond(&mu)
		waiting bytes.Buffer
		ended   bool
	)
	go func() {
		chunk := make([]byte, 4096)
		for {
			n, err := src.Read(chunk)
			mu.Lock()
			waiting.Write(chunk[:n])
			ended = err != nil
			mu.Unlock()
			more.Signal()
			if err != nil {
				return
			}
		}
	}()
	defer func() { _ = dst.Close() }() // nothing is lost
	for {
		mu.Lock()
		for waiting.Len() == 0 && !ended {
			more.Wait()
		}
		chunk := bytes.Clone(waiting.Bytes())
		waiting.Reset()
		mu.Unlock()
		if len(chunk) == 0 {
			return
		}
		if _, err := dst.Write(chunk); err != nil {
			return // the client is gone, and closes src as well
		}
	}
}
