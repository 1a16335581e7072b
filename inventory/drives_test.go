package inventory_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwctl/inventory"
)

const (
	expander1 = "5000ccab0400101f"
	expander2 = "5000ccab0400102f"
	drive     = "5000c50000000000" // logical unit; its ports end in 1 and 2
	port1     = "5000c50000000001"
	port2     = "5000c50000000002"
)

// twoModules are two ESPs on expanders of their own, behind one SCSI host each,
// with one drive in slot 0. Each lists its own port of the drive.
func twoModules() []inventory.Reading {
	a := reading("/dev/sg3", lu1, enclosureA, 1, 2)
	a.Route = inventory.Route{SCSIHost: "host1", Expanders: []string{expander1}}
	a.Slots = []inventory.Slot{slot(0, port1, expander1)}
	b := reading("/dev/sg4", lu2, enclosureA, 2, 2)
	b.Route = inventory.Route{SCSIHost: "host2", Expanders: []string{expander2}}
	b.Slots = []inventory.Slot{slot(0, port2, expander2)}
	return []inventory.Reading{a, b}
}

// sees draws a drive: its use, then its paths with via, and live and used where
// they are so.
func sees(d inventory.Drive) string {
	s := fmt.Sprintf("%q", d.InUse)
	if d.InUse == nil {
		s = "unknown"
	}
	for _, p := range d.Paths {
		s += fmt.Sprintf(" %s:%s", p.Device, map[string]string{lu1: "A", lu2: "B", "": "?"}[p.Via])
		if !p.Live {
			s += " dead"
		}
		if p.Used {
			s += " used"
		}
	}
	return s
}

func TestDrives(t *testing.T) {
	mount := func(over string) inventory.BlockUse {
		return inventory.BlockUse{Use: inventory.Use{Kind: inventory.MountUse, Name: "/tank"}, Over: over}
	}
	path := func(name, port string, uses ...inventory.BlockUse) inventory.BlockDevice {
		return inventory.BlockDevice{Name: name, SASAddress: port, LUID: drive, Live: true, Uses: uses}
	}
	probed := func(b inventory.BlockDevice) inventory.BlockDevice {
		b.Probed = true
		return b
	}
	on := func(b inventory.BlockDevice, host string, expanders ...string) inventory.BlockDevice {
		b.Route = inventory.Route{SCSIHost: host, Expanders: expanders}
		return b
	}
	dead := path("sdb", port2, mount("dm-0"))
	dead.Live = false
	tests := []struct {
		name   string
		blocks []inventory.BlockDevice
		want   string
	}{
		{"not looked at", []inventory.BlockDevice{path("sda", port1), path("sdb", port2)}, "unknown sda:A sdb:B"},
		{"looked at, and nothing", []inventory.BlockDevice{probed(path("sda", port1)), probed(path("sdb", port2))}, "[] sda:A sdb:B"},
		{"one path could not be looked at", []inventory.BlockDevice{probed(path("sda", port1)), path("sdb", port2)}, "unknown sda:A sdb:B"},
		{"no path", nil, "unknown"},
		{"no path, and a disk of no known port elsewhere", []inventory.BlockDevice{on(inventory.BlockDevice{Name: "sdz"}, "host0")}, "unknown"},
		{"no path, and a disk of no known port behind the same HBA", []inventory.BlockDevice{on(inventory.BlockDevice{Name: "sdz"}, "host2")}, "unknown"},
		{"mounted over one path", []inventory.BlockDevice{path("sda", port1, mount("sda")), path("sdb", port2)}, `["mounted /tank"] sda:A used sdb:B`},
		{"mounted over a map", []inventory.BlockDevice{path("sda", port1, mount("dm-0")), path("sdb", port2, mount("dm-0"))},
			`["mounted /tank"] sda:A used sdb:B used`},
		{"a path that the map lacks", []inventory.BlockDevice{path("sda", port1, mount("dm-0")), path("sdb", port2)}, `["mounted /tank"] sda:A used sdb:B`},
		{"a path of the map is dead", []inventory.BlockDevice{path("sda", port1, mount("dm-0")), dead}, `["mounted /tank"] sda:A used sdb:B dead used`},
		{"two uses, a path each: no path carries both", []inventory.BlockDevice{path("sda", port1, mount("sda")),
			path("sdb", port2, inventory.BlockUse{
				Use: inventory.Use{Kind: inventory.SwapUse, Through: []string{"sdb2"}}, Over: "sdb",
			})}, `["mounted /tank" "swap through sdb2"] sda:A sdb:B`},
		{"one use twice over one path", []inventory.BlockDevice{path("sda", port1, mount("sda"), mount("sda"))}, `["mounted /tank"] sda:A used`},
		{"alike over two paths, and not the same", []inventory.BlockDevice{path("sda", port1, mount("sda")), path("sdb", port2, mount("sdb"))}, `["mounted /tank"] sda:A sdb:B`},
		{"a port that no ESP lists is known by the logical unit", []inventory.BlockDevice{path("sda", port1), path("sdc", "5000c50000000009")}, "unknown sda:A sdc:?"},
		{"likewise, by the expander", []inventory.BlockDevice{path("sda", port1), on(path("sdc", "5000c50000000009"), "host2", expander2)}, "unknown sda:A sdc:B"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			enclosures, _ := inventory.Merge(twoModules(), tt.blocks)
			if got := sees(enclosures[0].Drives[0]); got != tt.want {
				t.Errorf("Merge(…) gives the drive %s; want %s", got, tt.want)
			}
			if got := enclosures[0].Drives[0].LUID; got != drive && len(enclosures[0].Drives[0].Paths) > 0 {
				t.Errorf("Merge(…) gives the drive's logical unit %q; want %q", got, drive)
			}
		})
	}
}

