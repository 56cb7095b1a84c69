package main

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// target is a system that we build for.
type target struct{ os, arch string }

func (t target) String() string { return t.os + "/" + t.arch }

// cgo reports whether this machine can compile C for the target: its own kind,
// and Linux, where the result can be static.
func (t target) cgo() bool {
	here := target{runtime.GOOS, runtime.GOARCH}
	return t == here && here.os == "linux"
}

var (
	targets  = []target{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}}
	programs = []string{"api", "worker", "frontispiece"}
	papers   = []string{"README.md", "CHANGELOG.md", "docs/configuration.md"}
)

// choose is the targets of a list, all when it is empty.
func choose(list string) ([]target, error) {
	if list == "" {
		return targets, nil
	}
	var chosen []target
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(targets, func(t target) bool { return t.String() == name })
		if i < 0 {
			return nil, fmt.Errorf("-only %q: we build for %v", name, targets)
		}
		chosen = append(chosen, targets[i])
	}
	return chosen, nil
}

// cleanTree refuses changes that no commit has: the programs would say
// "+dirty", and nobody could build them again.
func cleanTree(ctx context.Context) error {
	out, err := command(ctx, ".", nil, "git", "status", "--porcelain")
	if err != nil {
		return err
	}
	if out != "" {
		return fmt.Errorf("there are changes that no commit has; commit or stash them:\n%s", out)
	}
	return nil
}

// releaseInto builds the tree in dir for each target, one after the other, puts
// the archives, their contents and the checksums into out, and returns the
// checksums. cache is the build cache, empty for the user's own.
func releaseInto(ctx context.Context, out, dir string, targets []target, cache string) (sums string, err error) {
	out, err = filepath.Abs(out)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", out, err)
	}
	if err := errors.Join(os.RemoveAll(out), os.MkdirAll(out, 0o755)); err != nil {
		return "", fmt.Errorf("empty %s: %w", out, err)
	}
	when, err := commitTime(ctx, dir)
	if err != nil {
		return "", err
	}
	compiler, err := toolchain(dir)
	if err != nil {
		return "", err
	}
	var lines strings.Builder
	for _, t := range targets {
		began := time.Now()
		files, err := releaseOne(ctx, out, dir, t, compiler, cache, when)
		if err != nil {
			return "", fmt.Errorf("%s: %w", t, err)
		}
		for _, file := range files {
			line, err := checksum(file)
			if err != nil {
				return "", err
			}
			lines.WriteString(line)
		}
		fmt.Printf("%-14s %s in %v\n", t, filepath.Base(files[0]), time.Since(began).Round(time.Second))
	}
	return lines.String(), os.WriteFile(filepath.Join(out, "SHA256SUMS"), []byte(lines.String()), 0o644)
}

// releaseOne makes one target's archive and its list of contents.
func releaseOne(ctx context.Context, out, dir string, t target, compiler, cache string, when time.Time) ([]string, error) {
	bin := filepath.Join(out, "build", t.os+"_"+t.arch)
	defer func() { _ = os.RemoveAll(filepath.Join(out, "build")) }() // nothing needs it any more
	if err := build(ctx, dir, bin, t, compiler, cache); err != nil {
		return nil, err
	}
	info, err := buildinfo.ReadFile(filepath.Join(bin, programs[0]))
	if err != nil {
		return nil, fmt.Errorf("read what was built: %w", err)
	}
	version := info.Main.Version
	if version == "(devel)" || strings.Contains(version, "dirty") {
		return nil, fmt.Errorf("the programs call themselves %q: build in a clean checkout with its history", version)
	}
	if info.GoVersion != compiler {
		return nil, fmt.Errorf("the programs were built with %s, and go.mod says toolchain %s", info.GoVersion, compiler)
	}
	name := fmt.Sprintf("frontispiece_%s_%s_%s", version, t.os, t.arch)
	archive, contents := filepath.Join(out, name+".tar.gz"), filepath.Join(out, name+".cdx.json")
	if err := writeArchive(archive, name, dir, bin, when); err != nil {
		return nil, err
	}
	if err := writeContents(contents, bin, when); err != nil {
		return nil, err
	}
	return []string{archive, contents}, nil
}

// build compiles the programs with that version of Go, whatever GOTOOLCHAIN
// says here; the cgo flags are those of the Dockerfile.
func build(ctx context.Context, dir, bin string, t target, compiler, cache string) error {
	args := []string{"build", "-mod=readonly", "-trimpath", "-buildvcs=true"}
	env := []string{"GOOS=" + t.os, "GOARCH=" + t.arch, "GOFLAGS=", "GOTOOLCHAIN=" + compiler, "CGO_ENABLED=0"}
	if t.cgo() {
		env = append(env, "CGO_ENABLED=1")
		args = append(args, "-tags", "netgo,osusergo", "-ldflags", `-s -w -linkmode external -extldflags "-static"`)
	} else {
		args = append(args, "-ldflags", "-s -w")
	}
	if cache != "" {
		env = append(env, "GOCACHE="+cache)
	}
	args = append(args, "-o", bin+string(filepath.Separator))
	for _, p := range programs {
		args = append(args, "./cmd/"+p)
	}
	_, err := command(ctx, dir, env, "go", args...)
	return err
}

var toolchainLine = regexp.MustCompile(`(?m)^toolchain (go\S+)$`)

// toolchain is the version of Go that a release is built with: the one that
// go.mod names. Another one makes other bytes.
func toolchain(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return "", fmt.Errorf("look for the toolchain: %w", err)
	}
	m := toolchainLine.FindSubmatch(b)
	if m == nil {
		return "", errors.New("go.mod has no toolchain line, so a release would depend on the machine; go get toolchain@latest")
	}
	return string(m[1]), nil
}

// commitTime is the date that everything bears.
func commitTime(ctx context.Context, dir string) (time.Time, error) {
	out, err := command(ctx, dir, nil, "git", "log", "-1", "--format=%cI")
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, strings.TrimSpace(out))
}

func command(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, args[0], err, stderr.String())
	}
	return string(out), nil
}

func checksum(file string) (line string, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("sum %s: %w", file, err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]) + "  " + filepath.Base(file) + "\n", nil
}
