package sim_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"fwctl/internal/sim"
	"fwctl/internal/transport"

	"github.com/google/go-cmp/cmp"
)

func TestMachine(t *testing.T) {
	r, _ := testdata(t, "odd.yaml")
	m := machine(t, r, "")
	if m.Hostname() != "stor1" || !m.Simulated() {
		t.Errorf("Hostname, Simulated = %s, %v; want stor1, true", m.Hostname(), m.Simulated())
	}
	if got := machine(t, r, "stor2").Hostname(); got != "stor2" {
		t.Errorf("Hostname = %s; want stor2", got)
	}
	if _, err := r.Machine("stor3"); err == nil {
		t.Error("Machine(stor3) = nil error; want one")
	}
}

// TestSysfs: the kernel's layout, links and all.
func TestSysfs(t *testing.T) {
	r, _ := testdata(t, "two-esps.yaml")
	sys := machine(t, r, "").FS()
	if err := fstest.TestFS(sys, "sys/class/scsi_generic/sg0", "proc/mounts"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"sys/class/scsi_generic/sg0/dev":                "21:0\n",
		"sys/class/scsi_generic/sg0/device/type":        "13\n",
		"sys/class/scsi_generic/sg0/device/vendor":      "ACME    \n",
		"sys/class/scsi_generic/sg0/device/model":       "JBOD-60         \n",
		"sys/class/scsi_generic/sg0/device/rev":         "1000\n",
		"sys/class/scsi_generic/sg0/device/state":       "running\n",
		"sys/class/scsi_generic/sg0/device/sas_address": "0x5000ccab0400101d\n",
		"sys/class/scsi_generic/sg0/device/vpd_pg80":    "\r\x80\x00\x125000ccab04001000-1",
		"sys/class/scsi_generic/sg2/device/type":        "0\n",
		"sys/class/block/sda/device/type":               "0\n",
		"sys/block/sda/device/sas_address":              "0x5000c50010000001\n",
		"sys/block/sdb/device/sas_address":              "0x5000c50010000002\n",
		"sys/class/enclosure/1:0:0:0/id":                "0x5000ccab04001000\n",
		"sys/class/enclosure/1:0:0:0/Slot 04/slot":      "4\n",
		"sys/class/block/dm-0/dm/name":                  "mpatha1\n",
	} {
		got, err := fs.ReadFile(sys, name)
		if err != nil || string(got) != want {
			t.Errorf("%s = %q, %v; want %q", name, got, err, want)
		}
	}
	const dev = "../../devices/pci0000:00/0000:00:01.0/0000:01:00.0/host1/port-1:0/expander-1:0/port-1:0:0/end_device-1:0:0/target1:0:0/1:0:0:0"
	for name, want := range map[string]string{
		"sys/class/scsi_generic/sg0":               dev + "/scsi_generic/sg0",
		"sys/class/scsi_generic/sg0/device":        "../../../1:0:0:0",
		"sys/class/enclosure/1:0:0:0":              dev + "/enclosure/1:0:0:0",
		"sys/class/block/sdb":                      strings.NewReplacer("expander-1:0", "expander-1:1", "port-1:0:0", "port-1:1:3", "port-1:0/", "port-1:1/", "end_device-1:0:0", "end_device-1:1:3", "target1:0:0", "target1:0:3", "1:0:0:0", "1:0:3:0").Replace(dev) + "/block/sdb",
		"sys/class/block/sda/device":               "../../../1:0:2:0",
		"proc/mounts":                              "self/mounts",
		"sys/devices/virtual/block/dm-0/subsystem": "../../../../class/block",
	} {
		if got, err := fs.ReadLink(sys, name); err != nil || got != want {
			t.Errorf("readlink %s = %q, %v; want %q", name, got, err, want)
		}
	}
	inquiry, err := fs.ReadFile(sys, "sys/class/scsi_generic/sg0/device/inquiry")
	if err != nil || len(inquiry) != 96 || inquiry[0] != 0x0d {
		t.Errorf("inquiry = % x, %v; want 96 bytes of type 0Dh", inquiry, err)
	}
	vpd83, err := fs.ReadFile(sys, "sys/class/block/sda/device/vpd_pg83")
	if want := unhex(t, "00 83 00 20 01 03 00 08 5000c50010000000 61 93 00 08 5000c50010000001 61 94 00 04 00000001"); err != nil || !cmp.Equal(vpd83, want) {
		t.Errorf("vpd_pg83 of sda = % x, %v; want % x", vpd83, err, want)
	}
}

