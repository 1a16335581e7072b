package fleet_test

import (
	"strings"
	"testing"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
)

// seen is what a host sees of the one enclosure of these tests: one ESP and a power supply
// behind it, which run a revision, and what it remembers as staged on the ESP.
func seen(host, revision string, paths int, staged string) *inventory.Inventory {
	const id = "5000ccab04001000"
	iom := inventory.Subenclosure{Address: id + "/esp1/sub0", Revision: revision}
	if staged != "" {
		iom.Staged = &inventory.Staged{SHA256: strings.Repeat(staged, 64), By: "anna"}
	}
	psu := inventory.Subenclosure{ID: 3, LogicalID: "5000ccad00000003", Address: id + "/esp1/sub3", Revision: "2900"}
	return &inventory.Inventory{Host: host, Enclosures: []inventory.Enclosure{{LogicalID: id, ESPs: []inventory.ESP{{
		RelativeID: 1, Processes: 2, LUID: "5000ccab04001001", Paths: make([]string, paths),
		Subenclosures: []inventory.Subenclosure{psu, iom}, // the primary is not the first
	}}}}}
}

// An ESP that several hosts see is worked on by the one that remembers most, then by the one
// with most paths, then by the first by name; what they disagree on is said.
func TestMerge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		hosts    []*inventory.Inventory
		host     string
		conflict string
		disputed string
	}{
		{"one host", []*inventory.Inventory{seen("b", "1000", 1, "")}, "b", "", ""},
		{"the first by name", []*inventory.Inventory{seen("b", "1000", 1, ""), seen("a", "1000", 1, "")}, "a", "", ""},
		{"most paths", []*inventory.Inventory{seen("a", "1000", 1, ""), seen("b", "1000", 2, "")}, "b", "", ""},
		{"most remembered", []*inventory.Inventory{seen("a", "1000", 2, ""), seen("b", "1000", 1, "1")}, "b", "", ""},
		{"two images", []*inventory.Inventory{seen("a", "1000", 1, "1"), seen("b", "1000", 1, "2")}, "a", "",
			"it is unknown which image is staged on it: a remembers image 11111111"},
		{"two revisions", []*inventory.Inventory{seen("a", "1000", 1, ""), seen("b", "1100", 1, "")}, "a",
			"a and b have read different revisions of it", ""},
	} {
		f := fleet.Merge(tt.hosts)
		if len(f.Enclosures) != 1 || len(f.Enclosures[0].ESPs) != 1 {
			t.Fatalf("%s: Merge = %d enclosures; want one with one ESP", tt.name, len(f.Enclosures))
		}
		esp := &f.Enclosures[0].ESPs[0]
		if esp.Host != tt.host || esp.Subenclosures[0].ID != 0 {
			t.Errorf("%s: %s works on it, subenclosure %d first; want %s, and the primary", tt.name, esp.Host,
				esp.Subenclosures[0].ID, tt.host)
		}
		for _, c := range f.Enclosures[0].Components() {
			if got := c.Conflict(); !strings.HasPrefix(got, tt.conflict) || (got == "") != (tt.conflict == "") {
				t.Errorf("%s: Conflict of %s = %q; want %q", tt.name, c.Address, got, tt.conflict)
			}
			want := tt.disputed
			if c.Sub.ID != 0 {
				want = ""
			}
			if got := esp.Disputed[c.Sub.ID]; !strings.HasPrefix(got, want) || (got == "") != (want == "") {
				t.Errorf("%s: %s is disputed %q; want %q", tt.name, c.Address, got, want)
			}
		}
	}
}
