package deploytest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/glad-labs/frontispiece/internal/config"
)

// both runs a check on either way of running workers.
func both(t *testing.T, check func(*testing.T, cluster)) {
	t.Helper()
	for _, private := range []bool{false, true} {
		t.Run(map[bool]string{false: "apart", true: "private disks"}[private], func(t *testing.T) {
			t.Parallel()
			check(t, production(t, private))
		})
	}
}

func TestPodsAreContained(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c cluster) {
		for name, p := range c.pods {
			s := p.Spec
			if len(s.Containers) != 1 || len(s.InitContainers) > 0 || s.SecurityContext == nil || s.Containers[0].SecurityContext == nil {
				t.Fatalf("%s: one container with a security context is wanted", name)
			}
			of, in := s.SecurityContext, s.Containers[0].SecurityContext
			for what, ok := range map[string]bool{
				"it is not root":              of.RunAsNonRoot != nil && *of.RunAsNonRoot && of.RunAsUser != nil && *of.RunAsUser == 65532,
				"seccomp is the runtime's":    of.SeccompProfile != nil && of.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
				"its root is read-only":       in.ReadOnlyRootFilesystem != nil && *in.ReadOnlyRootFilesystem,
				"no privilege can be gained":  in.AllowPrivilegeEscalation != nil && !*in.AllowPrivilegeEscalation,
				"no capability is left":       in.Capabilities != nil && slices.Equal(in.Capabilities.Drop, []corev1.Capability{"ALL"}) && len(in.Capabilities.Add) == 0,
				"it has no token":             s.AutomountServiceAccountToken != nil && !*s.AutomountServiceAccountToken,
				"no namespace is the node's":  !s.HostNetwork && !s.HostPID && !s.HostIPC,
				"its image names a version":   regexp.MustCompile(`^registry\.example\.com/frontispiece:v[0-9]`).MatchString(s.Containers[0].Image),
				"CPU is asked for":            !s.Containers[0].Resources.Requests.Cpu().IsZero(),
				"CPU is not limited":          s.Containers[0].Resources.Limits.Cpu().IsZero(),
				"memory is asked for":         !s.Containers[0].Resources.Requests.Memory().IsZero(),
				"memory is limited":           !s.Containers[0].Resources.Limits.Memory().IsZero(),
				"its labels are its selector": labels.SelectorFromSet(p.selector).Matches(labels.Set(p.Labels)),
			} {
				if !ok {
					t.Errorf("%s: it does not hold that %s", name, what)
				}
			}
			mounts(t, name, p)
		}
	})
}

// mounts checks that whatever is mounted is there.
func mounts(t *testing.T, name string, p pod) {
	t.Helper()
	var there []string
	for _, v := range p.Spec.Volumes {
		there = append(there, v.Name)
	}
	for _, claim := range p.claims {
		there = append(there, claim.Name)
	}
	for _, m := range p.Spec.Containers[0].VolumeMounts {
		if !slices.Contains(there, m.Name) {
			t.Errorf("%s mounts %s, which is not among %v", name, m.Name, there)
		}
	}
}

// environ is what a container's program sees.
func (c cluster) environ(t *testing.T, name string) []string {
	t.Helper()
	var out []string
	container := c.pods[name].Spec.Containers[0]
	for _, from := range container.EnvFrom {
		if from.ConfigMapRef != nil {
			m, ok := c.objects["ConfigMap/"+from.ConfigMapRef.Name].(*corev1.ConfigMap)
			if !ok {
				t.Fatalf("%s: there is no ConfigMap %s", name, from.ConfigMapRef.Name)
			}
			for k, v := range m.Data {
				out = append(out, k+"="+v)
			}
			continue
		}
		s, ok := c.objects["Secret/"+from.SecretRef.Name].(*corev1.Secret)
		if !ok {
			t.Fatalf("%s: there is no Secret %s", name, from.SecretRef.Name)
		}
		for k, v := range s.Data {
			out = append(out, k+"="+string(v))
		}
	}
	for _, e := range container.Env {
		v := e.Value
		if e.ValueFrom != nil {
			s, ok := c.objects["Secret/"+e.ValueFrom.SecretKeyRef.Name].(*corev1.Secret)
			if !ok || s.Data[e.ValueFrom.SecretKeyRef.Key] == nil {
				t.Fatalf("%s: there is no Secret %s with %s", name, e.ValueFrom.SecretKeyRef.Name, e.ValueFrom.SecretKeyRef.Key)
			}
			v = string(s.Data[e.ValueFrom.SecretKeyRef.Key])
		}
		out = append(out, e.Name+"="+v)
	}
	return out
}

var documented = regexp.MustCompile("(?m)^\\| `([A-Z0-9_]+)` \\|")

// unknown are the variables that no program of ours reads.
func unknown(environ []string, more ...string) (names []string) {
	known := append([]string{"GOMEMLIMIT"}, more...)
	for _, m := range documented.FindAllStringSubmatch(config.Reference(), -1) {
		known = append(known, m[1])
	}
	for _, line := range environ {
		if name, _, _ := strings.Cut(line, "="); !slices.Contains(known, name) {
			names = append(names, name)
		}
	}
	return names
}