// TestUse: slot 0 is mounted, 1 and 2 are under multipath, 4 is ZFS's.
func TestUse(t *testing.T) {
	r, _ := testdata(t, "two-esps.yaml")
	m := machine(t, r, "")
	mounts, _ := fs.ReadFile(m.FS(), "proc/mounts")
	if !strings.Contains(string(mounts), "\n/dev/sda /tank ext4 ") {
		t.Errorf("/proc/mounts = %s; want /dev/sda on /tank", mounts)
	}
	holders := map[string]int{"sda": 0, "sdb": 0, "sdc": 1, "sdd": 1, "sdg": 0}
	held := map[string]bool{"sda": true, "sdb": false, "sdc": true, "sdd": true, "sdg": true}
	for name, want := range holders {
		got, err := fs.ReadDir(m.FS(), "sys/class/block/"+name+"/holders")
		if err != nil || len(got) != want {
			t.Errorf("holders of %s = %v, %v; want %d", name, got, err, want)
		}
		if got, err := m.BlockDeviceHeld(name); err != nil || got != held[name] {
			t.Errorf("BlockDeviceHeld(%s) = %v, %v; want %v", name, got, err, held[name])
		}
	}
	if _, err := m.BlockDeviceHeld("sdz"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("BlockDeviceHeld(sdz) = %v; want not exist", err)
	}
	r, _ = testdata(t, "odd.yaml")
	swaps, _ := fs.ReadFile(machine(t, r, "").FS(), "proc/swaps")
	if !strings.Contains(string(swaps), "\n/dev/sda ") {
		t.Errorf("/proc/swaps = %s; want /dev/sda", swaps)
	}
}

// Processes have open what is topmost of a drive's use; one process can have several.
func TestOpenDisks(t *testing.T) {
	t.Parallel()
	r, _ := rack(t, strings.Replace(acme("", `    drives:
    - {slot: 0, use: {process: qemu}}
    - {slot: 1, use: {multipath: mpa, process: "vm 7"}}
    - {slot: 2, use: {partition: 3, process: qemu}}
    - {slot: 3, use: {zfs: tank}}`), "[{}]", "[{}, {}]", 1))
	got, err := machine(t, r, "").OpenDisks()
	want := []transport.OpenDisk{{PID: 1001, Command: "qemu", Device: "sda"}, {PID: 1002, Command: "vm 7", Device: "dm-0"},
		{PID: 1001, Command: "qemu", Device: "sde3"}}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("OpenDisks = %v, %v; want %v", got, err, want)
	}
}

// TestDMTableStatus: a path fails as its ESP is reset, and is used again as long
// after its return as the file says.
func TestDMTableStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, strings.Replace(acme("rebootTime: 10s, vanish: false, resetPage: 10 00 00 04 52 45 53 45", `    drives:
    - {slot: 0, use: {multipath: mpa}}
    - {slot: 1, use: {multipath: mpb, reinstate: 5s}}
    - {slot: 2, use: {multipath: mpc, reinstate: never}}
    - {slot: 3, use: {multipath: mpd, failed: [2]}}
    - {slot: 4, use: {holder: dm-7}}`), "[{}]", "[{}, {}]", 1))
		m := machine(t, r, "")
		states := func() string {
			t.Helper()
			var s string
			for n := range 4 {
				status, err := m.DMTableStatus(fmt.Sprintf("dm-%d", n))
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range strings.Fields(status)[10:] {
					if f == "A" || f == "F" {
						s += f
					}
				}
				s += " "
			}
			return s
		}
		want := func(when, want string) {
			t.Helper()
			if got := states(); got != want {
				t.Errorf("paths %s = %q; want %q", when, got, want)
			}
		}
		status, err := m.DMTableStatus("dm-0")
		if want := "0 7814037168 multipath 2 0 0 0 1 1 A 0 2 2 8:32 A 0 0 1 8:48 A 0 0 1 \n"; err != nil || status != want {
			t.Errorf("DMTableStatus(dm-0) = %q, %v; want %q", status, err, want)
		}
		if status, err := m.DMTableStatus("dm-7"); err != nil || status != "0 7814037168 linear \n" {
			t.Errorf("DMTableStatus(dm-7) = %q, %v; want it linear", status, err)
		}
		if _, err := m.DMTableStatus("dm-9"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("DMTableStatus(dm-9) = %v; want not exist", err)
		}
		want("at first", "AA AA AA AF ")
		if failure := open(t, r, "/dev/sg0").send(unhex(t, "10 00 00 04 52 45 53 45")); failure != "" {
			t.Fatalf("reset of module 1 = %s", failure)
		}
		want("while module 1 is away", "FA FA FA FF ")
		time.Sleep(10 * time.Second)
		want("when it is back", "AA FA FA AF ")
		time.Sleep(5 * time.Second)
		want("5 s later", "AA AA FA AF ")
		time.Sleep(time.Hour)
		want("an hour later", "AA AA FA AF ")
	})
}

