//go:build e2e

package guest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const scsiDebug = "/sys/bus/pseudo/drivers/scsi_debug/"

// disk is a disk of scsi_debug, as this kernel shows it.
type disk struct {
	name, scsiHost string
	port           uint64 // SAS address of its target port, VPD page 83h
}

// disks makes SCSI hosts with one disk each, in order. Those that are the same
// disk share logical unit, port and content; others share nothing.
func disks(t *testing.T, n int, same bool) []disk {
	t.Helper()
	set := func(name string, value any) {
		if err := os.WriteFile(scsiDebug+name, fmt.Append(nil, value), 0); err != nil {
			t.Fatal(err)
		}
	}
	own := 1
	if same {
		own = 0
	}
	set("per_host_store", own)
	set("vpd_use_hostno", own)
	set("add_host", n)
	t.Cleanup(func() { set("add_host", -n) })

	var all []disk
	wait(t, "the disks of scsi_debug", func() bool {
		blocks, _ := filepath.Glob("/sys/bus/pseudo/devices/adapter*/host*/target*/*/block/sd*")
		all = nil
		for _, block := range blocks {
			page, err := os.ReadFile(block + "/device/vpd_pg83")
			if err != nil || len(page) < 4 {
				return false
			}
			all = append(all, disk{filepath.Base(block), strings.Split(block, "/")[6], targetPort(page)})
		}
		return len(all) == n
	})
	slices.SortFunc(all, func(a, b disk) int { return strings.Compare(a.name, b.name) })
	return all
}

// targetPort is the NAA of the target port in VPD page 83h.
func targetPort(page []byte) uint64 {
	for d := page[4:]; len(d) >= 4 && len(d) >= 4+int(d[3]); d = d[4+int(d[3]):] {
		if d[1]&0x3f == 0x13 && d[3] == 8 {
			return binary.BigEndian.Uint64(d[4:])
		}
	}
	return 0
}

// serveDrives serves an enclosure that lists these disks in slots of their own,
// the first port of each wired to the first module. That it has paths on another
// host only keeps the rack from serving disks itself.
func serveDrives(t *testing.T, disks ...disk) *rack {
	t.Helper()
	file := strings.NewReplacer(
		"hosts: [guest]", "hosts: [guest, elsewhere]",
		"elements:\n", "elements:\n      - {type: sas-expander, count: 1}\n",
	).Replace(fmt.Sprintf(jbod, "protocol: ses, flashTime: 100ms", "0s", "0s"))
	file += "    drives:\n"
	for i, d := range disks {
		file += fmt.Sprintf("      - {slot: %d, sasAddress: %016x, paths: [{host: elsewhere, esp: 1}]}\n", i, d.port-1)
	}
	return serve(t, file)
}

type driveSeen struct {
	Slot  int
	LUID  string   `json:"lu_id"`
	InUse []string `json:"in_use"`
	Paths []struct {
		Device, Via string
		Live, Used  bool
	}
}

