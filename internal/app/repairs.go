package app

import (
	"context"
	"fmt"
	"os"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/cdn"
	"github.com/glad-labs/frontispiece/internal/imagegen/importer"
	"github.com/glad-labs/frontispiece/internal/repair"
)

// Deleter deletes pictures from the bucket, or from the local directory.
func (o *Operator) Deleter() repair.Deleter {
	if o.app.bucket == nil {
		return noPictures(o.app.cfg.ImageDir())
	}
	return o.app.bucket
}

// noPictures is a local directory that has not been made: there is nothing in it
// to delete.
type noPictures string

// Delete implements [repair.Deleter].
func (dir noPictures) Delete(context.Context, blob.Key) error {
	if _, err := os.Stat(string(dir)); err != nil {
		return fmt.Errorf("DATA_DIR: the pictures are not on this machine (%w); run this where they are", err)
	}
	return nil
}

// Links recognises our own public URLs.
func (o *Operator) Links() repair.Links { return o.app.cdn }

// Prober asks other people's servers whether a picture is still there.
func (o *Operator) Prober() repair.Prober { return importer.New(o.app.cfg.TrustedHosts...) }

// Invalidator has the CDN forget pictures; nil when no distribution is
// configured.
func (o *Operator) Invalidator() repair.Invalidator {
	cfg := o.app.cfg
	if cfg.CloudFrontID == "" {
		return nil
	}
	return cdn.CloudFront{
		DistributionID: cfg.CloudFrontID, AccessKeyID: cfg.AWSAccessKeyID,
		SecretAccessKey: cfg.AWSSecretAccessKey.Reveal(), SessionToken: cfg.AWSSessionToken.Reveal(),
	}
}
