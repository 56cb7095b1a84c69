// Package tasks is the contract between the API and the workers: the names of
// the task types, what travels in Redis and in which queues. Other programs may
// import it to ring Frontispiece's workers.
//
// A payload holds ids only. The row in the database is the truth and the task
// a doorbell: a worker that is woken reads the row and decides for itself, so a
// task may be lost, doubled or late without harm.
package tasks

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Task types, noun:verb as asynq spells them.
const (
	TypeGenerate = "image:generate"
	TypeUpload   = "image:upload"
	TypeNotify   = "post:notify"
)

// Queues. Uploads go to "upload-<spool id>", one queue a spool, see
// [UploadQueue]; backfills stand behind fresh jobs in a queue of their own.
const (
	QueueGenerate = "generate"
	QueueBackfill = "backfill"
	QueueNotify   = "notify"

	uploadPrefix = "upload-"
)

// UploadQueue names the queue of the workers that can read a spool's bytes.
func UploadQueue(spoolID string) string { return uploadPrefix + spoolID }

// SpoolOf is the inverse of [UploadQueue]; ok is false for any other queue.
func SpoolOf(queue string) (spoolID string, ok bool) { return strings.CutPrefix(queue, uploadPrefix) }

// Version is the payload's, raised when an older worker could not understand a
// newer payload. A worker that meets a higher one leaves the task for others.
const Version = 1

// Payload is what travels: an id and how often it was rung.
type Payload struct {
	Version int    `json:"v"`
	ID      string `json:"id"`    // of the image, or of the delivery for TypeNotify
	Epoch   int64  `json:"epoch"` // of the row when this task was rung
}

// NewPayload is the payload of a row's epoch.
func NewPayload(id string, epoch int64) Payload {
	return Payload{Version: Version, ID: id, Epoch: epoch}
}

// TaskID is the asynq task id: the same row is rung anew under a new one,
// because asynq keeps an id taken while a task is archived.
func (p Payload) TaskID() string { return p.ID + "." + strconv.FormatInt(p.Epoch, 10) }

// Encode is the wire form, pinned by golden files.
func (p Payload) Encode() []byte {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // unreachable: two numbers and a string
	}
	return b
}

// ErrVersion is returned for a payload from a newer program.
var ErrVersion = errors.New("payload from a newer version")

// Decode reads a payload. It returns [ErrVersion] when a newer program wrote
// it and another error when nobody could ever read it.
func Decode(b []byte) (Payload, error) {
	var p Payload
	if err := json.Unmarshal(b, &p); err != nil {
		return Payload{}, fmt.Errorf("decode payload: %w", err)
	}
	if p.Version > Version {
		return p, fmt.Errorf("payload version %d, this worker knows %d: %w", p.Version, Version, ErrVersion)
	}
	if p.Version < 1 || p.ID == "" || p.Epoch < 0 {
		return Payload{}, fmt.Errorf("payload without version, id or epoch: %.100q", b)
	}
	return p, nil
}
