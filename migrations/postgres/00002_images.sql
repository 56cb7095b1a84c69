-- Ours: jobs, their images and everything that decides what a post shows.
-- Bytes are never in here, only facts about them.

-- +goose Up
CREATE TABLE image_jobs (
  id            uuid PRIMARY KEY,
  kind          text NOT NULL,
  draft_id      varchar(64),            -- content_tasks.task_id; no foreign key: the site deletes its tasks
  round         integer NOT NULL DEFAULT 0,
  final_state   text,                   -- null while an image is live: then the images say where it stands
  request       jsonb NOT NULL,
  linked_by     text NOT NULL DEFAULT '',
  created_by    text NOT NULL,
  superseded_by uuid,
  failure       jsonb,
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  finalized_at  timestamptz
);
-- One job is one round; two requests at the same moment cannot both be round 3.
CREATE UNIQUE INDEX image_jobs_round ON image_jobs (draft_id, round) WHERE draft_id IS NOT NULL;
-- The list, newest first, by cursor; and the same for one final state.
CREATE INDEX image_jobs_newest ON image_jobs (created_at DESC, id DESC);
CREATE INDEX image_jobs_final ON image_jobs (final_state, created_at DESC, id DESC);

CREATE TABLE images (
  id               uuid PRIMARY KEY,
  job_id           uuid NOT NULL REFERENCES image_jobs (id) ON DELETE CASCADE,
  draft_id         varchar(64),
  round            integer NOT NULL DEFAULT 0,
  number           integer NOT NULL,
  state            text NOT NULL,
  priority         integer NOT NULL DEFAULT 0, -- 1 for backfill: behind everything else
  epoch            bigint NOT NULL DEFAULT 0,
  attempt          integer NOT NULL DEFAULT 0,
  next_attempt_at  timestamptz NOT NULL,
  claim            text,
  claim_expires_at timestamptz,
  seed             bigint NOT NULL,
  backend          text NOT NULL DEFAULT '',
  model            text NOT NULL DEFAULT '',
  provider_job_id  text NOT NULL DEFAULT '',
  params           jsonb,
  steps            jsonb,
  spool_id         text NOT NULL DEFAULT '',
  raw_sha256       text NOT NULL DEFAULT '',
  sha256           text NOT NULL DEFAULT '',
  key              text NOT NULL DEFAULT '',
  url              text NOT NULL DEFAULT '',
  source           text NOT NULL DEFAULT '',
  content_type     text NOT NULL DEFAULT '',
  width            integer NOT NULL DEFAULT 0,
  height           integer NOT NULL DEFAULT 0,
  bytes            bigint NOT NULL DEFAULT 0,
  renditions       jsonb,
  placeholder      text NOT NULL DEFAULT '',
  color            text NOT NULL DEFAULT '',
  hash             text NOT NULL DEFAULT '',
  alt_text         text NOT NULL DEFAULT '',
  credit           jsonb,
  cost             double precision,
  failure          jsonb,
  created_at       timestamptz NOT NULL,
  updated_at       timestamptz NOT NULL,
  spooled_at       timestamptz,
  finalized_at     timestamptz,
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
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  job_id   uuid NOT NULL REFERENCES image_jobs (id) ON DELETE CASCADE,
  image_id uuid,
  type     text NOT NULL,
  data     jsonb,
  at       timestamptz NOT NULL
);
CREATE INDEX job_events_job ON job_events (job_id, id);

-- The row that every decision about a draft locks first. An approval and a
-- store that commit at the same moment under READ COMMITTED would otherwise
-- each miss the other and nobody would publish.
CREATE TABLE draft_images (
  draft_id          varchar(64) PRIMARY KEY,
  round             integer NOT NULL DEFAULT 0,
  chosen_image_id   uuid,
  hand_picked       boolean NOT NULL DEFAULT false,
  approval_id       uuid,
  approved_round    integer NOT NULL DEFAULT 0,
  approved_image_id uuid,                    -- null: a blind approval
  post_id           uuid UNIQUE,             -- one draft, one post
  published_round   integer NOT NULL DEFAULT 0,
  published_image_id uuid,
  updated_at        timestamptz NOT NULL
);
-- Approvals that wait for a picture: what the reconciler reads every few seconds.
CREATE INDEX draft_images_waiting ON draft_images (updated_at) WHERE approved_round > published_round;

CREATE TABLE approvals (
  id         uuid PRIMARY KEY,
  draft_id   varchar(64) NOT NULL,
  round      integer NOT NULL,
  approved   boolean NOT NULL,
  reviewer   text NOT NULL,             -- as the decision named them
  caller     text NOT NULL DEFAULT '',  -- as authentication knew them
  feedback   text NOT NULL DEFAULT '',
  image_id   uuid,
  sha256     text NOT NULL DEFAULT '',
  decided_at timestamptz NOT NULL
);
CREATE INDEX approvals_draft ON approvals (draft_id, decided_at);

CREATE TABLE idempotency_keys (
  scope       text PRIMARY KEY,   -- SHA-256 of caller, method, path and key
  body_sha256 text NOT NULL,
  job_id      uuid NOT NULL REFERENCES image_jobs (id) ON DELETE CASCADE,
  created_at  timestamptz NOT NULL
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- Which disks hold bytes waiting for upload, and when each was last heard of.
CREATE TABLE spools (
  id      text PRIMARY KEY,
  host    text NOT NULL DEFAULT '',
  bytes   bigint NOT NULL DEFAULT 0,
  quota   bigint NOT NULL DEFAULT 0,
  seen_at timestamptz NOT NULL
);

-- Written in the publishing transaction: one id an event, delivered at least once.
CREATE TABLE webhook_deliveries (
  id              uuid PRIMARY KEY,
  event           text NOT NULL,             -- post.published, post.updated
  target          text NOT NULL,             -- 'revalidate' or an endpoint's id
  draft_id        varchar(64),
  post_id         uuid,
  payload         jsonb NOT NULL,
  state           text NOT NULL,             -- pending, delivered, failed
  epoch           bigint NOT NULL DEFAULT 0,
  attempt         integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL,
  claim           text,
  claim_expires_at timestamptz,
  failure         jsonb,
  created_at      timestamptz NOT NULL,
  finalized_at    timestamptz
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
