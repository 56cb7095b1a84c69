package editorial

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Post is the published row.
type Post struct {
	ID               string
	Title            string
	Slug             string
	Content          string
	Excerpt          string
	FeaturedImageURL string
	CoverImageURL    string
	AuthorID         string
	CategoryID       string
	TagIDs           []string
	SEOTitle         string
	SEODescription   string
	SEOKeywords      string
	Status           string
	PublishedAt      time.Time
	Metadata         map[string]any
	CreatedAt        time.Time
	UpdatedAt        time.Time
	CreatedBy        string
	UpdatedBy        string
	TaskID           string
	ViewCount        int
}

// Term is an author, a category or a tag.
type Term struct {
	ID          string
	Name        string
	Slug        string
	Description string
	Color       string
}

// What the narrowest version of the site's tables holds, in characters.
const (
	maxPostTitle      = 500
	maxExcerpt        = 1000
	maxSEOTitle       = 255
	maxSEODescription = 500
	maxSEOKeywords    = 500
	// MaxImageURL is the width of the picture columns.
	MaxImageURL = 500
)

// NewPost is the post that a draft becomes, without the parts that need the
// database: ids of author, category and tags, a free slug, the picture.
func NewPost(d *Draft) Post {
	title := d.Title()
	excerpt := d.Text("excerpt")
	p := Post{
		Title:          Clip(title, maxPostTitle),
		Content:        d.Content(),
		Excerpt:        Clip(excerpt, maxExcerpt),
		SEOTitle:       Clip(firstOf(d.Text("seo_title"), title), maxSEOTitle),
		SEODescription: Clip(firstOf(d.Text("seo_description"), excerpt), maxSEODescription),
		SEOKeywords:    joinKeywords(d.Keywords()),
		Status:         string(DraftPublished),
		TaskID:         d.ID,
	}
	return p
}

// Keywords are the draft's SEO keywords, from whichever member has them.
func (d *Draft) Keywords() []string {
	for _, m := range []map[string]any{d.Columns, d.Metadata, d.Result} {
		if list := NormalizeKeywords(m["seo_keywords"]); len(list) > 0 {
			return list
		}
	}
	return nil
}

// joinKeywords keeps whole keywords only.
func joinKeywords(list []string) string {
	for len(list) > 0 {
		s := strings.Join(list, ", ")
		if utf8.RuneCountInString(s) <= maxSEOKeywords {
			return s
		}
		list = list[:len(list)-1]
	}
	return ""
}

func firstOf(candidates ...string) string {
	for _, s := range candidates {
		if strings.TrimSpace(s) != "" {
			return s
		}
	}
	return ""
}

// Clip shortens s to at most n characters, at a word where one ends near.
func Clip(s string, n int) string {
	s = strings.TrimSpace(s)
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	cut := string(runes[:n-1])
	if i := strings.LastIndexAny(cut, " \n\t"); i > len(cut)*3/4 {
		cut = cut[:i]
	}
	return strings.TrimRight(cut, " \n\t,;:-") + "…"
}

// NormalizeKeywords reads keywords in every form that the site has stored them:
// a list, a JSON list in a string, comma-separated text, and the damage that
// joining a string's characters with commas did to 35 of its posts.
func NormalizeKeywords(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []string:
		return cleanKeywords(v)
	case []any:
		var list []string
		for _, item := range v {
			if s, ok := item.(string); ok {
				list = append(list, s)
			}
		}
		return cleanKeywords(list)
	case string:
		return keywordsFromText(v)
	default:
		return nil
	}
}

func keywordsFromText(s string) []string {
	s = undoCharacterJoin(strings.TrimSpace(s))
	if strings.HasPrefix(s, "[") {
		var list []string
		if json.Unmarshal([]byte(s), &list) == nil {
			return cleanKeywords(list)
		}
		// Cut off by the column's width: what is whole is still good.
		s = strings.NewReplacer("[", "", "]", "", `"`, "").Replace(s)
	}
	return cleanKeywords(strings.Split(s, ","))
}

// undoCharacterJoin turns `[,",a,b,"` back into `["ab"`. Ordinary lists do not
// have a comma at every second place.
func undoCharacterJoin(s string) string {
	runes := []rune(s)
	if len(runes) < 5 || runes[0] != '[' {
		return s
	}
	plain := make([]rune, 0, len(runes)/2+1)
	for i, r := range runes {
		switch {
		case i%2 == 0:
			plain = append(plain, r)
		case r != ',':
			return s
		}
	}
	return string(plain)
}

func cleanKeywords(list []string) []string {
	seen := make(map[string]bool, len(list))
	var out []string
	for _, s := range list {
		s = strings.Trim(strings.TrimSpace(s), `"'`)
		if key := strings.ToLower(s); s != "" && !seen[key] {
			seen[key] = true
			out = append(out, s)
		}
	}
	return out
}

// categoryWords are the site's own words for its own categories, in the order
// in which it asks them.
var categoryWords = []struct{ slug, words string }{
	{"technology", "ai tech software cloud machine-learning data coding python javascript"},
	{"business", "business strategy management entrepreneur startup growth revenue"},
	{"marketing", "marketing seo growth brand customer social campaign"},
	{"finance", "finance investment cost budget roi money crypto"},
	{"entertainment", "game games entertainment media streaming music film"},
}

// DefaultCategory is where a draft goes that no word places.
const DefaultCategory = "technology"

var notLetters = regexp.MustCompile(`[^\pL\pN]+`)

// CategorySlug places a draft that names no category. Whole words count, each
// once: the site matched "ai" inside "train" and filed 33 of 35 posts together.
func CategorySlug(texts ...string) string {
	words := " " + notLetters.ReplaceAllString(strings.ToLower(strings.Join(texts, " ")), " ") + " "
	best, bestScore := DefaultCategory, 0
	for _, c := range categoryWords {
		score := 0
		for _, w := range strings.Fields(c.words) {
			if strings.Contains(words, " "+strings.ReplaceAll(w, "-", " ")+" ") {
				score++
			}
		}
		if score > bestScore {
			best, bestScore = c.slug, score
		}
	}
	return best
}

// The site's own author, for drafts that name none.
const (
	DefaultAuthorID    = "14c9cad6-57ca-474a-8a6d-fab897388ea8"
	DefaultAuthorName  = "Poindexter AI"
	DefaultAuthorSlug  = "poindexter-ai"
	DefaultAuthorEmail = "poindexter@glad-labs.ai"
)
