package capture_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/internal/capture"
	"fwctl/internal/sim"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/inventory/scan"
	"fwctl/schemas"
)

const small = `apiVersion: fwctl/v1
kind: Rack
trace: trace.jsonl
hosts: [stor1]
enclosures:
  - logicalID: 5000ccab04001000
    vendor: ACME
    product: JBOD-60
    revision: "1000"
    esps: [{FIRST}, {}]
    drives: [{slot: 0, count: 2, use: {mount: /tank}}]
`

// record reads a rack in a bubble of its own time, and gives the capture to test
// with what was read. hold, if any, is held exclusively by someone else.
func record(t *testing.T, rack, hold string, test func(t *testing.T, data []byte, read *inventory.Inventory)) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "rack.yaml")
	if err := os.WriteFile(file, []byte(rack), 0o644); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		r, err := sim.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := r.Machine("")
		if err != nil {
			t.Fatal(err)
		}
		if hold != "" {
			held, err := m.Open(hold, transport.Exclusive)
			if err != nil {
				t.Fatal(err)
			}
			defer held.Close()
		}
		recorder := capture.Record(m, time.Now())
		read, err := scan.Scan(t.Context(), recorder, scan.Options{})
		if err != nil {
			t.Fatal(err)
		}
		data, err := recorder.Encode()
		if err != nil {
			t.Fatal(err)
		}
		test(t, data, read)
	})
}

func replay(t *testing.T, data []byte) transport.Machine {
	t.Helper()
	c, err := capture.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return c.Machine()
}

// What is read from a capture is what was read from the machine, whatever the
// devices answered, and however often.
func TestReplayIsTheSameInventory(t *testing.T) {
	racks := map[string]string{"sound": strings.Replace(small, "FIRST", "", 1)}
	for name, fault := range map[string]string{
		"unit attention":   `{when: {opcode: "12", nth: 2}, do: {sense: 06/29/00}}`,
		"busy":             `{when: {opcode: "1c", nth: 2, times: 3}, do: {busy: true}}`,
		"short page":       `{when: {opcode: "1c", page: "0a"}, do: {shortPage: 10}}`,
		"short pages":      `{when: {opcode: "1c", page: "02", every: true}, do: {shortPage: 10}}`,
		"page 08h":         `{when: {opcode: "1c", page: "07"}, do: {page08: true}}`,
		"generation":       `{when: {opcode: "1c", page: "02"}, do: {bumpGeneration: true}}`,
		"refused":          `{when: {opcode: "1c", page: "02", every: true}, do: {sense: 05/24/00}}`,
		"no page 01h":      `{when: {opcode: "1c", page: "01", every: true}, do: {sense: 05/24/00}}`,
		"gone":             `{when: {opcode: "1c", page: "02"}, do: {vanish: 1h}}`,
		"without answer":   `{when: {opcode: "1c", page: "02"}, do: {noAnswer: true}}`,
		"no modes of 3Bh":  `{when: {opcode: "a3", every: true}, do: {sense: 05/20/00}}`,
		"refuses all VPDs": `{when: {opcode: "12", nth: 2, every: true}, do: {sense: 05/24/00}}`,
	} {
		racks[name] = strings.Replace(small, "FIRST", "faults: ["+fault+"]", 1)
	}
	examples, err := filepath.Glob("../../examples/*/rack.yaml")
	if err != nil || len(examples) == 0 {
		t.Fatalf("Glob = %v, %v; want examples", examples, err)
	}
	for _, file := range examples {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		racks[file] = string(data)
	}
	racks["held by another"] = racks["sound"]
	racks["behind another"] = strings.Replace(racks["sound"], "logicalID", "name: first\n    logicalID", 1) + `  - logicalID: 5000ccab04002000
    vendor: ACME
    product: JBOD-60
    revision: "1000"
    behind: first
    esps: [{}, {}]
`
	for name, rack := range racks {
		t.Run(name, func(t *testing.T) {
			hold := ""
			if name == "held by another" {
				hold = "/dev/sg0"
			}
			record(t, rack, hold, func(t *testing.T, data []byte, read *inventory.Inventory) {
				if _, problems := schemas.Check("capture", "capture.json", data); len(problems) > 0 {
					t.Errorf("the capture does not fit its schema: %v", problems)
				}
				if len(read.Enclosures) == 0 {
					t.Fatal("nothing was read")
				}
				m := replay(t, data)
				for range 2 {
					again, err := scan.Scan(t.Context(), m, scan.Options{})
					if err != nil {
						t.Fatal(err)
					}
					again.ScannedAt = read.ScannedAt
					if diff := cmp.Diff(read, again); diff != "" {
						t.Errorf("the inventory of the capture (-machine +capture):\n%s", diff)
					}
				}
			})
		})
	}
}

