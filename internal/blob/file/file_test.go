package file_test

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/blob/blobtest"
	"github.com/glad-labs/frontispiece/internal/blob/file"
)

func open(t testing.TB, dir string) *file.Bucket {
	t.Helper()
	b, err := file.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// get asks the handler as a browser would, without cleaning the path first.
func get(t testing.TB, b *file.Bucket, method, rawPath string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, "/", nil)
	u, err := r.URL.Parse("http://example.com" + rawPath)
	if err != nil {
		t.Skip("not a URL that a server would accept")
	}
	r.URL = u
	for k, v := range header {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestBucket(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(t *testing.T) blobtest.Harness {
		b := open(t, t.TempDir())
		return blobtest.Harness{
			Bucket: b,
			Fetch: func(t testing.TB, key blob.Key) (blobtest.Stored, bool) {
				resp := get(t, b, "GET", "/images/"+string(key), nil)
				return blobtest.Stored{
					Body: []byte(body(t, resp)), ContentType: resp.Header.Get("Content-Type"),
					CacheControl: resp.Header.Get("Cache-Control"),
				}, resp.StatusCode == http.StatusOK
			},
		}
	})
}

func TestPutLeavesNothingButTheObject(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := open(t, dir)
	good := blobtest.NewObject(t, []byte("good"))
	bad := blobtest.NewObject(t, []byte("bad"))
	bad.Body = strings.NewReader("not what was promised")
	if err := b.Put(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), bad); err == nil {
		t.Fatal("damaged bytes were accepted")
	}
	if err := b.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); len(got) != 1 || got[0] != string(good.Key) {
		t.Errorf("files = %v, want only %s", got, good.Key)
	}
}

func TestOpenRemovesOnlyWhatIsStale(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, age := range map[string]time.Duration{".part-old": 25 * time.Hour, ".part-new": time.Minute, "notes.txt": 99 * time.Hour} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir)
	if got := strings.Join(files(t, dir), " "); got != ".part-new notes.txt" {
		t.Errorf("files = %s, want .part-new notes.txt", got)
	}
}

func files(t testing.TB, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, rerr := filepath.Rel(dir, path)
			names, err = append(names, rel), rerr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestSymlinkOutOfTheRootIsNotFollowed(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	b := open(t, dir)
	if err := os.Symlink(outside, filepath.Join(dir, "generated")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	o := blobtest.NewObject(t, []byte("escaped"))
	if err := b.Put(t.Context(), o); err == nil {
		t.Error("Put through a symbolic link out of the root = nil")
	}
	if err := os.WriteFile(filepath.Join(outside, filepath.Base(string(o.Key))), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	if resp := get(t, b, "GET", "/images/"+string(o.Key), nil); resp.StatusCode == http.StatusOK {
		t.Errorf("served %q from outside the root", body(t, resp))
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	notADir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notADir, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := file.Open(notADir)
	var e *blob.Error
	if !errors.As(err, &e) || !strings.Contains(e.Message, notADir) {
		t.Errorf("Open(a file) = %v, want an error that names %s", err, notADir)
	}
}
