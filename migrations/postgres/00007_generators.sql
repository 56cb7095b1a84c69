-- What generators need of an image: until when it may be generated, and which
-- stock photo it is, so that no two posts show the same.

-- +goose Up
ALTER TABLE images ADD COLUMN deadline_at timestamptz;
ALTER TABLE images ADD COLUMN stock_id text NOT NULL DEFAULT '';
CREATE INDEX images_stock ON images (stock_id) WHERE stock_id <> '';
-- What the reconciler asks every few seconds: who waits beyond the time allowed,
CREATE INDEX images_deadline ON images (deadline_at) WHERE state = 'queued' AND deadline_at IS NOT NULL;
-- and which canceled picture a generator may still be drawing.
CREATE INDEX images_stop ON images (finalized_at) WHERE state = 'canceled' AND provider_job_id <> '';

-- +goose Down
DROP INDEX images_stop;
DROP INDEX images_deadline;
DROP INDEX images_stock;
ALTER TABLE images DROP COLUMN stock_id;
ALTER TABLE images DROP COLUMN deadline_at;
