package desk

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// saying is what the page says after a form was carried out.
var saying = map[string]string{
	"published": "Approved and published.",
	"approved":  "Approved. It is published as soon as the picture is stored.",
	"repeated":  "That was decided already; nothing changed.",
	"rejected":  "Rejected. The draft waits under Rejected.",
	"another":   "Rejected, and new pictures are on their way.",
	"asked":     "New pictures are on their way.",
	"chosen":    "This is the draft's picture now. Publishing it still takes an approval.",
	"kept":      "The public picture stays. Nothing changes for readers.",
	"described": "The alternative text is saved.",
	"samples":   "Three sample drafts are on the desk.",
	"changed":   "Done.",
	"some":      "Done where it was possible; the others say why not.",
}

// titleOf is a problem's headline by its code, else by its kind.
var titleOf = map[string]string{
	"picture_changed":      "The picture has changed since you opened this page",
	"picture_superseded":   "Newer pictures have taken this one's place",
	"picture_failed":       "That picture has failed",
	"picture_canceled":     "That picture was canceled",
	"round_changed":        "Other pictures were asked for meanwhile",
	"already_published":    "This is published already",
	"wrong_status":         "This draft cannot be decided now",
	"empty_content":        "This draft has no text yet",
	"no_generator":         "Nothing can make this picture",
	"draft_approved":       "The approved draft waits for this picture",
	"job_final":            "That job has ended already",
	"nothing_failed":       "There is nothing to retry",
	"job_superseded":       "Newer pictures have taken this job's place",
	"draft_deleted":        "This draft was deleted",
	"cross_origin":         "Sent from another site",
	"role_required":        "Your role does not allow this",
	"missing_credentials":  "You are not signed in",
	"no_picture_on_screen": "There is no picture to approve yet",

	string(editorial.Invalid):      "Something in the form is not right",
	string(editorial.NotFound):     "There is nothing here",
	string(editorial.Gone):         "This is no longer here",
	string(editorial.Conflict):     "This has changed meanwhile",
	string(editorial.Mismatch):     "This form was sent before",
	string(editorial.Forbidden):    "This is not allowed",
	string(editorial.Unauthorized): "You are not signed in",
	string(editorial.Limited):      "Too much at once",
	string(editorial.Unavailable):  "This cannot be done at the moment",
	string(editorial.Full):         "There is no room left",
}

// stateWord is a picture's state in one word or two.
var stateWord = map[editorial.ImageState]string{
	editorial.StateQueued: "Waiting", editorial.StateGenerating: "Being made", editorial.StateUploading: "Being stored",
	editorial.StateStored: "Ready", editorial.StateFailed: "Failed", editorial.StateCanceled: "Canceled",
	editorial.StateSuperseded: "Replaced", editorial.StateRemoved: "Taken down",
}

// jobWord is a job's state likewise.
var jobWord = map[editorial.JobState]string{
	editorial.JobQueued: "Waiting", editorial.JobGenerating: "Being made", editorial.JobUploading: "Being stored",
	editorial.JobStored: "Ready", editorial.JobFailed: "Failed", editorial.JobCanceled: "Canceled",
	editorial.JobSuperseded: "Replaced",
}

// draftWord is a draft's status.
var draftWord = map[editorial.DraftStatus]string{
	editorial.DraftPending: "Being written", editorial.DraftAwaitingApproval: "Awaits a decision",
	editorial.DraftApproved: "Approved", editorial.DraftRejected: "Rejected", editorial.DraftPublished: "Published",
}

// statusWord is a draft's status in words; one that the site's pipeline
// invented is shown as it is.
func statusWord(s editorial.DraftStatus) string {
	if word := draftWord[s.Awaits()]; word != "" {
		return word
	}
	return strings.ReplaceAll(string(s), "_", " ")
}

// sentence is a message with a capital and a full stop.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return ""
	}
	s = string(unicode.ToUpper(first)) + s[size:]
	if last := s[len(s)-1]; last != '.' && last != '!' && last != '?' {
		s += "."
	}
	return s
}

// ago is how long something is past, as people say it.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := now.Sub(t)
	switch {
	case d < 45*time.Second:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", max(1, int(math.Round(d.Minutes()))))
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h ago", int(math.Round(d.Hours())))
	case d < 14*24*time.Hour:
		return plural(int(math.Round(d.Hours()/24)), "day") + " ago"
	default:
		return t.UTC().Format("2 Jan 2006")
	}
}

// when is a moment for a page: how long past it is, with the date itself for
// whoever points at it. Lists have hundreds, hence no template.
func when(t, now time.Time) template.HTML {
	return template.HTML(`<time datetime="` + t.UTC().Format("2006-01-02T15:04:05Z") + `" title="` + stamp(t) + `">` + ago(t, now) + `</time>`) //nolint:gosec // nothing but digits and our own words
}

// until is how long something still takes.
func until(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < 90*time.Second:
		return fmt.Sprintf("%d s", max(1, int(math.Round(d.Seconds()))))
	default:
		return fmt.Sprintf("%d min", int(math.Round(d.Minutes())))
	}
}

// stamp is a moment in full, for a time element's title.
func stamp(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") }

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// many is a count for a place that holds two digits and a sign.
func many(n int) string {
	if n > 99 {
		return "99+"
	}
	return strconv.Itoa(n)
}

// nth is a place in the queue.
func nth(n int) string {
	suffix := "th"
	switch {
	case n%100 >= 11 && n%100 <= 13:
	case n%10 == 1:
		suffix = "st"
	case n%10 == 2:
		suffix = "nd"
	case n%10 == 3:
		suffix = "rd"
	}
	return fmt.Sprintf("%d%s", n, suffix)
}
