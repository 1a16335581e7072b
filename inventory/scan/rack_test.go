package scan_test

import (
	"bytes"
	stdcmp "cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/internal/sim"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/inventory/scan"
	"fwctl/schemas"
)

// onRack runs a test on the first host of a simulated rack, in a bubble of its
// own time. Whatever it did, nothing with an effect was sent and no disk opened.
func onRack(t *testing.T, enclosures string, test func(t *testing.T, m transport.Machine)) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "rack.yaml")
	rack := "apiVersion: fwctl/v1\nkind: Rack\ntrace: trace.jsonl\n" + enclosures
	if err := os.WriteFile(file, []byte(rack), 0o644); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		r, err := sim.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := r.Machine("")
		if err != nil {
			t.Fatal(err)
		}
		test(t, &sgOnly{Machine: m, t: t})
	})
	trace, err := os.ReadFile(filepath.Join(dir, "trace.jsonl"))
	if err != nil || len(trace) == 0 {
		t.Fatalf("the rack's trace is empty: %v", err)
	}
	for line := range bytes.Lines(trace) {
		var command struct {
			CDB    string `json:"cdb"`
			Effect bool   `json:"effect"`
		}
		if err := json.Unmarshal(line, &command); err != nil {
			t.Fatal(err)
		}
		if command.CDB == "" || command.Effect || strings.HasPrefix(command.CDB, "1c010e") {
			t.Errorf("a scan sent %s; want nothing with an effect", line)
		}
	}
}

// sgOnly is a machine of which no disk's node may be opened. Block devices that
// are opened are noted.
type sgOnly struct {
	transport.Machine
	t      *testing.T
	broken string // a block device that cannot be opened

	mu    sync.Mutex
	disks []string
}

func (m *sgOnly) BlockDeviceHeld(name string) (bool, error) {
	m.mu.Lock()
	m.disks = append(m.disks, name)
	m.mu.Unlock()
	if name == m.broken {
		return false, &transport.Error{Op: "open", Path: "/dev/" + name, NotSent: true, Err: transport.ErrGone}
	}
	return m.Machine.BlockDeviceHeld(name)
}

func (m *sgOnly) Open(node string, access transport.Access) (transport.Node, error) {
	f, err := m.FS().Open("sys/class/scsi_generic/" + filepath.Base(node) + "/device/block")
	if err == nil {
		f.Close()
		m.t.Errorf("a scan opens %s, which is a disk", node)
	}
	if access != transport.ReadOnly {
		m.t.Errorf("a scan opens %s with access %d; want ReadOnly", node, access)
	}
	return m.Machine.Open(node, access)
}

// sights draws what a scan saw: enclosures, ESPs, and components with their revisions.
func sights(inv *inventory.Inventory) []string {
	lines := tree(inv.Enclosures)
	for _, e := range inv.Enclosures {
		for _, esp := range e.ESPs {
			for _, sub := range esp.Subenclosures {
				lines = append(lines, sub.Address+" "+sub.Product+" "+sub.Revision)
			}
		}
	}
	return lines
}

