package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/glad-labs/frontispiece/internal/blob/blobtest"
	"github.com/glad-labs/frontispiece/internal/dispatch"
)

// atOnce is how many jobs the worker and the loop have in hand.
const atOnce = 16

// timed is what a pipeline says at its end.
type timed struct {
	Seconds float64
	PeakMiB float64
}

// pipeline is one figure's set-up: a site, an S3 server that anybody may read,
// and a picture of about 1 MB.
type pipeline struct {
	m       *machine
	site    *site
	env     []string
	picture string
	jobs    int
}

func (m *machine) pipeline(tb testing.TB, jobs int) *pipeline {
	tb.Helper()
	tb.Setenv("VGW_KEEP_ALIVE", "true") // a connection each request would be the S3 server's figure, not ours
	gw := blobtest.StartGateway(tb)
	letReadersIn(tb, gw)
	s := m.site(tb)
	m.connect(tb, s.databaseURL).MustExec(floorTables)
	p := &pipeline{m: m, site: s, picture: filepath.Join(s.dir, "picture.png"), jobs: jobs}
	if err := os.WriteFile(p.picture, noisyPNG(tb, 1024, 1<<20), 0o600); err != nil {
		tb.Fatal(err)
	}
	p.env = s.env("AWS_S3_BUCKET="+gw.Bucket, "AWS_S3_REGION="+gw.Region, "AWS_ENDPOINT_URL_S3="+gw.Endpoint,
		"AWS_ACCESS_KEY_ID="+gw.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+gw.SecretAccessKey,
		"PUBLIC_BASE_URL="+gw.Endpoint+"/"+gw.Bucket+"/", "BENCH_PICTURE="+p.picture, "BENCH_JOBS="+strconv.Itoa(jobs))
	return p
}

// letReadersIn makes the bucket's objects public, as a CDN's origin would be.
func letReadersIn(tb testing.TB, gw blobtest.Gateway) {
	tb.Helper()
	client := newS3(gw.Endpoint, gw.Region, gw.AccessKeyID, gw.SecretAccessKey)
	_, err := client.PutBucketPolicy(tb.Context(), &sdk.PutBucketPolicyInput{
		Bucket: &gw.Bucket, Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
			"Action":"s3:GetObject","Resource":"arn:aws:s3:::` + gw.Bucket + `/*"}]}`),
	})
	if err != nil {
		tb.Fatal(err)
	}
}

func newS3(endpoint, region, key, secret string) *sdk.Client {
	return sdk.New(sdk.Options{
		BaseEndpoint: &endpoint, Region: region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, ""),
	})
}

// ours fills the queue with jobs of approved drafts and lets the worker at it:
// each ends as a post.
func (p *pipeline) ours(tb testing.TB, renditions string) timed {
	tb.Helper()
	s := p.site
	for _, id := range s.drafts(tb, p.jobs) {
		s.submit(tb, id)
		if _, err := s.Decide(tb.Context(), dispatch.Decision{DraftID: id, Approved: true, Reviewer: "jane"}); err != nil {
			tb.Fatal(err)
		}
	}
	var before, after int
	count := func(n *int) {
		if err := s.store.DB().GetContext(tb.Context(), n, `SELECT COUNT(*) FROM posts`); err != nil {
			tb.Fatal(err)
		}
	}
	count(&before)
	var took timed
	p.m.start(tb, "pipeline", append(slices.Clone(p.env), "RENDITIONS="+renditions)...).finish(tb, &took)
	if count(&after); after-before != p.jobs {
		tb.Fatalf("%d jobs made %d posts", p.jobs, after-before)
	}
	return took
}

func (p *pipeline) floor(tb testing.TB, work string) timed {
	tb.Helper()
	var took timed
	p.m.start(tb, "floor-pipeline", append(slices.Clone(p.env), "BENCH_WORK="+work)...).finish(tb, &took)
	return took
}

func (p *pipeline) rate(t timed) float64 { return float64(p.jobs) / t.Seconds }

func measurePipeline(b *testing.B, m *machine) []figure {
	p := m.pipeline(b, 120)
	ours := func() float64 { return p.rate(p.ours(b, "off")) }
	floor := func(work string) func() float64 { return func() float64 { return p.rate(p.floor(b, work)) } }
	o, f := inTurns(3, ours, floor("put"))
	// What the promise costs that nothing but a whole picture is published: one
	// decoding, which the floor above leaves out.
	o2, f2 := inTurns(2, ours, floor("judge"))
	return []figure{
		{"queued to published, 1 MB PNG, renditions off", "/s", o, f, atLeast(0.8)},
		{"the same, beside a floor that decodes each picture once", "/s", o2, f2, goal{}},
	}
}

func measureRenditions(b *testing.B, m *machine) []figure {
	p := m.pipeline(b, 32)
	var peaks []float64
	o, f := inTurns(3, func() float64 {
		t := p.ours(b, "640,1280,1920")
		peaks = append(peaks, t.PeakMiB)
		return p.rate(t)
	}, func() float64 { return p.rate(p.floor(b, "renditions")) })
	return []figure{
		{"the same, renditions on", "/s", o, f, atLeast(0.9)},
		{"peak memory of the worker, renditions on, 16 at once", "MiB", slices.Max(peaks), 0, atMost(250)},
	}
}

// noisyPNG is a square picture of so many pixels a side whose file has about
// size bytes: noise at the top, as much as that takes, and an even slope below.
func noisyPNG(tb testing.TB, side, size int) []byte {
	tb.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	var file bytes.Buffer
	noisy := size / 3 // pixels whose three bytes do not compress
	img := image.NewNRGBA(image.Rect(0, 0, side, side))
	for i := range side * side {
		px := img.Pix[4*i : 4*i+4]
		px[0], px[1], px[2], px[3] = uint8(i/side/8), uint8(i%side/8), 90, 255
		if i < noisy {
			px[0], px[1], px[2] = uint8(random.Uint32()), uint8(random.Uint32()), uint8(random.Uint32())
		}
	}
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&file, img); err != nil {
		tb.Fatal(err)
	}
	if file.Len() < size*9/10 || file.Len() > size*11/10 {
		tb.Fatalf("the picture has %d bytes, not about %d", file.Len(), size)
	}
	return file.Bytes()
}

// put is the floor's: the SDK's own PutObject, with what ours sends.
func put(ctx context.Context, client *sdk.Client, bucket, key, contentType string, data []byte) error {
	sum := sha256.Sum256(data)
	_, err := client.PutObject(ctx, &sdk.PutObjectInput{
		Bucket: &bucket, Key: &key, Body: bytes.NewReader(data), ContentType: &contentType,
		CacheControl: aws.String("public, max-age=31536000, immutable"), IfNoneMatch: aws.String("*"),
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	})
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	return nil
}
