package composetest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
)

// pinned is a tag that names a version, or a digest.
var pinned = regexp.MustCompile(`^[a-z0-9./-]+(:v?[0-9]+\.[0-9]+\.?[0-9]*[a-z0-9.-]*|:[a-z0-9.-]+@sha256:[0-9a-f]{64})$`)

// ourUser is the image's user, who is nobody in particular.
const ourUser = "65532:65532"

func isOurs(s types.ServiceConfig) bool { return s.Build != nil }

func TestImagesArePinned(t *testing.T) {
	t.Parallel()
	for name, s := range load(t, secret).Services {
		if !isOurs(s) && !pinned.MatchString(s.Image) {
			t.Errorf("%s: %q names no version", name, s.Image)
		}
		if strings.Contains(s.Image, "minio") {
			t.Errorf("%s: MinIO's community server is archived", name)
		}
	}
	for image, want := range map[string]bool{
		"redis:8.2.8-bookworm": true, "versity/versitygw:v1.8.0": true, "postgres:17.10": true,
		"ghcr.io/a/b:master@sha256:" + strings.Repeat("0", 64): true,
		"redis": false, "redis:8": false, "redis:latest": false, "ghcr.io/a/b:master-cuda": false, "redis:alpine3": false,
	} {
		if got := pinned.MatchString(image); got != want {
			t.Errorf("pinned(%q) = %v, want %v", image, got, want)
		}
	}
}

func TestServicesAreContained(t *testing.T) {
	t.Parallel()
	// Who is root inside, without any capability, and why.
	rooted := []string{
		"s3",    // its image has no folder of another user's to give a volume its owner
		"sdcpp", // the driver's files are whoever's they are on the host
	}
	for name, s := range load(t, secret).Services {
		uid, _, _ := strings.Cut(s.User, ":")
		for what, ok := range map[string]bool{
			"read_only is true":                     s.ReadOnly,
			"cap_drop is ALL":                       cmp.Equal(s.CapDrop, []string{"ALL"}),
			"nothing is added to it":                len(s.CapAdd) == 0 && !s.Privileged && len(s.Devices) == 0,
			"security_opt has no-new-privileges":    slices.Contains(s.SecurityOpt, "no-new-privileges:true"),
			"no namespace is the host's":            s.NetworkMode == "" && s.Pid == "" && s.Ipc == "",
			"user is a number and not root":         regexp.MustCompile(`^[1-9][0-9]*$`).MatchString(uid) != slices.Contains(rooted, name),
			"user is the image's, where it is ours": !isOurs(s) || s.User == ourUser,
			"mem_limit is set":                      s.MemLimit > 0,
			"pids_limit is set":                     s.PidsLimit > 0,
			"the log is bounded":                    s.Logging != nil && s.Logging.Options["max-size"] != "",
			"restart is set":                        s.Restart != "",
			"no name keeps it from being scaled":    s.ContainerName == "",
		} {
			if !ok {
				t.Errorf("%s: it does not hold that %s", name, what)
			}
		}
	}
}

func TestHealthIsProbed(t *testing.T) {
	t.Parallel()
	unprobed := []string{
		"migrate", "bucket", // they end
		"asynqmon", // one program in an empty image, without a probe
	}
	// In our image there are our programs and no shell.
	want := map[string]types.HealthCheckTest{
		"api": {"CMD", "/frontispiece", "ping", "api"}, "worker": {"CMD", "/frontispiece", "ping", "worker"},
	}
	for name, s := range load(t, secret).Services {
		if probed := probed(s); probed == slices.Contains(unprobed, name) {
			t.Errorf("%s: healthcheck present = %v", name, probed)
		}
		if isOurs(s) && probed(s) {
			if diff := cmp.Diff(want[name], s.HealthCheck.Test); diff != "" {
				t.Errorf("%s: healthcheck (-want +got)\n%s", name, diff)
			}
		}
	}
}

func probed(s types.ServiceConfig) bool {
	return s.HealthCheck != nil && !s.HealthCheck.Disable && len(s.HealthCheck.Test) > 1
}

// Loading has found every name; this is about conditions that can come true.
func TestWhatIsWaitedForComes(t *testing.T) {
	t.Parallel()
	p := load(t, secret)
	for name, s := range p.Services {
		for target, d := range s.DependsOn {
			on := service(t, p, target)
			ends := on.Restart == "no" || strings.HasPrefix(on.Restart, "on-failure")
			switch {
			case len(on.Profiles) > 0:
				t.Errorf("%s waits for %s, which is not started without a profile", name, target)
			case d.Condition == types.ServiceConditionHealthy && !probed(on):
				t.Errorf("%s waits for the health of %s, which has no probe", name, target)
			case d.Condition == types.ServiceConditionCompletedSuccessfully && !ends:
				t.Errorf("%s waits for the end of %s, which is started again: %s", name, target, on.Restart)
			case d.Condition != types.ServiceConditionHealthy && ends != (d.Condition == types.ServiceConditionCompletedSuccessfully):
				t.Errorf("%s waits for %s to be merely %s", name, target, d.Condition)
			}
		}
	}
	for name, want := range map[string][]string{
		"api": {"migrate", "redis"}, "worker": {"bucket", "cdn", "migrate", "redis"}, "migrate": {"postgres"},
	} {
		got := service(t, p, name).GetDependencies()
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s depends on (-want +got)\n%s", name, diff)
		}
	}
}

func TestOnlyLoopbackIsPublished(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for name, s := range load(t, secret).Services {
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is bound on %q, want 127.0.0.1", name, port.Published, port.HostIP)
			}
			got[name] += port.Published
		}
	}
	want := map[string]string{"api": "8000", "cdn": "8080", "asynqmon": "8081"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("published ports (-want +got)\n%s", diff)
	}
}

func TestMountedFilesExist(t *testing.T) {
	t.Parallel()
	for name, s := range load(t, secret).Services {
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if !v.ReadOnly {
				t.Errorf("%s may write to %s on the host", name, v.Source)
			}
			if _, err := os.Stat(v.Source); err != nil && filepath.Base(v.Source) != "models" {
				t.Errorf("%s: %v; Docker would make a folder of that name", name, err)
			}
		}
	}
}

func TestRedisForgetsNothingSilently(t *testing.T) {
	t.Parallel()
	redis := service(t, load(t, secret), "redis")
	flags := map[string]string{}
	for i, word := range redis.Command {
		if flag, ok := strings.CutPrefix(word, "--"); ok && i+1 < len(redis.Command) {
			flags[flag] = redis.Command[i+1]
		}
	}
	want := map[string]string{"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "maxmemory": "256mb"}
	if diff := cmp.Diff(want, flags); diff != "" {
		t.Errorf("redis's flags (-want +got)\n%s", diff)
	}
	if redis.MemLimit < 2*256<<20 {
		t.Errorf("mem_limit %d: rewriting the log may take twice maxmemory", redis.MemLimit)
	}
	if len(redis.Volumes) != 1 || redis.Volumes[0].Type != types.VolumeTypeVolume || redis.Volumes[0].Target != "/data" {
		t.Errorf("redis writes its log to /data, and its volumes are %v", redis.Volumes)
	}
}

func grace(s types.ServiceConfig) time.Duration {
	if s.StopGracePeriod == nil {
		return 10 * time.Second // Docker's own
	}
	return time.Duration(*s.StopGracePeriod)
}
