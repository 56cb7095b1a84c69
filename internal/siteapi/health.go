package siteapi

import (
	"net/http"
	"strings"
)

// mediaHealthResponse is the site's answer with what its guide promised added:
// storage, CDN and queue.
type mediaHealthResponse struct {
	Status          string      `json:"status"` // healthy, degraded, error
	PexelsAvailable bool        `json:"pexels_available"`
	SDXLAvailable   bool        `json:"sdxl_available"` // any image model
	Message         string      `json:"message"`
	Generators      []Generator `json:"generators"`
	Storage         Part        `json:"storage"`
	CDN             Part        `json:"cdn"`
	Queue           queueHealth `json:"queue"`
}

type queueHealth struct {
	Part
	Live int `json:"live"` // pictures queued or being worked on
}

func (a *API) mediaHealth(w http.ResponseWriter, r *http.Request) error {
	live, err := a.Store.CountLive(r.Context())
	if err != nil {
		return err
	}
	c := a.Inspector.Inspect(r.Context())
	answer := mediaHealthResponse{
		Status: "healthy", Generators: c.Generators, Storage: c.Storage, CDN: c.CDN,
		Queue: queueHealth{Part: c.Queue, Live: live},
	}
	able := false
	for _, g := range c.Generators {
		able = able || g.OK
		answer.PexelsAvailable = answer.PexelsAvailable || g.OK && g.Stock
		answer.SDXLAvailable = answer.SDXLAvailable || g.OK && g.Model
	}
	switch {
	case !able:
		answer.Status = "error"
	case !c.Storage.OK || !c.CDN.OK || !c.Queue.OK:
		answer.Status = "degraded"
	}
	answer.Message = c.sentence()
	return ok(w, answer)
}

// sentence is the condition in the site's own style.
func (c Condition) sentence() string {
	var parts []string
	say := func(what string, p Part) {
		switch {
		case p.OK:
			parts = append(parts, "✅ "+what+" "+p.Name+" available")
		case p.Detail != "":
			parts = append(parts, "❌ "+what+" "+p.Name+" not available ("+p.Detail+")")
		default:
			parts = append(parts, "❌ "+what+" "+p.Name+" not available")
		}
	}
	for _, g := range c.Generators {
		say("generator", g.Part)
	}
	say("storage", c.Storage)
	say("CDN", c.CDN)
	say("queue", c.Queue)
	return strings.Join(parts, " | ")
}

type healthResponse struct {
	Status     string            `json:"status"` // healthy, degraded, unhealthy
	Service    string            `json:"service"`
	Version    string            `json:"version"`
	Timestamp  *string           `json:"timestamp"`
	Components map[string]string `json:"components"`
}

// health answers 503 only without a database: everything else is waited for,
// and taking the API out of service would not help it.
func (a *API) health(w http.ResponseWriter, r *http.Request) error {
	c := a.Inspector.Inspect(r.Context())
	answer := healthResponse{
		Status: "healthy", Service: "frontispiece", Version: a.Version, Timestamp: isoTime(a.Now()),
		Components: map[string]string{
			"database": word(c.Database), "queue": word(c.Queue), "storage": word(c.Storage), "cdn": word(c.CDN),
		},
	}
	status := http.StatusOK
	switch {
	case !c.Database.OK:
		answer.Status, status = "unhealthy", http.StatusServiceUnavailable
	case !c.Queue.OK || !c.Storage.OK || !c.CDN.OK:
		answer.Status = "degraded"
	}
	writeJSON(w, status, answer)
	return nil
}

func word(p Part) string {
	if p.OK {
		return "healthy"
	}
	return "unhealthy"
}
