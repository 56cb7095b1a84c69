package siteapi

import (
	"maps"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// task is a draft as both front ends read it: the older one's Task and the
// newer one's unified response in one. Every key is always there.
type task struct {
	ID                   string         `json:"id"` // the same as TaskID
	TaskID               string         `json:"task_id"`
	RequestID            *string        `json:"request_id"`
	TaskName             string         `json:"task_name"`
	Title                string         `json:"title"`
	TaskType             *string        `json:"task_type"`
	RequestType          *string        `json:"request_type"`
	Topic                string         `json:"topic"`
	PrimaryKeyword       *string        `json:"primary_keyword"`
	TargetAudience       *string        `json:"target_audience"`
	Category             *string        `json:"category"`
	Tags                 []string       `json:"tags"`
	Status               string         `json:"status"`
	ApprovalStatus       *string        `json:"approval_status"`
	PublishStatus        *string        `json:"publish_status"`
	Progress             taskProgress   `json:"progress"`
	Stage                *string        `json:"stage"`
	Percentage           *int           `json:"percentage"`
	Message              *string        `json:"message"`
	Style                *string        `json:"style"`
	Tone                 *string        `json:"tone"`
	TargetLength         *int           `json:"target_length"`
	QualityPreference    *string        `json:"quality_preference"`
	ModelsByPhase        any            `json:"models_by_phase"`
	ModelUsed            *string        `json:"model_used"`
	EstimatedCost        *float64       `json:"estimated_cost"`
	CostBreakdown        any            `json:"cost_breakdown"`
	Result               map[string]any `json:"result"`
	Content              *string        `json:"content"`
	Excerpt              *string        `json:"excerpt"`
	FeaturedImageURL     *string        `json:"featured_image_url"`
	FeaturedImageData    any            `json:"featured_image_data"`
	QualityScore         *float64       `json:"quality_score"`
	SEOTitle             *string        `json:"seo_title"`
	SEODescription       *string        `json:"seo_description"`
	SEOKeywords          []string       `json:"seo_keywords"`
	ConstraintCompliance any            `json:"constraint_compliance"`
	ErrorMessage         *string        `json:"error_message"`
	ErrorDetails         any            `json:"error_details"`
	CreatedAt            *string        `json:"created_at"`
	UpdatedAt            *string        `json:"updated_at"`
	StartedAt            *string        `json:"started_at"`
	CompletedAt          *string        `json:"completed_at"`
	PublishedURL         *string        `json:"published_url"`
	PostID               *string        `json:"post_id"`
	PostSlug             *string        `json:"post_slug"`
	AgentID              *string        `json:"agent_id"`
	Metadata             map[string]any `json:"metadata"`
	TaskMetadata         map[string]any `json:"task_metadata"`
	PollingURL           string         `json:"polling_url"`
}

type taskProgress struct {
	Stage      *string `json:"stage"`
	Percentage *int    `json:"percentage"`
	Message    *string `json:"message"`
	Node       *string `json:"node"`
}

func taskPath(id string) string { return "/api/tasks/" + id }

func taskOf(d editorial.Draft) task {
	c := columns(d.Columns)
	postID, slug := publishedAs(&d)
	t := task{
		ID: d.ID, TaskID: d.ID, Title: d.Title(), TaskName: firstOf(d.Text("task_name"), d.Title()), Topic: d.Topic,
		TaskType: c.text("task_type"), RequestType: c.text("request_type"), AgentID: c.text("agent_id"),
		PrimaryKeyword: orNull(d.Text("primary_keyword")), TargetAudience: orNull(d.Text("target_audience")),
		Category: orNull(d.Text("category")), Tags: list(d.Tags), Status: string(d.Status), ApprovalStatus: orNull(d.ApprovalStatus),
		Progress: progressOf(c), Stage: c.text("stage"), Percentage: c.whole("percentage"), Message: c.text("message"),
		Style: c.text("style"), Tone: c.text("tone"), TargetLength: c.whole("target_length"),
		QualityPreference: c.text("quality_preference"), ModelsByPhase: c["models_used_by_phase"], ModelUsed: c.text("model_used"),
		EstimatedCost: c.number("estimated_cost"), CostBreakdown: c["cost_breakdown"],
		Content: orNull(d.Content()), Excerpt: orNull(d.Text("excerpt")), FeaturedImageURL: orNull(d.PictureURL()),
		FeaturedImageData: c["featured_image_data"], QualityScore: c.number("quality_score"),
		SEOTitle: orNull(d.Text("seo_title")), SEODescription: orNull(d.Text("seo_description")), SEOKeywords: list(d.Keywords()),
		ConstraintCompliance: d.Metadata["constraint_compliance"],
		ErrorMessage:         orNull(d.Text("error_message")), ErrorDetails: d.Metadata["error_details"],
		CreatedAt: isoTime(d.CreatedAt), UpdatedAt: isoTime(d.UpdatedAt), StartedAt: c.time("started_at"), CompletedAt: c.time("completed_at"),
		PublishedURL: postURL(slug), PostID: orNull(postID), PostSlug: orNull(slug),
		PollingURL: taskPath(d.ID), TaskMetadata: mergedMetadata(&d), Metadata: map[string]any{},
	}
	if d.Status == editorial.DraftPublished {
		t.PublishStatus = orNull(string(editorial.DraftPublished))
	}
	if m := d.Metadata; m != nil {
		t.Metadata = m
	}
	t.Result = unifiedResult(&d, &t)
	return t
}

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func progressOf(c columns) taskProgress {
	p := taskProgress{Stage: c.text("stage"), Percentage: c.whole("percentage"), Message: c.text("message")}
	stored, _ := c["progress"].(map[string]any)
	inner := columns(stored)
	if s := inner.text("stage"); s != nil {
		p.Stage = s
	}
	if n := inner.whole("percentage"); n != nil {
		p.Percentage = n
	}
	if s := inner.text("message"); s != nil {
		p.Message = s
	}
	p.Node = inner.text("node")
	return p
}

// mergedNames are the columns that the site's backend merges into
// task_metadata, because its older front end reads everything from there.
var mergedNames = []string{
	"content", "excerpt", "featured_image_url", "featured_image_data", "qa_feedback", "quality_score",
	"seo_title", "seo_description", "seo_keywords", "stage", "percentage", "message",
}

func mergedMetadata(d *editorial.Draft) map[string]any {
	m := maps.Clone(d.Metadata)
	if m == nil {
		m = make(map[string]any)
	}
	for _, name := range mergedNames {
		if v := d.Columns[name]; v != nil {
			m[name] = v
		}
	}
	if title := d.Title(); title != "" {
		m["title"] = title
	}
	return m
}

// unifiedResult is the newer front end's result: what the row has under that
// name, and these nine. It is null while there is nothing to show.
func unifiedResult(d *editorial.Draft, t *task) map[string]any {
	if d.Result == nil && t.Content == nil && t.FeaturedImageURL == nil {
		return nil
	}
	m := maps.Clone(d.Result)
	if m == nil {
		m = make(map[string]any)
	}
	m["content"], m["excerpt"] = t.Content, t.Excerpt
	m["featured_image_url"], m["featured_image_data"] = t.FeaturedImageURL, t.FeaturedImageData
	m["qa_feedback"], m["quality_score"] = orNull(d.Text("qa_feedback")), t.QualityScore
	m["seo_title"], m["seo_description"], m["seo_keywords"] = t.SEOTitle, t.SEODescription, t.SEOKeywords
	return m
}
