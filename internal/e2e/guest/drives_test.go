//go:build e2e

package guest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// Places of scsi_debug, target and LUN. Where hosts do not count (vpd_use_hostno=0)
// a target is a port, and the logical unit there is number 2000 + 1000*target + LUN:
// firstPort and secondPort are one disk, behind a port each.
const (
	place      = "0 0"
	firstPort  = "0 1000"
	secondPort = "1 0"
)

// disks makes SCSI hosts with one disk each, at these places, in order. Where hosts
// count the disks share nothing; where not, all have the same content, and those at
// one place are one disk behind one port.
func disks(t *testing.T, hostsCount bool, places ...string) []disk {
	t.Helper()
	set := func(name string, value any) {
		if err := os.WriteFile(name, fmt.Append(nil, value), 0); err != nil {
			t.Fatal(err)
		}
	}
	own := 0
	if hostsCount {
		own = 1
	}
	set(scsiDebug+"per_host_store", own)
	set(scsiDebug+"vpd_use_hostno", own)
	set(scsiDebug+"num_tgts", 2)
	set("/sys/module/scsi_mod/parameters/scan", "manual") // or each host would show a disk at every place
	t.Cleanup(func() { set("/sys/module/scsi_mod/parameters/scan", "sync") })
	set(scsiDebug+"add_host", len(places))
	t.Cleanup(func() { set(scsiDebug+"add_host", -len(places)) })

	var all []disk
	for i, place := range places {
		hosts, _ := filepath.Glob(fmt.Sprintf("/sys/bus/pseudo/devices/adapter%d/host*", i))
		if len(hosts) != 1 {
			t.Fatalf("scsi_debug's adapter %d has the SCSI hosts %v; want one", i, hosts)
		}
		host := filepath.Base(hosts[0])
		set("/sys/class/scsi_host/"+host+"/scan", "0 "+place)
		wait(t, "the disk of "+host, func() bool {
			blocks, _ := filepath.Glob(hosts[0] + "/target*/*/block/sd*")
			if len(blocks) != 1 {
				return false
			}
			page, err := os.ReadFile(blocks[0] + "/device/vpd_pg83")
			if err != nil || len(page) < 4 {
				return false
			}
			all = append(all, disk{filepath.Base(blocks[0]), host, targetPort(page)})
			return true
		})
	}
	return all
}

// diskSize has scsi_debug make disks of so many MiB until the test ends.
func diskSize(t *testing.T, mib int) {
	t.Helper()
	const usual = "dev_size_mb=8"
	options, err := os.ReadFile("/modules/scsi_debug.ko.options")
	if err != nil || !strings.Contains(string(options), usual) {
		t.Fatalf("options of scsi_debug = %q, %v; want %s among them", options, err, usual)
	}
	again := func(options string) {
		if err := unix.DeleteModule("scsi_debug", 0); err != nil {
			t.Fatalf("cannot unload scsi_debug: %v", err)
		}
		insert(t, "scsi_debug.ko", options)
	}
	again(strings.Replace(string(options), usual, fmt.Sprintf("dev_size_mb=%d", mib), 1))
	t.Cleanup(func() { again(string(options)) })
}

// load loads a module that the guest does not start with, behind those that it needs.
func load(t *testing.T, module string) {
	t.Helper()
	order, err := os.ReadFile("/modules/" + module + ".order")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(string(order)) {
		insert(t, name, "")
	}
}

