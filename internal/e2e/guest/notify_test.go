//go:build e2e

package guest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// notifies has the desired state name a shell script that notifies people.
func (r *rack) notifies(t *testing.T, script string) {
	t.Helper()
	if err := os.WriteFile(r.path("page"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	desired, err := os.ReadFile(r.path("desired.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, "desired.yaml", fmt.Appendf(desired, "notify: [%s, --channel, night shift]\n", r.path("page")))
}

// A run has its command notify people of its start, of a failure, of what needs a person, and of
// its end: once each, with the event on standard input.
func TestNotify(t *testing.T) {
	for _, tt := range []struct {
		name, download, mode string
		code                 int
		notice               string // of the one module that something happened to
		end                  string
	}{
		{"a failure", "flashTime: 500ms", "e", 4, "failure", "failed"},
		{"a person is needed", "flashTime: 500ms, singleBank: true", "7", 5, "person", "unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := doubtful(t, tt.download, abortRefused, tt.mode)
			// The directory that it is started in is fwctl's.
			r.notifies(t, "echo \"$@\" >>words\ncat >>messages\n")
			r.ends(t, tt.code, "apply", "-f", "desired.yaml", "--yes")
			messages, err := os.ReadFile(r.path("messages"))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range bytes.Lines(messages) {
				var m struct {
					Notify, Host, Type, Address, Outcome string
					Run                                  int
					ExitCode                             int    `json:"exit_code"`
					PlanDigest                           string `json:"plan_digest"`
				}
				if err := json.Unmarshal(line, &m); err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				if m.Host != "guest" || m.Run != 1 || !strings.HasPrefix(m.PlanDigest, "sha256:") {
					t.Errorf("%s; want it of run 1 on guest, with the digest of the plan", line)
				}
				got = append(got, strings.Join(strings.Fields(fmt.Sprint(m.Notify, " ", m.Type, " ", m.Address, " ", m.Outcome, " ",
					m.ExitCode)), " "))
			}
			diff(t, "messages", got, []string{
				"start begun 0",
				tt.notice + " finished " + esp1 + " failed 0",
				fmt.Sprintf("end result %s %d", tt.end, tt.code),
			})
			words, err := os.ReadFile(r.path("words"))
			if want := strings.Repeat("--channel night shift\n", 3); err != nil || string(words) != want {
				t.Errorf("arguments = %q, %v; want %q", words, err, want)
			}
		})
	}
}

// A command that hangs, and does not take SIGTERM for an answer, does not keep the run waiting,
// does not change how it ends, and is gone when fwctl has ended.
func TestNotifyHangs(t *testing.T) {
	r := serve(t, fmt.Sprintf(jbod, "protocol: ses, flashTime: 0s", "0s", "0s"), "1100")
	r.want(t, "1100", "{}")
	r.notifies(t, "trap '' TERM\necho $$ >>pids\nexec sleep 100000\n")
	pids := func() []string {
		text, _ := os.ReadFile(r.path("pids")) // none: it has not been run
		return strings.Fields(string(text))
	}
	runs := func(pid string) bool {
		_, err := os.Stat("/proc/" + pid)
		return err == nil
	}
	p := r.start(t, "apply", "-f", "desired.yaml", "--yes")
	wait(t, "the command to be run, and a chunk", func() bool {
		return len(pids()) > 0 && len(r.downloads(t, lu1)) > 0
	})
	if first := pids()[0]; len(pids()) > 1 || !runs(first) {
		t.Errorf("at the first chunk the command has run %d times; want it still at the first, which is of the start", len(pids()))
	}
	<-p.done
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code = %d; want 0\n%s", code, p.said())
	}
	diff(t, "downloads of module 1", r.downloads(t, lu1), whole(0x0e, 4096))
	diff(t, "downloads of module 2", r.downloads(t, lu2), whole(0x0e, 4096))
	has(t, strings.Join(strings.Fields(p.said()), " "), "Done: 2 staged.", "further failures are not reported")
	for _, pid := range pids() {
		if runs(pid) {
			t.Errorf("the command (pid %s) still runs after fwctl has ended; want it killed", pid)
		}
	}
}
