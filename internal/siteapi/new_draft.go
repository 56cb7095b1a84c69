package siteapi

import (
	"context"
	"fmt"
	"strings"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// newDraft is the body of both routes that create a draft: the site's members,
// and those that bring finished content.
type newDraft struct {
	TaskName       string `json:"task_name"`
	TaskType       string `json:"task_type"`
	RequestType    string `json:"request_type"`
	Topic          string `json:"topic"`
	Style          string `json:"style"`
	Tone           string `json:"tone"`
	TargetLength   int    `json:"target_length"`
	PrimaryKeyword string `json:"primary_keyword"`
	TargetAudience string `json:"target_audience"`
	Category       string `json:"category"`

	Title            string         `json:"title"`
	Content          string         `json:"content"`
	Excerpt          string         `json:"excerpt"`
	Tags             any            `json:"tags"` // a list or comma-separated text
	Author           string         `json:"author"`
	SEOTitle         string         `json:"seo_title"`
	SEODescription   string         `json:"seo_description"`
	SEOKeywords      any            `json:"seo_keywords"` // as Tags
	Slug             string         `json:"slug"`
	FeaturedImageURL string         `json:"featured_image_url"`
	Metadata         map[string]any `json:"metadata"`
}

// The widths of the site's columns and the limits of its own routes.
const (
	minTopic        = 3
	maxTopic        = 200
	maxDraftTitle   = 500
	maxWord         = 50
	maxDraftTerm    = 100
	maxName         = 255
	maxSummary      = 1000
	maxLine         = 500
	minTargetLength = 1
	maxTargetLength = 100_000
)

// validate also fills in what follows from the rest.
func (n *newDraft) validate() error {
	texts := []struct {
		field     string
		value     *string
		low, high int
	}{
		{"task_name", &n.TaskName, minTopic, maxTopic},
		{"topic", &n.Topic, minTopic, maxTopic},
		{"title", &n.Title, 1, maxDraftTitle},
		{"task_type", &n.TaskType, 1, maxWord},
		{"request_type", &n.RequestType, 1, maxWord},
		{"style", &n.Style, 1, maxWord},
		{"tone", &n.Tone, 1, maxWord},
		{"primary_keyword", &n.PrimaryKeyword, 1, maxDraftTerm},
		{"target_audience", &n.TargetAudience, 1, maxDraftTerm},
		{"category", &n.Category, 1, maxDraftTerm},
		{"author", &n.Author, 1, maxName},
		{"excerpt", &n.Excerpt, 1, maxSummary},
		{"seo_title", &n.SEOTitle, 1, maxName},
		{"seo_description", &n.SEODescription, 1, maxLine},
		{"slug", &n.Slug, 1, maxLine},
	}
	for _, t := range texts {
		*t.value = strings.TrimSpace(*t.value)
		if *t.value == "" {
			continue
		}
		if err := editorial.ValidText(t.field, *t.value, t.low, t.high); err != nil {
			return err
		}
	}
	n.Topic = firstOf(n.Topic, n.Title, n.TaskName)
	if n.Topic == "" {
		return editorial.Invalidf("topic", "must be given, or a title")
	}
	if n.TargetLength != 0 {
		if err := between("target_length", n.TargetLength, minTargetLength, maxTargetLength); err != nil {
			return err
		}
	}
	if err := validKeywords("tags", n.Tags, 0); err != nil {
		return err
	}
	return validKeywords("seo_keywords", n.SEOKeywords, maxLine)
}

// maxTags bounds a draft's tags; a post takes the first ten.
const maxTags = 50

// validKeywords accepts null, text or a list of texts; high bounds all of them
// together, as the column has them, 0 for no bound.
func validKeywords(field string, v any, high int) error {
	switch v := v.(type) {
	case nil, string:
	case []any:
		for _, item := range v {
			if _, ok := item.(string); !ok {
				return editorial.Invalidf(field, "must be a list of strings")
			}
		}
	default:
		return editorial.Invalidf(field, "must be a list of strings or comma-separated text")
	}
	list := editorial.NormalizeKeywords(v)
	if len(list) > maxTags {
		return editorial.Invalidf(field, "at most %d, got %d", maxTags, len(list))
	}
	for _, item := range list {
		if err := editorial.ValidText(field, item, 1, maxDraftTerm); err != nil {
			return err
		}
	}
	if n := len([]rune(strings.Join(list, ", "))); high > 0 && n > high {
		return editorial.Invalidf(field, "must be at most %d characters long together, got %d", high, n)
	}
	return nil
}

func firstOf(candidates ...string) string {
	for _, s := range candidates {
		if s != "" {
			return s
		}
	}
	return ""
}

// columns is the draft's row. What the older databases have no column for is
// kept in task_metadata as well, where every reader of drafts looks for it.
func (n *newDraft) columns() map[string]any {
	status, approval := editorial.DraftPending, "pending"
	if strings.TrimSpace(n.Content) != "" {
		status, approval = editorial.DraftAwaitingApproval, "pending_human_review"
	}
	metadata := clientMetadata(n.Metadata)
	c := map[string]any{
		"status": string(status), "approval_status": approval, "topic": n.Topic,
		// Columns that are NOT NULL in some versions, without a default.
		"task_type": firstOf(n.TaskType, "blog_post"), "request_type": firstOf(n.RequestType, "basic"),
		"style": firstOf(n.Style, "technical"), "tone": firstOf(n.Tone, "professional"),
		"publish_mode": "draft", "agent_id": "content-agent",
		"target_length": orDefault(n.TargetLength, 2000),
	}
	for name, value := range map[string]string{
		"title": n.Title, "excerpt": n.Excerpt, "category": n.Category,
		"primary_keyword": n.PrimaryKeyword, "target_audience": n.TargetAudience,
		"seo_title": n.SEOTitle, "seo_description": n.SEODescription,
		"seo_keywords": strings.Join(editorial.NormalizeKeywords(n.SEOKeywords), ", "),
		"slug":         n.Slug, "author": n.Author, "task_name": n.TaskName, // in metadata only: no version has columns for them
	} {
		if value != "" {
			c[name], metadata[name] = value, value
		}
	}
	if n.Content != "" {
		c["content"] = n.Content
	}
	if tags := editorial.NormalizeKeywords(n.Tags); len(tags) > 0 {
		c["tags"] = tags
	}
	c["task_metadata"] = metadata
	return c
}

func orDefault(n, fallback int) int {
	if n == 0 {
		return fallback
	}
	return n
}

// ourMetadata are the members of task_metadata that say what was published and
// with which picture. A client that could write them could make its draft
// overwrite somebody else's post, or publish a picture that nobody checked.
var ourMetadata = []string{
	"post_id", "cms_post_id", "published_to_db", "published_at",
	"featured_image", "featured_image_url", "featured_image_source", "featured_image_alt", "featured_image_photographer",
}

// clientMetadata is what a client may say of a draft; never nil.
func clientMetadata(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for name, v := range m {
		out[name] = v
	}
	for _, name := range ourMetadata {
		delete(out, name)
	}
	return out
}

// pictureIn is the picture's URL that a client's metadata names, in whichever
// member the site's front ends put it.
func pictureIn(m map[string]any) string {
	d := editorial.Draft{Metadata: m}
	return d.PictureURL()
}

// createDraft makes a draft, with the picture that it brings, or nothing.
func (a *API) createDraft(ctx context.Context, n *newDraft, caller string) (editorial.Draft, error) {
	draft, err := a.Dispatch.CreateDraft(ctx, n.columns())
	if err != nil {
		return draft, err
	}
	url := firstOf(strings.TrimSpace(n.FeaturedImageURL), pictureIn(n.Metadata))
	if url == "" {
		return draft, nil
	}
	if _, err := a.Dispatch.SetPicture(ctx, draft.ID, url, caller); err != nil {
		if undo := a.Dispatch.DeleteDraft(ctx, draft.ID); undo != nil {
			return draft, fmt.Errorf("delete draft %s after its picture was refused: %w", draft.ID, undo)
		}
		return draft, err
	}
	return draft, nil
}
