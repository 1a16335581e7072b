package sim_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fwctl/internal/sim"
	"fwctl/internal/transport"
)

// rack opens a rack of this text in a folder of its own.
func rack(t *testing.T, text string) (*sim.Rack, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rack.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return reopen(t, file), file
}

func reopen(t *testing.T, file string) *sim.Rack {
	t.Helper()
	r, err := sim.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func testdata(t *testing.T, name string) (*sim.Rack, string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return rack(t, string(text))
}

// acme is a rack of one enclosure whose download is as given, in flow style, and
// with more keys of the enclosure behind.
func acme(download string, more ...string) string {
	return `apiVersion: fwctl/v1
kind: Rack
trace: trace.jsonl
enclosures:
  - logicalID: 5000ccab04001000
    vendor: ACME
    product: JBOD-60
    revision: "1000"
    esps: [{}]
    download: {` + download + `}
` + strings.Join(more, "\n") + "\n"
}

func machine(t *testing.T, r *sim.Rack, host string) transport.Machine {
	t.Helper()
	m, err := r.Machine(host)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// lu is a logical unit under test.
type lu struct {
	t *testing.T
	transport.Node
}

func open(t *testing.T, r *sim.Rack, node string) lu {
	t.Helper()
	n, err := machine(t, r, "").Open(node, transport.ReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return lu{t, n}
}

// do sends a command, its CDB in hex. The answer is its data, or its sense data
// as key/ASC/ASCQ with the sense-key-specific bytes, or its status.
func (l lu) do(cdb string, out []byte) (in []byte, failure string) {
	l.t.Helper()
	in, failure, err := l.try(cdb, out)
	if err != nil {
		l.t.Fatalf("command %s: %v", cdb, err)
	}
	return in, failure
}

func (l lu) try(cdb string, out []byte) (in []byte, failure string, err error) {
	l.t.Helper()
	req := &transport.Request{CDB: unhex(l.t, cdb), Out: out, Timeout: time.Hour}
	if out == nil {
		req.In = make([]byte, 65536)
	}
	resp, err := l.Do(context.Background(), req)
	if err != nil {
		return nil, "", err
	}
	switch s := resp.Sense; {
	case resp.Status == 0x02 && s[0] == 0x70:
		failure = hex.EncodeToString([]byte{s[2]}) + "/" + hex.EncodeToString(s[12:13]) + "/" + hex.EncodeToString(s[13:14])
		if s[15] != 0 {
			failure += " " + hex.EncodeToString(s[15:18])
		}
	case resp.Status == 0x02:
		failure = hex.EncodeToString(s)
	case resp.Status != 0:
		failure = "status " + hex.EncodeToString([]byte{resp.Status})
	}
	return req.In[:resp.Received], failure, nil
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// want sends a command and compares the data that comes back, in hex, or what
// it fails with.
func (l lu) want(cdb, want string) {
	l.t.Helper()
	in, failure := l.do(cdb, nil)
	got := hex.EncodeToString(in)
	if failure != "" {
		got = failure
	}
	if want = strings.TrimSpace(want); !strings.Contains(want, "/") && !strings.HasPrefix(want, "status") {
		want = strings.Join(strings.Fields(want), "")
	}
	if got != want {
		l.t.Errorf("command %s = %s; want %s", cdb, got, want)
	}
}

// ready takes the unit attentions away.
func (l lu) ready() {
	l.t.Helper()
	for range 8 {
		if _, failure := l.do("00 00 00 00 00 00", nil); failure == "" {
			return
		}
	}
	l.t.Fatal("the unit does not become ready")
}

func (l lu) page(code byte) []byte {
	l.t.Helper()
	in, failure := l.do(hex.EncodeToString([]byte{0x1c, 1, code, 0x80, 0, 0}), nil)
	if failure != "" {
		l.t.Fatalf("page %02xh = %s; want the page", code, failure)
	}
	if len(in) < 4 || int(binary.BigEndian.Uint16(in[2:])) != len(in)-4 {
		l.t.Fatalf("page %02xh has %d bytes and a page length of % x; want n-4", code, len(in), in[2:4])
	}
	return in
}

// revision is what page 01h says of the primary subenclosure.
func (l lu) revision() string { l.t.Helper(); return string(l.page(0x01)[44:48]) }

// status reads page 0Eh: status, additional status and expected offset of the
// nth subenclosure.
func (l lu) status(n int) (status, additional byte, offset uint32) {
	l.t.Helper()
	d := l.page(0x0e)[8+16*n:]
	return d[2], d[3], binary.BigEndian.Uint32(d[12:])
}

func (l lu) wantStatus(n int, status, additional byte, offset uint32) {
	l.t.Helper()
	s, a, o := l.status(n)
	if s != status || a != additional || o != offset {
		l.t.Errorf("status of subenclosure %d = %02x, %02x, offset %d; want %02x, %02x, offset %d", n, s, a, o, status,
			additional, offset)
	}
}

// control is a download microcode control page, 0Eh.
func control(generation uint32, sub, mode, buffer byte, offset, length, size int, data []byte) []byte {
	p := []byte{0x0e, sub, 0, 0}
	p = binary.BigEndian.AppendUint32(p, generation)
	p = append(p, mode, 0, 0, buffer)
	p = binary.BigEndian.AppendUint32(p, uint32(offset))
	p = binary.BigEndian.AppendUint32(p, uint32(length))
	p = binary.BigEndian.AppendUint32(p, uint32(size))
	p = append(p, data...)
	for len(p)%4 != 0 {
		p = append(p, 0)
	}
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)-4))
	return p
}

// send sends a diagnostic page; what it fails with is "" for GOOD.
func (l lu) send(page []byte) string {
	l.t.Helper()
	_, failure := l.do(hex.EncodeToString([]byte{0x1d, 0x10, 0, byte(len(page) >> 8), byte(len(page)), 0}), page)
	return failure
}

// download sends an image by page 0Eh, up to its byte end.
func (l lu) download(generation uint32, sub, mode byte, image []byte, chunk, end int) {
	l.t.Helper()
	for off := 0; off < end; off += chunk {
		data := image[off:min(off+chunk, len(image))]
		if failure := l.send(control(generation, sub, mode, 0, off, len(image), len(data), data)); failure != "" {
			l.t.Fatalf("chunk at %d = %s; want GOOD", off, failure)
		}
	}
}

// buffer sends an image by WRITE BUFFER.
func (l lu) buffer(mode, id byte, image []byte, chunk int) string {
	l.t.Helper()
	for off := 0; off < len(image); off += chunk {
		if failure := l.writeBuffer(mode, id, off, image[off:min(off+chunk, len(image))]); failure != "" {
			return failure
		}
	}
	return ""
}

func (l lu) writeBuffer(mode, id byte, off int, data []byte) string {
	l.t.Helper()
	n := len(data)
	cdb := []byte{0x3b, mode, id, byte(off >> 16), byte(off >> 8), byte(off), byte(n >> 16), byte(n >> 8), byte(n), 0}
	if data == nil {
		data = []byte{}
	}
	_, failure := l.do(hex.EncodeToString(cdb), data)
	return failure
}

func traceLines(t *testing.T, rackFile string) []map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(filepath.Dir(rackFile), "trace.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []map[string]any
	for line := range bytes.Lines(data) {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("trace line %s: %v", line, err)
		}
		lines = append(lines, v)
	}
	return lines
}

