package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// apply is how the tests here apply: they accept any disruption, and no one is asked.
var apply = []string{"apply", "-f", "desired.yaml", "--yes", "--accept-disruption", "all"}

// A run that is killed with its image in the device, or with its device away, is listed by
// inventory, keeps another apply from beginning, and is resumed to the end that it would have
// had. So is one whose resumption is killed.
func TestKilled(t *testing.T) {
	t.Parallel()
	long(t)
	staged := []string{esp1 + " 1000 1100", esp2 + " 1000 1100"}
	updated := []string{esp1 + " 1100 -", esp2 + " 1100 -"}
	fault := func(when string) string { return "faults: [{when: {" + when + "}, " + hangs + "}]" }
	for name, tt := range map[string]struct {
		download, esp, policy, modes string
		sent                         string // is in the trace when it is killed
		says                         string // or is what it says then
		want                         []string
	}{
		"mode e, in mid-download": {"", fault(`opcode: "1d", offset: 12288`), "", "e", lu1 + " 0e@12288", "", staged},
		"mode e, the first chunk": {"", fault(`opcode: "1d", offset: 0`), "", "e", lu1 + " 0e@0", "", staged},
		"mode e, the last chunk":  {"", fault(`opcode: "1d", offset: 36864`), "", "e", lu1 + " 0e@36864", "", staged},
		"mode 7, in mid-download": {"", fault(`opcode: "1d", offset: 12288`), "reset: always", "7", lu1 + " 07@12288", "", updated},
		"mode 7, the last chunk":  {"", fault(`opcode: "1d", offset: 36864`), "reset: always", "7", lu1 + " 07@36864", "", updated},
		"WRITE BUFFER e":          {"protocol: write-buffer,", fault(`opcode: "3b", offset: 12288`), "", "e", lu1 + " 0e@12288", "", staged},
		"WRITE BUFFER 7":          {"protocol: write-buffer,", fault(`opcode: "3b", offset: 12288`), "reset: always", "7", lu1 + " 07@12288", "", updated},
		"activation":              {"", fault(`opcode: "1d", nth: 11`), "reset: always, activate: apply", "e", lu1 + " 0f@0", "", updated},
		"waiting after mode 0Fh":  {"", "", "reset: always, activate: apply", "e", "", esp1 + ": waiting for the device", updated},
		"waiting after mode 7":    {"", "", "reset: always", "7", "", esp1 + ": waiting for the device", updated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, jbods(fmt.Sprintf("download: {%s %s}, esps: [{%s}, {}]", tt.download, quick, tt.esp)),
				wanted(tt.modes, tt.policy))
			p := s.start(apply...)
			if tt.sent != "" {
				p.sends(1, tt.sent)
			} else {
				p.tells(tt.says)
			}
			p.kill()

			_, problems := s.components()
			if want := "the end of a download or an activation is not known: " + esp1; !strings.Contains(problems, want) {
				t.Errorf("inventory's problems lack %q:\n%s", want, problems)
			}
			writes := s.count("")
			s.says(3, []string{"nothing was written", "fwctl resume"}, apply...)
			s.says(3, []string{"Left of ", "Digest sha256:", "cannot ask for confirmation", "--yes"}, "resume")
			if got := s.count(""); got != writes {
				t.Errorf("writes after what was refused = %d; want %d as before", got, writes)
			}
			s.run(0, "resume", "--yes")
			s.are(tt.want...)
			s.intact()
			s.says(0, []string{"There is nothing to resume"}, "resume", "--yes")
			s.says(0, []string{"nothing to do"}, apply...)
		})
	}
}

