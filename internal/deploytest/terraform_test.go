package deploytest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

var (
	root      = filepath.Join("..", "..")
	moduleDir = filepath.Join(root, "deploy", "terraform")
)

// blocks are the top level of every .tf file of a folder.
func blocks(t *testing.T, dir string) hclsyntax.Blocks {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no .tf files in %s (%v)", dir, err)
	}
	var all hclsyntax.Blocks
	parser := hclparse.NewParser()
	for _, file := range files {
		parsed, diags := parser.ParseHCLFile(file)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		all = append(all, parsed.Body.(*hclsyntax.Body).Blocks...)
	}
	return all
}

// find is the one block of a type and labels; the test fails without it.
func find(t *testing.T, in hclsyntax.Blocks, kind string, labels ...string) *hclsyntax.Body {
	t.Helper()
	for _, b := range in {
		if b.Type == kind && strings.Join(b.Labels, ".") == strings.Join(labels, ".") {
			return b.Body
		}
	}
	t.Fatalf("there is no %s %s", kind, strings.Join(labels, "."))
	return nil
}

// resource is the module's resource of a type; all of them are named pictures,
// uploader or reaper.
func resource(t *testing.T, kind string) *hclsyntax.Body {
	t.Helper()
	return find(t, blocks(t, moduleDir), "resource", kind, "pictures")
}

// within is the first block on the way down a body.
func within(t *testing.T, body *hclsyntax.Body, path ...string) *hclsyntax.Body {
	t.Helper()
	for _, name := range path {
		body = find(t, body.Blocks, name)
	}
	return body
}

// value evaluates an attribute.
func value(t *testing.T, body *hclsyntax.Body, name string, ctx *hcl.EvalContext) cty.Value {
	t.Helper()
	a, ok := body.Attributes[name]
	if !ok {
		t.Fatalf("there is no attribute %s", name)
	}
	v, diags := a.Expr.Value(ctx)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return v
}

// text is a constant attribute as a string.
func text(t *testing.T, body *hclsyntax.Body, name string) string {
	t.Helper()
	return value(t, body, name, scope(nil)).AsString()
}

// source is an attribute's expression as it is written.
func source(t *testing.T, body *hclsyntax.Body, name string) string {
	t.Helper()
	a, ok := body.Attributes[name]
	if !ok {
		return ""
	}
	r := a.Expr.Range()
	b, err := os.ReadFile(r.Filename)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[r.Start.Byte:r.End.Byte])
}

// scope is what expressions see: the functions that the module uses, and names.
func scope(names map[string]cty.Value) *hcl.EvalContext {
	return &hcl.EvalContext{
		Variables: names,
		Functions: map[string]function.Function{
			"alltrue": allTrue, "can": tryfunc.CanFunc, "coalesce": stdlib.CoalesceFunc, "concat": stdlib.ConcatFunc,
			"contains": stdlib.ContainsFunc, "floor": stdlib.FloorFunc, "join": stdlib.JoinFunc,
			"jsonencode": stdlib.JSONEncodeFunc, "length": stdlib.LengthFunc, "regex": stdlib.RegexFunc,
		},
	}
}

// allTrue is Terraform's own function, which no library has.
var allTrue = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
	Type:   function.StaticReturnType(cty.Bool),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		for it := args[0].ElementIterator(); it.Next(); {
			if _, v := it.Element(); v.False() {
				return cty.False, nil
			}
		}
		return cty.True, nil
	},
})

func strs(list ...string) cty.Value {
	if len(list) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	var vals []cty.Value
	for _, s := range list {
		vals = append(vals, cty.StringVal(s))
	}
	return cty.ListVal(vals)
}

// defaults are the module's variables without any choice made, but the bucket's
// name, with some set.
func defaults(t *testing.T, set map[string]cty.Value) cty.Value {
	t.Helper()
	all := map[string]cty.Value{"bucket": cty.StringVal("my-site-pictures")}
	for _, b := range blocks(t, moduleDir) {
		if b.Type == "variable" && b.Body.Attributes["default"] != nil {
			all[b.Labels[0]] = value(t, b.Body, "default", scope(nil))
		}
	}
	for name, v := range set {
		if _, known := all[name]; !known {
			t.Fatalf("the module has no variable %s", name)
		}
		all[name] = v
	}
	return cty.ObjectVal(all)
}

