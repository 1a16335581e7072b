package scan_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sync"
	"testing"
	"testing/fstest"

	"fwctl/internal/transport"
)

// fakeMachine is a machine with canned answers, for what no simulated rack does.
type fakeMachine struct {
	fs      fstest.MapFS
	devices map[string]*fakeDevice // by node
	access  func(node string) error
	held    map[string]bool   // by block device; those that are not in it must not be opened
	tables  map[string]string // status of dm maps, by the kernel's name
	open    []transport.OpenDisk
	openErr error
	pools   string // what zpool status prints; "": it is missing

	mu     sync.Mutex
	opened []string
}

func newMachine() *fakeMachine {
	return &fakeMachine{
		fs:      fstest.MapFS{"sys/class/scsi_generic": {Mode: fs.ModeDir}},
		devices: map[string]*fakeDevice{},
	}
}

// add gives the machine a device: its node, its SCSI type as sysfs has it, and
// its INQUIRY data.
func (m *fakeMachine) add(node, scsiType string, d *fakeDevice) *fakeMachine {
	m.devices[node] = d
	dir := "sys/class/scsi_generic/" + path.Base(node) + "/device/"
	m.fs[dir+"type"] = &fstest.MapFile{Data: []byte(scsiType + "\n")}
	m.fs[dir+"inquiry"] = &fstest.MapFile{Data: d.answers["INQUIRY"]}
	return m
}

// keepVPD gives the kernel its copy of a device's VPD page 83h.
func (m *fakeMachine) keepVPD(node string) {
	m.fs["sys/class/scsi_generic/"+path.Base(node)+"/device/vpd_pg83"] = &fstest.MapFile{
		Data: m.devices[node].answers["VPD 83"]}
}

func (m *fakeMachine) Hostname() string { return "stor1" }
func (m *fakeMachine) Simulated() bool  { return false }
func (m *fakeMachine) FS() fs.FS        { return m.fs }
func (m *fakeMachine) BlockDeviceHeld(name string) (bool, error) {
	held, ok := m.held[name]
	if !ok {
		panic("the scan opens block device " + name)
	}
	return held, nil
}
func (m *fakeMachine) OpenDisks() ([]transport.OpenDisk, error) { return m.open, m.openErr }
func (m *fakeMachine) DMTableStatus(name string) (string, error) {
	status, ok := m.tables[name]
	if !ok {
		return "", fs.ErrNotExist
	}
	return status, nil
}
func (m *fakeMachine) ZpoolStatus(context.Context) (string, error) {
	if m.pools == "" {
		return "", fs.ErrNotExist
	}
	return m.pools, nil
}
func (m *fakeMachine) Lock(string) (io.Closer, error)      { panic("a scan takes no lock") }
func (m *fakeMachine) ShareLock(string) (io.Closer, error) { panic("a scan takes no lock") }
func (m *fakeMachine) HoldsLock(string, int) (bool, error) { panic("a scan looks for no lock") }
func (m *fakeMachine) failed(node string, err error) error {
	return &transport.Error{Op: "open", Path: node, NotSent: true, Err: err}
}
func (m *fakeMachine) Open(node string, access transport.Access) (transport.Node, error) {
	m.mu.Lock()
	m.opened = append(m.opened, node)
	m.mu.Unlock()
	if access != transport.ReadOnly {
		return nil, m.failed(node, fmt.Errorf("opened with access %d, want ReadOnly", access))
	}
	if m.access != nil {
		if err := m.access(node); err != nil {
			return nil, m.failed(node, err)
		}
	}
	return fakeNode{m.devices[node]}, nil
}

type fakeNode struct{ *fakeDevice }

func (fakeNode) Close() error { return nil }

// fakeDevice answers from a table; what is not in it ends with 05/24/00.
type fakeDevice struct {
	t       *testing.T
	answers map[string][]byte // "INQUIRY", "VPD 83", "page 01", "modes 07"
	hangs   string            // the question that is never answered
	change  func(question string, asked int) ([]byte, bool)

	mu    sync.Mutex
	asked map[string]int
}

// Do implements transport.Transport.
func (d *fakeDevice) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	if req.Effect || len(req.Out) > 0 {
		d.t.Errorf("a scan sent % x; want nothing with an effect", req.CDB)
	}
	if length := len(req.In); req.CDB[0] == 0x12 && (length < 512 || length&0xff < 36) {
		d.t.Errorf("a scan sent INQUIRY with allocation length %#x; "+
			"want 512 at least, and a low byte that old devices can use", length)
	}
	question := "?"
	switch c := req.CDB; {
	case c[0] == 0x12 && c[1] == 0:
		question = "INQUIRY"
	case c[0] == 0x12:
		question = fmt.Sprintf("VPD %02x", c[2])
	case c[0] == 0x1c:
		question = fmt.Sprintf("page %02x", c[2])
	case c[0] == 0xa3 && c[3] == 0x3b:
		question = fmt.Sprintf("modes %02x", c[5])
	}
	if question == d.hangs {
		<-ctx.Done()
		return nil, &transport.Error{Op: "read the answer of", Err: transport.ErrAbandoned}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked == nil {
		d.asked = map[string]int{}
	}
	d.asked[question]++
	answer, ok := d.answers[question]
	if d.change != nil {
		if changed, is := d.change(question, d.asked[question]); is {
			answer, ok = changed, true
		}
	}
	if !ok {
		sense, _ := hex.DecodeString("700005000000000a00000000240000000000")
		return &transport.Response{Status: 0x02, Sense: sense}, nil
	}
	return &transport.Response{Received: copy(req.In, answer)}, nil
}

// inquiryData is standard INQUIRY data of 36 bytes.
func inquiryData(deviceType byte, encServ bool, vendor, product, revision string) []byte {
	b := []byte{deviceType, 0, 6, 2, 31, 0, 0, 0}
	if encServ {
		b[6] = 0x40
	}
	return fmt.Appendf(b, "%-8s%-16s%-4s", vendor, product, revision)
}

func fromHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