// What a drive speaks: page 0Ah's word before the kernel's, and nothing by guess.
func TestDriveProtocol(t *testing.T) {
	for _, tt := range []struct {
		name       string
		a, b       inventory.DriveProtocol // by the ESPs' pages
		translated bool                    // by the kernel
		want       inventory.DriveProtocol
	}{
		{"nobody tells", "", "", false, ""},
		{"only the kernel", "", "", true, inventory.SATA},
		{"one module", "", inventory.SAS, false, inventory.SAS},
		{"a translation that makes SAS of it", inventory.SAS, inventory.SAS, true, inventory.SAS},
	} {
		readings := twoModules()
		readings[0].Slots[0].Protocol, readings[1].Slots[0].Protocol = tt.a, tt.b
		blocks := []inventory.BlockDevice{{Name: "sda", SASAddress: port1, LUID: drive, ATA: tt.translated},
			{Name: "sdb", SASAddress: port2, LUID: drive}}
		enclosures, _ := inventory.Merge(readings, blocks)
		if got := enclosures[0].Drives[0].Protocol; got != tt.want {
			t.Errorf("%s: Merge(…) gives protocol %q; want %q", tt.name, got, tt.want)
		}
	}
}

// Which ESP a path goes through, where page 0Ah does not say what the drive's
// port is wired to.
func TestVia(t *testing.T) {
	const far, edge = "5000ccab0400999f", "5000ccab0400777f"
	tests := []struct {
		name    string
		a, b    inventory.Route // of the ESPs
		to      inventory.Route // of the block device
		want    string
		listed  []string // expanders of page 0Ah of both
		missing bool     // the second ESP is not in sight
	}{
		{name: "the ESP's own expander", a: route("host1", expander1), b: route("host1", expander2), to: route("host1", expander2), want: lu2},
		{name: "behind the ESP's own expander", a: route("host1", expander1), b: route("host1", expander2), to: route("host1", expander1, edge), want: lu1},
		{name: "the nearest in a cascade", a: route("host1", far, expander1), b: route("host1", far, expander2), to: route("host1", far, expander2), want: lu2},
		{name: "the nearest of two modules in a row", a: route("host1", expander1), b: route("host1", expander1, expander2), to: route("host1", expander1, expander2), want: lu2},
		{name: "only the upstream one in common", a: route("host1", far, expander1), b: route("host1", far, expander2), to: route("host1", far)},
		{name: "through a module that is not in sight", a: route("host1", far, expander1), missing: true, to: route("host1", far, expander2)},
		{name: "both on one expander", a: route("host1", expander1), b: route("host2", expander1), to: route("host1", expander1)},
		{name: "the peer's expander is listed too", a: route("host1", expander1), b: route("host1", expander2), listed: []string{expander1, expander2},
			to: route("host1", expander2), want: lu2},
		{name: "no expander known, an ESP for each host", a: route("host1"), b: route("host2"), to: route("host2"), want: lu2},
		{name: "no expander known, two ESPs on the host", a: route("host1"), b: route("host1"), to: route("host1")},
		{name: "no expander of the ESP known", a: route("host1"), b: route("host2"), to: route("host1", edge), want: lu1},
		{name: "no expander known, an ESP is missing", a: route("host1"), missing: true, to: route("host1")},
		{name: "nothing known", a: route(""), missing: true, to: route("")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			readings := twoModules()
			readings[0].Route, readings[1].Route = tt.a, tt.b
			for i := range readings {
				readings[i].Expanders = tt.listed
				readings[i].Slots = []inventory.Slot{slot(0, port1, "")}
			}
			if tt.missing {
				readings = readings[:1]
			}
			enclosures, _ := inventory.Merge(readings, []inventory.BlockDevice{{Name: "sda", SASAddress: port1, Route: tt.to}})
			if got := enclosures[0].Drives[0].Paths[0].Via; got != tt.want {
				t.Errorf("Merge(…) gives the path via %q; want %q", got, tt.want)
			}
		})
	}
}

