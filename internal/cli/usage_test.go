package cli_test

import (
	"encoding/json"
	"testing"

	"github.com/glad-labs/frontispiece/internal/store"
)

// used fills a site with a month's usage.
func used(t *testing.T, environ ...string) *site {
	t.Helper()
	s := migrated(t, environ...)
	price := 0.04
	err := s.store.InTx(t.Context(), func(tx *store.Tx) error {
		for range 250 {
			if err := tx.CountPicture(t.Context(), "openai", &price); err != nil {
				return err
			}
		}
		for range 12 {
			if err := tx.CountPicture(t.Context(), "sdcpp", nil); err != nil {
				return err
			}
		}
		return tx.CountRefused(t.Context(), "openai", &price)
	})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := s.store.TakeRequest(t.Context(), "pexels", 20_000); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, err := s.store.DB().ExecContext(t.Context(), `INSERT INTO image_jobs (id, kind, request, created_by, created_at, updated_at)
		VALUES ('job', 'generate', '{}', 'x', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z')`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.DB().ExecContext(t.Context(), `INSERT INTO images
		(id, job_id, number, state, next_attempt_at, seed, created_at, updated_at, finalized_at, objects, stored_bytes)
		VALUES ('a', 'job', 1, 'stored', '', 1, '', '', '2020-01-31T23:59:59.999Z', 4, 2147483648),
		       ('b', 'job', 2, 'stored', '', 1, '', '', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 4000, 1073741824)`); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestUsage(t *testing.T) {
	t.Parallel()
	s := used(t, "SPEND_CAP=20")
	out := s.mustType("usage --delivery-gb 50 --requests 1000000")
	says(t, out, "openai", "250", "$10.04", "$0.04", "sdcpp", "unknown", "?cost=", "1 request\n", "50% of the cap of $20.00",
		"3.0 GiB in 4,004 objects", "$0.07", "4,000", "$0.02", "1 new picture, 1.0 GiB", "50 GB", "$4.25", "1,000,000", "$1.00", "$5.34", "2025", "flags")
	says(t, s.mustType("usage"), "for each 100 GB", "$8.50", "--delivery-gb")
	says(t, s.mustType("usage --month 1999-12"), "Generated in 1999-12", "nothing")
	var got struct {
		Cost     float64
		Pictures int64
		Cap      float64
		Storage  struct{ Objects, Bytes, Puts int64 }
		Estimate struct{ Storage, Delivery float64 }
	}
	if err := json.Unmarshal([]byte(s.mustType("usage --json --delivery-gb 100 --delivery-price 0.02")), &got); err != nil {
		t.Fatal(err)
	}
	if got.Pictures != 262 || got.Cap != 20 || got.Storage.Objects != 4004 || got.Storage.Bytes != 3<<30 || got.Storage.Puts != 4000 ||
		got.Estimate.Delivery != 2 || got.Estimate.Storage != 3*0.023 {
		t.Errorf("for machines: %+v", got)
	}
}

func TestUsageRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for line, want := range map[string]string{
		"usage --month 2026-13":    "--month",
		"usage --month november":   "2026-11",
		"usage --delivery-gb=-1":   "--delivery-gb",
		"usage --storage-price=-1": "--storage-price",
	} {
		a := s.types(line)
		says(t, a.errors, want)
		if a.code != 2 {
			t.Errorf("%s: exit %d, want 2", line, a.code)
		}
	}
}
