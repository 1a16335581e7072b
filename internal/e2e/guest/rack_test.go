//go:build e2e

package guest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"fwctl/internal/sim"
)

// rack is a simulated rack that this kernel sees as real devices, and a place
// for desired states and images beside it.
type rack struct {
	dir string
}

// serve starts a rack; the file has to say `trace: trace.jsonl`. Each image is
// written to <revision>.bin, as firmware for an ACME JBOD-60.
func serve(t *testing.T, file string, revisions ...string) *rack {
	t.Helper()
	r := &rack{dir: t.TempDir()}
	r.write(t, "rack.yaml", []byte(file))
	for _, rev := range revisions {
		r.write(t, rev+".bin", sim.Image("ACME", "JBOD-60", rev, imageSize))
	}
	cmd := exec.Command("simrack", "serve", r.path("rack.yaml"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(unix.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("simrack serve: %v", err)
		}
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("simrack serve said %q, %v; want serving", line, err)
	}
	t.Cleanup(func() {
		if trace, err := os.ReadFile(r.path("trace.jsonl")); err == nil && t.Failed() {
			t.Logf("trace:\n%s", trace)
		}
	})
	return r
}

const imageSize = 40_002 // no multiple of 4, nor of the chunk size

func (r *rack) path(name string) string { return filepath.Join(r.dir, name) }

func (r *rack) write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(r.path(name), data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// want writes a desired state that wants this revision, under this policy, by these
// modes, or by e and 7.
func (r *rack) want(t *testing.T, revision, policy string, modes ...string) {
	t.Helper()
	if modes == nil {
		modes = []string{"e", "7"}
	}
	image, err := os.ReadFile(r.path(revision + ".bin"))
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, "desired.yaml", fmt.Appendf(nil, `apiVersion: fwctl/v1
kind: DesiredState
models:
  acme60:
    match: {vendor: ACME, product: "JBOD-60"}
    esps: 2
    download: {flashTimeout: 5m} # what waits in vain ends before the guest does
    activation: {settle: 1s, returnTimeout: 60s}
    images:
      iom: {file: %s.bin, sha256: %x, revision: "%s", modes: [%s]}
want: [{model: acme60, image: iom, policy: p}]
policies: {p: %s}
`, revision, sha256.Sum256(image), revision, strings.Join(modes, ", "), policy))
}

func (r *rack) fwctl(args ...string) *exec.Cmd {
	cmd := exec.Command("fwctl", args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "FWCTL_STATE_DIR="+r.path("state"), "HOME=/", "USER=anna")
	return cmd
}

// run runs fwctl and wants this exit code.
func (r *rack) run(t *testing.T, code int, args ...string) (stdout string) {
	t.Helper()
	var out, diag bytes.Buffer
	cmd := r.fwctl(args...)
	cmd.Stdout, cmd.Stderr = &out, &diag
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("fwctl %s: exit code %d; want %d\n%s%s", strings.Join(args, " "), got, code, out.String(), diag.String())
	}
	return out.String()
}

// ends runs fwctl, which must exit with this code, and returns all that it says, in one line.
func (r *rack) ends(t *testing.T, code int, args ...string) string {
	t.Helper()
	cmd := r.fwctl(args...)
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("fwctl %s: exit code %d; want %d:\n%s", strings.Join(args, " "), got, code, out)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

// component is what an inventory says of one component.
type component struct {
	node, revision string
}

// inventory is the inventory by address.
func (r *rack) inventory(t *testing.T) map[string]component {
	t.Helper()
	var inv struct {
		Enclosures []struct {
			ESPs []struct {
				Paths         []string
				Subenclosures []struct{ Address, Revision string }
			} `json:"esps"`
		}
		Problems []any
	}
	if err := json.Unmarshal([]byte(r.run(t, 0, "inventory", "-o", "json")), &inv); err != nil {
		t.Fatal(err)
	}
	if len(inv.Problems) > 0 && len(inv.Enclosures) > 0 { // that there is none in sight is one
		t.Errorf("inventory problems = %v; want none", inv.Problems)
	}
	found := map[string]component{}
	for _, e := range inv.Enclosures {
		for _, p := range e.ESPs {
			for _, s := range p.Subenclosures {
				found[s.Address] = component{strings.Join(p.Paths, " "), s.Revision}
			}
		}
	}
	return found
}

// download is one chunk that reached a logical unit.
type download struct {
	mode        byte
	offset, len uint32
}

// commands calls each with the CDBs that reached a logical unit, in order, and what
// came with them, as far as the trace has it.
func (r *rack) commands(t *testing.T, lu string, each func(cdb, out []byte)) {
	t.Helper()
	trace, err := os.ReadFile(r.path("trace.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(trace) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // it is being written
		}
		var l struct{ LU, CDB, Out string }
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		cdb, _ := hex.DecodeString(l.CDB)
		out, _ := hex.DecodeString(l.Out)
		if l.LU == lu && len(cdb) > 0 {
			each(cdb, out)
		}
	}
}

// reads counts how often a diagnostic page of a logical unit was read.
func (r *rack) reads(t *testing.T, lu string, page byte) int {
	t.Helper()
	n := 0
	r.commands(t, lu, func(cdb, _ []byte) {
		if cdb[0] == 0x1c && cdb[2] == page {
			n++
		}
	})
	return n
}

// downloads gives the chunks that the logical unit took, in order.
func (r *rack) downloads(t *testing.T, lu string) []download {
	t.Helper()
	var all []download
	r.commands(t, lu, func(cdb, page []byte) {
		switch {
		case cdb[0] == 0x1d && len(page) == 24 && page[0] == 0x0e:
			all = append(all, download{page[8], binary.BigEndian.Uint32(page[12:]), binary.BigEndian.Uint32(page[20:])})
		case cdb[0] == 0x3b:
			all = append(all, download{cdb[1] & 0x1f, binary.BigEndian.Uint32(cdb[2:]) & 0xffffff,
				binary.BigEndian.Uint32(cdb[5:]) & 0xffffff})
		}
	})
	return all
}

// whole is an image sent once, in chunks of this size.
func whole(mode byte, chunk uint32) []download {
	var want []download
	for off := uint32(0); off < imageSize; off += chunk {
		want = append(want, download{mode, off, min(chunk, imageSize-off)})
	}
	return want
}