func insert(t *testing.T, name, options string) {
	t.Helper()
	f, err := os.Open("/modules/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), options, 0); err != nil && !errors.Is(err, unix.EEXIST) {
		t.Fatalf("cannot load %s: %v", name, err)
	}
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

// serveDrives serves an enclosure that lists these drives in slots of their own,
// each given by the disks that lead to it: through the port that the first module
// is wired to, and the second. No disk leads through the second port of one that
// is given by one disk, or through the first of one whose first disk has no name. That they
// have paths on another host only keeps the rack from serving disks itself.
func serveDrives(t *testing.T, drives ...[]disk) *rack {
	t.Helper()
	file := strings.NewReplacer(
		"hosts: [guest]", "hosts: [guest, elsewhere]",
		"elements:\n", "elements:\n      - {type: sas-expander, count: 1}\n",
	).Replace(fmt.Sprintf(jbod, "protocol: ses, flashTime: 100ms", "0s", "0s"))
	file += "    drives:\n"
	for slot, d := range drives {
		ports := [2]uint64{d[0].port, d[0].port + 1}
		if len(d) > 1 {
			ports[1] = d[1].port
		}
		if d[0].name == "" {
			ports[0] = d[1].port + 1
		}
		file += fmt.Sprintf("      - {slot: %d, ports: [%016x, %016x], paths: [{host: elsewhere, esp: 1}]}\n", slot, ports[0],
			ports[1])
	}
	return serve(t, file, "1100")
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
	if err := json.Unmarshal([]byte(r.run(t, 0, append([]string{"inventory", "-o", "json"}, flags...)...)),
		&inv); err != nil {
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

// hold has the kernel hold a device exclusively, until the test ends or the function
// that it gives is called. As with ZFS neither sysfs nor a process shows it: LIO has it.
func hold(t *testing.T, device string) (free func()) {
	t.Helper()
	const hba = "/sys/kernel/config/target/core/iblock_0"
	store := hba + "/held"
	if err := os.MkdirAll(store, 0o755); err != nil {
		t.Fatal(err)
	}
	held := true
	free = func() {
		if held {
			do(t, "rmdir", store, hba)
		}
		held = false
	}
	t.Cleanup(free)
	for _, w := range [][2]string{{"control", "udev_path=" + device}, {"enable", "1"}} {
		if err := os.WriteFile(store+"/"+w[0], []byte(w[1]), 0); err != nil {
			t.Fatal(err)
		}
	}
	return free
}

// multipath makes a dm-multipath map, /dev/mapper/mpatha, of a drive's paths.
func multipath(t *testing.T, d []disk) {
	t.Helper()
	sectors, err := os.ReadFile("/sys/block/" + d[0].name + "/size")
	if err != nil {
		t.Fatal(err)
	}
	do(t, "dmsetup", "create", "mpatha", "--uuid", "mpath-33333333000000000", "--table",
		fmt.Sprintf("0 %s multipath 0 0 1 1 round-robin 0 2 1 /dev/%s 1 /dev/%s 1", bytes.TrimSpace(sectors), d[0].name,
			d[1].name))
	t.Cleanup(func() { do(t, "dmsetup", "remove", "mpatha") })
	do(t, "dmsetup", "mknodes") // there is no udev here to make them
}

// takeOffline makes a path one that the kernel uses no more.
func takeOffline(t *testing.T, d disk) {
	t.Helper()
	if err := os.WriteFile("/sys/block/"+d.name+"/device/state", []byte("offline\n"), 0); err != nil {
		t.Fatal(err)
	}
}

// What uses a drive is found in /proc, and what leaves no trace there only by
// opening it: each on a drive of its own.
func TestDriveUse(t *testing.T) {
	d := disks(t, true, place, place, place, place)
	r := serveDrives(t, d[:1], d[1:2], d[2:3], d[3:])
	mount(t, "/dev/"+d[0].name, "/tmp/tank")
	do(t, "mkswap", "/dev/"+d[1].name)
	do(t, "swapon", "/dev/"+d[1].name)
	t.Cleanup(func() { do(t, "swapoff", "/dev/"+d[1].name) })
	hold(t, "/dev/"+d[2].name)

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
	d := disks(t, false, place, place)
	if d[0].port != d[1].port || d[0].scsiHost == d[1].scsiHost {
		t.Fatalf("scsi_debug gives %+v; want one port behind two hosts", d)
	}
	r := serveDrives(t, d[:1])
	paths := func(use, used0, used1 string) []string {
		return []string{fmt.Sprintf("%s %s via A live%s %s via A live%s", use, d[0].name, used0, d[1].name, used1)}
	}
	diff(t, "an idle drive", r.sees(t, "--probe-use"), paths("[]", "", ""))

	unmount := mount(t, "/dev/"+d[1].name, "/tmp/direct")
	diff(t, "a drive that is mounted over one path", r.sees(t, "--probe-use"),
		paths(`["mounted /tmp/direct"]`, "", " used"))
	unmount()

	multipath(t, d)
	diff(t, "a map that nobody uses", r.sees(t, "--probe-use"), paths("[]", "", ""))
	diff(t, "a map that nobody is seen to use", r.sees(t), paths("unknown", "", ""))

	free := hold(t, "/dev/dm-0")
	diff(t, "a map that is held", r.sees(t, "--probe-use"), paths(`["dm-0 (mpatha) held exclusively"]`, " used", " used"))
	free()

	mount(t, "/dev/mapper/mpatha", "/tmp/mapped")
	diff(t, "a map that is mounted", r.sees(t), paths(`["mounted /tmp/mapped through dm-0 (mpatha)"]`, " used", " used"))
	// Two SCSI hosts, and yet no way round the module.
	diff(t, "module 1, where both paths lead through it", r.plans(t, "redundant")[esp1],
		blocked("the policy says reset: redundant: slot 0 in use, no other path"))
	// The kernel tells that a path is gone, and the map has not noticed yet.
	takeOffline(t, d[0])
	want := strings.Replace(paths(`["mounted /tmp/mapped through dm-0 (mpatha)"]`, " used", " used")[0], " live", "", 1)
	diff(t, "a map with a dead path", r.sees(t), []string{want})
}
