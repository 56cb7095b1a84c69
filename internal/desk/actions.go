package desk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// maxReason bounds what an editor may say, in characters.
const maxReason = 2000

// approve publishes a draft with the picture that stood on the page.
func (d *Desk) approve(w http.ResponseWriter, r *http.Request) error {
	imageID, digest, ok := strings.Cut(r.PostForm.Get("pick"), ":")
	if !ok || imageID == "" || digest == "" {
		return d.draftPage(w, r, &editorial.Error{
			Kind: editorial.Conflict, Code: "no_picture_on_screen",
			Message: "an approval is for a picture that you have seen; wait for one, or ask for new ones",
		})
	}
	dec := d.decision(r)
	dec.Approved, dec.ImageID, dec.SHA256 = true, imageID, digest
	o, err := d.decide(r.Context(), dec)
	if err != nil {
		return d.draftPage(w, r, err)
	}
	said := "approved"
	switch {
	case o.Repeated:
		said = "repeated"
	case o.State.PublishedImageID == imageID:
		said = "published"
	}
	return redirect(w, r, d.after(r), said)
}

// reject says no, with a reason, and asks for other pictures where that was
// ticked.
func (d *Desk) reject(w http.ResponseWriter, r *http.Request) error {
	dec := d.decision(r)
	if dec.Feedback == "" {
		return d.draftPage(w, r, editorial.Invalidf("reason", "say why, so that whoever wrote the draft knows what to change"))
	}
	seen, err := strconv.Atoi(r.PostForm.Get("round"))
	if err != nil {
		return d.draftPage(w, r, editorial.Invalidf("round", "the form does not say which pictures were on the page; reload it"))
	}
	dec.SeenRound, dec.NewRound = &seen, r.PostForm.Get("new_round") != ""
	o, err := d.decide(r.Context(), dec)
	if err != nil {
		return d.draftPage(w, r, err)
	}
	switch {
	case o.JobID != "":
		return redirect(w, r, draftPath(dec.DraftID), "another")
	case o.Repeated:
		return redirect(w, r, d.after(r), "repeated")
	default:
		return redirect(w, r, d.after(r), "rejected")
	}
}

func (d *Desk) decision(r *http.Request) dispatch.Decision {
	return dispatch.Decision{
		DraftID: r.PathValue("id"), Feedback: strings.TrimSpace(r.PostForm.Get("reason")),
		Reviewer: reviewer(r.Context()), Caller: caller(r.Context()),
	}
}

func (d *Desk) decide(ctx context.Context, dec dispatch.Decision) (dispatch.Outcome, error) {
	if err := editorial.ValidText("reason", dec.Feedback, 0, maxReason); err != nil {
		return dispatch.Outcome{}, err
	}
	return d.Dispatch.Decide(ctx, dec)
}

// after is where an editor goes on: the list that the form was sent from, else
// the draft itself.
func (d *Desk) after(r *http.Request) string {
	if back := r.PostForm.Get("back"); back != "" {
		return ownPath(back)
	}
	return draftPath(r.PathValue("id"))
}

// choose takes an earlier picture back: it becomes the draft's, and publishing
// it takes an approval like any other.
func (d *Desk) choose(w http.ResponseWriter, r *http.Request) error {
	id, imageID := r.PathValue("id"), r.PostForm.Get("image")
	if err := d.Dispatch.Choose(r.Context(), id, imageID, caller(r.Context())); err != nil {
		return d.draftPage(w, r, err)
	}
	states, err := d.Store.DraftImagesOf(r.Context(), []string{id})
	if err != nil {
		return err
	}
	said := "chosen"
	if states[id].PublishedImageID == imageID {
		said = "kept"
	}
	return redirect(w, r, draftPath(id), said)
}

// copyPicture brings the picture that a draft names elsewhere into our storage,
// as a round of its own.
func (d *Desk) copyPicture(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	draft, err := d.Store.Draft(r.Context(), id)
	if err != nil {
		return d.noDraft(r.Context(), id)
	}
	if _, err := d.Dispatch.SetPicture(r.Context(), id, draft.PictureURL(), caller(r.Context())); err != nil {
		return d.draftPage(w, r, err)
	}
	return redirect(w, r, draftPath(id), "asked")
}

