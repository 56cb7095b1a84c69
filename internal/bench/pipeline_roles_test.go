package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/glad-labs/frontispiece/internal/blob/s3"
	"github.com/glad-labs/frontispiece/internal/cdn"
	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/events"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/picture"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/spool"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/worker"
	"github.com/glad-labs/frontispiece/tasks"
)

// constant is a generator that takes no time.
type constant struct{ bytes []byte }

func (constant) Name() string                 { return "constant" }
func (constant) Health(context.Context) error { return nil }
func (g constant) Generate(_ context.Context, req imagegen.Request) (imagegen.Result, error) {
	return imagegen.Result{Bytes: g.bytes, Seed: req.Seed}, nil
}

// counted tells when the last picture was stored.
type counted struct {
	*dispatch.Dispatch
	left atomic.Int64
	last chan struct{}
}

func (c *counted) Stored(ctx context.Context, img editorial.Image) error {
	err := c.Dispatch.Stored(ctx, img)
	if err == nil && c.left.Add(-1) == 0 {
		close(c.last)
	}
	return err
}

// line is the work at hand, from the environment.
func lineOf() (file []byte, jobs int, cfg config.Config, err error) {
	if cfg, err = config.Load(os.Environ()); err != nil {
		return nil, 0, cfg, err
	}
	if jobs, err = strconv.Atoi(os.Getenv("BENCH_JOBS")); err != nil {
		return nil, 0, cfg, err
	}
	file, err = os.ReadFile(os.Getenv("BENCH_PICTURE"))
	return file, jobs, cfg, err
}

// ourPipeline is cmd/worker with the constant generator: the same parts, put
// together in the same way.
func ourPipeline(ctx context.Context) error {
	file, jobs, cfg, err := lineOf()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	db, err := store.Open(ctx, cfg.DatabaseURL.Reveal(), store.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.Detect(ctx); err != nil {
		return err
	}
	q, err := queue.Open(cfg.RedisURL.Reveal(), nil)
	if err != nil {
		return err
	}
	defer q.Close()
	disk, err := spool.Open(cfg.SpoolDir, int64(cfg.SpoolQuota))
	if err != nil {
		return err
	}
	public, err := cdn.New(cdn.Config{PublicBaseURL: cfg.PublicBaseURL.Reveal(), Bucket: cfg.S3Bucket, Endpoint: cfg.S3Endpoint.Reveal()})
	if err != nil {
		return err
	}
	chain := imagegen.NewChain(nil, constant{file})
	rows := &counted{last: make(chan struct{}), Dispatch: dispatch.New(dispatch.Config{
		Store: db, Ringer: q, Notifier: events.NewHub(q.Redis(), log), Capabilities: chain, Links: public, Log: log,
	})}
	rows.left.Store(int64(jobs))
	w := worker.New(worker.Config{
		GenerateRows: rows, UploadRows: rows, Outcomes: rows, Claims: rows, Chain: chain, Spool: disk, SpoolID: disk.ID(),
		Bucket: s3.New(s3.Config{
			Bucket: cfg.S3Bucket, Region: cfg.S3Region, Endpoint: cfg.S3Endpoint.Reveal(),
			AccessKeyID: cfg.AWSAccessKeyID, SecretAccessKey: cfg.AWSSecretAccessKey.Reveal(),
		}),
		Delivery: public, Log: log, Lease: time.Minute, GenerateTimeout: time.Minute, GenerateAttempts: 4,
		UploadTimeout: time.Minute, UploadFor: time.Hour, MaxWait: time.Minute, Renditions: cfg.Renditions, Decoders: 2,
	})
	go w.Run(ctx, nil)
	go reconcile(ctx, rows, log)
	return workOff(q, w, disk.ID(), log, rows.last)
}

// reconcile does what a worker does every 15 s: a task that a busy Redis did not
// take in time would keep the whole figure waiting.
func reconcile(ctx context.Context, rows *counted, log *slog.Logger) {
	ticker := time.NewTicker(15 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if _, err := rows.Reconcile(ctx); err != nil {
				log.Warn("reconcile", "error", err)
			}
		}
	}
}

