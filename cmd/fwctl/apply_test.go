package main

import (
	"bufio"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fwctl/executor"
	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/internal/ui"
	"fwctl/plan"
)

// A signal in mid-download: what runs is brought to its end, nothing else is
// started, and the exit code says so.
func TestApplyInterrupted(t *testing.T) {
	long(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			dir := copyOf(t, filepath.Join(root, "examples", "quickstart"))
			cmd := exec.Command("fwctl", "--simulate", "rack.yaml", "apply", "-f", "desired-state.yaml", "--yes",
				"--accept-disruption", "all", "--state-dir", "state")
			cmd.Dir = dir
			var stdout strings.Builder
			cmd.Stdout = &stdout
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var logged []string
			for lines := bufio.NewScanner(stderr); lines.Scan(); {
				logged = append(logged, lines.Text())
				if strings.Contains(lines.Text(), ": sending ") {
					if err := cmd.Process.Signal(sig); err != nil {
						t.Fatal(err)
					}
				}
			}
			err = cmd.Wait()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
				t.Errorf("apply = %v; want exit code 130", err)
			}
			log := strings.Join(logged, "\n")
			for _, want := range []string{"Interrupted: nothing new is started", "esp1/sub0): 100 % sent", "esp1/sub0): staged"} {
				if !strings.Contains(log, want) {
					t.Errorf("stderr lacks %q:\n%s", want, log)
				}
			}
			if strings.Count(log, ": sending ") != 1 {
				t.Errorf("more than one download was started:\n%s", log)
			}
			if got := stdout.String(); !strings.Contains(got, "Interrupted: 1 staged, 3 skipped.") {
				t.Errorf("stdout lacks the result:\n%s", got)
			}
		})
	}
}

// A terminal that is lost, or a reader of the output that goes away, stops nothing.
func TestApplyOutlivesItsTerminal(t *testing.T) {
	long(t)
	dir := copyOf(t, filepath.Join(root, "examples", "quickstart"))
	hurry(t, filepath.Join(dir, "rack.yaml"))
	cmd := exec.Command("fwctl", "--simulate", "rack.yaml", "apply", "-f", "desired-state.yaml", "--yes",
		"--accept-disruption", "all", "--state-dir", "state")
	cmd.Dir = dir
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(stderr); lines.Scan() && !strings.Contains(lines.Text(), ": sending "); {
	}
	stderr.Close()
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("apply = %v; want it to end as if nothing had happened", err)
	}
	out, err := shell(dir, "fwctl --simulate rack.yaml plan -f desired-state.yaml")
	if err != nil || !strings.Contains(out, "Plan: 0 to update") {
		t.Errorf("plan afterwards = %v; want nothing left to update:\n%s", err, out)
	}
}

func TestConfirmed(t *testing.T) {
	for answer, want := range map[string]bool{
		"yes\n": true, "yes": true, " yes \r\n": true,
		"": false, "\n": false, "y\n": false, "Yes\n": false, "YES\n": false, "yes please\n": false, "no\nyes\n": false,
	} {
		if err := confirmed(strings.NewReader(answer), io.Discard); (err == nil) != want || err != nil &&
			exitCode(err) != exitRefused {
			t.Errorf("confirmed(%q) = %v; want yes: %v", answer, err, want)
		}
	}
}

func TestHintAfter(t *testing.T) {
	r := &result.Result{Outcome: result.RunUnknown,
		Steps: []result.Step{{Address: "a"}, {Address: "b", NeedsPerson: true}}}
	if got := hintAfter(r, false, "fwctl resume"); !strings.Contains(got, "do not reset or power-cycle b") {
		t.Errorf("hintAfter = %q; want the component that must not be power-cycled named", got)
	}
	for refusal, want := range map[step.Refusal]string{
		step.RefusedStale: "then plan again", step.RefusedInUse: "apply the same plan", step.RefusedWrongHost: "",
		step.RefusedDisruption: "", "": "or plan again",
	} {
		r := &result.Result{Outcome: result.RunRefused, Refusal: refusal}
		if got := hintAfter(r, false, "fwctl resume"); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("hintAfter(refused: %q) = %q; want %q in it", refusal, got, want)
		}
	}
}

// The last word about a run is about what stands for it, not about what was
// skipped because of that.
func TestClosing(t *testing.T) {
	skipped := result.Step{Address: "a", Outcome: result.OutcomeSkipped, Reason: "not started, because c went wrong"}
	staged := result.Step{Address: "b", Outcome: result.OutcomeStaged}
	failed := result.Step{Address: "c", Outcome: result.OutcomeFailed, Reason: "the image was refused"}
	refused := result.Step{Address: "d", Outcome: result.OutcomeRefused, Reason: "it runs 1001"}
	unknown := result.Step{Address: "e", Outcome: result.OutcomeUnknown, Reason: "it has not come back"}
	person := result.Step{Address: "f", Outcome: result.OutcomeFailed, NeedsPerson: true, Reason: "status 83h"}
	elsewhere := result.Step{Address: "g", Outcome: result.OutcomeSkipped, Reason: "stor2 has to carry this out"}
	for _, tt := range []struct {
		outcome result.RunOutcome
		steps   []result.Step
		want    string
	}{
		{result.RunInterrupted, []result.Step{skipped, staged}, "of the run"},
		{result.RunFailed, []result.Step{skipped, refused, failed}, "c failed: the image was refused"},
		{result.RunFailed, []result.Step{skipped, refused}, "d was refused: it runs 1001"},
		{result.RunStopped, []result.Step{skipped, staged}, "of the run"},
		{result.RunUnknown, []result.Step{skipped, failed, unknown}, "the outcome of e is unknown: it has not come back"},
		{result.RunUnknown, []result.Step{unknown, person}, "f needs a person: status 83h"},
		{result.RunRefused, []result.Step{skipped, refused}, "d was refused: it runs 1001"},
		{result.RunRefused, []result.Step{elsewhere}, "of the run"},
	} {
		r := &result.Result{Outcome: tt.outcome, Reason: "of the run", Steps: tt.steps}
		if got := closing(r); got != tt.want {
			t.Errorf("closing(%s, %v) = %q; want %q", tt.outcome, tt.steps, got, tt.want)
		}
	}
}

// gone is an output whose reader has gone away.
type gone struct{}

func (gone) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// A reader that goes away does not change how a run ended.
func TestUnreadResult(t *testing.T) {
	for outcome, want := range map[result.RunOutcome]int{result.RunUnknown: exitUnknown, result.RunFailed: exitFailed,
		result.RunDone: exitError} {
		for _, json := range []bool{false, true} {
			out := ui.NewOutput(gone{})
			r := &request{app: &app{stdout: out}, json: json, config: executor.Config{Plan: &plan.Plan{}}}
			if got := exitCode(closed(out, r.end(&result.Result{Outcome: outcome}, nil))); got != want {
				t.Errorf("exit code of a run that ended %s, and whose result cannot be written (JSON: %t) = %d; want %d", outcome,
					json, got, want)
			}
		}
	}
}
