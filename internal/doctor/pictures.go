package doctor

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/cdn"
)

// Delivery is how readers get at an object.
type Delivery interface {
	// URL is where readers find a key.
	URL(key string) string
	// Verify fetches a key through its public URL and compares its digest.
	Verify(ctx context.Context, key, wantSHA256 string, wantBytes int64) error
}

// Storage is where pictures are kept.
type Storage struct {
	// Bucket is nil while the local directory is not there yet.
	Bucket   blob.Bucket
	Delivery Delivery
	// S3 says that Name is a bucket; else it is the local directory.
	S3       bool
	Name     string
	Region   string
	Endpoint string // of an S3 server that is not Amazon's
}

// storageTimeout is for one request with the tries of the SDK.
const storageTimeout = 15 * time.Second

// pictures is the way of one small object there and back. The object has a key
// of its own in every examination: a CDN that has seen a key once answers for
// it long after it has lost the right to read the bucket.
type pictures struct {
	Storage
	key    blob.Key
	body   string
	answer error // the bucket's to the first put
}

// Pictures are the seed's own checks, from the client to the URL that a picture
// would get.
func Pictures(s Storage) Section {
	p := &pictures{Storage: s, body: "Frontispiece's doctor was here.\n"}
	key, err := blob.NewKey(time.Now(), uuid.NewString(), "txt")
	if err != nil {
		return Unopened("Pictures", "put", "make a key", err) // unreachable: the form is ours
	}
	p.key = key
	return Section{Name: "Pictures", Checks: []Check{
		{Name: "client", Tries: "sign a small put to " + p.where(), Timeout: storageTimeout, Run: p.client},
		{Name: "bucket", Tries: "find " + s.Name, Needs: "client", Timeout: storageTimeout, Run: p.bucket},
		{Name: "put", Tries: "put " + p.shortKey(), Needs: "bucket", Timeout: storageTimeout, Run: p.put},
		{Name: "fetch", Tries: "fetch it as readers do and compare digests", Needs: "put", Timeout: storageTimeout, Run: p.fetch},
		{Name: "delete", Tries: "delete it again, where allowed", Needs: "put", Timeout: storageTimeout, Run: p.remove},
		{Name: "url", Tries: "say which URL a picture would get", Run: p.url},
	}}
}

// shortKey is the key without most of its random part: a line for people.
func (p *pictures) shortKey() string {
	return string(p.key)[:strings.IndexByte(string(p.key), '-')] + "-….txt"
}

func (p *pictures) where() string {
	switch {
	case !p.S3:
		return p.Name
	case p.Endpoint != "":
		return p.Endpoint
	default:
		return "Amazon S3 in " + p.Region
	}
}

// client asks whether the server can be reached and knows the credentials. An
// answer that is about the bucket or a right is an answer to somebody known.
func (p *pictures) client(ctx context.Context) Outcome {
	if !p.S3 {
		return ok("AWS_S3_BUCKET is not set: pictures stay in %s", p.Name)
	}
	p.answer = p.Bucket.Check(ctx)
	switch e := blob.AsError(p.answer); {
	case e == nil:
		return ok("the server answers and knows the credentials")
	case e.Code == blob.CodeAccessDenied, e.Code == blob.CodeNoSuchBucket, e.Code == blob.CodeWrongRegion,
		e.Code == blob.CodeNotSupported, e.Code == blob.CodeFull:
		return ok("the server answers and knows the credentials (it says %s)", e.Code)
	default:
		return broken(p.advice(e.Code), "%s", e.Message)
	}
}

func (p *pictures) bucket(ctx context.Context) Outcome {
	if p.Bucket == nil {
		return skipped("%s is not there yet: the first start makes it", p.Name)
	}
	if !p.S3 {
		p.answer = p.Bucket.Check(ctx)
	}
	switch e := blob.AsError(p.answer); {
	case e == nil:
		return ok("it is there and takes files")
	case e.Code == blob.CodeAccessDenied:
		// Without the right to list, S3 says this of buckets that do not exist.
		return broken(p.advice(e.Code), "%s; or there is no such bucket, which it would not tell", e.Message)
	default:
		return broken(p.advice(e.Code), "%s", e.Message)
	}
}

