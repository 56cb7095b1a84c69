package worker

import (
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// recipeOf puts together how a picture was made: as it was asked for, as the
// backend was asked, and what the backend says of it.
func recipeOf(asked editorial.Request, sent imagegen.Request, result imagegen.Result, took time.Duration) *editorial.Recipe {
	return &editorial.Recipe{
		Prompt: asked.Prompt, SentPrompt: textOf(result.Params, "prompt", sent.Prompt),
		NegativePrompt: asked.NegativePrompt, SentNegative: textOf(result.Params, "negative_prompt", sent.NegativePrompt),
		Width: asked.Width, Height: asked.Height, Steps: asked.Steps, Guidance: asked.Guidance,
		Version: result.Version, DurationMS: took.Milliseconds(), Resumed: sent.ProviderJobID != "",
	}
}

// textOf is what a backend says that it sent, else what it was given: each has
// its own syntax to take out of a prompt.
func textOf(params map[string]any, name, given string) string {
	if s, ok := params[name].(string); ok {
		return s
	}
	return given
}
