package blobtest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Gateway is a running S3 server with one empty bucket.
type Gateway struct {
	Endpoint        string // "http://127.0.0.1:<port>"
	Region          string
	AccessKeyID     string
	SecretAccessKey string
	Bucket          string
	// Dir holds the buckets as directories: the server's truth, for checkers.
	Dir string

	binary string
}

const (
	gatewayPath = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
	startTries  = 3 // another process may take the free port before the server does
	startWithin = 20 * time.Second
)

// StartGateway runs versitygw on a free loopback port until the test ends. It
// is looked for at $VERSITYGW and in .cache/bin under the module's root; where
// it is missing the test is skipped, or fails under REQUIRE_SERVICES=1.
func StartGateway(t testing.TB) Gateway {
	t.Helper()
	binary := findGateway()
	if binary == "" {
		const how = "this would have run against a real S3 server: " +
			"GOBIN=$PWD/.cache/bin go install " + gatewayPath
		if os.Getenv("REQUIRE_SERVICES") == "1" {
			t.Fatal(how)
		}
		t.Skip(how)
	}
	gw := Gateway{
		Region: "us-east-1", AccessKeyID: "frontispiece", SecretAccessKey: "not-a-secret-in-tests",
		Bucket: "pictures", Dir: t.TempDir(), binary: binary,
	}
	if err := os.Mkdir(filepath.Join(gw.Dir, gw.Bucket), 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	for range startTries {
		if gw.Endpoint, err = gw.start(t); err == nil {
			return gw
		}
	}
	t.Fatalf("start versitygw: %v", err)
	return gw
}

// User makes a user who may do nothing yet, and returns the same server as that
// user sees it.
func (gw Gateway) User(t testing.TB, name string) Gateway {
	t.Helper()
	user := gw
	user.AccessKeyID, user.SecretAccessKey = name, name+"-secret-in-tests"
	cmd := exec.CommandContext(t.Context(), gw.binary, "admin", "--endpoint-url", gw.Endpoint, "--region", gw.Region,
		"--access", gw.AccessKeyID, "--secret", gw.SecretAccessKey,
		"create-user", "--access", user.AccessKeyID, "--secret", user.SecretAccessKey, "--role", "user")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make the user %s: %v\n%s", name, err, out)
	}
	return user
}

func (gw Gateway) start(t testing.TB) (endpoint string, err error) {
	addr, err := freeAddr(t.Context())
	if err != nil {
		return "", err
	}
	var output bytes.Buffer
	cmd := exec.Command(gw.binary, "--quiet", "--region", gw.Region, "--port", addr, "--iam-dir", t.TempDir(), "posix", gw.Dir)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY_ID="+gw.AccessKeyID, "ROOT_SECRET_ACCESS_KEY="+gw.SecretAccessKey)
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return "", err
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // its output says more than its exit code
	}()
	stop := func() {
		_ = cmd.Process.Kill() // fails only when it has exited
		<-exited
	}
	if err := waitForPort(t.Context(), addr, exited); err != nil {
		stop()
		return "", fmt.Errorf("%w\n%s", err, output.String())
	}
	t.Cleanup(stop)
	return "http://" + addr, nil
}

func waitForPort(ctx context.Context, addr string, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-exited:
			return fmt.Errorf("versitygw exited before it listened on %s", addr)
		case <-ctx.Done():
			return fmt.Errorf("versitygw did not listen on %s within %s", addr, startWithin)
		case <-tick.C:
		}
	}
}

func freeAddr(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func findGateway() string {
	candidates := []string{os.Getenv("VERSITYGW")}
	if root, ok := moduleRoot(); ok {
		candidates = append(candidates, filepath.Join(root, ".cache", "bin", "versitygw"))
	}
	for _, path := range candidates {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
	}
	return ""
}

// moduleRoot is the nearest directory above the test's own with a go.mod.
func moduleRoot() (string, bool) {
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, true
		}
		dir = filepath.Dir(dir)
	}
	return "", false
}