func (p *pictures) sum() string {
	sum := sha256.Sum256([]byte(p.body))
	return hex.EncodeToString(sum[:])
}

func (p *pictures) put(ctx context.Context) Outcome {
	err := p.Bucket.Put(ctx, blob.Object{
		Key: p.key, Body: strings.NewReader(p.body), Size: int64(len(p.body)), SHA256: p.sum(),
		TaskID: "doctor", GeneratedAt: time.Now(),
	})
	if e := blob.AsError(err); e != nil {
		return broken(p.advice(e.Code), "%s", e.Message)
	}
	return ok("%d bytes, with cache header, metadata and checksum, as a picture is put", len(p.body))
}

func (p *pictures) fetch(ctx context.Context) Outcome {
	err := p.Delivery.Verify(ctx, string(p.key), p.sum(), int64(len(p.body)))
	if err == nil {
		return ok("the same bytes came back")
	}
	said := err.Error()
	var e *cdn.Error
	if errors.As(err, &e) {
		said = e.Message
	}
	if !p.S3 {
		return broken("ls -l "+p.Name, "%s", said)
	}
	return broken("curl -i "+p.Delivery.URL(string(p.key)), "%s", said)
}

func (p *pictures) remove(ctx context.Context) Outcome {
	err := p.Bucket.Delete(ctx, p.key)
	e := blob.AsError(err)
	switch {
	case e == nil:
		return ok("it is gone")
	case e.Code == blob.CodeAccessDenied:
		return ok("not allowed, as least privilege has it: %s stays, %d bytes; only the reaper needs s3:DeleteObject", p.key, len(p.body))
	default:
		return warning("delete "+string(p.key)+" by hand", "%s", e.Message)
	}
}

// url needs no other check: it is what will stand in the posts.
func (p *pictures) url(context.Context) Outcome {
	const example = "generated/1702851234-0197f3a0-0000-4000-8000-000000000000.png"
	full := p.Delivery.URL(example)
	u, err := url.Parse(full)
	switch {
	case err != nil:
		return broken("correct PUBLIC_BASE_URL", "%s is no URL", full)
	case u.Host == "":
		return Outcome{OK, full, "the path alone works for front ends on the API's host; set PUBLIC_BASE_URL for any other"}
	case u.Scheme == "http" && u.Hostname() != "localhost" && !strings.HasPrefix(u.Hostname(), "127."):
		return warning("set PUBLIC_BASE_URL to its https:// form", "%s: pages served by https will not show it", full)
	default:
		return Outcome{OK, full, "allow the host " + u.Host + " in the site's next.config.js, under images.remotePatterns"}
	}
}

// advice is what to type after an answer of the bucket.
func (p *pictures) advice(code string) string {
	aws := "aws"
	if p.Endpoint != "" {
		aws += " --endpoint-url " + p.Endpoint
	}
	host := cmp.Or(p.Endpoint, "https://s3."+p.Region+".amazonaws.com")
	switch code {
	case blob.CodeAccessDenied:
		return fmt.Sprintf("allow s3:PutObject on arn:aws:s3:::%s/generated/* to these credentials", p.Name[strings.LastIndexByte(p.Name, '/')+1:])
	case blob.CodeNoCredentials, blob.CodeBadCredentials:
		return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a pair that belongs together, or AWS_PROFILE"
	case blob.CodeNoSuchBucket:
		return aws + " s3 mb " + p.Name + ", or correct AWS_S3_BUCKET"
	case blob.CodeWrongRegion:
		return aws + " s3api get-bucket-location --bucket " + strings.TrimPrefix(p.Name, "s3://") + ", and set AWS_S3_REGION to what it says"
	case blob.CodeClockSkew:
		return "timedatectl set-ntp true"
	case blob.CodeTLS, blob.CodeUnreachable, blob.CodeTimeout:
		return "curl -i " + host
	case blob.CodeReadOnly:
		return "ls -ld " + p.Name + ", and chown it to the user that the service runs as"
	case blob.CodeFull:
		if !p.S3 {
			return "df -h " + p.Name
		}
		return "make room in the store or raise the bucket's quota"
	default:
		return "try again; if it stays, look into the log of " + p.where()
	}
}
