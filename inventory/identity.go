package inventory

import (
	"fmt"
	"strings"
)

// Identity is what a logical unit says about who it is. None of it depends on the
// path, the host, or what else is in sight. A field is "" if the device does not say.
type Identity struct {
	// LogicalUnit is the designator of VPD page 83h: an NAA in lower-case hex, "eui." and hex,
	// "t10." and text, or a name string.
	LogicalUnit string
	Port        string // NAA of the target port that VPD page 83h was read through, in lower-case hex
	Vendor      string // standard INQUIRY data
	Serial      string // VPD page 80h

	// These are of the primary subenclosure, page 01h.
	LogicalID  string // 16 hex digits
	RelativeID int
	Processes  int
}

// sesOnly begins the designator of a logical unit that is known by page 01h
// alone. Another ESP can have the same one.
const sesOnly = "ses."

// LUID returns the designator that distinguishes an ESP's logical unit from every other
// one, or "" if the device says nothing that does:
//
//	5000ccab04001001                   NAA of the logical unit
//	5000ccab0400dc00@5000ccab0400dcff  NAA and target port, where the NAA is the enclosure's logical identifier
//	eui.0011223344556677               EUI-64
//	t10.ACME%20%20%20%20JBOD-60-4711   T10 vendor identification
//	serial.ACME.4711                   vendor and serial number; the product is left
//	                                   out because some carry their version in it (Areca)
//	ses.5000ccab04001000.1of2          logical identifier and ES process numbers
//
// An NAA can be the enclosure's, the same on both modules (seen on Celestica: LU
// ...dc00, port ...dcff). Then only the port says which ESP answers, and it is
// part of the designator whether or not the other ESP is in sight. If ESPs share an NAA
// that is not the enclosure's, only Merge can see it.
// Bytes that are unsafe in an address or a file name are written as %XX.
func (id Identity) LUID() string {
	switch {
	case id.LogicalUnit != "" && id.LogicalUnit == id.LogicalID && id.Port != "":
		return id.atPort()
	case id.LogicalUnit != "":
		return escapeID(id.LogicalUnit)
	case id.Serial != "":
		return "serial." + escapeID(id.Vendor) + "." + escapeID(id.Serial)
	case id.LogicalID != "" && id.LogicalID != zeroLogicalID:
		return fmt.Sprintf("%s%s.%dof%d", sesOnly, id.LogicalID, id.RelativeID, id.Processes)
	}
	return ""
}

// OtherUnits reports whether two designators certainly belong to two logical units. One
// unit can have several, depending on how much it reports: two kinds of designator prove
// nothing. Neither does one from page 01h alone, which an exchanged module takes over.
func OtherUnits(a, b string) bool {
	kind := func(luID string) string {
		if strings.Contains(luID, "@") {
			return "@"
		}
		prefix, _, dotted := strings.Cut(luID, ".")
		if !dotted {
			return "" // an NAA
		}
		return prefix + "."
	}
	return a != b && kind(a) == kind(b) && kind(a) != sesOnly
}

// Is reports whether luID designates this logical unit, even if id was made without page
// 01h: a device that has just been reset may not answer that yet.
func (id Identity) Is(luID string) bool {
	return luID != "" && (luID == id.LUID() || luID == id.atPort())
}

func (id Identity) atPort() string { return escapeID(id.LogicalUnit) + "@" + escapeID(id.Port) }

func escapeID(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