// Recording sends what a scan sends: nothing with an effect, and never page 0Eh.
func TestRecordingHasNoEffect(t *testing.T) {
	dir := t.TempDir()
	rack := strings.Replace(strings.Replace(small, "FIRST", "", 1), "trace: trace.jsonl",
		"trace: "+filepath.Join(dir, "trace.jsonl"), 1)
	record(t, rack, "", func(*testing.T, []byte, *inventory.Inventory) {})
	trace, err := os.ReadFile(filepath.Join(dir, "trace.jsonl"))
	if err != nil || len(trace) == 0 {
		t.Fatalf("the rack's trace is empty: %v", err)
	}
	for line := range strings.Lines(string(trace)) {
		var command struct {
			CDB    string
			Effect bool
		}
		if err := json.Unmarshal([]byte(line), &command); err != nil {
			t.Fatal(err)
		}
		if command.Effect || strings.HasPrefix(command.CDB, "1c010e") {
			t.Errorf("recording sent %s", line)
		}
	}
}

// hangs is a machine of which one node never answers RECEIVE DIAGNOSTIC RESULTS.
type hangs struct {
	transport.Machine
	until chan struct{}
}

func (m hangs) Open(path string, access transport.Access) (transport.Node, error) {
	node, err := m.Machine.Open(path, access)
	if path == "/dev/sg0" && err == nil {
		node = hangingNode{node, m.until}
	}
	return node, err
}

type hangingNode struct {
	transport.Node
	until chan struct{}
}

func (n hangingNode) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	if req.CDB[0] == 0x1c {
		<-n.until
	}
	return n.Node.Do(ctx, req)
}