func TestNothingInTheBucketIsPublic(t *testing.T) {
	t.Parallel()
	access := resource(t, "aws_s3_bucket_public_access_block")
	for _, name := range []string{"block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"} {
		if value(t, access, name, nil).False() {
			t.Errorf("%s is false", name)
		}
	}
	for _, got := range []struct{ what, is, want string }{
		{"ownership", text(t, within(t, resource(t, "aws_s3_bucket_ownership_controls"), "rule"), "object_ownership"), "BucketOwnerEnforced"},
		{"encryption", text(t, within(t, resource(t, "aws_s3_bucket_server_side_encryption_configuration"), "rule", "apply_server_side_encryption_by_default"), "sse_algorithm"), "AES256"},
		{"versioning", text(t, within(t, resource(t, "aws_s3_bucket_versioning"), "versioning_configuration"), "status"), "Enabled"},
		{"the policy", source(t, resource(t, "aws_s3_bucket_policy"), "policy"), "jsonencode(local.bucket_policy)"},
	} {
		if got.is != got.want {
			t.Errorf("%s is %s, want %s", got.what, got.is, got.want)
		}
	}
	for _, b := range blocks(t, moduleDir) {
		if b.Type == "resource" && (b.Labels[0] == "aws_s3_bucket_acl" || b.Labels[0] == "aws_s3_bucket_website_configuration") {
			t.Errorf("%s: a bucket that only CloudFront reads has none", b.Labels[0])
		}
	}
}

// Pictures live as long as posts do; only what nobody can see ends by itself.
func TestNoPictureExpires(t *testing.T) {
	t.Parallel()
	rule := within(t, resource(t, "aws_s3_bucket_lifecycle_configuration"), "rule")
	for name := range within(t, rule, "expiration").Attributes {
		if name != "expired_object_delete_marker" {
			t.Errorf("the lifecycle has expiration.%s: posts would lose their pictures", name)
		}
	}
	if got := source(t, within(t, rule, "noncurrent_version_expiration"), "noncurrent_days"); got != "var.keep_deleted_days" {
		t.Errorf("deleted pictures are kept for %s", got)
	}
}

func TestTheDistribution(t *testing.T) {
	t.Parallel()
	d := resource(t, "aws_cloudfront_distribution")
	behavior, origin := within(t, d, "default_cache_behavior"), within(t, d, "origin")
	control := resource(t, "aws_cloudfront_origin_access_control")
	for _, got := range []struct{ what, is, want string }{
		{"http_version", text(t, d, "http_version"), "http2and3"},
		{"viewer_protocol_policy", text(t, behavior, "viewer_protocol_policy"), "https-only"},
		{"cache_policy_id", source(t, behavior, "cache_policy_id"), "local.caching_optimized"},
		{"origin_access_control_id", source(t, origin, "origin_access_control_id"), "aws_cloudfront_origin_access_control.pictures.id"},
		{"signing_behavior", text(t, control, "signing_behavior"), "always"},
		{"signing_protocol", text(t, control, "signing_protocol"), "sigv4"},
	} {
		if got.is != got.want {
			t.Errorf("%s is %s, want %s", got.what, got.is, got.want)
		}
	}
	if len(origin.Blocks) > 0 {
		t.Error("the origin has blocks: an access identity beside the access control, or an origin that is no bucket")
	}
	errors := find(t, d.Blocks, "dynamic", "custom_error_response")
	var codes []string
	for it := value(t, errors, "for_each", nil).ElementIterator(); it.Next(); {
		_, code := it.Element()
		codes = append(codes, code.AsBigFloat().String())
	}
	if got := strings.Join(codes, " "); got != "400 403 404 500 502 503 504" {
		t.Errorf("the errors %s are not remembered", got)
	}
	if ttl := value(t, within(t, errors, "content"), "error_caching_min_ttl", nil); ttl.AsBigFloat().Sign() != 0 {
		t.Error("a picture that is asked for too early would be remembered as missing")
	}
}
