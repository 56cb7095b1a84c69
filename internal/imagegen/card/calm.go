package card

// enoughContrast is between the title and each pixel behind it. WCAG asks for
// 4.5 of text of any size; the rest is for a later JPEG or WebP.
const enoughContrast = 5

// calm pulls the pixels behind the title towards the ground, as little as
// gives enough contrast. It measures what was really painted, so no motif has
// to promise anything; at full strength the ground itself is left, which every
// palette's ink stands out from.
func (c *composition) calm() {
	if c.title == "" {
		return
	}
	const steps = 16
	pad := 0.02 * c.short()
	for n := range steps + 1 {
		c.scrim = float64(n) / steps
		least := 21.0
		for _, line := range c.lines {
			least = min(least, c.leastContrast(line.grown(pad), c.scrim))
		}
		if least >= enoughContrast {
			break
		}
	}
	if c.scrim == 0 {
		return
	}
	fade := 0.16 * c.short()
	c.shade(c.quiet.grown(pad+fade), func(x, y float64, under rgb) rgb {
		return under.mix(c.pal.ground, c.scrim*(1-smooth((c.clearance(x, y)-pad)/fade)))
	})
}

// leastContrast is the ink's against the worst pixel of r, were it mixed with
// the given part of ground.
func (c *composition) leastContrast(r rect, ground float64) float64 {
	area := r.pixels().Intersect(c.img.Rect)
	ink, lightest, darkest := c.pal.ink.luminance(), 0.0, 1.0
	for y := area.Min.Y; y < area.Max.Y; y++ {
		row := c.img.Pix[c.img.PixOffset(area.Min.X, y):c.img.PixOffset(area.Max.X, y)]
		for ; len(row) >= 4; row = row[4:] {
			under := rgb{float64(row[0]), float64(row[1]), float64(row[2])}
			l := under.mix(c.pal.ground, ground).luminance()
			lightest, darkest = max(lightest, l), min(darkest, l)
		}
	}
	if darkest <= ink && ink <= lightest {
		return 1
	}
	return min(contrast(ink, lightest), contrast(ink, darkest))
}
