package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the "pgx" driver
	"github.com/jmoiron/sqlx"
	_ "modernc.org/sqlite" // the "sqlite" driver

	"github.com/glad-labs/frontispiece/internal/blob"
)

// records is everything that the checker judges by.
type records struct {
	accepted []string // ids of the jobs that clients were promised

	jobs   []jobRecord
	images []imageRecord
	events []eventRecord // oldest first
	drafts []draftRecord
	posts  []postRecord

	objects map[string]string            // in the bucket: key -> SHA-256 of the bytes
	puts    map[string][]string          // key -> every SHA-256 that was ever sent under it
	fetch   func(string) (string, error) // a URL as readers use it -> SHA-256
}

type jobRecord struct {
	ID      string
	State   string // empty while it is live
	Failure string // JSON
}

type imageRecord struct {
	ID, State, Key, URL string
	JobID               string `db:"job_id"`
	DraftID             string `db:"draft_id"`
	Round, Number       int
	SpoolID             string `db:"spool_id"`
	RawSHA256           string `db:"raw_sha256"`
	SHA256              string
	Renditions          string // JSON
	Claimed             bool
	Failure             string // JSON
}

type renditionRecord struct{ Key, URL, SHA256 string }

type eventRecord struct {
	ID      int64
	JobID   string `db:"job_id"`
	ImageID string `db:"image_id"`
	Type    string
}

// draftRecord is a row of draft_images.
type draftRecord struct {
	ID, Status     string
	Round          int
	PostID         string `db:"post_id"`
	ApprovedRound  int    `db:"approved_round"`
	ApprovedImage  string `db:"approved_image_id"`
	PublishedRound int    `db:"published_round"`
	PublishedImage string `db:"published_image_id"`
}

// postRecord is a row of posts with nulls as empty texts.
type postRecord struct {
	ID, Slug  string
	Featured  string `db:"featured_image_url"`
	Cover     string `db:"cover_image_url"`
	Author    string `db:"author_id"`
	Category  string `db:"category_id"`
	TagIDs    string `db:"tag_ids"`
	CreatedBy string `db:"created_by"`
	UpdatedBy string `db:"updated_by"`
	Published string `db:"published_at"`
	PostTags  int    `db:"post_tags"`
}

const (
	selectJobs = `SELECT CAST(id AS TEXT) AS id, COALESCE(final_state, '') AS state,
		COALESCE(CAST(failure AS TEXT), '') AS failure FROM image_jobs`
	selectImages = `SELECT CAST(id AS TEXT) AS id, CAST(job_id AS TEXT) AS job_id, COALESCE(draft_id, '') AS draft_id, round, number,
		state, key, url, spool_id, raw_sha256, sha256, COALESCE(CAST(renditions AS TEXT), '[]') AS renditions,
		claim IS NOT NULL AS claimed, COALESCE(CAST(failure AS TEXT), '') AS failure FROM images`
	selectEvents = `SELECT id, CAST(job_id AS TEXT) AS job_id, COALESCE(CAST(image_id AS TEXT), '') AS image_id, type
		FROM job_events ORDER BY id`
	selectDrafts = `SELECT d.draft_id AS id, t.status, d.round, COALESCE(CAST(d.post_id AS TEXT), '') AS post_id, d.approved_round,
		COALESCE(CAST(d.approved_image_id AS TEXT), '') AS approved_image_id, d.published_round,
		COALESCE(CAST(d.published_image_id AS TEXT), '') AS published_image_id
		FROM draft_images d JOIN content_tasks t ON t.task_id = d.draft_id`
	selectPosts = `SELECT CAST(p.id AS TEXT) AS id, slug, COALESCE(featured_image_url, '') AS featured_image_url,
		COALESCE(cover_image_url, '') AS cover_image_url, COALESCE(CAST(author_id AS TEXT), '') AS author_id,
		COALESCE(CAST(category_id AS TEXT), '') AS category_id, COALESCE(CAST(tag_ids AS TEXT), '') AS tag_ids,
		COALESCE(CAST(created_by AS TEXT), '') AS created_by, COALESCE(CAST(updated_by AS TEXT), '') AS updated_by,
		COALESCE(CAST(published_at AS TEXT), '') AS published_at,
		(SELECT COUNT(*) FROM post_tags WHERE post_id = p.id) AS post_tags FROM posts p`
)

// readRows reads our tables and the site's.
func readRows(ctx context.Context, db *sqlx.DB) (r records, err error) {
	for _, table := range []struct {
		into  any
		query string
	}{
		{&r.jobs, selectJobs},
		{&r.images, selectImages},
		{&r.events, selectEvents},
		{&r.drafts, selectDrafts},
		{&r.posts, selectPosts},
	} {
		if err := db.SelectContext(ctx, table.into, table.query); err != nil {
			return r, fmt.Errorf("read the rows: %w", err)
		}
	}
	return r, nil
}

// openDB opens a database beside the program that uses it.
func openDB(t testing.TB, url string) *sqlx.DB {
	t.Helper()
	driver := "pgx"
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, url = "sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(5000)"
	}
	db, err := sqlx.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxIdleConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

// readObjects digests every picture below dir, a bucket as a folder. The canary
// is none.
func readObjects(dir string) (map[string]string, error) {
	objects := make(map[string]string)
	err := filepath.WalkDir(filepath.Join(dir, "generated"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == filepath.Base(string(blob.Canary)) {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		key, err := filepath.Rel(dir, path)
		objects[filepath.ToSlash(key)] = digestOf(b)
		return err
	})
	if os.IsNotExist(err) {
		err = nil // nothing was stored yet
	}
	return objects, err
}

// files are all objects of a picture, the original first.
func (i imageRecord) files() []renditionRecord {
	list := []renditionRecord{{i.Key, i.URL, i.SHA256}}
	var renditions []renditionRecord
	_ = json.Unmarshal([]byte(i.Renditions), &renditions) // an unreadable one is missed in the bucket
	return append(list, renditions...)
}

// eventsOf lists what happened to an image, oldest first.
func (r *records) eventsOf(imageID string) (types []string) {
	for _, e := range r.events {
		if e.ImageID == imageID {
			types = append(types, e.Type)
		}
	}
	return types
}
