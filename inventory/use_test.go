package inventory_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwctl/inventory"
)

// The words for a use, and what they say again where an inventory has no more than them.
func TestUseInWords(t *testing.T) {
	t.Parallel()
	long := "/" + strings.Repeat("long|<b>name</b>*", 20)
	for _, tt := range []struct {
		use   inventory.Use
		words string
		again inventory.Use
	}{
		{inventory.Use{Kind: inventory.MountUse, Name: "/srv/backup", Through: []string{"sda1", "md0"}, Of: 2},
			"mounted /srv/backup through sda1, md0",
			inventory.Use{Kind: inventory.MountUse, Name: "/srv/backup", Through: []string{"sda1", "md0"}}},
		{inventory.Use{Kind: inventory.MountUse, Name: "/walk through walls"}, "mounted /walk through walls",
			inventory.Use{Kind: inventory.MountUse, Name: "/walk", Through: []string{"walls"}}}, // nobody can tell
		{inventory.Use{Kind: inventory.MountUse, Name: "/walk through walls", Through: []string{"sda1"}},
			"mounted /walk through walls through sda1",
			inventory.Use{Kind: inventory.MountUse, Name: "/walk through walls", Through: []string{"sda1"}}},
		{inventory.Use{Kind: inventory.MountUse, Name: long}, "mounted " + long,
			inventory.Use{Kind: inventory.MountUse, Name: long}},
		{inventory.Use{Kind: inventory.SwapUse, Through: []string{"sda2"}}, "swap through sda2",
			inventory.Use{Kind: inventory.SwapUse, Through: []string{"sda2"}}},
		{inventory.Use{Kind: inventory.ZFSUse, Name: "tank", VDev: "raidz2-0", Through: []string{"sda1"}, Of: 8},
			"ZFS pool tank (raidz2-0) through sda1",
			inventory.Use{Kind: inventory.ZFSUse, Name: "tank", VDev: "raidz2-0", Through: []string{"sda1"}}},
		{inventory.Use{Kind: inventory.ZFSUse, Name: "my tank"}, "ZFS pool my tank",
			inventory.Use{Kind: inventory.ZFSUse, Name: "my tank"}},
		{inventory.Use{Kind: inventory.CephUse, Name: "osd.3", Through: []string{"dm-1 (ceph--7f-osd--block--1b)"}},
			"Ceph osd.3 through dm-1 (ceph--7f-osd--block--1b)",
			inventory.Use{Kind: inventory.CephUse, Name: "osd.3", Through: []string{"dm-1 (ceph--7f-osd--block--1b)"}}},
		{inventory.Use{Kind: inventory.RawUse, Name: "qemu (x)", PID: 7}, "held open by qemu (x) (pid 7)",
			inventory.Use{Kind: inventory.RawUse, Name: "qemu (x)", PID: 7}},
		{inventory.Use{Kind: inventory.RawUse, Name: "qemu", PID: 7, Processes: 3, Through: []string{"dm-0 (mpatha)"}},
			"held open by qemu (pid 7 and 2 more) through dm-0 (mpatha)",
			inventory.Use{Kind: inventory.RawUse, Name: "qemu", PID: 7, Processes: 3,
				Through: []string{"dm-0 (mpatha)"}}},
		{inventory.Use{Kind: inventory.MDUse, Name: "md0", Through: []string{"sda1", "md0"}},
			"held by md0 through sda1",
			inventory.Use{Kind: inventory.MDUse, Name: "md0", Through: []string{"sda1", "md0"}}},
		{inventory.Use{Kind: inventory.BcacheUse, Name: "bcache0", Through: []string{"bcache0"}}, "held by bcache0",
			inventory.Use{Kind: inventory.BcacheUse, Name: "bcache0", Through: []string{"bcache0"}}},
		{inventory.Use{Kind: inventory.LVMUse, Name: "vg0/data", Through: []string{"dm-3 (vg0-data)"}},
			"held by dm-3 (vg0-data)",
			inventory.Use{Kind: inventory.DMUse, Name: "vg0-data", Through: []string{"dm-3 (vg0-data)"}}},
		{inventory.Use{Kind: inventory.MultipathUse, Name: "mpatha", Through: []string{"dm-0 (mpatha)"}},
			"dm-0 (mpatha) held exclusively",
			inventory.Use{Kind: inventory.HeldUse, Through: []string{"dm-0 (mpatha)"}}},
		{inventory.Use{Kind: inventory.HeldUse, Through: []string{"sda"}}, "sda held exclusively",
			inventory.Use{Kind: inventory.HeldUse, Through: []string{"sda"}}},
		{inventory.Use{Kind: inventory.UnknownUse, Name: "its counters moved while fwctl looked: 1 write, 0 reads"},
			"its counters moved while fwctl looked: 1 write, 0 reads",
			inventory.Use{Kind: inventory.UnknownUse, Name: "its counters moved while fwctl looked: 1 write, 0 reads"}},
		{inventory.Use{Kind: "raid", Name: "of a later fwctl"}, "of a later fwctl",
			inventory.Use{Kind: inventory.UnknownUse, Name: "of a later fwctl"}},
	} {
		if got := tt.use.String(); got != tt.words {
			t.Errorf("%+v in words is %q; want %q", tt.use, got, tt.words)
		}
		older := inventory.Drive{InUse: []string{tt.words}}
		if diff := cmp.Diff([]inventory.Use{tt.again}, older.Users()); diff != "" {
			t.Errorf("Users of a drive with only the words %q (-want +got):\n%s", tt.words, diff)
		}
		whole := inventory.Drive{InUse: []string{tt.words}, Uses: []inventory.Use{tt.use}}
		if diff := cmp.Diff([]inventory.Use{tt.use}, whole.Users()); diff != "" {
			t.Errorf("Users of a drive (-want +got):\n%s", diff)
		}
	}
}

