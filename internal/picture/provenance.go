package picture

import (
	"bytes"
	"encoding/xml"
	"strings"
)

// SourceType is IPTC's word for where a picture comes from; search engines and
// social networks label pictures by it.
type SourceType string

// The source types in use here, as IPTC's NewsCodes.
const (
	SourceGenerated SourceType = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia" // a model made it
	SourceAlgorithm SourceType = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia"        // a program drew it: the built-in card
	SourceCamera    SourceType = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"          // a photograph, known to be one
	SourceUnknown   SourceType = ""                                                                       // says nothing
)

// Provenance is what a published file says about its origin, and the only
// thing. Empty members are left out; of each, the first 1,000 characters count.
type Provenance struct {
	SourceType SourceType
	Creator    string // dc:creator: who made it, a photographer's name
	Credit     string // photoshop:Credit: the line to print beside it
	Rights     string // dc:rights: the licence in words
	LicenseURL string // xmpRights:WebStatement: the licence's page
	SourceURL  string // dc:source: the page that it was taken from
	Tool       string // xmp:CreatorTool: "Frontispiece (sdcpp)"
}

// maxProvenance keeps the packet within one JPEG segment even when each
// character has to be escaped.
const maxProvenance = 1000

const (
	xmpBegin = `<?xpacket begin="` + "\ufeff" + `" id="W5M0MpCehiHzreSzNTczkc9d"?>` +
		`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">` +
		`<rdf:Description rdf:about=""`
	// Nobody edits the packet in place, so it has no padding and is read-only.
	xmpEnd = `</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>`
)

// properties lists, in the order of writing, how each member is spelled: its
// namespace, and what stands around the value.
var properties = []struct {
	value          func(Provenance) string
	prefix, schema string
	open, close    string
}{
	{
		func(p Provenance) string { return string(p.SourceType) }, "Iptc4xmpExt", "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
		"<Iptc4xmpExt:DigitalSourceType>", "</Iptc4xmpExt:DigitalSourceType>",
	},
	{
		func(p Provenance) string { return p.Tool }, "xmp", "http://ns.adobe.com/xap/1.0/",
		"<xmp:CreatorTool>", "</xmp:CreatorTool>",
	},
	{
		func(p Provenance) string { return p.Credit }, "photoshop", "http://ns.adobe.com/photoshop/1.0/",
		"<photoshop:Credit>", "</photoshop:Credit>",
	},
	{
		func(p Provenance) string { return p.LicenseURL }, "xmpRights", "http://ns.adobe.com/xap/1.0/rights/",
		"<xmpRights:WebStatement>", "</xmpRights:WebStatement>",
	},
	{
		func(p Provenance) string { return p.Creator }, "dc", "http://purl.org/dc/elements/1.1/",
		"<dc:creator><rdf:Seq><rdf:li>", "</rdf:li></rdf:Seq></dc:creator>",
	},
	{
		func(p Provenance) string { return p.Rights }, "dc", "http://purl.org/dc/elements/1.1/",
		`<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">`, "</rdf:li></rdf:Alt></dc:rights>",
	},
	{
		func(p Provenance) string { return p.SourceURL }, "dc", "http://purl.org/dc/elements/1.1/",
		"<dc:source>", "</dc:source>",
	},
}

// packet is the provenance as XMP, nil when there is nothing to say. Namespaces
// are declared only where used: the packet goes into every rendition.
func (p Provenance) packet() []byte {
	if p == (Provenance{}) {
		return nil
	}
	var names, body bytes.Buffer
	declared := map[string]bool{}
	for _, prop := range properties {
		value := prop.value(p)
		if value == "" {
			continue
		}
		if !declared[prop.prefix] {
			declared[prop.prefix] = true
			names.WriteString(" xmlns:" + prop.prefix + `="` + prop.schema + `"`)
		}
		body.WriteString(prop.open)
		escape(&body, value)
		body.WriteString(prop.close)
	}
	return []byte(xmpBegin + names.String() + ">" + body.String() + xmpEnd)
}

// escape writes s as XML text; what XML cannot hold becomes U+FFFD.
func escape(to *bytes.Buffer, s string) {
	if r := []rune(s); len(r) > maxProvenance {
		s = string(r[:maxProvenance])
	}
	// unreachable: a bytes.Buffer takes everything.
	_ = xml.EscapeText(to, []byte(strings.TrimSpace(s)))
}
