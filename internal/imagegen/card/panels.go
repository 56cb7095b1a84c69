package card

import "math"

// colours are a panel's, from which its pieces draw.
func (s *scene) colours() []rgb {
	return []rgb{s.pal.tones[0], s.pal.tones[1], s.pal.tones[2], s.pal.tones[3], s.pal.glow, s.pal.accent}
}

// cells calls paint for the squares of a pavement that covers the art from its
// inner corner. Of 3, 4 or 5 squares to the shorter side it takes what comes
// out most evenly along the longer one, since a sliver of a square at the edge
// looks like a mistake; all else equal, fewer and larger.
func (s *scene) cells(paint func(cell rect)) {
	short, long := min(s.art.width(), s.art.height()), max(s.art.width(), s.art.height())
	size, waste := short, math.Inf(1)
	for _, n := range []float64{3, 4, 5} {
		across := max(1, math.Round(n*long/short))
		a, b := short/n, long/across
		if w := max(a, b) / min(a, b) * (1 + 0.04*n); w < waste {
			size, waste = max(a, b), w
		}
	}
	for y := s.art.y0; y < s.art.y1-1; y += size {
		for x := s.art.x0; x < s.art.x1-1; x += size {
			paint(rect{x, y, x + size, y + size})
		}
	}
}

// paintTiles lays a pavement of squares, each holding one simple figure.
func paintTiles(s *scene) {
	colours := s.colours()
	s.cells(func(cell rect) {
		back := s.rng.IntN(len(colours))
		front := (back + 1 + s.rng.IntN(len(colours)-1)) % len(colours)
		tile := &path{}
		tile.box(cell)
		s.paintPath(tile, s.art, colours[back], 1)
		s.figure(cell, s.rng.IntN(6), s.rng.IntN(4), colours[front], colours[back])
	})
}

// figure draws one of six figures into a cell, turned by quarters.
func (s *scene) figure(cell rect, kind, turn int, front, back rgb) {
	size := cell.width()
	mid := point{(cell.x0 + cell.x1) / 2, (cell.y0 + cell.y1) / 2}
	corners := [4]point{{cell.x0, cell.y0}, {cell.x1, cell.y0}, {cell.x1, cell.y1}, {cell.x0, cell.y1}}
	a, b, c, d := corners[turn], corners[(turn+1)%4], corners[(turn+2)%4], corners[(turn+3)%4]
	pie := func(at point, from int, radius float64, col rgb) {
		dirs := [4]point{{1, 0}, {0, 1}, {-1, 0}, {0, -1}}
		v := dirs[from%4]
		p := &path{}
		p.moveTo(at)
		p.lineTo(point{at.x + radius*v.x, at.y + radius*v.y})
		p.quarter(at, radius, v.x, v.y)
		s.paintPath(p, s.art, col, 1)
	}
	switch kind {
	case 0: // a quarter disc
		pie(a, turn, size, front)
	case 1: // a quarter ring
		pie(a, turn, size, front)
		pie(a, turn, size*0.62, back)
		pie(a, turn, size*0.3, front)
	case 2: // a disc
		p := &path{}
		p.disc(mid, size*0.34)
		s.paintPath(p, s.art, front, 1)
	case 3: // a leaf between opposite corners
		p := &path{}
		p.moveTo(a)
		p.cubeTo(toward(a, b, arcControl), toward(c, b, arcControl), c)
		p.cubeTo(toward(c, d, arcControl), toward(a, d, arcControl), a)
		s.paintPath(p, s.art, front, 1)
	case 4: // half the square
		p := &path{}
		p.moveTo(a)
		p.lineTo(b)
		p.lineTo(c)
		s.paintPath(p, s.art, front, 1)
	default: // two quarter discs, back to back
		pie(a, turn, size/2, front)
		pie(c, turn+2, size/2, front)
		pie(b, turn+1, size/2, front)
		pie(d, turn+3, size/2, front)
	}
}

