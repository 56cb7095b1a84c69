package comfyui

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/imagegentest"
)

func serve(t *testing.T, s *server) *Generator {
	t.Helper()
	srv := httptest.NewServer(s.routes())
	t.Cleanup(srv.Close)
	return newGenerator(t, srv.URL)
}

func TestPlaceholdersKeepTheirTypes(t *testing.T) {
	t.Parallel()
	w, err := parseWorkflow([]byte(`{"1":{"class_type":"X","inputs":{
		"a":"{{prompt}}, oil","b":" {{ width }} ","c":"{{width}}x{{height}}","d":"{{seed}}","e":["2",0],"f":"{{guidance}}",
		"g":"{{steps}}","h":18446744073709551615,"i":null,"j":{"k":["{{negative}}"]},"unet_name":"flux\\dev.q8.gguf"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(w.fillIn(values(imagegen.Request{
		Prompt: `say "hi" {{seed}} \n`, NegativePrompt: "text", Width: 1203, Height: 630, Seed: math.MaxInt64, Steps: 8, Guidance: 3.5,
	})))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"1":{"class_type":"X","inputs":{"a":"say \"hi\" seed n, oil","b":1200,"c":"1200x624","d":9223372036854775807,"e":["2",0],` +
		`"f":3.5,"g":8,"h":18446744073709551615,"i":null,"j":{"k":["text"]},"unet_name":"flux\\dev.q8.gguf"}}}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if w.model != "dev.q8" {
		t.Errorf("model = %q", w.model)
	}
}

func TestWorkflowsThatCannotWork(t *testing.T) {
	t.Parallel()
	for body, says := range map[string]string{
		``:              "no JSON",
		`[]`:            "no JSON",
		`{}`:            "no nodes",
		`{"nodes":[]}`:  "Export (API)",
		`{"1":{"x":1}}`: "Export (API)",
		`{"1":{"class_type":"X","inputs":{"a":"{{prompt}}","b":"{{sede}}"}}}`: "{{sede}}",
		`{"1":{"class_type":"X","inputs":{"a":"a cat","b":"{{seed}}"}}}`:      "{{prompt}}",
		`{"1":{"class_type":"X","inputs":{"a":"{{prompt}}","b":7}}}`:          "{{seed}}",
	} {
		file := filepath.Join(t.TempDir(), "w.json")
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New("http://u:secret@gpu:8188?workflow=" + file); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error = %v, want %q in it", body, err, says)
		}
	}
	for _, raw := range []string{"http://gpu:8188", "http://gpu:8188?workflow=testdata/none.json", "gpu", "http://gpu?wrokflow=x"} {
		if _, err := New(raw); err == nil {
			t.Errorf("New(%q) takes it", raw)
		}
	}
}

// The answer to the first submission was lost: the server has the job, and a
// second one is neither needed nor paid for.
func TestAKnownIDIsResumed(t *testing.T) {
	t.Parallel()
	s := newServer(false, imagegentest.PNG())
	g := serve(t, s)
	req := imagegentest.Request()
	if _, err := g.post(t.Context(), req.ImageID, clientID(req), values(req)); err != nil {
		t.Fatal(err)
	}
	var ids []string
	req.Started = func(_ context.Context, id string) error { ids = append(ids, id); return nil }
	got, err := g.Generate(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{req.ImageID}, ids); diff != "" || len(s.asked) != 1 || got.Model != "sd_xl_base_1.0" {
		t.Errorf("asked %d times, model %q, started (-want +got):\n%s", len(s.asked), got.Model, diff)
	}
}

// A job that failed keeps its id at the server: the next attempt needs another.
func TestAFailedJobIsTriedUnderAnotherID(t *testing.T) {
	t.Parallel()
	for name, old := range map[string]bool{"with jobs": false, "with history and queue": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(old, imagegentest.PNG())
			s.failWith = "CUDA out of memory"
			g := serve(t, s)
			req := imagegentest.Request()
			var id string
			req.Started = func(_ context.Context, got string) error { id = got; return nil }
			_, err := g.Generate(t.Context(), req)
			e := imagegen.AsError(err)
			if e == nil || e.Class != editorial.Transient || e.Code != "failed" || !strings.Contains(e.Message, "CUDA out of memory") {
				t.Fatalf("error = %v, want why it failed", err)
			}
			s.mu.Lock()
			s.failWith = ""
			s.mu.Unlock()
			req.ProviderJobID = id
			if _, err := g.Generate(t.Context(), req); err != nil {
				t.Fatalf("second attempt: %v", err)
			}
			if id == req.ProviderJobID {
				t.Errorf("both attempts are job %s", id)
			}
		})
	}
}

func TestTheRefusingNodeIsNamed(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"error":{"type":"prompt_outputs_failed_validation","message":"Prompt outputs failed validation"},"node_errors":{"4":{
			"errors":[{"type":"value_not_in_list","message":"Value not in list","details":"ckpt_name: 'x' not in []"}],"class_type":"CheckpointLoaderSimple"}}}`)
	}))
	defer srv.Close()
	_, err := newGenerator(t, srv.URL).Generate(t.Context(), imagegentest.Request())
	e := imagegen.AsError(err)
	if e == nil || e.Class != editorial.Terminal || !strings.Contains(e.Message, "node 4 (CheckpointLoaderSimple)") || !strings.Contains(e.Message, "ckpt_name") {
		t.Errorf("error = %v, want node 4 to blame", err)
	}
}

// An old server's interrupt would stop whoever's job is running.
func TestARunningJobOnAnOldServerIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := newServer(true, imagegentest.PNG())
	s.jobs["ours"], s.order = running, []string{"ours"}
	g := serve(t, s)
	if e := imagegen.AsError(g.Cancel(t.Context(), "ours")); e == nil || e.Code != "cannot_stop" {
		t.Errorf("error = %v, want cannot_stop", e)
	}
	if err := g.Cancel(t.Context(), "../interrupt"); err != nil || len(s.canceled) != 0 {
		t.Errorf("error %v, stopped %q", err, s.canceled)
	}
}

func TestOutputs(t *testing.T) {
	t.Parallel()
	if _, ok := (outputs{}).pick(); ok {
		t.Error("nothing is a picture")
	}
	for body, want := range map[string]string{
		`{"9":{"images":[{"filename":"t.png","type":"temp"}]},"10":{"images":[{"filename":"o.png","type":"output"}]}}`:   "o.png",
		`{"10":{"images":[{"filename":"b.png","type":"output"}]},"9":{"images":[{"filename":"a.png","type":"output"}]}}`: "a.png",
		`{"9":{"images":[{"filename":"t.png","type":"temp"}]}}`:                                                          "t.png",
		`{"9":{"images":"x"},"8":{"text":["y"]}}`:                                                                        "",
	} {
		var o outputs
		if err := json.Unmarshal([]byte(body), &o); err != nil {
			t.Fatal(err)
		}
		if f, _ := o.pick(); f.Name != want {
			t.Errorf("%s: %q, want %q", body, f.Name, want)
		}
	}
}
