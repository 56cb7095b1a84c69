package app

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/glad-labs/frontispiece/internal/picture"
)

// Version is the program's version as the build recorded it: a release's tag,
// else the commit.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	if commit := setting(info, "vcs.revision"); len(commit) >= 12 {
		return "dev-" + commit[:12]
	}
	return "dev"
}

// About is what --version says: the version, the commit and its date, what it
// was built with, and what only some builds can.
func About() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return aboutOf(info)
}

func aboutOf(info *debug.BuildInfo) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Frontispiece %s\n", versionOf(info))
	if commit := setting(info, "vcs.revision"); commit != "" {
		changed := ""
		if setting(info, "vcs.modified") == "true" {
			changed = ", and changes that were not committed"
		}
		fmt.Fprintf(&b, "commit %s of %s%s\n", commit, setting(info, "vcs.time"), changed)
	}
	fmt.Fprintf(&b, "%s for %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(&b, "smaller copies are %s", renditions())
	return b.String()
}

// renditions says what this build makes smaller copies of pictures in.
func renditions() string {
	if hasWebP() {
		return "WebP"
	}
	return "JPEG, since this build has no libwebp (CGO_ENABLED=0)"
}

func hasWebP() bool { return picture.RenditionExt == "webp" }

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
