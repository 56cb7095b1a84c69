package app

import (
	"runtime/debug"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/picture"
)

func TestAbout(t *testing.T) {
	t.Parallel()
	commit := []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"}, {Key: "vcs.time", Value: "2026-11-25T22:41:00Z"},
	}
	tests := []struct {
		name    string
		version string
		vcs     []debug.BuildSetting
		says    []string
		not     string
	}{
		{"a release", "v0.1.0", commit, []string{"Frontispiece v0.1.0\n", "commit 0123456789abcdef0123456789abcdef01234567 of 2026-11-25T22:41:00Z\n"}, "not committed"},
		{"a working tree", "(devel)", append(commit, debug.BuildSetting{Key: "vcs.modified", Value: "true"}), []string{"Frontispiece dev-0123456789ab\n", "not committed"}, "v0"},
		{"no repository", "", nil, []string{"Frontispiece dev\n"}, "commit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := aboutOf(&debug.BuildInfo{Main: debug.Module{Version: tt.version}, Settings: tt.vcs})
			for _, want := range append(tt.says, " for ", "smaller copies are "+map[string]string{"webp": "WebP", "jpg": "JPEG"}[picture.RenditionExt]) {
				if !strings.Contains(got, want) {
					t.Errorf("it does not say %q:\n%s", want, got)
				}
			}
			if strings.Contains(got, tt.not) {
				t.Errorf("it says %q:\n%s", tt.not, got)
			}
		})
	}
}
