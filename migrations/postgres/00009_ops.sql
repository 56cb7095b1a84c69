-- What the operators' page and the metrics read: who works, where every stage
-- stands, what failed; and the trace in which a job was accepted.

-- +goose Up
-- One row a worker process, written by its heartbeat and removed when it ends.
CREATE TABLE workers (
  id                uuid PRIMARY KEY,
  host              text NOT NULL,
  version           text NOT NULL,
  spool_id          text NOT NULL,
  disk_free         bigint NOT NULL DEFAULT 0,
  generating_paused text NOT NULL DEFAULT '', -- why, for people; '' when it is not
  uploads_paused    text NOT NULL DEFAULT '',
  started_at        timestamptz NOT NULL,
  seen_at           timestamptz NOT NULL
);
-- A stage is counted, and its oldest picture found, without a look at the rows.
-- One index a state: SQLite does not see that one state is among three.
CREATE INDEX images_queued_age ON images (created_at) WHERE state = 'queued';
CREATE INDEX images_generating_age ON images (created_at) WHERE state = 'generating';
CREATE INDEX images_uploading_age ON images (created_at) WHERE state = 'uploading';
-- The newest failures, grouped by the page; live pictures that wait after one.
CREATE INDEX images_failed ON images (finalized_at) WHERE state = 'failed';
CREATE INDEX images_waiting ON images (updated_at) WHERE failure IS NOT NULL AND state IN ('queued', 'generating', 'uploading');
CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (finalized_at) WHERE state = 'failed';
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (created_at) WHERE state = 'pending';

-- W3C traceparent of the request that was accepted; '' when nobody traces.
ALTER TABLE image_jobs ADD COLUMN traceparent text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE image_jobs DROP COLUMN traceparent;
DROP INDEX webhook_deliveries_pending;
DROP INDEX webhook_deliveries_failed;
DROP INDEX images_waiting;
DROP INDEX images_failed;
DROP INDEX images_uploading_age;
DROP INDEX images_generating_age;
DROP INDEX images_queued_age;
DROP TABLE workers;
