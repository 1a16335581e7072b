package inventory_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/inventory"
)

// full is the inventory that INTERFACE section 5 shows, as Go has it.
func full() *inventory.Inventory {
	two := 2
	inv := inventory.New()
	inv.Host = "stor1"
	inv.ScannedAt = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	inv.Enclosures = []inventory.Enclosure{{
		LogicalID: enclosureA, Vendor: "ACME", Product: "JBOD-60", ExpectedESPs: &two, MissingESPs: []int{2},
		Health: inventory.Health{Failures: []string{"Fan 1: critical"}},
		Drives: []inventory.Drive{{Slot: 0, SASAddress: "5000c50012345678", InUse: []string{"mounted /tank"},
			Paths: []inventory.DrivePath{{Device: "sda", Via: lu1, Live: true}}}},
		ESPs: []inventory.ESP{{RelativeID: 1, Processes: 2, LUID: lu1, Serial: "ESP-A", Paths: []string{"/dev/sg3"}, GenerationCode: 7,
			Inquiry:  inventory.Inquiry{Vendor: "ACME", Product: "JBOD-60", Revision: "1000"},
			Download: inventory.Download{SESPage: true, WriteBufferModes: []string{"07", "0e", "0f"}},
			Subenclosures: []inventory.Subenclosure{{LogicalID: enclosureA, Address: enclosureA + "/esp1/sub0", Vendor: "ACME", Product: "JBOD-60", Revision: "1000",
				Staged: &inventory.Staged{SHA256: strings.Repeat("5", 64), Revision: "1100", Since: time.Date(2026, 11, 15, 0, 0, 0, 0, time.UTC), By: "anna"}}}}},
	}}
	inv.Problems = []inventory.Problem{{Path: "/dev/sg9", Summary: "cannot read it", Detail: "look"}}
	return inv
}

func TestEncodeParse(t *testing.T) {
	data, err := full().Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := inventory.Parse(data)
	if err != nil {
		t.Fatalf("Parse(Encode(inv)) = %v", err)
	}
	if diff := cmp.Diff(full(), got); diff != "" {
		t.Errorf("Parse(Encode(inv)) differs (-want +got):\n%s", diff)
	}
}

func TestParseToleratesMinorVersions(t *testing.T) {
	got, err := inventory.Parse([]byte(`{"format_version": "1.7", "kind": "Inventory", "host": "stor1", "later": {"x": 1}}`))
	if err != nil || got.Host != "stor1" {
		t.Errorf("Parse of version 1.7 = %+v, %v; want it read", got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"empty", ``, "no JSON object"},
		{"cut", `{"format_version": "1.0", "kind": "Inventory"`, "no JSON object"},
		{"something after it", `{"format_version": "1.0", "kind": "Inventory"} {}`, "no JSON object"},
		{"a plan", `{"format_version": "1.0", "kind": "Plan"}`, `its kind is "Plan"`},
		{"no kind", `{}`, `its kind is ""`},
		{"a later major version", `{"format_version": "2.0", "kind": "Inventory"}`, `reads 1.x`},
		{"no version", `{"kind": "Inventory"}`, `its format_version is ""`},
		{"version 10", `{"format_version": "10.0", "kind": "Inventory"}`, `its format_version is "10.0"`},
		{"a value of another type", `{"format_version": "1.0", "kind": "Inventory", "enclosures": [{"logical_id": 5}]}`, "a value does not fit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inv, err := inventory.Parse([]byte(tt.data))
			var format *inventory.FormatError
			if inv != nil || !errors.As(err, &format) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Parse(%s) = %v, %v; want nil and a *FormatError with %q", tt.data, inv, err, tt.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	data, err := full().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"format_version": "1.0", "kind": "Inventory", "enclosures": null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		inv, err := inventory.Parse(data)
		if err != nil {
			var format *inventory.FormatError
			if inv != nil || !errors.As(err, &format) {
				t.Fatalf("Parse(%q) = %v, %v; want nil and a *FormatError", data, inv, err)
			}
			return
		}
		first, err := inv.Encode()
		if err != nil {
			t.Fatalf("Encode of Parse(%q) = %v", data, err)
		}
		again, err := inventory.Parse(first)
		if err != nil {
			t.Fatalf("Parse(Encode(Parse(%q))) = %v", data, err)
		}
		second, err := again.Encode()
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("Encode(Parse(Encode(inv))) = %s, %v; want %s", second, err, first)
		}
	})
}
