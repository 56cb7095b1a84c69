package card

import "math"

// rgb is a colour, each channel from 0 to 255.
type rgb struct{ r, g, b float64 }

func fromHex(v uint32) rgb {
	return rgb{float64(v >> 16 & 0xff), float64(v >> 8 & 0xff), float64(v & 0xff)}
}

// mix is c with t (0 to 1) of o in it.
func (c rgb) mix(o rgb, t float64) rgb {
	return rgb{c.r + (o.r-c.r)*t, c.g + (o.g-c.g)*t, c.b + (o.b-c.b)*t}
}

// luminance is WCAG's relative luminance of the colour rounded to bytes.
func (c rgb) luminance() float64 {
	return luminanceOf(uint8(c.r+0.5), uint8(c.g+0.5), uint8(c.b+0.5))
}

func luminanceOf(r, g, b uint8) float64 {
	return 0.2126*linear[r] + 0.7152*linear[g] + 0.0722*linear[b]
}

// linear undoes sRGB's transfer curve for every byte. math.Pow may differ in its
// last bit between processors; that is harmless here, since luminances are only
// compared with thresholds and never become a colour.
var linear = func() (table [256]float64) {
	for i := range table {
		v := float64(i) / 255
		if v <= 0.04045 {
			table[i] = v / 12.92
		} else {
			table[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return table
}()

// contrast is WCAG's ratio of two luminances, 1 to 21.
func contrast(a, b float64) float64 {
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

// palette is the colours of one card. Title in ink on ground has a contrast
// of at least 8, which leaves room for what a motif puts behind it.
type palette struct {
	name   string
	ground rgb
	glow   rgb    // where the light comes from: horizons, halos
	ink    rgb    // the title
	accent rgb    // used once or twice on a card: a sun, the rule above the title
	tones  [4]rgb // from far, close to the ground, to near
}

// dark reports whether the title is lighter than the ground.
func (p palette) dark() bool { return p.ink.luminance() > p.ground.luminance() }

func newPalette(name string, ground, glow, ink, accent uint32, tones [4]uint32) palette {
	p := palette{name: name, ground: fromHex(ground), glow: fromHex(glow), ink: fromHex(ink), accent: fromHex(accent)}
	for i, t := range tones {
		p.tones[i] = fromHex(t)
	}
	return p
}

// palettes alternate between dark and light, so that the neighbouring seeds of
// one round do not all look like night.
var palettes = []palette{
	newPalette("midnight", 0x14213d, 0x6b7db5, 0xfbf3e4, 0xf2a65a, [4]uint32{0x465a92, 0x2f4174, 0x1e2d54, 0x0c1426}),
	newPalette("paper", 0xf4ede0, 0xe9cfa9, 0x23252b, 0xc9452e, [4]uint32{0xdac6aa, 0xb89f85, 0x807569, 0x3c3e44}),
	newPalette("pine", 0x123029, 0x7fae93, 0xf5f0df, 0xe8b04b, [4]uint32{0x437a67, 0x2c5d4d, 0x1d4539, 0x0a1f1a}),
	newPalette("sage", 0xe1e8da, 0xf2e3bd, 0x1e3129, 0xc4602f, [4]uint32{0xb5c6ae, 0x86a38b, 0x557a68, 0x2c4a40}),
	newPalette("aubergine", 0x2d1835, 0xb5739a, 0xfaefe6, 0xf0876b, [4]uint32{0x7d4c79, 0x5a355d, 0x402546, 0x1d0e25}),
	newPalette("mist", 0xdee8ed, 0xf6e4ce, 0x14293b, 0xd4622f, [4]uint32{0xb4cad6, 0x84a5b8, 0x4f7790, 0x23445c}),
	newPalette("oxblood", 0x4a1521, 0xcf6d56, 0xfbede0, 0xf3b562, [4]uint32{0x96353c, 0x75252f, 0x5c1b27, 0x300c15}),
	newPalette("butter", 0xf8e8bc, 0xf7cf7d, 0x33260f, 0xb8422a, [4]uint32{0xebcb7c, 0xcfa24e, 0x93702f, 0x4d3a1b}),
	newPalette("petrol", 0x0c3540, 0x6bb3b0, 0xf3f1e4, 0xf28f5b, [4]uint32{0x2f7480, 0x1d5a66, 0x13454f, 0x06232b}),
	newPalette("blush", 0xf7e2d8, 0xf6c9a8, 0x3b1b2c, 0xc4463f, [4]uint32{0xe8b9a9, 0xcf8c87, 0x99596b, 0x552b43}),
	newPalette("charcoal", 0x1f2126, 0x8b8f96, 0xf6f2ea, 0xe4572e, [4]uint32{0x5a5e66, 0x42454c, 0x2f3238, 0x121316}),
	newPalette("lilac", 0xe6e0f0, 0xf5d3cf, 0x281f47, 0xd1495b, [4]uint32{0xc4b7de, 0x9e8dc4, 0x6a5c98, 0x3a2f66}),
	newPalette("indigo", 0x23235b, 0x9a98e0, 0xf7f3ec, 0xffc15e, [4]uint32{0x5d5bb3, 0x44428d, 0x313071, 0x15153a}),
	newPalette("clay", 0xefd9c6, 0xf9e6c4, 0x173a3d, 0xc2452d, [4]uint32{0xddb08f, 0xc08060, 0x8b5340, 0x4f2c22}),
	newPalette("moss", 0x2b3318, 0xa9b26b, 0xf7f3df, 0xe3a33b, [4]uint32{0x707c43, 0x545f30, 0x3e4823, 0x1a1f0d}),
	newPalette("seafoam", 0xd8ebe4, 0xfbebc8, 0x10332f, 0xe0603f, [4]uint32{0xa8d1c4, 0x6fae9f, 0x3c7f75, 0x174c47}),
}
