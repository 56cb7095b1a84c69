package bench

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	_ "github.com/jackc/pgx/v5/stdlib" // the "pgx" driver
	"github.com/redis/go-redis/v9"
)

// floorTables is what the floors write to: no more columns than they need.
const floorTables = `
CREATE TABLE floor_jobs (id uuid PRIMARY KEY, request jsonb NOT NULL, state text NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE floor_images (id int PRIMARY KEY, state text NOT NULL, digest text, url text);
INSERT INTO floor_images SELECT n, 'queued' FROM generate_series(1, 10000) n;`

// floorDB is a pool as large as ours.
func floorDB() (*sql.DB, error) {
	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	return db, nil
}

// floor is a bare server: each route does one figure's input and output.
type floor struct {
	db    *sql.DB
	queue *asynq.Client

	mu   sync.Mutex
	told chan struct{} // closed by an event
}

func serveFloor(ctx context.Context) error {
	db, err := floorDB()
	if err != nil {
		return err
	}
	f := &floor{db: db, told: make(chan struct{})}
	if server := os.Getenv("REDIS_URL"); server != "" {
		options, err := redis.ParseURL(server)
		if err != nil {
			return err
		}
		f.queue = asynq.NewClientFromRedisClient(redis.NewClient(options))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /v1/jobs", f.accept)
	mux.HandleFunc("GET /v1/jobs/{id}", f.unchanged)
	mux.HandleFunc("POST /publish/{id}", f.publish)
	mux.HandleFunc("GET /stream", f.stream)
	mux.HandleFunc("POST /tell", f.tell)
	server := &http.Server{Addr: os.Getenv("LISTEN_ADDR"), Handler: mux, ReadHeaderTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ListenAndServe(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func (f *floor) accept(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		fail(w, err)
		return
	}
	id := uuid.NewString()
	_, err = f.db.ExecContext(r.Context(), `INSERT INTO floor_jobs (id, request, state, created_at) VALUES ($1, $2, 'queued', now())`, id, body)
	if err != nil {
		fail(w, err)
		return
	}
	if _, err := f.queue.EnqueueContext(r.Context(), asynq.NewTask("floor", []byte(id)), asynq.TaskID(id)); err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(map[string]string{"id": id})
}

func (f *floor) unchanged(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("ETag", `"constant"`)
	w.WriteHeader(http.StatusNotModified)
}

// publish does what the site's own approval did, statement for statement: load
// the task, mark it approved, look author, category and tags up, insert the
// post, mark the task published. It commits each of its three writes.
func (f *floor) publish(w http.ResponseWriter, r *http.Request) {
	ctx, id := r.Context(), r.PathValue("id")
	var title, content, image string
	err := f.db.QueryRowContext(ctx, `SELECT topic, content, COALESCE(featured_image_url, '') FROM content_tasks WHERE task_id = $1`, id).
		Scan(&title, &content, &image)
	if err != nil {
		fail(w, err)
		return
	}
	var author, category, tag sql.NullString
	post := uuid.NewString()
	steps := []func() error{
		func() error {
			_, err := f.db.ExecContext(ctx, `UPDATE content_tasks SET status = 'approved', approval_status = 'approved', task_metadata = '{"approved_by":"jane"}' WHERE task_id = $1`, id)
			return err
		},
		func() error {
			return none(f.db.QueryRowContext(ctx, `SELECT id FROM authors LIMIT 1`).Scan(&author))
		},
		func() error {
			return none(f.db.QueryRowContext(ctx, `SELECT id FROM categories LIMIT 1`).Scan(&category))
		},
		func() error { return none(f.db.QueryRowContext(ctx, `SELECT id FROM tags LIMIT 1`).Scan(&tag)) },
		func() error {
			_, err := f.db.ExecContext(ctx, `INSERT INTO posts (id, title, slug, content, featured_image_url, cover_image_url, author_id, category_id, status, published_at)
				VALUES ($1, $2, $3, $4, $5, $5, $6, $7, 'published', now())`, post, title, "floor-"+post, content, image, author, category)
			return err
		},
		func() error {
			_, err := f.db.ExecContext(ctx, `UPDATE content_tasks SET status = 'published', published_at = now(), completed_at = now(),
				task_metadata = '{"published_to_db":true}' WHERE task_id = $1`, id)
			return err
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			fail(w, err)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"task_id": id, "post": post})
}

func none(err error) error {
	if err == sql.ErrNoRows { //nolint:errorlint // Scan's own
		return nil
	}
	return err
}

func fail(w http.ResponseWriter, err error) {
	http.Error(w, err.Error(), http.StatusInternalServerError)
}

// idleFloor is one bare asynq server that looks for work every 100 ms.
func idleFloor(ctx context.Context) error {
	options, err := redis.ParseURL(os.Getenv("REDIS_URL"))
	if err != nil {
		return err
	}
	server := asynq.NewServerFromRedisClient(redis.NewClient(options), asynq.Config{
		Concurrency: 16, TaskCheckInterval: 100 * time.Millisecond, LogLevel: asynq.WarnLevel,
	})
	if err := server.Start(asynq.NewServeMux()); err != nil {
		return err
	}
	<-ctx.Done()
	server.Shutdown()
	return nil
}
