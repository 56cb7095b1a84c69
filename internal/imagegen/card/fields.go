package card

import "math"

// bump is a hill that is exactly 0 beyond its radius.
type bump struct{ x, y, radius, height float64 }

func (b bump) at(x, y float64) float64 {
	dx, dy := x-b.x, y-b.y
	d := 1 - (dx*dx+dy*dy)/(b.radius*b.radius)
	if d <= 0 {
		return 0
	}
	return b.height * d * d
}

// grid is a smooth field sampled every few pixels and read between them.
type grid struct {
	step  float64
	cols  int
	value []float64
}

func (s *scene) newGrid(f func(x, y float64) float64) *grid {
	const step = 5
	g := &grid{step: step, cols: int(s.w)/step + 3}
	for j := range int(s.h)/step + 3 {
		for i := range g.cols {
			g.value = append(g.value, f(float64(i)*step, float64(j)*step))
		}
	}
	return g
}

// at is the field and its steepness, per pixel.
func (g *grid) at(x, y float64) (v, slope float64) {
	x, y = x/g.step, y/g.step
	i, j := int(x), int(y)
	u, w := x-float64(i), y-float64(j)
	a, b := g.value[j*g.cols+i], g.value[j*g.cols+i+1]
	c, d := g.value[(j+1)*g.cols+i], g.value[(j+1)*g.cols+i+1]
	dx := (b-a)*(1-w) + (d-c)*w
	dy := (c-a)*(1-u) + (d-b)*u
	return (a*(1-u)+b*u)*(1-w) + (c*(1-u)+d*u)*w, math.Sqrt(dx*dx+dy*dy) / g.step
}

// paintContours draws a map's contour lines, every fifth one heavier, over a
// faint tint that rises with the height.
func paintContours(s *scene) {
	var hills []bump
	for range 11 {
		hills = append(hills, bump{
			s.between(-0.05, 1.05) * s.w, s.between(-0.1, 1.1) * s.h,
			s.between(0.35, 0.8) * math.Sqrt(s.w*s.h), s.between(0.4, 1) * float64(1-2*s.rng.IntN(5)/4),
		})
	}
	wobble, drift := s.newSwell(0.8*s.short(), 0.4), s.newSwell(0.7*s.short(), 0.4)
	field := s.newGrid(func(x, y float64) float64 {
		v := 0.05*wobble.at(x+0.4*y) + 0.05*drift.at(y-0.3*x)
		for _, h := range hills {
			v += h.at(x, y)
		}
		return v
	})
	const levels = 13 // to a height of 1
	line := max(1.1, 0.0026*s.short())
	s.shade(s.bounds(), func(x, y float64, under rgb) rgb {
		v, slope := field.at(x, y)
		v, slope = v*levels, slope*levels
		loud := s.hush(x, y, 0.34*s.short())
		tint := min(max(math.Floor(v)/(1.6*levels), 0), 1)
		col := under.mix(s.pal.tones[0], 0.75*tint*(0.3+0.7*loud))
		nearest := math.Round(v)
		thick := line
		stroke := s.pal.tones[1]
		if int(nearest)%5 == 0 {
			thick, stroke = 1.9*line, s.pal.accent
		}
		cover := thick/2 + 0.5 - math.Abs(v-nearest)/max(slope, 1e-4)
		return col.mix(stroke, min(max(cover, 0), 1)*(0.06+0.84*loud))
	})
}

// paintOrbs lets large soft lights run into each other, off the title.
func paintOrbs(s *scene) {
	type orb struct {
		bump
		col rgb
	}
	colours := []rgb{s.pal.tones[1], s.pal.glow, s.pal.accent, s.pal.tones[0], s.pal.glow, s.pal.accent.mix(s.pal.glow, 0.5)}
	var orbs []orb
	size := math.Sqrt(s.w * s.h)
	for i, col := range colours {
		x, y := s.between(0.35, 1.05)*s.w, s.between(-0.1, 0.75)*s.h
		if s.quiet.empty() {
			x, y = s.between(0, 1)*s.w, s.between(0, 1)*s.h
		}
		orbs = append(orbs, orb{bump{x, y, size * s.between(0.4, 0.62) * (1 - 0.05*float64(i)), s.between(0.75, 0.95)}, col})
	}
	grain := 5.0
	s.shade(s.bounds(), func(x, y float64, under rgb) rgb {
		col := under
		for i := range orbs {
			if t := orbs[i].at(x, y); t > 0 {
				col = col.mix(orbs[i].col, t)
			}
		}
		col = under.mix(col, 0.22+0.78*s.hush(x, y, 0.3*size))
		n := grain * (dither(int(y)*7+3, int(x)*5+1) - 0.5)
		return rgb{clampByte(col.r + n), clampByte(col.g + n), clampByte(col.b + n)}
	})
	s.rim(size)
}

// rim sets one crisp circle against all that softness.
func (s *scene) rim(size float64) {
	radius := 0.13 * size
	at := point{s.w - radius*s.between(1.3, 2.2), radius * s.between(1.3, 1.8)}
	if !s.quiet.empty() {
		radius = min(radius, s.clearance(at.x, at.y)-0.06*s.short())
	}
	if radius < 0.09*s.short() {
		return
	}
	p := &path{}
	p.disc(at, radius)
	s.paintPath(p, s.bounds(), s.pal.accent, 0.9)
}

func clampByte(v float64) float64 {
	switch {
	case v < 0:
		return 0
	case v > 255:
		return 255
	}
	return v
}

// paintRings draws broad concentric bands, as wide as the title lets them, and
// beyond them fine circles that fade where the title is.
func paintRings(s *scene) {
	at := point{s.w * s.between(0.84, 0.98), s.h * s.between(0.02, 0.16)}
	reach := 0.85 * s.short()
	if s.quiet.empty() {
		at = point{s.w * s.between(0.3, 0.7), s.h * s.between(0.85, 1.1)}
	} else {
		reach = min(reach, max(s.clearance(at.x, at.y)-0.08*s.short(), 0.12*s.short()))
	}
	bands := []rgb{s.pal.tones[0], s.pal.tones[1], s.pal.glow, s.pal.tones[2], s.pal.accent, s.pal.tones[3]}
	turn := s.rng.IntN(3)
	width := reach / float64(len(bands))
	pitch := max(0.45*width, 0.045*s.short())
	thin := max(1.1, 0.0026*s.short())
	s.shade(s.bounds(), func(x, y float64, under rgb) rgb {
		d := math.Sqrt((x-at.x)*(x-at.x) + (y-at.y)*(y-at.y))
		if d > reach+pitch/2 {
			off := math.Mod(d-reach, pitch) - pitch/2
			cover := min(max(thin/2+0.5-math.Abs(off), 0), 1)
			if cover == 0 {
				return under
			}
			return under.mix(s.pal.tones[1], 0.55*cover*(0.1+0.9*s.hush(x, y, 0.3*s.short())))
		}
		i := min(max(int((reach-d)/width), 0), len(bands)-1)
		outer := reach - float64(i)*width
		cover := min(max(min(outer-d, d-(outer-0.82*width))+0.5, 0), 1)
		return under.mix(bands[(i+turn)%len(bands)], cover)
	})
}
