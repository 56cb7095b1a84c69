-- Ours: jobs, their images and everything that decides what a post shows.
-- Bytes are never in here, only facts about them.

-- +goose Up
CREATE TABLE image_jobs (
  id            TEXT PRIMARY KEY,
  kind          TEXT NOT NULL,
  draft_id      TEXT,            -- content_tasks.task_id; no foreign key: the site deletes its tasks
  round         INTEGER NOT NULL DEFAULT 0,
  final_state   TEXT,                   -- null while an image is live: then the images say where it stands
  request       TEXT NOT NULL,
  linked_by     TEXT NOT NULL DEFAULT '',
  created_by    TEXT NOT NULL,
  superseded_by TEXT,
  failure       TEXT,
  created_at    TEXT NOT NULL,
  updated_at    TEXT NOT NULL,
  finalized_at  TEXT
);
-- One job is one round; two requests at the same moment cannot both be round 3.
CREATE UNIQUE INDEX image_jobs_round ON image_jobs (draft_id, round) WHERE draft_id IS NOT NULL;
-- The list, newest first, by cursor; and the same for one final state.
CREATE INDEX image_jobs_newest ON image_jobs (created_at DESC, id DESC);
CREATE INDEX image_jobs_final ON image_jobs (final_state, created_at DESC, id DESC);

CREATE TABLE images (
  id               TEXT PRIMARY KEY,
  job_id           TEXT NOT NULL REFERENCES image_jobs (id) ON DELETE CASCADE,
  draft_id         TEXT,
  round            INTEGER NOT NULL DEFAULT 0,
  number           INTEGER NOT NULL,
  state            TEXT NOT NULL,
  priority         INTEGER NOT NULL DEFAULT 0, -- 1 for backfill: behind everything else
  epoch            INTEGER NOT NULL DEFAULT 0,
  attempt          INTEGER NOT NULL DEFAULT 0,
  next_attempt_at  TEXT NOT NULL,
  claim            TEXT,
  claim_expires_at TEXT,
  seed             INTEGER NOT NULL,
  backend          TEXT NOT NULL DEFAULT '',
  model            TEXT NOT NULL DEFAULT '',
  provider_job_id  TEXT NOT NULL DEFAULT '',
  params           TEXT,
  steps            TEXT,
  spool_id         TEXT NOT NULL DEFAULT '',
  raw_sha256       TEXT NOT NULL DEFAULT '',
  sha256           TEXT NOT NULL DEFAULT '',
  key              TEXT NOT NULL DEFAULT '',
  url              TEXT NOT NULL DEFAULT '',
  source           TEXT NOT NULL DEFAULT '',
  content_type     TEXT NOT NULL DEFAULT '',
  width            INTEGER NOT NULL DEFAULT 0,
  height           INTEGER NOT NULL DEFAULT 0,
  bytes            INTEGER NOT NULL DEFAULT 0,
  renditions       TEXT,
  placeholder      TEXT NOT NULL DEFAULT '',
  color            TEXT NOT NULL DEFAULT '',
  hash             TEXT NOT NULL DEFAULT '',
  alt_text         TEXT NOT NULL DEFAULT '',
  credit           TEXT,
  cost             REAL,
  failure          TEXT,
  created_at       TEXT NOT NULL,
  updated_at       TEXT NOT NULL,
  spooled_at       TEXT,
  finalized_at     TEXT,
  UNIQUE (job_id, number, created_at)
);
-- What the reconciler reads every few seconds: only live rows are in it, so its
-- size is the work under way and not the history.
CREATE INDEX images_due ON images (next_attempt_at) WHERE state IN ('queued', 'generating', 'uploading');
-- Queue position counts the queued rows before one.
CREATE INDEX images_queued ON images (priority, created_at) WHERE state = 'queued';
-- A key is never given to two pictures (P7).
CREATE UNIQUE INDEX images_key ON images (key) WHERE key <> '';
CREATE INDEX images_draft ON images (draft_id, round) WHERE draft_id IS NOT NULL;
-- The heartbeat extends claims by token.
CREATE INDEX images_claim ON images (claim) WHERE claim IS NOT NULL;

