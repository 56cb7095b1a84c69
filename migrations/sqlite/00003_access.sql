-- Ours: who may call. A secret is never in here, only its digest.

-- +goose Up
CREATE TABLE api_keys (
  id           TEXT PRIMARY KEY,       -- the public part of the key, by which its row is found
  name         TEXT NOT NULL,
  role         TEXT NOT NULL,
  sha256       TEXT NOT NULL,          -- of the whole key
  created_by   TEXT NOT NULL,
  created_at   TEXT NOT NULL,
  expires_at   TEXT,            -- null: never
  revoked_at   TEXT,
  last_used_at TEXT             -- to the minute
);

CREATE TABLE sessions (
  token      TEXT PRIMARY KEY,         -- SHA-256 of the cookie's value
  previous   TEXT,                     -- the one before the last rotation, good for a moment longer
  subject    TEXT NOT NULL,
  name       TEXT NOT NULL DEFAULT '',
  key_id     TEXT REFERENCES api_keys (id) ON DELETE CASCADE, -- null: a user of the site
  issuer     TEXT NOT NULL DEFAULT '', -- of a user's token: which of the site's secrets signed it
  created_at TEXT NOT NULL,
  rotated_at TEXT NOT NULL,
  seen_at    TEXT NOT NULL,     -- to the minute
  expires_at TEXT NOT NULL
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