// A run is resumed by one process only, and not while its own process is alive.
func TestResumeBesideTheRunItself(t *testing.T) {
	long(t)
	t.Parallel()
	s := newSite(t, jbods("download: {"+quick+`}, esps: [{faults: [{when: {opcode: "1d", offset: 12288}, `+hangs+`}]}, {}]`), wanted("e", ""))
	s.run(0, "plan", "-f", "desired.yaml", "--out", "test.plan")
	p := s.start("apply", "test.plan", "--yes")
	p.sends(1, "0e@12288")
	pid := p.cmd.Process.Pid
	for _, args := range [][]string{{"resume", "--yes"}, {"resume"}, {"resume", "--yes", "-o", "json"}} {
		goesOn := []string{
			"cannot resume: run 1 of plan ",
			fmt.Sprintf(" is going on (pid %d, since ", pid),
			"): wait for it",
			"`fwctl --simulate rack.yaml status` shows",
		}
		if got := s.says(3, goesOn, args...); strings.Contains(got, "broken off") {
			t.Errorf("fwctl %v = %s; want no word of a run that was broken off", args, got)
		}
	}
	held := []string{
		"cannot lock",
		"held by another process",
		": run 1 of plan ",
		fmt.Sprintf(", is going on (pid %d)", pid),
	}
	s.says(3, held, "apply", "test.plan", "--yes")
	s.says(3, held, "apply", "test.plan", "--check")
	s.says(3, []string{"cannot flash /dev/sg0: it is in use", "nothing was written"}, "flash", "--yes", "iom-1100.bin",
		"/dev/sg0")
	if got := s.count(""); got != 4 {
		t.Errorf("writes = %d; want the 4 of the run that goes on", got)
	}
	p.kill()
	s.says(3, []string{"fwctl resume"}, "apply", "test.plan", "--yes")
	s.run(0, "resume", "--yes")
	s.are(esp1+" 1000 1100", esp2+" 1000 1100")
}

// The resumption is killed too, and resumed.
func TestKilledResume(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		second string // fault that stops the resumption
		sent   string
	}{
		"at its abort":       {`opcode: "1d", nth: 5`, "ff@0"},
		"in its download":    {`opcode: "1d", offset: 20480`, "0e@20480"},
		"at its first chunk": {`opcode: "1d", offset: 0, nth: 2`, "ff@0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, jbods("download: {"+quick+`}, esps: [{faults: [{when: {opcode: "1d", offset: 12288}, `+hangs+`}, {when: {`+tt.second+"}, "+hangs+"}]}, {}]"), wanted("e", ""))
			p := s.start(apply...)
			p.sends(1, "0e@12288")
			p.kill()
			p = s.start("resume", "--yes")
			p.sends(1, tt.sent)
			p.kill()
			s.says(3, []string{"fwctl resume"}, apply...)
			s.run(0, "resume", "--yes")
			s.are(esp1+" 1000 1100", esp2+" 1000 1100")
			s.intact()
		})
	}
}

// The image file may change or go while it is sent, and before the run is resumed:
// what was read once is what is sent.
func TestImageFileThatChanges(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*site) error{
		"replaced": func(s *site) error {
			s.write("iom-1100.bin", "something else")
			return nil
		},
		"gone": func(s *site) error { return os.Remove(s.path("iom-1100.bin")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, jbods("download: {"+quick+`}, esps: [{latency: 5ms}, {faults: [{when: {opcode: "1d", offset: 12288}, `+hangs+`}]}]`), wanted("e", ""))
			s.run(0, "plan", "-f", "desired.yaml", "--out", "test.plan")
			p := s.start("apply", "test.plan", "--yes")
			p.sends(1, lu1+" 0e@0")
			if err := change(s); err != nil {
				t.Fatal(err)
			}
			p.sends(1, lu2+" 0e@12288") // the first module has all of it
			p.kill()
			s.run(0, "resume", "--yes")
			s.are(esp1+" 1000 1100", esp2+" 1000 1100")
			s.intact()
			if kept, err := os.ReadDir(s.path("state/simulated")); err != nil || len(kept) != 1 {
				t.Fatalf("ReadDir = %v, %v; want one state", kept, err)
			} else if images, _ := os.ReadDir(s.path("state/simulated/" + kept[0].Name() + "/images")); len(images) != 0 {
				t.Errorf("images that are kept when nothing is open = %v; want none", images)
			}
		})
	}
}

