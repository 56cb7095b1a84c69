// Package cdn turns an object's key into the URL that readers get, and proves
// that the URL works: [Distribution.Verify] fetches the object back and compares
// its digest before any row may say "stored".
//
// It deliberately never retries, so that one layer does, and never asks before
// the put: a CDN keeps a 404 for some seconds and would answer with it later.
// The trap is a CDN that "optimises" pictures: it serves other bytes, and only
// the digest shows it.
//
// Hosts that the operator configured are trusted here, loopback and private
// ones too. URLs that came from anywhere else are no business of this package.
package cdn

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// LocalPrefix is the path under which the API serves every picture: from its
// own directory, or by a redirect to the public URL.
const LocalPrefix = "/images/"

// Config says where readers find the objects. The first of these that is set
// decides: CloudFrontDomain, PublicBaseURL, Bucket. With none of them, and
// whenever Local is set, the API itself serves them under LocalPrefix.
type Config struct {
	CloudFrontDomain string // AWS_CLOUDFRONT_DOMAIN: a host name
	PublicBaseURL    string // PUBLIC_BASE_URL: http or https; a path in it is kept

	Bucket   string // the S3 bucket; empty for local storage
	Region   string // empty: us-east-1
	Endpoint string // of an S3-compatible store, a URL

	// Local serves LocalPrefix in this process. When it is not nil the pictures
	// lie on the local disk and Verify asks it without a network in between:
	// the API may not listen yet, or not under the name that readers use.
	Local http.Handler

	// Timeout bounds one Verify; 0 means 30 s.
	Timeout time.Duration
}

// Distribution is where readers find the objects. It is safe for concurrent use.
type Distribution struct {
	base     string   // what stands before a key in its public URL
	aliases  []string // other forms of our own URLs, without their scheme
	direct   bool     // readers ask the bucket itself
	timeout  time.Duration
	client   *http.Client
	local    http.Handler
	variable string // the configuration's name for people
}

// New checks cfg and does no I/O. An error names the variable and the fix.
func New(cfg Config) (*Distribution, error) {
	d := &Distribution{timeout: cfg.Timeout, local: cfg.Local, client: newClient()}
	if d.timeout == 0 {
		d.timeout = 30 * time.Second
	}
	if err := d.choose(cfg); err != nil {
		return nil, err
	}
	d.aliases = []string{withoutScheme(d.base)}
	if cfg.Bucket != "" && cfg.Local == nil {
		origin, err := originBase(cfg)
		if err != nil {
			return nil, err
		}
		// What a site wrote before it had a CDN, and what the seed wrote.
		d.aliases = append(d.aliases, withoutScheme(origin), "s3.amazonaws.com/"+cfg.Bucket+"/")
	}
	return d, nil
}

func (d *Distribution) choose(cfg Config) (err error) {
	switch {
	case cfg.Local != nil:
		d.base, d.variable = LocalPrefix, "the local directory"
		if cfg.PublicBaseURL != "" {
			d.base, err = parseBase("PUBLIC_BASE_URL", cfg.PublicBaseURL)
			d.base = strings.TrimSuffix(d.base, "/") + LocalPrefix
		}
	case cfg.CloudFrontDomain != "":
		d.variable = "AWS_CLOUDFRONT_DOMAIN"
		d.base, err = parseDomain(cfg.CloudFrontDomain)
	case cfg.PublicBaseURL != "":
		d.variable = "PUBLIC_BASE_URL"
		d.base, err = parseBase(d.variable, cfg.PublicBaseURL)
	case cfg.Bucket != "":
		d.variable, d.direct = "AWS_S3_BUCKET", true
		d.base, err = originBase(cfg)
	default:
		err = errors.New("no bucket, no public URL and no local directory: set AWS_S3_BUCKET or PUBLIC_BASE_URL")
	}
	return err
}

// URL is where readers find key: absolute, or "/images/<key>" for local storage
// without a PUBLIC_BASE_URL. It says nothing about whether it works.
func (d *Distribution) URL(key string) string { return d.base + key }

