package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/cdn"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/picture"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/spool"
	"github.com/glad-labs/frontispiece/internal/telemetry"
	"github.com/glad-labs/frontispiece/tasks"
)

// Upload handles tasks.TypeUpload: it finishes the picture once, puts it and
// its renditions, fetches each back through its public URL, and only then says
// that it is stored.
func (w *Worker) Upload(ctx context.Context, p tasks.Payload) error {
	if why := w.breaker.open(); why != nil {
		return &queue.RetryAfter{Delay: probeEvery, Reason: why.Error()}
	}
	img, job, err := w.UploadRows.ClaimUpload(ctx, p.ID)
	if err != nil {
		return w.stop(ctx, editorial.Image{ID: p.ID}, err)
	}
	telemetry.Describe(ctx, "job.id", img.JobID, "image.id", img.ID)
	held, release := w.keeper.hold(ctx, img.Claim)
	defer release()
	u := &upload{Worker: w, img: img, job: job}
	objects, err := u.prepare(held)
	if err != nil {
		return u.failed(held, err)
	}
	defer closeAll(objects)
	if err := u.putAll(held, objects); err != nil {
		return u.failed(held, err)
	}
	if err := w.UploadRows.Stored(held, u.img); err != nil {
		return w.stop(ctx, img, err)
	}
	w.Metrics.Ended(telemetry.StagePut, w.Bucket.Name(), telemetry.OutcomeOK)
	w.Metrics.Took(telemetry.StageStored, img.Backend, time.Since(img.CreatedAt))
	if err := w.Spool.RemoveImage(img.ID); err != nil {
		// The sweeper takes it later; the picture is where it belongs.
		w.Log.WarnContext(ctx, "could not clear the spool", "image", img.ID, "error", err)
	}
	w.Log.InfoContext(ctx, "stored", "image", img.ID, "job", img.JobID, "attempt", img.Attempt, "url", u.img.URL)
	return nil
}

// upload is one picture being put under a claim.
type upload struct {
	*Worker
	img editorial.Image
	job editorial.Job
}

// object is a file of the spool on its way into the bucket. It is read as it is
// sent: dozens of uploads that wait for a slow bucket hold no picture in memory.
type object struct {
	key         string
	sha256      string
	contentType string
	size        int64
	file        io.ReadSeekCloser
}

func closeAll(objects []object) {
	for _, o := range objects {
		_ = o.file.Close() // only read
	}
}

// prepare returns what has to be put. The finished bytes are made once and kept
// in the spool with their digests in the row, so that a retry never encodes
// again and never puts other bytes under the same key.
func (u *upload) prepare(ctx context.Context) ([]object, error) {
	if u.img.SHA256 != "" {
		if objects, err := u.finished(); err == nil {
			return objects, nil
		}
		// Lost since: finishing the same raw bytes gives the same ones.
	}
	var files []*spool.Part
	err := u.timed(ctx, telemetry.StageFinish, "worker", func(ctx context.Context) (err error) {
		err = u.decoding(ctx, func() error {
			files, err = u.finish(ctx)
			return err
		})
		if err == nil {
			// The disk takes its time, and other pictures their turn meanwhile.
			err = u.Spool.Keep(files...)
		}
		return err
	})
	if err == nil {
		err = u.UploadRows.Finished(ctx, u.img)
	}
	if err != nil {
		for _, f := range files {
			_ = f.Close() // the first error is the one to tell
		}
		return nil, err
	}
	objects := u.objects()
	for i, f := range files {
		objects[i].file, objects[i].size = f, f.Bytes
	}
	return objects, nil
}

// objects are what the row says is finished, without their files.
func (u *upload) objects() []object {
	objects := []object{{key: u.img.Key, sha256: u.img.SHA256, contentType: u.img.ContentType}}
	for _, r := range u.img.Renditions {
		objects = append(objects, object{key: r.Key, sha256: r.SHA256, contentType: r.ContentType})
	}
	return objects
}

// finished opens what was finished, each file compared with its digest.
func (u *upload) finished() ([]object, error) {
	objects := u.objects()
	for i := range objects {
		file, entry, err := u.Spool.Open(u.img.ID, objects[i].sha256)
		if err != nil {
			closeAll(objects[:i])
			return nil, err
		}
		objects[i].file, objects[i].size = file, entry.Bytes
	}
	return objects, nil
}

// finish strips, marks and shrinks the raw picture, writes what comes of it and
// fills the image's facts accordingly. All of it happens in a place for work on
// pixels, the reading and the writing too, so that no more pictures are in
// memory than there are places. Keeping and closing the files, in the order of
// [upload.objects], is the caller's, after an error too.
func (u *upload) finish(ctx context.Context) (files []*spool.Part, err error) {
	raw, _, err := u.Spool.Read(u.img.ID, u.img.RawSHA256)
	if err != nil {
		return nil, fmt.Errorf("read the spool: %w", err)
	}
	write := func(e picture.Encoded) (sha256 string, err error) {
		f, err := u.Spool.Write(ctx, u.img.ID, nil, e.Bytes)
		if err != nil {
			return "", fmt.Errorf("spool the finished picture: %w", err)
		}
		files = append(files, f)
		return f.SHA256, nil
	}
	prov := provenance(u.img)
	original, err := picture.Finish(raw, prov)
	if err != nil {
		return nil, err
	}
	u.img.ContentType, u.img.Bytes, u.img.Renditions = original.ContentType, int64(len(original.Bytes)), nil
	if u.img.SHA256, err = write(original); err != nil || len(u.Renditions) == 0 {
		return files, err
	}
	facts, err := picture.Judge(raw, picture.Limits{})
	if err != nil {
		return files, err
	}
	u.img.Placeholder = picture.Placeholder(facts.Pixels)
	copies, err := picture.Renditions(facts.Pixels, u.Renditions, prov)
	if err != nil {
		return files, err
	}
	for _, c := range copies {
		key, err := blob.Key(u.img.Key).Rendition(c.Width, c.Ext)
		if err != nil {
			return files, err
		}
		digest, err := write(c)
		if err != nil {
			return files, err
		}
		u.img.Renditions = append(u.img.Renditions, editorial.Rendition{
			Key: string(key), SHA256: digest, ContentType: c.ContentType, Width: c.Width, Height: c.Height, Bytes: int64(len(c.Bytes)),
		})
	}
	return files, nil
}