// TestHeld: what is below something, or in use, is held; a partition's use holds
// the disk too, and a map that nothing uses is free.
func TestHeld(t *testing.T) {
	r, _ := rack(t, strings.Replace(acme("", `    drives:
    - {slot: 0, use: {partition: 3, zfs: tank}}
    - {slot: 1, use: {multipath: mpa}}
    - {slot: 2, use: {multipath: mpb, zfs: tank}}
    - {slot: 3, use: {holder: md0}}`), "[{}]", "[{}, {}]", 1))
	m := machine(t, r, "")
	want := map[string]bool{"sda": true, "sda3": true, "sdb": false, "sdc": true, "sdd": true, "dm-0": false, "dm-1": true,
		"sdg": true, "sdh": false, "md0": false}
	for name, want := range want {
		if got, err := m.BlockDeviceHeld(name); err != nil || got != want {
			t.Errorf("BlockDeviceHeld(%s) = %v, %v; want %v", name, got, err, want)
		}
	}
	if number, err := fs.ReadFile(m.FS(), "sys/block/sda/sda3/partition"); err != nil || string(number) != "3\n" {
		t.Errorf("partition of sda3 = %q, %v; want 3", number, err)
	}
	if _, err := fs.Stat(m.FS(), "sys/block/sda3"); err == nil {
		t.Error("sys/block has sda3; want disks alone")
	}
}

// TestStackedUse: md over a multipath map over two paths, the file system on top.
func TestStackedUse(t *testing.T) {
	r, _ := rack(t, strings.Replace(acme("", "    drives: [{slot: 0, use: {multipath: mpa, holder: md0, mount: /data}}]"),
		"[{}]", "[{}, {}]", 1))
	sys := machine(t, r, "").FS()
	for dir, want := range map[string]string{
		"sys/class/block/sda/holders": "dm-0", "sys/class/block/sdb/holders": "dm-0",
		"sys/class/block/dm-0/slaves": "sda sdb", "sys/class/block/dm-0/holders": "md0", "sys/class/block/md0/slaves": "dm-0",
	} {
		entries, err := fs.ReadDir(sys, dir)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", dir, got, err, want)
		}
	}
	if mounts, err := fs.ReadFile(sys, "proc/mounts"); err != nil ||
		!strings.Contains(string(mounts), "\n/dev/md0 /data ") {
		t.Errorf("/proc/mounts = %s, %v; want /dev/md0 on /data", mounts, err)
	}
}

// TestCascade: the expander of an enclosure behind another one hangs off its.
func TestCascade(t *testing.T) {
	r, _ := testdata(t, "odd.yaml")
	got, err := fs.ReadLink(machine(t, r, "").FS(), "sys/class/scsi_generic/sg1")
	if err != nil || !strings.Contains(got, "/expander-1:0/port-1:0:102/expander-1:2/") {
		t.Errorf("sg1 = %s, %v; want it behind expander-1:0", got, err)
	}
}

