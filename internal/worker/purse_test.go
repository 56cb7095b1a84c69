package worker_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/worker"
)

// purse has money for every backend but those named, at $0.04 a picture.
type purse struct {
	empty   map[string]bool
	asked   []string
	refused []float64
}

func (p *purse) Price(string) *float64 { price := 0.04; return &price }

func (p *purse) Reserve(_ context.Context, _ editorial.Image, generator string) (*editorial.Failure, error) {
	p.asked = append(p.asked, generator)
	if p.empty[generator] {
		return editorial.NewFailure("spend_cap", editorial.StageGenerate, editorial.Terminal, generator, "nothing is left"), nil
	}
	return nil, nil
}

func (p *purse) Refused(_ context.Context, _ string, cost *float64) error {
	p.refused = append(p.refused, *cost)
	return nil
}

func drawn(r imagegen.Request) (imagegen.Result, error) {
	return imagegen.Result{Bytes: paint(r.ImageID), Seed: r.Seed}, nil
}

func TestAnEmptyPurseMovesOn(t *testing.T) {
	t.Parallel()
	reported := 0.07
	tests := []struct {
		name    string
		empty   map[string]bool
		answer  func(imagegen.Request) (imagegen.Result, error)
		want    outcome
		cost    float64
		refused []float64
	}{
		{name: "what it is configured to cost", want: outcome{State: "uploading"}, cost: 0.04},
		{
			name: "what it reports goes before", cost: reported, want: outcome{State: "uploading"},
			answer: func(r imagegen.Request) (imagegen.Result, error) {
				res, err := drawn(r)
				res.Cost = &reported
				return res, err
			},
		},
		{name: "to the next in line", empty: map[string]bool{"painter": true}, want: outcome{State: "uploading", Steps: "painter spend_cap"}, cost: 0.04},
		{
			name: "until there is none", empty: map[string]bool{"painter": true, "second": true},
			want: outcome{State: "failed", Attempt: 1, Code: "spend_cap", Stage: "generate", Class: "terminal", Steps: "painter spend_cap, second spend_cap"},
		},
		{
			name: "an answer that is no picture is paid for", answer: answers([]byte("not a picture")), refused: []float64{0.04},
			want: outcome{Again: true, State: "queued", Attempt: 1, Code: "picture_unknown_format", Stage: "generate", Class: "transient"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, newBelfry())
				s.painter.answer = tt.answer
				money := &purse{empty: tt.empty}
				p := s.open(t.Context(), &life{}, func(c *worker.Config) { withSecond(c); c.Purse = money })
				img := s.submit("", 1).Images[0]
				err := p.generate(img.ID)
				if diff := cmp.Diff(tt.want, s.outcome(img.ID, err)); diff != "" {
					t.Errorf("outcome (-want +got):\n%s", diff)
				}
				got, err := s.store.Image(t.Context(), img.ID)
				s.must(err)
				if tt.cost != 0 && (got.Cost == nil || *got.Cost != tt.cost) {
					t.Errorf("cost %v, want %v", got.Cost, tt.cost)
				}
				if diff := cmp.Diff(tt.refused, money.refused); diff != "" {
					t.Errorf("answers that were no pictures (-want +got):\n%s", diff)
				}
				if tt.want.State == "uploading" && tt.want.Steps == "" && (got.Recipe == nil || got.Recipe.SentPrompt == "" || got.Recipe.DurationMS != painting.Milliseconds()) {
					t.Errorf("recipe %+v, want the prompt and %v", got.Recipe, painting)
				}
			})
		})
	}
}
