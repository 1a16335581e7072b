package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// One saved plan, carried out in two visits: what stages by day, what resets at night.
func TestPhases(t *testing.T) {
	long(t)
	t.Parallel()
	s := newSite(t, jbods("download: {"+quick+"}, esps: [{}, {}]"), wanted("e, 7", "reset: always, activate: apply"))
	s.run(0, "plan", "-f", "desired.yaml", "--out", "test.plan")
	s.says(3, []string{"wave 1 (stage) comes first and is not done", "nothing was written"}, "apply", "test.plan", "--yes",
		"--phase", "reset")
	s.says(3, []string{"wave 1 (stage) comes first and is not done", "nothing was written"}, "apply", "test.plan", "--yes",
		"--wave", "2")
	if got := s.sent(); len(got) != 0 {
		t.Errorf("writes of what was refused = %v; want none", got)
	}
	waits := "2 components wait for waves 2, 3: `fwctl --simulate rack.yaml apply test.plan --phase reset` goes on."
	if got := flat(s.run(0, "apply", "test.plan", "--yes", "--phase", "stage")); !strings.Contains(got, waits) ||
		strings.Count(got, "it waits for wave 2 (reset)") != 1 {
		t.Errorf("apply --phase stage = %s; want %q, and of esp1 that it waits for wave 2", got, waits)
	}
	s.are(esp1+" 1000 1100", esp2+" 1000 1100")
	if got := s.count("0f@"); got != 0 {
		t.Errorf("activations in the stage phase = %d; want none", got)
	}
	s.says(3, []string{"wave 2 (reset) comes first and is not done"}, "apply", "test.plan", "--yes", "--wave", "3")
	s.says(0, []string{"1 component waits for wave 3: `fwctl --simulate rack.yaml apply test.plan --wave 3` goes on."},
		"apply", "test.plan", "--yes", "--wave", "2")
	s.are(esp1+" 1100 -", esp2+" 1000 1100")
	if got := s.run(0, "apply", "test.plan", "--yes", "--phase", "reset"); strings.Contains(got, "waits for") {
		t.Errorf("apply --phase reset = %s; want nothing that waits", got)
	}
	s.are(esp1+" 1100 -", esp2+" 1100 -")
	if got := s.count("0e@"); got != 20 {
		t.Errorf("chunks = %d; want 20: each module was sent the image once", got)
	}
}

// What refuses mode e in the stage phase has been through it: mode 7 is for the
// reset phase of the same plan.
func TestPhasesWhereModeEIsRefused(t *testing.T) {
	long(t)
	t.Parallel()
	s := newSite(t, jbods("download: {modes: ['07'], "+quick+"}, esps: [{}, {}]"), wanted("e, 7", "reset: always"))
	s.run(0, "plan", "-f", "desired.yaml", "--out", "test.plan")
	s.says(0, []string{"skipped e ", "mode 7 follows in wave 2"}, "apply", "test.plan", "--yes", "--phase", "stage")
	s.says(0, []string{"skipped e "}, "history")
	s.are(esp1+" 1000 -", esp2+" 1000 -")
	s.run(0, "apply", "test.plan", "--yes", "--phase", "reset")
	s.are(esp1+" 1100 -", esp2+" 1100 -")
	s = newSite(t, jbods("download: {modes: ['07'], "+quick+"}, esps: [{}, {}]"), wanted("e, 7", "reset: always"))
	s.says(0, []string{"2 components wait for waves 2, 3: `fwctl --simulate rack.yaml apply -f desired.yaml` goes on."},
		append(apply, "--phase", "stage")...)
}

// A run that was for some waves of its plan is for those alone when it is resumed:
// what was to stage by day resets nothing.
func TestResumeOfAPhase(t *testing.T) {
	long(t)
	t.Parallel()
	for limit, value := range map[string]string{"--phase": "stage", "--wave": "1"} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, jbods("download: {"+quick+`}, esps: [{faults: [{when: {opcode: "1d", offset: 12288}, `+hangs+`}]}, {}]`), wanted("e, 7", "reset: always, activate: apply"))
			s.run(0, "plan", "-f", "desired.yaml", "--out", "test.plan")
			p := s.start("apply", "test.plan", "--yes", limit, value)
			p.sends(1, "0e@12288")
			p.kill()
			alone := map[string]string{"--phase": "its stage waves alone", "--wave": "its wave 1 alone"}[limit]
			can := "its process is gone; `fwctl --simulate rack.yaml --state-dir state resume` looks at the devices and goes on."
			if got := flat(s.run(0, "--state-dir", "state", "status")); !strings.Contains(got, alone) ||
				!strings.Contains(got, can) {
				t.Errorf("status = %s; want %q and %q in it", got, alone, can)
			}
			next := map[string]string{"--phase": "the same plan with --phase reset goes on.",
				"--wave": "the same plan with --wave 2 goes on."}[limit]
			s.says(0, []string{alone, next}, "resume", "--yes")
			s.says(0, []string{alone}, "history")
			s.are(esp1+" 1000 1100", esp2+" 1000 1100")
			if got := s.count("0f@"); got != 0 {
				t.Errorf("activations = %d; want none", got)
			}
			s.run(0, "apply", "test.plan", "--yes", "--phase", "reset")
			s.are(esp1+" 1100 -", esp2+" 1100 -")
		})
	}
}