CREATE TABLE job_events (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id   TEXT NOT NULL REFERENCES image_jobs (id) ON DELETE CASCADE,
  image_id TEXT,
  type     TEXT NOT NULL,
  data     TEXT,
  at       TEXT NOT NULL
);
CREATE INDEX job_events_job ON job_events (job_id, id);

-- The row that every decision about a draft locks first. An approval and a
-- store that commit at the same moment under READ COMMITTED would otherwise
-- each miss the other and nobody would publish.
CREATE TABLE draft_images (
  draft_id          TEXT PRIMARY KEY,
  round             INTEGER NOT NULL DEFAULT 0,
  chosen_image_id   TEXT,
  hand_picked       INTEGER NOT NULL DEFAULT 0,
  approval_id       TEXT,
  approved_round    INTEGER NOT NULL DEFAULT 0,
  approved_image_id TEXT,                    -- null: a blind approval
  post_id           TEXT UNIQUE,             -- one draft, one post
  published_round   INTEGER NOT NULL DEFAULT 0,
  published_image_id TEXT,
  updated_at        TEXT NOT NULL
);
-- Approvals that wait for a picture: what the reconciler reads every few seconds.
CREATE INDEX draft_images_waiting ON draft_images (updated_at) WHERE approved_round > published_round;

CREATE TABLE approvals (
  id         TEXT PRIMARY KEY,
  draft_id   TEXT NOT NULL,
  round      INTEGER NOT NULL,
  approved   INTEGER NOT NULL,
  reviewer   TEXT NOT NULL,             -- as the decision named them
  caller     TEXT NOT NULL DEFAULT '',  -- as authentication knew them
  feedback   TEXT NOT NULL DEFAULT '',
  image_id   TEXT,
  sha256     TEXT NOT NULL DEFAULT '',
  decided_at TEXT NOT NULL
);
CREATE INDEX approvals_draft ON approvals (draft_id, decided_at);

CREATE TABLE idempotency_keys (
  scope       TEXT PRIMARY KEY,   -- SHA-256 of caller, method, path and key
  body_sha256 TEXT NOT NULL,
  job_id      TEXT NOT NULL REFERENCES image_jobs (id) ON DELETE CASCADE,
  created_at  TEXT NOT NULL
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- Which disks hold bytes waiting for upload, and when each was last heard of.
CREATE TABLE spools (
  id      TEXT PRIMARY KEY,
  host    TEXT NOT NULL DEFAULT '',
  bytes   INTEGER NOT NULL DEFAULT 0,
  quota   INTEGER NOT NULL DEFAULT 0,
  seen_at TEXT NOT NULL
);

-- Written in the publishing transaction: one id an event, delivered at least once.
CREATE TABLE webhook_deliveries (
  id              TEXT PRIMARY KEY,
  event           TEXT NOT NULL,             -- post.published, post.updated
  target          TEXT NOT NULL,             -- 'revalidate' or an endpoint's id
  draft_id        TEXT,
  post_id         TEXT,
  payload         TEXT NOT NULL,
  state           TEXT NOT NULL,             -- pending, delivered, failed
  epoch           INTEGER NOT NULL DEFAULT 0,
  attempt         INTEGER NOT NULL DEFAULT 0,
  next_attempt_at TEXT NOT NULL,
  claim           TEXT,
  claim_expires_at TEXT,
  failure         TEXT,
  created_at      TEXT NOT NULL,
  finalized_at    TEXT
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_attempt_at) WHERE state = 'pending';

-- +goose Down
DROP TABLE webhook_deliveries;
DROP TABLE spools;
DROP TABLE idempotency_keys;
DROP TABLE approvals;
DROP TABLE draft_images;
DROP TABLE job_events;
DROP TABLE images;
DROP TABLE image_jobs;
