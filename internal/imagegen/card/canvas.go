package card

import (
	"image"
	"image/color"
	"math"

	"golang.org/x/image/vector"
)

type point struct{ x, y float64 }

// rect is a rectangle in pixels; x1 and y1 lie outside.
type rect struct{ x0, y0, x1, y1 float64 }

func (r rect) width() float64  { return r.x1 - r.x0 }
func (r rect) height() float64 { return r.y1 - r.y0 }
func (r rect) empty() bool     { return r.x1 <= r.x0 || r.y1 <= r.y0 }

// grown is r with d added on every side.
func (r rect) grown(d float64) rect { return rect{r.x0 - d, r.y0 - d, r.x1 + d, r.y1 + d} }

// offset is how far r is from a point on each axis; 0 beside or inside it.
func (r rect) offset(x, y float64) (dx, dy float64) {
	switch {
	case x < r.x0:
		dx = r.x0 - x
	case x > r.x1:
		dx = x - r.x1
	}
	switch {
	case y < r.y0:
		dy = r.y0 - y
	case y > r.y1:
		dy = y - r.y1
	}
	return dx, dy
}

// pixels is the smallest whole-pixel rectangle that covers r.
func (r rect) pixels() image.Rectangle {
	return image.Rect(int(math.Floor(r.x0)), int(math.Floor(r.y0)), int(math.Ceil(r.x1)), int(math.Ceil(r.y1)))
}

// canvas is the picture while it is painted: opaque, w by h pixels. It has no
// pixels before clear.
type canvas struct {
	img  *image.RGBA
	w, h float64
	ras  vector.Rasterizer
}

// clear makes every pixel col.
func (c *canvas) clear(col rgb) {
	c.img = image.NewRGBA(image.Rect(0, 0, int(c.w), int(c.h)))
	c.fill(c.bounds(), col)
}

func (c *canvas) bounds() rect { return rect{0, 0, c.w, c.h} }

// short is the length that motifs scale with: the canvas's shorter side.
func (c *canvas) short() float64 { return min(c.w, c.h) }

// shade calls f for the centre of every pixel of r with the colour that is
// there, and paints what it answers.
func (c *canvas) shade(r rect, f func(x, y float64, under rgb) rgb) {
	area := r.pixels().Intersect(c.img.Rect)
	for y := area.Min.Y; y < area.Max.Y; y++ {
		row := c.img.Pix[c.img.PixOffset(area.Min.X, y):]
		for x := area.Min.X; x < area.Max.X; x++ {
			p := row[:4:4]
			row = row[4:]
			under := rgb{float64(p[0]), float64(p[1]), float64(p[2])}
			col := f(float64(x)+0.5, float64(y)+0.5, under)
			d := dither(x, y)
			p[0], p[1], p[2], p[3] = uint8(col.r+d), uint8(col.g+d), uint8(col.b+d), 0xff
		}
	}
}

// dither is the threshold, in [0, 1), above which a channel is rounded up at a
// pixel. It spreads a gradient's steps, which would show as bands, and leaves
// whole values alone.
func dither(x, y int) float64 {
	h := uint32(x)*0x9e3779b1 ^ uint32(y)*0x85ebca6b
	h ^= h >> 15
	h *= 0x2c1b3c6d
	h ^= h >> 12
	return float64(h>>8) / (1 << 24)
}

// fill paints all of r in one colour.
func (c *canvas) fill(r rect, col rgb) {
	c.shade(r, func(_, _ float64, _ rgb) rgb { return col })
}

// paintPath fills p, smoothly edged, clipped to the canvas and to clip.
func (c *canvas) paintPath(p *path, clip rect, col rgb, alpha float64) {
	area := p.bounds.pixels().Intersect(clip.pixels()).Intersect(c.img.Rect)
	if area.Empty() {
		return
	}
	c.ras.Reset(area.Dx(), area.Dy())
	p.replay(&c.ras, float64(area.Min.X), float64(area.Min.Y))
	c.ras.Draw(c.img, area, image.NewUniform(col.nrgba(alpha)), image.Point{})
}

// path is an outline that can be painted anywhere.
type path struct {
	steps  []step
	bounds rect
}

type step struct {
	op byte // 'M', 'L', 'Q', 'C'
	at [3]point
}

func (p *path) add(op byte, at ...point) {
	var s step
	s.op = op
	copy(s.at[:], at)
	if len(p.steps) == 0 {
		p.bounds = rect{at[0].x, at[0].y, at[0].x, at[0].y}
	}
	for _, q := range at {
		p.bounds.x0, p.bounds.x1 = min(p.bounds.x0, q.x), max(p.bounds.x1, q.x)
		p.bounds.y0, p.bounds.y1 = min(p.bounds.y0, q.y), max(p.bounds.y1, q.y)
	}
	p.steps = append(p.steps, s)
}

func (p *path) moveTo(a point)       { p.add('M', a) }
func (p *path) lineTo(a point)       { p.add('L', a) }
func (p *path) quadTo(a, b point)    { p.add('Q', a, b) }
func (p *path) cubeTo(a, b, c point) { p.add('C', a, b, c) }

// replay draws the outline into z, whose origin lies at (x, y).
func (p *path) replay(z *vector.Rasterizer, x, y float64) {
	f := func(q point) (float32, float32) { return float32(q.x - x), float32(q.y - y) }
	for i, s := range p.steps {
		ax, ay := f(s.at[0])
		bx, by := f(s.at[1])
		cx, cy := f(s.at[2])
		switch s.op {
		case 'M':
			if i > 0 {
				z.ClosePath()
			}
			z.MoveTo(ax, ay)
		case 'L':
			z.LineTo(ax, ay)
		case 'Q':
			z.QuadTo(ax, ay, bx, by)
		case 'C':
			z.CubeTo(ax, ay, bx, by, cx, cy)
		}
	}
	z.ClosePath()
}

// box adds a rectangle.
func (p *path) box(r rect) {
	p.moveTo(point{r.x0, r.y0})
	p.lineTo(point{r.x1, r.y0})
	p.lineTo(point{r.x1, r.y1})
	p.lineTo(point{r.x0, r.y1})
}

// arcControl is how far a cubic's control points stand off for a quarter of
// the unit circle.
const arcControl = 0.5522847498

// disc adds a circle.
func (p *path) disc(at point, radius float64) {
	p.moveTo(point{at.x + radius, at.y})
	for _, q := range [4][2]float64{{1, 0}, {0, 1}, {-1, 0}, {0, -1}} {
		p.quarter(at, radius, q[0], q[1])
	}
}

// quarter adds a quarter circle round at, clockwise, from the direction
// (dx, dy), where the path has to be already.
func (p *path) quarter(at point, radius, dx, dy float64) {
	k := arcControl
	turn := func(u, v float64) point {
		return point{at.x + radius*(dx*u-dy*v), at.y + radius*(dy*u+dx*v)}
	}
	p.cubeTo(turn(1, k), turn(k, 1), turn(0, 1))
}

// nrgba is c for drawing with a given opacity.
func (c rgb) nrgba(alpha float64) color.NRGBA {
	return color.NRGBA{uint8(c.r + 0.5), uint8(c.g + 0.5), uint8(c.b + 0.5), uint8(alpha*255 + 0.5)}
}
