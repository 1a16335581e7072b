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

	"golang.org/x/sys/unix"
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

// stakes is what saved.plan has at stake, as JSON, by address.
func (r *rack) stakes(t *testing.T) map[string]string {
	t.Helper()
	var p struct {
		Steps []struct {
			Address string
			AtStake json.RawMessage `json:"at_stake"`
		}
	}
	if err := json.Unmarshal([]byte(r.run(t, 0, "show", "saved.plan", "-o", "json")), &p); err != nil {
		t.Fatal(err)
	}
	stakes := map[string]string{}
	for _, s := range p.Steps {
		var compact bytes.Buffer
		if err := json.Compact(&compact, s.AtStake); err != nil {
			t.Fatal(err)
		}
		stakes[s.Address] = compact.String()
	}
	return stakes
}

// mountAt is what a mount over several drives is in a plan as JSON: where, on which of how many
// drives, and what becomes of it.
func mountAt(point, through, slots string, drives, of int, fate string) string {
	return fmt.Sprintf(`{"kind":"mount","name":%q,%s"enclosure":"5000ccab04001000","slots":[%s],"drives":%d,"of":%d,%s}`,
		point, through, slots, drives, of, fate)
}

const (
	stops        = `"effect":"stops"`
	goesOnByESP1 = `"effect":"keeps-path","path":"esp1"`
	goesOnByESP2 = `"effect":"keeps-path","path":"esp2"`
)

// declines answers fwctl's question on a terminal with no, and returns all that fwctl said, in
// one line.
func (r *rack) declines(t *testing.T, args ...string) string {
	t.Helper()
	if err := os.MkdirAll("/dev/pts", 0o755); err != nil {
		t.Fatal(err)
	}
	do(t, "mount", "-t", "devpts", "devpts", "/dev/pts")
	t.Cleanup(func() { do(t, "umount", "/dev/pts") })
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	if err := unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	if _, err := screen.WriteString("no\n"); err != nil {
		t.Fatal(err)
	}
	cmd := r.fwctl(args...)
	cmd.Stdin = tty
	out, _ := cmd.CombinedOutput()
	said := strings.Join(strings.Fields(string(out)), " ")
	if code := cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(said, "not confirmed: nothing was written") {
		t.Errorf("fwctl %s, with no for an answer: exit code %d; want 3:\n%s", strings.Join(args, " "), code, out)
	}
	return said
}

// mirror makes an md array, /dev/md0, of two disks until the test ends.
func mirror(t *testing.T, d []disk) {
	t.Helper()
	load(t, "raid1")
	t.Setenv("MDADM_NO_UDEV", "1")
	do(t, "mdadm", "--create", "/dev/md0", "--run", "--level=1", "--metadata=1.2", "--bitmap=none", "--assume-clean",
		"--raid-devices=2", "/dev/"+d[0].name, "/dev/"+d[1].name)
	t.Cleanup(func() { do(t, "mdadm", "--stop", "/dev/md0") })
}

// A plan names a mount on an md array with the drives of the array: in all of its forms, and in
// the question before apply.
func TestAtStakeArray(t *testing.T) {
	d := disks(t, true, place, place)
	r := serveDrives(t, d[:1], d[1:])
	mirror(t, d)
	mount(t, "/dev/md0", "/srv/backup")
	r.plans(t, "always")
	const through = `"through":["md0"],`
	diff(t, "what is at stake", r.stakes(t), map[string]string{
		esp1: "[" + mountAt("/srv/backup", through, "0,1", 2, 2, stops) + "]",
		esp2: "[" + mountAt("/srv/backup", through, "0,1", 2, 2, goesOnByESP1) + "]",
	})
	const words = "at stake: mounts /srv/backup (md0: slots 0, 1)"
	for _, args := range [][]string{{"show", "saved.plan"}, {"show", "saved.plan", "-o", "markdown"}} {
		has(t, strings.ReplaceAll(r.ends(t, 0, args...), "&#8203;", ""), words,
			"goes on through esp1: mounts /srv/backup (md0: slots 0, 1)")
	}
	has(t, r.ends(t, 0, "explain", "saved.plan", esp1), "stops: mount /srv/backup (through md0; slots 0, 1)")
	has(t, r.declines(t, "apply", "saved.plan", "--accept-disruption", "all"),
		"A"+words[1:]+". Write firmware to 2 components")
}

