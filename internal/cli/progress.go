package cli

import (
	"context"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress is a bar on the terminal, and nothing where there is none.
type progress struct {
	all *mpb.Progress
	bar *mpb.Bar
}

// newProgress shows nothing when stderr is no terminal: a log does not want it.
// doing is what is being done: "retrying".
func newProgress(ctx context.Context, s *session, doing string, total int) *progress {
	if _, terminal := columns(s.err); !terminal {
		return &progress{}
	}
	all := mpb.NewWithContext(ctx, mpb.WithOutput(s.err))
	bar := all.AddBar(int64(total),
		mpb.PrependDecorators(decor.Name(doing+" "), decor.CountersNoUnit("%d of %d")),
		mpb.AppendDecorators(decor.Percentage(), decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO, decor.WC{W: 6}), "")))
	return &progress{all, bar}
}

func (p *progress) step() {
	if p.bar != nil {
		p.bar.Increment()
	}
}

// done leaves the bar as far as it came.
func (p *progress) done() {
	if p.bar != nil {
		p.bar.Abort(false) // no-op for one that is complete
		p.all.Wait()
	}
}
