package config

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Generator is one entry of GENERATORS, taken apart.
type Generator struct {
	Kind string // "sdcpp", "openai", "pexels", "card"
	// Name tells generators of one kind apart: "sdcpp", "sdcpp-2".
	Name string
	// Endpoint is the backend's own address, without the kind before it and
	// without the settings below; zero for one without an address.
	Endpoint URL
	// Concurrency is how many pictures it makes at once in one worker; 0: as
	// many as the worker likes.
	Concurrency int
	// Wait is how long one that cannot be reached is waited for before the next
	// is asked; 0: for as long as it takes.
	Wait time.Duration
	// Cost is what one picture costs, in US dollars; nil when nothing says so.
	Cost *float64
}

// kind is what is known of the generators of one name.
type kind struct {
	concurrency int
	address     bool // it has one
}

// kinds are the generators that there are. Those that run on a graphics card
// make one picture at a time; a second would wait at the server, where nobody
// sees it.
var kinds = map[string]kind{
	"sdcpp":   {concurrency: 1, address: true},
	"sdwebui": {concurrency: 1, address: true},
	"comfyui": {concurrency: 1, address: true},
	"sdxl":    {concurrency: 1, address: true},
	"openai":  {concurrency: 4, address: true},
	"pexels":  {concurrency: 4},
	"card":    {},
}

const allKinds = "write one of sdcpp+http, sdwebui+http, comfyui+http, sdxl+http, openai+https, pexels: and card:"

// GeneratorList is GENERATORS taken apart, in the order of asking.
func (c Config) GeneratorList() []Generator {
	list := make([]Generator, 0, len(c.Generators))
	seen := make(map[string]int)
	for _, u := range c.Generators {
		g, err := parseGenerator(u)
		if err != nil {
			continue // unreachable: Load refused it
		}
		seen[g.Kind]++
		if n := seen[g.Kind]; n > 1 {
			g.Name += "-" + strconv.Itoa(n)
		}
		list = append(list, g)
	}
	return list
}

// generateConcurrency is how many pictures the generators take together. One
// that sets no limit of its own counts as one.
func generateConcurrency(list []Generator) int {
	sum := 0
	for _, g := range list {
		sum += max(1, g.Concurrency)
	}
	return min(max(1, sum), maxGenerateConcurrency)
}

const maxGenerateConcurrency = 16

// parseGenerator reads one entry; what is wrong with it continues "entry 2".
func parseGenerator(u URL) (Generator, *Error) {
	name, transport, _ := strings.Cut(u.Scheme(), "+")
	k, known := kinds[name]
	switch {
	case u.IsZero():
		return Generator{}, &Error{"GENERATORS", "is empty", "remove the extra comma"}
	case !known, k.address != (transport == "http" || transport == "https"):
		return Generator{}, unknownScheme("GENERATORS", u, allKinds)
	case k.address && u.parsed().Hostname() == "":
		return Generator{}, &Error{"GENERATORS", "names no host", "write " + u.Scheme() + "://host:port"}
	}
	g := Generator{Kind: name, Name: name, Concurrency: k.concurrency}
	rest, err := g.takeSettings(u.parsed().RawQuery)
	if err != nil {
		return Generator{}, err
	}
	if !k.address {
		if p := u.parsed(); rest != "" || p.Opaque+p.Host+p.Path != "" {
			return Generator{}, &Error{"GENERATORS", "has more than its name", "write " + name + ": alone, or with ?concurrency=, ?wait= and ?cost="}
		}
		return g, nil
	}
	_, address, _ := strings.Cut(u.Reveal(), "+")
	address, _, _ = strings.Cut(address, "?")
	if rest != "" {
		address += "?" + rest
	}
	g.Endpoint = URL{raw: NewSecret(address)}
	return g, nil
}

// takeSettings reads the settings that every kind has and returns the others as
// they were written.
func (g *Generator) takeSettings(query string) (rest string, _ *Error) {
	var others []string
	for pair := range strings.SplitSeq(query, "&") {
		name, escaped, _ := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(escaped)
		switch {
		case pair == "":
		case name == "concurrency":
			n, bad := strconv.Atoi(value)
			if err != nil || bad != nil || n < 1 || n > 64 {
				return "", &Error{"GENERATORS", fmt.Sprintf("has concurrency=%.20q", value), "write a number from 1 to 64"}
			}
			g.Concurrency = n
		case name == "wait":
			d, bad := time.ParseDuration(value)
			if err != nil || bad != nil || d < time.Second || d > maxTask {
				return "", &Error{"GENERATORS", fmt.Sprintf("has wait=%.20q", value), "write a duration from 1s to 24h, such as wait=10m"}
			}
			g.Wait = d
		case name == "cost":
			var d Dollars
			if err != nil || d.UnmarshalText([]byte(value)) != nil {
				return "", &Error{"GENERATORS", fmt.Sprintf("has cost=%.20q", value), "write US dollars for one picture, such as cost=0.04"}
			}
			g.Cost = (*float64)(&d)
		default:
			others = append(others, pair)
		}
	}
	return strings.Join(others, "&"), nil
}

// officialOpenAI takes no request without a key or a model.
const officialOpenAI = "api.openai.com"

func checkGenerators(c Config) *Error {
	for i, u := range c.Generators {
		g, err := parseGenerator(u)
		if err == nil {
			err = g.check(c)
		}
		if err != nil {
			if err.Name == "GENERATORS" {
				err.Problem = fmt.Sprintf("entry %d %s", i+1, err.Problem)
			}
			return err
		}
	}
	return nil
}

// check refuses an entry that lacks what its kind cannot do without. Whether a
// workflow can be read is for the one who opens it to say.
func (g Generator) check(c Config) *Error {
	endpoint := g.Endpoint.parsed()
	settings := endpoint.Query()
	switch {
	case g.Kind == "pexels" && c.PexelsAPIKey.IsZero():
		return &Error{"PEXELS_API_KEY", "is not set but GENERATORS lists pexels:", "set the key, or remove pexels: from GENERATORS"}
	case g.Kind == "comfyui" && settings.Get("workflow") == "":
		return &Error{"GENERATORS", "names no workflow", "write comfyui+http://host:8188?workflow=/path/to/file.json, exported with Workflow > Export (API)"}
	case g.Kind == "openai" && endpoint.Hostname() == officialOpenAI && settings.Get("model") == "":
		return &Error{"GENERATORS", "names no model", "write openai+https://api.openai.com/v1?model=gpt-image-1"}
	case g.Kind == "openai" && endpoint.Hostname() == officialOpenAI && endpoint.User == nil && c.OpenAIAPIKey.IsZero():
		return &Error{"OPENAI_API_KEY", "is not set but GENERATORS lists api.openai.com", "set the key, or remove that entry"}
	}
	return nil
}
