package deploytest

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/glad-labs/frontispiece/internal/config"
)

var update = flag.Bool("update", false, "rewrite generated files")

const (
	bucketARN       = "arn:aws:s3:::my-site-pictures"
	distributionARN = "arn:aws:cloudfront::123456789012:distribution/E1EXAMPLE"
	operatorsARN    = "arn:aws:iam::123456789012:role/operations"
)

// local evaluates one of the module's locals, with the variables as set.
func local(t *testing.T, name string, set map[string]cty.Value) cty.Value {
	t.Helper()
	known := map[string]cty.Value{"bucket_arn": cty.StringVal(bucketARN), "distribution_arn": cty.StringVal(distributionARN)}
	if name == "bucket_policy" {
		known["bucket_statements"] = local(t, "bucket_statements", set)
	}
	for _, b := range blocks(t, moduleDir) {
		if b.Type == "locals" && b.Body.Attributes[name] != nil {
			return value(t, b.Body, name, scope(map[string]cty.Value{"local": cty.ObjectVal(known), "var": defaults(t, set)}))
		}
	}
	t.Fatalf("policies.tf has no %s", name)
	return cty.NilVal
}

// policy is one of the locals of policies.tf as JSON, as AWS would get it.
func policy(t *testing.T, name string) string {
	t.Helper()
	encoded, err := stdlib.JSONEncode(local(t, name, map[string]cty.Value{"reaper_principals": strs(operatorsARN)}))
	if err != nil {
		t.Fatal(err)
	}
	return encoded.AsString()
}

// The seed's documents gave four different policies for this. It is this one.
func TestTheUploaderPutsPicturesAndNothingElse(t *testing.T) {
	t.Parallel()
	var got, want any
	const only = `{
		"Version": "2012-10-17",
		"Statement": [{
			"Sid": "PutPictures",
			"Effect": "Allow",
			"Action": "s3:PutObject",
			"Resource": "arn:aws:s3:::my-site-pictures/generated/*"
		}]
	}`
	if err := json.Unmarshal([]byte(policy(t, "uploader_policy")), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(only), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the uploader's policy (-want +got)\n%s", diff)
	}
	all := blocks(t, moduleDir)
	granted := map[string]string{
		"aws_iam_user_policy.uploader":  "jsonencode(local.uploader_policy)",
		"aws_iam_role_policy.reaper":    "jsonencode(local.reaper_policy)",
		"aws_s3_bucket_policy.pictures": "jsonencode(local.bucket_policy)",
	}
	for _, b := range all {
		if b.Type != "resource" || !strings.Contains(b.Labels[0], "policy") || strings.HasPrefix(b.Labels[0], "aws_cloudfront") {
			continue
		}
		name := strings.Join(b.Labels, ".")
		if got := source(t, b.Body, "policy"); got == "" || got != granted[name] {
			t.Errorf("%s grants %q, which no test reads", name, got)
		}
	}
}

// The rest of the rights, as one file to review.
func TestRightsAreTheReviewedOnes(t *testing.T) {
	t.Parallel()
	rights := map[string]json.RawMessage{}
	for _, name := range []string{"bucket_policy", "uploader_policy", "reaper_policy", "reaper_trust"} {
		rights[name] = json.RawMessage(policy(t, name))
	}
	got, err := json.MarshalIndent(rights, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "rights.golden.json"), append(got, '\n'))
}

// Only while pictures are copied in may anything be overwritten.
func TestOverwritingIsRefusedUnlessAskedFor(t *testing.T) {
	t.Parallel()
	for once, want := range map[bool]int{true: 3, false: 2} {
		statements := local(t, "bucket_policy", map[string]cty.Value{"write_once": cty.BoolVal(once)}).GetAttr("Statement")
		if got := statements.LengthInt(); got != want {
			t.Errorf("with write_once %v the bucket's policy has %d statements, want %d", once, got, want)
		}
	}
}

// golden compares with a file that is kept, or writes it.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not current; make generate, and look at the diff\n%s", file, cmp.Diff(string(want), string(got)))
	}
}

