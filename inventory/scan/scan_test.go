package scan_test

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/internal/scsi"
	"fwctl/internal/ses"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/inventory/scan"
)

// pages encodes diagnostic pages as answers of a fake device.
func pages(t *testing.T, answers map[string][]byte, all ...encoding.BinaryAppender) map[string][]byte {
	t.Helper()
	for _, p := range all {
		b, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		answers[fmt.Sprintf("page %02x", b[0])] = b
	}
	return answers
}

// naa is VPD page 83h with an NAA of the logical unit alone.
func naa(t *testing.T, id string) []byte { return fromHex(t, "0d83000c"+"01030008"+id) }

var status = map[ses.StatusCode]ses.StatusElement{
	ses.StatusOK: {1}, ses.StatusCritical: {2}, ses.StatusNonCritical: {3}, ses.StatusUnrecoverable: {4},
}

// plain is an ESP with a few elements: 1 of 1, generation 7.
func plain(t *testing.T, luID string) *fakeDevice {
	id := ses.Identifier(fromHex(t, "5000ccab04001000"))
	cfg := &ses.Configuration{
		GenerationCode: 7,
		Subenclosures: []ses.Subenclosure{{RelativeESPID: 1, ESProcesses: 1, TypeDescriptorHeaders: 3, LogicalID: id,
			Vendor: "ACME", Product: "JBOD\x01", ProductRevisionLevel: "1000"}},
		Types: []ses.TypeDescriptor{
			{ElementType: ses.PowerSupply, PossibleElements: 2, Text: "PSU"},
			{ElementType: ses.Cooling, PossibleElements: 2},
			{ElementType: ses.EnclosureElement},
		},
	}
	return &fakeDevice{t: t, answers: pages(t, map[string][]byte{
		"INQUIRY": inquiryData(0x0d, true, "ACME", "JBOD", "1000"),
		"VPD 00":  fromHex(t, "0d0000020083"),
		"VPD 83":  naa(t, luID),
	}, cfg,
		&ses.SupportedPages{Code: ses.PageSupported, Pages: []ses.PageCode{0, 1, 2, 7, 0x0e}},
		&ses.EnclosureStatus{GenerationCode: 7, Critical: true, Types: []ses.TypeStatus{
			{Overall: status[ses.StatusCritical], Elements: []ses.StatusElement{status[ses.StatusOK], status[ses.StatusCritical]}},
			{Elements: []ses.StatusElement{status[ses.StatusNonCritical], status[ses.StatusUnrecoverable]}},
			{Overall: status[ses.StatusNonCritical]},
		}},
		&ses.ElementDescriptors{GenerationCode: 7, Types: []ses.TypeNames{
			{Elements: names("Power Supply 1", "Power Supply 2 ")}, {Elements: names("", "")}, {Overall: "Enclosure"},
		}},
	)}
}

func names(all ...scsi.Text) []scsi.Text { return all }

func scanAll(t *testing.T, m transport.Machine, devices ...string) *inventory.Inventory {
	t.Helper()
	inv, err := scan.Scan(t.Context(), m, scan.Options{Devices: devices})
	if err != nil {
		t.Fatalf("Scan(…) = %v", err)
	}
	return inv
}

func problems(inv *inventory.Inventory) []string {
	lines := []string{}
	for _, p := range inv.Problems {
		lines = append(lines, p.Path+": "+p.Summary+": "+p.Detail)
	}
	return lines
}

// wantProblem checks that the only problem is of a node, and says this.
func wantProblem(t *testing.T, inv *inventory.Inventory, node, text string) {
	t.Helper()
	got := problems(inv)
	if len(got) != 1 || inv.Problems[0].Path != node || !strings.Contains(got[0], text) {
		t.Errorf("Scan(…) has problems %q; want one of %s with %q", got, node, text)
	}
}

func TestScanOneEnclosure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(1500 * time.Millisecond) // of the bubble: scanned_at has whole seconds
		inv := scanAll(t, newMachine().add("/dev/sg3", "13", plain(t, "5000ccab04001001")))
		want := inventory.New()
		want.Host = "stor1"
		want.ScannedAt = time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC) // bubbles begin with the century
		want.Enclosures = []inventory.Enclosure{{
			LogicalID: "5000ccab04001000", Vendor: "ACME", Product: `JBOD\x01`, MissingESPs: []int{},
			Health: inventory.Health{Critical: true, Failures: []string{
				"Power Supply 2: critical", "Cooling 0: non-critical", "Cooling 1: unrecoverable", "Enclosure: non-critical"},
				Elements: map[string]int{"PSU": 2, "Cooling": 2}},
			Drives: []inventory.Drive{}, DrivesUnknown: true,
			DriveEvidence: []string{"lu-5000ccab04001001 does not show page 0Ah",
				"page 02h of lu-5000ccab04001001 shows no other device in a slot",
				"no disk of this host is routed through it"},
			ESPs: []inventory.ESP{{RelativeID: 1, Processes: 1, LUID: "5000ccab04001001", Paths: []string{"/dev/sg3"},
				GenerationCode: 7,
				Inquiry:        inventory.Inquiry{Vendor: "ACME", Product: "JBOD", Revision: "1000"},
				Download:       inventory.Download{SESPage: true},
				Subenclosures: []inventory.Subenclosure{{LogicalID: "5000ccab04001000",
					Address: "5000ccab04001000/lu-5000ccab04001001/sub0", Vendor: "ACME", Product: `JBOD\x01`, Revision: "1000"}}}},
		}}
		if diff := cmp.Diff(want, inv); diff != "" {
			t.Errorf("Scan(…) differs (-want +got):\n%s", diff)
		}
	})
}

