package comfyui

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/url"
	"sync"

	"github.com/coder/websocket"

	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/wire"
)

// maxEvent bounds one message of the server's, a preview included.
const maxEvent = 4 << 20

// clientID is who the server tells of a job. It is the job's own, so that a
// restarted worker that goes on with the job hears of it again, and nobody hears
// of another's.
func clientID(req imagegen.Request) string { return "frontispiece-" + req.ImageID }

// listener hears how far a job is. Nothing is decided by what it hears: a
// server or a proxy without WebSockets costs the percentage and nothing else.
type listener struct {
	mu     sync.Mutex
	latest imagegen.Progress
	heard  bool
}

// listen begins to hear until ctx ends or the connection does; wait returns
// after that.
func (g *Generator) listen(ctx context.Context, req imagegen.Request) (l *listener, wait func()) {
	l = &listener{}
	if req.Progress == nil {
		return l, func() {}
	}
	var running sync.WaitGroup
	running.Go(func() { l.run(ctx, g.events, g.header, clientID(req)) })
	return l, running.Wait
}

func (l *listener) run(ctx context.Context, address string, header http.Header, client string) {
	dialing, cancel := context.WithTimeout(ctx, wire.Quick)
	defer cancel()
	conn, res, err := websocket.Dial(dialing, address+"?"+url.Values{"clientId": {client}}.Encode(), &websocket.DialOptions{
		HTTPHeader: header, HTTPClient: noRedirects,
	})
	if res != nil && res.Body != nil {
		defer res.Body.Close()
	}
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }() // it is over either way
	conn.SetReadLimit(maxEvent)
	for {
		kind, message, err := conn.Read(ctx)
		if err != nil {
			return
		}
		if kind == websocket.MessageBinary {
			l.preview(message)
			continue
		}
		l.event(message)
	}
}

// event reads {"type":"progress","data":{"prompt_id":…,"value":5,"max":20}}; of
// several samplers in a workflow it tells of the one that runs.
func (l *listener) event(message []byte) {
	var e struct {
		Type string `json:"type"`
		Data struct {
			Value float64 `json:"value"`
			Max   float64 `json:"max"`
		} `json:"data"`
	}
	if json.Unmarshal(message, &e) != nil || e.Type != "progress" || e.Data.Max <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = true
	l.latest.Percent = 100 * min(max(e.Data.Value/e.Data.Max, 0), 1)
	l.latest.Step, l.latest.Steps = int(e.Data.Value), int(e.Data.Max)
}

// The binary messages that are previews, and what stands before the picture.
const (
	previewEvent  = 1
	previewHeader = 8 // the event and the format, four bytes each
)

func (l *listener) preview(message []byte) {
	if len(message) <= previewHeader || binary.BigEndian.Uint32(message) != previewEvent {
		return
	}
	b := message[previewHeader:]
	if wire.CheckPicture(b) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latest.Preview = b
}

// progress is what was heard, as long as the job runs. A preview is told once.
func (l *listener) progress(j job) imagegen.Progress {
	p := imagegen.Progress{Percent: -1, Step: -1, Steps: -1, Stage: j.stage()}
	if j.status != running {
		return p
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.heard {
		p.Percent, p.Step, p.Steps = l.latest.Percent, l.latest.Step, l.latest.Steps
	}
	p.Preview, l.latest.Preview = l.latest.Preview, nil
	return p
}

// noRedirects: as with every other call to the server.
var noRedirects = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
