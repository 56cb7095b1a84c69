// Package typescript holds no Go but this test of the TypeScript client: that
// its types are those of docs/openapi.json, that it and its examples are typed,
// and that waitForImage works against the real program.
//
// Everything runs in a copy below .cache, so that no folder of the tree fills
// with other people's packages.
package typescript

import (
	"bytes"
	"context"
	"flag"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/testenv"
)

var update = flag.Bool("update", false, "rewrite src/schema.ts")

func TestTypeScriptClient(t *testing.T) {
	t.Parallel()
	w := workshop(t)
	t.Run("types are those of the OpenAPI file", func(t *testing.T) {
		made := filepath.Join(t.TempDir(), "schema.ts")
		w.run(t, nil, "node", "node_modules/openapi-typescript/bin/cli.js", filepath.Join(testenv.Root(t), "docs", "openapi.json"),
			"--default-non-nullable=false", "--output", made)
		got, err := os.ReadFile(made)
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile("src/schema.ts", got, 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		want, err := os.ReadFile("src/schema.ts")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("src/schema.ts is not that of docs/openapi.json; make generate rewrites it (-is +wanted):\n%s", diff)
		}
	})
	if *update {
		return
	}
	compiler := []string{"node", "node_modules/typescript/bin/tsc"}
	for _, example := range []string{"react", "next"} {
		t.Run("the "+example+" example is typed", func(t *testing.T) {
			w.run(t, nil, append(compiler, "--noEmit", "-p", filepath.Join("examples", example))...)
		})
	}
	t.Run("waitForImage", func(t *testing.T) {
		w.run(t, nil, append(compiler, "-p", ".")...)
		program := filepath.Join(t.TempDir(), "api")
		build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/api")
		build.Dir = testenv.Root(t)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build the API: %v\n%s", err, out)
		}
		w.run(t, []string{
			"FRONTISPIECE_URL=" + start(t, program),
			// Nobody listens there: its jobs wait for as long as one likes.
			"FRONTISPIECE_STUCK_URL=" + start(t, program, "GENERATORS=sdcpp+http://127.0.0.1:1"),
		}, "node", "--test", "dist/test/")
	})
}

// shop is a copy of this folder with its packages.
type shop struct{ dir string }

// workshop makes one. Packages are fetched when they are not there, or others;
// outside "make test" that is left to a person.
func workshop(t *testing.T) shop {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			testenv.Missing(t, program+" (Debian's nodejs and npm)")
		}
	}
	w := shop{dir: filepath.Join(testenv.Root(t), ".cache", "typescript")}
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	stamp := filepath.Join(w.dir, "node_modules", ".installed")
	installed, err := os.ReadFile(stamp)
	current := err == nil && bytes.Equal(installed, lock)
	if !current && !*update && os.Getenv("REQUIRE_SERVICES") != "1" {
		testenv.Missing(t, "npm packages in .cache/typescript")
	}
	w.fill(t)
	if !current {
		w.run(t, nil, "npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--loglevel=error")
		if err := os.WriteFile(stamp, lock, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// fill copies what git would have, and removes what was made from an earlier
// copy.
func (w shop) fill(t *testing.T) {
	t.Helper()
	for _, made := range []string{"src", "test", "examples", "dist"} {
		if err := os.RemoveAll(filepath.Join(w.dir, made)); err != nil {
			t.Fatal(err)
		}
	}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "dist"):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(w.dir, path), 0o755)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(w.dir, path), b, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (w shop) run(t *testing.T, env []string, argv ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), append(env, "NO_COLOR=1", "npm_config_update_notifier=false", "NEXT_TELEMETRY_DISABLED=1")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
}

// start runs the program with its data in a folder of its own and returns its
// address.
func start(t *testing.T, program string, env ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	var log bytes.Buffer
	cmd := exec.Command(program)
	cmd.Env = append(env, "LISTEN_ADDR="+addr, "DATA_DIR="+t.TempDir())
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("the API said:\n%s", log.String())
		}
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(time.Minute); ; {
		if resp, err := http.Get("http://" + addr + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return "http://" + addr
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the API is not ready")
		}
	}
}