// TestStaleSysfs: the kernel reads INQUIRY anew only if the unit left.
func TestStaleSysfs(t *testing.T) {
	for vanish, want := range map[string]string{"true": "1100\n", "false": "1000\n"} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := rack(t, acme("flashTime: 0s, returnNode: same, vanish: "+vanish))
			m := machine(t, r, "")
			u := open(t, r, "/dev/sg0")
			u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
			u.send(control(1, 0, 0x0f, 0, 0, 0, 0, nil))
			_, err := fs.Stat(m.FS(), "sys/class/scsi_generic/sg0")
			if gone := errors.Is(err, fs.ErrNotExist); gone != (vanish == "true") {
				t.Errorf("vanish %s: sg0 in sysfs while it reboots: %v", vanish, err)
			}
			time.Sleep(2 * time.Second)
			u = open(t, r, "/dev/sg0")
			u.ready()
			if got := u.revision(); got != "1100" {
				t.Errorf("vanish %s: revision = %s; want 1100", vanish, got)
			}
			rev, err := fs.ReadFile(m.FS(), "sys/class/scsi_generic/sg0/device/rev")
			if err != nil || string(rev) != want {
				t.Errorf("vanish %s: rev = %q, %v; want %q", vanish, rev, err, want)
			}
		})
	}
}

// TestSysfsAfterReturn: the first look after a unit has come back shows it.
func TestSysfsAfterReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, acme("returnNode: same"))
		m := machine(t, r, "")
		if err := r.PowerCycle("5000ccab04001000"); err != nil {
			t.Fatal(err)
		}
		if _, err := fs.Stat(m.FS(), "sys/class/scsi_generic/sg0"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("sg0 in sysfs while it starts = %v; want it gone", err)
		}
		time.Sleep(2 * time.Second)
		if _, err := fs.Stat(m.FS(), "sys/class/scsi_generic/sg0"); err != nil {
			t.Errorf("sg0 in sysfs when it has started = %v; want it there", err)
		}
	})
}

func TestAccess(t *testing.T) {
	r, file := rack(t, acme(""))
	m, elsewhere := machine(t, r, ""), machine(t, reopen(t, file), "")
	ro, err := m.Open("/dev/sg0", transport.ReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, req := range []*transport.Request{
		{CDB: unhex(t, "1d 10 00 00 18 00"), Out: control(1, 0, 0x0f, 0, 0, 0, 0, nil)},
		{CDB: unhex(t, "1c 01 0e 02 00 00"), In: make([]byte, 512), Effect: true},
	} {
		_, err := ro.Do(context.Background(), req)
		if te := (*transport.Error)(nil); !errors.As(err, &te) || !te.NotSent || !errors.Is(err, fs.ErrPermission) {
			t.Errorf("command % x on a read-only node = %v; want a permission error, not sent", req.CDB, err)
		}
	}
	if _, err := elsewhere.Open("/dev/sg0", transport.Exclusive); !errors.Is(err, transport.ErrBusy) {
		t.Errorf("exclusive open of an open node = %v; want ErrBusy", err)
	}
	shared, err := elsewhere.Open("/dev/sg0", transport.ReadWrite)
	if err != nil {
		t.Errorf("second shared open = %v; want none", err)
	}
	ro.Close()
	shared.Close()
	excl, err := m.Open("/dev/sg0", transport.Exclusive)
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]transport.Machine{"the same process": m, "another": elsewhere} {
		if _, err := other.Open("/dev/sg0", transport.ReadOnly); !errors.Is(err, transport.ErrBusy) {
			t.Errorf("open by %s while held = %v; want ErrBusy", name, err)
		}
	}
	excl.Close()
	again, err := elsewhere.Open("/dev/sg0", transport.Exclusive)
	if err != nil {
		t.Fatalf("open after the close = %v; want none", err)
	}
	again.Close()
	if _, err := m.Open("/dev/sg7", transport.ReadOnly); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open of a node that is not there = %v; want not exist", err)
	}
}

func TestLock(t *testing.T) {
	r, file := rack(t, acme("", "hosts: [stor1, stor2]"))
	a, err := machine(t, r, "").Lock("fwctl/5000ccab04001000")
	if err != nil {
		t.Fatal(err)
	}
	m := machine(t, reopen(t, file), "")
	if _, err := m.Lock("fwctl/5000ccab04001000"); !errors.Is(err, transport.ErrBusy) {
		t.Errorf("Lock of what another has = %v; want ErrBusy", err)
	}
	other, err := machine(t, r, "stor2").Lock("fwctl/5000ccab04001000")
	if err != nil {
		t.Errorf("Lock on another host = %v; want none", err)
	} else {
		other.Close()
	}
	a.Close()
	b, err := m.Lock("fwctl/5000ccab04001000")
	if err != nil {
		t.Fatalf("Lock after the close = %v; want none", err)
	}
	b.Close()
}

func TestLatencyAndContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, strings.Replace(acme(""), "[{}]", "[{latency: 3s}]", 1))
		u := open(t, r, "/dev/sg0")
		start := time.Now()
		u.want("00 00 00 00 00 00", "")
		if got := time.Since(start); got != 3*time.Second {
			t.Errorf("the answer came after %v; want 3s", got)
		}
		_, err := u.Do(context.Background(), &transport.Request{CDB: make([]byte, 6), Timeout: time.Second})
		if !errors.Is(err, transport.ErrTimeout) || time.Since(start) != 4*time.Second {
			t.Errorf("command of a second's time-out = %v after %v; want ErrTimeout after 1s", err,
				time.Since(start)-3*time.Second)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		data := control(1, 0, 0x0e, 0, 0, 8, 4, []byte("abcd"))
		_, err = u.Do(ctx, &transport.Request{CDB: unhex(t, "1d 10 00 00 1c 00"), Out: data, Effect: true,
			Timeout: time.Minute})
		if te := (*transport.Error)(nil); !errors.Is(err, transport.ErrAbandoned) || !errors.As(err, &te) || te.NotSent {
			t.Errorf("abandoned command = %v; want ErrAbandoned, perhaps sent", err)
		}
		u.wantStatus(0, 0x01, 0, 4) // it had its effect
		_, err = u.Do(ctx, &transport.Request{CDB: make([]byte, 6)})
		if te := (*transport.Error)(nil); !errors.As(err, &te) || !te.NotSent {
			t.Errorf("command after the end = %v; want one that was not sent", err)
		}
	})
}

// TestUnits: what the TCMU front end goes by.
func TestUnits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, acme("flashTime: 0s", "    drives: [{slot: 0}]"))
		units := func() []sim.Unit {
			u, err := r.Units("stor1")
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
		esp := sim.Unit{Key: "stor1/5000ccab04001000/esp1/0", Node: 0, Host: 1, Target: 0, Type: 0x0d,
			LUID: "5000ccab04001001"}
		disk := sim.Unit{Key: "stor1/5000ccab04001000/slot0/0", Node: 1, Host: 1, Target: 1, Type: 0x00,
			LUID: "5000c50010000000"}
		if diff := cmp.Diff([]sim.Unit{esp, disk}, units()); diff != "" {
			t.Errorf("Units (-want +got):\n%s", diff)
		}
		u := open(t, r, "/dev/sg0")
		u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
		reply, err := r.Execute(esp.Key, unhex(t, "1d 10 00 00 18 00"), control(1, 0, 0x0f, 0, 0, 0, 0, nil), 0)
		if err != nil || reply.Status != 0 || reply.Gone {
			t.Errorf("Execute of mode 0Fh = %+v, %v; want GOOD", reply, err)
		}
		if diff := cmp.Diff([]sim.Unit(nil), units()); diff != "" {
			t.Errorf("Units while it reboots (-want +got):\n%s", diff)
		}
		if reply, err := r.Execute(esp.Key, make([]byte, 6), nil, 0); err != nil || !reply.Gone {
			t.Errorf("Execute while it reboots = %+v, %v; want Gone", reply, err)
		}
		time.Sleep(2 * time.Second)
		esp.Node, esp.Target, esp.Incarnation = 2, 2, 1
		if diff := cmp.Diff([]sim.Unit{esp, disk}, units()); diff != "" {
			t.Errorf("Units after the return (-want +got):\n%s", diff)
		}
	})
	r, _ := rack(t, acme(""))
	if _, err := r.Execute("nobody", make([]byte, 6), nil, 0); err == nil {
		t.Error("Execute(nobody) = nil error; want one")
	}
}

func TestReturnNode(t *testing.T) {
	for as, want := range map[string]string{"same": "/dev/sg0", "other": "/dev/sg1", "7": "/dev/sg7"} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := rack(t, acme("returnNode: "+as))
			if err := r.PowerCycle("5000ccab04001000"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			open(t, r, want).ready()
		})
	}
}

