package impact_test

import (
	"strings"
	"testing"

	"fwctl/inventory"
	"fwctl/plan/impact"
)

// A caution about another component names its enclosure as people do.
func TestLockedCallsComponentsByName(t *testing.T) {
	t.Parallel()
	names := inventory.Names{"5000ccab04001000": "r12u20"}
	for _, kind := range []inventory.CautionKind{inventory.NeedsImage, inventory.Unfinished} {
		cautions := []inventory.Caution{{Kind: kind, Address: "5000ccab04001000/esp1/sub0"}}
		_, why := impact.Locked(cautions, "5000ccab04001000/esp2/sub0", []string{"5000ccab04001000"}, "", names.Called)
		if !strings.Contains(why, "r12u20 esp1 (5000ccab04001000/esp1/sub0)") {
			t.Errorf("%s: %q; want the name and the address of what has to come first", kind, why)
		}
	}
}