// sees draws what fwctl says of the drives, one line each.
func (r *rack) sees(t *testing.T, flags ...string) []string {
	t.Helper()
	var inv struct {
		Enclosures []struct{ Drives []driveSeen }
	}
	if err := json.Unmarshal([]byte(r.run(t, 0, append([]string{"inventory", "-o", "json"}, flags...)...)), &inv); err != nil {
		t.Fatal(err)
	}
	if len(inv.Enclosures) != 1 {
		t.Fatalf("fwctl inventory sees %d enclosures; want 1", len(inv.Enclosures))
	}
	var lines []string
	for _, d := range inv.Enclosures[0].Drives {
		line := fmt.Sprintf("%q", d.InUse)
		if d.InUse == nil {
			line = "unknown"
		}
		for _, p := range d.Paths {
			line += " " + p.Device + map[string]string{lu1: " via A", lu2: " via B"}[p.Via]
			if p.Live {
				line += " live"
			}
			if p.Used {
				line += " used"
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// do runs a program of the guest.
func do(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
}

// mount puts a file system on a device and mounts it, until the test ends or the
// function that it gives is called.
func mount(t *testing.T, device, point string) (unmount func()) {
	t.Helper()
	do(t, "mke2fs", device)
	if err := os.MkdirAll(point, 0o755); err != nil {
		t.Fatal(err)
	}
	do(t, "mount", "-t", "ext4", device, point)
	mounted := true
	unmount = func() {
		if mounted {
			do(t, "umount", point)
		}
		mounted = false
	}
	t.Cleanup(unmount)
	return unmount
}

// What uses a drive is found in /proc, and what leaves no trace there only by
// opening it: each on a drive of its own.
func TestDriveUse(t *testing.T) {
	d := disks(t, 4, false)
	r := serveDrives(t, d...)
	mount(t, "/dev/"+d[0].name, "/tmp/tank")
	do(t, "mkswap", "/dev/"+d[1].name)
	do(t, "swapon", "/dev/"+d[1].name)
	t.Cleanup(func() { do(t, "swapoff", "/dev/"+d[1].name) })
	held, err := unix.Open("/dev/"+d[2].name, unix.O_RDONLY|unix.O_EXCL|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(held) })

	want := []string{
		fmt.Sprintf(`["mounted /tmp/tank"] %s via A live used`, d[0].name),
		fmt.Sprintf(`["swap"] %s via A live used`, d[1].name),
		fmt.Sprintf("unknown %s via A live", d[2].name),
		fmt.Sprintf("unknown %s via A live", d[3].name),
	}
	diff(t, "drives without --probe-use", r.sees(t), want)
	want[2] = fmt.Sprintf(`["%s held exclusively"] %s via A live used`, d[2].name, d[2].name)
	want[3] = fmt.Sprintf("[] %s via A live", d[3].name)
	diff(t, "drives with --probe-use", r.sees(t, "--probe-use"), want)
}

// One disk behind two SCSI hosts: its user goes on over the other path only if
// dm-multipath is between.
func TestDriveWithTwoPaths(t *testing.T) {
	d := disks(t, 2, true)
	if d[0].port != d[1].port || d[0].scsiHost == d[1].scsiHost {
		t.Fatalf("scsi_debug gives %+v; want one port behind two hosts", d)
	}
	r := serveDrives(t, d[0])
	paths := func(use, used0, used1 string) []string {
		return []string{fmt.Sprintf("%s %s via A live%s %s via A live%s", use, d[0].name, used0, d[1].name, used1)}
	}
	diff(t, "an idle drive", r.sees(t, "--probe-use"), paths("[]", "", ""))

	unmount := mount(t, "/dev/"+d[1].name, "/tmp/direct")
	diff(t, "a drive that is mounted over one path", r.sees(t, "--probe-use"), paths(`["mounted /tmp/direct"]`, "", " used"))
	unmount()

	sectors, err := os.ReadFile("/sys/block/" + d[0].name + "/size")
	if err != nil {
		t.Fatal(err)
	}
	do(t, "dmsetup", "create", "mpatha", "--uuid", "mpath-33333333000000000", "--table",
		fmt.Sprintf("0 %s multipath 0 0 1 1 round-robin 0 2 1 /dev/%s 1 /dev/%s 1", bytes.TrimSpace(sectors), d[0].name, d[1].name))
	t.Cleanup(func() { do(t, "dmsetup", "remove", "mpatha") })
	do(t, "dmsetup", "mknodes") // there is no udev here to make them
	diff(t, "a map that nobody uses", r.sees(t, "--probe-use"), paths("[]", "", ""))
	diff(t, "a map that nobody is seen to use", r.sees(t), paths("unknown", "", ""))

	held, err := unix.Open("/dev/dm-0", unix.O_RDONLY|unix.O_EXCL|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "a map that is held", r.sees(t, "--probe-use"), paths(`["dm-0 (mpatha) held exclusively"]`, " used", " used"))
	unix.Close(held)

	mount(t, "/dev/mapper/mpatha", "/tmp/mapped")
	diff(t, "a map that is mounted", r.sees(t), paths(`["mounted /tmp/mapped through dm-0 (mpatha)"]`, " used", " used"))
	// The kernel tells that a path is gone, and not what the map makes of it.
	if err := os.WriteFile("/sys/block/"+d[0].name+"/device/state", []byte("offline\n"), 0); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(paths(`["mounted /tmp/mapped through dm-0 (mpatha)"]`, " used", " used")[0], " live", "", 1)
	diff(t, "a map with a dead path", r.sees(t), []string{want})
}
