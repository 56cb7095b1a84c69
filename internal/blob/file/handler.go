package file

import (
	"errors"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/glad-labs/frontispiece/internal/blob"
)

// Prefix is the path under which [Bucket.Handler] serves keys.
const Prefix = "/images/"

// Handler serves GET and HEAD of "/images/<key>", with ranges and conditions,
// to anybody: a picture is unlisted before its approval, not private.
func (b *Bucket) Handler() http.Handler { return http.HandlerFunc(b.serve) }

func (b *Bucket) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	// The path as it came: no key holds an escape, so "..%2f" and its kin are
	// unknown keys like any other instead of something to decode and clean.
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), Prefix)
	key, err := blob.ParseKey(rest)
	if !ok || err != nil {
		refuse(w, http.StatusNotFound)
		return
	}
	f, err := b.root.Open(string(key))
	if err != nil {
		refuse(w, statusOf(err))
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		refuse(w, http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", key.ContentType())
	h.Set("Cache-Control", blob.CacheControl)
	h.Set("X-Content-Type-Options", "nosniff")
	// A key never serves two pictures, so its last part identifies the bytes as
	// well as a digest would, and costs no read.
	h.Set("ETag", `"`+path.Base(string(key))+`"`)
	http.ServeContent(w, r, "", info.ModTime(), f)
}

// refuse answers without a body worth caching: the same key may be there in a
// moment, and a cached 404 would hide it.
func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, http.StatusText(status), status)
}

func statusOf(err error) int {
	if errors.Is(err, fs.ErrNotExist) {
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}
