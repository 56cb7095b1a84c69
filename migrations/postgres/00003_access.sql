-- Ours: who may call. A secret is never in here, only its digest.

-- +goose Up
CREATE TABLE api_keys (
  id           text PRIMARY KEY,       -- the public part of the key, by which its row is found
  name         text NOT NULL,
  role         text NOT NULL,
  sha256       text NOT NULL,          -- of the whole key
  created_by   text NOT NULL,
  created_at   timestamptz NOT NULL,
  expires_at   timestamptz,            -- null: never
  revoked_at   timestamptz,
  last_used_at timestamptz             -- to the minute
);

CREATE TABLE sessions (
  token      text PRIMARY KEY,         -- SHA-256 of the cookie's value
  previous   text,                     -- the one before the last rotation, good for a moment longer
  subject    text NOT NULL,
  name       text NOT NULL DEFAULT '',
  key_id     text REFERENCES api_keys (id) ON DELETE CASCADE, -- null: a user of the site
  issuer     text NOT NULL DEFAULT '', -- of a user's token: which of the site's secrets signed it
  created_at timestamptz NOT NULL,
  rotated_at timestamptz NOT NULL,
  seen_at    timestamptz NOT NULL,     -- to the minute
  expires_at timestamptz NOT NULL
);
-- A request that overtook the answer with the new cookie still has the old one.
CREATE UNIQUE INDEX sessions_previous ON sessions (previous) WHERE previous IS NOT NULL;
-- Revoking a key ends its sessions.
CREATE INDEX sessions_key ON sessions (key_id) WHERE key_id IS NOT NULL;
CREATE INDEX sessions_subject ON sessions (subject);

-- How many unfinished jobs a caller has, and how many there are, without
-- looking at the finished ones.
CREATE INDEX image_jobs_unfinished ON image_jobs (created_by) WHERE final_state IS NULL;

-- +goose Down
DROP INDEX image_jobs_unfinished;
DROP TABLE sessions;
DROP TABLE api_keys;
