package picture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// secret stands for a prompt, a workflow, a path or a place.
const secret = "SECRET masterpiece, C:\\Users\\ada\\workflow.json"

var generated = Provenance{
	SourceType: SourceGenerated,
	Credit:     `Ada & "Co" <ada>`,
	Creator:    "Ada Lövelace",
	Rights:     "CC BY 4.0",
	LicenseURL: "https://creativecommons.org/licenses/by/4.0/",
	SourceURL:  "https://example.org/photo/1?a=1&b=2",
	Tool:       "Frontispiece (sdcpp)",
}

// dirty are files of every format with the secret in every place that a
// generator, an editor or a camera is known to write to.
func dirty() map[string]func(testing.TB) []byte {
	m := photo(60, 40)
	return map[string]func(testing.TB) []byte{
		"PNG": func(tb testing.TB) []byte {
			b := afterIHDR(pngOf(tb, m),
				chunk("tEXt", []byte("parameters\x00"+secret)), chunk("tEXt", []byte("prompt\x00"+secret)),
				chunk("iTXt", []byte("XML:com.adobe.xmp\x00\x00\x00\x00\x00"+secret)), chunk("zTXt", []byte("workflow\x00\x00"+secret)),
				chunk("eXIf", exifWith(upright, secret)), chunk("tIME", []byte("SECRET.")), chunk("caBX", []byte(secret)),
				chunk("prVt", []byte(secret)), chunk("sPLT", []byte(secret)), iccp(tb, []byte(secret)),
				chunk("acTL", []byte{0, 0, 0, 1, 0, 0, 0, 0}), chunk("fcTL", []byte(secret)),
				chunk("pHYs", []byte{0, 0, 11, 19, 0, 0, 11, 19, 1}), chunk("gAMA", []byte{0, 0, 0xb1, 0x8f}))
			return append(b, secret...)
		},
		"JPEG": func(tb testing.TB) []byte {
			b := afterSOI(jpegOf(tb, m),
				segment(jpegAPP0, "JFIF\x00\x01\x02\x01\x00\x48\x00\x48\x01\x01"+secret[:3]), segment(jpegAPP0, "JFXX\x00"+secret),
				segment(jpegAPP1, exifID+string(exifWith(upright, secret))), segment(jpegAPP1, xmpID+secret),
				segment(jpegAPP2, "MPF\x00"+secret), segment(jpegAPP2, iccID+"\x01\x01"+secret),
				segment(0xeb, secret), segment(0xed, "Photoshop 3.0\x008BIM"+secret), segment(jpegCOM, secret), []byte("SECRET"))
			return append(b, secret...)
		},
		"WebP": func(tb testing.TB) []byte {
			b := riff(vp8x(vp8xXMP|vp8xEXIF, 60, 40), webpChunks(tb, webpOf(tb, m)),
				appendWebPChunk(nil, "EXIF", exifWith(upright, secret)), appendWebPChunk(nil, "XMP ", []byte(secret)),
				appendWebPChunk(nil, "wOrk", []byte(secret)))
			return append(b, secret...)
		},
	}
}

// clean are files without any metadata, one for every way of storing pixels.
func clean() map[string]func(testing.TB) []byte {
	m, alpha := photo(61, 43), veil(61, 43)
	return map[string]func(testing.TB) []byte{
		"PNG":            func(tb testing.TB) []byte { return pngOf(tb, m) },
		"PNG interlaced": func(tb testing.TB) []byte { return interlaced(tb, m) },
		"PNG palette": func(tb testing.TB) []byte {
			return pngOf(tb, drawn(image.NewPaletted(m.Rect, webSafe()), alpha))
		},
		"JPEG":          func(tb testing.TB) []byte { return jpegOf(tb, m) },
		"JPEG CMYK":     func(tb testing.TB) []byte { return cmyk(tb, m) },
		"WebP":          func(tb testing.TB) []byte { return webpOf(tb, m) },
		"WebP alpha":    func(tb testing.TB) []byte { return webpOf(tb, alpha) },
		"WebP lossless": func(tb testing.TB) []byte { return losslessOf(tb, alpha) },
	}
}

func TestFinishRemovesSecrets(t *testing.T) {
	t.Parallel()
	for name, file := range dirty() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := file(t)
			before := bytes.Clone(b)
			got := finish(t, b, generated)
			if bytes.Contains(got.Bytes, []byte("SEC")) {
				t.Errorf("the finished file still holds the secret")
			}
			if !bytes.Equal(b, before) {
				t.Errorf("Finish changed its input")
			}
			if diff := difference(t, decodePixels(t, b), decodePixels(t, got.Bytes)); diff != 0 {
				t.Errorf("pixels changed by %v", diff)
			}
			if again := finish(t, b, generated); !bytes.Equal(again.Bytes, got.Bytes) {
				t.Errorf("the same input gave other bytes")
			}
			if twice := finish(t, got.Bytes, generated); !bytes.Equal(twice.Bytes, got.Bytes) {
				t.Errorf("finishing a finished file changed it")
			}
		})
	}
}

