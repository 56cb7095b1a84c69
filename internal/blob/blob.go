// Package blob says what a bucket is: a place that takes an [Object] under a
// [Key] once and serves it for ever. The implementations are blob/s3 and
// blob/file; both pass the suite in blob/blobtest.
//
// It deliberately reads nothing back: an uploader may hold no right but
// s3:PutObject, so the proof that an object is there and is ours is to fetch it
// through its public URL (package cdn). The trap is a key that exists already:
// [Bucket.Put] calls that success, because it is nearly always our own earlier
// put whose answer was lost, and only the fetch-back tells it from a stranger's.
package blob

import (
	"context"
	"io"
	"time"
)

// CacheControl is what every object is served with. It is true because no key
// is ever given to two pictures.
const CacheControl = "public, max-age=31536000, immutable"

// Object is a picture on its way into a bucket.
type Object struct {
	Key  Key
	Body io.ReadSeeker // read from its start, more than once when a try fails
	Size int64         // of Body, bytes
	// SHA256 is the digest of Body in lower-case hex. A bucket refuses bytes
	// that do not have it.
	SHA256 string
	// ContentType is empty for the key's own.
	ContentType string
	TaskID      string    // of the draft; empty for a picture of none
	GeneratedAt time.Time // zero when unknown
}

// MediaType is the object's content type, the key's own unless one was given.
func (o Object) MediaType() string {
	if o.ContentType != "" {
		return o.ContentType
	}
	return o.Key.ContentType()
}

// Validate checks what a caller must fill in, so that a bug of ours is not
// reported as a fault of the store.
func (o Object) Validate() error {
	if _, err := ParseKey(string(o.Key)); err != nil {
		return Terminalf(CodeBadObject, err, "%v", err)
	}
	if !isSHA256(o.SHA256) {
		return Terminalf(CodeBadObject, nil, "object %s has no SHA-256 in lower-case hex", o.Key)
	}
	if o.Body == nil || o.Size < 0 {
		return Terminalf(CodeBadObject, nil, "object %s has no body", o.Key)
	}
	return nil
}

func isSHA256(s string) bool {
	if len(s) != 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Bucket keeps objects. Implementations are safe for concurrent use, and every
// error that they return is an [*Error].
type Bucket interface {
	// Name is "s3" or "local", as image.source says it.
	Name() string
	// Put stores o durably before it returns. Putting the same object again is
	// success. Other bytes under a taken key never replace what is there: a
	// bucket that can read answers with CodeKeyTaken, and one that cannot
	// returns nil, so that the caller's fetch-back finds the difference.
	Put(ctx context.Context, o Object) error
	// Delete removes the object; one that is not there is success.
	Delete(ctx context.Context, key Key) error
	// Check returns nil when a Put would work now. It needs no right that Put
	// does not, and leaves at most the object [Canary] behind.
	Check(ctx context.Context) error
}
