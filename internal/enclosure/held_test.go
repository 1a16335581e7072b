package enclosure_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fwctl/internal/enclosure"
	"fwctl/internal/sim"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/inventory/scan"
)

const (
	chassis = "5000ccab04001000"
	lu1     = "5000ccab04001001"
	address = chassis + "/esp1/sub0"
)

// onRack runs f on a machine with an enclosure of two ESPs at revision 1000, and a scan
// of it.
func onRack(t *testing.T, f func(t *testing.T, rack *sim.Rack, m transport.Machine, inv *inventory.Inventory)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rack.yaml")
	text := "apiVersion: fwctl/v1\nkind: Rack\nenclosures:\n  - {logicalID: " + chassis + ", vendor: ACME, " +
		"product: JBOD-60, revision: '1000', download: {rebootTime: 1m}, esps: [{}, {}]}\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		rack, err := sim.OpenPrivate(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := rack.Machine("")
		if err != nil {
			t.Fatal(err)
		}
		inv, err := scan.Scan(t.Context(), m, scan.Options{})
		if err != nil {
			t.Fatal(err)
		}
		f(t, rack, m, inv)
	})
}

// Every node is held until Close, and no one else gets it meanwhile.
func TestHold(t *testing.T) {
	t.Parallel()
	onRack(t, func(t *testing.T, _ *sim.Rack, m transport.Machine, inv *inventory.Inventory) {
		held, err := enclosure.Hold(t.Context(), m, chassis, []string{lu1}, inv)
		if err != nil {
			t.Fatal(err)
		}
		for _, esp := range inv.Enclosures[0].ESPs {
			for _, path := range esp.Paths {
				if _, err := m.Open(path, transport.ReadOnly); !errors.Is(err, transport.ErrBusy) {
					t.Errorf("Open(%s) while the enclosure is held = %v; want it busy", path, err)
				}
			}
		}
		began := time.Now()
		if _, err := enclosure.Hold(t.Context(), m, chassis, nil, inv); !errors.Is(err, transport.ErrBusy) {
			t.Errorf("Hold of what is held = %v; want it busy", err)
		}
		if time.Since(began) < 30*time.Second {
			t.Errorf("Hold gave up after %v; want it patient", time.Since(began))
		}
		e, err := held.Read(t.Context())
		if err != nil || len(e.ESPs) != 2 || e.ID() != held.ID() {
			t.Errorf("Read = %+v, %v; want both ESPs of %s", e, err, held.ID())
		}
		held.Close()
		if held, err = enclosure.Hold(t.Context(), m, chassis, nil, inv); err != nil {
			t.Fatalf("Hold of what was let go of = %v; want it held", err)
		}
		held.Close()
	})
}

// An ESP that was power-cycled is found again, and has said so.
func TestFindAgain(t *testing.T) {
	t.Parallel()
	onRack(t, func(t *testing.T, rack *sim.Rack, m transport.Machine, inv *inventory.Inventory) {
		held, err := enclosure.Hold(t.Context(), m, chassis, nil, inv)
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		held.ForgetResets(lu1)
		rack.PowerCycle(chassis)
		if _, err := held.Revision(t.Context(), lu1, 0); !transport.Unanswered(err) {
			t.Errorf("Revision while it restarts = %v; want no answer", err)
		}
		if _, err := held.Await(t.Context(), lu1, 0, address, time.Second); err == nil {
			t.Error("Await without patience found the ESP; want it away")
		}
		if _, err := held.Await(t.Context(), lu1, 0, address, 15*time.Minute); err != nil {
			t.Fatalf("Await = %v; want the ESP back", err)
		}
		if !held.WasReset(lu1) {
			t.Error("WasReset = false after a power cycle; want true")
		}
		if held.ForgetResets(lu1); held.WasReset(lu1) {
			t.Error("WasReset = true after ForgetResets; want false")
		}
		_, err = held.Await(t.Context(), lu1, 0, chassis+"/esp2/sub0", time.Second)
		if err == nil || !strings.Contains(err.Error(), "have modules changed places?") {
			t.Errorf("Await at another address = %v; want it to say what is there", err)
		}
	})
}

// What is not in sight cannot be held, but waited for.
func TestAbsent(t *testing.T) {
	t.Parallel()
	onRack(t, func(t *testing.T, _ *sim.Rack, m transport.Machine, inv *inventory.Inventory) {
		empty := &inventory.Inventory{}
		if _, err := enclosure.Hold(t.Context(), m, chassis, nil, empty); !enclosure.MayBeRestarting(err) {
			t.Errorf("Hold of what is not in sight = %v; want ErrNotInSight", err)
		}
		held := enclosure.Absent(m, chassis)
		defer held.Close()
		if e, err := held.Read(t.Context()); err == nil {
			t.Errorf("Read of nothing = %+v; want an error", e)
		}
		held.Expect(lu1)
		if e, err := held.Read(t.Context()); err != nil || len(e.ESPs) != 1 || e.ESPs[0].LUID != lu1 {
			t.Errorf("Read = %+v, %v; want the ESP that was expected", e, err)
		}
	})
}