func TestFinishKeepsPixels(t *testing.T) {
	t.Parallel()
	for name, file := range clean() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := file(t)
			for _, prov := range []Provenance{{}, generated} {
				got := finish(t, b, prov)
				if diff := difference(t, decodePixels(t, b), decodePixels(t, got.Bytes)); diff != 0 {
					t.Errorf("pixels changed by %v", diff)
				}
			}
			if bare := finish(t, b, Provenance{}); len(bare.Bytes) > len(b) {
				t.Errorf("Finish without provenance made %d bytes of %d", len(bare.Bytes), len(b))
			}
		})
	}
}

func TestFinishKeepsColour(t *testing.T) {
	t.Parallel()
	m := photo(60, 40)
	large := profile("RGB ", 150_000) // three JPEG segments
	var parts [][]byte
	for i, part := range splitProfile(large) {
		parts = append(parts, appendJPEGSegment(nil, jpegAPP2, iccID+string([]byte{byte(i + 1), 3}), part))
	}
	parts[0], parts[2] = parts[2], parts[0] // order is by number, not by place
	parts = append(parts, segment(jpegAPP2, "MPF\x00 some other use of the same marker"))
	tail := append(bytes.Clone(large), secret...) // behind the profile's own end
	tests := map[string]func(testing.TB) []byte{
		"PNG":  func(tb testing.TB) []byte { return afterIHDR(pngOf(tb, m), iccp(tb, large)) },
		"JPEG": func(tb testing.TB) []byte { return afterSOI(jpegOf(tb, m), parts...) },
		"WebP": func(tb testing.TB) []byte {
			return riff(vp8x(vp8xICC, 60, 40), appendWebPChunk(nil, "ICCP", tail), webpChunks(tb, webpOf(tb, m)))
		},
	}
	for name, file := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, h, err := open(finish(t, file(t), generated).Bytes, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(h.profile, large) {
				t.Errorf("the profile has %d bytes, want the %d that went in", len(h.profile), len(large))
			}
		})
	}
}

// TestFinishKeepsOrientation stores a picture in all eight ways and wants it
// upright each time, as facts and as pixels.
func TestFinishKeepsOrientation(t *testing.T) {
	t.Parallel()
	m := photo(48, 32)
	for o := upright; o <= maxOrientation; o++ {
		stored := image.NewNRGBA(image.Rectangle{Max: o.size(m.Rect.Size())})
		w, h := stored.Rect.Dx(), stored.Rect.Dy()
		for y := range h {
			for x := range w {
				p := o.place(x, y, w, h)
				stored.SetNRGBA(x, y, m.NRGBAAt(p.X, p.Y))
			}
		}
		exif := exifWith(o, secret)
		tests := map[string]func(testing.TB) []byte{
			"PNG": func(tb testing.TB) []byte { return afterIHDR(pngOf(tb, stored), chunk("eXIf", exif)) },
			"JPEG": func(tb testing.TB) []byte {
				return afterSOI(jpegOf(tb, stored), segment(jpegAPP1, exifID+string(exif)))
			},
			"WebP": func(tb testing.TB) []byte {
				return riff(vp8x(vp8xEXIF|vp8xAlpha, w, h), webpChunks(tb, losslessOf(tb, stored)), appendWebPChunk(nil, "EXIF", exif))
			},
		}
		for name, file := range tests {
			t.Run(fmt.Sprintf("%s %d", name, o), func(t *testing.T) {
				t.Parallel()
				got := finish(t, file(t), generated)
				if got.Width != 48 || got.Height != 32 {
					t.Errorf("Finish = %dx%d, want the upright 48x32", got.Width, got.Height)
				}
				f, err := Judge(got.Bytes, Limits{})
				if err != nil {
					t.Fatal(err)
				}
				if d := difference(t, f.Pixels.NRGBA, m); d > 6 {
					t.Errorf("pixels differ by %.1f levels from the upright picture", d)
				}
			})
		}
	}
}

