package desk

import (
	"context"
	"encoding/base64"
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// candidate is a picture as the desk shows it, from the moment it was asked for.
type candidate struct {
	ID     string
	Number int
	Round  int
	State  editorial.ImageState
	Word   string
	// Pick is what an approval sends: the id and digest of this very picture.
	// Empty while there is nothing to approve.
	Pick    string
	Checked bool
	Public  bool // it is the one that readers see
	Old     bool // of an earlier round

	URL, Thumb, Srcset string
	Width, Height      int // of the picture, or as it was asked for
	FrameWidth         int // of the place that is kept free: as it was asked for
	FrameHeight        int
	Color              string
	Placeholder        template.URL

	Live    bool // still being made
	Percent int
	Status  string       // where it stands, in words
	Left    string       // how long it still takes, where that is known
	Preview template.URL // what there is to see so far
	Maker   []string     // who made it, with what
	Facts   []string     // what came of it
	Seed    int64
	Notices []notice
	Alt     string
	Credit  *editorial.Credit
	Failure *editorial.Failure
}

// notice is something to know before deciding.
type notice struct {
	Kind string // "warn" or "error"
	Text string
}

// Frame is a candidate's size for an element that keeps its place free.
func (c candidate) Frame() string { return fmt.Sprintf("0 0 %d %d", c.FrameWidth, c.FrameHeight) }

// Whole is the candidate with a place of the picture's own shape, as readers'
// pages have it, and not of the one that was asked for.
func (c candidate) Whole() candidate {
	c.FrameWidth, c.FrameHeight = c.Width, c.Height
	return c
}

// CreditText is the credit line to print beside the picture.
func (c candidate) CreditText() string { return c.Credit.Text() }

// CreditURL is where the credit leads.
func (c candidate) CreditURL() string {
	if c.Credit == nil {
		return ""
	}
	if c.Credit.PageURL != "" {
		return c.Credit.PageURL
	}
	return c.Credit.AuthorURL
}

// looker is what making candidates needs beside the rows.
type looker struct {
	now      time.Time
	queue    map[string]int // place in the queue, by image id
	progress map[string]editorial.Progress
	pace     time.Duration // that one picture takes, 0 when nothing tells
}

// looker reads, once for a page, what its live pictures have beside their rows.
func (d *Desk) looker(ctx context.Context, images ...[]editorial.Image) (looker, error) {
	l := looker{now: d.now()}
	var queued bool
	var generating []string
	var took []int64
	for _, list := range images {
		for i := range list {
			img := &list[i]
			queued = queued || img.State == editorial.StateQueued
			if img.State == editorial.StateGenerating {
				generating = append(generating, img.ID)
			}
			if img.Recipe != nil && img.Recipe.DurationMS > 0 && !img.Recipe.Resumed {
				took = append(took, img.Recipe.DurationMS)
			}
		}
	}
	if len(took) > 0 {
		slices.Sort(took)
		l.pace = time.Duration(took[len(took)/2]) * time.Millisecond
	}
	if d.Progress != nil && len(generating) > 0 {
		l.progress = d.Progress.Of(ctx, generating...)
	}
	if !queued {
		return l, nil
	}
	head, err := d.Store.QueueHead(ctx)
	l.queue = make(map[string]int, len(head))
	for i, id := range head {
		l.queue[id] = i + 1
	}
	return l, err
}

// candidate makes one picture's view. req is what was asked for.
func (l looker) candidate(img editorial.Image, req editorial.Request) candidate {
	c := candidate{
		ID: img.ID, Number: img.Number, Round: img.Round, State: img.State, Word: stateWord[img.State],
		Width: img.Width, Height: img.Height, Color: safeColor(img.Color), Placeholder: safePlaceholder(img.Placeholder),
		Live: !img.State.IsFinal(), Seed: img.Seed, Alt: img.AltText, Credit: img.Credit, Failure: img.Failure,
	}
	c.FrameWidth, c.FrameHeight = max(req.Width, 1), max(req.Height, 1)
	if c.Width == 0 || c.Height == 0 {
		c.Width, c.Height = c.FrameWidth, c.FrameHeight
	}
	if img.State == editorial.StateStored {
		c.Pick = img.ID + ":" + img.SHA256
		c.URL, c.Thumb, c.Srcset = img.URL, thumbOf(img), dispatch.Srcset(img)
	}
	c.Percent, c.Left = l.percent(img)
	c.Status = l.status(img)
	c.Preview = safePreview(l.progress[img.ID].Preview)
	c.Maker, c.Facts = makerOf(img), factsOf(img)
	c.Notices = noticesOf(img)
	return c
}

// thumbOf is the smallest copy, else the picture itself.
func thumbOf(img editorial.Image) string {
	if len(img.Renditions) == 0 || img.Renditions[0].URL == "" {
		return img.URL
	}
	smallest := slices.MinFunc(img.Renditions, func(a, b editorial.Rendition) int { return a.Width - b.Width })
	return smallest.URL
}

// status is where a picture stands, in words.
func (l looker) status(img editorial.Image) string {
	if img.Failure != nil && !img.State.IsFinal() {
		wait := until(img.NextAttemptAt.Sub(l.now))
		if wait == "" {
			return "Trying again now"
		}
		return "Trying again in " + wait
	}
	switch img.State {
	case editorial.StateQueued:
		place := l.queue[img.ID]
		switch {
		case place == 1:
			return "Next in the queue"
		case place > 1:
			return nth(place) + " in the queue"
		default:
			return fmt.Sprintf("In the queue, behind %d others", store.MaxQueuePosition)
		}
	case editorial.StateGenerating:
		return making(img, l.progress[img.ID])
	case editorial.StateUploading:
		return "Being stored and checked"
	default:
		return stateWord[img.State]
	}
}

// stagePercent is how far a picture is by its state alone.
var stagePercent = map[editorial.ImageState]int{editorial.StateGenerating: 10, editorial.StateUploading: 85}

// The part of the whole way that a generator takes, in percent.
const (
	makingFrom = 10
	makingTo   = 80
)

// percent is how far a picture is and how long it still takes, as far as
// anything tells: the generator itself, else how long others took.
func (l looker) percent(img editorial.Image) (percent int, left string) {
	percent = stagePercent[img.State]
	switch {
	case img.State.IsFinal():
		return 100, ""
	case img.State == editorial.StateQueued && img.Failure == nil:
		if place := l.queue[img.ID]; place > 0 && l.pace >= time.Second {
			left = "about " + until(time.Duration(place)*l.pace)
		}
	case img.State == editorial.StateGenerating:
		p, ok := l.progress[img.ID]
		if ok && p.Percent != nil {
			percent = makingFrom + *p.Percent*(makingTo-makingFrom)/100
			if elapsed := l.now.Sub(img.UpdatedAt); *p.Percent >= 5 && elapsed > time.Second {
				left = until(elapsed*time.Duration(100-*p.Percent)/time.Duration(*p.Percent)) + " left"
			}
		} else if remaining := l.pace - l.now.Sub(img.UpdatedAt); l.pace >= time.Second && remaining > 0 {
			left = "about " + until(remaining) + " left"
		}
	}
	return percent, left
}

// making says who makes a picture and where that stands.
func making(img editorial.Image, p editorial.Progress) string {
	who := firstOf(p.Generator, img.Backend)
	if who == "" {
		return "Being made"
	}
	if p.Steps > 0 {
		return fmt.Sprintf("%s: step %d of %d", who, p.Step, p.Steps)
	}
	if p.Stage != "" && p.Stage != "generating" {
		return who + ": " + p.Stage
	}
	return "Being made by " + who
}

// makerOf says who made a picture, and with which model where that says more.
func makerOf(img editorial.Image) []string {
	if img.Backend == "" {
		return nil
	}
	if img.Model == "" || img.Model == img.Backend || strings.HasPrefix(img.Model, img.Backend+"/") {
		return []string{img.Backend}
	}
	return []string{img.Backend, img.Model}
}

// factsOf says what a picture is.
func factsOf(img editorial.Image) []string {
	var facts []string
	if img.State == editorial.StateStored {
		facts = append(facts, fmt.Sprintf("%d × %d", img.Width, img.Height), size(img.Bytes))
	}
	return append(facts, "seed "+seedText(img.Seed))
}

// noticesOf are the things that promise P9 and common sense want said.
func noticesOf(img editorial.Image) []notice {
	var list []notice
	if len(img.Steps) > 0 && img.State != editorial.StateFailed { // a failure says it itself
		last := img.Steps[len(img.Steps)-1]
		text := "Not what was asked for first: " + last.Backend + " could not (" + strings.TrimRight(last.Failure.Message, ".") + ")"
		if img.Backend != "" && img.Backend != last.Backend {
			text += ", so " + img.Backend + " made it"
		}
		list = append(list, notice{"warn", text + "."})
	}
	if len(img.Lookalikes) > 0 {
		list = append(list, notice{"warn", lookalikeText(img.Lookalikes)})
	}
	if img.State == editorial.StateRemoved {
		list = append(list, notice{"warn", "Taken down: its files are deleted, and nobody can choose it any more."})
	}
	if f := img.Failure; f != nil {
		kind := "warn"
		if img.State == editorial.StateFailed {
			kind = "error"
		}
		list = append(list, notice{kind, failureText(f)})
	}
	return list
}

// lookalikeText warns of a picture that readers may think they have seen.
func lookalikeText(others []editorial.Lookalike) string {
	first := others[0]
	text := "Looks very much like another picture"
	switch {
	case first.Title != "" && first.PostID != "":
		text = "Looks very much like the picture of the post “" + editorial.Clip(first.Title, 80) + "”"
	case first.Title != "":
		text = "Looks very much like a picture of “" + editorial.Clip(first.Title, 80) + "”"
	}
	if n := len(others) - 1; n > 0 {
		text += " and " + plural(n, "other")
	}
	return text + "."
}

// failureText says what went wrong and where, with the code that documentation
// and logs know it by.
func failureText(f *editorial.Failure) string {
	return fmt.Sprintf("%s (%s at %s: %s)", sentence(f.Message), f.Provider, f.Stage, f.Code)
}

func size(bytes int64) string {
	switch {
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20))
	default:
		return fmt.Sprintf("%d kB", max(1, bytes>>10))
	}
}