func tree(enclosures []inventory.Enclosure) []string {
	lines := []string{}
	for _, e := range enclosures {
		line := e.ID()
		if e.ExpectedESPs == nil {
			line += " of ?"
		}
		if len(e.MissingESPs) > 0 {
			line += " incomplete"
		}
		for _, esp := range e.ESPs {
			line += " [" + esp.LUID + " " + strings.Join(esp.Paths, " ") + "]"
			if esp.Conflict != "" {
				line += "!"
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func TestRacks(t *testing.T) {
	const jbod = "{logicalID: 5000ccab04001000, vendor: ACME, product: JBOD-60, revision: '1000', esps: "
	tests := []struct {
		name, rack string
		want       []string
		problems   []string // what each one says
	}{
		{"two modules, two cables each", `
enclosures:
- ` + jbod + `[{paths: {stor1: [3, 12]}}, {revision: "0990", paths: {stor1: [4, 11]}}]}
`, []string{
			"5000ccab04001000 [5000ccab04001001 /dev/sg3 /dev/sg12] [5000ccab04001002 /dev/sg4 /dev/sg11]",
			"5000ccab04001000/esp1/sub0 JBOD-60 1000",
			"5000ccab04001000/esp2/sub0 JBOD-60 0990",
		}, nil},
		{"the other module is on another host", `
hosts: [stor1, stor2]
enclosures:
- ` + jbod + `[{paths: {stor2: [3]}}, {paths: {stor1: [4]}}]}
`, []string{
			"5000ccab04001000 incomplete [5000ccab04001002 /dev/sg4]",
			"5000ccab04001000/esp2/sub0 JBOD-60 1000",
		}, nil},
		{"0 of 0 (NetApp DS424)", `
enclosures:
- ` + jbod + `[{relativeID: 0, processes: 0, paths: {stor1: [3]}}, {relativeID: 0, processes: 0, paths: {stor1: [4]}}]}
`, []string{
			"5000ccab04001000 of ? [5000ccab04001001 /dev/sg3] [5000ccab04001002 /dev/sg4]",
			"5000ccab04001000/lu-5000ccab04001001/sub0 JBOD-60 1000",
			"5000ccab04001000/lu-5000ccab04001002/sub0 JBOD-60 1000",
		}, nil},
		{"two say 1 of 1", `
enclosures:
- ` + jbod + `[{relativeID: 1, processes: 1, paths: {stor1: [3]}}, {relativeID: 1, processes: 1, paths: {stor1: [4]}}]}
`, []string{
			"5000ccab04001000 of ? [5000ccab04001001 /dev/sg3] [5000ccab04001002 /dev/sg4]",
			"5000ccab04001000/lu-5000ccab04001001/sub0 JBOD-60 1000",
			"5000ccab04001000/lu-5000ccab04001002/sub0 JBOD-60 1000",
		}, nil},
		{"two say 1 of 2", `
enclosures:
- ` + jbod + `[{relativeID: 1, paths: {stor1: [3]}}, {relativeID: 1, paths: {stor1: [4]}}]}
`, []string{
			"5000ccab04001000 incomplete [5000ccab04001001 /dev/sg3]! [5000ccab04001002 /dev/sg4]!",
			"5000ccab04001000/esp1/sub0 JBOD-60 1000",
			"5000ccab04001000/esp1/sub0 JBOD-60 1000",
		}, []string{"/dev/sg3: cannot identify", "/dev/sg4: cannot identify"}},
		{"no logical identifier (MD32xxi)", `
enclosures:
- {logicalID: "0000000000000000", vendor: DELL, product: MD32xxi, esps: [{lu: 6000ccab04003001, relativeID: 0, processes: 0, pages: ["00", "01", "02", "06"], paths: {stor1: [3]}}]}
`, []string{
			"lu-6000ccab04003001 of ? [6000ccab04003001 /dev/sg3]",
			"lu-6000ccab04003001/lu-6000ccab04003001/sub0 MD32xxi 0001",
		}, nil},
		{"the enclosure's NAA on both modules (Celestica)", `
enclosures:
- ` + jbod + `[{lu: 5000ccab04001000, port: 5000ccab040010ff, paths: {stor1: [3, 5]}}, {lu: 5000ccab04001000, port: 5000ccab040010fe, paths: {stor1: [4]}}]}
`, []string{
			"5000ccab04001000 [5000ccab04001000@5000ccab040010ff /dev/sg3 /dev/sg5] [5000ccab04001000@5000ccab040010fe /dev/sg4]",
			"5000ccab04001000/esp1/sub0 JBOD-60 1000",
			"5000ccab04001000/esp2/sub0 JBOD-60 1000",
		}, nil},
		{"another NAA on both modules", `
enclosures:
- ` + jbod + `[{lu: 5000ccab0400dc00, paths: {stor1: [3]}}, {lu: 5000ccab0400dc00, paths: {stor1: [4]}}]}
`, []string{
			"5000ccab04001000 [5000ccab0400dc00@5000ccab0400101d /dev/sg3] [5000ccab0400dc00@5000ccab0400102d /dev/sg4]",
			"5000ccab04001000/esp1/sub0 JBOD-60 1000",
			"5000ccab04001000/esp2/sub0 JBOD-60 1000",
		}, nil},
		{"one refuses all VPD pages", `
enclosures:
- ` + jbod + `[{vpd: [], paths: {stor1: [3]}}, {paths: {stor1: [4]}}]}
`, []string{
			"5000ccab04001000 [ses.5000ccab04001000.1of2 /dev/sg3] [5000ccab04001002 /dev/sg4]",
			"5000ccab04001000/esp1/sub0 JBOD-60 1000",
			"5000ccab04001000/esp2/sub0 JBOD-60 1000",
		}, nil},
		{"five subenclosures (EMC KTN-STL3)", `
enclosures:
- logicalID: 50060480000000ff
  vendor: EMC
  product: Viper LCC
  revision: 0B70
  vendorSpecific: "01 02 03 04 05 06 07 08"
  esps: [{relativeID: 1, processes: 1, inquiry: {product: ESES Enclosure, revision: "0001"}, paths: {stor1: [3]}}]
  subenclosures:
  - {id: 4, product: PSU, revision: "2950"}
  - {id: 1, product: Viper LCC, revision: 0B70}
  - {id: 2, product: CPLD, revision: "0011"}
  - {id: 3, product: PSU, revision: "2950"}
`, []string{
			"50060480000000ff of ? [5006048000000100 /dev/sg3]",
			"50060480000000ff/lu-5006048000000100/sub0 Viper LCC 0B70",
			"50060480000000ff/lu-5006048000000100/sub1 Viper LCC 0B70",
			"50060480000000ff/lu-5006048000000100/sub2 CPLD 0011",
			"50060480000000ff/lu-5006048000000100/sub3 PSU 2950",
			"50060480000000ff/lu-5006048000000100/sub4 PSU 2950",
		}, nil},
		{"a power supply that both modules serve, a CPLD that each has", `
enclosures:
- logicalID: 5000ccab04001000
  vendor: ACME
  product: JBOD-60
  esps: [{paths: {stor1: [3]}}, {paths: {stor1: [4]}}]
  subenclosures: [{id: 3, product: PSU}, {id: 1, product: CPLD, esps: [1]}, {id: 1, product: CPLD, esps: [2]}]
`, []string{
			"5000ccab04001000 [5000ccab04001001 /dev/sg3] [5000ccab04001002 /dev/sg4]",
			"5000ccab04001000/esp1/sub0 JBOD-60 0001",
			"5000ccab04001000/esp1/sub1 CPLD 0001",
			"5000ccab04001000/esp1/sub3 PSU 0001",
			"5000ccab04001000/esp2/sub0 JBOD-60 0001",
			"5000ccab04001000/esp2/sub1 CPLD 0001",
			"5000ccab04001000/esp1/sub3 PSU 0001",
		}, nil},
		{"an enclosure in a disk, a virtual one, disks, a changer", `
enclosures:
- {logicalID: 5000ccab04001000, vendor: ACME, product: RAID, esps: [{deviceType: 0, relativeID: 0, processes: 0, paths: {stor1: [3]}}], drives: [{slot: 0, count: 3}]}
others:
- {type: 13, vendor: LSI, product: VirtualSES, revision: "02", lu: 3000ccab04001000, encServ: true, paths: {stor1: [1]}}
- {type: 0, vendor: SMI, product: USB DISK, revision: "1100", encServ: true, paths: {stor1: [2]}}
- {type: 8, vendor: IBM, product: CHANGER, revision: "1100", paths: {stor1: [0]}}
`, []string{
			"5000ccab04001000 of ? [5000ccab04001001 /dev/sg3]",
			"5000ccab04001000/lu-5000ccab04001001/sub0 RAID 0001",
		}, []string{"/dev/sg2: cannot read the enclosure"}},
		{"faults that pass", `
enclosures:
- logicalID: 5000ccab04001000
  vendor: ACME
  product: JBOD-60
  esps:
  - sense: descriptor
    allocation: {min: 512, max: 32768}
    paths: {stor1: [3]}
    faults:
    - {when: {opcode: 12, nth: 1}, do: {busy: true}}
    - {when: {opcode: 1c, page: "00", nth: 1, times: 3}, do: {sense: 06/29/00}}
    - {when: {opcode: 1c, page: "01", nth: 1, times: 3}, do: {page09: true}}
    - {when: {opcode: 1c, page: "01", nth: 4}, do: {taskSetFull: true}}
    - {when: {opcode: 1c, page: "02", nth: 1}, do: {shortPage: 9}}
    - {when: {opcode: 1c, page: "02", nth: 2}, do: {page08: true}}
    - {when: {opcode: 1c, page: "0a", nth: 1}, do: {bumpGeneration: true}}
    - {when: {opcode: 1c, page: "02", nth: 3}, do: {delay: 40s}}
`, []string{
			"5000ccab04001000 of ? [5000ccab04001001 /dev/sg3]",
			"5000ccab04001000/lu-5000ccab04001001/sub0 JBOD-60 0001",
		}, nil},
		{"faults that stay", `
enclosures:
- ` + jbod + `[{paths: {stor1: [3]}, faults: [{when: {opcode: 1c, page: "01", every: true}, do: {page08: true}}]}, {paths: {stor1: [4]}}]}
- {logicalID: 5000ccab04002000, vendor: ACME, product: JBOD-60, esps: [
    {paths: {stor1: [5]}, faults: [{when: {opcode: 1c, page: "02", every: true}, do: {noAnswer: true}}]},
    {paths: {stor1: [6]}, faults: [{when: {opcode: 1c, page: "02", every: true}, do: {shortPage: 7}}]}]}
- {logicalID: 5000ccab04003000, vendor: ACME, product: JBOD-60, esps: [{paths: {stor1: [7]}, latency: 30s}, {paths: {stor1: [8]}, faults: [{when: {opcode: 12}, do: {die: true}}]}]}
`, []string{
			"5000ccab04001000 incomplete [5000ccab04001002 /dev/sg4]",
			"5000ccab04002000 incomplete [5000ccab04002002 /dev/sg6]",
			"5000ccab04001000/esp2/sub0 JBOD-60 1000",
			"5000ccab04002000/esp2/sub0 JBOD-60 0001",
		}, []string{
			"/dev/sg3: cannot read the enclosure: no page 01h",
			"/dev/sg5: cannot read the enclosure: cannot execute RECEIVE DIAGNOSTIC RESULTS of page 02h",
			"/dev/sg6: cannot read its health: cannot decode page 02h",
			"/dev/sg7: cannot read the enclosure: no answer within 2m0s",
			"/dev/sg8: cannot read the enclosure",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onRack(t, tt.rack, func(t *testing.T, m transport.Machine) {
				start := time.Now()
				inv := scanAll(t, m)
				if took := time.Since(start); took > 2*time.Minute {
					t.Errorf("Scan(…) took %v; want 2 min at most", took)
				}
				if diff := cmp.Diff(tt.want, sights(inv)); diff != "" {
					t.Errorf("Scan(…) sees (-want +got):\n%s", diff)
				}
				got := problems(inv)
				if len(got) != len(tt.problems) {
					t.Fatalf("Scan(…) has problems %q; want %q", got, tt.problems)
				}
				for i, want := range tt.problems {
					if !strings.HasPrefix(got[i], want) {
						t.Errorf("Scan(…) has problem %q; want %q", got[i], want)
					}
				}
				checkSchema(t, inv)
				for _, e := range inv.Enclosures {
					for _, esp := range e.ESPs {
						found, err := scan.Find(t.Context(), m, esp.LUID)
						if diff := cmp.Diff(esp.Paths, found); err != nil || diff != "" {
							t.Errorf("Find(%q) = %q, %v; want %q", esp.LUID, found, err, esp.Paths)
						}
					}
				}
			})
		})
	}
}

func checkSchema(t *testing.T, inv *inventory.Inventory) {
	t.Helper()
	data, err := inv.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, problems := schemas.Check("inventory", "inventory.json", data); len(problems) != 0 {
		t.Errorf("schemas.Check of an inventory = %v; want nothing\n%s", problems, data)
	}
	if _, err := inventory.Parse(data); err != nil {
		t.Errorf("Parse of what was scanned = %v; want it read\n%s", err, data)
	}
}

func TestDrivesOnARack(t *testing.T) {
	onRack(t, `
hosts: [stor1, stor2]
enclosures:
- logicalID: 5000ccab04001000
  vendor: ACME
  product: JBOD-60
  slots: 4
  elements:
  - {type: sas-expander, count: 1}
  - {type: power-supply, count: 2, names: ["Power Supply 1", "Power Supply 2"], status: [ok, critical]}
  esps: [{paths: {stor1: [3], stor2: [3]}}, {paths: {stor1: [4]}}]
  drives: [{slot: 0, sasAddress: 5000c50012345600}, {slot: 2, sasAddress: 5000c50012345700, sata: true},
    {slot: 3, sasAddress: 5000c50012345800, sata: true, paths: [{host: stor2, esp: 1}]}]
`, func(t *testing.T, m transport.Machine) {
		e := scanAll(t, m).Enclosures[0]
		if diff := cmp.Diff([]string{"Power Supply 2: critical"}, e.Health.Failures); diff != "" || !e.Health.Critical {
			t.Errorf("Scan(…) gives critical %t and failures (-want +got):\n%s", e.Health.Critical, diff)
		}
		want := []inventory.Drive{
			{Slot: 0, SASAddress: "5000c50012345601", LUID: "5000c50012345600", Protocol: inventory.SAS, Paths: []inventory.DrivePath{
				{Device: "sda", Via: "5000ccab04001001", Live: true}, {Device: "sdb", Via: "5000ccab04001002", Live: true}}},
			{Slot: 2, SASAddress: "5000c50012345701", LUID: "5000c50012345700", Protocol: inventory.SATA, Paths: []inventory.DrivePath{{Device: "sdc", Via: "5000ccab04001001", Live: true}}},
			{Slot: 3, SASAddress: "5000c50012345801", Protocol: inventory.SATA, Paths: []inventory.DrivePath{}}, // only page 0Ah tells
		}
		for i := range e.Drives {
			e.Drives[i].Evidence = nil
		}
		if diff := cmp.Diff(want, e.Drives); diff != "" {
			t.Errorf("Scan(…) gives drives (-want +got):\n%s", diff)
		}
	})
}

// What uses a drive, over which of its paths: without opening a disk, and with.
func TestUseOnARack(t *testing.T) {
	const head = `
enclosures:
- {logicalID: 5000ccab04001000, vendor: ACME, product: JBOD-60, esps: [{paths: {stor1: [3]}}, {paths: {stor1: [4]}}], drives: [`
	tests := []struct {
		name, drive  string
		seen, probed string // "" where probing finds no more
	}{
		{"nothing", `{slot: 0}`, "unknown sda:A sdb:B", "[] sda:A sdb:B"},
		{"mounted", `{slot: 0, use: {mount: /tank}}`, `["mounted /tank"] sda:A used sdb:B`, ""},
		{"swap on a partition", `{slot: 0, use: {partition: 2, swap: true}}`, `["swap through sda2"] sda:A used sdb:B`, ""},
		{"md, with nothing on it", `{slot: 0, use: {holder: md0}}`, `["held by md0"] sda:A used sdb:B`, ""},
		{"md on a partition", `{slot: 0, use: {partition: 1, holder: md0, mount: /tank}}`, `["mounted /tank through sda1, md0"] sda:A used sdb:B`, ""},
		{"a map that nothing uses", `{slot: 0, use: {multipath: mpatha}}`, "unknown sda:A sdb:B", "[] sda:A sdb:B"},
		{"a map that is mounted", `{slot: 0, use: {multipath: mpatha, mount: /tank}}`, `["mounted /tank through dm-0 (mpatha)"] sda:A used sdb:B used`, ""},
		{"md on a map", `{slot: 0, use: {multipath: mpatha, holder: md0, swap: true}}`, `["swap through dm-0 (mpatha), md0"] sda:A used sdb:B used`, ""},
		{"ZFS on a map", `{slot: 0, use: {multipath: mpatha, zfs: tank}}`, `["ZFS pool tank through dm-0 (mpatha)"] sda:A used sdb:B used`, ""},
		{"ZFS on one path", `{slot: 0, use: {zfs: {pool: tank, vdev: raidz2-0, members: 8}}}`, `["ZFS pool tank (raidz2-0)"] sda:A used sdb:B`, ""},
		{"ZFS on a partition", `{slot: 0, use: {partition: 1, zfs: tank}}`, `["ZFS pool tank through sda1"] sda:A used sdb:B`, ""},
		{"a spare of ZFS's", `{slot: 0, use: {zfs: {pool: tank, vdev: spares}}}`, `["ZFS pool tank (spares)"] sda:A used sdb:B`, ""},
		{"an LVM volume", `{slot: 0, use: {lvm: vg-0/data}}`, `["held by dm-0 (vg--0-data)"] sda:A used sdb:B`, ""},
		{"an LVM volume on a partition, mounted", `{slot: 0, use: {partition: 1, lvm: vg/data, mount: /srv}}`, `["mounted /srv through sda1, dm-0 (vg-data)"] sda:A used sdb:B`, ""},
		{"a Ceph OSD", `{slot: 0, use: {lvm: ceph-7f/osd-block-1b, osd: 3, process: ceph-osd}}`, `["Ceph osd.3 through dm-0 (ceph--7f-osd--block--1b)"] sda:A used sdb:B`, ""},
		{"a Ceph OSD on a map, without LVM", `{slot: 0, use: {multipath: mpatha, osd: 12}}`, `["Ceph osd.12 through dm-0 (mpatha)"] sda:A used sdb:B used`, ""},
		{"a Ceph volume of no known OSD", `{slot: 0, use: {lvm: ceph-7f/osd-block-1b}}`, `["Ceph osd-block-1b through dm-0 (ceph--7f-osd--block--1b)"] sda:A used sdb:B`, ""},
		{"a map with a failed path", `{slot: 0, use: {multipath: mpatha, mount: /tank, failed: [2]}}`, `["mounted /tank through dm-0 (mpatha)"] sda:A used sdb:B dead used`, ""},
		{"a virtual machine's disk", `{slot: 0, use: {process: qemu}}`, `["held open by qemu (pid 1001)"] sda:A used sdb:B`, ""},
		{"a virtual machine's map", `{slot: 0, use: {multipath: mpatha, process: qemu}}`, `["held open by qemu (pid 1001) through dm-0 (mpatha)"] sda:A used sdb:B used`, ""},
		{"a watcher", `{slot: 0, use: {process: smartd}}`, "unknown sda:A sdb:B", "[] sda:A sdb:B"},
		{"counters of a writer", `{slot: 0, use: {io: writes}}`, "unknown sda:A sdb:B", `["its counters moved while fwctl looked: 1000 writes, 0 reads"] sda:A used sdb:B`},
		{"counters of a reader of a map", `{slot: 0, use: {multipath: mpatha, io: reads}}`, "unknown sda:A sdb:B", `["its counters moved while fwctl looked: 0 writes, 1000 reads"] sda:A used sdb:B used`},
		{"mounted by a path of the second module", `{slot: 0, use: {mount: /tank}, paths: [{host: stor1, esp: 2}]}`, `["mounted /tank"] sda:B used`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onRack(t, head+tt.drive+"]}\n", func(t *testing.T, m transport.Machine) {
				inv := scanAll(t, m)
				checkSchema(t, inv)
				if got := sees(inv.Enclosures[0].Drives[0]); got != tt.seen {
					t.Errorf("Scan(…) sees the drive %s; want %s", got, tt.seen)
				}
				opens := m.(*sgOnly)
				if len(opens.disks) > 0 {
					t.Errorf("Scan(…) without ProbeUse opens %q; want no disk", opens.disks)
				}
				inv, err := scan.Scan(t.Context(), m, scan.Options{ProbeUse: true})
				if err != nil {
					t.Fatal(err)
				}
				if got, want := sees(inv.Enclosures[0].Drives[0]), stdcmp.Or(tt.probed, tt.seen); got != want {
					t.Errorf("Scan(… ProbeUse …) sees the drive %s; want %s", got, want)
				}
				if tt.probed == "" && len(opens.disks) > 0 {
					t.Errorf("Scan(… ProbeUse …) opens %q though use is seen without; want no disk", opens.disks)
				}
			})
		})
	}
}

// A pool that zpool does not name is found by an exclusive open.
func TestPoolsUnknown(t *testing.T) {
	t.Parallel()
	for _, zpool := range []string{"missing", "hangs", "nonsense"} {
		for _, tt := range []struct{ drive, probed string }{
			{`{slot: 0, use: {multipath: mpatha, zfs: tank}}`, `["dm-0 (mpatha) held exclusively"] sda:A used sdb:B used`},
			{`{slot: 0, use: {zfs: tank}}`, `["sda held exclusively"] sda:A used sdb:B`},
			{`{slot: 0, use: {partition: 1, zfs: tank}}`, `["sda1 held exclusively"] sda:A used sdb:B`},
			{`{slot: 0, sata: true, use: {zfs: tank}}`, `["sda held exclusively"] sda:A used`},
		} {
			t.Run(zpool+" "+tt.drive, func(t *testing.T) {
				t.Parallel()
				rack := "zpool: " + zpool + `
enclosures:
- {logicalID: 5000ccab04001000, vendor: ACME, product: JBOD-60, esps: [{paths: {stor1: [3]}}, {paths: {stor1: [4]}}], drives: [`
				onRack(t, rack+tt.drive+"]}\n", func(t *testing.T, m transport.Machine) {
					began := time.Now()
					inv := scanAll(t, m)
					if got := sees(inv.Enclosures[0].Drives[0]); !strings.HasPrefix(got, "unknown ") {
						t.Errorf("Scan(…) sees the drive %s; want its use unknown", got)
					}
					if waited := time.Since(began); waited > 10*time.Second {
						t.Errorf("Scan(…) took %v; want it not to wait for zpool", waited)
					}
					inv, err := scan.Scan(t.Context(), m, scan.Options{ProbeUse: true})
					if err != nil {
						t.Fatal(err)
					}
					checkSchema(t, inv)
					if got := sees(inv.Enclosures[0].Drives[0]); got != tt.probed {
						t.Errorf("Scan(… ProbeUse …) sees the drive %s; want %s", got, tt.probed)
					}
				})
			})
		}
	}
}

// Uses are structured beside their words: sorted, each with all that lies between, and with
// how many drives there are of what they are of.
func TestUses(t *testing.T) {
	onRack(t, `
enclosures:
- logicalID: 5000ccab04001000
  vendor: ACME
  product: JBOD-60
  esps: [{}, {}]
  drives:
  - {slot: 0, use: {partition: 1, holder: md0, mount: /srv/backup}}
  - {slot: 1, use: {partition: 1, holder: md0, mount: /srv/backup}}
  - {slot: 2, use: {multipath: mpatha, holder: md1, lvm: vg0/data, process: qemu}}
  - {slot: 3, use: {multipath: mpathb, holder: md1, lvm: vg0/data, process: qemu}}
  - {slot: 4, use: {zfs: {pool: tank, vdev: mirror-0, members: 4}}}
  - {slot: 5, use: {zfs: {pool: tank, vdev: logs}}}
  - {slot: 6, use: {lvm: ceph-7f/osd-block-1b, osd: 3, process: ceph-osd}}
  - {slot: 7}
  - {slot: 8, use: {partition: 1, mount: /srv/media, btrfs: true}}
  - {slot: 9, use: {multipath: mpathc, mount: /srv/media, btrfs: true}}
`, func(t *testing.T, m transport.Machine) {
		inv := scanAll(t, m)
		checkSchema(t, inv)
		var got []string
		for _, d := range inv.Enclosures[0].Drives {
			uses, err := json.Marshal(d.Uses)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(uses))
		}
		want := []string{
			`[{"kind":"mount","name":"/srv/backup","through":["sda1","md0"],"of":2}]`,
			`[{"kind":"mount","name":"/srv/backup","through":["sdc1","md0"],"of":2}]`,
			`[{"kind":"raw","name":"qemu","through":["dm-1 (mpatha)","md1","dm-3 (vg0-data)"],"of":2,"pid":1001}]`,
			`[{"kind":"raw","name":"qemu","through":["dm-4 (mpathb)","md1","dm-3 (vg0-data)"],"of":2,"pid":1001}]`,
			`[{"kind":"zfs","name":"tank","vdev":"mirror-0","of":4}]`,
			`[{"kind":"zfs","name":"tank","vdev":"logs","of":4}]`,
			`[{"kind":"ceph","name":"osd.3","through":["dm-5 (ceph--7f-osd--block--1b)"]}]`,
			`null`,
			`[{"kind":"mount","name":"/srv/media","through":["sdq1"],"of":2}]`,
			`[{"kind":"mount","name":"/srv/media","through":["dm-6 (mpathc)"],"of":2}]`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("uses of the drives (-want +got):\n%s", diff)
		}
	})
}

// The use of a drive that no path leads to on this host is unknown. A disk that is
// routed through an enclosure without page 0Ah is behind it.
func TestUseElsewhere(t *testing.T) {
	onRack(t, `
hosts: [stor1, stor2]
enclosures:
- logicalID: 5000ccab04001000
  vendor: ACME
  product: JBOD-60
  esps: [{}]
  drives: [{slot: 0, use: {host: stor2, mount: /tank}, paths: [{host: stor2, esp: 1}]}, {slot: 1, use: {host: stor2, mount: /data}}]
- logicalID: 5000ccab04002000
  vendor: ACME
  product: JBOD-60
  esps: [{pages: ["00", "01", "02"]}]
  drives: [{slot: 0}]
`, func(t *testing.T, m transport.Machine) {
		inv, err := scan.Scan(t.Context(), m, scan.Options{ProbeUse: true})
		if err != nil {
			t.Fatal(err)
		}
		checkSchema(t, inv)
		var got []string
		for _, d := range inv.Enclosures[0].Drives {
			got = append(got, sees(d))
		}
		if diff := cmp.Diff([]string{"unknown", "[] sda:A"}, got); diff != "" {
			t.Errorf("Scan(… ProbeUse …) sees drives (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"sda", "sdb"}, slices.Sorted(slices.Values(m.(*sgOnly).disks))); diff != "" {
			t.Errorf("Scan(… ProbeUse …) opens (-want +got):\n%s", diff)
		}
		got = nil
		for _, d := range inv.Enclosures[1].Drives {
			got = append(got, sees(d))
		}
		if diff := cmp.Diff([]string{"unknown", "[] sdb:A"}, got); diff != "" || !inv.Enclosures[1].DrivesUnknown {
			t.Errorf("Scan(…) of an enclosure without page 0Ah knows its drives %t and sees (-want +got):\n%s",
				!inv.Enclosures[1].DrivesUnknown, diff)
		}
	})
}

// A disk that cannot be opened is not known to be unused.
func TestProbeFails(t *testing.T) {
	onRack(t, `
enclosures:
- {logicalID: 5000ccab04001000, vendor: ACME, product: JBOD-60, esps: [{}, {}], drives: [{slot: 0, count: 2}]}
`, func(t *testing.T, m transport.Machine) {
		m.(*sgOnly).broken = "sdb" // the other path of slot 0
		inv, err := scan.Scan(t.Context(), m, scan.Options{ProbeUse: true})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range inv.Enclosures[0].Drives {
			got = append(got, sees(d))
		}
		if diff := cmp.Diff([]string{"unknown sda:A sdb:B", "[] sdc:A sdd:B"}, got); diff != "" {
			t.Errorf("Scan(… ProbeUse …) sees drives (-want +got):\n%s", diff)
		}
	})
}

// An enclosure behind another one, over two cables of two HBAs to each module.
func TestCascadeOnARack(t *testing.T) {
	onRack(t, `
enclosures:
- {name: top, logicalID: 5000ccab04001000, vendor: ACME, product: JBOD-60, esps: [{paths: {stor1: [3, 7]}}, {paths: {stor1: [4]}}], drives: [{slot: 0}]}
- {name: below, behind: top, logicalID: 5000ccab04002000, vendor: ACME, product: JBOD-60, esps: [{paths: {stor1: [5, 8]}}, {paths: {stor1: [6]}}], drives: [{slot: 0}]}
`, func(t *testing.T, m transport.Machine) {
		var got []string
		for _, e := range scanAll(t, m).Enclosures {
			for _, esp := range e.ESPs {
				got = append(got, esp.LUID+" has "+strings.Join(esp.Expanders, " ")+" behind "+strings.Join(esp.Upstream, " "))
			}
			for _, d := range e.Drives {
				got = append(got, sees(d))
			}
		}
		want := []string{
			"5000ccab04001001 has 5000ccab0400101f behind ",
			"5000ccab04001002 has 5000ccab0400102f behind ",
			"unknown sda:A sdb:A sdc:B",
			"5000ccab04002001 has 5000ccab0400201f behind 5000ccab0400101f",
			"5000ccab04002002 has 5000ccab0400202f behind 5000ccab0400102f",
			"unknown sdd:A sde:A sdf:B",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Scan(…) sees (-want +got):\n%s", diff)
		}
	})
}

// sees draws a drive: its use, then its paths with the module that they go
// through, the first being A.
func sees(d inventory.Drive) string {
	s := fmt.Sprintf("%q", d.InUse)
	if d.InUse == nil {
		s = "unknown"
	}
	for _, p := range d.Paths {
		module := "?"
		if p.Via != "" {
			module = string('A' + p.Via[len(p.Via)-1] - '1')
		}
		s += " " + p.Device + ":" + module
		if !p.Live {
			s += " dead"
		}
		if p.Used {
			s += " used"
		}
	}
	return s
}

// The executor reads an enclosure again over nodes that it holds, and gets what
// the scan said.
func TestAssembleAgreesWithScan(t *testing.T) {
	onRack(t, `
enclosures:
- {logicalID: 5000ccab04001000, vendor: ACME, product: JBOD-60, esps: [{paths: {stor1: [3, 5]}}, {paths: {stor1: [4]}}], drives: [{slot: 0, count: 2}]}
`, func(t *testing.T, m transport.Machine) {
		inv := scanAll(t, m)
		var readings []inventory.Reading
		for _, path := range []string{"/dev/sg5", "/dev/sg4", "/dev/sg3"} {
			node, err := m.Open(path, transport.ReadOnly)
			if err != nil {
				t.Fatal(err)
			}
			defer node.Close()
			r, err := scan.Read(t.Context(), path, node)
			if err != nil {
				t.Fatal(err)
			}
			readings = append(readings, *r)
		}
		enclosures, problems := scan.Assemble(t.Context(), m, readings)
		if diff := cmp.Diff(inv.Enclosures, enclosures); diff != "" || len(problems) != 0 {
			t.Errorf("Assemble(…) differs from Scan, with problems %v (-want +got):\n%s", problems, diff)
		}
	})
}

// The example of INTERFACE section 5 fits the schema.
func TestSchemaFitsTheContract(t *testing.T) {
	const example = `{"format_version": "1.0", "kind": "Inventory", "host": "stor1", "scanned_at": "2026-11-22T10:00:00Z",
 "simulated": false,
 "enclosures": [{"logical_id": "5000ccab04001000", "vendor": "ACME", "product": "JBOD-60", "expected_esps": 2, "missing_esps": [],
   "health": {"critical": false, "unrecoverable": false, "failures": []},
   "drives": [{"slot": 0, "sas_address": "5000c50012345678", "in_use": ["mounted /tank"], "paths": [{"device": "sda", "via": "5000ccab04001001", "live": true}]}],
   "esps": [{"relative_id": 1, "lu_id": "5000ccab04001001", "serial": "ESP-A", "paths": ["/dev/sg3"], "generation_code": 7,
     "inquiry": {"vendor": "ACME", "product": "JBOD-60", "revision": "1000"},
     "download": {"ses_page": true, "write_buffer_modes": ["07", "0e", "0f"]},
     "subenclosures": [{"id": 0, "address": "5000ccab04001000/esp1/sub0", "vendor": "ACME", "product": "JBOD-60", "revision": "1000", "staged": null}]}]}],
 "problems": [{"path": "/dev/sg9", "summary": "…", "detail": "…"}]}`
	if _, problems := schemas.Check("inventory", "inventory.json", []byte(example)); len(problems) != 0 {
		t.Errorf("schemas.Check of the contract's example = %v; want nothing", problems)
	}
	for _, tt := range []struct{ old, new string }{
		{`"kind": "Inventory"`, `"kind": "Plan"`},
		{`"format_version": "1.0"`, `"format_version": "2.0"`},
		{`"5000ccab04001000/esp1/sub0"`, `"5000ccab04001000/esp8/sub0"`},
		{`"expected_esps": 2`, `"expected_esps": 1`},
		{`"paths": ["/dev/sg3"], `, ``},
	} {
		if _, problems := schemas.Check("inventory", "inventory.json",
			[]byte(strings.Replace(example, tt.old, tt.new, 1))); len(problems) != 1 {
			t.Errorf("schemas.Check with %s for %s = %v; want one problem", tt.new, tt.old, problems)
		}
	}
}

// A scan reports its progress: first the devices, then the drives without a visible user.
func TestProgressOfAScan(t *testing.T) {
	t.Parallel()
	const rack = "enclosures:\n  - {logicalID: 5000ccab04001000, vendor: ACME, product: JBOD-60, esps: [{}, {}], " +
		"drives: [{slot: 0, count: 2}, {slot: 2, use: {mount: /srv}}]}\n"
	for probe, want := range map[bool]string{
		false: "devices 0/2 devices 1/2 devices 2/2", true: "devices 0/2 devices 1/2 devices 2/2 drives 0/2 drives 1/2 drives 2/2",
	} {
		onRack(t, rack, func(t *testing.T, m transport.Machine) {
			var told []string
			opts := scan.Options{ProbeUse: probe, Progress: func(what string, done, all int) {
				told = append(told, fmt.Sprintf("%s %d/%d", what, done, all))
			}}
			if p, ok := m.(*sgOnly); ok && probe {
				m = p.Machine
			}
			if _, err := scan.Scan(t.Context(), m, opts); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(told, " "); got != want {
				t.Errorf("progress of a scan, probing %t = %s; want %s", probe, got, want)
			}
		})
	}
}
