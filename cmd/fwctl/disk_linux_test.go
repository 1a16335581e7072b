package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// If the store cannot be written, nothing is written to a device, and a disk that fills up
// stops a run before the next effect.
func TestFullDisk(t *testing.T) {
	long(t)
	if os.Geteuid() != 0 && os.Getenv("CI") == "" {
		t.Skip("it takes root to mount a small file system")
	}
	t.Parallel()
	s := newSite(t, jbods("download: {"+quick+"}, esps: [{}, {}]"), wanted("e", ""))
	s.run(0, "plan", "-f", "desired.yaml", "--out", "test.plan")
	tiny := s.path("state")
	if err := os.Mkdir(tiny, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", tiny, "tmpfs", 0, "size=1m"); err != nil {
		if os.Getenv("CI") != "" { // which skips nothing
			t.Fatal(err)
		}
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(tiny, 0); err != nil {
			t.Error(err)
		}
	})
	fill := func() {
		s.Helper()
		f, err := os.Create(filepath.Join(tiny, "rest"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for {
			if _, err := f.Write(make([]byte, 1024)); err != nil {
				return
			}
		}
	}
	fill()
	s.says(3, []string{"the disk is full", "make room"}, "apply", "test.plan", "--yes")
	if got := s.sent(); len(got) != 0 {
		t.Errorf("writes without a memory = %v; want none", got)
	}
	if err := os.Remove(filepath.Join(tiny, "rest")); err != nil {
		t.Fatal(err)
	}
	s.write("rack.yaml", strings.Replace(jbods("download: {"+quick+"}, esps: [{}, {}]"), "esps: [{}, {}]",
		"esps: [{}, {}], "+`faults: [{when: {opcode: "1d", every: true}, do: {delay: 60ms}}]`, 1))
	if err := os.Remove(s.path("rack.yaml.rack-state.json")); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	p := s.start("apply", "test.plan", "--yes")
	p.sends(2, lu1)
	fill()
	p.ends(4, "the disk is full", "hint: see to the state directory, then run fwctl --simulate rack.yaml resume")
	s.says(3, []string{"the disk is full", "make room"}, "resume", "--yes")
	if s.count(lu1) > 10 || s.count(lu2) != 0 {
		t.Errorf("writes = %v; want the first module's image at most", s.sent())
	}
	if err := os.Remove(filepath.Join(tiny, "rest")); err != nil {
		t.Fatal(err)
	}
	s.run(0, "resume", "--yes")
	s.are(esp1+" 1000 1100", esp2+" 1000 1100")

	// A command that writes to no device has failed, and has refused nothing.
	s.powerCycle("jbod1")
	s.isBack()
	fill()
	s.says(1, []string{"the disk is full"}, "verify")
	if err := os.Remove(filepath.Join(tiny, "rest")); err != nil {
		t.Fatal(err)
	}
	s.says(0, []string{"2 running"}, "verify")
}

// A host without time zones plans by them all the same: fwctl has its own.
func TestNoTimeZoneData(t *testing.T) {
	if os.Geteuid() != 0 && os.Getenv("CI") == "" {
		t.Skip("it takes root to hide a directory")
	}
	t.Parallel()
	window := `windows: {night: {start: "2026-06-01T22:00", timezone: ZONE, duration: 6h}}`
	s := newSite(t, jbods("esps: [{}, {}]"), wanted("e", "windows: {stage: [night]}", window))
	hidden := `for dir in /usr/share/zoneinfo /usr/share/lib/zoneinfo /usr/lib/locale/TZ /etc/zoneinfo; do
		[ ! -d $dir ] || mount -t tmpfs none $dir || exit 99
	done
	GOROOT=/none ZONEINFO=/none exec fwctl validate -f desired.yaml`
	data, err := os.ReadFile(s.path("desired.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for zone, want := range map[string]string{
		"Europe/Berlin":  "is valid",
		"Europe/Berlimm": `there is no time zone "Europe/Berlimm"`,
		`"../passwd"`:    `there is no time zone "../passwd"`,
	} {
		s.write("desired.yaml", strings.ReplaceAll(string(data), "ZONE", zone))
		cmd := exec.Command("unshare", "--mount", "sh", "-c", hidden)
		cmd.Dir = s.dir
		out, err := cmd.CombinedOutput()
		if !strings.Contains(string(out), want) {
			if os.Getenv("CI") == "" && strings.Contains(string(out), "ermi") {
				t.Skipf("cannot hide the time zones: %s", out)
			}
			t.Errorf("validate with time zone %s and no data = %v, %s; want %q", zone, err, out, want)
		}
	}
}