func toward(a, b point, t float64) point { return point{a.x + (b.x-a.x)*t, a.y + (b.y-a.y)*t} }

// paintScales lays overlapping rows of fans, each of a few concentric discs,
// as on a Japanese wave cloth.
func paintScales(s *scene) {
	s.fill(s.art, s.pal.tones[2])
	colours := s.colours()
	radius := min(s.art.width(), s.art.height()) / s.between(3.6, 5.2)
	offset := s.rng.IntN(len(colours))
	rows := int(s.art.height()/(radius/2)) + 3
	for row := range rows {
		y := s.art.y0 + float64(row)*radius/2
		for x := s.art.x0 - radius + float64(row%2)*radius; x < s.art.x1+radius; x += 2 * radius {
			s.fan(point{x, y}, radius, colours[(offset+row/2)%4], row)
		}
	}
}

// fan is one scale: rings of its own colour parted by lighter lines.
func (s *scene) fan(at point, radius float64, col rgb, row int) {
	light := s.pal.ink.mix(s.pal.glow, 0.5)
	if !s.pal.dark() {
		light = s.pal.ground
	}
	heart := s.pal.accent
	if row%4 > 1 {
		heart = s.pal.glow
	}
	for _, ring := range []struct {
		part float64
		col  rgb
	}{{1, light}, {0.93, col}, {0.72, light}, {0.66, col.mix(s.pal.glow, 0.3)}, {0.45, light}, {0.39, heart}} {
		p := &path{}
		p.disc(at, radius*ring.part)
		s.paintPath(p, s.art, ring.col, 1)
	}
}

// paintWeave weaves broad strips over and under one another.
func paintWeave(s *scene) {
	cell := min(s.art.width(), s.art.height()) / s.between(4.2, 6.2)
	angle := []float64{0, math.Pi / 4, math.Pi / 4, math.Pi / 6}[s.rng.IntN(4)]
	sin, cos := math.Sin(angle), math.Cos(angle)
	colours := s.colours()
	warp, weft := make([]rgb, 64), make([]rgb, 64)
	a, b := s.pal.tones[s.rng.IntN(2)], s.pal.tones[2+s.rng.IntN(2)]
	if s.pal.dark() {
		a, b = s.pal.tones[1+s.rng.IntN(2)], s.pal.glow.mix(s.pal.tones[0], s.between(0, 0.7))
	}
	bright := s.rng.IntN(5)
	for i := range warp {
		warp[i], weft[i] = a, b
		if i%5 == bright {
			warp[i] = s.pal.accent
		}
		if s.rng.IntN(5) == 0 {
			weft[i] = colours[s.rng.IntN(len(colours)-1)]
		}
	}
	gap := s.pal.ground.mix(s.pal.tones[3], 0.75)
	s.shade(s.art, func(x, y float64, _ rgb) rgb {
		u, v := (x*cos+y*sin)/cell, (y*cos-x*sin)/cell
		i, j := int(math.Floor(u)), int(math.Floor(v))
		across, along := math.Abs(u-float64(i)-0.5), math.Abs(v-float64(j)-0.5)
		// Where the strip along v is on top, the one along u dives under it.
		top, under := warp[i&63], weft[j&63]
		if (i+j)&1 == 0 {
			top, under, across, along = under, top, along, across
		}
		shadow := 0.55 * (1 - smooth((across-stripHalf)/0.14))
		col := gap.mix(s.strip(under, along, cell).mix(gap, shadow), edge(stripHalf-along, cell))
		return col.mix(s.strip(top, across, cell), edge(stripHalf-across, cell))
	})
}

// stripHalf is half of a strip's width, in cells.
const stripHalf = 0.39

