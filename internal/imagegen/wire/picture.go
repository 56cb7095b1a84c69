package wire

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// DecodePicture reads a picture in base64, with or without padding, line breaks
// and a data: prefix, as servers differ in all three. Its errors are transient:
// a picture that did not arrive may arrive the next time.
func DecodePicture(s string) ([]byte, error) {
	if strings.HasPrefix(s, "data:") {
		_, s, _ = strings.Cut(s, ",")
	}
	if strings.ContainsAny(s, " \t\r\n") {
		s = strings.Join(strings.Fields(s), "")
	}
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		return nil, imagegen.Transientf("bad_picture", "the answer's picture is not base64")
	}
	return b, CheckPicture(b)
}

// CheckPicture refuses what is not even the beginning of a PNG, JPEG or WebP,
// so that an error page posing as one is named at the backend that sent it.
// Whether the picture is whole and fit is for package picture to say.
func CheckPicture(b []byte) error {
	switch {
	case len(b) == 0:
		return imagegen.Transientf("no_picture", "the answer holds no picture")
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")), bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		return nil
	case len(b) >= 12 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP":
		return nil
	default:
		return imagegen.Transientf("bad_picture", "the answer is no PNG, JPEG or WebP")
	}
}
