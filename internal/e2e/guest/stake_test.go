//go:build e2e

package guest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// logicalVolume makes a logical volume over disks as LVM does, /dev/mapper/vg0-my--data, and mounts
// it until the test ends.
func logicalVolume(t *testing.T, d []disk, point string) {
	t.Helper()
	var table strings.Builder
	const sectors = 8192
	for i, disk := range d {
		fmt.Fprintf(&table, "%d %d linear /dev/%s 0\n", i*sectors, sectors, disk.name)
	}
	cmd := exec.Command("dmsetup", "create", "vg0-my--data", "--uuid", "LVM-"+strings.Repeat("a",
		32)+strings.Repeat("b", 32))
	cmd.Stdin = strings.NewReader(table.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("dmsetup create: %v\n%s", err, out)
	}
	t.Cleanup(func() { do(t, "dmsetup", "remove", "vg0-my--data") })
	do(t, "dmsetup", "mknodes") // there is no udev here to make them
	mount(t, "/dev/mapper/vg0-my--data", point)
}

// A plan names what uses the drives that a reset takes down, as the kernel shows it: a file
// system on a volume over two of them, swap, a process, and a Ceph OSD whose directory leads
// to one.
func TestAtStake(t *testing.T) {
	d := disks(t, true, place, place, place, place, place)
	r := serveDrives(t, d[:1], d[1:2], d[2:3], d[3:4], d[4:])
	logicalVolume(t, d[:2], "/tmp/at stake")
	do(t, "mkswap", "/dev/"+d[2].name)
	do(t, "swapon", "/dev/"+d[2].name)
	t.Cleanup(func() { do(t, "swapoff", "/dev/"+d[2].name) })
	opens(t, "/dev/"+d[3].name)
	const osd = "/var/lib/ceph/osd/ceph-7"
	if err := os.MkdirAll(osd, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll("/var/lib/ceph") })
	if err := os.Symlink("/dev/"+d[4].name, osd+"/block"); err != nil {
		t.Fatal(err)
	}

	r.plans(t, "always")
	var p struct {
		Steps []struct {
			Address string
			AtStake json.RawMessage `json:"at_stake"`
		}
	}
	if err := json.Unmarshal([]byte(r.run(t, 0, "show", "saved.plan", "-o", "json")), &p); err != nil {
		t.Fatal(err)
	}
	stake := func(what, slots string, drives int, effect string) string {
		return fmt.Sprintf(`{%s,"enclosure":"5000ccab04001000","slots":[%s],"drives":%d%s`, what, slots, drives, effect)
	}
	stakes := func(effect string) string {
		over := stake(`"kind":"mount","name":"/tmp/at stake","through":["dm-0 (vg0-my--data)"]`, "0,1", 2,
			`,"of":2`+effect)
		return "[" + strings.Join([]string{
			stake(`"kind":"ceph","name":"osd.7"`, "4", 1, effect), over,
			stake(`"kind":"raw","name":"sleep"`, "3", 1, effect), stake(`"kind":"swap"`, "2", 1, effect),
		}, ",") + "]"
	}
	want := map[string]string{
		esp1: stakes(`,"effect":"stops"}`), esp2: stakes(`,"effect":"keeps-path","path":"esp1"}`),
	}
	got := map[string]string{}
	for _, s := range p.Steps {
		var compact bytes.Buffer
		if err := json.Compact(&compact, s.AtStake); err != nil {
			t.Fatal(err)
		}
		got[s.Address] = compact.String()
	}
	diff(t, "what is at stake", got, want)
	const words = "mounts /tmp/at stake (vg0-my--data: slots 0, 1), process sleep (slot 3), swap (slot 2)"
	if out := r.run(t, 0, "show", "saved.plan", "-o", "markdown"); !strings.Contains(strings.ReplaceAll(out,
		"&#8203;", ""),
		"at stake: Ceph osd.7 (slot 4), "+words) {
		t.Errorf("fwctl show -o markdown does not say %q:\n%s", words, out)
	}
}