func TestWrongVariablesAreRefused(t *testing.T) {
	t.Parallel()
	s := cty.StringVal
	certificate := s("arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012")
	tests := []struct {
		name  string
		set   map[string]cty.Value
		wants string // the beginning of the message; empty: taken
	}{
		{"the least", nil, ""},
		{"everything", map[string]cty.Value{
			"domain": s("images.example.com"), "certificate_arn": certificate, "site_origins": strs("https://www.example.com", "http://localhost:3000"),
			"reaper_principals": strs(operatorsARN, "arn:aws:iam::123456789012:root"), "keep_deleted_days": cty.NumberIntVal(365), "price_class": s("PriceClass_All"),
		}, ""},
		{"capitals", map[string]cty.Value{"bucket": s("My-Pictures")}, "bucket must be"},
		{"an underscore", map[string]cty.Value{"bucket": s("my_pictures")}, "bucket must be"},
		{"a dot", map[string]cty.Value{"bucket": s("pictures.example.com")}, "bucket must be"},
		{"too short", map[string]cty.Value{"bucket": s("ab")}, "bucket must be"},
		{"too long for a user's name", map[string]cty.Value{"bucket": s(strings.Repeat("a", 56))}, "bucket must be"},
		{"as long as can be", map[string]cty.Value{"bucket": s(strings.Repeat("a", 55))}, ""},
		{"a dash at the end", map[string]cty.Value{"bucket": s("pictures-")}, "bucket must be"},
		{"a prefix of AWS", map[string]cty.Value{"bucket": s("xn--pictures")}, "bucket must not begin"},
		{"a suffix of AWS", map[string]cty.Value{"bucket": s("pictures-s3alias")}, "bucket must not begin"},
		{"any origin", map[string]cty.Value{"site_origins": strs("*")}, "site_origins must be"},
		{"an origin with a path", map[string]cty.Value{"site_origins": strs("https://a.example/")}, "site_origins must be"},
		{"an origin without a scheme", map[string]cty.Value{"site_origins": strs("www.example.com")}, "site_origins must be"},
		{"a URL for a domain", map[string]cty.Value{"domain": s("https://images.example.com"), "certificate_arn": certificate}, "domain must be"},
		{"a domain without a certificate", map[string]cty.Value{"domain": s("images.example.com")}, "certificate_arn and domain"},
		{"a certificate without a domain", map[string]cty.Value{"certificate_arn": certificate}, "certificate_arn and domain"},
		{"a certificate from elsewhere", map[string]cty.Value{
			"domain": s("images.example.com"), "certificate_arn": s(strings.Replace(certificate.AsString(), "us-east-1", "eu-central-1", 1)),
		}, "certificate_arn must be"},
		{"anybody reaps", map[string]cty.Value{"reaper_principals": strs("*")}, "reaper_principals must be"},
		{"half a day", map[string]cty.Value{"keep_deleted_days": cty.NumberFloatVal(0.5)}, "keep_deleted_days must be"},
		{"no day", map[string]cty.Value{"keep_deleted_days": cty.NumberIntVal(0)}, "keep_deleted_days must be"},
		{"an unknown class", map[string]cty.Value{"price_class": s("cheap")}, "price_class must be"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			said := refusals(t, defaults(t, tt.set))
			switch {
			case tt.wants == "" && len(said) > 0:
				t.Errorf("refused: %q", said)
			case tt.wants != "" && (len(said) != 1 || !strings.HasPrefix(said[0], tt.wants)):
				t.Errorf("the messages are %q, want one that begins with %q", said, tt.wants)
			}
		})
	}
}

// refusals are the messages of the validations that do not hold.
func refusals(t *testing.T, vars cty.Value) (said []string) {
	t.Helper()
	ctx := scope(map[string]cty.Value{"var": vars})
	for _, b := range blocks(t, moduleDir) {
		if b.Type != "variable" {
			continue
		}
		for _, v := range b.Body.Blocks {
			if value(t, v.Body, "condition", ctx).False() {
				said = append(said, text(t, v.Body, "error_message"))
			}
		}
	}
	return said
}

// What is pasted is what the programs read.
func TestTheOutputIsOurEnvironment(t *testing.T) {
	t.Parallel()
	made := cty.ObjectVal(map[string]cty.Value{"pictures": cty.ObjectVal(map[string]cty.Value{
		"id": cty.StringVal("my-site-pictures"), "region": cty.StringVal("eu-central-1"), "domain_name": cty.StringVal("d1a2b3.cloudfront.net"),
	})})
	key := cty.ObjectVal(map[string]cty.Value{"uploader": cty.TupleVal([]cty.Value{cty.ObjectVal(map[string]cty.Value{
		"id": cty.StringVal("AKIAEXAMPLE"), "secret": cty.StringVal("s3cr3t/+="),
	})})})
	env := find(t, blocks(t, moduleDir), "output", "env")
	if value(t, env, "sensitive", nil).False() {
		t.Error("the output env is not sensitive: every apply would print the uploader's secret")
	}
	for withKey, want := range map[bool]int{true: 5, false: 3} {
		out := value(t, env, "value", scope(map[string]cty.Value{
			"var": defaults(t, map[string]cty.Value{"uploader_key": cty.BoolVal(withKey)}), "aws_s3_bucket": made, "aws_iam_access_key": key,
			"local": cty.ObjectVal(map[string]cty.Value{"public_domain": cty.StringVal("d1a2b3.cloudfront.net")}),
		})).AsString()
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if len(lines) != want {
			t.Fatalf("with a key %v: %q", withKey, lines)
		}
		cfg, err := config.Load(lines)
		if err != nil {
			t.Fatal(err)
		}
		if cfg.S3Bucket != "my-site-pictures" || cfg.S3Region != "eu-central-1" || cfg.CloudFrontDomain != "d1a2b3.cloudfront.net" {
			t.Errorf("read as %s in %s behind %s", cfg.S3Bucket, cfg.S3Region, cfg.CloudFrontDomain)
		}
		if cfg.AWSSecretAccessKey.IsZero() == withKey {
			t.Errorf("with a key %v, and there is a secret: %v", withKey, !withKey)
		}
	}
}

func TestExamplesFitTheModule(t *testing.T) {
	t.Parallel()
	all := blocks(t, moduleDir)
	for _, b := range all {
		if (b.Type == "variable" || b.Type == "output") && b.Body.Attributes["description"] == nil {
			t.Errorf("%s %s has no description", b.Type, b.Labels[0])
		}
	}
	for _, example := range []string{"minimal", "own-domain"} {
		in := blocks(t, filepath.Join(moduleDir, "examples", example))
		call := find(t, in, "module", "pictures")
		for name := range call.Attributes {
			if name != "source" {
				find(t, all, "variable", name)
			}
		}
		if call.Attributes["bucket"] == nil {
			t.Errorf("%s names no bucket", example)
		}
		for _, b := range in {
			if b.Type != "output" {
				continue
			}
			if out, ok := strings.CutPrefix(source(t, b.Body, "value"), "module.pictures."); !ok {
				t.Errorf("%s: output %s is not of the module", example, b.Labels[0])
			} else {
				find(t, all, "output", out)
			}
		}
	}
}