// strip is a strip's colour at a distance from its middle: two fine lines run
// along its edges, so that the eye can follow it under the others.
func (s *scene) strip(col rgb, off, cell float64) rgb {
	line := min(edge(off-0.27, cell), edge(0.31-off, cell))
	return col.mix(s.pal.ground, 0.5*line)
}

// edge is how much of a pixel lies inside a border d cells away.
func edge(d, cell float64) float64 { return min(max(d*cell+0.5, 0), 1) }

// paintSprigs grows a few leafy stems from the panel's foot.
func paintSprigs(s *scene) {
	back, leaves := s.pal.tones[0], []rgb{s.pal.tones[2], s.pal.tones[3], s.pal.accent, s.pal.tones[2]}
	if s.pal.dark() {
		back, leaves = s.pal.tones[2], []rgb{s.pal.glow, s.pal.tones[0], s.pal.accent, s.pal.tones[3]}
	}
	s.fill(s.art, back)
	sun := &path{}
	r := 0.36 * min(s.art.width(), s.art.height())
	sun.disc(point{s.art.x0 + s.art.width()*s.between(0.35, 0.65), s.art.y0 + s.art.height()*s.between(0.3, 0.42)}, r)
	s.paintPath(sun, s.art, s.pal.glow.mix(back, 0.45), 1)
	stems := max(3, int(3.2*s.art.width()/s.art.height()+0.5))
	stems = min(stems, 12)
	for i := range stems {
		t := (float64(i) + 0.5 + s.between(-0.18, 0.18)) / float64(stems)
		s.sprig(s.art.x0+t*s.art.width(), leaves[(i+s.rng.IntN(2))%len(leaves)], i)
	}
}

// sprig is one stem with leaves to both sides, smaller towards the tip.
func (s *scene) sprig(x float64, col rgb, i int) {
	tall := s.art.height() * s.between(0.55, 0.86)
	foot := point{x, s.art.y1 + 4}
	lean := s.between(-0.16, 0.16) * tall
	tip := point{x + lean, s.art.y1 - tall}
	knee := point{x - 0.35*lean, s.art.y1 - 0.5*tall}
	stem := func(t float64) point {
		return toward(toward(foot, knee, t), toward(knee, tip, t), t)
	}
	width := max(1, 0.006*s.short())
	p := &path{}
	p.moveTo(point{foot.x - width, foot.y})
	p.quadTo(point{knee.x - width, knee.y}, tip)
	p.quadTo(point{knee.x + width, knee.y}, point{foot.x + width, foot.y})
	s.paintPath(p, s.art, col, 1)
	pairs := 7 + s.rng.IntN(4)
	size := min(2.1*0.76*tall/float64(pairs), 0.19*s.art.width()) * s.between(0.85, 1.1)
	fat := s.between(0.17, 0.27)
	for k := range pairs {
		t := 0.2 + 0.76*float64(k)/float64(pairs-1)
		at, ahead := stem(t), stem(t+0.02)
		heading := math.Atan2(ahead.y-at.y, ahead.x-at.x)
		long := size * (1.1 - 0.75*t)
		open := 0.95 - 0.4*t
		s.leaf(at, heading-open, long, fat, col)
		s.leaf(stem(t+0.03), heading+open, long, fat, col)
	}
	s.leaf(tip, math.Atan2(tip.y-knee.y, tip.x-knee.x), size*0.4, fat, col)
}

// leaf is pointed at both ends and broadest before the middle.
func (s *scene) leaf(at point, heading, long, fat float64, col rgb) {
	sin, cos := math.Sin(heading), math.Cos(heading)
	to := func(u, v float64) point {
		return point{at.x + long*(u*cos-v*sin), at.y + long*(u*sin+v*cos)}
	}
	p := &path{}
	p.moveTo(at)
	p.cubeTo(to(0.2, fat), to(0.65, fat*0.8), to(1, 0))
	p.cubeTo(to(0.65, -fat*0.8), to(0.2, -fat), at)
	s.paintPath(p, s.art, col, 1)
}