// A device that hangs costs its own row, in bounded time; one whose node cannot
// even be opened likewise.
func TestScanLeavesHangingDevicesBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine()
		var want []string
		for i := range 40 {
			d := plain(t, fmt.Sprintf("5000ccab040010%02x", i))
			switch {
			case i%2 == 0:
				want = append(want, fmt.Sprintf("/dev/sg%d", i))
			default:
				d.hangs = []string{"INQUIRY", "page 01", "page 02", "modes 07"}[i/2%4]
			}
			m.add(fmt.Sprintf("/dev/sg%d", i), "13", d)
		}
		stuck := make(chan struct{})
		defer close(stuck)
		m.add("/dev/sg40", "13", plain(t, "5000ccab04001040"))
		m.access = func(node string) error {
			if node == "/dev/sg40" {
				<-stuck
			}
			return nil
		}
		start := time.Now()
		inv := scanAll(t, m)
		if took := time.Since(start); took > 5*time.Minute {
			t.Errorf("Scan(…) took %v; want two rounds of 2 min at most", took)
		}
		var got []string
		for _, e := range inv.Enclosures {
			for _, esp := range e.ESPs {
				got = append(got, esp.Paths...)
			}
		}
		slices.SortFunc(got, inventory.ComparePaths)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Scan(…) reads paths (-want +got):\n%s", diff)
		}
		if len(inv.Problems) != 21 {
			t.Errorf("Scan(…) has %d problems; want one for each of 21 devices: %q", len(inv.Problems), problems(inv))
		}
		for _, p := range inv.Problems {
			if !strings.Contains(p.Detail, "no answer within 2m0s") {
				t.Errorf("Scan(…) says %+v; want one of no answer within 2m0s", p)
			}
		}
	})
}

func TestScanEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := plain(t, "5000ccab04001001")
		d.hangs = "INQUIRY"
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		inv, err := scan.Scan(ctx, newMachine().add("/dev/sg3", "13", d), scan.Options{})
		if inv != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Scan(…) = %v, %v; want nil and the context's error", inv, err)
		}
	})
}

// Disks are not opened. Those that say that they hold an enclosure are asked,
// over the sg node.
func TestScanFindsEnclosures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &fakeDevice{t: t, answers: map[string][]byte{"INQUIRY": inquiryData(0, false, "SEAGATE", "ST8000", "0001")}}
		hidden := plain(t, "5000ccab04001002")
		hidden.answers["INQUIRY"] = inquiryData(0, true, "ACME", "RAID", "0001")
		// A USB disk (SMI) sets ENCSERV and answers page 00h to page 01h.
		usb := &fakeDevice{t: t, answers: map[string][]byte{"INQUIRY": inquiryData(0, true, "SMI", "USB DISK", "0001"),
			"page 01": fromHex(t, "0000000100")}}
		quiet := plain(t, "5000ccab04001003")
		quiet.answers["INQUIRY"] = inquiryData(0x0d, false, "DELL", "MD1220", "0001") // type 13 with ENCSERV 0
		virtual := plain(t, "3000000000000001")                                       // of an LSI HBA
		m := newMachine().add("/dev/sg0", "0", disk).add("/dev/sg1", "0", hidden).add("/dev/sg2", "0", usb).
			add("/dev/sg3", "13", quiet).add("/dev/sg4", "13", virtual)
		m.fs["sys/class/scsi_generic/sg4/device/model"] = &fstest.MapFile{Data: []byte("VirtualSES      \n")}

		inv := scanAll(t, m)
		slices.Sort(m.opened)
		if diff := cmp.Diff([]string{"/dev/sg1", "/dev/sg2", "/dev/sg3"}, m.opened); diff != "" {
			t.Errorf("Scan(…) opens (-want +got):\n%s", diff)
		}
		if len(inv.Enclosures) != 1 || len(inv.Enclosures[0].ESPs) != 2 {
			t.Errorf("Scan(…) = %+v; want one enclosure with the ESPs at sg1 and sg3", inv.Enclosures)
		}
		wantProblem(t, inv, "/dev/sg2",
			"no page 01h, without which it cannot be used as an enclosure: cannot read page 01h (configuration): the enclosure answered with page 00h")
	})
}

func TestScanNamedDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &fakeDevice{t: t, answers: map[string][]byte{"INQUIRY": inquiryData(0, false, "SEAGATE", "ST8000", "0001")}}
		machine := func() *fakeMachine {
			return newMachine().add("/dev/sg0", "0", disk).add("/dev/sg3", "13", plain(t, "5000ccab04001001")).
				add("/dev/sg4", "13", plain(t, "5000ccab04001002"))
		}
		m := machine()
		inv := scanAll(t, m, "sg4", "/dev/sg4")
		if diff := cmp.Diff([]string{"/dev/sg4"}, m.opened); diff != "" || len(inv.Enclosures) != 1 {
			t.Errorf("Scan of sg4 opens (-want +got):\n%s", diff)
		}

		m = machine().add("/dev/sg5", "13", plain(t, "3000000000000001"))
		m.fs["sys/class/scsi_generic/sg5/device/model"] = &fstest.MapFile{Data: []byte("VirtualSES      \n")}
		inv, err := scan.Scan(t.Context(), m,
			scan.Options{Devices: []string{"/dev/sg5", "/dev/sg3", "/dev/sg9", "/dev/sda", "sg0", "/dev/x/sg3"}})
		var device *scan.DeviceError
		if inv != nil || !errors.As(err, &device) || len(m.opened) != 0 {
			t.Fatalf("Scan(…) = %v, %v, opening %q; want nil, a *DeviceError, and nothing opened", inv, err, m.opened)
		}
		for _, want := range []string{"cannot scan /dev/sg9: it is not a SCSI generic node of this host; enclosures are at " +
			"/dev/sg",
			"cannot scan /dev/sda: it is not a SCSI generic node of this host; enclosures are at /dev/sg",
			"cannot scan /dev/sg0: it is not an enclosure: its SCSI device type is 0", "cannot scan /dev/x/sg3", "cannot scan /dev/sg5: it is the virtual enclosure of an LSI HBA"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("Scan(…) = %v; want it to say %q", err, want)
			}
		}
	})
}

func TestScanOfNodesThatDoNotOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine().add("/dev/sg3", "13", plain(t, "5000ccab04001001")).
			add("/dev/sg4", "13", plain(t, "5000ccab04001002"))
		m.access = func(string) error { return fs.ErrPermission }
		if inv, err := scan.Scan(t.Context(), m, scan.Options{}); inv != nil || !errors.Is(err, fs.ErrPermission) ||
			!strings.Contains(err.Error(), "run fwctl as root") {
			t.Errorf("Scan without permission = %v, %v; want nil and an error that says what to do", inv, err)
		}
		for _, tt := range []struct {
			err  error
			want string
		}{{fs.ErrPermission, "run fwctl as root"}, {transport.ErrBusy, "fuser -v /dev/sg3"},
			{transport.ErrGone, "when it has come back"}} {
			m.access = func(node string) error {
				if node == "/dev/sg3" {
					return tt.err
				}
				return nil
			}
			inv := scanAll(t, m)
			wantProblem(t, inv, "/dev/sg3", tt.want)
			if got, want := inv.Problems[0].InUse, tt.err == transport.ErrBusy; got != want {
				t.Errorf("InUse of %v = %v; want %v", inv.Problems[0], got, want)
			}
			if len(inv.Enclosures) != 1 {
				t.Errorf("Scan(…) with sg3 %v finds %d enclosures; want the one at sg4", tt.err, len(inv.Enclosures))
			}
		}
	})
}

func TestScanWithoutSGDriver(t *testing.T) {
	m := newMachine()
	m.fs = fstest.MapFS{}
	if inv, err := scan.Scan(t.Context(), m, scan.Options{}); inv != nil || err == nil ||
		!strings.Contains(err.Error(), "modprobe sg") {
		t.Errorf("Scan(…) = %v, %v; want nil and an error that tells of modprobe sg", inv, err)
	}
}

func TestReadIdentity(t *testing.T) {
	none := []byte(nil)
	tests := []struct {
		name   string
		answer map[string][]byte
		want   string // lu_id, or "error: …"
	}{
		{"NAA", nil, "5000ccab04001001"},
		{"an NAA that is all zero, then a name", map[string][]byte{"VPD 83": fromHex(t, "0d830020"+"010300080000000000000000"+"0201001041434d45202020204a424f442d363000")}, "t10.ACME%20%20%20%20JBOD-60"},
		{"serial number only", map[string][]byte{"VPD 00": fromHex(t, "0d0000020080"), "VPD 80": fromHex(t, "0d800006534e34373120")}, "serial.ACME.SN471"},
		{"an NAA that is all zero", map[string][]byte{"VPD 83": naa(t, "0000000000000000")}, "ses.5000ccab04001000.1of1"},
		{"refuses all VPD pages", map[string][]byte{"VPD 00": none}, "ses.5000ccab04001000.1of1"},
		{"answers INQUIRY data to VPD", map[string][]byte{"VPD 00": inquiryData(0x0d, true, "ACME", "JBOD", "1000")}, "ses.5000ccab04001000.1of1"},
		{"nothing at all", map[string][]byte{"VPD 00": none, "page 01": zeroID(t)}, "error: nothing distinguishes it from other logical units"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := plain(t, "5000ccab04001001")
				for question, answer := range tt.answer {
					if d.answers[question] = answer; answer == nil {
						delete(d.answers, question)
					}
				}
				got := ""
				r, err := scan.Read(t.Context(), "/dev/sg3", d)
				if err != nil {
					got = "error: " + err.Error()
				} else {
					got = r.Identity.LUID()
				}
				if !strings.HasPrefix(got, tt.want) {
					t.Errorf("Read(…) gives %q; want %q", got, tt.want)
				}
				if err != nil {
					return
				}
				m := newMachine().add("/dev/sg3", "13", d).add("/dev/sg4", "13", plain(t, "5000ccab04001009"))
				found, err := scan.Find(t.Context(), m, tt.want)
				if diff := cmp.Diff([]string{"/dev/sg3"}, found); err != nil || diff != "" {
					t.Errorf("Find(%q) = %q, %v; want /dev/sg3", tt.want, found, err)
				}
			})
		})
	}
}

func zeroID(t *testing.T) []byte {
	b := slices.Clone(plain(t, "5000ccab04001001").answers["page 01"])
	clear(b[12:20])
	return b
}

func TestFind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := plain(t, "5000ccab04001001")
		hangs.hangs = "VPD 83"
		m := newMachine().add("/dev/sg3", "13", hangs).add("/dev/sg4", "13", plain(t, "5000ccab04001002")).
			add("/dev/sg5", "13", plain(t, "5000ccab04001001")).add("/dev/sg10", "13", plain(t, "5000ccab04001001")).
			add("/dev/sg9", "13", plain(t, "5000ccab04001001")).add("/dev/sg11", "13", plain(t, "5000ccab04001001"))
		m.access = func(node string) error {
			return map[string]error{"/dev/sg5": transport.ErrBusy, "/dev/sg11": transport.ErrGone}[node]
		}
		got, err := scan.Find(t.Context(), m, "5000ccab04001001")
		if diff := cmp.Diff([]string{"/dev/sg9", "/dev/sg10"}, got); err != nil || diff != "" {
			t.Errorf("Find(…) = %q, %v; want sg9 and sg10 (-want +got):\n%s", got, err, diff)
		}
		m.keepVPD("/dev/sg5")
		if got, err := scan.Find(t.Context(), m, "5000ccab04001001"); got != nil || !errors.Is(err, transport.ErrBusy) {
			t.Errorf("Find(…) where the kernel knows what is behind the busy node = %q, %v; want nothing, and ErrBusy", got, err)
		}
		m.keepVPD("/dev/sg4")
		if got, err := scan.Find(t.Context(), m, "5000ccab04001002"); err != nil || len(got) != 1 {
			t.Errorf("Find(…) where another logical unit is busy = %q, %v; want sg4", got, err)
		}
	})
}

