//go:build e2e

package guest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"fwctl/internal/sim"
)

// doubtful serves two I/O modules that take microcode in some manner, the first of
// which has faults, and wants 1100 on both, by one mode.
func doubtful(t *testing.T, download, faults, mode string) *rack {
	t.Helper()
	r := serve(t, fmt.Sprintf(jbod, "protocol: ses, "+download, "0s, faults: ["+faults+"]", "0s"), "1100")
	r.want(t, "1100", "{reset: always}", mode)
	return r
}

// remembers returns what `fwctl status` has of components, one line each, sorted.
func (r *rack) remembers(t *testing.T) []string {
	t.Helper()
	var s struct {
		Staged, Stuck, Cautions []struct {
			Address, Kind, Revision string
			Confirmed               bool
		}
	}
	if err := json.Unmarshal([]byte(r.run(t, 0, "status", "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, x := range s.Staged {
		lines = append(lines, fmt.Sprintf("%s: staged %s, confirmed %t", x.Address, x.Revision, x.Confirmed))
	}
	for _, x := range s.Stuck {
		lines = append(lines, x.Address+": stuck at "+x.Kind)
	}
	for _, x := range s.Cautions {
		lines = append(lines, x.Address+": "+x.Kind)
	}
	slices.Sort(lines)
	return lines
}

// module is the truth about an I/O module: what the rack itself has of it.
type module struct {
	Runs     string // revision
	Staged   string // revision, "" for none
	Broken   bool   // there is nothing that it could boot from
	Holds    int    // bytes of an image that is not whole
	Images   int    // that it got whole
	Damaged  int    // that it got with gaps, or with chunks that came twice
	Restarts int    // by new microcode
}

// truth asks the rack itself about its two modules.
func (r *rack) truth(t *testing.T) (first, second module) {
	t.Helper()
	rack, err := sim.Open(r.path("rack.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := rack.State()
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Parts map[string]struct {
			Revision string
			Broken   bool
			Staged   struct{ Revision string }
			Load     struct{ Next int }
			Received []struct{ Gaps, Doubles int }
		}
		Outages []struct{ ESP, Why string }
	}
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	of := func(esp string) module {
		p := s.Parts[esp+"/sub0"]
		m := module{Runs: p.Revision, Staged: p.Staged.Revision, Broken: p.Broken, Holds: p.Load.Next}
		if m.Runs == "" {
			m.Runs = "1000" // as declared
		}
		for _, image := range p.Received {
			m.Images++
			if image.Gaps+image.Doubles > 0 {
				m.Damaged++
			}
		}
		for _, o := range s.Outages {
			if o.ESP == esp && o.Why == "reset" {
				m.Restarts++
			}
		}
		return m
	}
	return of("jbod/esp1"), of("jbod/esp2")
}

// is checks the truth about both modules.
func (r *rack) is(t *testing.T, first, second module) {
	t.Helper()
	got1, got2 := r.truth(t)
	diff(t, "module 1 in truth", got1, first)
	diff(t, "module 2 in truth", got2, second)
}

func has(t *testing.T, said string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(said, w) {
			t.Errorf("fwctl says nothing of %q:\n%s", w, said)
		}
	}
}

var (
	abort    = download{mode: 0xff}
	activate = download{mode: 0x0f}

	untouched  = []download(nil)
	asDeclared = module{Runs: "1000"}
)

// The kernel repeats a command for the first, if whoever sent it permits that, and takes
// the second for the end of it.
var errorsOfDoubt = []string{"0b/00/00", "04/44/00"}

// A first chunk by mode 7 that is answered with an error may have erased the one bank
// that there is: it takes a person, whatever comes of the abort.
func TestDoubtFirstChunkTaken(t *testing.T) {
	for _, sense := range errorsOfDoubt {
		t.Run(sense, func(t *testing.T) {
			r := doubtful(
				t,
				"flashTime: 500ms, singleBank: true",
				"{when: {act: first-chunk}, do: {sense: "+sense+", carriedOut: true}}",
				"7",
			)
			has(t, r.ends(t, 5, "apply", "-f", "desired.yaml", "--yes"), esp1, "do not power-cycle")
			diff(t, "downloads of module 1", r.downloads(t, lu1), append(whole(0x07, 4096)[:1:1], abort))
			diff(t, "downloads of module 2", r.downloads(t, lu2), untouched)
			diff(t, "what is remembered", r.remembers(t), []string{esp1 + ": needs-image"})
			has(t, r.ends(t, 0, "status"), esp1, "do not power-cycle")
			r.is(t, module{Runs: "1000", Broken: true}, asDeclared)
		})
	}
}

// A last chunk that is answered with an error may have been taken: the status tells.
func TestDoubtLastChunkTaken(t *testing.T) {
	for _, sense := range errorsOfDoubt {
		fault := "{when: {act: last-chunk}, do: {sense: " + sense + ", carriedOut: true}}"
		t.Run("mode e "+sense, func(t *testing.T) {
			r := doubtful(t, "flashTime: 500ms", fault, "e")
			r.ends(t, 0, "apply", "-f", "desired.yaml", "--yes")
			diff(t, "downloads of module 1", r.downloads(t, lu1), whole(0x0e, 4096))
			diff(t, "downloads of module 2", r.downloads(t, lu2), whole(0x0e, 4096))
			diff(
				t,
				"what is remembered",
				r.remembers(t),
				[]string{esp1 + ": staged 1100, confirmed true", esp2 + ": staged 1100, confirmed true"},
			)
			staged := module{Runs: "1000", Staged: "1100", Images: 1}
			r.is(t, staged, staged)
		})
		t.Run("mode 7 "+sense, func(t *testing.T) {
			r := doubtful(t, "flashTime: 500ms", fault, "7")
			r.ends(t, 0, "apply", "-f", "desired.yaml", "--yes")
			diff(t, "downloads of module 1", r.downloads(t, lu1), whole(0x07, 4096))
			diff(t, "downloads of module 2", r.downloads(t, lu2), whole(0x07, 4096))
			diff(t, "what is remembered", r.remembers(t), []string{})
			updated := module{Runs: "1100", Images: 1, Restarts: 1}
			r.is(t, updated, updated)
		})
	}
}

// Half an image, and the device refuses to have it discarded.
const abortRefused = "{when: {opcode: '1d', offset: 4096}, do: {sense: 0b/00/00}}, {when: {act: abort}, do: {sense: " +
	"05/24/00}}"

// By mode 7 the half may have overwritten what the module would start from.
func TestDoubtAbortRefusedMode7(t *testing.T) {
	r := doubtful(t, "flashTime: 500ms, singleBank: true", abortRefused, "7")
	has(t, r.ends(t, 5, "apply", "-f", "desired.yaml", "--yes"), esp1, "do not power-cycle", "does not take the abort")
	diff(t, "downloads of module 1", r.downloads(t, lu1), append(whole(0x07, 4096)[:2:2], abort))
	diff(t, "downloads of module 2", r.downloads(t, lu2), untouched)
	diff(t, "what is remembered", r.remembers(t), []string{esp1 + ": needs-image"})
	has(t, r.ends(t, 0, "status"), esp1, "do not power-cycle")
	r.is(t, module{Runs: "1000", Broken: true, Holds: 4096}, asDeclared)

	// The way out is a whole image, to it alone.
	sent := len(r.downloads(t, lu1))
	r.run(t, 0, "plan", "-f", "desired.yaml", "--target", esp1, "--out", "saved.plan")
	r.ends(t, 0, "apply", "saved.plan", "--yes")
	diff(t, "downloads of module 1, again", r.downloads(t, lu1)[sent:], append([]download{abort}, whole(0x07, 4096)...))
	diff(t, "what is remembered then", r.remembers(t), []string{})
	r.is(t, module{Runs: "1100", Images: 1, Restarts: 1}, asDeclared)
}

// By mode e it is in a bank that is not running. The next apply knows it for fwctl's own
// and has it discarded.
func TestDoubtAbortRefusedModeE(t *testing.T) {
	r := doubtful(t, "flashTime: 500ms", abortRefused, "e")
	has(t, r.ends(t, 4, "apply", "-f", "desired.yaml", "--yes"), esp1, "does not take the abort")
	diff(t, "downloads of module 1", r.downloads(t, lu1), append(whole(0x0e, 4096)[:2:2], abort))
	diff(t, "downloads of module 2", r.downloads(t, lu2), untouched)
	diff(t, "what is remembered", r.remembers(t), []string{esp1 + ": unclear"})
	r.is(t, module{Runs: "1000", Holds: 4096}, asDeclared)

	sent := len(r.downloads(t, lu1))
	said := r.ends(t, 0, "apply", "-f", "desired.yaml", "--yes")
	if strings.Contains(said, "someone else") {
		t.Errorf("fwctl takes what it has sent itself for someone else's:\n%s", said)
	}
	diff(t, "downloads of module 1, again", r.downloads(t, lu1)[sent:], append([]download{abort}, whole(0x0e, 4096)...))
	diff(t, "downloads of module 2, again", r.downloads(t, lu2), whole(0x0e, 4096))
	diff(
		t,
		"what is remembered then",
		r.remembers(t),
		[]string{esp1 + ": staged 1100, confirmed true", esp2 + ": staged 1100, confirmed true"},
	)
	staged := module{Runs: "1000", Staged: "1100", Images: 1}
	r.is(t, staged, staged)
}

// An abort that was answered with BUSY or a unit attention was not carried out, and is
// sent again. The kernel repeats BUSY by itself: the module cannot tell who did.
func TestDoubtAbortRepeated(t *testing.T) {
	for _, answer := range []string{"busy: true", "sense: 06/2a/01"} {
		t.Run(answer, func(t *testing.T) {
			r := doubtful(
				t,
				"flashTime: 500ms",
				"{when: {opcode: '1d', offset: 4096}, do: {sense: 0b/00/00}}, {when: {act: abort, times: 2}, do: {"+answer+"}}",
				"e",
			)
			has(t, r.ends(t, 4, "apply", "-f", "desired.yaml", "--yes"), esp1, "the device has discarded it")
			diff(t, "downloads of module 1", r.downloads(t, lu1), append(whole(0x0e, 4096)[:2:2], abort, abort, abort))
			diff(t, "downloads of module 2", r.downloads(t, lu2), untouched)
			diff(t, "what is remembered", r.remembers(t), []string{})
			r.is(t, asDeclared, asDeclared)
		})
	}
}

// Mode 0Fh leaves unit attentions, and 10h in the status page. If the module leaves
// the bus, the kernel's own driver is the first to find it again, and to be told.
func TestDoubtAfterActivation(t *testing.T) {
	const reboots = "rebootTime: 500ms"
	for name, rack := range map[string]string{
		"leaves the bus":            jbod,
		"stays on the bus":          strings.Replace(jbod, reboots, reboots+", vanish: false", 1),
		"stays, and starts at once": strings.Replace(jbod, reboots, "rebootTime: 0s, vanish: false", 1),
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, fmt.Sprintf(rack, "protocol: ses, flashTime: 500ms, "+
				"activated: {attentions: [29/00, 3f/01, 2a/09], status: '10'}", "0s", "0s"), "1100")
			r.want(t, "1100", "{reset: always, activate: apply}", "e")
			r.ends(t, 0, "apply", "-f", "desired.yaml", "--yes")
			for _, lu := range []string{lu1, lu2} {
				diff(t, "downloads of "+lu, r.downloads(t, lu), append(whole(0x0e, 4096), activate))
			}
			diff(t, "what is remembered", r.remembers(t), []string{})
			updated := module{Runs: "1100", Images: 1, Restarts: 1}
			r.is(t, updated, updated)
		})
	}
}
