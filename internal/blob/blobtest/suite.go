// Package blobtest is what every bucket must pass, and a real S3 server to run
// it against.
//
// It is imported by tests only. The trap: a suite that asks the bucket itself
// what it holds would believe a bucket that forgets; so a [Harness] reads the
// objects back by another way.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Stored is an object as readers get it.
type Stored struct {
	Body         []byte
	ContentType  string
	CacheControl string
}

// Harness is a bucket under test with a way to look behind it.
type Harness struct {
	Bucket blob.Bucket
	// Fetch reads an object without the bucket's help; found is false when
	// there is none.
	Fetch func(t testing.TB, key blob.Key) (got Stored, found bool)
	// Blind says that the bucket may not read, and so calls a taken key success.
	Blind bool
}

// Run runs the suite; open makes a fresh, empty bucket for each test.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	tests := []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"a put object is served with type and cache header", testServed},
		{"the same object put twice is success", testTwice},
		{"other bytes never replace what a key holds", testTaken},
		{"concurrent puts of one key leave one whole object", testConcurrent},
		{"bytes without the recorded digest are refused", testDigest},
		{"a body that was half read is put whole", testRewind},
		{"an empty and a large object", testSizes},
		{"odd draft ids do not cost the upload", testTaskIDs},
		{"delete removes, and twice is success", testDelete},
		{"a malformed object is our bug, and terminal", testMalformed},
		{"check works again and again and leaves only the canary", testCheck},
		{"a canceled call says so and stores nothing", testCanceled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

// NewObject is an object with a key of its own.
func NewObject(t testing.TB, body []byte) blob.Object {
	t.Helper()
	key, err := blob.NewKey(time.Unix(1_702_851_234, 0), uuid.NewString(), "png")
	if err != nil {
		t.Fatal(err)
	}
	return withBody(blob.Object{Key: key, TaskID: "draft-1", GeneratedAt: time.Unix(1_702_851_234, 0)}, body)
}

func withBody(o blob.Object, body []byte) blob.Object {
	sum := sha256.Sum256(body)
	o.Body, o.Size, o.SHA256 = bytes.NewReader(body), int64(len(body)), hex.EncodeToString(sum[:])
	return o
}

func put(t testing.TB, b blob.Bucket, o blob.Object) {
	t.Helper()
	if err := b.Put(t.Context(), o); err != nil {
		t.Fatalf("Put(%s) = %v", o.Key, err)
	}
}

func wantStored(t testing.TB, h Harness, key blob.Key, want []byte) {
	t.Helper()
	got, found := h.Fetch(t, key)
	if !found || !bytes.Equal(got.Body, want) {
		t.Errorf("stored under %s: found %v, %d bytes, want %d bytes", key, found, len(got.Body), len(want))
	}
}

// WantError fails unless err is a [blob.Error] of that code and class.
func WantError(t testing.TB, err error, code string, class editorial.Class) {
	t.Helper()
	var e *blob.Error
	if !errors.As(err, &e) {
		t.Fatalf("error = %v (%T), want a *blob.Error with code %s", err, err, code)
	}
	if e.Code != code || e.Class != class {
		t.Errorf("error = %s (%s): %s; want %s (%s)", e.Code, e.Class, e.Message, code, class)
	}
	if strings.TrimSpace(e.Message) == "" {
		t.Errorf("error %s says nothing", e.Code)
	}
}

func testServed(t *testing.T, h Harness) {
	body := []byte("a picture")
	o := NewObject(t, body)
	put(t, h.Bucket, o)
	got, _ := h.Fetch(t, o.Key)
	want := Stored{Body: body, ContentType: "image/png", CacheControl: "public, max-age=31536000, immutable"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("served object (-want +got):\n%s", diff)
	}
}

func testTwice(t *testing.T, h Harness) {
	o := NewObject(t, []byte("once"))
	put(t, h.Bucket, o)
	put(t, h.Bucket, o)
	wantStored(t, h, o.Key, []byte("once"))
}

func testTaken(t *testing.T, h Harness) {
	o := NewObject(t, []byte("first"))
	put(t, h.Bucket, o)
	err := h.Bucket.Put(t.Context(), withBody(o, []byte("other")))
	switch {
	case h.Blind && err != nil:
		t.Errorf("Put of a taken key = %v, want nil: it cannot be told from our own", err)
	case !h.Blind:
		WantError(t, err, blob.CodeKeyTaken, editorial.Terminal)
	}
	wantStored(t, h, o.Key, []byte("first"))
}

func testConcurrent(t *testing.T, h Harness) {
	body := bytes.Repeat([]byte("pixels "), 40_000)
	o := NewObject(t, body)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			err := h.Bucket.Put(t.Context(), withBody(o, body))
			// A store may ask the loser of a race to come again.
			if e := blob.AsError(err); e != nil && e.Code != blob.CodeConflict {
				t.Errorf("Put = %v", err)
			}
		})
	}
	wg.Wait()
	wantStored(t, h, o.Key, body)
}