// A scan does not even open what it leaves alone.
func TestScanExcept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine().add("/dev/sg3", "13", plain(t, "5000ccab04001001")).
			add("/dev/sg4", "13", plain(t, "5000ccab04001002")).
			add("/dev/sg5", "13", plain(t, "5000ccab04001001"))
		m.keepVPD("/dev/sg3")
		m.keepVPD("/dev/sg4")
		if _, err := scan.Scan(t.Context(), m, scan.Options{Except: []string{"5000ccab04001001"}}); err != nil {
			t.Fatal(err)
		}
		slices.Sort(m.opened)
		if diff := cmp.Diff([]string{"/dev/sg4", "/dev/sg5"}, m.opened); diff != "" {
			t.Errorf("Scan except one logical unit, of whose nodes the kernel knows sg3, opens (-want +got):\n%s", diff)
		}
	})
}

// A device that stops answering is asked nothing more.
func TestReadStopsWhenNothingComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, question := range []string{"INQUIRY", "VPD 00", "VPD 83", "page 00", "page 01", "page 07", "page 02",
			"modes 07"} {
			d := plain(t, "5000ccab04001001")
			if strings.HasPrefix(question, "page") {
				delete(d.answers, "page 00")
			}
			d.hangs = question
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			r, err := scan.Read(ctx, "/dev/sg3", d)
			cancel()
			var lost *transport.Error
			if r != nil || !errors.As(err, &lost) {
				t.Errorf("Read with no answer to %s = %v, %v; want nil and the transport's error", question, r, err)
			}
		}
	})
}

func TestReadStatus(t *testing.T) {
	d := plain(t, "5000ccab04001001")
	b := d.answers["page 02"]
	b[1] = 0x04
	clear(b[8:])
	r, err := scan.Read(t.Context(), "/dev/sg3", d)
	if err != nil {
		t.Fatal(err)
	}
	want := inventory.Health{Failures: []string{"the enclosure, which does not say which element: non-critical"},
		Elements: map[string]int{}}
	if diff := cmp.Diff(want, r.Health); diff != "" {
		t.Errorf("Read of NON-CRIT alone gives health (-want +got):\n%s", diff)
	}
}

func TestReadSubenclosures(t *testing.T) {
	d := plain(t, "5000ccab04001001")
	cfg := &ses.Configuration{Subenclosures: []ses.Subenclosure{{SubenclosureID: 0}, {SubenclosureID: 7},
		{SubenclosureID: 2}}}
	d.answers = pages(t, map[string][]byte{"INQUIRY": d.answers["INQUIRY"], "VPD 00": d.answers["VPD 00"],
		"VPD 83": d.answers["VPD 83"]}, cfg)
	r, err := scan.Read(t.Context(), "/dev/sg3", d)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, sub := range r.Subenclosures {
		got = append(got, sub.ID)
	}
	if diff := cmp.Diff([]int{0, 2, 7}, got); diff != "" {
		t.Errorf("Read(…) gives subenclosures (-want +got):\n%s", diff)
	}
}

// What sysfs says of SAS ports and block devices, where HBA drivers differ.
func TestAssembleWithSysfs(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	target := func(port string) *fstest.MapFile { // VPD page 83h with the NAA of the target port
		return file(string(fromHex(t, "0083000c"+"61930008"+port)))
	}
	fsys := fstest.MapFS{
		// mpt3sas has an attribute, others only the end device in the path.
		"sys/class/scsi_generic/sg3/device/sas_address":      file("0x5000ccab0400103d\n"),
		"sys/class/scsi_generic/sg4":                         {Mode: fs.ModeSymlink, Data: []byte("../../devices/pci0000:00/host6/port-6:0/expander-6:0/port-6:0:24/end_device-6:0:24/target6:0:24/6:0:24:0/scsi_generic/sg4")},
		"sys/class/sas_device/end_device-6:0:24/sas_address": file("0x5000ccab0400107d\n"),
		"sys/block/sda/device/vpd_pg83":                      target("5000c50000000001"),
		"sys/block/sda/device/state":                         file("running\n"),
		"sys/block/sda/device/vendor":                        file("ATA     \n"),
		"sys/block/sdb/device/sas_address":                   file("0x5000C50000000002\n"),
		"sys/block/sdb/device/state":                         file("offline\n"),
		"sys/block/sdc/device/sas_address":                   file("0x0000000000000000\n"),
		"sys/block/sdc/device/vpd_pg83":                      target("5000c50000000003"),
		"sys/block/loop0/size":                               file("0\n"),
	}
	one := inventory.Reading{
		Path: "/dev/sg3",
		Identity: inventory.Identity{LogicalUnit: "5000ccab04001001", LogicalID: "5000ccab04001000", RelativeID: 1,
			Processes: 2},
		Subenclosures: []inventory.Subenclosure{{LogicalID: "5000ccab04001000"}},
		Slots: []inventory.Slot{{Number: 4,
			Ports: []inventory.Port{{SASAddress: "5000c50000000001"}, {SASAddress: "5000c50000000002"}}},
			{Number: 5, Ports: []inventory.Port{{SASAddress: "5000c50000000003"}}}, {Number: 6, Ports: []inventory.Port{{SASAddress: "0000000000000000"}}}},
	}
	other := one
	other.Path = "/dev/sg4"
	enclosures, problems := scan.Assemble(t.Context(), &fakeMachine{fs: fsys}, []inventory.Reading{one, other})
	if len(problems) != 2 || len(enclosures) != 1 || len(enclosures[0].ESPs) != 2 {
		t.Fatalf("Assemble(…) = %+v, %+v; want two ESPs behind ports of their own, in conflict", enclosures, problems)
	}
	want := []inventory.Drive{
		{Slot: 4, SASAddress: "5000c50000000001", Protocol: inventory.SATA, Paths: []inventory.DrivePath{{Device: "sda", Live: true}, {Device: "sdb", Down: "sdb is offline"}}},
		{Slot: 5, SASAddress: "5000c50000000003", Paths: []inventory.DrivePath{{Device: "sdc", Down: "the state of sdc is unknown"}}},
		{Slot: 6, SASAddress: "0000000000000000", Paths: []inventory.DrivePath{}},
	}
	for i := range enclosures[0].Drives {
		enclosures[0].Drives[i].Evidence = nil
	}
	if diff := cmp.Diff(want, enclosures[0].Drives); diff != "" {
		t.Errorf("Assemble(…) gives drives (-want +got):\n%s", diff)
	}
}

