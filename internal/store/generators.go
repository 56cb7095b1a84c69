package store

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// RenewDeadline gives an image that starts over as long as it had at first.
func (t *Tx) RenewDeadline(ctx context.Context, imageID string, timeout time.Duration) error {
	if timeout <= 0 {
		return nil
	}
	_, err := t.exec(ctx, `UPDATE images SET deadline_at = {now+?} WHERE id = ?`, timeout.Seconds(), imageID)
	if err != nil {
		return fmt.Errorf("renew deadline of image %s: %w", imageID, err)
	}
	return nil
}

// Overdue returns queued images that nobody owns and whose time to be generated
// is over.
func (r *Reader) Overdue(ctx context.Context, limit int) ([]editorial.Image, error) {
	return r.images(ctx, `state = 'queued' AND deadline_at IS NOT NULL AND deadline_at <= {now}
		AND (claim IS NULL OR claim_expires_at < {now}) ORDER BY deadline_at LIMIT ?`, limit)
}

// StopsDue returns images that were canceled within the last while and whose
// generator has not been told to stop.
func (r *Reader) StopsDue(ctx context.Context, within time.Duration, limit int) ([]editorial.Image, error) {
	return r.images(ctx, `state = 'canceled' AND provider_job_id <> '' AND finalized_at > {now+?}
		ORDER BY finalized_at LIMIT ?`, -within.Seconds(), limit)
}

// Stopped records that the provider's job of a canceled image needs no stopping
// any more. It returns false when somebody recorded it before.
func (t *Tx) Stopped(ctx context.Context, img editorial.Image) (bool, error) {
	n, err := t.exec(ctx, `UPDATE images SET provider_job_id = '', updated_at = {now}
		WHERE id = ? AND state = 'canceled' AND provider_job_id = ?`, img.ID, img.ProviderJobID)
	if err != nil {
		return false, fmt.Errorf("record that image %s was stopped: %w", img.ID, err)
	}
	return n == 1, nil
}

// hotlinked finds a Pexels photo's id in the addresses that the site's posts
// showed photos from before there were copies.
var hotlinked = regexp.MustCompile(`^https?://images\.pexels\.com/photos/(\d+)/`)

// StockInUse returns those of the stock photos that a picture of the site is
// already, whether one of ours (stored, or on its way) or one that a post links
// to directly. The image except is not counted: a photo may be found again for
// the very picture that it was found for.
func (r *Reader) StockInUse(ctx context.Context, provider string, photoIDs []string, except string) (map[string]bool, error) {
	used := make(map[string]bool)
	if len(photoIDs) == 0 {
		return used, nil
	}
	stockIDs := make([]string, len(photoIDs))
	for i, id := range photoIDs {
		stockIDs[i] = provider + ":" + id
	}
	var rows []struct {
		ID      string `db:"id"`
		StockID string `db:"stock_id"`
	}
	err := r.allIn(ctx, &rows, `SELECT id, stock_id FROM images
		WHERE stock_id IN (?) AND stock_id <> '' AND state IN ('uploading', 'stored')`, stockIDs)
	if err != nil {
		return nil, fmt.Errorf("look for stock photos in use: %w", err)
	}
	for _, row := range rows {
		if row.ID != except {
			used[row.StockID[len(provider)+1:]] = true
		}
	}
	if provider != "pexels" {
		return used, nil
	}
	// The site's table has no index for it and is not ours to give one; a site
	// has thousands of posts, not millions, and few of them link to Pexels.
	for _, column := range []string{"featured_image_url", "cover_image_url"} {
		if !r.site.has("posts", column) {
			continue
		}
		var urls []string
		err = r.all(ctx, &urls, `SELECT `+column+` FROM posts WHERE `+column+` LIKE 'http%://images.pexels.com/photos/%'`)
		if err != nil {
			return nil, fmt.Errorf("look for stock photos that posts link to: %w", err)
		}
		for _, u := range urls {
			if m := hotlinked.FindStringSubmatch(u); m != nil {
				used[m[1]] = true
			}
		}
	}
	return used, nil
}
