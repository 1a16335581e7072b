//go:build e2e

package guest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// jbod is an enclosure with two I/O modules; %s is how it takes microcode.
const jbod = `apiVersion: fwctl/v1
kind: Rack
trace: trace.jsonl
hosts: [guest]
enclosures:
  - name: jbod
    logicalID: 5000ccab04001000
    vendor: ACME
    product: JBOD-60
    revision: "1000"
    download: {%s, chunk: {max: 4096}, rebootTime: 500ms}
    elements:
      - {type: power-supply, count: 2, names: [PSU A, PSU B]}
    esps:
      - {lu: 5000ccab04001001, latency: %s, paths: {guest: [0]}}
      - {lu: 5000ccab04001002, latency: %s, paths: {guest: [1]}}
`

const (
	esp1 = "5000ccab04001000/esp1/sub0"
	esp2 = "5000ccab04001000/esp2/sub0"
	lu1  = "5000ccab04001001"
	lu2  = "5000ccab04001002"
)

func diff(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmp.AllowUnexported(download{}, component{})); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// The inventory is what sg_ses says, and the kernel's own driver is content too.
func TestInventoryAgreesWithSgSes(t *testing.T) {
	r := serve(t, fmt.Sprintf(jbod, "protocol: ses, flashTime: 100ms", "0s", "0s"))
	line := regexp.MustCompile(`(?s)relative ES process id: (\d+), number of ES processes: (\d+).*` +
		`enclosure logical identifier \(hex\): (\w+)\s+enclosure vendor: (\S+)\s+product: (\S+)\s+rev: (\S+)`)
	got := r.inventory(t)
	want := map[string]component{}
	nodes, _ := filepath.Glob("/dev/sg*")
	for _, node := range nodes {
		out, err := exec.Command("sg_ses", "-p", "cf", node).CombinedOutput()
		m := line.FindStringSubmatch(string(out))
		if err != nil || m == nil {
			t.Fatalf("sg_ses -p cf %s: %v\n%s", node, err, out)
		}
		if m[2] != "2" || m[4] != "ACME" || m[5] != "JBOD-60" {
			t.Errorf("sg_ses -p cf %s: ESP %s of %s, %s %s; want one of 2, ACME JBOD-60", node, m[1], m[2], m[4], m[5])
		}
		want[fmt.Sprintf("%s/esp%s/sub0", m[3], m[1])] = component{node, m[6]}
	}
	diff(t, "fwctl inventory and sg_ses differ", got, want)
	if len(want) != 2 {
		t.Errorf("sg_ses sees %d ESPs; want 2", len(want))
	}
	wait(t, "the kernel's ses driver to bind", func() bool {
		bound, _ := filepath.Glob("/sys/class/enclosure/*")
		return len(bound) == 2
	})
	for _, page := range []string{"sdp", "es", "ed", "aes", "0xd"} {
		if out, err := exec.Command("sg_ses", "-p", page, nodes[0]).CombinedOutput(); err != nil {
			t.Errorf("sg_ses -p %s: %v\n%s", page, err, out)
		}
	}
}

// Mode e leaves both modules staged, one after the other; a power cycle starts them.
func TestModeE(t *testing.T) {
	for _, protocol := range []string{"ses", "write-buffer"} {
		t.Run(protocol, func(t *testing.T) {
			r := serve(t, fmt.Sprintf(jbod, "flashTime: 100ms, protocol: "+protocol, "0s", "0s"), "1100")
			r.want(t, "1100", "{}")
			r.run(t, 0, "plan", "-f", "desired.yaml", "--out", "saved.plan")
			r.run(t, 0, "apply", "saved.plan", "--yes")
			diff(t, "chunks of module 1", r.downloads(t, lu1), whole(0x0e, 4096))
			diff(t, "chunks of module 2", r.downloads(t, lu2), whole(0x0e, 4096))
			if out := r.run(t, 2, "plan", "-f", "desired.yaml", "--detailed-exitcode"); strings.Count(out, " staged ") < 2 {
				t.Errorf("the next plan does not say that both are staged:\n%s", out)
			}
			if out, err := exec.Command("simrack", "power-cycle", r.path("rack.yaml"), "jbod").CombinedOutput(); err != nil {
				t.Fatalf("simrack power-cycle: %v\n%s", err, out)
			}
			wait(t, "both modules to run 1100", func() bool {
				inv := r.inventory(t)
				return inv[esp1].revision == "1100" && inv[esp2].revision == "1100"
			})
			r.run(t, 0, "plan", "-f", "desired.yaml", "--detailed-exitcode")
		})
	}
}