// putAll puts every object and fetches each back through its public URL.
func (u *upload) putAll(ctx context.Context, objects []object) error {
	for _, o := range objects {
		if err := u.putOne(ctx, o); err != nil {
			return err
		}
	}
	u.img.URL = u.Delivery.URL(u.img.Key)
	u.img.Source = sourceName(u.img.Backend, u.Bucket)
	for i := range u.img.Renditions {
		u.img.Renditions[i].URL = u.Delivery.URL(u.img.Renditions[i].Key)
	}
	return nil
}

func (u *upload) putOne(ctx context.Context, o object) error {
	err := u.timed(ctx, telemetry.StagePut, u.Bucket.Name(), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, u.UploadTimeout)
		defer cancel()
		return u.Bucket.Put(ctx, blob.Object{
			Key: blob.Key(o.key), Body: o.file, Size: o.size, SHA256: o.sha256,
			ContentType: o.contentType, TaskID: u.img.DraftID, GeneratedAt: u.img.SpooledAt,
		})
	})
	if err != nil {
		return err
	}
	return u.timed(ctx, telemetry.StageFetchBack, "cdn", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, u.UploadTimeout)
		defer cancel()
		return u.Delivery.Verify(ctx, o.key, o.sha256, o.size)
	})
}

// timed measures and traces a step.
func (u *upload) timed(ctx context.Context, stage, provider string, step func(context.Context) error) error {
	ctx, end := telemetry.Start(ctx, strings.ReplaceAll(stage, "_", " "), "provider", provider)
	begun := time.Now()
	err := step(ctx)
	end(err)
	if err == nil {
		u.Metrics.Took(stage, provider, time.Since(begun))
	}
	return err
}

// failed decides what an upload's error means. The bytes are paid for, so
// nothing short of their loss makes the generator run again, and nothing short
// of UploadFor makes the upload fail.
func (u *upload) failed(ctx context.Context, err error) error {
	f := uploadFailure(err)
	var be *blob.Error
	if errors.As(err, &be) && be.Config {
		u.breaker.trip(f)
	}
	u.Metrics.Ended(telemetry.StagePut, f.Provider, string(f.Class))
	var pe *picture.Error
	switch {
	case claimLost(ctx):
		return nil
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		f.Class, f.Code, f.Message = editorial.Transient, "shutdown", "the worker was shut down"
		return u.later(ctx, u.img, f, 0, false)
	case errors.Is(err, spool.ErrNotFound), errors.Is(err, spool.ErrCorrupt):
		return u.lost(ctx)
	case errors.As(err, &pe):
		return u.giveUp(ctx, u.img, pictureFailure(err, editorial.StageUpload, "worker"))
	case f.Class == editorial.Terminal, time.Since(u.img.SpooledAt) > u.UploadFor:
		return u.giveUp(ctx, u.img, f)
	default:
		u.Metrics.UploadPutOff(f.Code)
		return u.later(ctx, u.img, f, queue.Backoff(u.img.Attempt, u.MaxWait), true)
	}
}

// lost has a picture made again whose bytes have vanished from the spool.
func (u *upload) lost(ctx context.Context) error {
	f := editorial.NewFailure("spool_lost", editorial.StageUpload, editorial.Terminal, "spool",
		"the picture's bytes are no longer in the spool, or damaged; it is being made again")
	if err := u.UploadRows.Replace(context.WithoutCancel(ctx), u.img, f); err != nil {
		return u.stop(ctx, u.img, err)
	}
	return nil
}

func uploadFailure(err error) *editorial.Failure {
	var be *blob.Error
	if errors.As(err, &be) {
		return editorial.NewFailure(be.Code, editorial.StageUpload, be.Class, "bucket", be.Message)
	}
	var ce *cdn.Error
	if errors.As(err, &ce) {
		return editorial.NewFailure(ce.Code, editorial.StageUpload, ce.Class, "cdn", ce.Message)
	}
	return editorial.NewFailure("upload_failed", editorial.StageUpload, editorial.Transient, "worker", err.Error())
}

// provenance is what the published file says about its origin.
func provenance(img editorial.Image) picture.Provenance {
	p := picture.Provenance{Tool: "Frontispiece (" + img.Backend + ")", SourceType: picture.SourceGenerated}
	switch img.Backend {
	case "card":
		p.SourceType = picture.SourceAlgorithm
	case "pexels":
		p.SourceType = picture.SourceCamera
	case "import":
		p.SourceType = picture.SourceUnknown
	}
	if img.Credit != nil {
		p.Creator, p.Credit, p.Rights, p.SourceURL = img.Credit.Author, img.Credit.Text(), img.Credit.License, img.Credit.PageURL
	}
	return p
}