// A device that hangs is a problem in the replay, too, and the others are as they were.
func TestDeviceThatHangs(t *testing.T) {
	record(t, strings.Replace(small, "FIRST", "", 1), "", func(t *testing.T, data []byte, _ *inventory.Inventory) {
		m := hangs{replay(t, data), make(chan struct{})}
		defer close(m.until)
		recorder := capture.Record(m, time.Now())
		read, err := scan.Scan(t.Context(), recorder, scan.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if data, err = recorder.Encode(); err != nil {
			t.Fatal(err)
		}
		again, err := scan.Scan(t.Context(), replay(t, data), scan.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(read.Enclosures, again.Enclosures); diff != "" {
			t.Errorf("the enclosures of the capture (-machine +capture):\n%s", diff)
		}
		if len(again.Problems) != len(read.Problems) ||
			!strings.Contains(again.Problems[0].Detail, "no answer to this command") {
			t.Errorf("Problems = %v; want one of the device that hung, as in %v", again.Problems, read.Problems)
		}
	})
}

// Nothing is written to a capture, or through a recorder.
func TestNothingIsWritten(t *testing.T) {
	record(t, strings.Replace(small, "FIRST", "", 1), "", func(t *testing.T, data []byte, _ *inventory.Inventory) {
		m := replay(t, data)
		if !m.Simulated() {
			t.Error("Simulated = false; want no plan made of a capture to be taken for a real one")
		}
		for _, access := range []transport.Access{transport.ReadWrite, transport.Exclusive} {
			if _, err := m.Open("/dev/sg0", access); !errors.Is(err, capture.ErrReplay) {
				t.Errorf("Open(%v) = %v; want ErrReplay", access, err)
			}
		}
		if _, err := m.Lock("5000ccab04001000"); !errors.Is(err, capture.ErrReplay) {
			t.Errorf("Lock = %v; want ErrReplay", err)
		}
		node, err := m.Open("/dev/sg0", transport.ReadOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, req := range []*transport.Request{
			{CDB: []byte{0x1d, 0x10, 0, 0, 4, 0}, Out: []byte{0x0e, 0, 0, 0}, Effect: true},
			{CDB: []byte{0x3b, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0}, Effect: true},
			{CDB: []byte{0x1c, 0x01, 0x0e, 0x80, 0, 0}, In: make([]byte, 100), Effect: true},
		} {
			var e *transport.Error
			if _, err := node.Do(context.Background(), req); !errors.Is(err, capture.ErrReplay) || !errors.As(err, &e) ||
				!e.NotSent {
				t.Errorf("Do(% x) = %v; want ErrReplay, not sent", req.CDB, err)
			}
		}
		if _, err := m.Open("/dev/sg99", transport.ReadOnly); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open of a node that was not there = %v; want fs.ErrNotExist", err)
		}

		recorder := capture.Record(m, time.Now())
		if _, err := recorder.Open("/dev/sg0", transport.Exclusive); err == nil {
			t.Error("a recorder opens a node exclusively; want it refused")
		}
		for what, f := range map[string]func() (any, error){
			"Lock":            func() (any, error) { return recorder.Lock("a") },
			"BlockDeviceHeld": func() (any, error) { return recorder.BlockDeviceHeld("sda") },
		} {
			if _, err := f(); err == nil {
				t.Errorf("%s of a recorder = nil; want it refused", what)
			}
		}
	})
}

// fails is a machine whose node does not open.
type fails struct {
	transport.Machine
	err error
}

func (m fails) Open(string, transport.Access) (transport.Node, error) { return nil, m.err }
func (m fails) Hostname() string                                      { return "stor1" }
func (m fails) Simulated() bool                                       { return false }

// asked is a machine that knows of open disks and maps, or fails at it.
type asked struct {
	transport.Machine
	err error
}

func (m asked) Hostname() string { return "stor1" }
func (m asked) Simulated() bool  { return false }

func (m asked) OpenDisks() ([]transport.OpenDisk, error) {
	return []transport.OpenDisk{{PID: 7, Command: "a\x1b[2J", Device: "sda"}}, m.err
}

func (m asked) DMTableStatus(string) (string, error) {
	return "0 8 multipath 2 0 0 0 1 1 A 0 1 0 8:0 F 1 \n", m.err
}

func (m asked) ZpoolStatus(context.Context) (string, error) {
	return "  pool: a\x1b[2J\n", m.err
}

// What uses disks is replayed with what could not be told of it; a capture that
// was not asked, or is older, does not say that nothing does.
func TestUsesAreReplayed(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{nil, &transport.Error{Op: "look in", Path: "/proc", Err: fs.ErrPermission}} {
		recorder := capture.Record(asked{err: failure}, time.Now())
		before, _ := recorder.OpenDisks()
		status, _ := recorder.DMTableStatus("dm-0")
		pools, _ := recorder.ZpoolStatus(t.Context())
		data, err := recorder.Encode()
		if err != nil {
			t.Fatal(err)
		}
		m := replay(t, data)
		after, err := m.OpenDisks()
		if !cmp.Equal(after, before) || errors.Is(err, fs.ErrPermission) != (failure != nil) ||
			(err == nil) != (failure == nil) {
			t.Errorf("OpenDisks = %v, %v; want %v, %v", after, err, before, failure)
		}
		again, err := m.DMTableStatus("dm-0")
		if again != status || (err == nil) != (failure == nil) {
			t.Errorf("DMTableStatus = %q, %v; want %q, %v", again, err, status, failure)
		}
		text, err := m.ZpoolStatus(t.Context())
		if text != pools || text == "" || (err == nil) != (failure == nil) {
			t.Errorf("ZpoolStatus = %q, %v; want %q, %v", text, err, pools, failure)
		}
		if _, err := m.DMTableStatus("dm-1"); err == nil {
			t.Error("DMTableStatus of a map that was not recorded = nil; want an error")
		}
	}
	m := replay(t, []byte(`{"kind": "Capture", "format_version": "1.0", "host": "stor1"}`))
	if open, err := m.OpenDisks(); err == nil {
		t.Errorf("OpenDisks of an older capture = %v, nil; want an error", open)
	}
	if text, err := m.ZpoolStatus(t.Context()); err == nil {
		t.Errorf("ZpoolStatus of an older capture = %q, nil; want an error", text)
	}
}

// Errors are replayed as what they were.
func TestFailures(t *testing.T) {
	for _, cause := range []error{transport.ErrBusy, transport.ErrGone, transport.ErrTimeout, transport.ErrAbandoned,
		fs.ErrPermission, fs.ErrNotExist, io.ErrUnexpectedEOF, nil} {
		before := &transport.Error{Op: "open", Path: "/dev/sg0", NotSent: true, Host: 7, Driver: 8, Err: cause}
		recorder := capture.Record(fails{err: before}, time.Now())
		if _, err := recorder.Open("/dev/sg0", transport.ReadOnly); err == nil {
			t.Fatal("Open = nil; want its error")
		}
		data, err := recorder.Encode()
		if err != nil {
			t.Fatal(err)
		}
		_, after := replay(t, data).Open("/dev/sg0", transport.ReadOnly)
		var e *transport.Error
		if !errors.As(after, &e) || e.Error() != before.Error() || !e.NotSent || e.Host != 7 || cause != nil &&
			cause != io.ErrUnexpectedEOF && !errors.Is(e, cause) {
			t.Errorf("%v is replayed as %v", before, after)
		}
	}
}

func TestBytes(t *testing.T) {
	for content, want := range map[string]string{
		"":           "",
		"13\n":       "13\n",
		"\x00\x01":   "hex:0001",
		"hex:00":     "hex:6865783a3030",
		"Köln":       "hex:4bc3b66c6e",
		"a\\b\"<&>c": "a\\b\"<&>c",
	} {
		text, err := capture.Bytes(content).MarshalText()
		if err != nil || string(text) != want {
			t.Errorf("Bytes(%q) = %q, %v; want %q", content, text, err, want)
		}
		var back capture.Bytes
		if err := back.UnmarshalText(text); err != nil || string(back) != content {
			t.Errorf("Bytes(%q) is read as %q, %v", content, back, err)
		}
	}
	var bad capture.Bytes
	if err := bad.UnmarshalText([]byte("hex:0g")); err == nil {
		t.Error("hex:0g is read; want an error")
	}
}

func TestParseRefuses(t *testing.T) {
	for data, want := range map[string]string{
		"[]":                    "does not fit",
		`{"kind": "Inventory"}`: `"Inventory"`,
		`{"kind": "Capture", "format_version": "2.0", "host": "a"}`:                                                     `"2.0"`,
		`{"kind": "Capture", "format_version": "1.0"}`:                                                                  "does not name its host",
		`{"kind": "Capture", "format_version": "1.0", "host": "a", "nodes": {"/dev/sg0": null}}`:                        "/dev/sg0",
		`{"kind": "Capture", "format_version": "1.0", "host": "a", "files": {"a": "hex:0"}}`:                            "does not fit",
		`{"kind": "Capture", "format_version": "1.0", "host": "a", "nodes": {"/dev/sg0": {"exchanges": [{"cdb": 1}]}}}`: "does not fit",
	} {
		c, err := capture.Parse([]byte(data))
		var format *capture.FormatError
		if !errors.As(err, &format) || !strings.Contains(err.Error(), want) || c != nil {
			t.Errorf("Parse(%s) = %v, %v; want a *FormatError with %q", data, c, err, want)
		}
	}
}
