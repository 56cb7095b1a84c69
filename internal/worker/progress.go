package worker

import (
	"context"
	"encoding/base64"
	"math"
	"net/http"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/picture"
)

// follow begins to show how far the image is. end comes after the row has
// moved on, so that nobody sees an image that is being made by nobody.
func (g *generation) follow(ctx context.Context) (end func()) {
	g.shown = func(editorial.Progress) {}
	if g.Progress == nil {
		return func() {}
	}
	g.shown, end = g.Progress.Follow(ctx, g.img)
	return end
}

// reporter is what a backend tells its progress to.
func (g *generation) reporter(backend string) func(imagegen.Progress) {
	return func(p imagegen.Progress) {
		shown := progressOf(backend, p)
		shown.Preview = g.previewOf(p.Preview)
		g.shown(shown)
	}
}

// progressOf is a backend's progress as it is shown: what it does not know is
// left out.
func progressOf(backend string, p imagegen.Progress) editorial.Progress {
	shown := editorial.Progress{Generator: backend, Stage: p.Stage}
	if shown.Stage == "" {
		shown.Stage = "generating"
	}
	if p.Percent >= 0 && p.Percent <= 100 {
		percent := int(math.Round(p.Percent))
		shown.Percent = &percent
	}
	if p.Step >= 0 && p.Steps > 0 {
		shown.Step, shown.Steps = min(p.Step, p.Steps), p.Steps
	}
	return shown
}

// The sizes of a preview: as it comes, and as it is sent around.
const (
	maxRawPreview = 4 << 20 // bytes
	previewSide   = 256     // pixels
)

// previewOf is a preview as a data: URL, made smaller when it is too large to
// be sent around. A picture that is being finished goes before one that is only
// looked at: without a free decoder there is no preview this time.
func (g *generation) previewOf(b []byte) string {
	if len(b) > editorial.MaxPreview && len(b) <= maxRawPreview {
		select {
		case g.decoders <- struct{}{}:
			small, err := picture.Preview(b, previewSide)
			<-g.decoders
			if err != nil {
				return ""
			}
			b = small
		default:
			return ""
		}
	}
	if len(b) == 0 || len(b) > editorial.MaxPreview {
		return ""
	}
	switch kind := http.DetectContentType(b); kind {
	case "image/png", "image/jpeg", "image/webp":
		return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(b)
	default:
		return ""
	}
}
