package cdn_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/cdn"
)

const key = "generated/1702851234-3f2504e0-4f89-41d3-9a0c-0305e82c3301.png"

var nothing = http.NotFoundHandler()

func distribution(t testing.TB, cfg cdn.Config) *cdn.Distribution {
	t.Helper()
	d, err := cdn.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func ExampleDistribution() {
	d, err := cdn.New(cdn.Config{CloudFrontDomain: "d111111abcdef8.cloudfront.net", Bucket: "pictures"})
	if err != nil {
		fmt.Println(err)
		return
	}
	url := d.URL("generated/1702851234-3f2504e0-4f89-41d3-9a0c-0305e82c3301.png")
	fmt.Println(url)
	fmt.Println(d.KeyOf(url))
	fmt.Println(d.KeyOf("https://example.com/holiday.png"))
	// Output:
	// https://d111111abcdef8.cloudfront.net/generated/1702851234-3f2504e0-4f89-41d3-9a0c-0305e82c3301.png
	// generated/1702851234-3f2504e0-4f89-41d3-9a0c-0305e82c3301.png true
	//  false
}

func TestURL(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		cfg  cdn.Config
		base string
	}{
		{"CloudFront", cdn.Config{CloudFrontDomain: "d1.cloudfront.net", Bucket: "b"}, "https://d1.cloudfront.net/"},
		{"CloudFront as people paste it", cdn.Config{CloudFrontDomain: " https://D1.cloudfront.net/ ", Bucket: "b"}, "https://d1.cloudfront.net/"},
		{"CloudFront goes before another base", cdn.Config{CloudFrontDomain: "d1.cloudfront.net", PublicBaseURL: "https://api.example.com", Bucket: "b"}, "https://d1.cloudfront.net/"},
		{"any CDN", cdn.Config{PublicBaseURL: "https://img.example.com", Bucket: "b"}, "https://img.example.com/"},
		{"a CDN with a path", cdn.Config{PublicBaseURL: "http://127.0.0.1:8080/cdn/pics//", Bucket: "b"}, "http://127.0.0.1:8080/cdn/pics/"},
		{"S3", cdn.Config{Bucket: "pictures"}, "https://pictures.s3.us-east-1.amazonaws.com/"},
		{"S3 elsewhere", cdn.Config{Bucket: "pictures", Region: "eu-west-1"}, "https://pictures.s3.eu-west-1.amazonaws.com/"},
		{"S3 in China", cdn.Config{Bucket: "pictures", Region: "cn-north-1"}, "https://pictures.s3.cn-north-1.amazonaws.com.cn/"},
		{"S3, a bucket with dots", cdn.Config{Bucket: "img.example.com", Region: "eu-west-1"}, "https://s3.eu-west-1.amazonaws.com/img.example.com/"},
		{"another store", cdn.Config{Bucket: "pictures", Endpoint: "http://127.0.0.1:7070/"}, "http://127.0.0.1:7070/pictures/"},
		{"local", cdn.Config{Local: nothing}, "/images/"},
		{"local, absolute", cdn.Config{Local: nothing, PublicBaseURL: "https://example.com/blog/"}, "https://example.com/blog/images/"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := distribution(t, test.cfg)
			url := d.URL(key)
			if url != test.base+key {
				t.Errorf("URL = %s, want %s", url, test.base+key)
			}
			if got, ok := d.KeyOf(url); got != key || !ok {
				t.Errorf("KeyOf(%s) = %q, %v", url, got, ok)
			}
		})
	}
}

