package inventory_test

import (
	"testing"

	"fwctl/inventory"
)

func TestAddress(t *testing.T) {
	const lu = "5000ccab04001001"
	tests := []struct {
		name                  string
		logicalID             string
		relativeID, processes int
		sub                   int
		want                  string
	}{
		{"1 of 2", "5000ccab04001000", 1, 2, 0, "5000ccab04001000/esp1/sub0"},
		{"7 of 7", "5000ccab04001000", 7, 7, 255, "5000ccab04001000/esp7/sub255"},
		{"1 of 1, seen on Areca and KTN", "5000ccab04001000", 1, 1, 0, "5000ccab04001000/lu-5000ccab04001001/sub0"},
		{"0 of 1, seen on 3PAR", "5000ccab04001000", 0, 1, 0, "5000ccab04001000/lu-5000ccab04001001/sub0"},
		{"0 of 0, seen on NetApp DS424", "5000ccab04001000", 0, 0, 0, "5000ccab04001000/lu-5000ccab04001001/sub0"},
		{"0 of 2", "5000ccab04001000", 0, 2, 0, "5000ccab04001000/lu-5000ccab04001001/sub0"},
		{"3 of 2", "5000ccab04001000", 3, 2, 0, "5000ccab04001000/lu-5000ccab04001001/sub0"},
		{"no logical identifier, seen on MD32xxi", "0000000000000000", 0, 0, 0, "lu-5000ccab04001001/lu-5000ccab04001001/sub0"},
		{"no logical identifier, 2 of 2", "0000000000000000", 2, 2, 3, "lu-5000ccab04001001/esp2/sub3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			enclosure := inventory.EnclosureID(tt.logicalID, lu)
			esp := inventory.ESPID(tt.relativeID, tt.processes, lu)
			got := inventory.Address(enclosure, esp, tt.sub)
			if got != tt.want {
				t.Fatalf("Address(%q, %q, %d) = %q; want %q", enclosure, esp, tt.sub, got, tt.want)
			}
			e, p, n, err := inventory.ParseAddress(got)
			if err != nil || e != enclosure || p != esp || n != tt.sub {
				t.Errorf("ParseAddress(%q) = %q, %q, %d, %v; want %q, %q, %d, nil", got, e, p, n, err, enclosure, esp, tt.sub)
			}
		})
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for _, address := range []string{
		"", "5000ccab04001000", "5000ccab04001000/esp1", "5000ccab04001000/esp1/sub0/x", "5000CCAB04001000/esp1/sub0",
		"5000ccab0400100/esp1/sub0", "0000000000000000/esp1/sub0", "lu-/esp1/sub0", "5000ccab04001000/esp0/sub0",
		"5000ccab04001000/esp8/sub0", "5000ccab04001000/lu-/sub0", "5000ccab04001000/esp1/0", "5000ccab04001000/esp1/sub",
		"5000ccab04001000/esp1/sub256", "5000ccab04001000/esp1/sub-1", "5000ccab04001000/esp1/sub00", "5000ccab04001000/esp1/sub+1",
	} {
		if e, p, n, err := inventory.ParseAddress(address); err == nil {
			t.Errorf("ParseAddress(%q) = %q, %q, %d, nil; want an error", address, e, p, n)
		}
	}
}

func TestLUID(t *testing.T) {
	tests := []struct {
		name string
		id   inventory.Identity
		want string
	}{
		{"NAA", inventory.Identity{LogicalUnit: "5000ccab04001001", Serial: "A"}, "5000ccab04001001"},
		{"NAA with a port of its own", inventory.Identity{LogicalUnit: "5000ccab04001001", Port: "5000ccab0400101d", LogicalID: enclosureA}, "5000ccab04001001"},
		{"NAA of the enclosure, seen on Celestica", inventory.Identity{LogicalUnit: "5000ccab0400dc00", Port: "5000ccab0400dcff", LogicalID: "5000ccab0400dc00"}, "5000ccab0400dc00@5000ccab0400dcff"},
		{"NAA of the enclosure, no port", inventory.Identity{LogicalUnit: "5000ccab0400dc00", LogicalID: "5000ccab0400dc00"}, "5000ccab0400dc00"},
		{"T10 designator", inventory.Identity{LogicalUnit: `t10.ACME    J/60\x01`, Serial: "A"}, "t10.ACME%20%20%20%20J%2F60%5Cx01"},
		{"serial number", inventory.Identity{Vendor: "ACME", Serial: "SN 1"}, "serial.ACME.SN%201"},
		{"no VPD page at all", inventory.Identity{Vendor: "ACME", LogicalID: "5000ccab04001000", RelativeID: 1, Processes: 2}, "ses.5000ccab04001000.1of2"},
		{"nothing", inventory.Identity{Vendor: "ACME", LogicalID: "0000000000000000", RelativeID: 1, Processes: 2}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.id.LUID(); got != tt.want {
				t.Errorf("%+v.LUID() = %q; want %q", tt.id, got, tt.want)
			}
			if got := tt.id.Is(tt.want); got != (tt.want != "") {
				t.Errorf("%+v.Is(%q) = %t", tt.id, tt.want, got)
			}
		})
	}
}

// After a reset a device is looked for before it answers page 01h.
func TestIdentityWithoutPage01(t *testing.T) {
	id := inventory.Identity{LogicalUnit: "5000ccab0400dc00", Port: "5000ccab0400dcff"}
	for luID, want := range map[string]bool{
		"5000ccab0400dc00@5000ccab0400dcff": true,
		"5000ccab0400dc00":                  true,
		"5000ccab0400dc00@5000ccab0400dcfe": false,
		"5000ccab0400dcff":                  false,
		"":                                  false,
	} {
		if got := id.Is(luID); got != want {
			t.Errorf("%+v.Is(%q) = %t; want %t", id, luID, got, want)
		}
	}
}

// A unit that reports less about itself than before is not another unit.
func TestOtherUnits(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"5000ccab04001001", "5000ccab04001001", false},
		{"5000ccab04001001", "5000ccab04001007", true},
		{"5000ccab0400dc00@5000ccab0400dcff", "5000ccab0400dc00@5000ccab0400ddff", true},
		{"5000ccab0400dc00", "5000ccab0400dc00@5000ccab0400dcff", false},
		{"5000ccab04001001", "serial.ACME.4711", false},
		{"serial.ACME.4711", "serial.ACME.4712", true},
		{"5000ccab04001001", "ses.5000ccab04001000.1of2", false},
		{"ses.5000ccab04001000.1of2", "ses.5000ccab04001000.2of2", false},
		{"eui.0011223344556677", "eui.0011223344556678", true},
	} {
		if got := inventory.OtherUnits(tt.a, tt.b); got != tt.want {
			t.Errorf("OtherUnits(%s, %s) = %v; want %v", tt.a, tt.b, got, tt.want)
		}
	}
}
