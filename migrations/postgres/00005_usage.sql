-- How a picture was made, what it looks like, and what a month's pictures take
-- and cost.

-- +goose Up
-- Enough to make it again: editorial.Recipe.
ALTER TABLE images ADD COLUMN recipe jsonb;
-- The site's other pictures that look like it, as they were found when it was
-- stored: editorial.Lookalike.
ALTER TABLE images ADD COLUMN similar_to jsonb;
-- What it takes in the bucket, renditions included, and in how many objects.
ALTER TABLE images ADD COLUMN stored_bytes bigint NOT NULL DEFAULT 0;
ALTER TABLE images ADD COLUMN objects integer NOT NULL DEFAULT 0;
-- US dollars that the picture under way may cost. They count against the cap
-- while the state is generating, so whatever ends that state frees them.
ALTER TABLE images ADD COLUMN reserved double precision;

UPDATE images SET objects = 1 + COALESCE(jsonb_array_length(renditions), 0),
  stored_bytes = bytes + COALESCE((SELECT SUM((r ->> 'bytes')::bigint) FROM jsonb_array_elements(renditions) AS r), 0)
WHERE state = 'stored';

-- The quarters of the perceptual hash. Of two hashes that differ in up to seven
-- bits, one quarter differs in one bit or none: 17 values to look up in each.
CREATE INDEX images_look_1 ON images (substr(hash, 1, 4)) WHERE state = 'stored' AND hash <> '';
CREATE INDEX images_look_2 ON images (substr(hash, 5, 4)) WHERE state = 'stored' AND hash <> '';
CREATE INDEX images_look_3 ON images (substr(hash, 9, 4)) WHERE state = 'stored' AND hash <> '';
CREATE INDEX images_look_4 ON images (substr(hash, 13, 4)) WHERE state = 'stored' AND hash <> '';
-- PostgreSQL has no statistics of a partial index's expression, would take every
-- value for a common one, and read the whole table. Before 14 it can have none:
-- there the look-up is slower, and says the same.
-- +goose StatementBegin
DO $$
BEGIN
IF current_setting('server_version_num')::integer >= 140000 THEN
  CREATE STATISTICS images_look_1_values ON (substr(hash, 1, 4)) FROM images;
  CREATE STATISTICS images_look_2_values ON (substr(hash, 5, 4)) FROM images;
  CREATE STATISTICS images_look_3_values ON (substr(hash, 9, 4)) FROM images;
  CREATE STATISTICS images_look_4_values ON (substr(hash, 13, 4)) FROM images;
END IF;
END
$$;
-- +goose StatementEnd

-- Which post shows a picture; also one that was chosen from another draft.
CREATE INDEX draft_images_published ON draft_images (published_image_id) WHERE published_image_id IS NOT NULL;

-- What each generator was asked for and made, by the month in UTC. Several rows
-- share a count, so that workers do not wait for each other's commits; whoever
-- wants it sums them.
CREATE TABLE usage (
  month     text NOT NULL,                        -- 2026-11
  generator text NOT NULL,
  part      integer NOT NULL,
  requests  bigint NOT NULL DEFAULT 0,            -- of providers that count them: the stock photo budget
  pictures  bigint NOT NULL DEFAULT 0,            -- that came into the spool
  refused   bigint NOT NULL DEFAULT 0,            -- answers that were no picture to publish, and cost all the same
  unpriced  bigint NOT NULL DEFAULT 0,            -- pictures of which nobody knows the cost
  cost      double precision NOT NULL DEFAULT 0,  -- US dollars
  PRIMARY KEY (month, generator, part)
);

-- +goose Down
DROP TABLE usage;
DROP INDEX draft_images_published;
DROP STATISTICS IF EXISTS images_look_1_values, images_look_2_values, images_look_3_values, images_look_4_values;
DROP INDEX images_look_4;
DROP INDEX images_look_3;
DROP INDEX images_look_2;
DROP INDEX images_look_1;
ALTER TABLE images DROP COLUMN reserved;
ALTER TABLE images DROP COLUMN objects;
ALTER TABLE images DROP COLUMN stored_bytes;
ALTER TABLE images DROP COLUMN similar_to;
ALTER TABLE images DROP COLUMN recipe;
