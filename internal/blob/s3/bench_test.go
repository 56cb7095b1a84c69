package s3_test

import (
	"bytes"
	"io"
	"net/http"
	"runtime"
	"sync"
	"testing"

	"github.com/glad-labs/frontispiece/internal/blob/blobtest"
	"github.com/glad-labs/frontispiece/internal/blob/s3"
)

// BenchmarkPut1MiB has its floor beside it: the same bytes, put by net/http.
func BenchmarkPut1MiB(b *testing.B) {
	body := bytes.Repeat([]byte{7}, 1<<20)
	srv := newStore(b, refuse(http.StatusOK, ""))
	b.Run("bucket", func(b *testing.B) {
		bucket := s3.New(srv.config())
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			o := blobtest.NewObject(b, nil)
			o.Body, o.Size = bytes.NewReader(body), int64(len(body))
			if err := bucket.Put(b.Context(), o); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodPut, srv.URL, bytes.NewReader(body))
			if err != nil {
				b.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				b.Fatal(err)
			}
			_ = resp.Body.Close()
		}
	})
}

// TestPutsKeepNoPictureInMemory: 64 uploads in flight read from their files.
func TestPutsKeepNoPictureInMemory(t *testing.T) {
	const inFlight, size = 64, 8 << 20
	arrived := make(chan struct{}, inFlight)
	release := make(chan struct{})
	srv := newStore(t, func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 1)
		_, _ = r.Body.Read(buf)
		arrived <- struct{}{}
		<-release
		refuse(http.StatusOK, "")(w, r)
	})
	bucket := s3.New(srv.config())
	o := blobtest.NewObject(t, make([]byte, size))
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var wg sync.WaitGroup
	for range inFlight {
		wg.Go(func() {
			mine := o
			mine.Body = &zeros{size: size}
			if err := bucket.Put(t.Context(), mine); err != nil {
				t.Errorf("Put = %v", err)
			}
		})
	}
	for range inFlight {
		<-arrived
	}
	runtime.GC()
	runtime.ReadMemStats(&during)
	close(release)
	wg.Wait()
	perPut := (int64(during.HeapAlloc) - int64(before.HeapAlloc)) / inFlight
	t.Logf("%d KiB of heap an upload in flight, the test's server included", perPut>>10)
	if perPut > 1<<20 {
		t.Errorf("%d KiB of heap an upload of %d KiB in flight, want no picture in memory", perPut>>10, size>>10)
	}
}

// zeros stands for a file: it holds nothing.
type zeros struct{ at, size int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.at == z.size {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.size-z.at)
	clear(p[:n])
	z.at += n
	return int(n), nil
}

func (z *zeros) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
		z.at = offset
	case io.SeekCurrent:
		z.at += offset
	case io.SeekEnd:
		z.at = z.size + offset
	}
	return z.at, nil
}
