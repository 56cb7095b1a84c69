package composetest

import (
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/config"
)

// documented are the variables of docs/configuration.md.
var documented = regexp.MustCompile("(?m)^\\| `([A-Z0-9_]+)` \\|")

func TestEachVariableIsOneOfOurs(t *testing.T) {
	t.Parallel()
	known := []string{"GOMEMLIMIT"} // Go's own
	for _, m := range documented.FindAllStringSubmatch(config.Reference(), -1) {
		known = append(known, m[1])
	}
	for name, s := range load(t, secret).Services {
		if !isOurs(s) {
			continue
		}
		for _, line := range environ(t, s) {
			if variable, _, _ := strings.Cut(line, "="); !slices.Contains(known, variable) {
				t.Errorf("%s: %s is not in docs/configuration.md", name, variable)
			}
		}
	}
}

// configs are what our programs make of their environments.
func configs(t *testing.T, p *types.Project) map[string]config.Config {
	t.Helper()
	out := map[string]config.Config{}
	for name, s := range p.Services {
		if !isOurs(s) {
			continue
		}
		c, err := config.Load(environ(t, s))
		if err != nil {
			t.Errorf("%s refuses to start: %v", name, err)
		}
		out[name] = c
	}
	return out
}

func TestOurProgramsTakeTheirEnvironments(t *testing.T) {
	t.Parallel()
	for name, dotEnv := range map[string][]string{
		"least": {secret, "EDITORS=7"},
		"gpu":   {secret, "EDITORS=7", "GENERATORS=sdcpp+http://sdcpp:1234,card:", "GENERATE_TIMEOUT=15m"},
		"most": {
			secret, "EDITORS=7,8", "OPERATORS=9", "GENERATORS=openai+https://api.openai.com/v1?model=gpt-image-1,pexels:,card:", "PEXELS_API_KEY=p", "OPENAI_API_KEY=o",
			"SITE_BACKEND_URL=http://host.docker.internal:8001", "REVALIDATE_URL=https://site.example/api/revalidate", "REVALIDATE_SECRET=r",
			"ALLOWED_ORIGINS=https://site.example", "PUBLIC_BASE_URL=https://cdn.example", "API_PORT=9000", "LOG_LEVEL=DEBUG",
			"POSTGRES_PASSWORD=a1", "S3_WORKER_KEY=w1", "S3_WORKER_SECRET=w2", "S3_ROOT_KEY=r1", "S3_ROOT_SECRET=r2",
		},
	} {
		p := load(t, dotEnv...)
		all := configs(t, p)
		if len(all) != 3 {
			t.Fatalf("%s: %d services are ours", name, len(all))
		}
		if err := all["worker"].ValidateWorker(); err != nil {
			t.Errorf("%s: the worker refuses to start: %v", name, err)
		}
		for _, program := range []string{"api", "worker"} {
			if w := all[program].Warnings(); len(w) > 0 {
				t.Errorf("%s: %s warns: %q", name, program, w)
			}
		}
		meet(t, name, p, all)
	}
}

// meet checks that the API and the worker share what they must, and nothing
// that only one of them needs.
func meet(t *testing.T, env string, p *types.Project, all map[string]config.Config) {
	t.Helper()
	shared := func(c config.Config) []string {
		return []string{
			c.DatabaseURL.Reveal(), c.RedisURL.Reveal(), c.S3Bucket, c.S3Region, c.S3Endpoint.Reveal(), c.PublicBaseURL.Reveal(),
			c.RevalidateURL.Reveal(), c.GenerateTimeout.String(),
		}
	}
	api, worker := all["api"], all["worker"]
	if diff := cmp.Diff(shared(api), shared(worker)); diff != "" {
		t.Errorf("%s: the API and the worker differ (-api +worker)\n%s", env, diff)
	}
	if api.DatabaseURL.Reveal() != all["migrate"].DatabaseURL.Reveal() {
		t.Errorf("%s: migrate works on another database than the API", env)
	}
	if api.Loopback() || !api.AuthConfigured() {
		t.Errorf("%s: the API listens on %s with authentication %v", env, api.ListenAddr, api.AuthConfigured())
	}
	if !api.AWSSecretAccessKey.IsZero() || worker.AuthConfigured() {
		t.Errorf("%s: the API holds the S3 key, or the worker the site's secret, and needs neither", env)
	}
	for _, name := range []string{"api", "worker"} {
		if s := service(t, p, name); grace(s) <= all[name].ShutdownGrace {
			t.Errorf("%s: %s is killed after %v and wants %v to drain", env, name, grace(s), all[name].ShutdownGrace)
		}
	}
}

// Each address in the configuration is that of a service, on its port.
func TestAddressesAreThoseOfServices(t *testing.T) {
	t.Parallel()
	p := load(t, secret, "GENERATORS=sdcpp+http://sdcpp:1234,card:")
	all := configs(t, p)
	worker := all["worker"]
	for name, got := range map[string]string{
		"postgres": worker.DatabaseURL.Reveal(), "redis": worker.RedisURL.Reveal(), "s3": worker.S3Endpoint.Reveal(), "sdcpp": worker.Generators[0].Reveal(),
	} {
		want := map[string]string{"postgres": "postgres:5432", "redis": "redis:6379", "s3": "s3:7070", "sdcpp": "sdcpp:1234"}[name]
		if u, err := url.Parse(got); err != nil || u.Host != want {
			t.Errorf("%s is looked for at %v, want %s", name, u.Host, want)
		}
		service(t, p, name)
	}
	if got := *service(t, p, "s3").Environment["VGW_PORT"]; got != ":7070" {
		t.Errorf("the S3 server listens on %s", got)
	}
	if c := service(t, p, "sdcpp").Command; !slices.Contains(c, "1234") {
		t.Errorf("sdcpp is started with %q", c)
	}
	api := service(t, p, "api")
	if _, port, _ := net.SplitHostPort(all["api"].ListenAddr); len(api.Ports) != 1 || port != "8000" || api.Ports[0].Target != 8000 {
		t.Errorf("the API listens on %s and %v is published", all["api"].ListenAddr, api.Ports)
	}
}

