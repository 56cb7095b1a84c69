package sdwebui

import (
	"context"
	"regexp"
	"sync"
	"time"

	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/wire"
)

// task is the body of txt2img. Nothing of it changes the server for others:
// the settings are restored, and no file is kept there.
type task struct {
	Prompt         string            `json:"prompt"`
	NegativePrompt string            `json:"negative_prompt"`
	Width          int               `json:"width,omitempty"`
	Height         int               `json:"height,omitempty"`
	Steps          int               `json:"steps,omitempty"`
	Guidance       float64           `json:"cfg_scale,omitempty"`
	Seed           int64             `json:"seed"`
	BatchSize      int               `json:"batch_size"` // with more, a grid may come first
	Iterations     int               `json:"n_iter"`
	Sampler        string            `json:"sampler_name,omitempty"`
	TaskID         string            `json:"force_task_id"`
	SendImages     bool              `json:"send_images"`
	SaveImages     bool              `json:"save_images"`
	Override       map[string]string `json:"override_settings,omitempty"`
	Restore        bool              `json:"override_settings_restore_afterwards"`
}

func (g *Generator) newTask(req imagegen.Request, id string) task {
	t := task{
		Prompt: clean(req.Prompt), NegativePrompt: clean(req.NegativePrompt), Width: side(req.Width), Height: side(req.Height),
		Steps: min(max(req.Steps, 0), 150), Guidance: min(max(req.Guidance, 0), 30), Seed: req.Seed,
		BatchSize: 1, Iterations: 1, Sampler: g.sampler, TaskID: id, SendImages: true, Restore: true,
	}
	if g.model != "" {
		t.Override = map[string]string{"sd_model_checkpoint": g.model}
	}
	return t
}

// side is the nearest length that the server draws: models work on blocks of 8.
func side(n int) int {
	if n <= 0 {
		return 0
	}
	return min(max((n+4)/8*8, 64), 2048)
}

func (t task) params() map[string]any {
	p := map[string]any{"prompt": t.Prompt, "width": t.Width, "height": t.Height}
	if t.NegativePrompt != "" {
		p["negative_prompt"] = t.NegativePrompt
	}
	if t.Steps > 0 {
		p["steps"] = t.Steps
	}
	if t.Guidance > 0 {
		p["guidance"] = t.Guidance
	}
	return p
}

// commands load networks into the server, and run settings where the server is
// stable-diffusion.cpp's.
var commands = regexp.MustCompile(`(?is)<sd_cpp_extra_args>.*?</sd_cpp_extra_args>|</?sd_cpp_extra_args[^<>]*>|<\w+:[^<>]*>`)

// clean takes the commands out of a prompt, also those that appear when what
// stood in their middle is gone.
func clean(prompt string) string {
	for {
		next := commands.ReplaceAllString(prompt, "")
		if next == prompt {
			return prompt
		}
		prompt = next
	}
}

// progress is the server's view of one task.
type progress struct {
	Active    bool     `json:"active"`
	Queued    bool     `json:"queued"`
	Progress  *float64 `json:"progress"` // 0 to 1
	Preview   string   `json:"live_preview"`
	PreviewID int      `json:"id_live_preview"`
}

// look asks for one task. seen is the number of the preview that we have.
func (g *Generator) look(ctx context.Context, id string, seen int) (progress, error) {
	var p progress
	in := map[string]any{"id_task": id, "id_live_preview": seen}
	err := g.client.JSON(ctx, wire.Call{Path: "internal/progress", In: in, Timeout: lookTime, Max: 4 << 20}, &p)
	return p, err
}

// watch reports the task's progress until the returned function is called,
// which waits for the last report.
func (g *Generator) watch(ctx context.Context, req imagegen.Request, id string) (end func()) {
	if req.Progress == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(g.every)
		defer ticker.Stop()
		for seen := -1; ; {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			p, err := g.look(ctx, id, seen)
			if wire.Status(err) != 0 {
				return // a dialect without it
			}
			if err == nil && ctx.Err() == nil {
				seen = max(seen, p.PreviewID)
				req.Progress(p.report())
			}
		}
	})
	return func() { cancel(); running.Wait() }
}

func (p progress) report() imagegen.Progress {
	r := imagegen.Progress{Percent: -1, Step: -1, Steps: -1, Stage: "waiting"}
	switch {
	case p.Queued:
		r.Stage = "queued"
	case p.Active:
		r.Stage = "generating"
	}
	if p.Active && p.Progress != nil {
		r.Percent = 100 * min(max(*p.Progress, 0), 1)
	}
	if p.Preview != "" {
		if b, err := wire.DecodePicture(p.Preview); err == nil {
			r.Preview = b
		}
	}
	return r
}
