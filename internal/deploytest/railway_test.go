package deploytest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/config"
)

var railwayDir = filepath.Join(root, "deploy", "railway")

// railwayFile is Railway's config-as-code, as far as we use it.
type railwayFile struct {
	Schema string `json:"$schema"`
	Build  struct {
		Builder        string `json:"builder"`
		DockerfilePath string `json:"dockerfilePath"`
	} `json:"build"`
	Deploy struct {
		StartCommand       string `json:"startCommand"`
		HealthcheckPath    string `json:"healthcheckPath"`
		HealthcheckTimeout int    `json:"healthcheckTimeout"`
		NumReplicas        int    `json:"numReplicas"`
		RequiredMountPath  string `json:"requiredMountPath"`
		RestartPolicyType  string `json:"restartPolicyType"`
		OverlapSeconds     int    `json:"overlapSeconds"`
		DrainingSeconds    int    `json:"drainingSeconds"`
	} `json:"deploy"`
}

func railway(t *testing.T, name string) (f railwayFile) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(railwayDir, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		t.Fatalf("%s.json: %v", name, err)
	}
	return f
}

// railwayEnviron is a file of variables with Railway's references answered, and
// what Railway and the image set.
func railwayEnviron(t *testing.T, name string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(railwayDir, name+".env"))
	if err != nil {
		t.Fatal(err)
	}
	answers := strings.NewReplacer(
		"${{Postgres.DATABASE_URL}}", "postgres://postgres:p@postgres.railway.internal:5432/railway",
		"${{Redis.REDIS_URL}}", "redis://default:p@redis.railway.internal:6379",
		"${{shared.JWT_SECRET_KEY}}", "0123456789abcdef0123456789abcdef",
		"EDITORS=\n", "EDITORS=7\n",
	)
	out := []string{"DATA_DIR=/data", "PORT=8000"}
	for line := range strings.Lines(answers.Replace(string(b))) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	if i := slices.IndexFunc(out, func(line string) bool { return strings.Contains(line, "${{") }); i >= 0 {
		t.Fatalf("%s.env refers to what is not there: %s", name, out[i])
	}
	return out
}

func TestRailwayRunsBothPrograms(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ start, restart string }{
		"api": {"/api", "ALWAYS"}, "worker": {"/worker", "ALWAYS"}, "doctor": {"/frontispiece doctor", "NEVER"},
	} {
		f := railway(t, name)
		if f.Deploy.StartCommand != want.start || f.Deploy.RestartPolicyType != want.restart {
			t.Errorf("%s starts %q, %s", name, f.Deploy.StartCommand, f.Deploy.RestartPolicyType)
		}
		if f.Build.Builder != "DOCKERFILE" || f.Build.DockerfilePath != "deploy/railway/Dockerfile" {
			t.Errorf("%s is built by %+v", name, f.Build)
		}
		if name == "doctor" {
			continue
		}
		environ := railwayEnviron(t, name)
		if u := unknown(environ, "RAILWAY_RUN_UID"); len(u) > 0 {
			t.Errorf("%s: %v are not in docs/configuration.md", name, u)
		}
		cfg, err := config.Load(environ)
		if err != nil {
			t.Fatalf("%s refuses to start: %v", name, err)
		}
		if w := cfg.Warnings(); len(w) > 0 {
			t.Errorf("%s warns: %q", name, w)
		}
		if drain := time.Duration(f.Deploy.DrainingSeconds) * time.Second; drain < cfg.ShutdownGrace+5*time.Second {
			t.Errorf("%s is killed after %v and drains for %v", name, drain, cfg.ShutdownGrace)
		}
		switch name {
		case "api":
			if f.Deploy.HealthcheckPath != "/readyz" || cfg.Loopback() || !cfg.AWSSecretAccessKey.IsZero() {
				t.Errorf("the API is asked at %q, listens on %s and has an S3 key: %v", f.Deploy.HealthcheckPath, cfg.ListenAddr, !cfg.AWSSecretAccessKey.IsZero())
			}
		case "worker":
			if err := cfg.ValidateWorker(); err != nil {
				t.Error(err)
			}
			if cfg.SpoolDir != f.Deploy.RequiredMountPath || cfg.AuthConfigured() || f.Deploy.NumReplicas > 1 {
				t.Errorf("the worker's spool is %s, its volume %s, its replicas %d", cfg.SpoolDir, f.Deploy.RequiredMountPath, f.Deploy.NumReplicas)
			}
		}
	}
}

// A shared variable that nobody made comes as an empty one. The API then asks
// the database whether a key was made, and refuses to start: but only with an
// address, since PORT alone means loopback, where nobody would answer Railway.
func TestRailwaysAPINeedsItsSecret(t *testing.T) {
	t.Parallel()
	environ := railwayEnviron(t, "api")
	for i, line := range environ {
		if name, _, _ := strings.Cut(line, "="); name == "JWT_SECRET_KEY" || name == "EDITORS" {
			environ[i] = name + "="
		}
	}
	cfg, err := config.Load(environ)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.AuthConfigured() || cfg.Loopback() || cfg.PortAlone() {
		t.Errorf("without a secret the API listens on %s instead of refusing to start", cfg.ListenAddr)
	}
	if cfg.Port == "" || !strings.HasSuffix(cfg.ListenAddr, ":"+cfg.Port) {
		t.Errorf("it listens on %s and Railway asks at port %s", cfg.ListenAddr, cfg.Port)
	}
}

const railwayHead = `# The Dockerfile at the top without its cache mounts, which Railway refuses unless
# they bear the id of its service. Written by "make generate"; change the other.

`

var cacheMount = regexp.MustCompile(`--mount=type=cache,target=\S+ (\\\n\s+)?`)

func TestRailwaysDockerfileIsOurs(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	_, stages, ok := strings.Cut(string(b), "\nFROM ")
	if !ok || !cacheMount.MatchString(stages) {
		t.Fatal("the Dockerfile has no stage, or no cache mount to take out")
	}
	want := railwayHead + "FROM " + cacheMount.ReplaceAllString(stages, "")
	golden(t, filepath.Join(railwayDir, "Dockerfile"), []byte(want))
	if strings.Contains(want, "--mount") {
		t.Error("a mount is left")
	}
}