// latest leaves out pictures that were made again under a new key: of each
// number the newest counts.
func latest(images []editorial.Image) []editorial.Image {
	list := make([]editorial.Image, 0, len(images))
	for _, img := range images {
		if n := len(list); n > 0 && list[n-1].Number == img.Number && list[n-1].Round == img.Round {
			list[n-1] = img
			continue
		}
		list = append(list, img)
	}
	return list
}

var colorPattern = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// safeColor is a colour that may stand in an SVG's attribute.
func safeColor(s string) string {
	if !colorPattern.MatchString(s) {
		return ""
	}
	return s
}

// safePlaceholder and safePreview let through small data: URLs of pictures and
// nothing else: html/template trusts what is a template.URL.
func safePlaceholder(s string) template.URL { return safeData(s, 4<<10) }

func safePreview(s string) template.URL { return safeData(s, 2*editorial.MaxPreview) }

func safeData(s string, most int) template.URL {
	kind, body, ok := strings.Cut(s, ";base64,")
	if !ok || len(s) > most || !slices.Contains([]string{"data:image/png", "data:image/jpeg", "data:image/webp"}, kind) {
		return ""
	}
	if _, err := base64.StdEncoding.DecodeString(body); err != nil {
		return ""
	}
	return template.URL(s) //nolint:gosec // checked above, byte by byte
}
