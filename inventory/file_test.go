package inventory_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
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
		ESPs: []inventory.ESP{{RelativeID: 1, Processes: 2, LUID: lu1, Serial: "ESP-A", Paths: []string{"/dev/sg3"},
			GenerationCode: 7,
			Inquiry:        inventory.Inquiry{Vendor: "ACME", Product: "JBOD-60", Revision: "1000"},
			Download:       inventory.Download{SESPage: true, WriteBufferModes: []string{"07", "0e", "0f"}},
			Subenclosures: []inventory.Subenclosure{{LogicalID: enclosureA, Address: enclosureA + "/esp1/sub0", Vendor: "ACME",
				Product: "JBOD-60", Revision: "1000",
				Staged: &inventory.Staged{SHA256: strings.Repeat("5", 64), Revision: "1100",
					Since: time.Date(2026, 11, 15, 0, 0, 0, 0, time.UTC), By: "anna"}}}}},
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

func TestEncodeParseHealth(t *testing.T) {
	for _, want := range []inventory.Health{
		{Critical: true, Failures: []string{}}, {Unrecoverable: true, Failures: []string{}}, {Unknown: true, Failures: []string{}, Elements: map[string]int{"cooling": 4}},
	} {
		inv := full()
		inv.Enclosures[0].Health = want
		data, err := inv.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := inventory.Parse(data)
		if err != nil {
			t.Fatalf("Parse(Encode(%+v)) = %v", want, err)
		}
		if diff := cmp.Diff(want, got.Enclosures[0].Health); diff != "" {
			t.Errorf("Parse(Encode(%+v)) differs (-want +got):\n%s", want, diff)
		}
	}
}

