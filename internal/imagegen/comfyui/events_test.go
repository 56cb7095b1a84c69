package comfyui

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/imagegentest"
)

// The percentage and the preview come over the server's WebSocket, of our own
// job only, and what it says besides is passed over.
func TestProgressOverTheWebSocket(t *testing.T) {
	t.Parallel()
	for name, old := range map[string]bool{"with jobs": false, "with history and queue": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(old, imagegentest.PNG())
			s.says = []message{
				{websocket.MessageText, []byte(`{"type":"status","data":{"status":{"exec_info":{"queue_remaining":1}}}}`)},
				{websocket.MessageText, []byte(`{"type":"progress","data":{"node":"3","value":5,"max":20}}`)},
				{websocket.MessageText, []byte(`{"type":"progress","data":{"node":"4","value":0,"max":0}}`)},
				{websocket.MessageText, []byte(`no JSON`)},
				{websocket.MessageBinary, append([]byte{0, 0, 0, 1, 0, 0, 0, 2}, imagegentest.PNG()...)},
				{websocket.MessageBinary, append([]byte{0, 0, 0, 3, 0, 0, 0, 0}, "text of a node"...)},
				{websocket.MessageBinary, []byte{0, 0, 0, 1}},
			}
			g := serve(t, s)
			req := imagegentest.Request()
			var percent, preview bool
			req.Progress = func(p imagegen.Progress) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.held = true // it runs until everything was heard
				for id := range s.jobs {
					s.jobs[id] = running
				}
				if p.Percent >= 0 {
					percent = true
					if diff := cmp.Diff([3]float64{25, 5, 20}, [3]float64{p.Percent, float64(p.Step), float64(p.Steps)}); diff != "" {
						t.Errorf("progress (-want +got):\n%s", diff)
					}
				}
				preview = preview || cmp.Equal(imagegentest.PNG(), p.Preview)
				s.held = !percent || !preview
			}
			if _, err := g.Generate(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			if !percent || !preview {
				t.Errorf("percent heard: %v, preview heard: %v; want both", percent, preview)
			}
		})
	}
}

// A server, or a proxy before it, without WebSockets costs the percentage only;
// so does one that leads them elsewhere.
func TestNoWebSocket(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]http.HandlerFunc{
		"not found": http.NotFound,
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/ws", http.StatusFound)
		},
		"cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			routes := newServer(false, imagegentest.PNG()).routes()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/ws" {
					refuse(w, r)
					return
				}
				routes.ServeHTTP(w, r)
			}))
			t.Cleanup(srv.Close)
			req := imagegentest.Request()
			var stages []string
			req.Progress = func(p imagegen.Progress) { stages = append(stages, p.Stage) }
			if _, err := newGenerator(t, srv.URL).Generate(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			if len(stages) == 0 {
				t.Error("not even a stage was told")
			}
		})
	}
}