// An inventory whose uses could not be shown as they are, or that contradict themselves, is
// refused.
func TestUsesAreChecked(t *testing.T) {
	t.Parallel()
	text := func(uses string) []byte {
		return []byte(`{"format_version": "1.0", "kind": "Inventory", "host": "stor1",
			"scanned_at": "2026-11-22T10:00:00Z", "simulated": false, "problems": [], "enclosures": [{
			"logical_id": "5000ccab04001000", "expected_esps": null,
			"health": {"critical": false, "unrecoverable": false,
			"failures": []}, "drives": [{"slot": 0, "in_use": ["mounted /"], "paths": [], "uses": ` + uses + `}],
			"esps": [{"relative_id": 1, "lu_id": "5000ccab04001001", "paths": ["/dev/sg3"],
			"subenclosures": [{"id": 0, "address": "5000ccab04001000/esp1/sub0"}]}]}]}`)
	}
	name, err := json.Marshal(strings.Repeat("é|<b>", 100))
	if err != nil {
		t.Fatal(err)
	}
	for _, good := range []string{`null`, `[]`, `[{"kind": "mount", "name": ` + string(name) + `, "later": 1}]`,
		`[{"kind": "of a later fwctl"}]`} {
		if _, err := inventory.Parse(text(good)); err != nil {
			t.Errorf("Parse of an inventory with uses %s = %v; want no error", good, err)
		}
	}
	for _, bad := range []string{
		`[{"name": "/"}]`, `[{"kind": "mount", "name": "/\u001b[2J"}]`, `[{"kind": "mount", "through": ["a\nb"]}]`,
		`[{"kind": "zfs", "vdev": "\u202e"}]`, `[{"kind": "mount", "of": -1}]`, `[{"kind": "raw", "pid": -1}]`, `{}`,
	} {
		if _, err := inventory.Parse(text(bad)); err == nil {
			t.Errorf("Parse of an inventory with uses %s = nil; want an error", bad)
		}
	}
}