// What stands above drives in sysfs, as a kernel has it, where no simulated rack
// does: logical volumes, partitions of a multipath map, names with blanks.
func TestUseInSysfs(t *testing.T) {
	const ports = "/port-1:0/expander-1:0/port-1:0:3/end_device-1:0:3/target1:0:3/1:0:3:0"
	const pci = "sys/devices/pci0000:00/0000:00:03.0/"
	tests := []struct {
		name     string
		files    map[string]string // below sys/block unless they begin with proc/ or sys/
		held     map[string]bool   // what may be opened
		table    string            // status of dm-0
		open     []transport.OpenDisk
		openErr  error
		use, sda string
		of       int // how many drives its users have
		down     string
	}{
		{name: "a logical volume on a partition", files: map[string]string{
			"sda/sda2/partition": "2\n", "sda/sda2/holders/dm-7/x": "",
			"dm-7/dm/name": "vg-home\n", "dm-7/dm/uuid": "LVM-abc\n", "proc/self/mounts": "/dev/mapper/vg-home /home\\040of\\134all ext4 rw 0 0\n",
		}, use: `["mounted /home of\\all through sda2, dm-7 (vg-home)"]`, sda: "used"},
		{name: "a mount point that a terminal would obey", files: map[string]string{"proc/self/mounts": "/dev/sda /t\x1b[2J\\012 ext4 rw 0 0\n"},
			use: `["mounted /t\\x1b[2J\\x0a"]`, sda: "used"},
		{name: "a logical volume that is not mounted", files: map[string]string{
			"sda/holders/dm-7/x": "", "dm-7/dm/name": "vg-vm\n", "dm-7/dm/uuid": "LVM-abc\n",
		}, use: `["held by dm-7 (vg-vm)"]`, sda: "used"},
		{name: "a partition of a map is swap", files: map[string]string{
			"sda/holders/dm-0/x": "", "dm-0/dm/name": "mpatha\n", "dm-0/dm/uuid": "mpath-35000c5000000000\n", "dm-0/holders/dm-1/x": "",
			"dm-1/dm/name": "mpatha-part1\n", "dm-1/dm/uuid": "part1-mpath-35000c5000000000\n",
			"proc/swaps": "Filename Type Size Used Priority\n/dev/dm-1 partition 1 0 -2\n",
		}, table: paths("8:0 A"), use: `["swap through dm-0 (mpatha), dm-1 (mpatha-part1)"]`, sda: "used"},
		{name: "a partition of a map is held", files: map[string]string{
			"sda/holders/dm-0/x": "", "dm-0/dm/name": "mpatha\n", "dm-0/dm/uuid": "mpath-35000c5000000000\n", "dm-0/holders/dm-1/x": "",
			"dm-1/dm/name": "mpatha-part1\n", "dm-1/dm/uuid": "part1-mpath-35000c5000000000\n",
		}, table: paths("8:0 A"), held: map[string]bool{"dm-1": true},
			use: `["dm-1 (mpatha-part1) held exclusively"]`, sda: "used"},
		{name: "the map has failed the path", files: mpatha, table: paths("8:16 A", "8:0 F"),
			use: `["mounted /tank through dm-0 (mpatha)"]`, sda: "dead used", down: "1:0:3:0 is failed in dm-0 (mpatha)"},
		{name: "the map does not have the path", files: mpatha, table: paths("8:16 A"),
			use: `["mounted /tank through dm-0 (mpatha)"]`, sda: "dead used", down: "dm-0 (mpatha) does not list 1:0:3:0 as a path"},
		{name: "the map does not tell", files: mpatha,
			use: `["mounted /tank through dm-0 (mpatha)"]`, sda: "dead used", down: "the state of 1:0:3:0 in dm-0 (mpatha) is unknown: file does not exist"},
		{name: "a process has it open", open: []transport.OpenDisk{{PID: 7, Command: "qemu\x1b[2J", Device: "sda"}},
			use: `["held open by qemu\\x1b[2J (pid 7)"]`, sda: "used"},
		{name: "processes have a partition and a map open", open: []transport.OpenDisk{
			{PID: 9, Command: "postgres", Device: "sda1"}, {PID: 8, Command: "postgres", Device: "sda1"}, {PID: 5, Command: "multipathd", Device: "sda"}, {PID: 7, Command: "ceph-osd", Device: "dm-0"}},
			files: map[string]string{"sda/sda1/partition": "1\n", "sda/holders/dm-0/x": "", "dm-0/dm/name": "vg-osd\n",
				"dm-0/dm/uuid": "LVM-abc\n"},
			use: `["held open by ceph-osd (pid 7) through dm-0 (vg-osd)" "held open by postgres (pid 8 and 1 more) through sda1"]`, sda: "used"},
		{name: "processes only watch it", open: []transport.OpenDisk{{PID: 5, Command: "multipathd", Device: "sda"}, {PID: 6, Command: "smartd", Device: "sda"}},
			held: map[string]bool{"sda": false}, use: "[]"},
		{name: "another process than a watcher", open: []transport.OpenDisk{{PID: 5, Command: "multipathd2", Device: "sda"}},
			use: `["held open by multipathd2 (pid 5)"]`, sda: "used"},
		{name: "not every process could be looked at", openErr: fs.ErrPermission, held: map[string]bool{"sda": false}, use: "unknown"},
		{name: "bcache, in a circle", files: map[string]string{"sda/holders/bcache0/x": "", "bcache0/holders/bcache0/x": ""},
			use: `["held by bcache0"]`, sda: "used"},
		{name: "a partition of a btrfs that misses a device, mounted by another device", files: map[string]string{
			"sda/sda1/partition": "1\n", "sys/fs/btrfs/features/raid1c34": "0\n", "sys/fs/btrfs/f2/devices/sda1/partition": "1\n",
			"sys/fs/btrfs/f2/devices/dm-7/dm/name": "luks\n", "sys/fs/btrfs/f2/devinfo/1/missing": "0\n",
			"sys/fs/btrfs/f2/devinfo/2/missing": "1\n", "sys/fs/btrfs/f2/devinfo/3/missing": "0\n",
			"proc/self/mounts": "/dev/mapper/luks /srv btrfs rw 0 0\n/dev/mapper/luks /home btrfs rw 0 0\n",
		}, use: `["mounted /home through sda1" "mounted /srv through sda1"]`, sda: "used", of: 3},
		{name: "a btrfs on one device", files: map[string]string{"sys/fs/btrfs/f1/devices/sda/ro": "0\n", "sys/fs/btrfs/f1/devinfo/1/missing": "0\n",
			"proc/self/mounts": "/dev/sda /srv btrfs rw 0 0\n"}, use: `["mounted /srv"]`, sda: "used"},
		{name: "bcachefs, which names its devices in one", files: map[string]string{"sda/sda1/partition": "1\n",
			"proc/self/mounts": "/dev/sdb:/dev/sda1:/dev/sdc /srv bcachefs rw 0 0\n"}, use: `["mounted /srv through sda1"]`, sda: "used"},
		{name: "a loop device on a partition", files: map[string]string{"sda/sda1/partition": "1\n", "loop3/loop/backing_file": "/dev/sda1\n", "loop4/loop/backing_file": "/root/sda\n"},
			use: `["held by loop3 through sda1"]`, sda: "used"},
		{name: "partitions that nobody holds", files: map[string]string{"sda/sda1/partition": "1\n", "sda/sda1/start": "1\n", "sda/sdax/partition": "\n"},
			held: map[string]bool{"sda": false, "sda1": false}, use: "[]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine().add("/dev/sg3", "13", oneDrive(t))
			m.held, m.open, m.openErr = tt.held, tt.open, tt.openErr
			if tt.table != "" {
				m.tables = map[string]string{"dm-0": tt.table}
			}
			if m.held == nil {
				m.held = map[string]bool{}
			}
			m.held["sdb"] = false // where the ESP hangs is unknown: this disk could be behind it too
			file := func(name, text string) { m.fs[name] = &fstest.MapFile{Data: []byte(text)} }
			block := func(name, at string) {
				m.fs["sys/block/"+name] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("../devices/" + at)}
			}
			disk := pci + "host1" + ports
			block("sda", strings.TrimPrefix(disk, "sys/devices/")+"/block/sda")
			m.fs[disk+"/block/sda/device"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("../..")}
			file(disk+"/sas_address", "0x5000c50000000001\n")
			file(disk+"/state", "running\n")
			file(disk+"/block/sda/dev", "8:0\n")
			// Of a disk whose logical unit has a designator that is all zero, as others have too.
			file(disk+"/vpd_pg83", string(fromHex(t, "0083000c"+"01030008"+"0000000000000000")))
			other := pci + "ata1/host0/target0:0:0/0:0:0:0"
			block("sdb", strings.TrimPrefix(other, "sys/devices/")+"/block/sdb")
			m.fs[other+"/block/sdb/device"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("../..")}
			file(other+"/vpd_pg83", string(fromHex(t, "0083000c"+"01030008"+"0000000000000000")))
			for name, text := range tt.files {
				if !strings.HasPrefix(name, "proc/") && !strings.HasPrefix(name, "sys/") {
					top, _, _ := strings.Cut(name, "/")
					if top == "sda" {
						name = disk + "/block/" + name
					} else {
						block(top, "virtual/block/"+top)
						name = "sys/devices/virtual/block/" + name
					}
				}
				file(name, text)
			}
			inv, err := scan.Scan(t.Context(), m, scan.Options{ProbeUse: true})
			// Slot 0 has no address, and without page 02h nothing says that it is empty.
			if err != nil || len(inv.Enclosures) != 1 || len(inv.Enclosures[0].Drives) != 3 {
				t.Fatalf("Scan(…) = %+v, %v; want a drive in each slot and one in none", inv, err)
			}
			want := strings.TrimSpace(tt.use + " sda:? " + tt.sda)
			if got := sees(inv.Enclosures[0].Drives[1]); got != want {
				t.Errorf("Scan(…) sees the drive %s; want %s", got, want)
			}
			for _, use := range inv.Enclosures[0].Drives[1].Uses {
				if use.Of != tt.of {
					t.Errorf("%s has %d drives; want %d", use, use.Of, tt.of)
				}
			}
			if got := inv.Enclosures[0].Drives[1].Paths[0].Down; got != tt.down {
				t.Errorf("the path is down because %q; want %q", got, tt.down)
			}
		})
	}
}

