-- The site's own tables, in the shape its backend made them. UUIDs, times
-- (RFC 3339, UTC, milliseconds), JSON and lists are TEXT in SQLite.

-- +goose Up
CREATE TABLE IF NOT EXISTS authors (
  id         TEXT PRIMARY KEY DEFAULT (lower(hex(randomblob(16)))),
  name       TEXT NOT NULL,
  slug       TEXT NOT NULL UNIQUE,
  email      TEXT,
  bio        TEXT,
  avatar_url TEXT,
  created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

CREATE TABLE IF NOT EXISTS categories (
  id          TEXT PRIMARY KEY DEFAULT (lower(hex(randomblob(16)))),
  name        TEXT NOT NULL UNIQUE,
  slug        TEXT NOT NULL UNIQUE,
  description TEXT,
  created_at  TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at  TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

CREATE TABLE IF NOT EXISTS tags (
  id          TEXT PRIMARY KEY DEFAULT (lower(hex(randomblob(16)))),
  name        TEXT NOT NULL UNIQUE,
  slug        TEXT NOT NULL UNIQUE,
  description TEXT,
  color       TEXT,
  created_at  TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at  TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

CREATE TABLE IF NOT EXISTS posts (
  id                 TEXT PRIMARY KEY DEFAULT (lower(hex(randomblob(16)))),
  title              TEXT NOT NULL,
  slug               TEXT NOT NULL CONSTRAINT posts_slug_key UNIQUE,
  content            TEXT NOT NULL,
  excerpt            TEXT,
  featured_image_url TEXT,
  cover_image_url    TEXT,
  author_id          TEXT REFERENCES authors (id) ON DELETE CASCADE,
  category_id        TEXT REFERENCES categories (id) ON DELETE SET NULL,
  tag_ids            TEXT,
  seo_title          TEXT,
  seo_description    TEXT,
  seo_keywords       TEXT,
  status             TEXT DEFAULT 'draft',
  published_at       TEXT,
  view_count         INTEGER DEFAULT 0,
  metadata           TEXT DEFAULT '{}',
  created_at         TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at         TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  created_by         TEXT,
  updated_by         TEXT,
  task_id            TEXT
);
CREATE INDEX IF NOT EXISTS posts_status_published ON posts (status, published_at DESC);
CREATE INDEX IF NOT EXISTS posts_category ON posts (category_id);
CREATE INDEX IF NOT EXISTS posts_task ON posts (task_id) WHERE task_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS post_tags (
  post_id TEXT NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
  tag_id  TEXT NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
  PRIMARY KEY (post_id, tag_id)
);

CREATE TABLE IF NOT EXISTS content_tasks (
  task_id               TEXT PRIMARY KEY,
  request_type          TEXT NOT NULL DEFAULT 'basic',
  task_type             TEXT NOT NULL DEFAULT 'blog_post',
  status                TEXT NOT NULL DEFAULT 'pending',
  topic                 TEXT NOT NULL,
  style                 TEXT NOT NULL DEFAULT 'technical',
  tone                  TEXT NOT NULL DEFAULT 'professional',
  target_length         INTEGER DEFAULT 2000,
  content               TEXT,
  excerpt               TEXT,
  featured_image_prompt TEXT,
  featured_image_url    TEXT,
  featured_image_data   TEXT,
  publish_mode          TEXT DEFAULT 'draft',
  tags                  TEXT,
  task_metadata         TEXT,
  model_used            TEXT,
  quality_score         INTEGER,
  progress              TEXT,
  error_message         TEXT,
  created_at            TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at            TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  completed_at          TEXT,
  approval_status       TEXT NOT NULL DEFAULT 'pending',
  qa_feedback           TEXT,
  human_feedback        TEXT,
  approved_by           TEXT,
  approval_timestamp    TEXT,
  approval_notes        TEXT,
  id                    TEXT,
  agent_id              TEXT DEFAULT 'content-agent',
  primary_keyword       TEXT,
  target_audience       TEXT,
  category              TEXT,
  started_at            TEXT,
  result                TEXT,
  seo_title             TEXT,
  seo_description       TEXT,
  seo_keywords          TEXT,
  stage                 TEXT,
  percentage            INTEGER DEFAULT 0,
  message               TEXT,
  published_at          TEXT,
  title                 TEXT
);
CREATE INDEX IF NOT EXISTS content_tasks_status ON content_tasks (status, created_at DESC);

-- +goose Down
-- The site's tables hold the site's posts: nothing of ours ever drops them.
SELECT 1;
