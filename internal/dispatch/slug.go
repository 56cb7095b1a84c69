package dispatch

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// maxSlug is the length of a slug in characters, the seed's; the column is wider.
const maxSlug = 80

// slugOf is the slug that a draft brings, else that of its title.
func slugOf(draft *editorial.Draft) string {
	if s := metaString(draft, "slug"); s != "" {
		return slugify(s, maxSlug)
	}
	return slugify(draft.Title(), maxSlug)
}

// foldable are letters that Unicode does not decompose.
var foldable = strings.NewReplacer(
	"ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "đ", "d", "ð", "d", "ł", "l", "þ", "th", "ı", "i", "ħ", "h",
)

// slugify turns any text into a slug of a-z, 0-9 and single hyphens, never
// empty: a text without a single such letter gets its digest, so that two
// Chinese titles are two slugs.
func slugify(s string, limit int) string {
	var b strings.Builder
	hyphen := false
	for _, r := range norm.NFKD.String(foldable.Replace(strings.ToLower(s))) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			if hyphen && b.Len() > 0 {
				b.WriteByte('-')
			}
			hyphen = false
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r) || r == '\'' || r == '’':
			// An accent that was split off, an apostrophe: no word ends here.
		default:
			hyphen = true
		}
	}
	slug := b.String()
	if len(slug) > limit {
		slug = slug[:limit]
		if i := strings.LastIndexByte(slug, '-'); i > limit/2 {
			slug = slug[:i]
		}
		slug = strings.TrimRight(slug, "-")
	}
	if slug == "" {
		sum := sha256.Sum256([]byte(s))
		return "post-" + hex.EncodeToString(sum[:4])
	}
	return slug
}