// A copy of an image that is damaged in the state directory is no copy: it can be named.
func TestKeptImageThatIsDamaged(t *testing.T) {
	t.Parallel()
	s := newSite(t, jbods("download: {"+quick+`}, esps: [{faults: [{when: {opcode: "1d", offset: 12288}, `+hangs+`}]}, {}]`), wanted("e", ""))
	p := s.start(apply...)
	p.sends(1, lu1+" 0e@12288")
	p.kill()
	kept, err := filepath.Glob(s.path("state/simulated/*/images/*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("images that are kept = %v, %v; want one", kept, err)
	}
	if err := os.WriteFile(kept[0], []byte("something else"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.path("moved"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(s.path("iom-1100.bin"), s.path("moved/iom-1100.bin")); err != nil {
		t.Fatal(err)
	}
	s.says(1, []string{"cannot find image iom-1100",
		"iom-1100.bin, where it was when the plan was made: no file is there now", "--images"}, "resume", "--yes")
	s.run(0, "resume", "--yes", "--images", "moved")
	s.are(esp1+" 1000 1100", esp2+" 1000 1100")
	s.intact()
}

// slow has chunks take long enough for signals to come between two of them.
const slow = `faults: [{when: {opcode: "1d", every: true}, do: {delay: 60ms}}, {when: {opcode: "3b", every: true}, do: {delay: 60ms}}], esps: [{}, {}]`

// ^C once: nothing new is started, what runs is brought to its end, and so by
// SIGTERM, however often it comes; SIGHUP changes nothing.
func TestInterruptedOnce(t *testing.T) {
	t.Parallel()
	for name, signals := range map[string][]syscall.Signal{
		"SIGINT":        {syscall.SIGINT},
		"SIGTERM twice": {syscall.SIGTERM, syscall.SIGTERM},
		"SIGHUP too":    {syscall.SIGHUP, syscall.SIGINT, syscall.SIGHUP},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, jbods("download: {"+quick+"}, "+slow), wanted("e", ""))
			p := s.start(apply...)
			p.sends(2, lu1)
			for _, sig := range signals {
				p.signal(sig)
				if sig != syscall.SIGHUP {
					p.tells("Interrupted: nothing new is started")
				}
			}
			p.ends(130, esp1+": staged", "Interrupted: 1 staged, 1 skipped.", "hint: fwctl --simulate rack.yaml resume goes on")
			if got := s.count(lu1); got != 10 || s.count(lu2) != 0 || s.count("ff@") != 0 {
				t.Errorf("writes = %v; want the 10 chunks of the first module alone", s.sent())
			}
			s.run(0, "resume", "--yes")
			s.are(esp1+" 1000 1100", esp2+" 1000 1100")
		})
	}
}

// ^C twice withdraws a download by mode e: one abort, and not a chunk after it.
func TestInterruptedTwice(t *testing.T) {
	long(t)
	t.Parallel()
	for protocol, abort := range map[string]int{"ses": 1, "write-buffer": 0} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			// Two signals, each with its answer, have to come before the ninth chunk.
			slower := strings.ReplaceAll(slow, "60ms", "300ms")
			s := newSite(t, jbods("download: {protocol: "+protocol+", "+quick+"}, "+slower), wanted("e", ""))
			p := s.start(apply...)
			p.sends(2, lu1)
			p.signal(syscall.SIGINT)
			p.tells("^C again withdraws")
			p.signal(syscall.SIGINT)
			p.ends(130, "Interrupted again", "withdrawn on request after byte",
				"hint: fwctl --simulate rack.yaml resume goes on")
			writes := s.sent()
			if chunks := s.count("0e@"); chunks < 2 || chunks > 8 || s.count("ff@") != abort || len(writes) != chunks+abort ||
				abort > 0 && !strings.Contains(writes[len(writes)-1], "ff@") {
				t.Errorf("writes = %v; want some chunks of the first module, and then %d aborts", writes, abort)
			}
			s.are(esp1+" 1000 -", esp2+" 1000 -")
			s.run(0, "resume", "--yes")
			s.are(esp1+" 1000 1100", esp2+" 1000 1100")
			s.intact()
		})
	}
}

