package editorial

import "slices"

// ImageState is where one candidate stands. The zero value is not a state.
type ImageState string

// The states of an image, in the order in which it passes them. The last five
// are final: only an operator's retry leaves StateFailed, the reaper and a
// takedown remove what ended in any of the others, and nothing leaves
// StateRemoved.
const (
	StateQueued     ImageState = "queued"
	StateGenerating ImageState = "generating"
	StateUploading  ImageState = "uploading" // the bytes are in a spool and paid for
	StateStored     ImageState = "stored"    // the public URL was fetched back and matched
	StateFailed     ImageState = "failed"
	StateCanceled   ImageState = "canceled"
	StateSuperseded ImageState = "superseded" // a newer round exists
	StateRemoved    ImageState = "removed"    // its objects are deleted, or about to be; its key stays taken
)

// ImageStates lists every state in the order of a picture's life.
var ImageStates = []ImageState{
	StateQueued, StateGenerating, StateUploading,
	StateStored, StateFailed, StateCanceled, StateSuperseded, StateRemoved,
}

// imageTransitions is the one table of what may follow what. docs/states.md is
// drawn from it and a test walks the whole matrix.
var imageTransitions = map[ImageState][]ImageState{
	StateQueued: {StateGenerating, StateCanceled, StateSuperseded},
	// Back to queued: a transient error, a spent lease, a worker drained.
	StateGenerating: {StateQueued, StateUploading, StateFailed, StateCanceled},
	// Never back to queued: the bytes exist. Superseded only when their spool
	// is lost and a new image row takes over, under a new key.
	StateUploading: {StateStored, StateFailed, StateCanceled, StateSuperseded},
	StateStored:    {StateRemoved},
	// Retry re-enters at the stage that failed.
	StateFailed:     {StateQueued, StateUploading, StateRemoved},
	StateCanceled:   {StateRemoved},
	StateSuperseded: {StateRemoved},
}

// CanBecome reports whether next may follow s. A state never follows itself.
func (s ImageState) CanBecome(next ImageState) bool {
	return slices.Contains(imageTransitions[s], next)
}

// Next lists the states that may follow s, nil for one that nothing leaves.
func (s ImageState) Next() []ImageState { return slices.Clone(imageTransitions[s]) }

// IsFinal reports whether no worker will touch the image again by itself.
func (s ImageState) IsFinal() bool {
	switch s {
	case StateStored, StateFailed, StateCanceled, StateSuperseded, StateRemoved:
		return true
	default:
		return false
	}
}

// JobState is where a request as a whole stands. It is derived from the states
// of the job's images by [JobStateOf] and stored only so that it can be listed.
type JobState string

// The states of a job.
const (
	JobQueued     JobState = "queued"
	JobGenerating JobState = "generating"
	JobUploading  JobState = "uploading"
	JobStored     JobState = "stored" // all images are final and at least one is stored
	JobFailed     JobState = "failed" // all images are final and none is stored
	JobCanceled   JobState = "canceled"
	JobSuperseded JobState = "superseded" // said at once when a newer round starts
)

// JobStates lists every job state in the order of a job's life.
var JobStates = []JobState{
	JobQueued, JobGenerating, JobUploading, JobStored, JobFailed, JobCanceled, JobSuperseded,
}

// IsFinal reports whether the job has ended.
func (s JobState) IsFinal() bool {
	switch s {
	case JobStored, JobFailed, JobCanceled, JobSuperseded:
		return true
	default:
		return false
	}
}

// JobStateOf derives a job's state from its images. A job that a newer round
// superseded or a client canceled stays so, whatever its spooled pictures still
// do; that is the caller's to check, because the images alone cannot tell.
func JobStateOf(images []ImageState) JobState {
	count := make(map[ImageState]int, len(images))
	for _, s := range images {
		count[s]++
	}
	live := 0
	for s, n := range count {
		if !s.IsFinal() {
			live += n
		}
	}
	switch {
	case live > 0 && count[StateGenerating] > 0:
		return JobGenerating
	case live > 0 && count[StateUploading] > 0:
		return JobUploading
	case live > 0:
		return JobQueued
	case count[StateStored] > 0:
		return JobStored
	case count[StateFailed] > 0:
		return JobFailed
	case count[StateCanceled] > 0:
		return JobCanceled
	default:
		return JobSuperseded
	}
}

// DraftStatus is content_tasks.status, in the seed's words.
type DraftStatus string

// The statuses that mean something here. The site's pipeline writes others;
// they are kept as they are and only answered with a conflict.
const (
	DraftPending          DraftStatus = "pending"
	DraftAwaitingApproval DraftStatus = "awaiting_approval"
	DraftApproved         DraftStatus = "approved"
	DraftRejected         DraftStatus = "rejected"
	DraftPublished        DraftStatus = "published"
)

// Awaits is s with the site pipeline's synonyms resolved: completed, generated
// and ready_to_publish all count as awaiting approval.
func (s DraftStatus) Awaits() DraftStatus {
	if slices.Contains(AwaitingStatuses, s) {
		return DraftAwaitingApproval
	}
	return s
}

// draftTransitions says which decision a draft may take. A published draft
// stays published while a newer round waits for its own approval.
var draftTransitions = map[DraftStatus][]DraftStatus{
	DraftAwaitingApproval: {DraftApproved, DraftRejected},
	DraftRejected:         {DraftAwaitingApproval, DraftApproved},
	// Back to awaiting approval: a new round started before publishing and the
	// approval had named a picture of the old one.
	DraftApproved: {DraftPublished, DraftRejected, DraftAwaitingApproval},
	DraftPending:  {DraftAwaitingApproval},
}

// CanBecome reports whether a draft in status s may be moved to next by us.
func (s DraftStatus) CanBecome(next DraftStatus) bool {
	return slices.Contains(draftTransitions[s.Awaits()], next)
}

// DraftStatuses lists the statuses that the rules speak of.
var DraftStatuses = []DraftStatus{
	DraftPending, DraftAwaitingApproval, DraftApproved, DraftRejected, DraftPublished,
}

// Stage is the part of a job's way in which something happened.
type Stage string

// The stages.
const (
	StageGenerate Stage = "generate"
	StageUpload   Stage = "upload"
	StagePublish  Stage = "publish"
	StageNotify   Stage = "notify"
)

// AwaitingStatuses are the stored statuses that count as awaiting approval.
var AwaitingStatuses = []DraftStatus{DraftAwaitingApproval, "completed", "generated", "ready_to_publish"}
