package desk

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var embedded embed.FS

// files are the stylesheet, the modules and the mark. They lie below one digest
// of them all, so that they may be cached for ever and still find each other by
// relative paths.
type files struct {
	byName map[string][]byte
	base   string // /desk/static/<digest>/
}

func embeddedFiles() *files {
	f := &files{byName: make(map[string][]byte)}
	all := sha256.New()
	err := fs.WalkDir(embedded, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := embedded.ReadFile(name)
		if err != nil {
			return err
		}
		f.byName[strings.TrimPrefix(name, "static/")] = body
		_, _ = fmt.Fprintf(all, "%s %d ", name, len(body))
		_, _ = all.Write(body)
		return nil
	})
	if err != nil {
		panic(fmt.Errorf("read embedded files: %w", err)) // unreachable: they are in the program
	}
	f.base = "/desk/static/" + hex.EncodeToString(all.Sum(nil)[:6]) + "/"
	return f
}

// url is where a file is served.
func (f *files) url(name string) (string, error) {
	if _, ok := f.byName[name]; !ok {
		return "", fmt.Errorf("there is no static file %q", name)
	}
	return f.base + name, nil
}

var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// ServeHTTP serves /desk/static/<digest>/<name>. An older page's digest gets the
// present file, not to be kept.
func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	body, ok := f.byName[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", contentTypes[path.Ext(name)])
	if strings.HasPrefix(r.URL.Path, f.base) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		w.Header().Set("Cache-Control", "no-cache")
	}
	_, _ = w.Write(body) // the client hung up: nobody to tell
}