// ^C twice sees a download by mode 7 through.
func TestInterruptedTwiceInMode7(t *testing.T) {
	long(t)
	t.Parallel()
	s := newSite(t, jbods("download: {"+quick+"}, "+slow), wanted("7", "reset: always"))
	p := s.start(apply...)
	p.sends(2, lu1)
	p.signal(syscall.SIGINT)
	p.tells("^C again withdraws")
	p.signal(syscall.SIGINT)
	p.ends(130, "Interrupted again", esp1+": runs 1100", "Interrupted: 1 updated, 1 skipped.")
	if s.count("ff@") != 0 || s.count(lu2) != 0 {
		t.Errorf("writes = %v; want no abort and nothing for the second module", s.sent())
	}
	s.run(0, "resume", "--yes")
	s.are(esp1+" 1100 -", esp2+" 1100 -")
}

// A third ^C leaves at once, and says what is unknown. It does not wait for a reader.
func TestInterruptedThreeTimes(t *testing.T) {
	long(t)
	t.Parallel()
	for name, tt := range map[string]struct {
		start func(*site, ...string) *process
		args  []string
		more  []string
	}{
		"text":                    {(*site).start, apply, []string{"do not reset or power-cycle it", "1 skipped"}},
		"JSON lines nobody reads": {(*site).startUnread, []string{"apply", "saved.plan", "--yes", "-o", "json"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, jbods("download: {"+quick+`}, esps: [{faults: [{when: {opcode: "1d", offset: 12288}, `+hangs+`}]}, {}]`), wanted("7", "reset: always"))
			s.run(0, "plan", "-f", "desired.yaml", "--out", "saved.plan")
			p := tt.start(s, tt.args...)
			p.sends(1, "07@12288")
			for _, text := range []string{"Interrupted: ", "Interrupted again: ", "Interrupted for the third time: "} {
				p.signal(syscall.SIGINT)
				p.tells(text)
			}
			p.ends(5, append(tt.more, "the outcome of "+esp1+" is unknown", "hint: run fwctl --simulate rack.yaml resume")...)
			s.says(3, []string{"fwctl resume"}, apply...)
			s.run(0, "resume", "--yes")
			s.are(esp1+" 1100 -", esp2+" 1100 -")
			s.intact()
		})
	}
}

// SIGQUIT (^\) leaves at once, as the third ^C does, and shows no goroutines.
func TestQuit(t *testing.T) {
	t.Parallel()
	for name, before := range map[string][]syscall.Signal{"at first": nil, "after ^C": {syscall.SIGINT}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(
				t,
				jbods("download: {"+quick+`}, esps: [{faults: [{when: {opcode: "1d", offset: 12288}, `+hangs+`}]}, {}]`),
				wanted("e", ""),
			)
			p := s.start(apply...)
			p.sends(1, "0e@12288")
			for _, sig := range before {
				p.signal(sig)
				p.tells("Interrupted: ")
			}
			p.signal(syscall.SIGQUIT)
			got := p.ends(
				5,
				"Quit: what runs is left as it is.",
				"the outcome of "+esp1+" is unknown",
				"hint: run fwctl --simulate rack.yaml resume",
			)
			if strings.Contains(got, "goroutine") {
				t.Errorf("fwctl shows goroutines:\n%s", got)
			}
			s.run(0, "resume", "--yes")
			s.are(esp1+" 1000 1100", esp2+" 1000 1100")
			s.intact()
		})
	}
}

