package deploytest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// cluster is what an overlay makes, each object as Kubernetes' own type.
type cluster struct {
	objects map[string]any // "Kind/name"
	pods    map[string]pod // by the workload's name
}

// pod is a workload's template and how many of it there are.
type pod struct {
	corev1.PodTemplateSpec
	kind     string
	replicas int32
	selector map[string]string
	claims   []corev1.PersistentVolumeClaim // of a StatefulSet
}

// checkout is a copy of deploy/kubernetes, its example's secrets filled in.
func checkout(t *testing.T, secrets bool) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, "deploy", "kubernetes"))); err != nil {
		t.Fatal(err)
	}
	production := filepath.Join(dir, "overlays", "production")
	if err := os.RemoveAll(filepath.Join(production, "secrets")); err != nil {
		t.Fatal(err)
	}
	if !secrets {
		return production
	}
	if err := os.Rename(filepath.Join(production, "secrets.example"), filepath.Join(production, "secrets")); err != nil {
		t.Fatal(err)
	}
	for file, fill := range map[string][2]string{
		"secrets/api.env":    {"JWT_SECRET_KEY=\nEDITORS=", "JWT_SECRET_KEY=0123456789abcdef0123456789abcdef\nEDITORS=7"},
		"secrets/shared.env": {"METRICS_TOKEN=", "METRICS_TOKEN=0123456789abcdef0123456789abcdef"},
		"secrets/store.env":  {"ID=\nAWS_SECRET_ACCESS_KEY=\n", "ID=AKIAEXAMPLE\nAWS_SECRET_ACCESS_KEY=example\n"},
	} {
		edit(t, filepath.Join(production, file), fill[0], fill[1])
	}
	return production
}

// edit replaces text in a file that must have it.
func edit(t *testing.T, file, before, after string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), before) {
		t.Fatalf("%s does not have %q", file, before)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(b), before, after)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// production is the overlay production; with private disks in the place of KEDA
// when asked for.
func production(t *testing.T, privateDisks bool) cluster {
	t.Helper()
	dir := checkout(t, true)
	if privateDisks {
		edit(t, filepath.Join(dir, "kustomization.yaml"), "- ../../components/keda", "- ../../components/private-disks")
	}
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	c := cluster{objects: map[string]any{}, pods: map[string]pod{}}
	for _, r := range made.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		c.add(t, r.GetKind(), r.GetName(), text)
	}
	if len(c.pods) < 3 {
		t.Fatalf("only %d workloads: %v", len(c.pods), c.pods)
	}
	return c
}

// add decodes an object and refuses fields that its type has not.
func (c *cluster) add(t *testing.T, kind, name string, text []byte) {
	t.Helper()
	kinds := map[string]any{
		"ConfigMap": &corev1.ConfigMap{}, "Secret": &corev1.Secret{}, "Service": &corev1.Service{}, "ServiceAccount": &corev1.ServiceAccount{},
		"Namespace": &corev1.Namespace{}, "PersistentVolumeClaim": &corev1.PersistentVolumeClaim{},
		"Deployment": &appsv1.Deployment{}, "StatefulSet": &appsv1.StatefulSet{}, "Job": &batchv1.Job{},
		"PodDisruptionBudget": &policyv1.PodDisruptionBudget{}, "NetworkPolicy": &networkingv1.NetworkPolicy{},
		"Ingress": &networkingv1.Ingress{}, "ScaledObject": &scaledObject{}, "PodMonitor": &podMonitor{},
	}
	into, ok := kinds[kind]
	if !ok {
		t.Fatalf("%s %s: no type is known for it", kind, name)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Fatalf("%s %s: %v\n%s", kind, name, err, text)
	}
	c.objects[kind+"/"+name] = into
	switch o := into.(type) {
	case *appsv1.Deployment:
		c.pods[name] = pod{o.Spec.Template, kind, *o.Spec.Replicas, o.Spec.Selector.MatchLabels, nil}
	case *appsv1.StatefulSet:
		c.pods[name] = pod{o.Spec.Template, kind, *o.Spec.Replicas, o.Spec.Selector.MatchLabels, o.Spec.VolumeClaimTemplates}
	case *batchv1.Job:
		c.pods[name] = pod{o.Spec.Template, kind, 1, nil, nil}
	}
}

// scaledObject is KEDA's, as far as we use it, with the names of its custom
// resource definition.
type scaledObject struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metav1.ObjectMeta `json:"metadata"`
	Spec       struct {
		ScaleTargetRef struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Name       string `json:"name"`
		} `json:"scaleTargetRef"`
		MinReplicaCount *int32 `json:"minReplicaCount"`
		MaxReplicaCount *int32 `json:"maxReplicaCount"`
		PollingInterval *int32 `json:"pollingInterval"`
		CooldownPeriod  *int32 `json:"cooldownPeriod"`
		Fallback        *struct {
			FailureThreshold int32 `json:"failureThreshold"`
			Replicas         int32 `json:"replicas"`
		} `json:"fallback"`
		Triggers []struct {
			Type       string            `json:"type"`
			Name       string            `json:"name"`
			MetricType string            `json:"metricType"`
			Metadata   map[string]string `json:"metadata"`
		} `json:"triggers"`
	} `json:"spec"`
}

// podMonitor is the Prometheus operator's, as far as we use it.
type podMonitor struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metav1.ObjectMeta `json:"metadata"`
	Spec       struct {
		Selector            metav1.LabelSelector `json:"selector"`
		PodMetricsEndpoints []struct {
			Port          string `json:"port"`
			Interval      string `json:"interval"`
			Authorization struct {
				Type        string                   `json:"type"`
				Credentials corev1.SecretKeySelector `json:"credentials"`
			} `json:"authorization"`
		} `json:"podMetricsEndpoints"`
	} `json:"spec"`
}

func TestWithoutSecretsNothingIsBuilt(t *testing.T) {
	t.Parallel()
	dir := checkout(t, false)
	_, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err == nil || !strings.Contains(err.Error(), "secrets/shared.env") {
		t.Errorf("the error is %v, want one that names the missing file", err)
	}
}
