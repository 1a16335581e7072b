package inventory_test

import (
	"strings"
	"testing"

	"fwctl/inventory"
)

// A component is found by its identity, and worked on only if it is expected.
func TestComponentAt(t *testing.T) {
	t.Parallel()
	at := func(esp string) []inventory.Subenclosure {
		return []inventory.Subenclosure{{ID: 0, Address: "e/" + esp + "/sub0"}, {ID: 3, Address: "e/" + esp + "/sub3"}}
	}
	inv := &inventory.Inventory{Enclosures: []inventory.Enclosure{
		{ESPs: []inventory.ESP{{LUID: "x", Subenclosures: at("espx")}}},
		{ESPs: []inventory.ESP{
			{LUID: "a", Subenclosures: at("esp1")},
			{LUID: "b", Subenclosures: at("esp2"), Conflict: "two units claim the address"},
		}},
	}}
	for _, tt := range []struct {
		luID         string
		subenclosure int
		address      string
		problem      string // "" if it is found
	}{
		{"a", 3, "e/esp1/sub3", ""},
		{"a", 3, "e/esp2/sub3", "have modules changed places?"},
		{"a", 4, "e/esp1/sub4", "subenclosure 4: expected it, found none"},
		{"b", 0, "e/esp2/sub0", "two units claim the address"},
		{"c", 0, "e/esp3/sub0", "logical unit c: expected it, found none"},
	} {
		esp, sub, err := inv.Enclosures[1].ComponentAt(tt.luID, tt.subenclosure, tt.address)
		if tt.problem != "" {
			if err == nil || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("ComponentAt(%s, %d, %s) = %v; want %q", tt.luID, tt.subenclosure, tt.address, err, tt.problem)
			}
			continue
		}
		if err != nil || esp.LUID != tt.luID || sub.Address != tt.address {
			t.Errorf("ComponentAt(%s, %d, %s) = %v, %v, %v; want it", tt.luID, tt.subenclosure, tt.address, esp, sub, err)
		}
		e, _, found := inv.Component(tt.luID, tt.subenclosure)
		if e != &inv.Enclosures[1] || found != sub {
			t.Errorf("Component(%s, %d) = %v, %v; want the same", tt.luID, tt.subenclosure, e, found)
		}
	}
	if e, esp, sub := inv.Component("c", 0); e != nil || esp != nil || sub != nil {
		t.Errorf("Component(c, 0) = %v, %v, %v; want nothing", e, esp, sub)
	}
}
