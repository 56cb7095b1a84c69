-- The site's database as dumped on 14 February 2026: task_id is there and NULL
-- everywhere, author and category are filled, the public id of a draft is its
-- task_id, and its id is NULL.

CREATE TABLE authors (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name varchar(255) NOT NULL, slug varchar(255) NOT NULL UNIQUE, email varchar(255),
    bio text, avatar_url varchar(500), created_at timestamp DEFAULT now(), updated_at timestamp DEFAULT now()
);

CREATE TABLE categories (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name varchar(255) NOT NULL UNIQUE, slug varchar(255) NOT NULL UNIQUE,
    description text, created_at timestamp DEFAULT now(), updated_at timestamp DEFAULT now()
);
CREATE TABLE tags (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name varchar(255) NOT NULL UNIQUE, slug varchar(255) NOT NULL UNIQUE,
    description text, color varchar(7), created_at timestamp DEFAULT now(), updated_at timestamp DEFAULT now()
);

CREATE TABLE posts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), title varchar(500) NOT NULL, slug varchar(500) NOT NULL, content text NOT NULL,
    excerpt varchar(1000), featured_image_url varchar(500), cover_image_url varchar(500),
    author_id uuid REFERENCES authors (id) ON DELETE CASCADE, category_id uuid REFERENCES categories (id) ON DELETE SET NULL,
    tag_ids uuid[], seo_title varchar(255), seo_description varchar(500), seo_keywords varchar(500),
    status varchar(50) DEFAULT 'draft', published_at timestamp, view_count integer DEFAULT 0, metadata jsonb DEFAULT '{}',
    created_at timestamp DEFAULT now(), updated_at timestamp DEFAULT now(), created_by uuid, updated_by uuid, task_id varchar(64),
    CONSTRAINT posts_slug_key UNIQUE (slug)
);
CREATE INDEX idx_posts_status ON posts (status);
CREATE INDEX idx_posts_published ON posts (published_at DESC);

CREATE TABLE post_tags (
    post_id uuid NOT NULL REFERENCES posts (id) ON DELETE CASCADE, tag_id uuid NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
    PRIMARY KEY (post_id, tag_id)
);

CREATE TABLE content_tasks (
    task_id varchar(64) PRIMARY KEY, request_type varchar(50) NOT NULL, task_type varchar(50) NOT NULL DEFAULT 'blog_post',
    status varchar(50) NOT NULL, topic varchar(500) NOT NULL, style varchar(50) NOT NULL, tone varchar(50) NOT NULL,
    target_length integer DEFAULT 2000, content text, excerpt text, featured_image_prompt text, featured_image_url varchar(500),
    featured_image_data json, publish_mode varchar(50) DEFAULT 'draft', tags json, task_metadata json, model_used varchar(100),
    quality_score integer, progress json, error_message text, created_at timestamp NOT NULL, updated_at timestamp,
    completed_at timestamp, approval_status varchar(50) NOT NULL DEFAULT 'pending', qa_feedback text, human_feedback text,
    approved_by varchar(255), approval_timestamp timestamp, approval_notes text, id varchar(64),
    agent_id varchar(100) DEFAULT 'content-agent', primary_keyword varchar(255), target_audience varchar(255), category varchar(100),
    started_at timestamptz, result jsonb, seo_title varchar(255), seo_description varchar(500), seo_keywords varchar(500),
    stage varchar(100), percentage integer DEFAULT 0, message text, published_at timestamptz,
    model_selections jsonb, quality_preference varchar(50), estimated_cost numeric(10,4), actual_cost numeric(10,4),
    cost_breakdown jsonb, writing_style_id integer, title varchar(500), models_used_by_phase jsonb, model_selection_log jsonb,
    content_type varchar(50)
);
CREATE INDEX idx_content_tasks_status ON content_tasks (status);
CREATE TABLE task_status_history (
    id bigserial PRIMARY KEY, task_id varchar(64) REFERENCES content_tasks (task_id) ON DELETE CASCADE, old_status varchar(50),
    new_status varchar(50), reason text, metadata jsonb, timestamp timestamptz DEFAULT now()
);