// A drive that has failed out of its array has nothing at stake any more, and the plan says how
// many of the array's drives are left, and over which path.
func TestAtStakeDegradedArray(t *testing.T) {
	d := disks(t, true, place, place)
	// A drive behind each module.
	r := serveDrives(t, d[:1], []disk{{}, d[1]})
	mirror(t, d)
	mount(t, "/dev/md0", "/srv/backup")
	const through = `"through":["md0"],`
	alone := func(slot int, others string) decision {
		return blocked(fmt.Sprintf("the policy says reset: redundant: slot %d in use, no other path", slot) + others)
	}
	diff(t, "an array over both modules", r.plans(t, "redundant"), map[string]decision{
		esp1: alone(0, "; 1 drive in use, with a live path through esp2"),
		esp2: alone(1, "; 1 drive in use, with a live path through esp1"),
	})
	r.plans(t, "always")
	diff(t, "what is at stake", r.stakes(t), map[string]string{
		esp1: "[" + mountAt("/srv/backup", through, "0", 1, 2, stops) + "," +
			mountAt("/srv/backup", through, "1", 1, 2, goesOnByESP2) + "]",
		esp2: "[" + mountAt("/srv/backup", through, "1", 1, 2, stops) + "," +
			mountAt("/srv/backup", through, "0", 1, 2, goesOnByESP1) + "]",
	})

	do(t, "mdadm", "/dev/md0", "--fail", "/dev/"+d[0].name)
	do(t, "mdadm", "/dev/md0", "--remove", "/dev/"+d[0].name)
	diff(t, "an array without the drive behind module 1", r.plans(t, "redundant"), map[string]decision{
		esp1: updated("esp-reset", "mode 7 resets esp1; 1 drive in use, with a live path through esp2"), esp2: alone(1, ""),
	})
	r.plans(t, "always")
	diff(t, "what is at stake without the drive behind module 1", r.stakes(t), map[string]string{
		esp1: "[" + mountAt("/srv/backup", through, "1", 1, 2, goesOnByESP2) + "]",
		esp2: "[" + mountAt("/srv/backup", through, "1", 1, 2, stops) + "]",
	})
	has(t, r.ends(t, 0, "show", "saved.plan"), "at stake: mounts /srv/backup (md0: 1 of 2 drives)",
		"goes on through esp2: mounts /srv/backup (md0: 1 of 2 drives)")
}

// The kernel names one device of a btrfs that has two, and the plan names the mount once, with
// both.
func TestAtStakeBtrfs(t *testing.T) {
	load(t, "btrfs")
	const leastOfBtrfs = 96
	diskSize(t, leastOfBtrfs)
	d := disks(t, true, place, place)
	r := serveDrives(t, d[:1], d[1:])
	do(t, "mkfs.btrfs", "--mixed", "-d", "raid1", "-m", "raid1", "/dev/"+d[0].name, "/dev/"+d[1].name)
	const point = "/srv/media"
	if err := os.MkdirAll(point, 0o755); err != nil {
		t.Fatal(err)
	}
	do(t, "mount", "-t", "btrfs", "-o", "device=/dev/"+d[0].name, "/dev/"+d[1].name, point)
	t.Cleanup(func() { do(t, "umount", point) })
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil || strings.Contains(string(mounts), "/dev/"+d[0].name) == strings.Contains(string(mounts), "/dev/"+d[1].name) {
		t.Fatalf("mounts = %s, %v; want one of %s and %s, or this test shows nothing", mounts, err, d[0].name, d[1].name)
	}
	diff(t, "drives of a btrfs, which nothing opened", r.sees(t), []string{
		fmt.Sprintf(`["mounted /srv/media"] %s via A live used`, d[0].name),
		fmt.Sprintf(`["mounted /srv/media"] %s via A live used`, d[1].name),
	})
	r.plans(t, "always")
	diff(t, "what is at stake", r.stakes(t), map[string]string{
		esp1: "[" + mountAt(point, "", "0,1", 2, 2, stops) + "]",
		esp2: "[" + mountAt(point, "", "0,1", 2, 2, goesOnByESP1) + "]",
	})
	has(t, r.ends(t, 0, "show", "saved.plan"), "at stake: mounts /srv/media (slots 0, 1)",
		"goes on through esp1: mounts /srv/media (slots 0, 1)")

	// Without its superblock the kernel does not know a device again.
	do(t, "umount", point)
	do(t, "dd", "if=/dev/zero", "of=/dev/"+d[0].name, "bs=64k", "seek=1", "count=1", "conv=fsync")
	do(t, "mount", "-t", "btrfs", "-o", "degraded", "/dev/"+d[1].name, point)
	r.plans(t, "always")
	diff(t, "what is at stake of a btrfs that misses a device", r.stakes(t), map[string]string{
		esp1: "[" + mountAt(point, "", "1", 1, 2, stops) + "]",
		esp2: "[" + mountAt(point, "", "1", 1, 2, goesOnByESP1) + "]",
	})
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
	diff(t, "what is at stake", r.stakes(t), want)
	const words = "mounts /tmp/at stake (vg0-my--data: slots 0, 1), process sleep (slot 3), swap (slot 2)"
	if out := r.run(t, 0, "show", "saved.plan", "-o", "markdown"); !strings.Contains(strings.ReplaceAll(out,
		"&#8203;", ""),
		"at stake: Ceph osd.7 (slot 4), "+words) {
		t.Errorf("fwctl show -o markdown does not say %q:\n%s", words, out)
	}
}
