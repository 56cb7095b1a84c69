package config

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shown is a Generator as a test can compare it.
func shown(g Generator) string {
	line := fmt.Sprintf("%s %s %q %d %v", g.Kind, g.Name, g.Endpoint.Reveal(), g.Concurrency, g.Wait)
	if g.Cost != nil {
		line += fmt.Sprintf(" $%g", *g.Cost)
	}
	return line
}

func TestGeneratorList(t *testing.T) {
	t.Parallel()
	c := load(t, "PEXELS_API_KEY=k", "GENERATORS=pexels:?wait=1m,sdcpp+http://gpu:1234,"+
		"SDCPP+HTTP://user:pa%2Fss@other:1234/base?concurrency=2,comfyui+https://gpu?workflow=a%20b.json&wait=90s&x=y,"+
		"openai+http://localai:8080?model=sd&cost=0.04,card:?cost=0")
	want := []string{
		`pexels pexels "" 4 1m0s`,
		`sdcpp sdcpp "http://gpu:1234" 1 0s`,
		`sdcpp sdcpp-2 "HTTP://user:pa%2Fss@other:1234/base" 2 0s`,
		`comfyui comfyui "https://gpu?workflow=a%20b.json&x=y" 1 1m30s`,
		`openai openai "http://localai:8080?model=sd" 4 0s $0.04`,
		`card card "" 0 0s $0`,
	}
	var got []string
	for _, g := range c.GeneratorList() {
		got = append(got, shown(g))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("GeneratorList (-want +got):\n%s", diff)
	}
}

// Unset, a worker has as many places as its generators have.
func TestGenerateConcurrency(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]int{
		"":                                  1,
		"GENERATORS=sdcpp+http://a:1,card:": 2,
		"PEXELS_API_KEY=k":                  5,
		"GENERATORS=sdcpp+http://a:1?concurrency=3": 3,
		"GENERATORS=card:?concurrency=60":           16,
		"GENERATE_CONCURRENCY=20":                   20,
	} {
		if got := load(t, environ).GenerateConcurrency; got != want {
			t.Errorf("%s: GenerateConcurrency = %d, want %d", environ, got, want)
		}
	}
	if got := load(t, "GENERATE_TIMEOUT=1m").GenerateTaskTimeout(); got != time.Minute+TurnWait+judgeTime {
		t.Errorf("GenerateTaskTimeout = %v", got)
	}
}
