-- Who outside is told of events, what came of each call, and what the lists of
-- jobs are filtered by.

-- +goose Up
CREATE TABLE webhook_endpoints (
  id               uuid PRIMARY KEY,
  url              text NOT NULL,
  description      text NOT NULL DEFAULT '',
  events           jsonb NOT NULL,              -- the types it is told of
  secret           text NOT NULL,               -- signs; docs/decisions/webhooks.md says why it is kept as it is
  old_secret       text,                        -- signs as well, until old_secret_until
  old_secret_until timestamptz,
  enabled          boolean NOT NULL DEFAULT true,
  disabled_reason  text NOT NULL DEFAULT '',
  created_by       text NOT NULL,
  created_at       timestamptz NOT NULL,
  updated_at       timestamptz NOT NULL
);
ALTER TABLE webhook_deliveries ADD COLUMN status integer; -- of the last answer; null: none came
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
