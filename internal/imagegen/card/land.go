package card

import "math"

// swell is a smooth curve without repetition: a few sines of falling strength,
// between -1 and 1.
type swell struct {
	freq, phase, gain [5]float64
}

// newSwell draws a curve whose longest wave is about the given length; rough
// (0 to 1) is how much the short waves count.
func (s *scene) newSwell(length, rough float64) swell {
	var w swell
	gain, total := 1.0, 0.0
	for i := range w.freq {
		w.freq[i] = 2 * math.Pi / length * s.between(0.8, 1.2)
		w.phase[i] = s.between(0, 2*math.Pi)
		w.gain[i] = gain
		total += gain
		length /= s.between(1.8, 2.3)
		gain *= rough
	}
	for i := range w.gain {
		w.gain[i] /= total
	}
	return w
}

func (w swell) at(x float64) float64 {
	y := 0.0
	for i := range w.freq {
		y += w.gain[i] * math.Sin(x*w.freq[i]+w.phase[i])
	}
	return y
}

// landLine is how far down the land may begin: clear of the title, and never
// so low that there is no land.
func (s *scene) landLine(high, gap float64) float64 {
	return min(max(high*s.h, s.quiet.y1+gap*s.short()), 0.9*s.h)
}

// sky paints the ground colour, brightening towards the line where land or
// water begins; the title's part stays almost plain.
func (s *scene) sky(line float64) {
	top := min(s.quiet.y1, 0.75*line)
	s.shade(rect{0, 0, s.w, s.h}, func(_, y float64, _ rgb) rgb {
		t := smooth((y - top) / (line - top))
		return s.pal.ground.mix(s.pal.glow, 0.85*t*t)
	})
}

// paintHills draws ridges behind one another, a low sun, and mist between.
func paintHills(s *scene) {
	line := s.landLine(0.5, 0.13)
	s.sky(line + 0.1*(s.h-line))
	s.lowSun(line)
	const ridges = 5
	depth := s.h - line
	wave := max(0.9*s.short(), 0.42*s.w)
	rough := s.between(0.34, 0.52)
	for i := range ridges {
		t := float64(i) / (ridges - 1)
		base := line + depth*(0.06+0.74*t*(0.6+0.4*t))
		height := min(0.1*s.short(), 0.2*depth) * s.between(0.8, 1.2)
		s.ridge(s.newSwell(wave, rough), base, height, s.ramp(t))
		wave *= 0.88
	}
}

// ramp is the tones' colour at t, 0 far and 1 near.
func (s *scene) ramp(t float64) rgb {
	t *= float64(len(s.pal.tones) - 1)
	i := min(int(t), len(s.pal.tones)-2)
	return s.pal.tones[i].mix(s.pal.tones[i+1], t-float64(i))
}

// ridge fills the canvas below a curve, its foot dissolving into the glow.
func (s *scene) ridge(curve swell, base, height float64, col rgb) {
	crest := make([]float64, int(s.w)+1)
	for x := range crest {
		crest[x] = base - height*curve.at(float64(x))
	}
	mist := 0.3 * s.short()
	s.shade(rect{0, base - height - 1, s.w, s.h}, func(x, y float64, under rgb) rgb {
		i := int(x)
		slope := crest[i+1] - crest[i]
		cover := (y-crest[i])/math.Sqrt(1+slope*slope) + 0.5
		if cover <= 0 {
			return under
		}
		deep := min(max((y-crest[i])/mist, 0), 1)
		return under.mix(col.mix(s.pal.glow, 0.22*deep), min(cover, 1))
	})
}

// lowSun puts a disc on the line, right of the middle, under the title.
func (s *scene) lowSun(line float64) {
	radius := min(s.between(0.085, 0.12)*s.short(), 0.5*(line-s.quiet.y1))
	if s.quiet.empty() {
		radius = s.between(0.1, 0.14) * s.short()
	}
	at := point{s.between(0.6, 0.85) * s.w, line - 0.35*radius}
	s.halo(at, radius, 5*radius)
	p := &path{}
	p.disc(at, radius)
	s.paintPath(p, s.bounds(), s.pal.accent, 1)
}

// halo brightens the surroundings of a light, up to the title: a circle that
// is smaller looks right, one that is cut does not.
func (s *scene) halo(at point, inner, outer float64) {
	outer = min(outer, max(s.clearance(at.x, at.y), 1.1*inner))
	s.shade(rect{at.x - outer, at.y - outer, at.x + outer, at.y + outer}, func(x, y float64, under rgb) rgb {
		d := math.Sqrt((x-at.x)*(x-at.x) + (y-at.y)*(y-at.y))
		t := 1 - smooth((d-inner)/(outer-inner))
		return under.mix(s.pal.accent.mix(s.pal.glow, 0.4), 0.45*t*t)
	})
}

// paintHorizon draws a large sun standing on still water.
func paintHorizon(s *scene) {
	line := s.landLine(0.68, 0.12)
	s.sky(line)
	at := point{s.between(0.62, 0.82) * s.w, line}
	radius := min(0.3*s.short(), 1.1*(s.h-line))
	if !s.quiet.empty() {
		radius = min(radius, max(0.72*s.clearance(at.x, at.y), 0.05*s.short()))
	}
	s.halo(at, radius, 3.2*radius)
	sun := &path{}
	sun.disc(at, radius)
	s.paintPath(sun, rect{0, 0, s.w, line}, s.pal.accent, 1)
	s.water(line)
	s.glitter(at, radius)
}

// water fills the canvas below the line, darker towards the viewer.
func (s *scene) water(line float64) {
	s.shade(rect{0, math.Round(line), s.w, s.h}, func(_, y float64, _ rgb) rgb {
		t := (y - line) / (s.h - line)
		return s.ramp(min(1, 0.1+0.9*math.Sqrt(t))).mix(s.pal.glow, 0.25*(1-t)*(1-t))
	})
}

// glitter is the light's reflection: bars that grow thicker and further apart
// towards the viewer, and fainter ones across the whole water.
func (s *scene) glitter(at point, radius float64) {
	unit := 0.0075 * s.short()
	y := at.y + 2.2*unit
	for y < s.h+2*unit {
		t := (y - at.y) / (s.h - at.y)
		thick := unit * (0.45 + 1.3*t)
		half := radius * (0.95 - 0.45*t) * s.between(0.55, 1.05)
		shift := radius * 0.22 * s.between(-1, 1)
		s.bar(at.x+shift, y, half, thick, s.pal.accent, 0.95-0.4*t)
		if s.rng.IntN(3) > 0 {
			far := s.between(0, s.w)
			s.bar(far, y+thick, s.between(0.04, 0.16)*s.w, 0.35*thick, s.pal.glow, 0.4*(1-0.6*t))
		}
		y += thick * s.between(2.3, 3.1)
	}
}

// bar is a horizontal stroke with tapered ends.
func (s *scene) bar(x, y, half, thick float64, col rgb, alpha float64) {
	p := &path{}
	p.moveTo(point{x - half, y})
	p.cubeTo(point{x - half*0.6, y - thick}, point{x + half*0.6, y - thick}, point{x + half, y})
	p.cubeTo(point{x + half*0.6, y + thick}, point{x - half*0.6, y + thick}, point{x - half, y})
	s.paintPath(p, s.bounds(), col, alpha)
}
