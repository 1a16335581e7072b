package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// keeps is a notify command that keeps what it reads.
const keeps = `notify: [sh, -c, "cat >>notified.jsonl"]`

// newNotified is a site of two modules that stage an image by mode e, with more in the rack's
// first module, on a machine whose enclosures these are, and with a notify command.
func newNotified(t *testing.T, more, notify string) *site {
	t.Helper()
	s := newSite(t, jbods("download: {"+quick+"}, esps: [{"+more+"}, {}]"), wanted("e", "", notify))
	s.program = []string{"fwctl-at-rack"}
	return s
}

// notified are the messages that keeps has kept. Each fits the schema of events.
func (s *site) notified() []map[string]any {
	s.Helper()
	data, err := os.ReadFile(s.path("notified.jsonl"))
	if err != nil && !os.IsNotExist(err) {
		s.Fatal(err)
	}
	if err := checkEvents(data); err != nil {
		s.Error(err)
	}
	var all []map[string]any
	for line := range bytes.Lines(data) {
		m := map[string]any{}
		if err := json.Unmarshal(line, &m); err != nil {
			s.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// wantNotified holds that people were notified of these: kind, type, address, outcome and run.
func (s *site) wantNotified(want ...string) {
	s.Helper()
	var got []string
	for _, m := range s.notified() {
		word := func(key string) string { w, _ := m[key].(string); return cmp.Or(w, "-") }
		got = append(got, fmt.Sprintf("%s %s %s %s %v", word("notify"), word("type"), word("address"), word("outcome"), m["run"]))
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		s.Errorf("notified (-want +got):\n%s", diff)
	}
}

// People are notified of a run: at its start, of what fails, of what needs a person, and at its end.
func TestNotify(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault string
		code  int
		want  []string
	}{
		"done": {"", 0, []string{"start begun - - 1", "end result - done 1"}},
		"failed": {
			`faults: [{when: {opcode: "1d", offset: 8192}, do: {status: '80'}}]`, 4,
			[]string{"start begun - - 1", "failure finished " + esp1 + " failed 1", "end result - failed 1"},
		},
		"needs a person": {
			`faults: [{when: {opcode: "1d", offset: 8192}, do: {status: '83'}}]`, 5,
			[]string{"start begun - - 1", "person finished " + esp1 + " failed 1", "end result - unknown 1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newNotified(t, tt.fault, keeps)
			s.run(0, "plan", "-f", "desired.yaml", "--out", "test.plan")
			s.run(tt.code, "apply", "test.plan", "--yes")
			s.wantNotified(tt.want...)
			var p struct{ Digest string }
			data, err := os.ReadFile(s.path("test.plan"))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(data, &p); err != nil {
				t.Fatal(err)
			}
			for _, m := range s.notified() {
				if m["host"] != "stor1" || m["plan_digest"] != p.Digest || m["simulated"] != false {
					t.Errorf("message = %v; want host stor1, plan %s, and nothing simulated", m, p.Digest)
				}
			}
		})
	}
}

// Who is waited for with --wait is notified, and so is the end of a run that is interrupted.
func TestNotifyPowerCycle(t *testing.T) {
	t.Parallel()
	s := newNotified(t, "", keeps)
	s.write("desired.yaml", strings.Replace(s.read("desired.yaml"), "activation: {", "activation: {by: power-cycle, scope: enclosure, ", 1))
	s.write("desired.yaml", strings.Replace(s.read("desired.yaml"), "policies: {p: {}}", "policies: {p: {reset: always, activate: apply}}", 1))
	p := s.start("apply", "-f", "desired.yaml", "--yes", "--accept-disruption", "all", "--wait")
	p.until("someone was notified", func() bool {
		return strings.Contains(s.read("notified.jsonl"), `"type":"power-cycle"`)
	})
	p.signal(syscall.SIGINT)
	<-p.done
	all := s.notified()
	if len(all) != 3 || all[1]["notify"] != "person" || all[2]["notify"] != "end" {
		t.Errorf("notified = %v; want the start, who needs a person, and the end\n%s", all, p.said())
	}
}

// read is a file of the site, "" if there is none.
func (s *site) read(name string) string {
	data, _ := os.ReadFile(s.path(name))
	return string(data)
}

// Whatever becomes of the command, the run and its exit code are what they are without it, and
// what went wrong is said once.
func TestNotifyNeverMatters(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ notify, warning string }{
		"missing":         {"[/nonexistent/page]", "/nonexistent/page: failed: fork/exec /nonexistent/page: no such file or directory ("},
		"missing in PATH": {"[no-such-program-of-anybody]", "executable file not found"},
		"no program":      {"[/dev/null]", "permission denied ("},
		"fails":           {`[sh, -c, "cat >/dev/null; echo no route; exit 1"]`, `exit status 1, and it said "no route" last (`},
		"reads nothing":   {`["true"]`, ""},
		"closes all":      {`[sh, -c, "exec <&- >&- 2>&-"]`, ""},
		"writes much":     {`[sh, -c, "head -c 1000000 /dev/zero"]`, ""},
		"fails with much": {`[sh, -c, "head -c 1000000 /dev/zero; exit 1"]`, "exit status 1, and it said \"\\x00\\x00"},
		"forks":           {`[sh, -c, "sleep 3 & exit 0"]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newNotified(t, `faults: [{when: {opcode: "1d", offset: 8192}, do: {status: '80'}}]`, "notify: "+tt.notify)
			out := s.run(4, "apply", "-f", "desired.yaml", "--yes", "--no-color")
			s.are(esp1+" 1000 -", esp2+" 1000 -")
			warned := strings.Count(out, "further failures are not reported")
			if want := min(len(tt.warning), 1); warned != want || !strings.Contains(out, tt.warning) {
				t.Errorf("warnings = %d; want %d of %q in\n%s", warned, want, tt.warning, out)
			}
		})
	}
}

// The warning is in the events and on standard error, before the result, and in spite of --quiet.
func TestNotifyWarnsPrograms(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"-o=json", "--quiet"} {
		s := newNotified(t, "", "notify: [/nonexistent/page]")
		cmd := s.fwctl("apply", "-f", "desired.yaml", "--yes", mode)
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("apply %s = %v\n%s%s", mode, err, out, said.String())
		}
		const warning = "warning: notify: /nonexistent/page: failed: fork/exec"
		if n := strings.Count(said.String(), warning); n != 1 {
			t.Errorf("apply %s warns %d times; want once:\n%s", mode, n, said.String())
		}
		if mode == "--quiet" {
			continue
		}
		if err := checkEvents(out); err != nil {
			t.Error(err)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if n := strings.Count(string(out), `"command":["/nonexistent/page"],"simulated":false}`); n != 1 ||
			!strings.Contains(lines[len(lines)-1], `"type":"result"`) {
			t.Errorf("%d events say so; want one, and the result last:\n%s", n, out)
		}
	}
}

// A command that hangs keeps no component waiting, and ^C ends the waiting for the last message.
func TestNotifyHangs(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]string{
		"always": "exec sleep 600", "with the last": "grep -q notify.:.start || exec sleep 600",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newNotified(t, "", fmt.Sprintf("notify: [sh, -c, %q]", command))
			p := s.start("apply", "-f", "desired.yaml", "--yes")
			p.tells("The run has ended, and people are still being notified. ^C ends that.")
			if got := s.count("0e@"); got != 20 {
				t.Errorf("chunks sent meanwhile = %d; want 20", got)
			}
			p.signal(syscall.SIGINT)
			p.ends(0, "it had not ended by the end of the run and was killed (the run does not depend on it", "2 staged")
			s.are(esp1+" 1000 1100", esp2+" 1000 1100")
		})
	}
}

// A run that is killed has its end notified by the one that resumes it.
func TestNotifyAfterKill(t *testing.T) {
	t.Parallel()
	s := newNotified(t, `faults: [{when: {opcode: "1d", offset: 12288}, `+hangs+`}]`, keeps)
	p := s.start(apply...)
	p.sends(1, lu1+" 0e@12288")
	p.until("someone was notified", func() bool { return strings.HasSuffix(s.read("notified.jsonl"), "\n") })
	p.kill()
	s.wantNotified("start begun - - 1")
	s.says(3, []string{"Notify, on each host: sh -c 'cat >>notified.jsonl', at the start"}, "resume")
	s.run(0, "resume", "--yes")
	s.wantNotified("start begun - - 1", "start begun - - 1", "end result - done 1")
	s.says(0, []string{"There is nothing to resume"}, "resume", "--yes")
	if got := len(s.notified()); got != 3 {
		t.Errorf("messages = %d; want none of what was no run", got)
	}
}
