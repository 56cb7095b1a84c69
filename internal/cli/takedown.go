package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/repair"
)

type takedownCmd struct {
	Picture string `arg:"" help:"The image's id, its key, or its URL."`
	Yes     bool   `help:"Do it. It cannot be undone."`
	Plan    bool   `help:"Only say what would change, which is also what happens without --yes."`
	Reason  string `help:"Why, for the job's history." placeholder:"TEXT"`
	JSON    bool   `help:"Print JSON, for programs."`
}

const maxReason = 500

// Help is what --help says below the usage.
func (*takedownCmd) Help() string {
	return `Examples:

    frontispiece takedown https://cdn.example/generated/1795676618-c072443b.png
    frontispiece takedown 01a216aa-313d-711a-84f1-f5922156777d --reason "asked for by the photographer" --yes`
}

// Validate is called by kong.
func (c *takedownCmd) Validate() error {
	if c.Yes && c.Plan {
		return errors.New("--plan only says and --yes does it; give one of them")
	}
	return editorial.ValidText("--reason", c.Reason, 0, maxReason)
}

// takedownJSON is the machine's form.
type takedownJSON struct {
	ImageID      string   `json:"image_id"`
	Key          string   `json:"key"`
	Objects      []string `json:"objects"`
	Posts        []string `json:"posts"`  // slugs of those that showed it
	Texts        []string `json:"texts"`  // slugs of those whose text names it
	Drafts       []string `json:"drafts"` // ids
	Done         bool     `json:"done"`
	Invalidation string   `json:"invalidation,omitempty"`
}

// Run takes a picture down, or says what that would change.
func (c *takedownCmd) Run(ctx context.Context, s *session) error {
	o, _, err := s.operator(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = o.Close() }() // what was committed is committed
	t := repair.Takedown{
		Pictures: o.Store, Clearer: o, Marker: o.Store, Bucket: o.Deleter(), Links: o.Links(), CDN: o.Invalidator(), Caller: operatorName(),
	}
	img, err := t.Find(ctx, c.Picture)
	if err != nil {
		return err
	}
	if !c.Yes {
		plan, err := t.Plan(ctx, img)
		if err != nil {
			return err
		}
		return c.show(s, plan, "", t.CDN != nil)
	}
	did, invalidation, err := t.Do(ctx, img, c.Reason)
	if err != nil {
		if did.Image.ID != "" {
			err = fmt.Errorf("no post shows it any more, but it is not gone everywhere; run it again: %w", err)
		}
		return notAllowed(err)
	}
	return c.show(s, did, invalidation, t.CDN != nil)
}

func (c *takedownCmd) show(s *session, t dispatch.Takedown, invalidation string, distribution bool) error {
	if c.JSON {
		return printJSON(s.out, takedownJSON{
			ImageID: t.Image.ID, Key: t.Image.Key, Objects: t.Image.Keys(), Posts: slugs(t.Posts), Texts: slugs(t.Texts),
			Drafts: append([]string{}, t.Drafts...), Done: c.Yes, Invalidation: invalidation,
		})
	}
	would := "would be deleted"
	if c.Yes {
		would = "deleted"
	}
	for _, key := range t.Image.Keys() {
		s.out.line("%s  %s", would, key)
	}
	for _, slug := range slugs(t.Posts) {
		s.out.line("post without a picture  %s", oneLine(slug))
	}
	for _, id := range t.Drafts {
		s.out.line("draft without it  %s", oneLine(id))
	}
	for _, slug := range slugs(t.Texts) {
		s.out.line("its text still names the picture, change it by hand  %s", oneLine(slug))
	}
	c.caches(s, t, invalidation, distribution)
	if !c.Yes {
		s.out.line("Posts stay published. This cannot be undone; with --yes it is done.")
	}
	return nil
}

// caches says who may still have it.
func (c *takedownCmd) caches(s *session, t dispatch.Takedown, invalidation string, distribution bool) {
	switch {
	case t.Image.Key == "":
		s.out.line("It was never put into the bucket.")
	case invalidation != "":
		s.out.line("CloudFront forgets it within minutes (invalidation %s). A browser that has seen it may keep it for up to a year.", invalidation)
	case distribution:
		s.out.line("CloudFront is told to forget %s. A browser that has seen it may keep it for up to a year.", repair.Paths(t.Image)[0])
	default:
		s.out.line("A CDN or a browser that has seen it may keep it for up to a year: have your CDN forget %s", repair.Paths(t.Image)[0])
		s.out.line("(for CloudFront set AWS_CLOUDFRONT_DISTRIBUTION_ID and run this again).")
	}
}

func slugs(posts []editorial.Post) []string {
	list := make([]string, len(posts))
	for i, p := range posts {
		list[i] = p.Slug
	}
	return list
}