// KeyOf is the inverse of URL: the key in one of our own URLs. It also knows
// "/images/<key>", the bucket's own URLs behind a CDN, http for https, and does
// not mind a query. ok means that the URL is ours and what follows is made of a
// key's characters; whether such an object was ever issued is the rows' to say.
func (d *Distribution) KeyOf(rawURL string) (key string, ok bool) {
	u, err := url.Parse(rawURL)
	if err != nil || u.User != nil || u.Opaque != "" {
		return "", false
	}
	// The path as it was sent: no key holds an escape, so one is never ours.
	path := u.EscapedPath()
	switch strings.ToLower(u.Scheme) {
	case "":
		if u.Host != "" {
			return "", false
		}
		key, ok = strings.CutPrefix(path, LocalPrefix)
	case "http", "https":
		full := strings.ToLower(u.Host) + path
		for _, alias := range d.aliases {
			if key, ok = strings.CutPrefix(full, alias); ok {
				break
			}
		}
	}
	if !ok || !isKeyLike(key) {
		return "", false
	}
	return key, true
}

// isKeyLike keeps out what could be a path to elsewhere.
func isKeyLike(key string) bool {
	for _, part := range strings.Split(key, "/") {
		if part == "" || part[0] == '.' {
			return false
		}
	}
	return strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-_.") == ""
}

func parseDomain(domain string) (string, error) {
	host := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(domain), "https://"), "/")
	u, err := url.Parse("https://" + host)
	if err != nil || host == "" || u.Host != host || strings.ContainsAny(host, " @%") {
		return "", fmt.Errorf("AWS_CLOUDFRONT_DOMAIN is %.100q: it must be a host name like "+
			"d111111abcdef8.cloudfront.net; for http or a path set PUBLIC_BASE_URL instead", redact(domain))
	}
	return "https://" + strings.ToLower(host) + "/", nil
}

func parseBase(variable, raw string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("%s is %.100q: it must be a URL like https://pictures.example.com", variable, redact(raw))
	case u.User != nil:
		return "", fmt.Errorf("%s holds a user name or a password: readers would see it; leave it out", variable)
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return "", fmt.Errorf("%s must end before the ? or #: keys are appended to it", variable)
	}
	u.Host = strings.ToLower(u.Host)
	return strings.TrimRight(u.String(), "/") + "/", nil
}

// originBase is the bucket's own public form. Dots in the bucket's name need
// path style, since a certificate's wildcard covers one label only.
func originBase(cfg Config) (string, error) {
	if cfg.Endpoint != "" {
		base, err := parseBase("AWS_ENDPOINT_URL_S3", cfg.Endpoint)
		return base + cfg.Bucket + "/", err
	}
	region := cfg.Region
	if region == "" {
		region = "us-east-1"
	}
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-"
	if strings.Trim(region, letters) != "" {
		return "", fmt.Errorf("AWS_S3_REGION is %.100q: it must be a region's name like eu-central-1", cfg.Region)
	}
	if strings.Trim(cfg.Bucket, letters+".") != "" {
		return "", fmt.Errorf("AWS_S3_BUCKET is %.100q: a bucket's name has lower-case letters, digits, dots and hyphens", cfg.Bucket)
	}
	host := "s3." + region + "." + partitionDomain(region)
	if strings.Contains(cfg.Bucket, ".") {
		return "https://" + host + "/" + cfg.Bucket + "/", nil
	}
	return "https://" + cfg.Bucket + "." + host + "/", nil
}

// partitionDomain knows the one public partition with a domain of its own.
func partitionDomain(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

func withoutScheme(base string) string {
	_, rest, found := strings.Cut(base, "://")
	if !found {
		return base
	}
	return rest
}

// redact keeps a password out of an error about a mistyped URL.
func redact(raw string) string {
	if i := strings.LastIndex(raw, "@"); i >= 0 {
		return "…" + raw[i:]
	}
	return raw
}

// newClient never leaves the configured host, never takes a compressed form of
// an object and keeps a connection for every upload in flight.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: 10 * time.Second,
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   64,
			ForceAttemptHTTP2:     true,
			DisableCompression:    true,
		},
		CheckRedirect: sameHost,
	}
}

// sameHost follows a CDN from http to https and no further: what another host
// answers proves nothing about ours.
func sameHost(r *http.Request, via []*http.Request) error {
	if len(via) > 3 || !strings.EqualFold(r.URL.Hostname(), via[0].URL.Hostname()) {
		return http.ErrUseLastResponse
	}
	return nil
}
