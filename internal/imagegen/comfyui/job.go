package comfyui

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/wire"
)

// The states of a job, in the words of /api/jobs.
const (
	pending   = "pending"
	running   = "in_progress"
	completed = "completed"
	failed    = "failed"
	cancelled = "cancelled"
)

// maxAnswer bounds what is read of the queue and the history: both repeat the
// whole workflow of every job.
const maxAnswer = 64 << 20

// job is what is known of one, from either source.
type job struct {
	status  string
	outputs outputs
	said    string // why it failed
}

func (j job) over() bool { return j.status == completed || j.status == failed || j.status == cancelled }

func (j job) stage() string {
	if j.status == pending {
		return "queued"
	}
	return "generating"
}

// outputs are the files of each node. What is no list of files, such as a text
// that a node showed, is passed over.
type outputs map[string]struct {
	Images json.RawMessage `json:"images"`
}

// file is a picture on the server's disk.
type file struct {
	Name   string `json:"filename"`
	Folder string `json:"subfolder"`
	Type   string `json:"type"` // "output", or "temp" for previews
}

// pick is the first saved picture, or else the first preview.
func (o outputs) pick() (file, bool) {
	var preview file
	ids := slices.SortedFunc(maps.Keys(o), func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	for _, id := range ids {
		var list []file
		_ = json.Unmarshal(o[id].Images, &list) // an empty list says it all
		for _, f := range list {
			switch {
			case f.Name == "":
			case f.Type == "output" || f.Type == "":
				return f, true
			case preview.Name == "":
				preview = f
			}
		}
	}
	return preview, preview.Name != ""
}

// look asks for a job once.
func (g *Generator) look(ctx context.Context, id string) (job, error) {
	element, ok := wire.PathElement(id)
	if !ok {
		return job{}, g.lost(id)
	}
	var out struct {
		Status  string  `json:"status"`
		Outputs outputs `json:"outputs"`
		Error   struct {
			Type    string `json:"exception_type"`
			Message string `json:"exception_message"`
		} `json:"execution_error"`
	}
	err := g.client.JSON(ctx, wire.Call{Path: "api/jobs/" + element, Timeout: wire.Quick, Max: maxAnswer}, &out)
	switch {
	case err == nil && slices.Contains([]string{pending, running, completed, failed, cancelled}, out.Status):
		return job{status: out.Status, outputs: out.Outputs, said: out.Error.Type + " " + out.Error.Message}, nil
	case err == nil:
		return job{}, imagegen.Transientf("bad_answer", "%s answered without the job's status", g.client.Host())
	}
	// 404 is either a server without this call or a job that it does not know.
	if s := wire.Status(err); s != http.StatusNotFound && s != http.StatusMethodNotAllowed {
		return job{}, err
	}
	return g.search(ctx, id, element)
}

// search finds a job in the history or the queue. Both are asked twice, as a
// job may end between the two questions.
func (g *Generator) search(ctx context.Context, id, element string) (job, error) {
	for range 2 {
		j, found, err := g.history(ctx, id, element)
		if found || err != nil {
			return j, err
		}
		where, err := g.place(ctx, id)
		if where != "" || err != nil {
			return job{status: where}, err
		}
	}
	return job{}, g.lost(id)
}

func (g *Generator) history(ctx context.Context, id, element string) (j job, found bool, err error) {
	var out map[string]struct {
		Outputs outputs `json:"outputs"`
		Status  *struct {
			Text     string              `json:"status_str"`
			Messages [][]json.RawMessage `json:"messages"`
		} `json:"status"`
	}
	err = g.client.JSON(ctx, wire.Call{Path: "history/" + element, Timeout: wire.Quick, Max: maxAnswer}, &out)
	entry, found := out[id]
	if err != nil || !found {
		return job{}, false, err
	}
	if entry.Status == nil || entry.Status.Text != "error" {
		return job{status: completed, outputs: entry.Outputs}, true, nil
	}
	return failure(entry.Status.Messages), true, nil
}

// failure reads the events of a job that ended badly.
func failure(messages [][]json.RawMessage) job {
	j := job{status: failed}
	for _, m := range messages {
		var event string
		var data struct {
			Type    string `json:"exception_type"`
			Message string `json:"exception_message"`
		}
		if len(m) < 2 || json.Unmarshal(m[0], &event) != nil || json.Unmarshal(m[1], &data) != nil {
			continue
		}
		switch event {
		case "execution_interrupted":
			j.status = cancelled
		case "execution_error":
			j.said = data.Type + " " + data.Message
		}
	}
	return j
}

// place is where in the queue a job is: pending, running, or empty.
func (g *Generator) place(ctx context.Context, id string) (string, error) {
	var out struct {
		Running [][]json.RawMessage `json:"queue_running"`
		Pending [][]json.RawMessage `json:"queue_pending"`
	}
	if err := g.client.JSON(ctx, wire.Call{Path: "queue", Timeout: wire.Quick, Max: maxAnswer}, &out); err != nil {
		return "", err
	}
	has := func(list [][]json.RawMessage) bool {
		return slices.ContainsFunc(list, func(entry []json.RawMessage) bool {
			var got string
			return len(entry) > 1 && json.Unmarshal(entry[1], &got) == nil && got == id
		})
	}
	switch {
	case has(out.Running):
		return running, nil
	case has(out.Pending):
		return pending, nil
	}
	return "", nil
}

// lost is why a job is not there: stopped by us, or forgotten in a restart.
func (g *Generator) lost(id string) error {
	if _, ok := g.stopped.LoadAndDelete(id); ok {
		return g.canceled()
	}
	return &imagegen.Error{
		Class: editorial.Transient, Code: "job_lost", Err: errLost,
		Message: g.client.Host() + " no longer knows the job: it was restarted, or its history was cleared",
	}
}

func (g *Generator) canceled() error {
	return &imagegen.Error{Class: editorial.Canceled, Code: "stopped", Message: "the job was canceled at " + g.client.Host()}
}

// picture is what a job that is over left.
func (g *Generator) picture(ctx context.Context, j job) ([]byte, error) {
	switch j.status {
	case cancelled:
		return nil, g.canceled()
	case failed:
		why := g.client.Clean(strings.TrimSpace(j.said))
		if why == "" {
			why = "it does not say why"
		}
		return nil, imagegen.Transientf("failed", "%s failed to make the picture: %s", g.client.Host(), why)
	}
	f, ok := j.outputs.pick()
	if !ok {
		return nil, imagegen.Transientf("no_picture", "%s finished the job without a picture; does workflow %s end in a SaveImage node?",
			g.client.Host(), g.workflow.name)
	}
	b, err := g.client.Bytes(ctx, wire.Call{
		Path: "view", Query: url.Values{"filename": {f.Name}, "subfolder": {f.Folder}, "type": {cmp.Or(f.Type, "output")}}, Max: wire.MaxPicture,
	})
	if err != nil {
		return nil, err
	}
	return b, wire.CheckPicture(b)
}
