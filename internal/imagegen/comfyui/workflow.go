package comfyui

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/prompt"
)

// maxWorkflow is far above any that a person drew, in bytes.
const maxWorkflow = 4 << 20

// What stands for a request's zero.
const (
	defaultSteps    = 20
	defaultGuidance = 7.0
	defaultSide     = 1024
)

// workflow is a graph with placeholders in it.
type workflow struct {
	name  string // of the file
	model string // the checkpoint that it loads, without folder and ending
	graph map[string]any
}

var placeholder = regexp.MustCompile(`\{\{\s*(\w*)\s*\}\}`)

func readWorkflow(file string) (workflow, error) {
	if file == "" {
		return workflow{}, errors.New("names no workflow; write comfyui+http://host:8188?workflow=/path/to/file.json")
	}
	info, err := os.Stat(file)
	if err == nil && info.Size() > maxWorkflow {
		return workflow{}, fmt.Errorf("workflow %s has more than %d MB", file, maxWorkflow>>20)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return workflow{}, fmt.Errorf("read workflow: %w", err)
	}
	w, err := parseWorkflow(b)
	if err != nil {
		return workflow{}, fmt.Errorf("workflow %s %w", file, err)
	}
	w.name = filepath.Base(file)
	return w, nil
}

// parseWorkflow reads ComfyUI's API format. Its errors continue "workflow x".
func parseWorkflow(b []byte) (workflow, error) {
	var w workflow
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // a seed of 20 digits must come out as it went in
	if err := d.Decode(&w.graph); err != nil {
		return w, fmt.Errorf("is no JSON object: %w", err)
	}
	if _, ok := w.graph["nodes"].([]any); ok {
		return w, errors.New("is saved for ComfyUI's editor; export it with Workflow > Export (API)")
	}
	if len(w.graph) == 0 {
		return w, errors.New("has no nodes")
	}
	for id, node := range w.graph {
		n, _ := node.(map[string]any)
		inputs, hasInputs := n["inputs"].(map[string]any)
		if class, _ := n["class_type"].(string); class == "" || !hasInputs {
			return w, fmt.Errorf("has no class_type or inputs in node %q; export it with Workflow > Export (API)", id)
		}
		if m := modelOf(inputs); m != "" {
			w.model = m
		}
	}
	return w, w.checkPlaceholders()
}

func modelOf(inputs map[string]any) string {
	for _, name := range []string{"ckpt_name", "unet_name"} {
		if file, ok := inputs[name].(string); ok {
			base := path.Base(strings.ReplaceAll(file, `\`, "/"))
			return strings.TrimSuffix(base, path.Ext(base))
		}
	}
	return ""
}

// checkPlaceholders refuses misspelt ones, and a graph that would make the same
// picture for every request.
func (w workflow) checkPlaceholders() error {
	known := values(imagegen.Request{})
	seen := map[string]bool{}
	var unknown string
	fill(w.graph, func(s string) any {
		for _, m := range placeholder.FindAllStringSubmatch(s, -1) {
			seen[m[1]] = true
			if _, ok := known[m[1]]; !ok {
				unknown = m[0]
			}
		}
		return s
	})
	names := strings.Join(slices.Sorted(maps.Keys(known)), ", ")
	switch {
	case unknown != "":
		return fmt.Errorf("has the unknown placeholder %s; there are %s", unknown, names)
	case !seen["prompt"]:
		return errors.New("has no {{prompt}}; put it where the text of the prompt belongs")
	case !seen["seed"]:
		return errors.New("has no {{seed}}; put it, in quotation marks, where the sampler's seed belongs")
	}
	return nil
}

// values are what the placeholders stand for.
func values(req imagegen.Request) map[string]any {
	side := func(n int) int {
		if n <= 0 {
			n = defaultSide
		}
		return max(16, n/8*8) // a latent's pixel is eight of the picture's
	}
	v := map[string]any{
		"prompt": prompt.Clean(req.Prompt), "negative": prompt.Clean(req.NegativePrompt), "width": side(req.Width), "height": side(req.Height),
		"seed": uint64(req.Seed), "steps": req.Steps, "guidance": req.Guidance,
	}
	if req.Steps <= 0 {
		v["steps"] = defaultSteps
	}
	if req.Guidance <= 0 {
		v["guidance"] = defaultGuidance
	}
	return v
}

// fillIn is the graph for one request. A placeholder that is a whole text
// becomes a value of its own type; one within a text becomes text. What is
// filled in is not searched again.
func (w workflow) fillIn(v map[string]any) map[string]any {
	return fill(w.graph, func(s string) any {
		if m := placeholder.FindStringSubmatch(s); m != nil && m[0] == strings.TrimSpace(s) {
			return v[m[1]]
		}
		return placeholder.ReplaceAllStringFunc(s, func(p string) string {
			return fmt.Sprint(v[placeholder.FindStringSubmatch(p)[1]])
		})
	}).(map[string]any)
}

// fill is a copy of v with every text replaced.
func fill(v any, text func(string) any) any {
	switch v := v.(type) {
	case string:
		return text(v)
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = fill(e, text)
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = fill(e, text)
		}
		return m
	default:
		return v
	}
}