// FuzzExecute: no command whatever is answered with a panic, or with more data
// than there is room for.
func FuzzExecute(f *testing.F) {
	f.Add([]byte{0x1c, 1, 1, 2, 0, 0}, []byte{})
	f.Add([]byte{0x1d, 0x10, 0, 0, 28, 0}, control(1, 0, 0x0e, 0, 0, 8, 4, []byte("abcd")))
	f.Add([]byte{0x1d, 0x10, 0, 0, 24, 0}, control(1, 0, 0x0f, 0, 0, 0, 0, nil))
	f.Add([]byte{0x3b, 0x07, 0, 0, 0, 0, 0, 0, 4, 0}, []byte("abcd"))
	f.Add([]byte{0xa3, 0x0c, 3, 0x3b, 0, 7, 0, 0, 1, 0, 0, 0}, []byte{})
	file := filepath.Join(f.TempDir(), "rack.yaml")
	text := strings.Replace(acme("protocol: both, returnNode: same, rebootTime: 0s",
		"    faults: [{when: {offset: 4, every: true}, do: {status: 81}}]"), "trace: trace.jsonl\n", "", 1)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		f.Fatal(err)
	}
	r, err := sim.Open(file)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, cdb, out []byte) {
		reply, err := r.Execute("stor1/5000ccab04001000/esp1/0", cdb, out, 64)
		if err != nil {
			t.Fatal(err)
		}
		if len(reply.In) > 64 || (reply.Status == 0x02) != (len(reply.Sense) > 0) {
			t.Errorf("Execute(% x) = %+v; want 64 bytes at most, and sense data with CHECK CONDITION", cdb, reply)
		}
	})
}