func TestProgramsTakeTheirEnvironments(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c cluster) {
		for name, p := range c.pods {
			environ := c.environ(t, name)
			if u := unknown(environ); len(u) > 0 {
				t.Errorf("%s: %v are not in docs/configuration.md", name, u)
			}
			cfg, err := config.Load(environ)
			if err != nil {
				t.Errorf("%s refuses to start: %v", name, err)
				continue
			}
			switch program := p.Spec.Containers[0].Command[0]; program {
			case "/worker":
				if err := cfg.ValidateWorker(); err != nil {
					t.Errorf("%s refuses to start: %v", name, err)
				}
				if cfg.AuthConfigured() {
					t.Errorf("%s has a JWT secret, and nobody calls a worker", name)
				}
				if stores := cfg.WorksOn(config.QueueUpload); stores == cfg.AWSSecretAccessKey.IsZero() {
					t.Errorf("%s: it stores: %v, and has a key to: %v", name, stores, !stores)
				}
			case "/api":
				if !cfg.AWSSecretAccessKey.IsZero() {
					t.Error("the API has an S3 key and touches no object")
				}
			}
			if w := cfg.Warnings(); len(w) > 0 && name != "migrate" {
				t.Errorf("%s warns: %q", name, w)
			}
			inTime(t, name, p, cfg)
		}
	})
}

// inTime compares what the program takes for itself with what it is given.
func inTime(t *testing.T, name string, p pod, cfg config.Config) {
	t.Helper()
	if p.kind == "Job" {
		return
	}
	container := p.Spec.Containers[0]
	needs := cfg.ShutdownGrace
	if container.Lifecycle != nil {
		needs += time.Duration(container.Lifecycle.PreStop.Sleep.Seconds) * time.Second
	}
	if grace := time.Duration(*p.Spec.TerminationGracePeriodSeconds) * time.Second; grace < needs+5*time.Second {
		t.Errorf("%s is killed after %v and takes %v to drain", name, grace, needs)
	}
	for _, e := range container.Env {
		if e.Name != "GOMEMLIMIT" {
			continue
		}
		var soft config.Bytes
		if err := soft.UnmarshalText([]byte(e.Value)); err != nil {
			t.Fatal(err)
		}
		hard := container.Resources.Limits.Memory().Value()
		if asked := container.Resources.Requests.Memory().Value(); int64(soft)*10 > hard*9 || int64(soft) < asked {
			t.Errorf("%s: GOMEMLIMIT %v, %d bytes asked for and %d at most", name, soft, asked, hard)
		}
	}
}

func TestHealthIsProbed(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c cluster) {
		for name, p := range c.pods {
			if p.kind == "Job" {
				continue
			}
			// A worker's own port is the one of its metrics.
			container, port := p.Spec.Containers[0], map[bool]string{true: "http", false: "metrics"}[name == "api"]
			if !slices.ContainsFunc(container.Ports, func(p corev1.ContainerPort) bool { return p.Name == port }) {
				t.Errorf("%s has no port %s", name, port)
			}
			for path, probe := range map[string]*corev1.Probe{"/healthz": container.LivenessProbe, "/readyz": container.ReadinessProbe} {
				if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || probe.HTTPGet.Port.StrVal != port {
					t.Errorf("%s: %s is not asked at %s", name, path, port)
				}
			}
		}
	})
}

// Whatever refers to pods finds some, and each workload has its budget.
func TestWhatIsSelectedIsThere(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c cluster) {
		matches := func(s *metav1.LabelSelector) (names []string) {
			selector, err := metav1.LabelSelectorAsSelector(s)
			if err != nil {
				t.Fatal(err)
			}
			for name, p := range c.pods {
				if selector.Matches(labels.Set(p.Labels)) {
					names = append(names, name)
				}
			}
			slices.Sort(names)
			return names
		}
		budgets := map[string]bool{}
		for name, o := range c.objects {
			switch o := o.(type) {
			case *policyv1.PodDisruptionBudget:
				for _, of := range matches(o.Spec.Selector) {
					budgets[of] = true
					if o.Spec.MinAvailable != nil && c.pods[of].replicas <= o.Spec.MinAvailable.IntVal {
						t.Errorf("%s: with %d of %s no node could ever be drained", name, c.pods[of].replicas, of)
					}
				}
			case *corev1.Service:
				if got := matches(&metav1.LabelSelector{MatchLabels: o.Spec.Selector}); fmt.Sprint(got) != "[api]" {
					t.Errorf("%s leads to %v", name, got)
				}
			case *networkingv1.NetworkPolicy:
				if len(matches(&o.Spec.PodSelector)) == 0 {
					t.Errorf("%s is about nobody", name)
				}
			case *scaledObject:
				c.scales(t, o)
			case *podMonitor:
				endpoint := o.Spec.PodMetricsEndpoints[0]
				secret, ok := c.objects["Secret/"+endpoint.Authorization.Credentials.Name].(*corev1.Secret)
				if !ok || secret.Data[endpoint.Authorization.Credentials.Key] == nil || endpoint.Port != "metrics" || len(matches(&o.Spec.Selector)) < 3 {
					t.Errorf("%s: %+v", name, o.Spec)
				}
			}
		}
		for name, p := range c.pods {
			if p.kind != "Job" && !budgets[name] {
				t.Errorf("%s has no disruption budget", name)
			}
		}
	})
}