func TestTrace(t *testing.T) {
	r, file := rack(t, acme(""))
	u := open(t, r, "/dev/sg0")
	u.want("12 00 00 00 08 00", "0d 00 06 02 5b 00 40 02")
	v := open(t, reopen(t, file), "/dev/sg0")
	v.send(control(1, 0, 0x0e, 0, 0, 8, 4, []byte("abcd")))
	u.want("28 00 00 00 00 00 00 00 01 00", "05/20/00")
	u.status(0)
	var got []map[string]any
	for _, line := range traceLines(t, file) {
		delete(line, "time")
		got = append(got, line)
	}
	common := func(m map[string]any) map[string]any {
		m["host"], m["node"], m["lu"] = "stor1", "/dev/sg0", "5000ccab04001001"
		return m
	}
	want := []map[string]any{
		common(map[string]any{"seq": 1.0, "cdb": "120000000800", "out_length": 0.0, "in_length": 8.0, "status": 0.0,
			"effect": false}),
		common(map[string]any{"seq": 2.0, "cdb": "1d1000001c00", "out_length": 28.0, "in_length": 0.0, "status": 0.0,
			"effect": true,
			"out":    "0e000018000000010e000000000000000000000800000004"}),
		common(map[string]any{"seq": 3.0, "cdb": "28000000000000000100", "out_length": 0.0, "in_length": 0.0, "status": 2.0,
			"effect": false,
			"sense":  "70000500000000" + "0a" + "00000000" + "2000" + "00000000"}),
		common(map[string]any{"seq": 4.0, "cdb": "1c010e800000", "out_length": 0.0, "in_length": 24.0, "status": 0.0,
			"effect": true}),
	}
	want[1]["out_sha256"] = got[1]["out_sha256"]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trace (-want +got):\n%s", diff)
	}
	if sum, _ := got[1]["out_sha256"].(string); len(sum) != 64 {
		t.Errorf("out_sha256 = %q; want 64 hex digits", sum)
	}
}

// TestReadsLeaveNoState: a rack that was only read is as it came.
func TestReadsLeaveNoState(t *testing.T) {
	r, file := testdata(t, "two-esps.yaml")
	u := open(t, r, "/dev/sg0")
	u.revision()
	u.page(0x0a)
	if _, err := os.Stat(file + ".rack-state.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("state file after reads: %v; want none", err)
	}
}

