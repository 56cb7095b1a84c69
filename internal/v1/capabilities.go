package v1

import (
	"context"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Capabilities are what this installation can do, for a form to be built from.
type Capabilities struct {
	Generators []Generator `json:"generators" nullable:"false" doc:"In the order in which they are asked"`
	Sources    []string    `json:"sources" enum:"stock,generated" nullable:"false" doc:"Those that some generator answers"`
	Limits     Limits      `json:"limits"`
	Sizes      []Size      `json:"sizes" nullable:"false" doc:"Usual ones; any other within the limits may be asked for"`
}

// Limits are the bounds of a request, in characters, pixels and candidates.
type Limits struct {
	MinPrompt   int     `json:"min_prompt"`
	MaxPrompt   int     `json:"max_prompt"`
	MaxNegative int     `json:"max_negative_prompt"`
	MaxTitle    int     `json:"max_title"`
	MaxAltText  int     `json:"max_alt_text"`
	MaxKeywords int     `json:"max_keywords"`
	MaxCount    int     `json:"max_count"`
	MinSide     int     `json:"min_side"`
	MaxSide     int     `json:"max_side"`
	MinSteps    int     `json:"min_steps"`
	MaxSteps    int     `json:"max_steps"`
	MinGuidance float64 `json:"min_guidance"`
	MaxGuidance float64 `json:"max_guidance"`
	MaxSeed     int64   `json:"max_seed"`
	MaxBody     int     `json:"max_body" doc:"Bytes"`
	MaxWait     int     `json:"max_wait" doc:"Seconds"`
}

// Size is a usual size.
type Size struct {
	Name    string `json:"name"`
	Width   int    `json:"width"`
	Height  int    `json:"height"`
	Default bool   `json:"default,omitempty"`
	For     string `json:"for"`
}

var sizes = []Size{
	{Name: "link_preview", Width: editorial.DefaultWidth, Height: editorial.DefaultHeight, Default: true, For: "Featured pictures and link previews, shown uncropped"},
	{Name: "wide", Width: 1920, Height: 1080, For: "Headers across a page"},
	{Name: "landscape", Width: 1536, Height: 1024, For: "Pictures within an article"},
	{Name: "square", Width: 1024, Height: 1024, For: "What most diffusion models are trained on"},
	{Name: "portrait", Width: 1024, Height: 1536, For: "Phones and pin boards"},
}

type capabilitiesOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         Capabilities
}

// generators are the configured ones as they are now.
func (a *API) generators(ctx context.Context) []Generator {
	list := append([]Generator{}, a.Generators...)
	if a.Health == nil {
		return list
	}
	health := a.Health(ctx)
	for i := range list {
		if why, looked := health[list[i].Name]; looked {
			available := why == ""
			list[i].Available, list[i].Detail = &available, why
		}
	}
	return list
}

func (a *API) capabilities(ctx context.Context, _ *struct{}) (*capabilitiesOutput, error) {
	v := Capabilities{
		Generators: a.generators(ctx), Sources: []string{}, Sizes: sizes,
		Limits: Limits{
			MinPrompt: editorial.MinPrompt, MaxPrompt: editorial.MaxPrompt, MaxNegative: editorial.MaxNegative,
			MaxTitle: editorial.MaxTitle, MaxAltText: editorial.MaxAltText, MaxKeywords: editorial.MaxKeywords,
			MaxCount: editorial.MaxCount, MinSide: editorial.MinSide, MaxSide: editorial.MaxSide,
			MinSteps: editorial.MinSteps, MaxSteps: editorial.MaxSteps, MinGuidance: editorial.MinGuidance,
			MaxGuidance: editorial.MaxGuidance, MaxSeed: editorial.MaxSeed, MaxBody: maxBody, MaxWait: int(maxWait.Seconds()),
		},
	}
	for _, source := range []string{sourceStock, sourceGenerated} {
		for _, g := range a.Generators {
			if g.Kind == source {
				v.Sources = append(v.Sources, source)
				break
			}
		}
	}
	return &capabilitiesOutput{CacheControl: "no-cache", Body: v}, nil
}