// scales checks what KEDA would do.
func (c cluster) scales(t *testing.T, o *scaledObject) {
	t.Helper()
	s := o.Spec
	target, ok := c.objects[s.ScaleTargetRef.Kind+"/"+s.ScaleTargetRef.Name].(*appsv1.Deployment)
	if !ok {
		t.Errorf("%s scales %+v, which is not there", o.Metadata.Name, s.ScaleTargetRef)
		return
	}
	if *s.MinReplicaCount < *target.Spec.Replicas || *s.MaxReplicaCount <= *s.MinReplicaCount || s.Fallback == nil || s.Fallback.Replicas < 1 {
		t.Errorf("%s: from %d to %d, and without Prometheus %+v", o.Metadata.Name, *s.MinReplicaCount, *s.MaxReplicaCount, s.Fallback)
	}
	if len(s.Triggers) != 2 {
		t.Errorf("%s has %d triggers, want depth and age", o.Metadata.Name, len(s.Triggers))
	}
	b, err := os.ReadFile(filepath.Join(root, "internal", "ops", "collector.go"))
	if err != nil {
		t.Fatal(err)
	}
	collector := string(b)
	for _, trigger := range s.Triggers {
		for _, metric := range regexp.MustCompile(`frontispiece_\w+`).FindAllString(trigger.Metadata["query"], -1) {
			if !strings.Contains(collector, `gauge("`+strings.TrimPrefix(metric, "frontispiece_")+`"`) {
				t.Errorf("%s: no process says %s", o.Metadata.Name, metric)
			}
		}
		if trigger.Type != "prometheus" || trigger.Metadata["query"] == "" || trigger.Metadata["threshold"] == "" || trigger.Metadata["serverAddress"] == "" {
			t.Errorf("%s: %+v", o.Metadata.Name, trigger)
		}
	}
}

// Whoever generates must have a disk that whoever stores has as well.
func TestTheSpoolIsShared(t *testing.T) {
	t.Parallel()
	apart := production(t, false)
	claim, ok := apart.objects["PersistentVolumeClaim/spool"].(*corev1.PersistentVolumeClaim)
	if !ok || !slices.Equal(claim.Spec.AccessModes, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}) {
		t.Errorf("the claim spool is %+v", claim)
	}
	quota, err := config.Load(apart.environ(t, "generate"))
	if err != nil {
		t.Fatal(err)
	}
	if room := claim.Spec.Resources.Requests.Storage().Value(); room <= int64(quota.SpoolQuota) {
		t.Errorf("the spool's quota is %v and its disk has %d bytes", quota.SpoolQuota, room)
	}
	for _, name := range []string{"generate", "store"} {
		volume := apart.pods[name].Spec.Volumes[0]
		if volume.PersistentVolumeClaim == nil || volume.PersistentVolumeClaim.ClaimName != "spool" {
			t.Errorf("%s has its spool in %+v", name, volume)
		}
	}
	private := production(t, true)
	if private.objects["PersistentVolumeClaim/spool"] != nil || len(private.pods) != 3 {
		t.Errorf("with private disks there are the workloads %v and the shared claim %v", private.pods, private.objects["PersistentVolumeClaim/spool"])
	}
	if w := private.pods["worker"]; w.kind != "StatefulSet" || len(w.claims) != 1 {
		t.Errorf("the worker is a %s with %d claims", w.kind, len(w.claims))
	}
}

// A secret that was copied from the example and not filled in stops the pod at
// its start, with the name of the variable and the fix.
func TestAnEmptySecretStopsThePod(t *testing.T) {
	t.Parallel()
	c := production(t, false)
	tests := []struct{ pod, empty, wants string }{
		{"api", "JWT_SECRET_KEY", "set JWT_SECRET_KEY"},
		{"api", "METRICS_TOKEN", "METRICS_TOKEN"},
		{"api", "DATABASE_URL", "set the same DATABASE_URL"},
		{"generate", "DATABASE_URL", "set the same DATABASE_URL"},
		{"store", "REDIS_URL", "set REDIS_URL"},
		{"store", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"},
		{"store", "AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"},
	}
	for _, tt := range tests {
		t.Run(tt.pod+" without "+tt.empty, func(t *testing.T) {
			t.Parallel()
			environ := slices.DeleteFunc(c.environ(t, tt.pod), func(line string) bool { return strings.HasPrefix(line, tt.empty+"=") })
			cfg, err := config.Load(append(environ, tt.empty+"="))
			if err == nil && c.pods[tt.pod].Spec.Containers[0].Command[0] == "/worker" {
				err = cfg.ValidateWorker()
			}
			var refused *config.Error
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), tt.wants) {
				t.Errorf("%v; want a refusal that says %q", err, tt.wants)
			}
		})
	}
}
