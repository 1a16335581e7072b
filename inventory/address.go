package inventory

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// zeroLogicalID is the enclosure logical identifier of devices that have none
// (seen on Dell MD32xxi).
const zeroLogicalID = "0000000000000000"

// Address returns the address of a component, "<enclosure>/<esp>/sub<n>" as in
// "5000ccab04001000/esp1/sub0". Enclosure is an Enclosure.ID, esp an ESP.ID and
// sub a subenclosure id, 0 to 255.
func Address(enclosure, esp string, sub int) string {
	return enclosure + "/" + esp + "/sub" + strconv.Itoa(sub)
}

// ParseAddress splits an address into the parts that Address joins.
func ParseAddress(address string) (enclosure, esp string, sub int, err error) {
	bad := func(why string) (string, string, int, error) {
		return "", "", 0, fmt.Errorf(
			"cannot read address %q: %s; an address looks like 5000ccab04001000/esp1/sub0", address, why)
	}
	parts := strings.Split(address, "/")
	if len(parts) != 3 {
		return bad("it does not have three parts")
	}
	enclosure, esp = parts[0], parts[1]
	if !isLogicalID(enclosure) && !isLUPart(enclosure) {
		return bad("its enclosure is neither 16 lower-case hex digits, other than all zero, nor lu-<designator>")
	}
	if !isESPNumber(esp) && !isLUPart(esp) {
		return bad("its ESP is neither esp1 to esp7 nor lu-<designator>")
	}
	digits, ok := strings.CutPrefix(parts[2], "sub")
	n, err := strconv.ParseUint(digits, 10, 8)
	if !ok || err != nil || strconv.FormatUint(n, 10) != digits {
		return bad("its subenclosure is not sub0 to sub255")
	}
	return enclosure, esp, int(n), nil
}

// EnclosureID returns the enclosure part of an address: the logical identifier,
// or "lu-<designator>" if that is all zero.
func EnclosureID(logicalID, luID string) string {
	if logicalID == zeroLogicalID {
		return "lu-" + luID
	}
	return logicalID
}

// NormalID writes an enclosure's identifier as inventories do: hex digits in lower case,
// a designator as it is.
func NormalID(id string) string {
	if strings.HasPrefix(id, "lu-") {
		return id
	}
	return strings.ToLower(id)
}

var enclosureID = regexp.MustCompile(`^([0-9a-f]{16}|lu-.+)$`)

// IsEnclosureID reports whether a text reads like the identifier of an enclosure, in whichever
// case: 16 hex digits, or "lu-" and a designator.
func IsEnclosureID(text string) bool { return enclosureID.MatchString(NormalID(text)) }

// ESPID returns the ESP part of an address: "esp<n>" only if the ESP itself
// says n of m with m >= 2 and 1 <= n <= m, else "lu-<designator>". ES process
// numbers lie: 0 of 0, 0 of 1 and two ESPs that both say "1 of 1" have been seen
// (NetApp DS424, 3PAR, EMC KTN-STL3).
func ESPID(relativeID, processes int, luID string) string {
	if numbered(relativeID, processes) {
		return "esp" + strconv.Itoa(relativeID)
	}
	return "lu-" + luID
}

// EnclosureOf returns the enclosure part of an address.
func EnclosureOf(address string) string {
	enclosure, _, _ := strings.Cut(address, "/")
	return enclosure
}

// Called returns an address, of a component or an enclosure, behind the name that people gave
// the enclosure, "" if they gave it none.
func Called(name, address string) string {
	if name == "" {
		return address
	}
	return Nickname(name, address) + " (" + address + ")"
}

// Names are what people call enclosures, by the first part of their addresses.
type Names map[string]string

// Of returns the name of the enclosure that an address begins with, "" if it has none.
func (n Names) Of(address string) string { return n[EnclosureOf(address)] }

// Called returns an address, of a component or an enclosure, behind the name that people gave
// the enclosure.
func (n Names) Called(address string) string { return Called(n.Of(address), address) }

// Nickname returns the name of an enclosure, with the part of a component's address that people
// can remember.
func Nickname(name, address string) string {
	_, esp, _ := strings.Cut(address, "/")
	esp, sub, _ := strings.Cut(esp, "/")
	if !strings.HasPrefix(esp, "esp") {
		return name
	}
	name += " " + esp
	if sub != "" && sub != "sub0" {
		name += " " + sub
	}
	return name
}

// ID returns the enclosure part of the addresses of e's components.
func (e *Enclosure) ID() string {
	luID := ""
	if len(e.ESPs) > 0 {
		luID = e.ESPs[0].LUID
	}
	return EnclosureID(e.LogicalID, luID)
}

// ID returns the ESP part of the addresses of e's components.
func (e *ESP) ID() string { return ESPID(e.RelativeID, e.Processes, e.LUID) }

// numbered reports whether an ESP's relative id says which of several it is.
func numbered(relativeID, processes int) bool {
	return processes >= 2 && 1 <= relativeID && relativeID <= processes
}

func isLogicalID(s string) bool {
	return len(s) == 16 && s != zeroLogicalID && strings.Trim(s, "0123456789abcdef") == ""
}

func isLUPart(s string) bool { return strings.HasPrefix(s, "lu-") && len(s) > len("lu-") }

func isESPNumber(s string) bool {
	return len(s) == 4 && strings.HasPrefix(s, "esp") && '1' <= s[3] && s[3] <= '7'
}