// A refused mode e falls back to mode 7 in the reset wave; the module leaves the
// bus and comes back as another node.
func TestFallback(t *testing.T) {
	r := serve(t, fmt.Sprintf(jbod, `protocol: ses, flashTime: 100ms, modes: ["07"], vanish: true, returnNode: other`,
		"0s", "0s"), "1100")
	before := r.inventory(t)
	r.want(t, "1100", "{reset: always}")
	r.run(t, 0, "apply", "-f", "desired.yaml", "--yes")
	after := r.inventory(t)
	for address, c := range after {
		if c.revision != "1100" || c.node == before[address].node {
			t.Errorf("%s = %+v, was %+v; want revision 1100 on another node", address, c, before[address])
		}
	}
	if len(after) != 2 {
		t.Errorf("inventory = %v; want 2 components", after)
	}
	for _, lu := range []string{lu1, lu2} {
		got := r.downloads(t, lu)
		if len(got) == 0 || got[0] != (download{0x0e, 0, 4096}) {
			t.Fatalf("chunks of %s = %v; want mode e tried first", lu, got)
		}
		diff(t, "chunks of "+lu+" after the refusal", got[1:], whole(0x07, 4096))
	}
}

// What is staged is started in the same apply where the policy says so: one
// module after the other, each gone from the bus for a while.
func TestActivation(t *testing.T) {
	r := serve(t, fmt.Sprintf(jbod, `protocol: ses, flashTime: 100ms, vanish: true, returnNode: other`, "0s", "0s"),
		"1100")
	before := r.inventory(t)
	r.want(t, "1100", "{reset: always, activate: apply}")
	r.run(t, 0, "apply", "-f", "desired.yaml", "--yes")
	for address, c := range r.inventory(t) {
		if c.revision != "1100" || c.node == before[address].node {
			t.Errorf("%s = %+v, was %+v; want revision 1100 on another node", address, c, before[address])
		}
	}
	activate := download{mode: 0x0f}
	for _, lu := range []string{lu1, lu2} {
		diff(t, "downloads of "+lu, r.downloads(t, lu), append(whole(0x0e, 4096), activate))
	}
}

// sgSesMicrocode has an independent client bring a module to a revision. It does
// not wait for flash to be written, so that has to take no time.
func sgSesMicrocode(t *testing.T, r *rack, address, revision string) {
	t.Helper()
	node := r.inventory(t)[address].node
	do(t, "sg_ses_microcode", "-b", "4k", "-m", "dmc_offs_defer", "-I", r.path(revision+".bin"), node)
	// It asks for the status of a device that is restarting by then, and so ends
	// with an error though all went well: only the revision tells.
	activate, err := exec.Command("sg_ses_microcode", "-m", "activate_mc", node).CombinedOutput()
	t.Logf("sg_ses_microcode -m activate_mc: %v\n%s", err, activate)
	wait(t, address+" to run "+revision, func() bool { return r.inventory(t)[address].revision == revision })
}

// What sg_ses_microcode can flash, the served rack takes as the standard has it.
func TestSgSesMicrocode(t *testing.T) {
	r := serve(t, fmt.Sprintf(jbod, "protocol: ses, flashTime: 0s", "0s", "0s"), "1100")
	sgSesMicrocode(t, r, esp1, "1100")
	diff(t, "downloads of module 1", r.downloads(t, lu1), append(whole(0x0e, 4096), download{mode: 0x0f}))
}

// A download that is disturbed all the way arrives as one that is not.
func TestDisturbedDownload(t *testing.T) {
	for _, d := range disturbances {
		t.Run(d.name, func(t *testing.T) {
			r := serve(t, fmt.Sprintf(jbod, "protocol: ses, flashTime: 100ms", "30ms", "30ms"), "1100")
			r.want(t, "1100", "{}")
			r.run(t, 0, "plan", "-f", "desired.yaml", "--out", "saved.plan")
			begun := func() bool { return len(r.downloads(t, lu1)) > 0 }
			out, err := disturb(t, r.fwctl("apply", "saved.plan", "--yes"), begun, d.do)
			if err != nil {
				t.Fatalf("fwctl apply: %v\n%s", err, out)
			}
			diff(t, "chunks of module 1", r.downloads(t, lu1), whole(0x0e, 4096))
			diff(t, "chunks of module 2", r.downloads(t, lu2), whole(0x0e, 4096))
		})
	}
}

// No permission on the node is one clear error.
func TestNoPermission(t *testing.T) {
	r := serve(t, fmt.Sprintf(jbod, "protocol: ses, flashTime: 100ms", "0s", "0s"), "1100")
	r.want(t, "1100", "{}")
	for _, dir := range []string{filepath.Dir(r.dir), r.dir} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := r.fwctl("plan", "-f", "desired.yaml")
	asNobody(cmd)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "permission denied") {
		t.Errorf("fwctl plan as nobody: %v, %q; want exit code 1 and permission denied", err, out)
	}
	if got := r.downloads(t, lu1); len(got) > 0 {
		t.Errorf("downloads = %v; want none", got)
	}
}
