package v1

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// ImageProgress is the data of a stream's image.progress, which is in no
// history: what was missed is of no use.
type ImageProgress struct {
	JobID   string `json:"job_id"`
	ImageID string `json:"image_id"`
	CandidateProgress
}

func picturesOf(job editorial.Job) []string {
	ids := make([]string, len(job.Images))
	for i, img := range job.Images {
		ids[i] = img.ID
	}
	return ids
}

func (s *stream) watchProgress() (further <-chan struct{}, stop func()) {
	if s.endless || s.api.Progress == nil || s.api.WatchProgress == nil {
		return nil, func() {}
	}
	return s.api.WatchProgress(s.filter.JobID)
}

// sendProgress sends how far the pictures are that got further, without an id:
// a client that connects again goes on after the last event of the history.
func (s *stream) sendProgress(ctx context.Context) error {
	// All who follow a job are told at once, and look once.
	known, err, _ := s.api.looks.Do(s.filter.JobID, func() (any, error) {
		return s.api.Progress.Of(context.WithoutCancel(ctx), s.pictures...), nil
	})
	if err != nil {
		return err
	}
	for _, id := range s.pictures {
		p, ok := known.(map[string]editorial.Progress)[id]
		if !ok || !p.At.After(s.shown[id]) {
			continue
		}
		if s.shown == nil {
			s.shown = make(map[string]time.Time)
		}
		s.shown[id] = p.At
		data, err := json.Marshal(ImageProgress{JobID: s.filter.JobID, ImageID: id, CandidateProgress: CandidateProgress(p)})
		if err != nil {
			return fmt.Errorf("encode progress: %w", err)
		}
		if err := s.send(fmt.Appendf(nil, "event: image.progress\ndata: %s\n\n", data)); err != nil {
			return err
		}
	}
	return nil
}