// mpatha is a multipath map over sda that is mounted.
var mpatha = map[string]string{
	"sda/holders/dm-0/x": "", "dm-0/dm/name": "mpatha\n", "dm-0/dm/uuid": "mpath-35000c5000000000\n",
	"proc/self/mounts": "/dev/mapper/mpatha /tank ext4 rw 0 0\n",
}

// paths is the status of a multipath map with these paths: "8:0 A".
func paths(states ...string) string {
	s := fmt.Sprintf("0 8 multipath 2 0 0 0 1 1 A 0 %d 2 ", len(states))
	for _, state := range states {
		s += state + " 0 0 1 "
	}
	return s + "\n"
}

// oneDrive is an ESP with a drive in the second of two slots.
func oneDrive(t *testing.T) *fakeDevice {
	d := plain(t, "5000ccab04001001")
	cfg := &ses.Configuration{
		Subenclosures: []ses.Subenclosure{{TypeDescriptorHeaders: 1}},
		Types:         []ses.TypeDescriptor{{ElementType: ses.ArrayDeviceSlot, PossibleElements: 2}},
	}
	drive := ses.Phy{DeviceType: 1, SASAddress: ses.Identifier{0x50, 0, 0xc5, 7: 1},
		AttachedSASAddress: ses.Identifier{0x50, 7: 2}}
	d.answers = pages(t, map[string][]byte{"INQUIRY": d.answers["INQUIRY"], "VPD 00": d.answers["VPD 00"],
		"VPD 83": d.answers["VPD 83"]}, cfg,
		&ses.AdditionalElementStatus{Descriptors: []ses.AdditionalElement{
			{Protocol: ses.SAS, Slot: &ses.Slot{Phys: []ses.Phy{{}}}}, {Protocol: ses.SAS, Slot: &ses.Slot{Phys: []ses.Phy{drive}}}}})
	return d
}

