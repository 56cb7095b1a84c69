package config

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// field is one variable, as the tags of [Config] describe it.
type field struct {
	section, name, goName string
	fallback, help, oneof string
	min, max              string
	kind                  reflect.Type
	index                 int
}

// fields lists the variables in the order of the struct.
func fields() []field {
	var out []field
	section := ""
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		f := t.Field(i)
		if s, ok := f.Tag.Lookup("section"); ok {
			section = s
		}
		name, ok := f.Tag.Lookup("env")
		if !ok {
			continue
		}
		out = append(out, field{
			section: section, name: name, goName: f.Name,
			fallback: cmp.Or(f.Tag.Get("envDefault"), f.Tag.Get("shown")),
			help:     f.Tag.Get("help"), oneof: f.Tag.Get("oneof"),
			min: f.Tag.Get("min"), max: f.Tag.Get("max"),
			kind: f.Type, index: i,
		})
	}
	return out
}

func (f field) value(c Config) any { return reflect.ValueOf(c).Field(f.index).Interface() }

func (f field) mayHoldSecret() bool {
	switch f.kind {
	case reflect.TypeFor[Secret](), reflect.TypeFor[URL](), reflect.TypeFor[[]URL]():
		return true
	default:
		return false
	}
}

// number is the value of a field that has a range.
func number(value any) (n int64, ok bool) {
	switch v := value.(type) {
	case int:
		return int64(v), true
	case time.Duration:
		return int64(v), true
	case Bytes:
		return int64(v), true
	default:
		return 0, false
	}
}

// bounds are the min and max tags, in the unit of [number].
func (f field) bounds() (low, high int64) {
	low, high = math.MinInt64, math.MaxInt64
	for _, b := range []struct {
		text string
		into *int64
	}{{f.min, &low}, {f.max, &high}} {
		if b.text != "" {
			*b.into = f.parseBound(b.text)
		}
	}
	return low, high
}

// parseBound reads a tag; a test reads them all, so none is malformed.
func (f field) parseBound(text string) int64 {
	switch f.kind {
	case reflect.TypeFor[time.Duration]():
		d, _ := time.ParseDuration(text)
		return int64(d)
	case reflect.TypeFor[Bytes]():
		var b Bytes
		_ = b.UnmarshalText([]byte(text))
		return int64(b)
	default:
		n, _ := strconv.ParseInt(text, 10, 64)
		return n
	}
}

func (f field) rangeText() string {
	switch {
	case f.min != "" && f.max != "":
		return f.min + " to " + f.max
	case f.min != "":
		return f.min + " or more"
	default:
		return ""
	}
}

// Lines is the effective configuration, one "NAME=value" a line, secrets
// redacted, what was not set in the environment marked as the default.
func (c Config) Lines() []string {
	var out []string
	for _, f := range fields() {
		line := f.name + "=" + text(f.value(c))
		if !c.set[f.name] {
			line += "  (default)"
		}
		out = append(out, line)
	}
	return out
}

func text(value any) string {
	switch v := value.(type) {
	case []string:
		return strings.Join(v, ",")
	case []URL:
		texts := make([]string, len(v))
		for i, u := range v {
			texts[i] = u.String()
		}
		return strings.Join(texts, ",")
	default:
		return fmt.Sprint(v)
	}
}

const referenceHead = `# Configuration

<!-- Generated from internal/config by "make generate"; edit the help tags there. -->

Environment variables only. Every one is optional: with none at all the program
keeps its data in ./data, queues in its own process, draws typographic covers
and listens on 127.0.0.1:8000 for this machine alone. White space around a value
is dropped and an empty value counts as not set. Durations are written 90s, 15m
or 72h, sizes 500MB or 10GiB, lists with commas.

What contradicts itself is refused at start-up with one line that names the
variable, what is wrong and the fix.
`

// Reference is the documentation of every variable, in Markdown: the text of
// docs/configuration.md and of -h.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	section := ""
	for _, f := range fields() {
		if f.section != section {
			section = f.section
			fmt.Fprintf(&b, "\n## %s\n\n| Variable | Default | Meaning |\n| --- | --- | --- |\n", section)
		}
		help := f.help
		if r := f.rangeText(); r != "" {
			help += " Range: " + r + "."
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.name, inCode(f.fallback), help)
	}
	return b.String()
}

func inCode(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}