// workOff starts both servers and answers how long they took for everything.
func workOff(q *queue.Queue, w *worker.Worker, spoolID string, log *slog.Logger, last <-chan struct{}) error {
	begun := time.Now()
	for _, c := range []queue.ServerConfig{
		{Queues: map[string]int{tasks.QueueGenerate: 1}, Handlers: map[string]queue.HandlerFunc{tasks.TypeGenerate: w.Generate}},
		{Queues: map[string]int{tasks.UploadQueue(spoolID): 1}, Handlers: map[string]queue.HandlerFunc{tasks.TypeUpload: w.Upload}},
	} {
		c.Concurrency, c.Log = atOnce, log
		server, err := q.Start(c)
		if err != nil {
			return err
		}
		defer server.Shutdown()
	}
	<-last
	return say(begun)
}

func say(begun time.Time) error {
	took := time.Since(begun).Seconds()
	peak, err := memoryOf(os.Getpid(), "VmHWM")
	if err != nil {
		return err
	}
	return answer(timed{Seconds: took, PeakMiB: peak})
}

// floorPipeline is the loop: at the same concurrency PUT, GET and three
// UPDATEs. BENCH_WORK adds to it: "judge" one decoding, "renditions" all that
// ours does with pixels.
func floorPipeline(ctx context.Context) error {
	file, jobs, cfg, err := lineOf()
	if err != nil {
		return err
	}
	db, err := floorDB()
	if err != nil {
		return err
	}
	defer db.Close()
	l := &loop{file: file, cfg: cfg, work: os.Getenv("BENCH_WORK"), decoders: make(chan struct{}, 2)}
	client := newS3(cfg.S3Endpoint.Reveal(), cfg.S3Region, cfg.AWSAccessKeyID, cfg.AWSSecretAccessKey.Reveal())
	readers := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atOnce}}
	begun := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range jobs {
		group.Go(func() error {
			objects, err := l.objects()
			if err != nil {
				return err
			}
			if _, err := db.ExecContext(ctx, `UPDATE floor_images SET state = 'uploading', digest = $1 WHERE id = $2`, uuid.NewString(), i+1); err != nil {
				return err
			}
			for _, o := range objects {
				key := "floor/" + uuid.NewString() + "." + o.Ext
				if err := put(ctx, client, cfg.S3Bucket, key, o.ContentType, o.Bytes); err != nil {
					return err
				}
				if err := fetch(ctx, readers, cfg.PublicBaseURL.Reveal()+key, len(o.Bytes)); err != nil {
					return err
				}
			}
			if _, err := db.ExecContext(ctx, `UPDATE floor_images SET state = 'stored', url = $1 WHERE id = $2`, uuid.NewString(), i+1); err != nil {
				return err
			}
			_, err = db.ExecContext(ctx, `UPDATE floor_images SET state = 'published' WHERE id = $1`, i+1)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return say(begun)
}

// loop makes what the floor puts.
type loop struct {
	file     []byte
	cfg      config.Config
	work     string
	decoders chan struct{}
}

func (l *loop) objects() ([]picture.Encoded, error) {
	original := picture.Encoded{Bytes: l.file, ContentType: "image/png", Ext: "png"}
	if l.work == "put" {
		return []picture.Encoded{original}, nil
	}
	l.decoders <- struct{}{}
	defer func() { <-l.decoders }()
	facts, err := picture.Judge(l.file, picture.Limits{})
	if err != nil || l.work == "judge" {
		return []picture.Encoded{original}, err
	}
	prov := picture.Provenance{Tool: "floor", SourceType: picture.SourceGenerated}
	if original, err = picture.Finish(l.file, prov); err != nil {
		return nil, err
	}
	picture.Placeholder(facts.Pixels)
	copies, err := picture.Renditions(facts.Pixels, l.cfg.Renditions, prov)
	return append([]picture.Encoded{original}, copies...), err
}

func fetch(ctx context.Context, client *http.Client, url string, size int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && n != int64(size) {
		err = fmt.Errorf("%s: %s, %d bytes of %d", url, resp.Status, n, size)
	}
	return err
}
