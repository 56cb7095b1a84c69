-- What repairs leave behind: every change of a backfill with the row as it was,
-- so that it can be undone, and which pictures were taken away.

-- +goose Up
CREATE TABLE backfill_runs (
  id          uuid PRIMARY KEY,
  started_by  text NOT NULL,
  generate    boolean NOT NULL,      -- whether generators may be asked, and paid
  state       text NOT NULL,         -- running, done, undone
  created_at  timestamptz NOT NULL,
  updated_at  timestamptz NOT NULL
);

CREATE TABLE backfill_changes (
  id         uuid PRIMARY KEY,
  run_id     uuid NOT NULL REFERENCES backfill_runs (id) ON DELETE CASCADE,
  post_id    uuid NOT NULL,          -- no foreign key: the site deletes its posts
  state      text NOT NULL,          -- waiting, applied, kept, undone
  job_id     uuid,                   -- whose picture it waits for
  findings   jsonb NOT NULL,
  was        jsonb,                  -- the columns that were changed, before
  became     jsonb,                  -- and after
  note       text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  UNIQUE (run_id, post_id)
);
-- What the reconciler reads every few seconds.
CREATE INDEX backfill_changes_waiting ON backfill_changes (created_at) WHERE state = 'waiting';
-- The reaper leaves the picture of a change that waits for it alone.
CREATE INDEX backfill_changes_job ON backfill_changes (job_id) WHERE job_id IS NOT NULL;

-- A picture is removed in two steps: first its row says that nobody may choose
-- it any more, then its objects go. Whoever dies in between is continued.
ALTER TABLE images ADD COLUMN removed_at timestamptz;
ALTER TABLE images ADD COLUMN deleted_at timestamptz;
CREATE INDEX images_removed ON images (removed_at) WHERE state = 'removed' AND deleted_at IS NULL;

-- +goose Down
DROP INDEX images_removed;
ALTER TABLE images DROP COLUMN deleted_at;
ALTER TABLE images DROP COLUMN removed_at;
DROP TABLE backfill_changes;
DROP TABLE backfill_runs;
