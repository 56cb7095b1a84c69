-- Who outside is told of events, what came of each call, and what the lists of
-- jobs are filtered by.

-- +goose Up
CREATE TABLE webhook_endpoints (
  id               TEXT PRIMARY KEY,
  url              TEXT NOT NULL,
  description      TEXT NOT NULL DEFAULT '',
  events           TEXT NOT NULL,              -- the types it is told of
  secret           TEXT NOT NULL,               -- signs; docs/decisions/webhooks.md says why it is kept as it is
  old_secret       TEXT,                        -- signs as well, until old_secret_until
  old_secret_until TEXT,
  enabled          INTEGER NOT NULL DEFAULT 1,
  disabled_reason  TEXT NOT NULL DEFAULT '',
  created_by       TEXT NOT NULL,
  created_at       TEXT NOT NULL,
  updated_at       TEXT NOT NULL
);
ALTER TABLE webhook_deliveries ADD COLUMN status INTEGER; -- of the last answer; null: none came
CREATE INDEX webhook_deliveries_target ON webhook_deliveries (target, created_at DESC, id DESC);
-- What is forgotten after a while.
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (finalized_at) WHERE finalized_at IS NOT NULL;

-- The list of jobs by who asked, by kind and by generator.
CREATE INDEX image_jobs_creator ON image_jobs (created_by, created_at DESC, id DESC);
CREATE INDEX image_jobs_kind ON image_jobs (kind, created_at DESC, id DESC) WHERE kind <> 'generate';
CREATE INDEX images_backend ON images (backend, job_id);

-- +goose Down
DROP INDEX images_backend;
DROP INDEX image_jobs_kind;
DROP INDEX image_jobs_creator;
DROP INDEX webhook_deliveries_ended;
DROP INDEX webhook_deliveries_target;
ALTER TABLE webhook_deliveries DROP COLUMN status;
DROP TABLE webhook_endpoints;
