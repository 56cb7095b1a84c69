package editorial

// Recipe is how a picture was made: with the image's backend, model and seed,
// enough to make it again, or to see why another one came out.
type Recipe struct {
	Prompt         string  `json:"prompt"`                    // as it was asked
	SentPrompt     string  `json:"sent_prompt,omitempty"`     // as the generator got it
	NegativePrompt string  `json:"negative_prompt,omitempty"` // as it was asked
	SentNegative   string  `json:"sent_negative_prompt,omitempty"`
	Width          int     `json:"width"` // as it was asked, pixels
	Height         int     `json:"height"`
	Steps          int     `json:"steps,omitempty"` // 0: the generator's own
	Guidance       float64 `json:"guidance,omitempty"`
	Version        string  `json:"version,omitempty"`     // of the generator, where it tells
	DurationMS     int64   `json:"duration_ms,omitempty"` // from the request to the bytes
	// Resumed: an earlier worker had asked, so the duration is only that of
	// waiting for the rest.
	Resumed bool `json:"resumed,omitempty"`
}

// NearDuplicate is in how many of its 64 bits a perceptual hash may differ from
// another's for the two pictures to be worth a warning. The same picture saved,
// scaled or brightened anew stays well within it, and it is the most that four
// quarters of a hash find by one bit each; docs/decisions/near-duplicates.md
// has the measurements.
const NearDuplicate = 7

// Lookalike is another picture of the site that looks like this one, as it was
// found when this one was stored.
type Lookalike struct {
	ImageID  string `json:"image_id"`
	JobID    string `json:"job_id"`
	DraftID  string `json:"draft_id,omitempty"`
	PostID   string `json:"post_id,omitempty"` // the post that showed it then
	Title    string `json:"title,omitempty"`   // of what it was made for
	URL      string `json:"url"`
	Distance int    `json:"distance"` // differing bits of the hashes, 0 to NearDuplicate
}
