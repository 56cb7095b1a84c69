-- What repairs leave behind: every change of a backfill with the row as it was,
-- so that it can be undone, and which pictures were taken away.

-- +goose Up
CREATE TABLE backfill_runs (
  id          TEXT PRIMARY KEY,
  started_by  TEXT NOT NULL,
  generate    INTEGER NOT NULL,      -- whether generators may be asked, and paid
  state       TEXT NOT NULL,         -- running, done, undone
  created_at  TEXT NOT NULL,
  updated_at  TEXT NOT NULL
);

CREATE TABLE backfill_changes (
  id         TEXT PRIMARY KEY,
  run_id     TEXT NOT NULL REFERENCES backfill_runs (id) ON DELETE CASCADE,
  post_id    TEXT NOT NULL,          -- no foreign key: the site deletes its posts
  state      TEXT NOT NULL,          -- waiting, applied, kept, undone
  job_id     TEXT,                   -- whose picture it waits for
  findings   TEXT NOT NULL,
  was        TEXT,                  -- the columns that were changed, before
  became     TEXT,                  -- and after
  note       TEXT NOT NULL DEFAULT '',
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  UNIQUE (run_id, post_id)
);
-- What the reconciler reads every few seconds.
CREATE INDEX backfill_changes_waiting ON backfill_changes (created_at) WHERE state = 'waiting';
-- The reaper leaves the picture of a change that waits for it alone.
CREATE INDEX backfill_changes_job ON backfill_changes (job_id) WHERE job_id IS NOT NULL;

-- A picture is removed in two steps: first its row says that nobody may choose
-- it any more, then its objects go. Whoever dies in between is continued.
ALTER TABLE images ADD COLUMN removed_at TEXT;
ALTER TABLE images ADD COLUMN deleted_at TEXT;
CREATE INDEX images_removed ON images (removed_at) WHERE state = 'removed' AND deleted_at IS NULL;

-- +goose Down
DROP INDEX images_removed;
ALTER TABLE images DROP COLUMN deleted_at;
ALTER TABLE images DROP COLUMN removed_at;
DROP TABLE backfill_changes;
DROP TABLE backfill_runs;
