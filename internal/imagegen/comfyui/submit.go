package comfyui

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/wire"
)

// submit gives the job the image's id. A server that has it already took the
// job from a call whose answer was lost; one that ended without a picture, from
// an earlier attempt, and this one gets an id of its own.
func (g *Generator) submit(ctx context.Context, req imagegen.Request, v map[string]any) (id string, err error) {
	want := uuid.NewString()
	if parsed, err := uuid.Parse(req.ImageID); err == nil {
		want = parsed.String()
	}
	id, err = g.post(ctx, want, clientID(req), v)
	if wire.Status(err) != http.StatusConflict {
		return id, err
	}
	j, err := g.look(ctx, want)
	if err != nil && !errors.Is(err, errLost) {
		return "", err
	}
	if err == nil && (!j.over() || j.status == completed) {
		return want, nil
	}
	return g.post(ctx, uuid.NewString(), clientID(req), v)
}

func (g *Generator) post(ctx context.Context, want, client string, v map[string]any) (id string, err error) {
	var out struct {
		ID string `json:"prompt_id"` // older servers choose it themselves
	}
	in := map[string]any{"prompt": g.workflow.fillIn(v), "prompt_id": want, "client_id": client}
	if err := g.client.JSON(ctx, wire.Call{Path: "prompt", In: in, Timeout: wire.Quick}, &out); err != nil {
		return "", g.explain(err)
	}
	if _, ok := wire.PathElement(out.ID); !ok {
		return "", imagegen.Transientf("bad_answer", "%s took the job but named no id for it", g.client.Host())
	}
	return out.ID, nil
}

// explain adds which node refused the workflow.
func (g *Generator) explain(err error) error {
	var s *wire.StatusError
	var body struct {
		Nodes map[string]struct {
			Class  string `json:"class_type"`
			Errors []struct {
				Message string `json:"message"`
				Details string `json:"details"`
			} `json:"errors"`
		} `json:"node_errors"`
	}
	if !errors.As(err, &s) || s.Status != http.StatusBadRequest || json.Unmarshal(s.Body, &body) != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(body.Nodes)) {
		n := body.Nodes[id]
		if len(n.Errors) == 0 {
			continue
		}
		better := imagegen.Terminalf("workflow_refused", "%s refuses node %s (%s) of workflow %s: %s",
			g.client.Host(), g.client.Clean(id), g.client.Clean(n.Class), g.workflow.name,
			g.client.Clean(n.Errors[0].Message+" "+n.Errors[0].Details))
		better.Err = s
		return better
	}
	return err
}
