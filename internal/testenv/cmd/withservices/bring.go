package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// need is a program and the Debian package that holds it.
type need struct{ pkg, program, elsewhere string }

var needs = []need{
	{"redis-server", "redis-server", ""},                         // it is the sentinel as well
	{"postgresql", "initdb", "/usr/lib/postgresql/*/bin/initdb"}, // Debian keeps it out of PATH
	{"pgbouncer", "pgbouncer", "/usr/sbin/pgbouncer"},
	{"nginx-light", "nginx", "/usr/sbin/nginx"}, // stands in for the CDN, with docker-compose's own configuration
	{"chromium", "chromium", ""},
	{"fonts-noto-core", "", "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf"}, // what its pages are set in
	{"npm", "npm", ""},                         // brings axe-core
	{"libimage-exiftool-perl", "exiftool", ""}, // an independent reader of our metadata
	{"prometheus", "promtool", ""},             // reads the alert rules as Prometheus does
	{"webp", "cwebp", ""},                      // the floor of the rendition figures
	{"nodejs", "node", ""},                     // runs the TypeScript client
	{"npm", "npm", ""},                         // fetches its compiler
}

// benchNeeds are for "make bench" alone: tests do not wait for them.
var benchNeeds = []need{
	{"libvips-tools", "vipsthumbnail", ""}, // another floor of the rendition figures
}

// gatewayModule is the S3 server of the tests; newer versions are tried by
// raising this one.
const (
	gatewayModule  = "github.com/versity/versitygw/cmd/versitygw"
	gatewayVersion = "v1.8.0"
)

// axe checks the desk's pages for people who cannot see them.
const axeVersion = "4.14.1"

// bring makes sure that every program is there, installing what it can, and
// returns the path of the S3 gateway, which it keeps in bin.
func bring(ctx context.Context, bin string, command []string) (gateway string, err error) {
	wanted := needs
	if slices.Contains(command, "./internal/bench") {
		wanted = slices.Concat(needs, benchNeeds)
	}
	var missing []string
	for _, n := range wanted {
		if !n.present() {
			missing = append(missing, n.pkg)
		}
	}
	if len(missing) > 0 {
		if err := aptInstall(ctx, missing); err != nil {
			return "", err
		}
	}
	bin, err = filepath.Abs(bin)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", bin, err)
	}
	return goInstall(ctx, bin, gatewayModule, gatewayVersion)
}

func (n need) present() bool {
	if _, err := exec.LookPath(n.program); err == nil {
		return true
	}
	found, err := filepath.Glob(n.elsewhere)
	return err == nil && len(found) > 0
}

// aptInstall installs Debian packages when it may; otherwise it names them,
// with the command to type.
func aptInstall(ctx context.Context, pkgs []string) error {
	install := "apt-get install -y --no-install-recommends " + strings.Join(pkgs, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("missing programs; install what Debian calls %s", strings.Join(pkgs, ", "))
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("missing packages; type: sudo %s", install)
	}
	for _, line := range []string{"apt-get update", install} {
		fmt.Fprintln(os.Stderr, "withservices:", line)
		argv := strings.Fields(line)
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		// Run level 1 keeps the packages from starting daemons of their own.
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", line, err, out)
		}
	}
	return nil
}

// goInstall builds a program of another module, once for each version.
func goInstall(ctx context.Context, bin, module, version string) (path string, err error) {
	path = filepath.Join(bin, filepath.Base(module))
	info, err := buildinfo.ReadFile(path)
	if err == nil && info.Path == module && info.Main.Version == version {
		return path, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		fmt.Fprintf(os.Stderr, "withservices: replacing %s: %v\n", path, err)
	}
	fmt.Fprintf(os.Stderr, "withservices: building %s@%s, once\n", module, version)
	cmd := exec.CommandContext(ctx, "go", "install", module+"@"+version)
	cmd.Env = append(os.Environ(), "GOBIN="+bin, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", module, err, out)
	}
	return path, nil
}

// bringAxe installs axe-core beside the other programs, once for each version,
// and returns its file, which the tests run inside their browser.
func bringAxe(ctx context.Context, bin string) (path string, err error) {
	dir, err := filepath.Abs(filepath.Join(bin, "axe-core-"+axeVersion))
	if err != nil {
		return "", fmt.Errorf("find %s: %w", bin, err)
	}
	path = filepath.Join(dir, "node_modules", "axe-core", "axe.min.js")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make a folder for axe-core: %w", err)
	}
	fmt.Fprintf(os.Stderr, "withservices: installing axe-core %s, once\n", axeVersion)
	cmd := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "axe-core@"+axeVersion)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("install axe-core: %w\n%s", err, out)
	}
	return path, nil
}