func TestKeyOf(t *testing.T) {
	t.Parallel()
	d := distribution(t, cdn.Config{CloudFrontDomain: "d1.cloudfront.net", Bucket: "pictures", Region: "eu-west-1"})
	ours := []string{
		"https://D1.CloudFront.net/" + key,
		"http://d1.cloudfront.net/" + key,
		"https://d1.cloudfront.net/" + key + "?w=640#top",
		"https://pictures.s3.eu-west-1.amazonaws.com/" + key,
		"https://s3.amazonaws.com/pictures/" + key, // the seed's form
		"/images/" + key,
	}
	for _, url := range ours {
		if got, ok := d.KeyOf(url); got != key || !ok {
			t.Errorf("KeyOf(%s) = %q, %v, want our key", url, got, ok)
		}
	}
	strangers := []string{
		"", "/", key, "/" + key, "images/" + key, "/images/", "https://d1.cloudfront.net/", "https://d1.cloudfront.net",
		"https://d1.cloudfront.net.evil.example/" + key,
		"https://user@d1.cloudfront.net/" + key,
		"https://evil.example/?https://d1.cloudfront.net/" + key,
		"//d1.cloudfront.net/" + key,
		"ftp://d1.cloudfront.net/" + key,
		"data:image/png;base64,AAAA", "javascript:alert(1)", "https:d1.cloudfront.net/" + key,
		"https://d1.cloudfront.net/../" + key,
		"https://d1.cloudfront.net/generated/%2e%2e/secret",
		"https://d1.cloudfront.net/generated/..%2fsecret",
		"/images/../../etc/passwd", "/images//etc/passwd", `/images/..\secret`, "/images/%00",
		"https://other.s3.eu-west-1.amazonaws.com/" + key,
	}
	for _, url := range strangers {
		if got, ok := d.KeyOf(url); ok {
			t.Errorf("KeyOf(%s) = %q, want not ours", url, got)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		cfg  cdn.Config
		says string
	}{
		{"nothing", cdn.Config{}, "AWS_S3_BUCKET"},
		{"a domain with a path", cdn.Config{CloudFrontDomain: "d1.cloudfront.net/pics"}, "AWS_CLOUDFRONT_DOMAIN"},
		{"a domain over http", cdn.Config{CloudFrontDomain: "http://d1.cloudfront.net"}, "AWS_CLOUDFRONT_DOMAIN"},
		{"a domain of spaces", cdn.Config{CloudFrontDomain: "not a domain"}, "AWS_CLOUDFRONT_DOMAIN"},
		{"a domain with a query", cdn.Config{CloudFrontDomain: "d1.cloudfront.net?x"}, "AWS_CLOUDFRONT_DOMAIN"},
		{"a base without a scheme", cdn.Config{PublicBaseURL: "img.example.com"}, "PUBLIC_BASE_URL"},
		{"another scheme", cdn.Config{PublicBaseURL: "ftp://img.example.com"}, "PUBLIC_BASE_URL"},
		{"a query", cdn.Config{PublicBaseURL: "https://img.example.com/?a=b"}, "PUBLIC_BASE_URL"},
		{"a password", cdn.Config{PublicBaseURL: "https://me:hunter2@img.example.com"}, "PUBLIC_BASE_URL"},
		{"a broken URL with a password", cdn.Config{PublicBaseURL: "https://me:hunter2 %@img.example.com"}, "PUBLIC_BASE_URL"},
		{"a broken local base", cdn.Config{Local: nothing, PublicBaseURL: "example.com"}, "PUBLIC_BASE_URL"},
		{"an endpoint without a scheme", cdn.Config{Bucket: "b", Endpoint: "127.0.0.1:7070"}, "AWS_ENDPOINT_URL_S3"},
		{"a bucket that is a path", cdn.Config{Bucket: "b/c"}, "AWS_S3_BUCKET"},
		{"a region that is none", cdn.Config{Bucket: "b", Region: "eu west"}, "AWS_S3_REGION"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := cdn.New(test.cfg)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("New = %v, want an error that names %s", err, test.says)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is in %q", err)
			}
		})
	}
}

func FuzzKeyOf(f *testing.F) {
	d := distribution(f, cdn.Config{PublicBaseURL: "https://img.example.com/p", Bucket: "pictures"})
	f.Add("https://img.example.com/p/" + key)
	f.Add("/images/" + key)
	f.Add("https://img.example.com/p/../" + key)
	f.Add("https://img.example.com/p/generated/%2e%2e/x")
	f.Add("http://[::1")
	f.Fuzz(func(t *testing.T, s string) {
		key, ok := d.KeyOf(s)
		if !ok {
			if key != "" {
				t.Errorf("KeyOf(%q) = %q, false", s, key)
			}
			return
		}
		if strings.Contains(key, "..") && strings.Contains("/"+key, "/.") || strings.ContainsAny(key, "%\\\x00?# ") || strings.HasPrefix(key, "/") {
			t.Errorf("KeyOf(%q) = %q", s, key)
		}
		if again, ok := d.KeyOf(d.URL(key)); again != key || !ok {
			t.Errorf("KeyOf(URL(%q)) = %q, %v", key, again, ok)
		}
	})
}
