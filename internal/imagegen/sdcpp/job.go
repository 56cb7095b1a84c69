package sdcpp

import (
	"context"
	"fmt"
	"net/http"
	"regexp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/wire"
)

// submission is the body of POST /sdcpp/v1/img_gen; what is left out is the
// server's default.
type submission struct {
	Prompt         string        `json:"prompt"`
	NegativePrompt string        `json:"negative_prompt,omitempty"`
	Width          int           `json:"width,omitempty"`
	Height         int           `json:"height,omitempty"`
	Seed           int64         `json:"seed"`
	BatchCount     int           `json:"batch_count"`
	Sample         *sampleParams `json:"sample_params,omitempty"`
	OutputFormat   string        `json:"output_format"`
	EmbedMetadata  bool          `json:"embed_image_metadata"`
}

type sampleParams struct {
	Steps    int       `json:"sample_steps,omitempty"`
	Guidance *guidance `json:"guidance,omitempty"`
}

type guidance struct {
	Text float64 `json:"txt_cfg"`
}

func newSubmission(req imagegen.Request) submission {
	s := submission{
		Prompt: clean(req.Prompt), NegativePrompt: clean(req.NegativePrompt),
		Width: side(req.Width), Height: side(req.Height), Seed: req.Seed, BatchCount: 1, OutputFormat: "png",
	}
	if req.Steps > 0 || req.Guidance > 0 {
		s.Sample = &sampleParams{Steps: max(req.Steps, 0)}
	}
	if req.Guidance > 0 {
		s.Sample.Guidance = &guidance{Text: req.Guidance}
	}
	return s
}

// side is a length that the server takes, 0 for its own default.
func side(n int) int {
	if n <= 0 {
		return 0
	}
	return min(max(n, minSide), maxSide)
}

// commands are what the server's other faces run when it stands in a prompt.
// The native one is not said to, today.
var commands = regexp.MustCompile(`(?is)<sd_cpp_extra_args>.*?</sd_cpp_extra_args>|</?sd_cpp_extra_args[^<>]*>|<lora:[^<>]*>`)

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

// job is the server's view of one.
type job struct {
	ID            string `json:"id"`
	Status        string `json:"status"`
	QueuePosition *int   `json:"queue_position"`
	Result        *struct {
		Images []struct {
			B64 string `json:"b64_json"`
		} `json:"images"`
	} `json:"result"`
	Error *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func (j job) over() bool {
	return j.Status == "completed" || j.Status == "failed" || j.Status == "cancelled"
}

func (j job) progress() imagegen.Progress {
	p := imagegen.Progress{Percent: -1, Step: -1, Steps: -1, Stage: j.Status}
	if j.Status == "queued" && j.QueuePosition != nil && *j.QueuePosition > 0 {
		p.Stage = fmt.Sprintf("queued, place %d", *j.QueuePosition)
	}
	return p
}

// look asks for a job once.
func (g *Generator) look(ctx context.Context, id string) (job, error) {
	element, ok := wire.PathElement(id)
	if !ok {
		return job{}, lost(g.client.Host())
	}
	var j job
	err := g.client.JSON(ctx, wire.Call{Path: "sdcpp/v1/jobs/" + element, Timeout: wire.Quick, Max: wire.MaxPictureJSON}, &j)
	switch wire.Status(err) {
	case http.StatusNotFound, http.StatusGone:
		return job{}, lost(g.client.Host())
	}
	if err == nil && j.Status == "" {
		err = imagegen.Transientf("bad_answer", "%s answered without the job's status", g.client.Host())
	}
	return j, err
}

func lost(host string) error {
	return &imagegen.Error{
		Class: editorial.Transient, Code: "job_lost", Err: errLost,
		Message: host + " no longer knows the job: it was restarted, or the result has expired",
	}
}

// picture is what a job that is over left.
func (g *Generator) picture(j job) ([]byte, error) {
	switch {
	case j.Status == "cancelled":
		return nil, &imagegen.Error{Class: editorial.Canceled, Code: "stopped", Message: "the job was canceled at " + g.client.Host()}
	case j.Status == "failed":
		why := "without saying why"
		if j.Error != nil && j.Error.Code+j.Error.Message != "" {
			why = g.client.Clean(j.Error.Code + ": " + j.Error.Message)
		}
		return nil, imagegen.Transientf("failed", "%s failed to make the picture: %s", g.client.Host(), why)
	case j.Result == nil || len(j.Result.Images) == 0:
		return nil, imagegen.Transientf("no_picture", "%s finished the job without a picture", g.client.Host())
	}
	return wire.DecodePicture(j.Result.Images[0].B64)
}

// result adds what is known about the picture. The model is asked for after
// the job, which its server would not have outlived a change of model by; a
// server that does not say costs nobody the picture.
func (g *Generator) result(ctx context.Context, req imagegen.Request, b []byte) imagegen.Result {
	model, err := g.model(ctx)
	if err != nil {
		model = ""
	}
	s := newSubmission(req)
	params := map[string]any{"width": s.Width, "height": s.Height, "prompt": s.Prompt, "negative_prompt": s.NegativePrompt}
	if req.Steps > 0 {
		params["steps"] = req.Steps
	}
	if req.Guidance > 0 {
		params["guidance"] = req.Guidance
	}
	return imagegen.Result{Bytes: b, Seed: req.Seed, Model: model, Params: params}
}

// model is the name of what the server has loaded.
func (g *Generator) model(ctx context.Context) (string, error) {
	var caps struct {
		Model struct {
			Name string `json:"name"`
			Stem string `json:"stem"`
		} `json:"model"`
	}
	err := g.client.JSON(ctx, wire.Call{Path: "sdcpp/v1/capabilities", Timeout: cleanupTime}, &caps)
	if caps.Model.Name == "" {
		return caps.Model.Stem, err
	}
	return caps.Model.Name, err
}