// The windows of waves that a run was not for are nothing to its resumption.
func TestResumeOfAPhaseBesideAClosedWindow(t *testing.T) {
	long(t)
	t.Parallel()
	s := newSite(t, jbods("download: {"+quick+"}, "+slow),
		wanted("e", "reset: always, activate: apply, windows: {reset: [night]}", night))
	p := s.start(append(apply, "--phase", "stage")...)
	p.sends(2, lu1)
	p.signal(syscall.SIGINT)
	p.ends(130)
	if got := flat(s.run(0, "status")); !strings.Contains(got,
		"UTC; `fwctl --simulate rack.yaml resume` looks at the devices and goes on.") || !strings.Contains(got,
		" 1 to be resumed, ") {
		t.Errorf("status = %s; want the run that was interrupted, and how it is resumed", got)
	}
	s.fits("status")
	s.run(0, "resume", "--yes")
	s.says(0, []string{"0 runs in progress, 0 broken off, 2 staged"}, "status")
	s.are(esp1+" 1000 1100", esp2+" 1000 1100")
}

// order are the logical units of the trace, in the order of their first command of a kind.
func (s *site) order(kind string) (all []string) {
	for _, w := range s.sent() {
		if lu, _, _ := strings.Cut(w, " "); strings.Contains(w, kind) && !slices.Contains(all, lu) {
			all = append(all, lu)
		}
	}
	return all
}

const rollout = "rollout: {canary: 1, soak: 1s, maxParallel: 2}"

// The canary goes through all of its waves, and soaks, before anything else is begun.
func TestCanary(t *testing.T) {
	long(t)
	t.Parallel()
	s := newSite(t, jbods("download: {"+quick+"}, esps: [{}, {}]", "download: {"+quick+"}, esps: [{}, {}]"),
		wanted("e", "reset: always, activate: apply", rollout))
	p := s.start(apply...)
	p.tells("has to stand until")
	if got := s.order(""); !slices.Equal(got, []string{lu1, lu2}) || s.count("0f@") != 2 {
		t.Errorf("writes before the soak = %v; want the canary alone, sent and activated", s.sent())
	}
	p.ends(0)
	want := []string{lu1, lu2, "5000ccab04002001", "5000ccab04002002"}
	if got := s.order("0f@"); !slices.Equal(got, want) {
		t.Errorf("activations = %v; want %v", got, want)
	}
}

// A canary that goes wrong is the end of it.
func TestCanaryThatFails(t *testing.T) {
	t.Parallel()
	s := newSite(t, jbods("download: {accepts: {product: OTHER}, "+quick+"}, esps: [{}, {}]",
		"download: {"+quick+"}, esps: [{}, {}]"),
		wanted("e", "reset: always, activate: apply", "rollout: {canary: 1, soak: 1s, maxParallel: 2, maxFailures: 9}"))
	s.says(4, []string{"not started, because"}, apply...)
	if got := s.order(""); !slices.Equal(got, []string{lu1}) || s.count("0f@") != 0 {
		t.Errorf("writes = %v; want the canary's first module alone, and no activation", s.sent())
	}
}

