package doctor

import (
	"context"
	"errors"
	"strings"

	"github.com/glad-labs/frontispiece/internal/config"
)

// Program is this program itself: a build without libwebp works, with larger
// files.
func Program(version string, webp bool) Section {
	o := ok("%s", version)
	if !webp {
		o = warning("use the image or the linux/amd64 release, or build with CGO_ENABLED=1",
			"%s, built without libwebp: smaller copies are JPEG", version)
	}
	return Section{Name: "Program", Checks: []Check{given("version", "read what the build recorded", o)}}
}

// Configuration is what the environment says, with a line for each combination
// that works and is probably not meant. Loading it has refused the rest; see
// [Misconfigured].
func Configuration(cfg config.Config) Section {
	s := Section{Name: "Configuration"}
	set := 0
	for _, line := range cfg.Lines() {
		if !strings.HasSuffix(line, "(default)") {
			set++
		}
	}
	s.Checks = append(s.Checks, given("configuration", "read the environment",
		ok("%d variables are set, the rest have their defaults; nothing contradicts itself", set)))
	for _, text := range cfg.Warnings() {
		s.Checks = append(s.Checks, given("configuration", "look for what is probably not meant",
			warning("api -h explains every variable", "%s", text)))
	}
	return s
}

// Misconfigured is the one section there is when the environment is refused:
// nothing else can be tried with it.
func Misconfigured(err error) Section {
	o := broken("correct it in the environment; api -h explains every variable", "%v", err)
	var refused *config.Error
	if errors.As(err, &refused) && refused.Fix != "" {
		o = broken(refused.Fix, "%s %s", refused.Name, refused.Problem)
	}
	return Section{Name: "Configuration", Checks: []Check{given("configuration", "read the environment", o)}}
}

// Unopened is a section about a part that could not even be set up.
func Unopened(section, name, tries string, err error) Section {
	return Section{Name: section, Checks: []Check{
		given(name, tries, broken("correct the variable that it names, and try again", "%v", err)),
	}}
}

// given is a check whose outcome is known already.
func given(name, tries string, o Outcome) Check {
	return Check{Name: name, Tries: tries, Run: func(context.Context) Outcome { return o }}
}
