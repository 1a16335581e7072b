//go:build e2e

package guest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fwctl/internal/transport"
)

// number is the device number of a disk, "8:16".
func (d disk) number(t *testing.T) string {
	t.Helper()
	number, err := os.ReadFile("/sys/block/" + d.name + "/dev")
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(number))
}

// fail has the map give a path up, as it does when I/O on it fails; reinstate has it
// take the path back, as multipathd does.
func (d disk) fail(t *testing.T) { d.tell(t, "fail_path") }

func (d disk) reinstate(t *testing.T) { d.tell(t, "reinstate_path") }

func (d disk) tell(t *testing.T, message string) {
	t.Helper()
	do(t, "dmsetup", "message", "mpatha", "0", message+" "+d.number(t))
}

// pathPair is a drive with a port to each module, mounted through a map over both.
func pathPair(t *testing.T) (*rack, []disk) {
	t.Helper()
	d := disks(t, false, firstPort, secondPort)
	r := serveDrives(t, d)
	multipath(t, d)
	mount(t, "/dev/mapper/mpatha", "/tmp/mapped")
	return r, d
}

// The SCSI device's state stays running while the map has failed the path: the map
// is believed.
func TestFailedPath(t *testing.T) {
	r, d := pathPair(t)
	goesOn := func(reset, through string) decision {
		return updated("esp-reset", "mode 7 resets "+reset+"; 1 drive in use, with a live path through "+through)
	}
	both := map[string]decision{esp1: goesOn("esp1", "esp2"), esp2: goesOn("esp2", "esp1")}
	diff(t, "both paths active", r.plans(t, "redundant"), both)

	d[1].fail(t)
	state, err := os.ReadFile("/sys/block/" + d[1].name + "/device/state")
	if err != nil || string(state) != "running\n" {
		t.Fatalf("state of the SCSI device = %q, %v; want it running, or this test shows nothing", state, err)
	}
	diff(t, "a failed path", r.sees(t), []string{
		fmt.Sprintf(`["mounted /tmp/mapped through dm-0 (mpatha)"] %s via A live used %s via B used`, d[0].name, d[1].name),
	})
	diff(t, "the path through module 2 failed", r.plans(t, "redundant"), map[string]decision{
		esp1: blocked("the policy says reset: redundant: slot 0 in use, no other path"),
		esp2: goesOn("esp2", "esp1"),
	})

	d[1].reinstate(t)
	diff(t, "reinstated", r.plans(t, "redundant"), both)
}

// The device mapper's word is what dmsetup prints.
func TestDMTableStatus(t *testing.T) {
	_, d := pathPair(t)
	m, err := transport.Local()
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(*testing.T){func(*testing.T) {}, d[0].fail, d[0].reinstate} {
		change(t)
		want, err := exec.Command("dmsetup", "status", "mpatha").Output()
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.DMTableStatus("dm-0")
		if err != nil || got != string(want) {
			t.Errorf("DMTableStatus(dm-0) = %q, %v; want %q", got, err, want)
		}
	}
	for _, name := range []string{"dm-99", d[0].name, "", "../dm-0"} {
		if got, err := m.DMTableStatus(name); err == nil {
			t.Errorf("DMTableStatus(%q) = %q; want an error", name, got)
		}
	}
}

// begun starts an ordinary run over both modules, and has the map fail the path
// through the first as it is reset, before the run can look.
func begun(t *testing.T, returnTimeout string) (*rack, []disk, *running) {
	t.Helper()
	r, d := pathPair(t)
	r.want(t, "1100", "{reset: redundant}", "7")
	desired, err := os.ReadFile(r.path("desired.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, "desired.yaml", []byte(strings.Replace(string(desired),
		"settle: 1s, returnTimeout: 60s", "settle: 10s, returnTimeout: "+returnTimeout, 1)))
	p := r.start(t, "apply", "-f", "desired.yaml", "--yes")
	wait(t, "the whole image at module 1", func() bool { return len(r.downloads(t, lu1)) == len(whole(0x07, 4096)) })
	d[0].fail(t)
	return r, d, p
}

// Module 2 waits until the map uses the path through module 1 again.
func TestSecondModuleWaitsForThePath(t *testing.T) {
	r, d, p := begun(t, "300s")
	// What it reads before it begins module 2 is fewer looks than that.
	const many = 12
	before := r.reads(t, lu1, 0x02)
	wait(t, "the run to look at module 1 again and again", func() bool {
		return r.reads(t, lu1, 0x02) >= before+many || len(r.downloads(t, lu2)) > 0
	})
	diff(t, "downloads of module 2 while the path through module 1 is failed", r.downloads(t, lu2), []download(nil))
	d[0].reinstate(t)
	<-p.done
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code = %d; want 0\n%s", code, p.said())
	}
	diff(t, "downloads of module 2", r.downloads(t, lu2), whole(0x07, 4096))
}

// scsiAddress is where a disk is, host:channel:target:lun.
func scsiAddress(t *testing.T, d disk) string {
	t.Helper()
	to, err := os.Readlink("/sys/block/" + d.name + "/device")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Base(to)
}

// A path that stays failed ends the run before module 2, and is named.
func TestPathThatIsNotReinstated(t *testing.T) {
	r, d, p := begun(t, "5s")
	<-p.done
	address := scsiAddress(t, d[0])
	said := strings.Join(strings.Fields(p.said()), " ")
	for _, want := range []string{"slot 0 has 1 of 2 live paths",
		d[0].name + " through esp1: " + address + " is failed in dm-0 (mpatha)"} {
		if !strings.Contains(said, want) {
			t.Errorf("the run said nothing of %q:\n%s", want, p.said())
		}
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 4 {
		t.Errorf("exit code = %d; want 4\n%s", code, p.said())
	}
	diff(t, "downloads of module 2", r.downloads(t, lu2), []download(nil))
}