// As many fault domains at a time as the plan permits, and never two modules of one.
func TestInParallel(t *testing.T) {
	long(t)
	t.Parallel()
	const drives = ", drives: [{slot: 0}]"
	enclosure := "download: {" + quick +
		`}, faults: [{when: {opcode: "1d", every: true}, do: {delay: 30ms}}], esps: [{}, {}]` + drives
	for n, together := range map[int]string{2: "", 1: "faultDomains: [[5000ccab04001000, 5000ccab04002000]]"} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, jbods(enclosure, enclosure), wanted("7", "reset: always", "rollout: {maxParallel: 2}", together))
			s.run(0, apply...)
			var begun, most int
			open := map[string]bool{} // enclosures that are in the middle of a download
			for _, w := range s.sent() {
				enclosure, chunk, _ := strings.Cut(w, " ")
				enclosure = enclosure[:13]
				switch chunk {
				case "07@0":
					if open[enclosure] {
						t.Errorf("two downloads at a time in enclosure %s", enclosure)
					}
					open[enclosure] = true
					begun++
				case "07@36864":
					delete(open, enclosure)
				}
				most = max(most, len(open))
			}
			if begun != 4 || most != n {
				t.Errorf("%d downloads, %d at a time; want 4, and %d at a time\n%v", begun, most, n, s.sent())
			}
		})
	}
}

// A drive that has come into use since the plan was made: nothing is reset, neither in the first
// wave nor in the second.
func TestGateThatNoLongerHolds(t *testing.T) {
	t.Parallel()
	free := jbods("download: {" + quick + "}, esps: [{}, {}], drives: [{slot: 0}]")
	used := strings.Replace(free, "{slot: 0}", "{slot: 0, sata: true, use: {mount: /tank}}", 1)
	for _, policy := range []string{"idle", "redundant"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, free, wanted("e, 7", "activate: apply, reset: "+policy))
			s.run(0, "plan", "-f", "desired.yaml", "--out", "test.plan")
			s.write("rack.yaml", used)
			if err := os.Remove(s.path("rack.yaml.rack-state.json")); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			s.says(3, []string{"reset: " + policy, "nothing was written"}, "apply", "test.plan", "--yes")
			if got := s.sent(); len(got) != 0 {
				t.Errorf("writes = %v; want none", got)
			}
			s.run(0, "apply", "test.plan", "--yes", "--phase", "stage")
			s.says(3, []string{"reset: " + policy}, "apply", "test.plan", "--yes", "--phase", "reset")
			s.are(esp1+" 1000 1100", esp2+" 1000 1100")
			if got := s.count("0f@"); got != 0 {
				t.Errorf("activations = %d; want none", got)
			}
		})
	}
}

// A wave that needs a person's power cycle: the run says so and stops, or waits for it.
func TestPowerCycleWave(t *testing.T) {
	t.Parallel()
	desired := strings.Replace(wanted("e", "reset: always, activate: apply"), "activation: {",
		"activation: {by: power-cycle, scope: enclosure, ", 1)
	rack := jbods("download: {" + quick + "}, esps: [{}, {}]")
	t.Run("without waiting", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, rack, desired)
		s.says(6, []string{"power-cycle 5000ccab04001000"}, apply...)
		s.are(esp1+" 1000 1100", esp2+" 1000 1100")
		s.powerCycle("jbod1")
		s.isBack()
		s.run(0, "verify")
		s.are(esp1+" 1100 -", esp2+" 1100 -")
	})
	t.Run("waiting", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, rack, desired)
		p := s.start(append(apply, "--wait")...)
		p.tells("power-cycle 5000ccab04001000 now")
		s.powerCycle("jbod1")
		p.ends(0, esp1+": runs 1100", "2 updated")
		s.are(esp1+" 1100 -", esp2+" 1100 -")
	})
	t.Run("waiting, and ^C", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, rack, desired)
		p := s.start(append(apply, "--wait")...)
		p.tells("power-cycle 5000ccab04001000 now")
		p.signal(syscall.SIGINT)
		p.ends(130, "power-cycle 5000ccab04001000")
		s.powerCycle("jbod1")
		s.run(0, "resume", "--yes")
		s.are(esp1+" 1100 -", esp2+" 1100 -")
	})
}

// A run that waits for a window has reset nothing when it is interrupted, and continues later.
func TestWaitForAWindow(t *testing.T) {
	long(t)
	t.Parallel()
	s := newSite(t, jbods("download: {"+quick+"}, esps: [{}, {}]"),
		wanted("e", "reset: always, activate: apply, windows: {reset: [night]}", night))
	p := s.start(append(apply, "--wait")...)
	p.tells("waits for night, which opens")
	p.signal(syscall.SIGINT)
	p.ends(130, "hint: fwctl --simulate rack.yaml resume goes on")
	s.are(esp1+" 1000 1100", esp2+" 1000 1100")
	s.says(3, []string{"outside its maintenance windows"}, "resume", "--yes")
	s.run(0, "resume", "--yes", "--ignore-window", "CHG-4711")
	s.are(esp1+" 1100 -", esp2+" 1100 -")
}

const night = `windows: {night: {start: "2199-06-01T22:00", timezone: UTC, duration: 6h}}`