// A signal that comes while the enclosures are scanned, long before the first effect,
// ends the command at once: nothing was written, and no run is left to resume.
func TestInterruptedBeforeTheRun(t *testing.T) {
	t.Parallel()
	flash := []string{"flash", "--yes", "iom-1100.bin", "/dev/sg0"}
	for name, tt := range map[string]struct {
		args []string
		sig  syscall.Signal
	}{
		"apply, SIGINT":  {apply, syscall.SIGINT},
		"apply, SIGTERM": {apply, syscall.SIGTERM},
		"apply, SIGQUIT": {apply, syscall.SIGQUIT},
		"flash, SIGTERM": {flash, syscall.SIGTERM},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, jbods(`esps: [{faults: [{when: {opcode: "1c"}, `+hangs+`}]}, {}]`), wanted("e", ""))
			p := s.start(tt.args...)
			p.until("it scanned", func() bool {
				trace, _ := os.ReadFile(s.path("trace.jsonl"))
				return strings.Contains(string(trace), `"cdb":"1c`)
			})
			p.signal(tt.sig)
			p.ends(130, "fwctl: interrupted: nothing was written\n")
			if got := s.sent(); len(got) != 0 {
				t.Errorf("writes = %v; want none", got)
			}
			s.says(0, []string{"There is nothing to resume"}, "resume", "--yes")
		})
	}
}

// A signal that comes while a saved plan is compared with the devices does as well.
func TestInterruptedBeforeTheFirstEffect(t *testing.T) {
	t.Parallel()
	s := newSite(t, jbods("esps: [{}, {}]"), wanted("e", ""))
	s.run(0, "plan", "-f", "desired.yaml", "--out", "test.plan")
	s.write(
		"rack.yaml",
		strings.Replace(jbods("esps: [{}, {}]"), "{}", `{faults: [{when: {opcode: "1c"}, `+hangs+`}]}`, 1),
	)
	p := s.start("apply", "test.plan", "--yes")
	p.tells("Comparing 2 components with the plan.")
	p.signal(syscall.SIGTERM)
	p.ends(130, "fwctl: interrupted: 2 components were not started, nothing was written\n")
	if got := s.sent(); len(got) != 0 {
		t.Errorf("writes = %v; want none", got)
	}
}

// Two at once: at one enclosure, and at two of one fault domain, the second is
// refused and writes nothing; at two that have nothing to do with each other both
// come through.
func TestTwoAtOnce(t *testing.T) {
	long(t)
	t.Parallel()
	const together = "faultDomains: [[5000ccab04001000, 5000ccab04002000]]"
	for name, tt := range map[string]struct {
		target, more string
		code         int
	}{
		"one enclosure":           {"5000ccab04001000/*", "", 3},
		"another ESP of it":       {esp2, "", 3},
		"one fault domain":        {"5000ccab04002000/*", together, 3},
		"different fault domains": {"5000ccab04002000/*", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			esps := `esps: [{faults: [{when: {opcode: "1d", offset: 12288}, ` + hangs + `}]}, {}]`
			s := newSite(t, jbods("download: {"+quick+"}, "+esps, "download: {"+quick+"}, esps: [{}, {}]"),
				wanted("e", "", tt.more))
			s.run(0, "plan", "-f", "desired.yaml", "--target", "5000ccab04001000/*", "--out", "first.plan")
			s.run(0, "plan", "-f", "desired.yaml", "--target", tt.target, "--out", "second.plan")
			p := s.start("apply", "first.plan", "--yes")
			p.sends(1, lu1+" 0e@12288")
			out := s.run(tt.code, "apply", "second.plan", "--yes")
			if want := map[int]int{3: 4, 0: 24}[tt.code]; s.count("") != want {
				t.Errorf("writes = %v; want %d", s.sent(), want)
			}
			if tt.code == 3 && (!strings.Contains(out, "cannot lock") ||
				!strings.Contains(out, "hint: nothing was written: apply the same plan when the others are done")) {
				t.Errorf("the second does not say why:\n%s", out)
			}
			p.kill()
			// Nor is anything else of that fault domain touched before it is known how that ended.
			s.run(tt.code, "apply", "second.plan", "--yes")
			s.run(0, "resume", "--yes")
			s.run(0, "apply", "second.plan", "--yes")
			s.intact()
		})
	}
}