func route(scsiHost string, expanders ...string) inventory.Route {
	return inventory.Route{SCSIHost: scsiHost, Expanders: expanders}
}

// An ESP's own expanders and those upstream, over all of its paths.
func TestExpanders(t *testing.T) {
	const far1, far2, edge = "5000ccab0400991f", "5000ccab0400992f", "5000ccab0400777f"
	a1, b := twoModules()[0], twoModules()[1]
	a2 := a1
	a1.Route, a1.Expanders = route("host1", far2, expander1), []string{edge, expander1, expander2}
	a2.Path, a2.Route, a2.Expanders = "/dev/sg9", route("host2", far1, expander1), a1.Expanders
	enclosures, _ := inventory.Merge([]inventory.Reading{a1, a2, b}, nil)
	type sides struct{ Own, Upstream []string }
	var got []sides
	for _, esp := range enclosures[0].ESPs {
		got = append(got, sides{esp.Expanders, esp.Upstream})
	}
	want := []sides{{[]string{expander1, edge}, []string{far1, far2}}, {[]string{expander2}, nil}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Merge(…) gives expanders (-want +got):\n%s", diff)
	}
}

func TestDrivesUnknown(t *testing.T) {
	for _, tt := range []struct {
		name string
		a, b []inventory.Slot // nil: no page 0Ah
		want bool
	}{
		{"no page 0Ah", nil, nil, true},
		{"one without", []inventory.Slot{}, nil, false},
		{"no drives", []inventory.Slot{}, []inventory.Slot{}, false},
	} {
		readings := twoModules()
		readings[0].Slots, readings[1].Slots = tt.a, tt.b
		if enclosures, _ := inventory.Merge(readings, nil); enclosures[0].DrivesUnknown != tt.want {
			t.Errorf("%s: Merge(…) knows no drives %t; want %t", tt.name, enclosures[0].DrivesUnknown, tt.want)
		}
	}
}