// A run that was killed in the middle of a reset is brought to its end whatever the
// time, and so is half an image by mode 7, which is sent again; what was not begun is
// left for its window.
func TestResumeAfterTheWindow(t *testing.T) {
	long(t)
	t.Parallel()
	for name, offset := range map[string]int{"in the middle of the image": 12288, "at the last chunk": 36864} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault := fmt.Sprintf(`esps: [{faults: [{when: {opcode: "1d", offset: %d}, %s}]}, {}]`, offset, hangs)
			s := newSite(t, jbods("download: {"+quick+", singleBank: true}, "+fault),
				wanted("7", "reset: always, windows: {reset: [night]}", night))
			p := s.start(append(apply, "--ignore-window", "CHG-4711")...)
			p.sends(1, fmt.Sprintf("07@%d", offset))
			p.kill()
			s.says(6, []string{esp1 + ": runs 1100", "the maintenance window of wave 2 is closed"}, "resume", "--yes")
			s.are(esp1+" 1100 -", esp2+" 1000 -")
			if got := s.count(lu2); got != 0 {
				t.Errorf("writes to the second module = %d; want none", got)
			}
		})
	}
}

func TestMemoryThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	s := newSite(t, jbods("download: {"+quick+"}, esps: [{}, {}]"), wanted("e", ""))
	s.write("state", "a file")
	s.says(1, []string{"cannot open state"}, apply...)
	if got := s.sent(); len(got) != 0 {
		t.Errorf("writes without a memory = %v; want none", got)
	}
}

// Stepping stones are gone over in one apply, also by one that is killed between
// two of them.
func TestSteppingStones(t *testing.T) {
	long(t)
	t.Parallel()
	for name, fault := range map[string]string{"": "",
		"killed in its second hop": `faults: [{when: {opcode: "1d", offset: 12288, nth: 2}, ` + hangs + "}]"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, jbods("download: {"+quick+"}, esps: [{"+fault+"}, {}]"), "")
			images := map[string]string{}
			for _, revision := range []string{"1050", "1100"} {
				if err := addImage(s.dir, func(_, sha string) {
					images[revision] = sha
				}, "ACME", "JBOD-60", revision, imageSize, revision+".bin"); err != nil {
					t.Fatal(err)
				}
			}
			s.write("desired.yaml", fmt.Sprintf(`apiVersion: fwctl/v1
kind: DesiredState
models:
  acme60:
    match: {vendor: ACME, product: JBOD-60}
    activation: {settle: 1s, returnTimeout: 60s}
    images:
      iom-1050: {file: 1050.bin, sha256: %s, revision: "1050", from: ["1000"], modes: [7]}
      iom-1100: {file: 1100.bin, sha256: %s, revision: "1100", from: ["1050"], modes: [e, 7]}
want: [{model: acme60, image: iom-1100, policy: p}]
policies: {p: {reset: always, activate: apply}}
`, images["1050"], images["1100"]))
			if fault == "" {
				s.says(0, []string{"updated 7 > e"}, apply...)
			} else {
				p := s.start(apply...)
				p.sends(1, lu1+" 0e@12288")
				p.kill()
				s.says(3, []string{"fwctl resume"}, apply...)
				s.says(0, []string{"updated 7 > e"}, "resume", "--yes")
			}
			s.are(esp1+" 1100 -", esp2+" 1100 -")
			s.intact()
			hops := fmt.Sprintf("7 > e 1000 1050 > 1100 %.8s > %.8s ", images["1050"], images["1100"])
			if got := flat(s.run(0, "history")); strings.Count(got, hops) != 2 {
				t.Errorf("history = %s; want %s of both modules", got, hops)
			}
			s.fits("history")
		})
	}
}

// What is to be done about a closed window is another thing for a run that was begun.
func TestResumeOutsideTheWindow(t *testing.T) {
	long(t)
	t.Parallel()
	s := newSite(t, jbods("download: {"+quick+"}, "+slow), wanted("7", "reset: always, windows: {reset: [night]}", night))
	p := s.start(append(apply, "--ignore-window", "CHG-4711")...)
	p.sends(2, lu1)
	p.signal(syscall.SIGINT)
	p.ends(130, "hint: fwctl --simulate rack.yaml resume goes on")
	s.says(3, []string{"outside its maintenance windows",
		"hint: resume again when it opens, let this one --wait, or say why"}, "resume", "--yes")
	if got := s.count(lu2); got != 0 {
		t.Errorf("writes to the second module = %d; want none", got)
	}
}
