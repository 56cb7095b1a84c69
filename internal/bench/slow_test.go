package bench

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// slowness is what the proxy adds to whatever the database answers.
const slowness = 50 * time.Millisecond

// slowed is the address of a proxy before a server whose answers arrive late,
// each as late as the other, so that what was sent together arrives together.
func slowed(tb testing.TB, server string) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	tb.Cleanup(func() { stop(); l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			behind, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			context.AfterFunc(ctx, func() { client.Close(); behind.Close() })
			go func() { _, _ = io.Copy(behind, client); behind.Close() }()
			go func() { hold(client, behind); client.Close() }()
		}
	}()
	return l.Addr().String()
}

func hold(to, from net.Conn) {
	type piece struct {
		bytes []byte
		due   time.Time
	}
	pieces := make(chan piece, 1024)
	go func() {
		defer close(pieces)
		for {
			buffer := make([]byte, 32<<10)
			n, err := from.Read(buffer)
			if n > 0 {
				pieces <- piece{buffer[:n], time.Now().Add(slowness)}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range pieces {
		<-time.After(time.Until(p.due))
		if _, err := to.Write(p.bytes); err != nil {
			return
		}
	}
}

// measureSlow accepts jobs on a database whose every answer is late.
func measureSlow(b *testing.B, m *machine) []figure {
	s := m.site(b)
	m.connect(b, s.databaseURL).MustExec(floorTables)
	slow := slowURL(b, s.databaseURL)
	env := s.env("DATABASE_URL=" + slow) // the last one counts
	ours, bare := m.serve(b, "api", env...), m.serve(b, "floor", env...)
	defer ours.stop()
	defer bare.stop()
	submit := request("POST", "/v1/jobs", asJSON, submission)
	measure := func(p *process) []float64 {
		const each, side = 25, 8
		var mu sync.Mutex
		var all []float64
		var group sync.WaitGroup
		for range side {
			c := connection(b, p)
			group.Go(func() {
				for i := range each {
					took := latency(b, c, submit, 202)
					if i >= 2 { // the pool is warm
						mu.Lock()
						all = append(all, took)
						mu.Unlock()
					}
				}
			})
		}
		group.Wait()
		return all
	}
	o, f := measure(ours), measure(bare)
	return []figure{
		{"accept with every database answer 50 ms late, p50", "ms", median(o), median(f), goal{}},
		{"the same, p99", "ms", quantile(o, 0.99), quantile(f, 0.99), goal{}},
	}
}

func slowURL(tb testing.TB, databaseURL string) string {
	tb.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		tb.Fatal(err)
	}
	u.Host = slowed(tb, u.Host)
	return u.String()
}
