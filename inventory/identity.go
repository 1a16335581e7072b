package inventory

import (
	"fmt"
	"strings"
)

// Identity is what a logical unit says of who it is, in VPD pages 83h and 80h
// and in standard INQUIRY data. None of it depends on the path, the host, or
// what else is in sight. Designators are in lower-case hex; "" where the device
// has none.
type Identity struct {
	NAA    string // of the logical unit, 16 or 32 digits
	EUI64  string // of the logical unit
	T10    string // vendor identification and vendor specific identifier, as ASCII
	Port   string // NAA of the target port that the command came through
	Vendor string // of standard INQUIRY data
	Serial string // VPD page 80h
}

// LUID returns the designator that tells an ESP's logical unit from every other
// one, "" where the device says nothing that could. Its characters are those
// that a file name, an address and a glob may have.
//
//	5000ccab04001001                  NAA of the logical unit
//	5000ccab0400dc00@5000ccab0400dcff NAA, and that of the target port where it is another
//	eui:0011223344556677              EUI-64
//	t10:ACME:JBOD-60-4711             T10 vendor identification
//	serial:ACME:4711                  vendor and serial number; the product is left
//	                                  out because some carry their version in it (Areca)
//
// The port belongs to it because the NAA can be the enclosure's, the same on
// both modules (seen on Celestica: LU ...dc00, port ...dcff): then only the port
// says which ESP answers, and it must say so whether or not the other is in sight.
func (id Identity) LUID() string {
	var lu string
	switch {
	case id.NAA != "":
		lu = id.NAA
	case id.EUI64 != "":
		lu = "eui:" + id.EUI64
	case id.T10 != "":
		vendor, specific := id.T10, ""
		if len(vendor) > 8 { // T10 VENDOR IDENTIFICATION, SPC-4 7.8.6.3
			vendor, specific = vendor[:8], vendor[8:]
		}
		lu = "t10:" + escapeID(vendor) + ":" + escapeID(specific)
	case strings.TrimSpace(id.Serial) != "":
		return "serial:" + escapeID(id.Vendor) + ":" + escapeID(id.Serial)
	default:
		return ""
	}
	if id.Port != "" && id.Port != id.NAA {
		lu += "@" + id.Port
	}
	return lu
}

// escapeID cuts blanks and NULs at both ends and writes bytes that an address or
// a file name had better not have as %XX.
func escapeID(s string) string {
	var b strings.Builder
	for _, c := range []byte(strings.Trim(s, " \x00")) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