// One URL has to work for readers on the host and inside the network: a name
// that both know, on a port that is the same for both.
func TestReadersAndWorkersUseOneURL(t *testing.T) {
	t.Parallel()
	p := load(t, secret)
	u, err := url.Parse(configs(t, p)["worker"].PublicBaseURL.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	cdn := service(t, p, "cdn")
	if aliases := cdn.Networks["default"].Aliases; !slices.Contains(aliases, u.Hostname()) || !strings.HasSuffix(u.Hostname(), ".localhost") {
		t.Errorf("readers go to %s and the cdn's aliases are %q", u.Hostname(), aliases)
	}
	if len(cdn.Ports) != 1 || cdn.Ports[0].Published != u.Port() || cdn.Ports[0].Target != 8080 || u.Port() != "8080" {
		t.Errorf("readers go to port %s and %v is published", u.Port(), cdn.Ports)
	}
	conf := read(t, "deploy/compose/nginx.conf")
	c := configs(t, p)["worker"]
	for _, want := range []string{
		"listen 8080;", "set $bucket " + c.S3Endpoint.Reveal() + "/" + c.S3Bucket + ";", "location /generated/ {", "proxy_no_cache        $not_a_picture;",
	} {
		if !strings.Contains(conf, want) {
			t.Errorf("deploy/compose/nginx.conf lacks %q", want)
		}
	}
}

func TestTheBucketIsMadeForItsWorker(t *testing.T) {
	t.Parallel()
	p := load(t, secret, "S3_ROOT_KEY=r1", "S3_ROOT_SECRET=r2", "S3_WORKER_KEY=w1", "S3_WORKER_SECRET=w2")
	bucket, s3 := service(t, p, "bucket").Environment, service(t, p, "s3").Environment
	c := configs(t, p)["worker"]
	got := map[string]string{}
	for name, value := range bucket {
		got[name] = *value
	}
	want := map[string]string{
		"ENDPOINT": c.S3Endpoint.Reveal(), "BUCKET": c.S3Bucket,
		"WORKER_KEY": c.AWSAccessKeyID, "WORKER_SECRET": c.AWSSecretAccessKey.Reveal(),
		"ROOT_KEY": *s3["ROOT_ACCESS_KEY"], "ROOT_SECRET": *s3["ROOT_SECRET_KEY"],
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bucket.sh is given (-want +got)\n%s", diff)
	}
	if want["ROOT_KEY"] == want["WORKER_KEY"] {
		t.Error("the worker has the root key")
	}
	script := read(t, "deploy/compose/bucket.sh")
	for name := range want {
		if !strings.Contains(script, "$"+name) {
			t.Errorf("bucket.sh does not use %s", name)
		}
	}
}

// The image has the spool's folder, so that a new volume is our user's.
func TestTheSpoolIsOnAVolume(t *testing.T) {
	t.Parallel()
	p := load(t, secret)
	c := configs(t, p)["worker"]
	volumes := service(t, p, "worker").Volumes
	if len(volumes) != 1 || volumes[0].Type != types.VolumeTypeVolume || volumes[0].Target != c.SpoolDir {
		t.Fatalf("the spool is %s and the volumes are %v", c.SpoolDir, volumes)
	}
	if made := path.Join("/out/own", c.SpoolDir); !strings.Contains(read(t, "Dockerfile"), made) {
		t.Errorf("the Dockerfile does not make %s", made)
	}
}

var (
	wanted  = regexp.MustCompile(`\$\{([A-Z0-9_]+)`)
	offered = regexp.MustCompile(`(?m)^#?([A-Z0-9_]+)=(.*)$`)
)

// env.example lists each variable, and what it says are the defaults are.
func TestTheExampleIsTheDefault(t *testing.T) {
	t.Parallel()
	var inFile, inExample, dotEnv []string
	for _, m := range wanted.FindAllStringSubmatch(read(t, "docker-compose.yml"), -1) {
		inFile = append(inFile, m[1])
	}
	for _, m := range offered.FindAllStringSubmatch(read(t, "deploy/compose/env.example"), -1) {
		inExample = append(inExample, m[1])
		if m[1] != "JWT_SECRET_KEY" {
			dotEnv = append(dotEnv, m[1]+"="+m[2])
		}
	}
	slices.Sort(inFile)
	slices.Sort(inExample)
	if diff := cmp.Diff(slices.Compact(inFile), inExample); diff != "" {
		t.Errorf("variables of docker-compose.yml and env.example (-file +example)\n%s", diff)
	}
	plain, err := load(t, secret).MarshalYAML()
	if err != nil {
		t.Fatal(err)
	}
	withExample, err := load(t, append(dotEnv, secret)...).MarshalYAML()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(plain), string(withExample)); diff != "" {
		t.Errorf("uncommenting every line of env.example changes (-before +after)\n%s", diff)
	}
}