func testDigest(t *testing.T, h Harness) {
	o := NewObject(t, []byte("what the row knows"))
	o.Body = strings.NewReader("what the disk says")
	WantError(t, h.Bucket.Put(t.Context(), o), blob.CodeBadDigest, editorial.Transient)
	if _, found := h.Fetch(t, o.Key); found {
		t.Error("damaged bytes were stored")
	}
}

func testRewind(t *testing.T, h Harness) {
	o := NewObject(t, []byte("from the start"))
	if _, err := o.Body.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	put(t, h.Bucket, o)
	wantStored(t, h, o.Key, []byte("from the start"))
}

func testSizes(t *testing.T, h Harness) {
	// Above 2 MiB the SDK asks before it sends.
	for _, body := range [][]byte{{}, bytes.Repeat([]byte{0x89, 0, 0xff}, 3<<20)} {
		o := NewObject(t, body)
		put(t, h.Bucket, o)
		wantStored(t, h, o.Key, body)
	}
}

func testTaskIDs(t *testing.T, h Harness) {
	for _, id := range []string{"", " ", "a\r\nX-Evil: 1", "Entwürfe/1", strings.Repeat("x", 5000)} {
		o := NewObject(t, []byte("body"))
		o.TaskID = id
		put(t, h.Bucket, o)
		wantStored(t, h, o.Key, []byte("body"))
	}
}

func testDelete(t *testing.T, h Harness) {
	o := NewObject(t, []byte("going"))
	put(t, h.Bucket, o)
	for range 2 {
		if err := h.Bucket.Delete(t.Context(), o.Key); err != nil {
			t.Fatalf("Delete = %v", err)
		}
	}
	if _, found := h.Fetch(t, o.Key); found {
		t.Error("the object is still there")
	}
	WantError(t, h.Bucket.Delete(t.Context(), "../etc/passwd"), blob.CodeBadObject, editorial.Terminal)
}

func testMalformed(t *testing.T, h Harness) {
	good := NewObject(t, []byte("body"))
	for name, spoil := range map[string]func(*blob.Object){
		"key outside":  func(o *blob.Object) { o.Key = "generated/../../etc/passwd" },
		"empty key":    func(o *blob.Object) { o.Key = "" },
		"no digest":    func(o *blob.Object) { o.SHA256 = "" },
		"upper digest": func(o *blob.Object) { o.SHA256 = strings.ToUpper(o.SHA256[:63] + "A") },
		"no body":      func(o *blob.Object) { o.Body = nil },
	} {
		o := good
		spoil(&o)
		err := h.Bucket.Put(t.Context(), o)
		t.Log(name, err)
		WantError(t, err, blob.CodeBadObject, editorial.Terminal)
	}
}

func testCheck(t *testing.T, h Harness) {
	for range 2 {
		if err := h.Bucket.Check(t.Context()); err != nil {
			t.Fatalf("Check = %v", err)
		}
	}
	o := NewObject(t, []byte("after"))
	put(t, h.Bucket, o)
	wantStored(t, h, o.Key, []byte("after"))
}

func testCanceled(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := NewObject(t, []byte("never"))
	WantError(t, h.Bucket.Put(ctx, o), blob.CodeCanceled, editorial.Canceled)
	if _, found := h.Fetch(t, o.Key); found {
		t.Error("a canceled put stored its object")
	}
}
