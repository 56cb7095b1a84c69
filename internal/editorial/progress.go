package editorial

import "time"

// Progress is how far a picture is that is being made. No row keeps it: it is
// worth nothing once the picture is there, and a generator tells it twice a
// second. Whoever shows it must do without, too.
type Progress struct {
	// Generator is the one that is being asked.
	Generator string `json:"generator"`
	// Percent is 0 to 100, nil while the generator does not tell.
	Percent *int `json:"percent,omitempty"`
	// Stage is a word or two for a person: "generating", "queued, place 3".
	Stage string `json:"stage"`
	Step  int    `json:"step,omitempty"`
	Steps int    `json:"steps,omitempty"` // 0: not told, and neither is Step
	// Preview is a data: URL of what there is to see so far; empty for none.
	Preview string    `json:"preview,omitempty"`
	At      time.Time `json:"at"`
}

// MaxPreview bounds a preview, in bytes of the picture: it is sent with every
// look at the job.
const MaxPreview = 48 << 10
