package desk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// maxHistory bounds the lines of a history that a page shows.
const maxHistory = 200

// historyLine is one thing that happened, and who did it.
type historyLine struct {
	At     time.Time
	Who    string // a person or a generator; empty for the service itself
	What   string
	Detail string // a reason or an error, in somebody's own words
	Kind   string // "good", "bad" or empty: the mark beside it
	Round  int
}

// historyOf merges decisions and events, newest first. Events know callers by
// their ids only; names are what is known of those, by id.
func historyOf(approvals []editorial.Approval, events []editorial.JobEvent, images []editorial.Image, names map[string]string) []historyLine {
	numbers := numbersOf(images)
	var lines []historyLine
	for _, a := range approvals {
		lines = append(lines, approvalLine(a, numbers))
	}
	for _, e := range events {
		if line, ok := eventLine(e, numbers); ok {
			line.Who = firstOf(names[line.Who], line.Who)
			lines = append(lines, line)
		}
	}
	slices.SortStableFunc(lines, func(a, b historyLine) int { return b.At.Compare(a.At) })
	return lines
}

// namesOf are the names of whoever has decided here, and of the reader.
func namesOf(ctx context.Context, approvals []editorial.Approval) map[string]string {
	names := map[string]string{caller(ctx): reviewer(ctx)}
	for _, a := range approvals {
		if a.Caller != "" && a.Reviewer != "" {
			names[a.Caller] = a.Reviewer
		}
	}
	return names
}

// numbersOf says how pictures are called: by round and number.
func numbersOf(images []editorial.Image) map[string]string {
	numbers := make(map[string]string, len(images))
	for _, img := range images {
		numbers[img.ID] = fmt.Sprintf("picture %d", img.Number)
		if img.Round > 0 {
			numbers[img.ID] += fmt.Sprintf(" of round %d", img.Round)
		}
	}
	return numbers
}

func approvalLine(a editorial.Approval, numbers map[string]string) historyLine {
	line := historyLine{At: a.DecidedAt, Who: firstOf(a.Reviewer, a.Caller, "somebody"), What: "rejected the draft", Detail: a.Feedback, Kind: "bad"}
	if !a.Approved {
		return line
	}
	line.What, line.Kind = "approved the draft", "good"
	if name := numbers[a.ImageID]; name != "" {
		line.What += " with " + name
	}
	return line
}

// decisionLine is the last decision in one sentence.
func decisionLine(a editorial.Approval, images []editorial.Image) string {
	line := approvalLine(a, numbersOf(images))
	s := line.Who + " " + line.What
	if line.Detail != "" {
		s += ": " + line.Detail
	}
	return s
}

// eventLine is an event in words. Steps that only the machine cares about are
// left out: the jobs' own pages list them.
func eventLine(e editorial.JobEvent, numbers map[string]string) (historyLine, bool) {
	text := func(name string) string { s, _ := e.Data[name].(string); return s }
	picture := firstOf(numbers[e.ImageID], "a picture")
	line := historyLine{At: e.At, Who: text("by")}
	switch e.Type {
	case "job.queued":
		n, _ := e.Data["count"].(float64)
		line.What = "asked for " + plural(int(n), "picture")
		if line.Who == "" {
			line.What = plural(int(n), "picture") + " asked for"
		}
		if round, ok := e.Data["round"].(float64); ok {
			line.What += fmt.Sprintf(", round %d", int(round))
		}
	case "image.stored":
		line.What, line.Kind = picture+" is ready", "good"
	case "image.failed":
		line.What, line.Detail, line.Kind = picture+" failed", messageIn(e.Data), "bad"
	case "image.chosen":
		line.What = "took " + picture
	case "image.described":
		line.What, line.Detail = "described "+picture, text("alt_text")
	case "image.removed":
		line.What, line.Detail, line.Kind = "took down "+picture, text("why"), "bad"
		if line.Who == "" {
			line.What = picture + " was taken down"
		}
	case "image.retried":
		line.What = "retried " + picture
	case "job.canceled", "image.canceled":
		line.What = picture + " was canceled"
		if e.ImageID == "" {
			return line, false
		}
	case "job.superseded":
		line.What = "newer pictures took the round's place"
	case "post.published":
		line.What, line.Kind = "the post is public, with "+picture, "good"
	case "post.updated":
		line.What = "the post was updated, with " + picture
	default:
		return line, false
	}
	return line, true
}

// messageIn finds what a failure's event says.
func messageIn(data map[string]any) string {
	for _, name := range []string{"message", "error", "reason"} {
		if s, ok := data[name].(string); ok && s != "" {
			return s
		}
	}
	if f, ok := data["failure"].(map[string]any); ok {
		return messageIn(f)
	}
	return ""
}

// everyLine is a job's whole history: every event, also those without words of
// their own.
func everyLine(e editorial.JobEvent, numbers map[string]string) historyLine {
	if line, ok := eventLine(e, numbers); ok {
		return line
	}
	what := strings.ReplaceAll(strings.ReplaceAll(e.Type, ".", " "), "_", " ")
	if name := numbers[e.ImageID]; name != "" {
		what = name + ": " + strings.TrimPrefix(what, "image ")
	}
	return historyLine{At: e.At, What: what, Detail: messageIn(e.Data)}
}
