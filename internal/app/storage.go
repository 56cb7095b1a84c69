package app

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/blob/file"
	"github.com/glad-labs/frontispiece/internal/blob/s3"
	"github.com/glad-labs/frontispiece/internal/cdn"
)

// openStorage opens the bucket, which is the local directory when none is
// configured, and the way on which readers get at it.
func (a *App) openStorage(context.Context, Part) error {
	c := cdn.Config{PublicBaseURL: a.cfg.PublicBaseURL.Reveal(), Timeout: a.cfg.UploadTimeout}
	if a.cfg.UsesS3() {
		a.bucket = s3.New(s3.Config{
			Bucket: a.cfg.S3Bucket, Region: a.cfg.S3Region, Endpoint: a.cfg.S3Endpoint.Reveal(),
			AccessKeyID: a.cfg.AWSAccessKeyID, SecretAccessKey: a.cfg.AWSSecretAccessKey.Reveal(),
			SessionToken: a.cfg.AWSSessionToken.Reveal(), Timeout: a.cfg.UploadTimeout,
		})
		c.CloudFrontDomain, c.Bucket, c.Region, c.Endpoint = a.cfg.CloudFrontDomain, a.cfg.S3Bucket, a.cfg.S3Region, a.cfg.S3Endpoint.Reveal()
	} else {
		local, err := file.Open(a.cfg.ImageDir())
		if err != nil {
			return fmt.Errorf("DATA_DIR: %w", err)
		}
		a.onClose(local.Close)
		a.bucket, a.images, c.Local = local, local.Handler(), local.Handler()
	}
	distribution, err := cdn.New(c)
	if err != nil {
		return err
	}
	a.cdn = distribution
	if a.images == nil {
		a.images = redirectTo(distribution)
	}
	return nil
}

// redirectTo answers /images/<key> with the picture's public URL, so that a
// front end that only knows the API's host can show every picture.
func redirectTo(d *cdn.Distribution) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, err := blob.ParseKey(strings.TrimPrefix(r.URL.Path, cdn.LocalPrefix))
		if err != nil {
			w.Header().Set("Cache-Control", "no-store")
			http.NotFound(w, r)
			return
		}
		// Not for ever: the bucket may move.
		w.Header().Set("Cache-Control", "public, max-age=3600")
		http.Redirect(w, r, d.URL(string(key)), http.StatusFound) //nolint:gosec // to the configured host, and ParseKey lets nothing else through
	})
}