INSERT INTO authors (id, name, slug, email) VALUES ('14c9cad6-57ca-474a-8a6d-fab897388ea8', 'Poindexter AI', 'poindexter-ai', 'poindexter@glad-labs.ai');
INSERT INTO categories (id, name, slug) VALUES ('7d520158-56b9-4270-9659-6292c25b063c', 'Technology', 'technology'),
    (gen_random_uuid(), 'Business', 'business');
INSERT INTO tags (name, slug) VALUES ('Cloud', 'cloud'), ('Databases', 'databases');

-- 35 posts as they were found: hot-linked, keywords joined by their characters.
INSERT INTO posts (title, slug, content, excerpt, featured_image_url, author_id, category_id, seo_title, seo_keywords, status, created_at, updated_at)
SELECT 'Topic number ' || n, 'topic-number-' || n, 'The text of post ' || n || ' about cloud software.', 'In short, ' || n,
    CASE n WHEN 33 THEN 'data:image/png;base64,iVBORw0KGgo=' WHEN 34 THEN '/images/generated/post-3f2504e0-4f89-41d3-9a0c-0305e82c3301.png'
        WHEN 35 THEN 'https://images.pexels.com/photos/404/gone.jpeg'
        ELSE 'https://images.pexels.com/photos/' || (1000 + n) || '/pexels-photo-' || (1000 + n) || '.jpeg?auto=compress&cs=tinysrgb&h=650&w=940' END,
    '14c9cad6-57ca-474a-8a6d-fab897388ea8', '7d520158-56b9-4270-9659-6292c25b063c', 'Topic number ' || n, '[,",w,i,t,h,",,, ,",c,l,o,u,d,"', 'published',
    timestamp '2025-12-01 08:00:00' + n * interval '1 day', timestamp '2025-12-01 09:00:00' + n * interval '1 day'
FROM generate_series(1, 35) AS n;
INSERT INTO posts (title, slug, content, status) VALUES ('Not out yet', 'not-out-yet', 'A post that nobody sees.', 'draft');

INSERT INTO content_tasks (task_id, request_type, task_type, status, topic, style, tone, content, excerpt, featured_image_url,
    task_metadata, created_at, updated_at, approval_status, category, seo_keywords)
SELECT 'a0000000-0000-4000-8000-' || lpad(n::text, 12, '0'), 'basic', 'blog_post',
    CASE WHEN n <= 35 THEN 'published' WHEN n <= 45 THEN 'awaiting_approval' WHEN n <= 55 THEN 'failed' ELSE 'pending' END,
    'Topic number ' || n, 'technical', 'professional',
    CASE WHEN n <= 45 AND n > 38 THEN 'The text of draft ' || n || ' about cloud software.' WHEN n <= 35 THEN 'The text of post ' || n END,
    'In short, ' || n,
    CASE WHEN n <= 44 THEN 'https://images.pexels.com/photos/' || (1000 + n) || '/pexels-photo-' || (1000 + n) || '.jpeg?auto=compress&cs=tinysrgb&h=650&w=940' END,
    CASE WHEN n <= 36 THEN to_json((json_build_object('title', 'Topic number ' || n, 'featured_image_source', 'pexels', 'featured_image_photographer', 'Photographer ' || n,
        'featured_image_url', 'https://images.pexels.com/photos/' || (1000 + n) || '/pexels-photo-' || (1000 + n) || '.jpeg?auto=compress&cs=tinysrgb&h=650&w=940'))::text)
      ELSE '{}'::json END,
    timestamp '2025-12-01 08:00:00' + n * interval '1 day', timestamp '2025-12-01 09:00:00' + n * interval '1 day',
    'pending_human_review', 'technology', '["with", "cloud"]'
FROM generate_series(1, 63) AS n;
