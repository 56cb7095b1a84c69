package composetest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

var root = filepath.Join("..", "..")

// secret is one that the API accepts.
const secret = "JWT_SECRET_KEY=0123456789abcdef0123456789abcdef"

// load is docker-compose.yml with the given .env, every profile included.
func load(t *testing.T, dotEnv ...string) *types.Project {
	t.Helper()
	project, err := tryLoad(t.Context(), dotEnv...)
	if err != nil {
		t.Fatalf("load docker-compose.yml: %v", err)
	}
	if len(project.Services) < 9 {
		t.Fatalf("docker-compose.yml has %d services", len(project.Services))
	}
	return project
}

func tryLoad(ctx context.Context, dotEnv ...string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")},
		cli.WithName("frontispiece"), cli.WithProfiles([]string{"*"}), cli.WithEnv(dotEnv))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(ctx)
}

// environ is what a program sees in a service: the image's variables, and the
// service's own over them.
func environ(t *testing.T, s types.ServiceConfig) []string {
	t.Helper()
	vars := imageEnv(t)
	for name, value := range s.Environment {
		if value == nil {
			t.Errorf("%s: %s is handed through from whoever types the command; give it a value", s.Name, name)
			continue
		}
		vars[name] = *value
	}
	var out []string
	for name, value := range vars {
		out = append(out, name+"="+value)
	}
	return out
}

func service(t *testing.T, p *types.Project, name string) types.ServiceConfig {
	t.Helper()
	s, err := p.GetService(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestNothingStartsWithoutASecret(t *testing.T) {
	t.Parallel()
	for _, dotEnv := range [][]string{nil, {"JWT_SECRET_KEY="}} {
		_, err := tryLoad(t.Context(), dotEnv...)
		if err == nil || !strings.Contains(err.Error(), "JWT_SECRET_KEY") || !strings.Contains(err.Error(), "openssl rand -hex 32") {
			t.Errorf("with .env %q the error is %v, want one that names JWT_SECRET_KEY and the command that makes one", dotEnv, err)
		}
	}
}
