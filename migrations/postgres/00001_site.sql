-- The site's own tables, in the shape its backend made them. A site that
-- exists already has them: each is made, with its indexes, only where it is
-- missing, and no later migration ever alters or drops one of them.

-- +goose Up
-- +goose StatementBegin
DO $$
BEGIN
IF to_regclass('authors') IS NULL THEN
  CREATE TABLE authors (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name       varchar(255) NOT NULL,
    slug       varchar(255) NOT NULL UNIQUE,
    email      varchar(255),
    bio        text,
    avatar_url varchar(500),
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
  );
END IF;

IF to_regclass('categories') IS NULL THEN
  CREATE TABLE categories (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name        varchar(255) NOT NULL UNIQUE,
    slug        varchar(255) NOT NULL UNIQUE,
    description text,
    created_at  timestamp DEFAULT now(),
    updated_at  timestamp DEFAULT now()
  );
END IF;

IF to_regclass('tags') IS NULL THEN
  CREATE TABLE tags (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name        varchar(255) NOT NULL UNIQUE,
    slug        varchar(255) NOT NULL UNIQUE,
    description text,
    color       varchar(7),
    created_at  timestamp DEFAULT now(),
    updated_at  timestamp DEFAULT now()
  );
END IF;

IF to_regclass('posts') IS NULL THEN
  CREATE TABLE posts (
    id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    title              varchar(500) NOT NULL,
    slug               varchar(500) NOT NULL CONSTRAINT posts_slug_key UNIQUE,
    content            text NOT NULL,
    excerpt            varchar(1000),
    featured_image_url varchar(500),
    cover_image_url    varchar(500),
    author_id          uuid REFERENCES authors (id) ON DELETE CASCADE,
    category_id        uuid REFERENCES categories (id) ON DELETE SET NULL,
    tag_ids            uuid[],
    seo_title          varchar(255),
    seo_description    varchar(500),
    seo_keywords       varchar(500),
    status             varchar(50) DEFAULT 'draft',
    published_at       timestamp,
    view_count         integer DEFAULT 0,
    metadata           jsonb DEFAULT '{}',
    created_at         timestamp DEFAULT now(),
    updated_at         timestamp DEFAULT now(),
    created_by         uuid,
    updated_by         uuid,
    task_id            varchar(64)
  );
  CREATE INDEX posts_status_published ON posts (status, published_at DESC);
  CREATE INDEX posts_category ON posts (category_id);
  CREATE INDEX posts_task ON posts (task_id) WHERE task_id IS NOT NULL;
END IF;

IF to_regclass('post_tags') IS NULL THEN
  CREATE TABLE post_tags (
    post_id uuid NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    tag_id  uuid NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
    PRIMARY KEY (post_id, tag_id)
  );
END IF;

IF to_regclass('content_tasks') IS NULL THEN
  CREATE TABLE content_tasks (
    task_id               varchar(64) PRIMARY KEY,
    request_type          varchar(50) NOT NULL DEFAULT 'basic',
    task_type             varchar(50) NOT NULL DEFAULT 'blog_post',
    status                varchar(50) NOT NULL DEFAULT 'pending',
    topic                 varchar(500) NOT NULL,
    style                 varchar(50) NOT NULL DEFAULT 'technical',
    tone                  varchar(50) NOT NULL DEFAULT 'professional',
    target_length         integer DEFAULT 2000,
    content               text,
    excerpt               text,
    featured_image_prompt text,
    featured_image_url    varchar(500),
    featured_image_data   json,
    publish_mode          varchar(50) DEFAULT 'draft',
    tags                  json,
    task_metadata         json,
    model_used            varchar(100),
    quality_score         integer,
    progress              json,
    error_message         text,
    created_at            timestamp NOT NULL DEFAULT now(),
    updated_at            timestamp DEFAULT now(),
    completed_at          timestamp,
    approval_status       varchar(50) NOT NULL DEFAULT 'pending',
    qa_feedback           text,
    human_feedback        text,
    approved_by           varchar(255),
    approval_timestamp    timestamp,
    approval_notes        text,
    id                    varchar(64),
    agent_id              varchar(100) DEFAULT 'content-agent',
    primary_keyword       varchar(255),
    target_audience       varchar(255),
    category              varchar(100),
    started_at            timestamptz,
    result                jsonb,
    seo_title             varchar(255),
    seo_description       varchar(500),
    seo_keywords          varchar(500),
    stage                 varchar(100),
    percentage            integer DEFAULT 0,
    message               text,
    published_at          timestamptz,
    title                 varchar(500)
  );
  CREATE INDEX content_tasks_status ON content_tasks (status, created_at DESC);
END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
-- The site's tables hold the site's posts: nothing of ours ever drops them.
SELECT 1;
