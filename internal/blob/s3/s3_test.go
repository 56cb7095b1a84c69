package s3_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/blob/blobtest"
	"github.com/glad-labs/frontispiece/internal/blob/s3"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

func configOf(gw blobtest.Gateway) s3.Config {
	return s3.Config{
		Bucket: gw.Bucket, Region: gw.Region, Endpoint: gw.Endpoint,
		AccessKeyID: gw.AccessKeyID, SecretAccessKey: gw.SecretAccessKey,
	}
}

// reader is a client of another make: it has rights that the bucket has not.
func reader(gw blobtest.Gateway) *sdk.Client {
	return sdk.New(sdk.Options{
		BaseEndpoint: &gw.Endpoint, Region: gw.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(gw.AccessKeyID, gw.SecretAccessKey, ""),
	})
}

func fetch(t testing.TB, gw blobtest.Gateway, key blob.Key) (*sdk.GetObjectOutput, []byte) {
	t.Helper()
	out, err := reader(gw).GetObject(t.Context(), &sdk.GetObjectInput{Bucket: &gw.Bucket, Key: aws.String(string(key))})
	var missing *types.NoSuchKey
	if errors.As(err, &missing) {
		return nil, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return out, body
}

func TestBucket(t *testing.T) {
	t.Parallel()
	gw := blobtest.StartGateway(t)
	blobtest.Run(t, func(t *testing.T) blobtest.Harness {
		return blobtest.Harness{
			Bucket: s3.New(configOf(gw)),
			Blind:  true,
			Fetch: func(t testing.TB, key blob.Key) (blobtest.Stored, bool) {
				out, body := fetch(t, gw, key)
				if out == nil {
					return blobtest.Stored{}, false
				}
				return blobtest.Stored{
					Body: body, ContentType: aws.ToString(out.ContentType), CacheControl: aws.ToString(out.CacheControl),
				}, true
			},
		}
	})
}

func TestPutRecordsWhoseAndWhen(t *testing.T) {
	t.Parallel()
	gw := blobtest.StartGateway(t)
	o := blobtest.NewObject(t, []byte("a picture"))
	if err := s3.New(configOf(gw)).Put(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	out, _ := fetch(t, gw, o.Key)
	want := map[string]string{"task-id": "draft-1", "generated-date": "2023-12-17T22:13:54Z"}
	if diff := cmp.Diff(want, out.Metadata); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

func TestConfigurationErrorsOfARealServer(t *testing.T) {
	t.Parallel()
	gw := blobtest.StartGateway(t)
	tests := []struct {
		name  string
		spoil func(*s3.Config)
		code  string
		says  string
	}{
		{"bucket", func(c *s3.Config) { c.Bucket = "missing" }, blob.CodeNoSuchBucket, "AWS_S3_BUCKET"},
		{"key", func(c *s3.Config) { c.AccessKeyID = "nobody" }, blob.CodeBadCredentials, "AWS_ACCESS_KEY_ID"},
		{"secret", func(c *s3.Config) { c.SecretAccessKey = "hunter2-hunter2" }, blob.CodeBadCredentials, "AWS_SECRET_ACCESS_KEY"},
		{"region", func(c *s3.Config) { c.Region = "eu-west-1" }, blob.CodeWrongRegion, "AWS_S3_REGION"},
		{"no bucket at all", func(c *s3.Config) { c.Bucket = "" }, blob.CodeNoSuchBucket, "AWS_S3_BUCKET"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := configOf(gw)
			test.spoil(&cfg)
			err := s3.New(cfg).Check(t.Context())
			blobtest.WantError(t, err, test.code, editorial.Transient)
			e := blob.AsError(err)
			if !e.Config || !strings.Contains(e.Message, test.says) {
				t.Errorf("error = %+v, want a configuration error that names %s", e, test.says)
			}
			if strings.Contains(e.Error(), cfg.SecretAccessKey) {
				t.Errorf("the secret is in %q", e)
			}
		})
	}
}

// TestProfileIsPickedUpLater is the seed's complaint turned round: its client,
// once it could not be built, stayed off for the life of the process.
func TestProfileIsPickedUpLater(t *testing.T) {
	gw := blobtest.StartGateway(t)
	dir := t.TempDir()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_SHARED_CREDENTIALS_FILE": dir + "/credentials", "AWS_CONFIG_FILE": dir + "/config",
		"AWS_ENDPOINT_URL_S3": gw.Endpoint,
	} {
		t.Setenv(name, value)
	}
	b := s3.New(s3.Config{Bucket: gw.Bucket})
	blobtest.WantError(t, b.Check(t.Context()), blob.CodeNoCredentials, editorial.Transient)

	profile := func(secret string) {
		t.Helper()
		writeFile(t, dir+"/credentials",
			"[default]\naws_access_key_id = "+gw.AccessKeyID+"\naws_secret_access_key = "+secret+"\n")
	}
	profile("wrong")
	blobtest.WantError(t, b.Check(t.Context()), blob.CodeBadCredentials, editorial.Transient)
	profile(gw.SecretAccessKey)
	if err := b.Check(t.Context()); err != nil {
		t.Errorf("Check with mended credentials = %v, want nil without a restart", err)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	srv := newStore(t, func(http.ResponseWriter, *http.Request) {})
	cfg := srv.config()
	srv.Close()
	blobtest.WantError(t, s3.New(cfg).Check(t.Context()), blob.CodeUnreachable, editorial.Transient)
}
