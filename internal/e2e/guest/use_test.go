//go:build e2e

package guest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// opens has another process hold a node open, without O_EXCL, as one that runs a
// virtual machine on it does.
func opens(t *testing.T, node string) (pid int, closes func()) {
	t.Helper()
	f, err := os.OpenFile(node, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	holder := exec.Command("sleep", "100000")
	holder.ExtraFiles = []*os.File{f}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	closes = func() {
		if !ended {
			holder.Process.Kill()
			holder.Wait()
		}
		ended = true
	}
	t.Cleanup(closes)
	return holder.Process.Pid, closes
}

// A disk that a process has open is in use, by whatever name and node: nothing else
// shows it, and an exclusive open would succeed.
func TestProcessHasDiskOpen(t *testing.T) {
	d := disks(t, true, place, place)
	r := serveDrives(t, d[:1], d[1:])
	private := filepath.Join(t.TempDir(), "node")
	number, err := os.ReadFile("/sys/block/" + d[0].name + "/dev")
	if err != nil {
		t.Fatal(err)
	}
	var major, minor uint32
	if _, err := fmt.Sscanf(string(number), "%d:%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mknod(private, unix.S_IFBLK|0o600, int(unix.Mkdev(major, minor))); err != nil {
		t.Fatal(err)
	}
	generic, err := filepath.Glob("/sys/block/" + d[0].name + "/device/scsi_generic/sg*")
	if err != nil || len(generic) != 1 {
		t.Fatalf("generic nodes of %s = %v, %v; want one", d[0].name, generic, err)
	}
	for name, node := range map[string]string{
		"the disk's node": "/dev/" + d[0].name, "a private node": private, "the generic node": "/dev/" + filepath.Base(generic[0]),
	} {
		t.Run(name, func(t *testing.T) {
			pid, closes := opens(t, node)
			if fd, err := unix.Open("/dev/"+d[0].name, unix.O_RDONLY|unix.O_EXCL, 0); err != nil {
				t.Fatalf("exclusive open = %v; want that it succeeds, or this test shows nothing", err)
			} else {
				unix.Close(fd)
			}
			diff(t, "drives", r.sees(t, "--probe-use"), []string{
				fmt.Sprintf(`["held open by sleep (pid %d)"] %s via A live used`, pid, d[0].name),
				fmt.Sprintf("[] %s via A live", d[1].name),
			})
			idle := blocked("the policy says reset: idle: slot 0 in use")
			diff(t, "idle", r.plans(t, "idle"), map[string]decision{esp1: idle, esp2: idle})
			if out := r.run(t, 0, "explain", "saved.plan", esp1); !strings.Contains(out,
				fmt.Sprintf("held open by sleep (pid %d)", pid)) {
				t.Errorf("fwctl explain does not name the process:\n%s", out)
			}
			closes()
			diff(t, "drives that nobody has open", r.sees(t, "--probe-use"), []string{
				fmt.Sprintf("[] %s via A live", d[0].name), fmt.Sprintf("[] %s via A live", d[1].name),
			})
		})
	}
}

// Users without privilege cannot see what others have open: that is not "nobody".
func TestUseIsUnknownToUsers(t *testing.T) {
	d := disks(t, true, place)
	r := serveDrives(t, d)
	do(t, "chmod", "0644", "/dev/sg0", "/dev/sg1", "/dev/"+d[0].name)
	t.Cleanup(func() { do(t, "chmod", "0600", "/dev/sg0", "/dev/sg1", "/dev/"+d[0].name) })
	do(t, "chmod", "0755", r.dir, filepath.Dir(r.dir))
	cmd := r.fwctl("inventory", "--probe-use", "-o", "json")
	cmd.Env = append(cmd.Env, "FWCTL_STATE_DIR=/tmp/nobody")
	asNobody(cmd)
	out, err := cmd.Output()
	if err != nil || !bytes.Contains(out, []byte("cannot see which processes have disks open")) ||
		!bytes.Contains(out, []byte(`"in_use": null`)) {
		t.Errorf("fwctl inventory as nobody = %v; want the drive's use unknown, and why:\n%s", err, out)
	}
}

// loop makes /dev/loop0 of a disk, until the test ends.
func loop(t *testing.T, node string) {
	t.Helper()
	do(t, "losetup", "/dev/loop0", node)
	t.Cleanup(func() { do(t, "losetup", "-d", "/dev/loop0") })
}

// A loop device does not hold the disk that it is made of, and no process has the
// disk open.
func TestLoopDevice(t *testing.T) {
	d := disks(t, true, place)
	r := serveDrives(t, d)
	loop(t, "/dev/"+d[0].name)
	diff(t, "a drive under a loop device", r.sees(t),
		[]string{fmt.Sprintf(`["held by loop0"] %s via A live used`, d[0].name)})
	mount(t, "/dev/loop0", "/tmp/looped")
	diff(t, "a drive under a loop device that is mounted", r.sees(t),
		[]string{fmt.Sprintf(`["mounted /tmp/looped through loop0"] %s via A live used`, d[0].name)})
}

// What the kernel does to a disk for someone whom nothing shows, as for a loop
// device made of a private node, its counters show.
func TestCountersMove(t *testing.T) {
	d := disks(t, true, place)
	r := serveDrives(t, d)
	private := filepath.Join(t.TempDir(), "node")
	var major, minor uint32
	if _, err := fmt.Sscanf(d[0].number(t), "%d:%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mknod(private, unix.S_IFBLK|0o600, int(unix.Mkdev(major, minor))); err != nil {
		t.Fatal(err)
	}
	loop(t, private)
	diff(t, "a drive at rest", r.sees(t, "--probe-use"), []string{fmt.Sprintf("[] %s via A live", d[0].name)})

	f, err := os.OpenFile("/dev/loop0", os.O_RDWR|unix.O_SYNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				stopped <- f.Close()
				return
			default:
				if _, err := f.WriteAt(make([]byte, 4096), 0); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	busy := strings.Join(r.sees(t, "--probe-use"), "\n")
	if want := regexp.MustCompile(`^\["its counters moved while fwctl looked: [1-9][0-9]* writes, 0 reads"\] ` +
		d[0].name + ` via A live used$`); !want.MatchString(busy) {
		t.Errorf("a drive that is written to = %s; want %s", busy, want)
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
}

// A volume at another LUN of the SEP's own target, and a disk at another target of its
// SCSI host, whose routes show no expanders: page 0Ah lists neither.
func TestDisksThatNoSlotLists(t *testing.T) {
	for name, at := range map[string]struct {
		tpgt, lun int
	}{
		"another LUN of the target":  {1, 1},
		"another target of the host": {30, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, fmt.Sprintf(jbod, "protocol: ses, flashTime: 100ms", "0s", "0s"), "1100")
			name := volume(t, at.tpgt, at.lun)
			unmount := mount(t, "/dev/"+name, "/tmp/volume")
			for _, reset := range []string{"idle", "redundant"} {
				for address, d := range r.plans(t, reset) {
					if d.Action != "blocked" || !strings.Contains(strings.Join(d.Reasons, " "), name+" (in no slot) in use") {
						t.Errorf("reset: %s, with %s mounted: %s is %+v; want it blocked because of %s", reset, name, address, d, name)
					}
				}
			}
			unmount()
			for address, d := range r.plans(t, "idle") {
				if d.Action != "update" {
					t.Errorf("reset: idle, with nothing mounted: %s is %+v; want it permitted", address, d)
				}
			}
		})
	}
}

// volume makes a disk of the kernel's own (LIO's RAM disk) at a place of the SCSI host
// that the served rack hangs off, and gives its name.
func volume(t *testing.T, tpgt, lun int) string {
	t.Helper()
	const target = "/sys/kernel/config/target"
	set := func(name, value string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
	made := func(err error, undo func() error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := undo(); err != nil {
				t.Error(err)
			}
		})
	}
	dir := func(name string) string {
		t.Helper()
		made(os.Mkdir(name, 0o755), func() error { return os.Remove(name) })
		return name
	}
	store := dir(dir(target+"/core/rd_mcp_0") + "/volume")
	set(store+"/control", "rd_pages=2048")
	set(store+"/enable", "1")
	hosts, err := filepath.Glob(target + "/loopback/naa.*")
	if err != nil || len(hosts) != 1 {
		t.Fatalf("tcm_loop hosts = %v, %v; want the rack's", hosts, err)
	}
	port := fmt.Sprintf("%s/tpgt_%d", hosts[0], tpgt)
	if _, err := os.Stat(port); err != nil {
		dir(port)
		set(port+"/nexus", strings.TrimSpace(filepath.Base(hosts[0])))
		made(nil, func() error { return os.WriteFile(port+"/nexus", []byte("NULL"), 0) })
	}
	unit := dir(fmt.Sprintf("%s/lun/lun_%d", port, lun))
	made(os.Symlink(store, unit+"/volume"), func() error { return os.Remove(unit + "/volume") })
	var blocks []string
	wait(t, "the volume", func() bool {
		blocks, _ = filepath.Glob(fmt.Sprintf("/sys/bus/scsi/devices/*:0:%d:%d/block/sd*", tpgt, lun))
		return len(blocks) == 1
	})
	return filepath.Base(blocks[0])
}