func TestRackChanged(t *testing.T) {
	r, file := rack(t, acme(""))
	u := open(t, r, "/dev/sg0")
	u.send(control(1, 0, 0x0e, 0, 0, 8, 4, []byte("abcd")))
	if err := os.WriteFile(file, []byte(acme("flashTime: 5s")), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := sim.Open(file); err == nil || !strings.Contains(err.Error(), "remove the state to start over") {
		t.Errorf("Open of a rack that has changed = %v; want a refusal that says what to do", err)
	}
	if err := os.Remove(file + ".rack-state.json"); err != nil {
		t.Fatal(err)
	}
	if _, err := sim.Open(file); err != nil {
		t.Errorf("Open without the state = %v; want none", err)
	}
}

// TestSharedRack: racks of several processes, here of several opens, do not
// lose each other's changes.
func TestSharedRack(t *testing.T) {
	_, file := rack(t, strings.Replace(acme(""), "[{}]", "[{}, {}, {}, {}]", 1))
	const chunks = 50
	var wg sync.WaitGroup
	for i := range 4 {
		u := open(t, reopen(t, file), "/dev/sg"+string(rune('0'+i)))
		wg.Go(func() {
			for k := range chunks {
				page := control(1, 0, 0x0e, 0, 4*k, 4*chunks+4, 4, []byte("abcd"))
				req := &transport.Request{CDB: []byte{0x1d, 0x10, 0, 0, byte(len(page)), 0}, Out: page, Effect: true}
				if resp, err := u.Do(context.Background(), req); err != nil || resp.Status != 0 {
					t.Errorf("chunk %d: %v, %v; want GOOD", k, resp, err)
				}
			}
		})
	}
	wg.Wait()
	for i := range 4 {
		open(t, reopen(t, file), "/dev/sg"+string(rune('0'+i))).wantStatus(0, 0x01, 0, 4*chunks)
	}
	lines := traceLines(t, file)
	for i, line := range lines {
		if line["seq"] != float64(i+1) {
			t.Fatalf("trace line %d has seq %v; want no gap", i+1, line["seq"])
		}
	}
	if want := 4*chunks + 4; len(lines) != want {
		t.Errorf("trace has %d lines; want %d", len(lines), want)
	}
}

func TestBadRacks(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":         {acme("", "    colour: blue"), "colour"},
		"two of one name":     {acme("", "  - {logicalID: 5000ccab04001000, vendor: A, product: B, esps: [{}]}"), "give each a name of its own"},
		"behind nobody":       {acme("", "    behind: r1"), "not in the rack"},
		"behind itself":       {acme("", "    behind: 5000ccab04001000"), "behind itself"},
		"two at one node":     {strings.Replace(acme(""), "[{}]", "[{paths: {stor1: [3]}}, {paths: {stor1: [3]}}]", 1), "/dev/sg3"},
		"unknown host":        {strings.Replace(acme(""), "[{}]", "[{paths: {stor9: [3]}}]", 1), "stor9"},
		"two drives in one":   {acme("", "    drives: [{slot: 1}, {slot: 0, count: 2}]"), "slot 1 has two drives"},
		"a port too few":      {strings.Replace(acme("", "    drives: [{slot: 1, ports: [5000c50012345671]}]"), "[{}]", "[{}, {}]", 1), "slot 1 lists 1 ports"},
		"ports of a count":    {acme("", "    drives: [{slot: 1, count: 2, ports: [5000c50012345671]}]"), "of one drive"},
		"no such ESP":         {acme("", "    subenclosures: [{id: 1, esps: [2]}]"), "no ESP serves subenclosure 1"},
		"unknown element":     {acme("", "    elements: [{type: flux-capacitor, count: 1}]"), "flux-capacitor"},
		"path through nobody": {acme("", "    drives: [{slot: 1, paths: [{host: stor1, esp: 4}]}]"), "esp4"},
	} {
		file := filepath.Join(t.TempDir(), "rack.yaml")
		if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := sim.Open(file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Open = %v; want an error with %q", name, err, c.want)
		}
	}
	if _, err := sim.Open(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of no file = %v; want not exist", err)
	}
}

func TestImage(t *testing.T) {
	a := sim.Image("ACME", "JBOD-60", "1100", 5000)
	if len(a) != 5000 || !strings.HasPrefix(string(a),
		"fwctl simulated firmware\nvendor: ACME\nproduct: JBOD-60\nrevision: 1100\n\n") {
		t.Errorf("Image = %d bytes beginning %q", len(a), a[:80])
	}
	if !cmp.Equal(a, sim.Image("ACME", "JBOD-60", "1100", 5000)) {
		t.Error("two images of the same arguments differ")
	}
	if cmp.Equal(a[200:], sim.Image("ACME", "JBOD-60", "1200", 5000)[200:]) {
		t.Error("images of two revisions have the same filler")
	}
}

func BenchmarkRead(b *testing.B) {
	text := "apiVersion: fwctl/v1\nkind: Rack\nenclosures:\n"
	for i := range 8 {
		text += "  - {logicalID: 5000ccab0400" + string(rune('0'+i)) +
			"000, vendor: ACME, product: JBOD-60, esps: [{}, {}], drives: [{slot: 0, count: 60}]}\n"
	}
	file := filepath.Join(b.TempDir(), "rack.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	r, err := sim.Open(file)
	if err != nil {
		b.Fatal(err)
	}
	m, err := r.Machine("")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("page", func(b *testing.B) {
		n, err := m.Open("/dev/sg0", transport.ReadOnly)
		if err != nil {
			b.Fatal(err)
		}
		defer n.Close()
		in := make([]byte, 32768)
		for b.Loop() {
			if _, err := n.Do(context.Background(),
				&transport.Request{CDB: []byte{0x1c, 1, 0x0a, 0x80, 0, 0}, In: in}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sysfs", func(b *testing.B) {
		for b.Loop() {
			if _, err := fs.ReadFile(m.FS(), "sys/class/scsi_generic/sg0/device/type"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