// A download that this host knows nothing of is someone else's: it is left alone.
func TestOthersAreWriting(t *testing.T) {
	t.Parallel()
	s := newSite(t, jbods("download: {"+quick+`}, esps: [{faults: [{when: {opcode: "1d", offset: 12288}, `+hangs+`}]}, {}]`), wanted("e", ""))
	p := s.start(append(apply, "--state-dir", "theirs")...)
	p.sends(1, "0e@12288")
	p.kill()
	s.says(3, []string{"someone else is writing"}, apply...)
	if got := s.count(""); got != 4 {
		t.Errorf("writes = %v; want the 4 chunks of the others alone", s.sent())
	}
	s.run(0, "resume", "--yes", "--state-dir", "theirs")
	s.intact()
}

// A run that goes on is not in the way of resuming one that was killed after it began.
func TestResumeBesideAnotherRun(t *testing.T) {
	long(t)
	t.Parallel()
	hung := "download: {" + quick + `}, esps: [{faults: [{when: {opcode: "1d", offset: 12288}, ` + hangs + `}]}, {}]`
	s := newSite(t, jbods(hung, hung), wanted("e", ""))
	s.run(0, "plan", "-f", "desired.yaml", "--target", "5000ccab04001000/*", "--out", "first.plan")
	s.run(0, "plan", "-f", "desired.yaml", "--target", "5000ccab04002000/*", "--out", "second.plan")
	first := s.start("apply", "first.plan", "--yes")
	first.sends(1, lu1+" 0e@12288")
	second := s.start("apply", "second.plan", "--yes")
	second.sends(1, "5000ccab04002001 0e@12288")
	second.kill()
	s.says(0, []string{"Run 2 of plan"}, "resume", "--yes")
	s.says(3, []string{"cannot resume: run 1 of plan ", " is going on (pid "}, "resume", "--yes")
	first.kill()
	s.says(0, []string{"Run 1 of plan"}, "resume", "--yes")
	s.intact()
}

// While an interrupted run is resumed, it is reported as running. If it is killed then, it can
// be resumed whatever else has been done meanwhile.
func TestKilledResumeOfAnInterruptedRun(t *testing.T) {
	long(t)
	t.Parallel()
	s := newSite(t, jbods("download: {"+quick+`}, esps: [{faults: [{when: {opcode: "1d", offset: 4096}, do: {delay: 300ms}}]}, {faults: [{when: {opcode: "1d", offset: 12288}, `+hangs+"}]}]",
		"download: {"+quick+"}, esps: [{}, {}]"), wanted("e", ""))
	s.run(0, "plan", "-f", "desired.yaml", "--target", "5000ccab04001000/*", "--out", "first.plan")
	s.run(0, "plan", "-f", "desired.yaml", "--target", "5000ccab04002000/*", "--out", "second.plan")
	p := s.start("apply", "first.plan", "--yes")
	p.sends(2, lu1)
	p.signal(syscall.SIGINT)
	p.ends(130)
	p = s.start("resume", "--yes")
	p.sends(1, lu2+" 0e@12288")
	status := s.run(0, "status")
	if !strings.Contains(status, "goes on") || strings.Contains(status, "STUCK") {
		t.Errorf("status beside a resumption = \n%s\nwant that it goes on, and nothing stuck", status)
	}
	p.kill()
	s.run(0, "apply", "second.plan", "--yes")
	s.says(0, []string{"Run 1 of plan"}, "resume", "--yes")
	s.are(esp1+" 1000 1100", esp2+" 1000 1100", "5000ccab04002000/esp1/sub0 1000 1100",
		"5000ccab04002000/esp2/sub0 1000 1100")
	s.intact()
}