// TestFinishExiftool asks the tool that everybody else reads metadata with.
func TestFinishExiftool(t *testing.T) {
	t.Parallel()
	needExiftool(t)
	want := map[string]any{
		"XMP-iptcExt:DigitalSourceType": string(SourceGenerated),
		"XMP-xmp:CreatorTool":           generated.Tool,
		"XMP-photoshop:Credit":          generated.Credit,
		"XMP-dc:Creator":                generated.Creator,
		"XMP-dc:Rights":                 generated.Rights,
		"XMP-dc:Source":                 generated.SourceURL,
		"XMP-xmpRights:WebStatement":    generated.LicenseURL,
	}
	for name, file := range dirty() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := exiftool(t, finish(t, file(t), generated).Bytes)
			found := map[string]any{}
			for k, v := range got {
				switch {
				case strings.HasPrefix(k, "XMP-x:"): // exiftool names the packet's writer, which is absent
				case strings.HasPrefix(k, "XMP"):
					found[k] = v
				case strings.Contains(fmt.Sprint(v), "SECRET"), strings.HasPrefix(k, "IFD"), strings.HasPrefix(k, "EXIF"), strings.Contains(k, "Warning"):
					t.Errorf("exiftool found %s = %v", k, v)
				}
			}
			if diff := cmp.Diff(want, found); diff != "" {
				t.Errorf("XMP (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFinishOrientationExiftool checks that the one tag that stays is read.
func TestFinishOrientationExiftool(t *testing.T) {
	t.Parallel()
	needExiftool(t)
	b := afterSOI(jpegOf(t, photo(48, 32)), segment(jpegAPP1, exifID+string(exifWith(6, secret))))
	got := exiftool(t, finish(t, b, Provenance{}).Bytes)
	if got["IFD0:Orientation"] != "Rotate 90 CW" {
		t.Errorf("Orientation = %v, want Rotate 90 CW", got["IFD0:Orientation"])
	}
	for k := range got {
		if strings.HasPrefix(k, "XMP") {
			t.Errorf("no provenance was given and %s was written", k)
		}
	}
}

func needExiftool(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("exiftool"); err == nil {
		return
	}
	const hint = "exiftool is not installed (apt-get install libimage-exiftool-perl): the written XMP is not read back by a foreign tool"
	if os.Getenv("REQUIRE_SERVICES") == "1" {
		t.Fatal(hint)
	}
	t.Skip(hint)
}

func exiftool(t *testing.T, b []byte) map[string]any {
	t.Helper()
	file := filepath.Join(t.TempDir(), "picture")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "exiftool", "-json", "-G1", "-validate", "-warning", "-all", file).Output()
	if err != nil {
		t.Fatalf("exiftool: %v\n%s", err, out)
	}
	var tags []map[string]any
	if err := json.Unmarshal(out, &tags); err != nil || len(tags) != 1 {
		t.Fatalf("exiftool answered %s: %v", out, err)
	}
	return tags[0]
}

func finish(tb testing.TB, b []byte, prov Provenance) Encoded {
	tb.Helper()
	got, err := Finish(b, prov)
	if err != nil {
		tb.Fatalf("Finish = %v", err)
	}
	return got
}

// TestFinishLongProvenance: a JPEG segment ends at 64 KiB, and a provider's
// text is not ours to trust.
func TestFinishLongProvenance(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\"&\x00é", 5000)
	prov := Provenance{SourceGenerated, long, long, long, long, long, long}
	b := jpegOf(t, photo(32, 32))
	got := finish(t, b, prov)
	if diff := difference(t, decodePixels(t, b), decodePixels(t, got.Bytes)); diff != 0 {
		t.Errorf("pixels changed by %v", diff)
	}
	if grown := len(got.Bytes) - len(b); grown > 1<<16 {
		t.Errorf("the file grew by %d bytes, more than a segment can hold", grown)
	}
	if !bytes.Contains(got.Bytes, []byte(xmpEnd)) {
		t.Errorf("the packet has no end")
	}
}

// TestFinishDropsThumbnail: JFIF states the thumbnail's size in the very bytes
// that have to stay.
func TestFinishDropsThumbnail(t *testing.T) {
	t.Parallel()
	b := afterSOI(jpegOf(t, photo(32, 32)), segment(jpegAPP0, "JFIF\x00\x01\x02\x01\x00\x48\x00\x48\x01\x01abc"))
	got := finish(t, b, Provenance{}).Bytes
	want := "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x02\x01\x00\x48\x00\x48\x00\x00\xff"
	if !bytes.HasPrefix(got, []byte(want)) {
		t.Errorf("file begins %q, want %q", got[:len(want)], want)
	}
}

func TestPacketGolden(t *testing.T) {
	t.Parallel()
	got := string(Provenance{SourceType: SourceAlgorithm, Tool: "Frontispiece <card>"}.packet())
	want := "<?xpacket begin=\"\ufeff\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>" +
		`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">` +
		`<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/">` +
		`<Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia</Iptc4xmpExt:DigitalSourceType>` +
		`<xmp:CreatorTool>Frontispiece &lt;card&gt;</xmp:CreatorTool></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("packet (-want +got):\n%s", diff)
	}
	if got := (Provenance{}).packet(); got != nil {
		t.Errorf("packet of nothing = %q, want nil", got)
	}
}

// TestEntropyBytes: the end of a scan is a marker, and not every 0xff is one.
func TestEntropyBytes(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]int{
		"":                            0,
		"abc":                         3,
		"abc\xff":                     4,
		"abc\xff\xd9":                 3,
		"a\xff\x00bc\xff\xc4":         5,
		"a\xff\xd0b\xff\xd7c\xff\xda": 7,
		"a\xff\xff\xd0b\xff\xd9":      5,
		"a\xff\xff":                   3,
	} {
		if got := entropyBytes([]byte(data)); got != want {
			t.Errorf("entropyBytes(%q) = %d, want %d", data, got, want)
		}
	}
}
