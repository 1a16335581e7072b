//go:build e2e

package guest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"testing"
)

// decision is what a plan makes of one component.
type decision struct {
	Action     string
	Disruption struct{ Expected, Worst, Why string }
	Reasons    []string
}

// blocked is how an image that only mode 7 takes is kept from a module.
func blocked(why string) decision {
	d := decision{Action: "blocked",
		Reasons: []string{"image iom supports mode 7 only, which resets the I/O module, and " + why}}
	d.Disruption.Expected, d.Disruption.Worst = "none", "none"
	return d
}

// updated is how such an image is sent, with what its reset does.
func updated(impact, why string) decision {
	d := decision{Action: "update", Reasons: []string{}}
	d.Disruption.Expected, d.Disruption.Worst, d.Disruption.Why = impact, impact, why
	return d
}

// plans gives what `fwctl plan` makes of each component, by address, where 1100 is
// wanted, only mode 7 takes it, and this is the rule for resets. It leaves
// desired.yaml and saved.plan.
func (r *rack) plans(t *testing.T, reset string) map[string]decision {
	t.Helper()
	r.want(t, "1100", "{reset: "+reset+"}", "7")
	var p struct {
		Steps []struct {
			Address string
			decision
		}
	}
	out := r.run(t, 2, "plan", "-f", "desired.yaml", "-o", "json", "--out", "saved.plan", "--detailed-exitcode")
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		t.Fatal(err)
	}
	steps := map[string]decision{}
	for _, s := range p.Steps {
		steps[s.Address] = s.decision
	}
	return steps
}

// refuses runs `fwctl apply` of the saved plan, which has to be refused for this
// reason, and has to have sent module 1 nothing.
func (r *rack) refuses(t *testing.T, how, why string) {
	t.Helper()
	out, err := r.fwctl("apply", "saved.plan", how).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || !bytes.Contains(out, []byte(why)) {
		t.Errorf("fwctl apply saved.plan %s: %v; want exit code 3 and %q\n%s", how, err, why, out)
	}
	diff(t, "downloads of module 1", r.downloads(t, lu1), []download(nil))
}

// A drive that is mounted over its one path keeps the module from being reset
// that the path leads through, unless the policy permits it, and until it is
// unmounted.
func TestPlanAroundMountedDrive(t *testing.T) {
	d := disks(t, true, place, place)
	r := serveDrives(t, d[:1], d[1:])
	unmount := mount(t, "/dev/"+d[1].name, "/tmp/tank")

	idle := blocked("the policy says reset: idle: slot 1 in use")
	diff(t, "idle", r.plans(t, "idle"), map[string]decision{esp1: idle, esp2: idle})
	r.run(t, 0, "plan", "-f", "desired.yaml") // blocked is told, not failed

	goesOn := updated("esp-reset", "mode 7 resets esp2; 1 drive in use, with a live path through esp1")
	diff(t, "redundant", r.plans(t, "redundant"), map[string]decision{
		esp1: blocked("the policy says reset: redundant: slot 1 in use, no other path"),
		esp2: goesOn,
	})
	diff(t, "always", r.plans(t, "always"), map[string]decision{
		esp1: updated("io-interruption", "mode 7 resets esp1; slot 1 in use, no other path"),
		esp2: goesOn,
	})
	r.refuses(t, "--yes", "I/O may stop at "+esp1+", and nobody accepted that")
	diff(t, "downloads of module 2", r.downloads(t, lu2), []download(nil))

	unmount()
	diff(t, "idle, unmounted", r.plans(t, "idle"), map[string]decision{
		esp1: updated("esp-reset", "mode 7 resets esp1; none of its 2 drives is in use"),
		esp2: updated("esp-reset", "mode 7 resets esp2; none of its 2 drives is in use"),
	})
}

// A drive with a port to each module goes on over one while the other is reset,
// if dm-multipath is over both, and both are alive.
func TestPlanAroundMultipath(t *testing.T) {
	d := disks(t, false, firstPort, secondPort)
	if d[0].port == d[1].port || d[0].scsiHost == d[1].scsiHost {
		t.Fatalf("scsi_debug gives %+v; want two ports behind two hosts", d)
	}
	r := serveDrives(t, d)
	goesOn := func(reset, through string) decision {
		return updated("esp-reset", "mode 7 resets "+reset+"; 1 drive in use, with a live path through "+through)
	}

	unmount := mount(t, "/dev/"+d[0].name, "/tmp/direct")
	diff(t, "no multipath", r.plans(t, "redundant"), map[string]decision{
		esp1: blocked("the policy says reset: redundant: slot 0 in use, with another path that is not used (no multipath)"),
		esp2: goesOn("esp2", "esp1"),
	})
	unmount()

	multipath(t, d)
	mount(t, "/dev/mapper/mpatha", "/tmp/mapped")
	diff(t, "a drive with a port to each module", r.sees(t), []string{
		fmt.Sprintf(`["mounted /tmp/mapped through dm-0 (mpatha)"] %s via A live used %s via B live used`, d[0].name,
			d[1].name),
	})
	diff(t, "a map over both", r.plans(t, "redundant"),
		map[string]decision{esp1: goesOn("esp1", "esp2"), esp2: goesOn("esp2", "esp1")})
	takeOffline(t, d[1])
	diff(t, "a dead path", r.plans(t, "redundant"), map[string]decision{
		esp1: blocked("the policy says reset: redundant: slot 0 in use, no other path"),
		esp2: goesOn("esp2", "esp1"),
	})
}

// A plan that another client has overtaken is refused, and nothing of it is sent.
func TestStalePlan(t *testing.T) {
	r := serve(t, fmt.Sprintf(jbod, "protocol: ses, flashTime: 0s", "0s", "0s"), "1050", "1100")
	r.want(t, "1100", "{}")
	r.run(t, 0, "plan", "-f", "desired.yaml", "--out", "saved.plan")
	r.run(t, 0, "apply", "saved.plan", "--check")
	sgSesMicrocode(t, r, esp2, "1050")

	r.refuses(t, "--check", "expected 1000, found 1050")
	r.refuses(t, "--yes", "expected 1000, found 1050")
	diff(t, "downloads of module 2", r.downloads(t, lu2), append(whole(0x0e, 4096), download{mode: 0x0f}))
}
