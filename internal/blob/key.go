package blob

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Key names an object: "generated/<unix seconds>-<uuid>.<ext>" for an original,
// and that followed by "-<width>.<ext>" for a rendition of it. A Key from
// [NewKey] or [ParseKey] needs no escaping in a URL and no cleaning as a path.
type Key string

// Canary is the object by which [Bucket.Check] tries a bucket. It lies under
// generated/, since an uploader may have no right to write elsewhere.
const Canary Key = "generated/0-00000000-0000-0000-0000-000000000000.txt"

const uuidForm = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`

var keyForm = regexp.MustCompile(
	`^(generated/(?:0|[1-9][0-9]{0,11})-` + uuidForm + `\.(png|jpg|webp|gif|avif|txt))` +
		`(?:-([1-9][0-9]{0,4})\.(webp|jpg))?$`)

var contentTypes = map[string]string{
	"png":  "image/png",
	"jpg":  "image/jpeg",
	"webp": "image/webp",
	"gif":  "image/gif",
	"avif": "image/avif",
	"txt":  "text/plain; charset=utf-8",
}

// NewKey makes an original's key. id is a lower-case UUID; it is what keeps a
// picture unlisted before its approval, so it must be random. ext has no dot:
// png, jpg, webp, gif, avif or txt.
func NewKey(at time.Time, id, ext string) (Key, error) {
	k, err := ParseKey("generated/" + strconv.FormatInt(at.Unix(), 10) + "-" + id + "." + ext)
	if err == nil && k.Original() != k {
		return "", fmt.Errorf("make key: %.20q is not an extension", ext)
	}
	return k, err
}

// ParseKey reads a key and refuses whatever [NewKey] and [Key.Rendition] would
// not have made, so that nothing a client sent becomes a path.
func ParseKey(s string) (Key, error) {
	if !keyForm.MatchString(s) {
		return "", fmt.Errorf("parse key %.120q: want generated/<unix seconds>-<uuid>.<ext>", s)
	}
	return Key(s), nil
}

// Rendition is the key of a smaller copy, width pixels wide, as webp or jpg.
// A rendition has no renditions of its own: it answers with its original's.
func (k Key) Rendition(width int, ext string) (Key, error) {
	return ParseKey(string(k.Original()) + "-" + strconv.Itoa(width) + "." + ext)
}

// Original is the key that a rendition was derived from, and an original's own.
func (k Key) Original() Key {
	if m := keyForm.FindStringSubmatch(string(k)); m != nil {
		return Key(m[1])
	}
	return k
}

// ContentType is the media type that the key's extension stands for.
func (k Key) ContentType() string {
	m := keyForm.FindStringSubmatch(string(k))
	if m == nil {
		return "application/octet-stream"
	}
	if m[4] != "" {
		return contentTypes[m[4]]
	}
	return contentTypes[m[2]]
}
