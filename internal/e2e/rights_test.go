package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/glad-labs/frontispiece/internal/blob/blobtest"
	"github.com/glad-labs/frontispiece/internal/testenv"
)

// statement is one of a policy.
type statement struct {
	Sid, Effect string
	Principal   any `json:",omitempty"`
	Action      any
	Resource    any
}

// moduleRights are the statements of one policy of deploy/terraform, as its own
// test has rendered and compared them, for this bucket.
func moduleRights(t testing.TB, policy, bucket string) []statement {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testenv.Root(t), "internal", "deploytest", "testdata", "rights.golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]struct{ Statement []statement }
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(b), "arn:aws:s3:::my-site-pictures", "arn:aws:s3:::"+bucket)), &all); err != nil {
		t.Fatal(err)
	}
	if len(all[policy].Statement) == 0 {
		t.Fatalf("there is no %s", policy)
	}
	return all[policy].Statement
}

// grantModuleRights gives two users what the module gives its uploader and its
// distribution. The server knows users by the bucket's policy alone, so the
// uploader's own policy becomes a statement of that. The module's refusals, of
// requests without TLS and of overwriting, are conditions that only Amazon has.
func grantModuleRights(t testing.TB, gw blobtest.Gateway, uploader, reader string) {
	t.Helper()
	rights := moduleRights(t, "uploader_policy", gw.Bucket)
	rights[0].Principal = map[string]string{"AWS": uploader}
	for _, s := range moduleRights(t, "bucket_policy", gw.Bucket) {
		if s.Sid == "TheDistributionReads" {
			s.Principal = any("*")
			if reader != "*" {
				s.Principal = map[string]string{"AWS": reader}
			}
			rights = append(rights, s)
		}
	}
	policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": rights})
	if err != nil {
		t.Fatal(err)
	}
	if len(rights) != 2 {
		t.Fatalf("the policy has %d statements: %s", len(rights), policy)
	}
	if _, err := originOf(gw).PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: &gw.Bucket, Policy: aws.String(string(policy))}); err != nil {
		t.Fatalf("%v: %s", err, policy)
	}
}

// frontispiece runs the operators' command with a worker's environment.
func (s *site) frontispiece(args ...string) (out string, code int) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(built, "frontispiece"), args...)
	cmd.Env, cmd.Dir = s.workers[0].env, s.t.TempDir()
	b, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// The rights that deploy/terraform gives are enough for everything, and what
// they do not say they do not allow.
func TestTheModulesRightsAreEnough(t *testing.T) {
	t.Parallel()
	var uploader, reader blobtest.Gateway
	s := startSite(t, plan{
		workers: 1,
		uploader: func(t testing.TB, gw blobtest.Gateway) blobtest.Gateway {
			uploader, reader = gw.User(t, "uploader"), gw.User(t, "distribution")
			grantModuleRights(t, gw, uploader.AccessKeyID, reader.AccessKeyID)
			return uploader
		},
		readers: func(t testing.TB, _ blobtest.Gateway) string { return startFront(t, edgeOf(reader)).url },
	})
	draft := s.newDraft("Least privilege")
	s.mustSubmit(orderFor(draft, 2))
	s.approve(draft)
	r := s.check()
	r.wantAllStored(t)
	if len(r.posts) != 1 {
		t.Errorf("%d posts of one approved draft", len(r.posts))
	}
	if out, code := s.frontispiece("doctor"); code != 0 {
		t.Errorf("doctor ends with %d:\n%s", code, out)
	}
	s.wantRights(uploader, reader)
}

// wantRights tries what the module's users may and may not do.
func (s *site) wantRights(uploader, reader blobtest.Gateway) {
	s.t.Helper()
	ctx, bucket := s.t.Context(), &s.gateway.Bucket
	key := aws.String(s.rows().images[0].Key)
	put := func(c *s3.Client, key string) error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader("x")})
		return err
	}
	for _, try := range []struct {
		what    string
		allowed bool
		err     error
	}{
		{"the uploader puts a picture", true, put(originOf(uploader), "generated/1-a.png")},
		{"the uploader puts something else", false, put(originOf(uploader), "index.html")},
		{"the uploader reads", false, get(ctx, originOf(uploader), bucket, key)},
		{"the uploader lists", false, list(ctx, originOf(uploader), bucket)},
		{"the uploader deletes", false, remove(ctx, originOf(uploader), bucket, key)},
		{"the distribution reads", true, get(ctx, originOf(reader), bucket, key)},
		{"the distribution puts", false, put(originOf(reader), "generated/1-b.png")},
		{"the distribution lists", false, list(ctx, originOf(reader), bucket)},
	} {
		var refused smithy.APIError
		denied := errors.As(try.err, &refused) && slices.Contains([]string{"AccessDenied", "Forbidden"}, refused.ErrorCode())
		if try.allowed && try.err != nil || !try.allowed && !denied {
			s.t.Errorf("%s: want allowed = %v, got %v", try.what, try.allowed, try.err)
		}
	}
}

func get(ctx context.Context, c *s3.Client, bucket, key *string) error {
	o, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key})
	if err != nil {
		return err
	}
	return o.Body.Close()
}

func list(ctx context.Context, c *s3.Client, bucket *string) error {
	_, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket})
	return err
}

func remove(ctx context.Context, c *s3.Client, bucket, key *string) error {
	_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key})
	return err
}
