package siteapi

import (
	"fmt"
	"net/http"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// The site's limits of a search.
const (
	minSearch = 3
	maxPhotos = 20
)

// searchImages answers all that was found; the site fetched count photos and
// answered with the first.
func (a *API) searchImages(w http.ResponseWriter, r *http.Request) error {
	started := a.Now()
	q := queryOf(r)
	count := q.number("count", 1, 1, maxPhotos)
	words := q.text("query", editorial.MaxPrompt)
	if q.err == nil && len([]rune(words)) < minSearch {
		q.fail(editorial.Invalidf("query", "must be at least %d characters long", minSearch))
	}
	if q.err != nil {
		return q.err
	}
	if a.Stock == nil {
		return a.answerMedia(w, started, mediaResponse{
			Code: "no_stock", Message: "❌ No image found. Ensure PEXELS_API_KEY is set in environment or GPU available for SDXL.",
		})
	}
	photos, err := a.Stock.Search(r.Context(), words, count)
	if e := asError(err); e != nil {
		return a.answerMedia(w, started, mediaResponse{Code: e.Code, Message: "❌ " + e.Message})
	}
	if err != nil {
		a.Log.WarnContext(r.Context(), "stock photos could not be searched", "request_id", requestID(w), "error", err)
		return a.answerMedia(w, started, mediaResponse{Code: "stock_away", Message: "❌ The stock photo service did not answer; try again later."})
	}
	return a.answerMedia(w, started, photosResponse(words, photos))
}

func photosResponse(words string, photos []Photo) mediaResponse {
	if len(photos) == 0 {
		return mediaResponse{Code: "nothing_found", Message: "❌ No images found for: " + words}
	}
	m := mediaResponse{Success: true, ImageURL: photos[0].URL, Message: fmt.Sprintf("✅ Found %d images", len(photos))}
	if len(photos) == 1 {
		m.Message = "✅ Found image: " + photos[0].Photographer
	}
	for _, p := range photos {
		m.Images = append(m.Images, mediaImage{
			URL: p.URL, Source: "pexels", Photographer: orNull(p.Photographer), PhotographerURL: orNull(p.PhotographerURL),
			Width: positive(p.Width), Height: positive(p.Height), AltText: p.AltText,
		})
	}
	m.Image = &m.Images[0]
	return m
}
