package composetest

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

type instruction struct{ name, args string }

// instructions are the Dockerfile's, each on one line.
func instructions(t *testing.T) []instruction {
	t.Helper()
	var out []instruction
	open := false
	for line := range strings.Lines(read(t, "Dockerfile")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		text, more := strings.CutSuffix(line, `\`)
		if open {
			out[len(out)-1].args += " " + strings.TrimSpace(text)
		} else {
			name, args, _ := strings.Cut(text, " ")
			out = append(out, instruction{name, strings.TrimSpace(args)})
		}
		open = more
	}
	return out
}

// final are the instructions of the stage that becomes the image.
func final(t *testing.T) []instruction {
	t.Helper()
	all := instructions(t)
	for i, in := range slices.Backward(all) {
		if in.name == "FROM" {
			return all[i:]
		}
	}
	t.Fatal("the Dockerfile has no FROM")
	return nil
}

// imageEnv are the variables that the image sets.
func imageEnv(t *testing.T) map[string]string {
	t.Helper()
	vars := map[string]string{}
	for _, in := range final(t) {
		if in.name != "ENV" {
			continue
		}
		for _, word := range strings.Fields(in.args) {
			name, value, _ := strings.Cut(word, "=")
			vars[name] = value
		}
	}
	return vars
}

func TestTheImageIsNothingButThePrograms(t *testing.T) {
	t.Parallel()
	stage := final(t)
	if stage[0].args != "scratch" {
		t.Errorf("the image is built on %s", stage[0].args)
	}
	want := map[string]string{
		"USER":        ourUser,
		"CMD":         `["/api"]`,
		"HEALTHCHECK": `CMD ["/frontispiece", "ping", "api"]`, // nothing else is there that could ask
	}
	for name, tail := range want {
		i := slices.IndexFunc(stage, func(in instruction) bool { return in.name == name })
		if i < 0 || !strings.HasSuffix(stage[i].args, tail) {
			t.Errorf("the image's %s does not end in %s", name, tail)
		}
	}
	for _, in := range stage {
		switch {
		case in.name == "RUN" || in.name == "ADD" || in.name == "VOLUME":
			t.Errorf("%s %s: nothing runs in an empty image, and a VOLUME makes one for each container", in.name, in.args)
		case in.name == "COPY" && !strings.HasPrefix(in.args, "--from=build"):
			t.Errorf("COPY %s takes from the working tree what was not built", in.args)
		}
	}
	if !strings.Contains(read(t, "Dockerfile"), "ca-certificates.crt") {
		t.Error("the image has no certificates, so it trusts no https")
	}
}

func TestBuildStagesArePinned(t *testing.T) {
	t.Parallel()
	golang := ""
	for _, in := range instructions(t) {
		image, _, _ := strings.Cut(in.args, " ")
		if in.name == "FROM" && image != "scratch" && !pinned.MatchString(image) {
			t.Errorf("FROM %s names no version", image)
		}
		if version, ok := strings.CutPrefix(image, "golang:"); ok {
			golang = version
		}
		if (in.name == "ARG" || in.name == "ENV") && regexp.MustCompile(`(?i)secret|password|token`).MatchString(in.args) {
			t.Errorf("%s %s stays readable in the image", in.name, in.args)
		}
	}
	// The image has GOTOOLCHAIN=local, so its own Go is the one that builds.
	m := regexp.MustCompile(`(?m)^toolchain go(\S+)$`).FindStringSubmatch(read(t, "go.mod"))
	if m == nil || !strings.HasPrefix(golang, m[1]+"-") {
		t.Errorf("go.mod says %q and the image is built with golang:%s", m, golang)
	}
}

func TestTheBuildGetsNoSecretAndAWholeTree(t *testing.T) {
	t.Parallel()
	ignored := regexp.MustCompile(`(?m)^[^#\s].*$`).FindAllString(read(t, ".dockerignore"), -1)
	for _, want := range []string{"/.env", "/.env.*", "/data", "/.cache"} {
		if !slices.Contains(ignored, want) {
			t.Errorf(".dockerignore lacks %s", want)
		}
	}
	for _, p := range ignored {
		if strings.HasPrefix(p, ".git") || strings.HasPrefix(p, "/.git") {
			t.Errorf(".dockerignore has %s: the programs would not know their commit", p)
		}
	}
}

var goBuild = regexp.MustCompile(`go build (-.*) -o /out/bin/ \./cmd/\.\.\.`)

// The Dockerfile's own command, on this machine: with a C library in it, and
// with nothing left to load at run time.
func TestTheProgramsAreStatic(t *testing.T) {
	t.Parallel()
	flags := staticFlags(t)
	if os.Getenv("REQUIRE_SERVICES") == "" {
		t.Skip("make test builds cmd/worker as the Dockerfile does and looks whether it is static: a minute or more with a cold cache")
	}
	program := filepath.Join(t.TempDir(), "worker")
	cmd := exec.CommandContext(t.Context(), "go", append(append([]string{"build", "-p=1"}, flags...), "-o", program, "./cmd/worker")...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the program has a %v segment, so it needs libraries that an empty image lacks", p.Type)
		}
	}
}

// staticFlags are the flags between "go build" and "-o", quotes undone.
func staticFlags(t *testing.T) []string {
	t.Helper()
	for _, in := range instructions(t) {
		m := goBuild.FindStringSubmatch(in.args)
		if m == nil {
			continue
		}
		before, ldflags, ok := strings.Cut(m[1], "-ldflags '")
		if !ok || !strings.Contains(before, "-trimpath") || !strings.Contains(before, "netgo,osusergo") || !strings.Contains(ldflags, `-extldflags "-static"`) {
			t.Fatalf("the Dockerfile builds with %s", m[1])
		}
		return append(strings.Fields(before), "-ldflags", strings.TrimSuffix(strings.TrimSpace(ldflags), "'"))
	}
	t.Fatal("the Dockerfile has no go build of ./cmd/...")
	return nil
}
