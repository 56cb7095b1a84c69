package ops

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/hibiken/asynqmon"

	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/tasks"
)

// Root is where the queue dashboard stands.
const Root = "/ops/queues"

// Facts finds the rows behind tasks.
type Facts interface {
	FactsOfImage(ctx context.Context, imageID string) (store.TaskFacts, error)
	FactsOfDelivery(ctx context.Context, id string) (store.TaskFacts, error)
}

// Dashboard is asynqmon over a connection, for [Room.Handler]. It is writable:
// docs/dashboard.md says, and a test shows, that no button of it loses a job or
// changes a published picture.
//
// Its page was built to load fonts from elsewhere and to run inline scripts.
// The fonts are taken out, and the scripts and the styles that it makes at run
// time get a nonce, so that it lives under a policy as strict as our own pages'.
func Dashboard(conn asynq.RedisConnOpt, facts Facts) http.Handler {
	mon := asynqmon.New(asynqmon.Options{
		RootPath: Root, RedisConnOpt: conn, PayloadFormatter: &formatter{facts: facts},
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		below := strings.TrimPrefix(r.URL.Path, Root)
		switch {
		case strings.HasPrefix(below, "/api/"):
			w.Header().Set("Cache-Control", "no-store")
			mon.ServeHTTP(w, r)
		case strings.HasPrefix(below, "/static/"):
			w.Header().Set("Cache-Control", "private, max-age=86400") // their names hold a digest
			mon.ServeHTTP(w, r)
		default:
			servePage(w, r, mon)
		}
	})
}

// servePage rewrites the page, which is what asynqmon answers for every path
// that is no file of its own.
func servePage(w http.ResponseWriter, r *http.Request, mon http.Handler) {
	page := &buffered{header: http.Header{}, status: http.StatusOK}
	mon.ServeHTTP(page, r)
	if !bytes.HasPrefix(page.Bytes(), []byte("<!doctype html>")) {
		for name, values := range page.header {
			w.Header()[name] = values
		}
		w.WriteHeader(page.status)
		_, _ = w.Write(page.Bytes()) // a client that is gone
		return
	}
	nonce := rand.Text()
	w.Header().Set("Content-Security-Policy", policy(nonce))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store") // the nonce is for one answer
	w.WriteHeader(page.status)
	_, _ = w.Write(withNonce(page.Bytes(), nonce)) // a client that is gone
}

func policy(nonce string) string {
	own := "'nonce-" + nonce + "'"
	return strings.Join([]string{
		"default-src 'none'", "script-src 'self' " + own, "style-src " + own, "img-src 'self' data:", "connect-src 'self'",
		"manifest-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
	}, "; ")
}

// elsewhere are the page's references to other hosts.
var elsewhere = regexp.MustCompile(`<link [^>]*href="https?://[^>]*>`)

// withNonce takes out what would be fetched from elsewhere and marks what may
// run. The page's style library reads its nonce from the meta element.
func withNonce(page []byte, nonce string) []byte {
	page = elsewhere.ReplaceAll(page, nil)
	page = bytes.ReplaceAll(page, []byte("<script>"), []byte(`<script nonce="`+nonce+`">`))
	return bytes.Replace(page, []byte("<title>"), []byte(`<meta property="csp-nonce" content="`+nonce+`"/><title>`), 1)
}

// buffered keeps a small answer.
type buffered struct {
	bytes.Buffer
	header http.Header
	status int
}

func (b *buffered) Header() http.Header    { return b.header }
func (b *buffered) WriteHeader(status int) { b.status = status }

// formatter shows a task with the row behind it. A page lists up to a hundred
// tasks, each a look-up by primary key; a database that is slow or away is left
// alone for a while after the first.
type formatter struct {
	facts Facts
	later atomic.Int64 // unix nanoseconds before which the rows are not asked
}

const (
	factsTimeout = 200 * time.Millisecond
	factsPause   = 10 * time.Second
)

// described is how a task's payload reads.
type described struct {
	Title    string `json:"title,omitempty"` // first: the page cuts off what is long
	Row      string `json:"row,omitempty"`   // its state now
	Note     string `json:"note,omitempty"`  // what to make of it
	Picture  string `json:"picture,omitempty"`
	Delivery string `json:"delivery,omitempty"`
	Epoch    int64  `json:"epoch"`
}

// FormatPayload implements [asynqmon.PayloadFormatter].
func (f *formatter) FormatPayload(taskType string, payload []byte) string {
	p, err := tasks.Decode(payload)
	if err != nil {
		return "not a payload of this version"
	}
	d := described{Picture: p.ID, Epoch: p.Epoch}
	look := f.facts.FactsOfImage
	if taskType == tasks.TypeNotify {
		d.Picture, d.Delivery = "", p.ID
		look = f.facts.FactsOfDelivery
	}
	f.describe(&d, p, look)
	text, err := json.Marshal(d)
	if err != nil {
		return p.TaskID() // unreachable: strings and a number
	}
	return string(text)
}

func (f *formatter) describe(d *described, p tasks.Payload, look func(context.Context, string) (store.TaskFacts, error)) {
	if time.Now().UnixNano() < f.later.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), factsTimeout) // asynqmon hands on no request
	defer cancel()
	row, err := look(ctx, p.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		d.Note = "no such row: this task does nothing"
	case err != nil:
		f.later.Store(time.Now().Add(factsPause).UnixNano())
		d.Note = "the row could not be read"
	default:
		d.Title, d.Row = row.Title, row.State
		if row.Epoch != p.Epoch {
			d.Note = "an older ring of this row: running it does nothing that the newer one does not"
		}
	}
}
