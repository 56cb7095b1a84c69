package store_test

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/store/storetest"
)

const manyPictures = 100_000

// fillPictures makes so many stored pictures of one job, with random hashes.
func fillPictures(tb testing.TB, s *store.Store, n int) {
	tb.Helper()
	const into = `INSERT INTO images (id, job_id, number, state, next_attempt_at, seed, hash, url, created_at, updated_at) `
	job, now := "0193e1f0-0000-7000-8000-000000000001", "'2026-01-01T00:00:00.000Z'"
	fill := fmt.Sprintf(into+`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		SELECT printf('0193e1f0-0000-7000-9000-%%012x', i), '%s', i, 'stored', %s, i, lower(hex(randomblob(8))), 'https://cdn.test/x', %s, %s FROM n`, n, job, now, now, now)
	if s.Dialect() == "postgres" {
		fill = fmt.Sprintf(into+`SELECT gen_random_uuid(), '%s', i, 'stored', %s, i, substr(md5(random()::text), 1, 16), 'https://cdn.test/x', %s, %s
			FROM generate_series(1, %d) AS i`, job, now, now, now, n)
	}
	for _, statement := range []string{
		fmt.Sprintf(`INSERT INTO image_jobs (id, kind, request, created_by, created_at, updated_at)
			VALUES ('%s', 'generate', '{"prompt":"a lighthouse"}', 'bench', %s, %s)`, job, now, now),
		fill, `ANALYZE`,
	} {
		if _, err := s.DB().ExecContext(tb.Context(), statement); err != nil {
			tb.Fatal(err)
		}
	}
}

// BenchmarkLookalikes is one look-up among 100,000 pictures. BenchmarkLookAtAll
// is what it is instead of: every hash read, and compared here.
func BenchmarkLookalikes(b *testing.B) {
	onBoth(b, func(b *testing.B, s *store.Store) {
		for i := 0; b.Loop(); i++ {
			one := editorial.Image{ID: newID(), JobID: newID(), Hash: fmt.Sprintf("%016x", uint64(i)*0x9e3779b97f4a7c15)}
			if _, err := s.Lookalikes(b.Context(), one, 3); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkLookAtAll(b *testing.B) {
	onBoth(b, func(b *testing.B, s *store.Store) {
		for b.Loop() {
			rows, err := s.DB().QueryContext(b.Context(), `SELECT id, hash FROM images WHERE state = 'stored' AND hash <> ''`)
			if err != nil {
				b.Fatal(err)
			}
			near := 0
			for rows.Next() {
				var id, hash string
				if err := rows.Scan(&id, &hash); err != nil {
					b.Fatal(err)
				}
				if n, err := strconv.ParseUint(hash, 16, 64); err == nil && bits.OnesCount64(n^0x9d3c61f04b8e27a5) <= editorial.NearDuplicate {
					near++
				}
			}
			if err := rows.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func onBoth(b *testing.B, measure func(b *testing.B, s *store.Store)) {
	for name, open := range map[string]func(testing.TB) *store.Store{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		b.Run(name, func(b *testing.B) {
			s := open(b)
			fillPictures(b, s, manyPictures)
			measure(b, s)
		})
	}
}

// A look-up enters each quarter's index; a database that reads the whole table
// instead would do so at every picture that is stored.
func TestLookalikesAreLookedUp(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		fillPictures(t, b.Store, 3000)
		explain := "EXPLAIN QUERY PLAN "
		if b.Dialect() == "postgres" {
			explain = "EXPLAIN "
		}
		rows, err := b.DB().QueryxContext(t.Context(), b.DB().Rebind(explain+store.LookStatement), store.LookArgs(someHash)...)
		b.must(err)
		defer rows.Close()
		var plan strings.Builder
		for rows.Next() {
			line, err := rows.SliceScan()
			b.must(err)
			fmt.Fprintln(&plan, line...)
		}
		b.must(rows.Err())
		for i := range 4 {
			if index := fmt.Sprintf("images_look_%d", i+1); !strings.Contains(plan.String(), index) {
				t.Errorf("%s is not used:\n%s", index, plan.String())
			}
		}
	})
}