// A descriptor without EIP has no slot number: its place gives it.
func TestReadSlotWithoutEIP(t *testing.T) {
	r, err := scan.Read(t.Context(), "/dev/sg3", oneDrive(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []inventory.Slot{{Number: 1, Place: 1,
		Ports: []inventory.Port{{SASAddress: "5000c50000000001", Attached: "5000000000000002"}}}}
	if diff := cmp.Diff(want, r.Slots); diff != "" {
		t.Errorf("Read(…) gives slots (-want +got):\n%s", diff)
	}
}

func TestReadDownloadModes(t *testing.T) {
	yes, no, unknown := fromHex(t, "0003000a3b1f0000000000000000"), fromHex(t, "00010000"), fromHex(t, "00000000")
	extended := make([]byte, 64)
	extended[1], extended[3], extended[12], extended[19] = 0x86, 60, 0x10, 1<<4|1<<2|1<<1
	tests := []struct {
		name   string
		answer map[string][]byte
		want   []string
	}{
		{"nobody tells", nil, nil},
		{"RSOC", map[string][]byte{"modes 07": yes, "modes 0d": no, "modes 0e": yes, "modes 0f": yes}, []string{"07", "0e", "0f"}},
		{"RSOC, none", map[string][]byte{"modes 07": no, "modes 0d": no, "modes 0e": no, "modes 0f": no}, []string{}},
		{"RSOC cannot tell now", map[string][]byte{"modes 07": unknown, "modes 0d": unknown, "modes 0e": unknown, "modes 0f": unknown}, nil},
		{"VPD page 86h", map[string][]byte{"VPD 00": fromHex(t, "0d000003008386"), "VPD 86": extended}, []string{"07", "0e", "0f"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := plain(t, "5000ccab04001001")
			for question, answer := range tt.answer {
				d.answers[question] = answer
			}
			r, err := scan.Read(t.Context(), "/dev/sg3", d)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, r.Download.WriteBufferModes); diff != "" {
				t.Errorf("Read(…) gives modes (-want +got):\n%s", diff)
			}
		})
	}
}

// What an ESP cannot answer is a problem; the rest is used.
func TestReadUsesWhatItCan(t *testing.T) {
	tests := []struct {
		name   string
		change func(d *fakeDevice)
		want   []string // problems
		health bool     // whether it is known
	}{
		{"as it should be", func(*fakeDevice) {}, []string{}, true},
		{"no page 00h", func(d *fakeDevice) { delete(d.answers, "page 00") }, []string{}, true},
		{"neither page 00h nor 07h", func(d *fakeDevice) { delete(d.answers, "page 00"); delete(d.answers, "page 07") }, []string{}, true},
		{"neither page 00h nor 02h", func(d *fakeDevice) { delete(d.answers, "page 00"); delete(d.answers, "page 02") }, []string{"cannot read its health"}, false},
		{"pages 00h and 01h only", func(d *fakeDevice) { d.answers["page 00"] = fromHex(t, "00000002"+"0001") }, []string{"cannot read its health"}, false},
		{"page 02h is listed and refused", func(d *fakeDevice) { delete(d.answers, "page 02") }, []string{"cannot read its health"}, false},
		{"page 07h is listed and refused", func(d *fakeDevice) { delete(d.answers, "page 07") }, []string{"cannot read the names of its elements"}, true},
		{"page 02h comes as 08h for ever", func(d *fakeDevice) { d.answers["page 02"] = fromHex(t, "08000000") }, []string{"cannot read its health"}, false},
		{"page 02h comes as 08h once", func(d *fakeDevice) {
			d.change = func(question string, asked int) ([]byte, bool) {
				return fromHex(t, "08000000"), question == "page 02" && asked == 1
			}
		}, []string{}, true},
		{"page 01h is busy, then short", func(d *fakeDevice) {
			d.change = func(question string, asked int) ([]byte, bool) {
				if asked == 3 {
					return d.answers["page 01"][:20], question == "page 01"
				}
				return fromHex(t, "09010000"), question == "page 01" && asked < 3
			}
		}, []string{}, true},
		{"VPD page 83h is listed and refused", func(d *fakeDevice) { delete(d.answers, "VPD 83") }, []string{"cannot read its identity"}, true},
		{"the generation changes once", func(d *fakeDevice) {
			d.change = func(question string, asked int) ([]byte, bool) {
				return generation(d, question, 6), asked == 1 && question == "page 01"
			}
		}, []string{}, true},
		{"the generation never stops changing", func(d *fakeDevice) {
			d.change = func(question string, asked int) ([]byte, bool) {
				return generation(d, question, byte(10+asked)), question == "page 01"
			}
		}, []string{"cannot read its health", "cannot read the names of its elements"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := plain(t, "5000ccab04001001")
				tt.change(d)
				inv := scanAll(t, newMachine().add("/dev/sg3", "13", d))
				got := []string{}
				for _, p := range inv.Problems {
					got = append(got, p.Summary)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("Scan(…) has problems (-want +got):\n%s\n%q", diff, problems(inv))
				}
				if len(inv.Enclosures) != 1 {
					t.Fatalf("Scan(…) finds %d enclosures; want 1", len(inv.Enclosures))
				}
				if got := inv.Enclosures[0].Health.Critical; got != tt.health {
					t.Errorf("Scan(…) reads critical %t; want %t", got, tt.health)
				}
				if got := inv.Enclosures[0].Health.Unknown; got == tt.health {
					t.Errorf("Scan(…) knows no health %t; want %t", got, !tt.health)
				}
				if n := d.asked["page 0e"]; n != 0 {
					t.Errorf("Scan(…) reads page 0Eh %d times; want never", n)
				}
			})
		})
	}
}