// describe changes a picture's alternative text.
func (d *Desk) describe(w http.ResponseWriter, r *http.Request) error {
	img, err := d.Dispatch.Describe(r.Context(), r.PathValue("id"), r.PostForm.Get("alt"), caller(r.Context()))
	if err != nil {
		return err
	}
	back := "/desk/jobs/" + img.JobID
	if img.DraftID != "" {
		back = draftPath(img.DraftID)
	}
	return redirect(w, r, back, "described")
}

// askForPictures starts a round as the form says: the last one's request with
// whatever was changed in it.
func (d *Desk) askForPictures(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	rounds, err := d.Store.PresentRounds(r.Context(), []string{id})
	if err != nil {
		return err
	}
	draft, err := d.Store.Draft(r.Context(), id)
	if err != nil {
		return d.noDraft(r.Context(), id)
	}
	req := editorial.Request{UseStock: true, UseGeneration: true, Title: editorial.Clip(draft.Title(), editorial.MaxTitle)}
	if job, ok := rounds[id]; ok {
		req = job.Request
		req.SourceURL, req.Page = "", job.Request.Page%editorial.MaxPage+1 // of stock photos, the next ones
	}
	if err := d.fill(&req, r); err != nil {
		return d.draftPage(w, r, err)
	}
	_, _, err = d.Dispatch.Submit(r.Context(), dispatch.Submission{
		Request: req, DraftID: id, Caller: caller(r.Context()), Key: keyOf(r),
	})
	if err != nil {
		return d.draftPage(w, r, err)
	}
	return redirect(w, r, draftPath(id), "asked")
}

// fill puts what the form says into a request.
func (d *Desk) fill(req *editorial.Request, r *http.Request) error {
	f := r.PostForm
	// What a rejection had added stood in the prompt's field, to be edited.
	req.Instruction, req.Prompt, req.NegativePrompt = "", strings.TrimSpace(f.Get("prompt")), strings.TrimSpace(f.Get("negative"))
	if f.Has("size") {
		width, height, ok := strings.Cut(f.Get("size"), "x")
		var errW, errH error
		req.Width, errW = strconv.Atoi(width)
		req.Height, errH = strconv.Atoi(height)
		if !ok || errW != nil || errH != nil {
			return editorial.Invalidf("size", "must be one of the sizes in the list")
		}
	}
	req.Seed = nil
	if s := strings.TrimSpace(f.Get("seed")); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return editorial.Invalidf("seed", "must be a whole number between 0 and %d, or empty for another one", int64(editorial.MaxSeed))
		}
		req.Seed = &n
	}
	if f.Has("count") {
		n, err := strconv.Atoi(f.Get("count"))
		if err != nil || n < 1 || n > editorial.MaxCount {
			return editorial.Invalidf("count", "must be 1 to %d", editorial.MaxCount)
		}
		req.Count = n
	}
	return d.setSource(req, f.Get("source"))
}

// sources are who can be asked for a picture; the empty one is whoever is first
// in the usual order.
func (d *Desk) sources() []sourceChoice {
	list := []sourceChoice{{"", "Any, in the usual order"}}
	for _, name := range d.Generators {
		list = append(list, sourceChoice{name, name})
	}
	return list
}

func (d *Desk) setSource(req *editorial.Request, source string) error {
	if source != "" && !slices.Contains(d.Generators, source) {
		return editorial.Invalidf("source", "must be one of the generators in the list")
	}
	req.UseStock, req.UseGeneration, req.Generator = true, true, source
	return nil
}

// keyOf makes a form that is sent twice one request: the token is the page's,
// and the fields are in it, so that a form changed after going back is another.
func keyOf(r *http.Request) *dispatch.IdempotencyKey {
	token := r.PostForm.Get("token")
	if token == "" {
		return nil
	}
	body := digest(r.PostForm.Encode())
	return &dispatch.IdempotencyKey{Scope: digest(fmt.Sprintf("desk\x00%s\x00%s\x00%s", caller(r.Context()), r.URL.Path, body)), BodySHA256: body}
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func sizeValue(req editorial.Request) string { return fmt.Sprintf("%dx%d", req.Width, req.Height) }

func seedText(seed int64) string { return strconv.FormatInt(seed, 10) }
