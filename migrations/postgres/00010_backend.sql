-- The jobs of a generator that has made nothing for long: the list of jobs, newest
-- first, enters at its newest picture, which this index knows. With the one before
-- it every newer job was looked at, 900,000 of them in 8 s.

-- +goose Up
DROP INDEX images_backend;
CREATE INDEX images_backend ON images (backend, created_at DESC);

-- +goose Down
DROP INDEX images_backend;
CREATE INDEX images_backend ON images (backend, job_id);