// generation is a page with another generation code.
func generation(d *fakeDevice, question string, code byte) []byte {
	b := slices.Clone(d.answers[question])
	if len(b) > 7 {
		b[7] = code
	}
	return b
}

// A WD "SES Device" on USB answers page 08h to everything.
func TestShortStatusOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := plain(t, "5000ccab04001001")
		for question := range d.answers {
			if strings.HasPrefix(question, "page") {
				d.answers[question] = fromHex(t, "08000000")
			}
		}
		inv := scanAll(t, newMachine().add("/dev/sg3", "13", d))
		wantProblem(t, inv, "/dev/sg3", "does not offer this page")
	})
}

// unaddressed are drives of which only their slots, from 0, are known.
func unaddressed(n int) []inventory.Drive {
	var all []inventory.Drive
	for slot := range n {
		all = append(all, inventory.Drive{Slot: inventory.SlotNumber(slot), Paths: []inventory.DrivePath{}})
	}
	return all
}

// What real enclosures sent, through the whole of a scan.
func TestCaptures(t *testing.T) {
	const folder = "../../../shared/captures"
	if _, err := os.Stat(folder); err != nil {
		t.Skip("the captures of real enclosures are not beside the project")
	}
	tests := []struct {
		prefix, vendor, product, revision string
		want                              inventory.Enclosure
		pages                             []int
	}{
		{"areca_arc-8028_0133", "Areca", "ARC-802801.33.63", "0133", inventory.Enclosure{
			LogicalID: "d5b401503fc0ec16", Vendor: "Areca", Product: "ARC-802801.33.63", MissingESPs: []int{},
			Health: inventory.Health{Critical: true, Failures: []string{}, Elements: map[string]int{
				"ArrayDevicesInSubEnclsr0": 1, "AudibleAlarmInSubEnclsr0": 1, "ConnectorsInSubEnclsr0": 3, "CoolingElementInSubEnclsr0": 1,
				"EnclosureElementInSubEnclsr0": 1, "SAS Expander": 1, "TempSensorsInSubEnclsr0": 2, "VoltageSensorsInSubEnclsr0": 2}},
			// slots 12 to 15 lead to an expander
			Drives: []inventory.Drive{{Slot: 18, SASAddress: "5000c5003011cb29", Protocol: inventory.SAS,
				Paths: []inventory.DrivePath{}}},
			ESPs: []inventory.ESP{{RelativeID: 1, Processes: 1, GenerationCode: 0, Expanders: []string{"5001b4d516ecc03f"},
				Download: inventory.Download{SESPage: true},
				Subenclosures: []inventory.Subenclosure{{LogicalID: "d5b401503fc0ec16",
					Address: "d5b401503fc0ec16/lu-5001b4d516ecc03d/sub0",
					Vendor:  "Areca", Product: "ARC-802801.33.63", Revision: "0133"}}}},
		}, []int{0, 1, 2, 4, 5, 7, 0xa, 0xd, 0xe, 0xf, 0x3f}},
		{"newisys_nds-4600-jd_0509", "NEWISYS", "NDS-4600-JD", "0509", inventory.Enclosure{
			LogicalID: "500093d0013c4000", Vendor: "NEWISYS", Product: "NDS-4600-JD", ExpectedESPs: ptr(2),
			MissingESPs: []int{2},
			Health: inventory.Health{Failures: []string{}, Elements: map[string]int{
				"4600 Enclosure": 1, "Array Dev Slot": 60, "Buzzer": 1, "Cooling Fan": 4, "ES Processor": 2, "Power Supply": 2, "SAS Expander": 6, "Temp Sensor": 6}},
			Drives: unaddressed(60), DrivesUnknown: true, // page 02h reports OK for all of them
			ESPs: []inventory.ESP{{RelativeID: 1, Processes: 2, GenerationCode: 1, Download: inventory.Download{SESPage: true},
				Subenclosures: []inventory.Subenclosure{{LogicalID: "500093d0013c4000", Address: "500093d0013c4000/esp1/sub0",
					Vendor: "NEWISYS", Product: "NDS-4600-JD", Revision: "0509"}}}},
		}, []int{0, 1, 2, 4, 5, 7, 0xa, 0xe, 0x80}},
	}
	for _, tt := range tests {
		t.Run(tt.prefix, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &fakeDevice{t: t, answers: map[string][]byte{
					"INQUIRY": inquiryData(0x0d, true, tt.vendor, tt.product, tt.revision),
					"VPD 00":  fromHex(t, "0d0000020083"),
					"VPD 83":  naa(t, "5001b4d516ecc03d"),
				}}
				files, err := filepath.Glob(filepath.Join(folder, tt.prefix+"_p*.bin"))
				if err != nil || len(files) == 0 {
					t.Fatalf("no captures of %s: %v", tt.prefix, err)
				}
				for _, file := range files {
					b, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					d.answers["page "+strings.TrimSuffix(file, ".bin")[len(file)-6:]] = b
				}
				inv := scanAll(t, newMachine().add("/dev/sg3", "13", d))
				want := tt.want
				want.ESPs[0].LUID, want.ESPs[0].Paths = "5001b4d516ecc03d", []string{"/dev/sg3"}
				want.ESPs[0].Inquiry = inventory.Inquiry{Vendor: tt.vendor, Product: tt.product, Revision: tt.revision}
				inv.Enclosures[0].DriveEvidence = nil
				for i := range inv.Enclosures[0].Drives {
					inv.Enclosures[0].Drives[i].Evidence = nil
				}
				if diff := cmp.Diff([]inventory.Enclosure{want}, inv.Enclosures); diff != "" {
					t.Errorf("Scan(…) differs (-want +got):\n%s\nproblems: %q", diff, problems(inv))
				}
				r, err := scan.Read(t.Context(), "/dev/sg3", d)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.pages, r.Pages); diff != "" {
					t.Errorf("Read(…) gives pages (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func ptr[T any](v T) *T { return &v }
