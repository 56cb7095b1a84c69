package picture

import (
	"image"
	"image/color"
	"strings"
	"testing"
)

// TestTurn draws the eight cases of the EXIF standard by hand: what is stored,
// and how it has to be shown.
func TestTurn(t *testing.T) {
	t.Parallel()
	const stored = "ab/cd/ef"
	tests := []struct {
		o     orientation
		shown string
		means string
	}{
		{1, "ab/cd/ef", "as it is"},
		{2, "ba/dc/fe", "mirrored left to right"},
		{3, "fe/dc/ba", "turned by 180 degrees"},
		{4, "ef/cd/ab", "mirrored top to bottom"},
		{5, "ace/bdf", "rows become columns"},
		{6, "eca/fdb", "turned clockwise"},
		{7, "fdb/eca", "rows become columns, then turned by 180 degrees"},
		{8, "bdf/ace", "turned counter-clockwise"},
	}
	for _, tt := range tests {
		t.Run(tt.means, func(t *testing.T) {
			t.Parallel()
			if got := spelled(tt.o.turn(letters(stored))); got != tt.shown {
				t.Errorf("orientation %d of %s = %s, want %s", tt.o, stored, got, tt.shown)
			}
		})
	}
}

// letters is a picture with one letter a pixel.
func letters(s string) *image.NRGBA {
	rows := strings.Split(s, "/")
	m := image.NewNRGBA(image.Rect(0, 0, len(rows[0]), len(rows)))
	for y, row := range rows {
		for x := range row {
			m.SetNRGBA(x, y, color.NRGBA{R: row[x], A: 255})
		}
	}
	return m
}

// spelled is the inverse of letters.
func spelled(m *image.NRGBA) string {
	rows := make([]string, m.Rect.Dy())
	for y := range rows {
		for x := range m.Rect.Dx() {
			rows[y] += string(rune(m.NRGBAAt(x, y).R))
		}
	}
	return strings.Join(rows, "/")
}

func TestReadOrientation(t *testing.T) {
	t.Parallel()
	little := []byte("II*\x00\x08\x00\x00\x00\x02\x00" +
		"\x0f\x01\x02\x00\x04\x00\x00\x00Ada\x00" + // another tag first
		"\x12\x01\x03\x00\x01\x00\x00\x00\x08\x00\x00\x00")
	tests := []struct {
		name string
		exif []byte
		want orientation
	}{
		{"big endian", orientation(6).exif(), 6},
		{"little endian, second tag", little, 8},
		{"out of range", orientation(9).exif(), upright},
		{"zero", orientation(0).exif(), upright},
		{"cut inside the entry", orientation(6).exif()[:18], upright},
		{"directory beyond the end", []byte("MM\x00*\xff\xff\xff\xff"), upright},
		{"not EXIF", []byte("hello, world"), upright},
		{"empty", nil, upright},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := readOrientation(tt.exif); got != tt.want {
				t.Errorf("readOrientation = %d, want %d", got, tt.want)
			}
		})
	}
}
