package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// client is one keep-alive connection that sends ready-made requests: next to
// nothing of what is measured is its own.
type client struct {
	conn net.Conn
	r    *bufio.Reader
}

func dial(addr string) (*client, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, r: bufio.NewReader(conn)}, nil
}

// request is one as it goes over the wire. path may carry a query; headers end
// with line breaks.
func request(method, path, headers, body string) []byte {
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s", method, path, headers, len(body), body)
}

const asJSON = "Content-Type: application/json\r\n"

// do returns the answer; its body only when keep says so.
func (c *client) do(req []byte, keep bool) (*http.Response, []byte, error) {
	if _, err := c.conn.Write(req); err != nil {
		return nil, nil, err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if keep {
		body, err := io.ReadAll(resp.Body)
		return resp, body, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp, nil, err
}

// once sends one request on a connection of its own.
func once(tb testing.TB, addr string, req []byte, want int) (*http.Response, []byte) {
	tb.Helper()
	c, err := dial(addr)
	if err != nil {
		tb.Fatal(err)
	}
	defer c.conn.Close()
	resp, body, err := c.do(req, true)
	if err != nil {
		tb.Fatal(err)
	}
	if resp.StatusCode != want {
		tb.Fatalf("%s: %s, wanted %d\n%s", req, resp.Status, want, body)
	}
	return resp, body
}

// perSecond is how many requests a second so many clients get answered with
// want, over d after a short warming up. Client i sends requests[i%len].
func perSecond(tb testing.TB, addr string, clients int, d time.Duration, want int, requests ...[]byte) float64 {
	tb.Helper()
	var answered atomic.Int64
	var group sync.WaitGroup
	var failure atomic.Value
	end := make(chan struct{})
	for i := range clients {
		group.Go(func() {
			if err := keepAsking(addr, requests[i%len(requests)], want, &answered, end); err != nil {
				failure.CompareAndSwap(nil, err)
			}
		})
	}
	<-time.After(d / 5)
	first, begun := answered.Load(), time.Now()
	<-time.After(d)
	rate := float64(answered.Load()-first) / time.Since(begun).Seconds()
	close(end)
	group.Wait()
	if err, ok := failure.Load().(error); ok {
		tb.Fatal(err)
	}
	return rate
}

func keepAsking(addr string, req []byte, want int, answered *atomic.Int64, end <-chan struct{}) error {
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	for {
		select {
		case <-end:
			return nil
		default:
		}
		resp, _, err := c.do(req, false)
		if err != nil {
			return err
		}
		if resp.StatusCode != want {
			return errors.New(resp.Status)
		}
		answered.Add(1)
	}
}

// latency is how long each request takes, one after the other, in ms.
func latency(tb testing.TB, c *client, req []byte, want int) float64 {
	tb.Helper()
	begun := time.Now()
	resp, body, err := c.do(req, true)
	took := millis(time.Since(begun))
	if err != nil {
		tb.Fatal(err)
	}
	if resp.StatusCode != want {
		tb.Fatalf("%s: %s\n%s", req, resp.Status, body)
	}
	return took
}