func TestParseToleratesMinorVersions(t *testing.T) {
	got, err := inventory.Parse([]byte(`{"format_version": "1.7", "kind": "Inventory", "host": "stor1", "scanned_at": "2026-11-22T10:00:00Z",
		"simulated": false, "enclosures": [], "later": {"x": [1]}, "Later": null}`))
	if err != nil || got.Host != "stor1" {
		t.Errorf("Parse of version 1.7 = %+v, %v; want it read", got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"empty", ``, "not a JSON object"},
		{"cut", `{"format_version": "1.0", "kind": "Inventory"`, "not a JSON object"},
		{"something after it", `{"format_version": "1.0", "kind": "Inventory"} {}`, "not a JSON object"},
		{"a plan", `{"format_version": "1.0", "kind": "Plan"}`, `its kind is "Plan"`},
		{"no kind", `{}`, `its kind is ""`},
		{"a later major version", `{"format_version": "2.0", "kind": "Inventory"}`, `reads 1.x`},
		{"no version", `{"kind": "Inventory"}`, `its format_version is ""`},
		{"version 10", `{"format_version": "10.0", "kind": "Inventory"}`, `its format_version is "10.0"`},
		{"a value of another type", `{"format_version": "1.0", "kind": "Inventory", "enclosures": [{"logical_id": 5}]}`, "enclosure 1 of the list: the value /enclosures/0/logical_id does not fit: it is a JSON number"},
		{"no list", `{"format_version": "1.0", "kind": "Inventory", "enclosures": {}}`, "[ is missing"},
		{"null in place of a list", `{"format_version": "1.0", "kind": "Inventory", "enclosures": null}`, "[ is missing"},
		{"no object", `[{"format_version": "1.0", "kind": "Inventory"}]`, "{ is missing"},
		{"cut in its list", `{"format_version": "1.0", "kind": "Inventory", "enclosures": [`, "not a JSON object"},
		{"cut in an enclosure", `{"format_version": "1.0", "kind": "Inventory", "enclosures": [{"logical_id": `, "enclosure 1 of the list: it is not a JSON object"},
		{"cut in a key", `{"format_version": "1.0", "ki`, "not a JSON object"},
		{"cut in what is not known", `{"format_version": "1.0", "kind": "Inventory", "later": [1, `, "not a JSON object"},
		{"two hosts", `{"format_version": "1.0", "kind": "Inventory", "host": "stor1", "host": "stor2"}`, `duplicate object member name "host"`},
		{"two designators", `{"format_version": "1.0", "kind": "Inventory", "enclosures": [{"esps": [{"lu_id": "1", "lu_id": "2"}]}]}`, `enclosure 1 of the list: it is not a JSON object of the form that fwctl inventory --out writes: jsontext: duplicate object member name "lu_id"`},
		{"a text in a number", `{"format_version": "1.0", "kind": "Inventory", "enclosures": [{"health": {"critical": 5}}]}`, "the value /enclosures/0/health/critical does not fit: it is a JSON number"},
		{"no enclosures", `{"format_version": "1.0", "kind": "Inventory", "host": "stor1", "scanned_at": "2026-11-22T10:00:00Z", "simulated": true}`, "it has no enclosures, not even"},
		{"nothing of being simulated", `{"format_version": "1.0", "kind": "Inventory", "host": "stor1", "scanned_at": "2026-11-22T10:00:00Z", "enclosures": []}`, "it does not say whether it is simulated"},
		{"null of being simulated", `{"format_version": "1.0", "kind": "Inventory", "host": "stor1", "scanned_at": "2026-11-22T10:00:00Z", "enclosures": [], "simulated": null}`, "it does not say whether it is simulated"},
		{"nothing of being critical", `{"format_version": "1.0", "kind": "Inventory", "enclosures": [{"health": {"unrecoverable": false, "failures": []}}]}`, "enclosure 1 of the list: the value /enclosures/0/health does not fit: health lacks critical"},
		{"nothing of being unrecoverable", `{"format_version": "1.0", "kind": "Inventory", "enclosures": [{"health": {"critical": false, "failures": []}}]}`, "or unrecoverable"},
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

// An inventory is read as a stream: an error is reported before the rest has arrived.
func TestReadIsAStream(t *testing.T) {
	torn := errors.New("the rest is asked for")
	head := `{"format_version": "1.0", "kind": "Inventory", "enclosures": [` +
		strings.Repeat(`{"health": {"critical": false, "unrecoverable": false}}, `, 1000) + `{"logical_id": 5}, `
	rest := iotest.ErrReader(torn)
	var format *inventory.FormatError
	if _, err := inventory.Read(io.MultiReader(strings.NewReader(head), rest)); !errors.As(err, &format) ||
		!strings.Contains(err.Error(), "enclosure 1001 of the list") {
		t.Errorf("Read = %v; want a *FormatError about enclosure 1001 of the list", err)
	}
	// The error of a reader is returned as it is, wherever it fails.
	for _, n := range []int{0, 10, 70, len(head) - 20} {
		if _, err := inventory.Read(io.MultiReader(strings.NewReader(head[:n]), rest)); err != torn {
			t.Errorf("Read of %d bytes = %v; want %v", n, err, torn)
		}
	}
}

// Whatever would mislead a plan is refused: keys that were taken out by hand, and values
// that no scan writes.
func TestParseRefusesFlaws(t *testing.T) {
	second := func(inv *inventory.Inventory) *inventory.Enclosure { // another enclosure with two ESPs
		e := full().Enclosures[0]
		e.LogicalID = "5000ccab04002000"
		e.ESPs[0].Subenclosures[0].Address = "5000ccab04002000" + "/esp1/sub0"
		inv.Enclosures = append(inv.Enclosures, e)
		return &inv.Enclosures[1]
	}
	eight := 8
	tests := []struct {
		want   string
		change func(inv *inventory.Inventory, e *inventory.Enclosure, esp *inventory.ESP)
	}{
		{"it has no host", func(inv *inventory.Inventory, _ *inventory.Enclosure, _ *inventory.ESP) { inv.Host = "" }},
		{"it has no scanned_at", func(inv *inventory.Inventory, _ *inventory.Enclosure, _ *inventory.ESP) { inv.ScannedAt = time.Time{} }},
		{`the text "stor1\x1b[2J" has characters that cannot be shown`, func(inv *inventory.Inventory, _ *inventory.Enclosure, _ *inventory.ESP) { inv.Host = "stor1\x1b[2J" }},
		{`the text "a\nb" has`, func(inv *inventory.Inventory, _ *inventory.Enclosure, _ *inventory.ESP) {
			inv.Problems[0].Summary = "a\nb"
		}},
		{"enclosure " + enclosureA + ": it is listed twice", func(inv *inventory.Inventory, e *inventory.Enclosure, _ *inventory.ESP) {
			inv.Enclosures = append(inv.Enclosures, *e)
		}},
		{"enclosure 1 of the list: its logical_id is not 16", func(_ *inventory.Inventory, e *inventory.Enclosure, _ *inventory.ESP) { e.LogicalID = "5000" }},
		{"it has no esps", func(_ *inventory.Inventory, e *inventory.Enclosure, _ *inventory.ESP) { e.ESPs = nil }},
		{"enclosure " + enclosureA + ": its expected_esps is 8", func(_ *inventory.Inventory, e *inventory.Enclosure, _ *inventory.ESP) { e.ExpectedESPs = &eight }},
		{"it has no health.failures", func(_ *inventory.Inventory, e *inventory.Enclosure, _ *inventory.ESP) { e.Health = inventory.Health{} }},
		{"it has no drives", func(_ *inventory.Inventory, e *inventory.Enclosure, _ *inventory.ESP) { e.Drives = nil }},
		{`the text "Fan\u202e1: critical" has`, func(_ *inventory.Inventory, e *inventory.Enclosure, _ *inventory.ESP) {
			e.Health.Failures = []string{"Fan\u202e1: critical"}
		}},
		{`the text "AC\rME" has`, func(_ *inventory.Inventory, e *inventory.Enclosure, _ *inventory.ESP) { e.Vendor = "AC\rME" }},
		{"a slot is 256", func(_ *inventory.Inventory, e *inventory.Enclosure, _ *inventory.ESP) { e.Drives[0].Slot = 256 }},
		{"its sas_address is not 16", func(_ *inventory.Inventory, e *inventory.Enclosure, _ *inventory.ESP) {
			e.Drives[0].SASAddress = "5000"
		}},
		{`its protocol is "nvme"`, func(_ *inventory.Inventory, e *inventory.Enclosure, _ *inventory.ESP) { e.Drives[0].Protocol = "nvme" }},
		{`the text "sda\t" has`, func(_ *inventory.Inventory, e *inventory.Enclosure, _ *inventory.ESP) {
			e.Drives[0].Paths[0].Device = "sda\t"
		}},
		{`the text "mounted \ufffd" has`, func(_ *inventory.Inventory, e *inventory.Enclosure, _ *inventory.ESP) {
			e.Drives[0].InUse[0] = "mounted \xff"
		}},
		{
			"ESP 1 of the list: its lu_id is not a designator",
			func(_ *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) { esp.LUID = "" },
		},
		{
			"its relative_id is 9",
			func(_ *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) { esp.RelativeID = 9 },
		},
		{
			"its processes are -1",
			func(_ *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) { esp.Processes = -1 },
		},
		{"it has no paths", func(_ *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) { esp.Paths = nil }},
		{`the text "SN\x00" has`, func(_ *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) { esp.Serial = "SN\x00" }},
		{"enclosure " + "5000ccab04002000" + ": ESP 2 of the list: it is listed twice", func(inv *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) {
			e := second(inv)
			e.ESPs = append(e.ESPs, e.ESPs[0])
		}},
		{"its first subenclosure is not the primary one", func(_ *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) { esp.Subenclosures = nil }},
		{"its first subenclosure is not the primary one", func(_ *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) { esp.Subenclosures[0].ID = 3 }},
		{"subenclosure 2 of the list: it is listed twice", func(_ *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) {
			esp.Subenclosures = append(esp.Subenclosures, esp.Subenclosures[0])
		}},
		{"subenclosure 2 of the list: its id is 256", func(_ *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) {
			esp.Subenclosures = append(esp.Subenclosures, inventory.Subenclosure{ID: 256})
		}},
		{"cannot read address", func(_ *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) {
			esp.Subenclosures[0].Address = ""
		}},
		{"is not that of subenclosure 0 of this enclosure", func(_ *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) {
			esp.Subenclosures[0].Address = "5000ccab04002000" + "/esp1/sub0"
		}},
		{"its sent.sha256 is not", func(_ *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) {
			esp.Subenclosures[0].Sent = &inventory.Sent{SHA256: "x"}
		}},
		{"its staged.sha256 is not", func(_ *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) {
			esp.Subenclosures[0].Staged.SHA256 = "x"
		}},
		{"its staged.since is missing", func(_ *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) {
			esp.Subenclosures[0].Staged.Since = time.Time{}
		}},
		{`the text "x\n" has`, func(_ *inventory.Inventory, e *inventory.Enclosure, _ *inventory.ESP) {
			e.Drives[0].Paths[0].Down = "x\n"
		}},
		{`the text "Fan\x1b" has`, func(_ *inventory.Inventory, e *inventory.Enclosure, _ *inventory.ESP) {
			e.Health.Elements = map[string]int{"Fan\x1b": 1}
		}},
		{`the text "0\x1b" has`, func(_ *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) {
			esp.Download.WriteBufferModes = []string{"0\x1b"}
		}},
		{`the text "pid 1 x\ny" has`, func(inv *inventory.Inventory, _ *inventory.Enclosure, _ *inventory.ESP) {
			inv.Problems[0].Unread = &inventory.Unread{UsedBy: "pid 1 x\ny"}
		}},
		{"cannot read address", func(inv *inventory.Inventory, _ *inventory.Enclosure, _ *inventory.ESP) {
			inv.Problems[0].Unread = &inventory.Unread{Components: []inventory.Known{{Address: "x"}}}
		}},
		{"it has 65 esps, more than 64", func(_ *inventory.Inventory, e *inventory.Enclosure, esp *inventory.ESP) {
			e.ESPs = slices.Repeat([]inventory.ESP{*esp}, 65)
		}},
		{"it has 10001 drives, more than 10000", func(_ *inventory.Inventory, e *inventory.Enclosure, _ *inventory.ESP) {
			e.Drives = slices.Repeat(e.Drives[:1], 10_001)
		}},
		{"it has 513 subenclosures, more than 512", func(_ *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) {
			esp.Subenclosures = slices.Repeat(esp.Subenclosures[:1], 513)
		}},
		{`the text "anna\a" has`, func(_ *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) {
			esp.Subenclosures[0].Staged.By = "anna\a"
		}},
		{`the text "\b100" has`, func(_ *inventory.Inventory, _ *inventory.Enclosure, esp *inventory.ESP) {
			esp.Subenclosures[0].Revision = "\b100"
		}},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			inv := full()
			tt.change(inv, &inv.Enclosures[0], &inv.Enclosures[0].ESPs[0])
			data, err := inv.Encode()
			if err != nil {
				t.Fatal(err)
			}
			got, err := inventory.Parse(data)
			var format *inventory.FormatError
			if got != nil || !errors.As(err, &format) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Parse = %v, %v; want nil and a *FormatError with %q", got, err, tt.want)
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

// Parse accepts what Shown returns, and Shown changes nothing else.
func TestShown(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"sg_ses, ümläut 漢字":  "sg_ses, ümläut 漢字",
		"a\nb\x1b[2J\t":      `a\x0ab\x1b[2J\x09`,
		"\u202e\ufffd\xff é": `\xe2\x80\xae\xef\xbf\xbd\xff é`,
		"":                   "",
	} {
		if got := inventory.Shown(text); got != want {
			t.Errorf("Shown(%q) = %q; want %q", text, got, want)
		}
	}
}
