package report_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/executor/result"
	"fwctl/internal/report"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

var (
	ctx   = context.Background()
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	host  = report.Host{Name: "stor1", TakenAt: noon}
	other = report.Host{Name: "stor2", TakenAt: noon}
)

const a = "5000ccab04001000/esp1/sub0"

func open(t *testing.T, write func(*state.Tx)) *state.Store {
	t.Helper()
	s, err := state.Open(t.TempDir())
	if err == nil {
		err = s.Update(ctx, write)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// begin records a run that has begun a download to a.
func begin(tx *state.Tx) (run int64) {
	key := state.Key{LUID: "5000ccab04001001"}
	run = tx.BeginRun(state.Run{PlanDigest: "sha256:00", Host: "stor1", By: "anna", StartedAt: noon})
	tx.SetStep(run, state.Step{Address: a, Key: key, SHA256: "aa", State: "sending", Mode: "e", At: noon})
	tx.Intend(state.Intent{Run: run, Address: a, Key: key, Kind: state.DownloadStart, Mode: "0e", SHA256: "aa", At: noon})
	tx.Intend(state.Intent{Run: run, Address: a, Key: key, Kind: state.LastChunk, Mode: "0e", SHA256: "aa",
		At: noon.Add(time.Hour)})
	return run
}

// What has no end is stuck, unless its process is at it.
func TestStuck(t *testing.T) {
	for want, holds := range map[result.Process]func(string, int) (bool, error){
		result.ProcessRunning: func(enclosure string, pid int) (bool, error) {
			return enclosure == "5000ccab04001000" && pid == os.Getpid(), nil
		},
		result.ProcessGone:    func(string, int) (bool, error) { return false, os.ErrProcessDone },
		result.ProcessUnclear: func(string, int) (bool, error) { return false, nil },
	} {
		store := open(t, func(tx *state.Tx) { begin(tx) })
		s, err := report.ReadStatus(ctx, store, host, holds)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Runs) != 1 || s.Runs[0].Process != want {
			t.Errorf("Runs = %+v; want one that is %s", s.Runs, want)
		}
		stuck := []report.Stuck{{Host: "stor1", Address: a, Run: 1, Kind: "last-chunk", Mode: "0e", SHA256: "aa",
			Since: noon}}
		if want == result.ProcessRunning {
			stuck = []report.Stuck{}
		}
		if diff := cmp.Diff(stuck, s.Stuck); diff != "" {
			t.Errorf("Stuck of a run that is %s (-want +got):\n%s", want, diff)
		}
	}
}

// What another run has left is stuck, each component of it, while one goes on elsewhere.
func TestStuckBesideARunThatGoesOn(t *testing.T) {
	const beside, elsewhere = "5000ccab04001000/esp2/sub0", "5000ccab04002000/esp1/sub0"
	store := open(t, func(tx *state.Tx) {
		killed := begin(tx)
		tx.Intend(state.Intent{Run: killed, Address: beside, Key: state.Key{LUID: "5000ccab04001002"},
			Kind: state.DownloadStart, Mode: "0e", SHA256: "aa", At: noon})
		key := state.Key{LUID: "5000ccab04002001"}
		alive := tx.BeginRun(state.Run{Host: "stor1", By: "ben", StartedAt: noon})
		tx.SetStep(alive, state.Step{Address: elsewhere, Key: key, SHA256: "bb", State: "sending", Mode: "e", At: noon})
		tx.Intend(state.Intent{Run: alive, Address: elsewhere, Key: key, Kind: state.DownloadStart, Mode: "0e", SHA256: "bb",
			At: noon})
	})
	s, err := report.ReadStatus(ctx, store, host, func(enclosure string, _ int) (bool, error) {
		return enclosure == "5000ccab04002000", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range s.Stuck {
		got = append(got, v.Address)
	}
	if diff := cmp.Diff([]string{a, beside}, got); diff != "" {
		t.Errorf("Stuck (-want +got):\n%s", diff)
	}
}

// If it is unknown who has a lock, the process is not reported as gone.
func TestProcessUnclear(t *testing.T) {
	store := open(t, func(tx *state.Tx) { begin(tx) })
	s, err := report.ReadStatus(ctx, store, host, func(string, int) (bool, error) { return false, errors.ErrUnsupported })
	if err != nil || len(s.Runs) != 1 || s.Runs[0].Process != result.ProcessUnclear {
		t.Errorf("ReadStatus = %+v, %v; want a run that is unclear", s, err)
	}
}

// A run that ends while its lock is looked at is no run that was broken off.
func TestRunThatEndsMeanwhile(t *testing.T) {
	var run int64
	store := open(t, func(tx *state.Tx) { run = begin(tx) })
	s, err := report.ReadStatus(ctx, store, host, func(string, int) (bool, error) {
		return false, errors.Join(os.ErrProcessDone, store.Update(ctx, func(tx *state.Tx) {
			for id := range int64(2) {
				tx.Resolve(id+1, "13h")
			}
			tx.EndRun(run, noon, "done")
		}))
	})
	if err != nil || len(s.Runs) > 0 || len(s.Stuck) > 0 {
		t.Errorf("ReadStatus = %+v, %v; want neither a run nor something stuck", s, err)
	}
}

// planned is the plan of one of the planner's scenarios, and its file.
func planned(t *testing.T, scenario string) (*plan.Plan, []byte) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "plan", "build", "testdata", scenario, "plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return p, data
}

// A status lists the last run if it was interrupted, and whether it can be resumed: that needs
// its plan.
func TestInterrupted(t *testing.T) {
	_, data := planned(t, "one owner host an ESP")
	for name, kept := range map[string][]byte{"its plan was kept": data, "it was not": nil,
		"it is damaged": []byte("{}")} {
		store := open(t, func(tx *state.Tx) {
			run := tx.BeginRun(state.Run{Host: "stor3", By: "anna", StartedAt: noon, Phase: "stage", Wave: 2})
			if kept != nil {
				tx.Keep(run, kept)
			}
			tx.SetStep(run, state.Step{Address: a, State: "pending", Outcome: "skipped", At: noon})
			tx.EndRun(run, noon.Add(time.Hour), state.Interrupted)
		})
		s, err := report.ReadStatus(ctx, store, host, nil) // nothing that has ended holds a lock
		if err != nil || len(s.Runs) != 1 {
			t.Fatalf("ReadStatus = %+v, %v; want a run", s, err)
		}
		want := report.Run{Phase: "stage", Wave: 2, Outcome: "interrupted", Resumable: name == "its plan was kept"}
		r := s.Runs[0]
		got := report.Run{Phase: r.Phase, Wave: r.Wave, Outcome: r.Outcome, Process: r.Process, Resumable: r.Resumable}
		if diff := cmp.Diff(want, got); diff != "" || r.EndedAt == nil {
			t.Errorf("%s: the run (-want +got):\n%s", name, diff)
		}
		if got := r.Steps[0].Outcome; got != "skipped" {
			t.Errorf("%s: outcome of its step = %q; want skipped", name, got)
		}
		err = store.Update(ctx, func(tx *state.Tx) { tx.Resume(r.ID, "ben", noon) })
		h, historyErr := report.ReadHistory(ctx, store, host)
		if err := errors.Join(err, historyErr); err != nil || h.Runs[0].Steps[0].Outcome != "" {
			t.Errorf("%s: resumed, its steps = %+v, %v; want none with an outcome", name, h.Runs[0].Steps, err)
		}
	}
}

// An effect whose end is not known is stuck after the run has ended, too.
func TestStuckAfterTheEnd(t *testing.T) {
	store := open(t, func(tx *state.Tx) { tx.EndRun(begin(tx), noon, "unknown") })
	s, err := report.ReadStatus(ctx, store, host, nil)
	if err != nil || len(s.Runs) != 1 || len(s.Stuck) != 1 {
		t.Errorf("ReadStatus = %+v, %v; want the run that is to be resumed, and one stuck", s, err)
	}
}

// Every hop that was begun is listed; the plan has the revisions of those before the one that
// the component is at.
func TestHops(t *testing.T) {
	p, data := planned(t, "the shortest chain by from is planned")
	planned := p.Steps[0]
	first, second := planned.Hops[0], planned.Hops[1]
	key := state.Key{LUID: planned.LUID}
	var run int64
	intend := func(tx *state.Tx, kind state.Kind, mode, sha256 string, minute time.Duration) {
		tx.Intend(state.Intent{Run: run, Address: planned.Address, Key: key, Kind: kind, Mode: mode, SHA256: sha256,
			At: noon.Add(minute * time.Minute)})
	}
	stands := func(tx *state.Tx, where, mode string) {
		tx.SetStep(run, state.Step{Address: planned.Address, Key: key, Hop: 1, From: second.From, To: second.To,
			SHA256: second.Image.SHA256, State: where, Mode: mode, At: noon})
	}
	store := open(t, func(tx *state.Tx) {
		run = tx.BeginRun(state.Run{Host: planned.Host, By: "anna", StartedAt: noon})
		tx.Keep(run, data)
		intend(tx, state.DownloadStart, "0e", first.Image.SHA256, 0) // and the device does not take the mode
		intend(tx, state.DownloadStart, "07", first.Image.SHA256, 1)
		intend(tx, state.LastChunk, "07", first.Image.SHA256, 2)
		stands(tx, "pending", "")
	})
	check := func(name string, hops, way []report.Hop) {
		t.Helper()
		h, err := report.ReadHistory(ctx, store, host)
		if err != nil {
			t.Fatal(err)
		}
		step := h.Runs[0].Steps[0]
		if diff := cmp.Diff(hops, step.Hops); diff != "" {
			t.Errorf("%s, Hops (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(way, step.Way()); diff != "" {
			t.Errorf("%s, Way (-want +got):\n%s", name, diff)
		}
	}
	done := report.Hop{From: first.From, To: first.To, SHA256: first.Image.SHA256, Mode: "7",
		At: noon.Add(2 * time.Minute)}
	next := report.Hop{From: second.From, To: second.To, SHA256: second.Image.SHA256}
	check("before the second", []report.Hop{done}, []report.Hop{done, next})
	err := store.Update(ctx, func(tx *state.Tx) {
		intend(tx, state.DownloadStart, "0e", second.Image.SHA256, 3)
		intend(tx, state.LastChunk, "0e", second.Image.SHA256, 4)
		intend(tx, state.Activation, "0f", second.Image.SHA256, 5)
		intend(tx, state.Abort, "ff", second.Image.SHA256, 6)
		stands(tx, "done", "e")
	})
	if err != nil {
		t.Fatal(err)
	}
	next.Mode, next.At = "e", noon.Add(5*time.Minute)
	check("in the end", []report.Hop{done, next}, []report.Hop{done, next})
	earlier := report.Step{Mode: "7", Hops: []report.Hop{done}}
	if diff := cmp.Diff(earlier.Hops, earlier.Way()); diff != "" {
		t.Errorf("Way of a step without an image, as of an earlier fwctl (-want +got):\n%s", diff)
	}
}

// Staged images and cautions are listed by address, as the store has them, for the enclosures
// that were selected.
func TestStagedAndCautions(t *testing.T) {
	const beside, elsewhere = "5000ccab04001000/esp2/sub0", "5000ccab04002000/esp1/sub0"
	store := open(t, func(tx *state.Tx) {
		run := tx.BeginRun(state.Run{Host: "stor1", By: "anna", StartedAt: noon})
		tx.EndRun(run, noon, "done")
		for luID, address := range map[string]string{"5000ccab04001002": beside, "5000ccab04001001": a,
			"5000ccab04002001": elsewhere} {
			key := state.Key{LUID: luID}
			tx.SetStep(run, state.Step{Address: address, Key: key, State: "staged", At: noon})
			tx.Stage(key, state.StagedRecord{SHA256: "aa", Revision: "1100", Running: "1000", Since: noon, By: "anna",
				Confirmed: address == a})
			tx.Caution(state.CautionRecord{Key: key, Caution: inventory.Caution{Kind: inventory.NeedsImage, Address: address, Detail: "83h", Since: noon}})
			tx.Intend(state.Intent{Run: run, Address: address, Key: key, Kind: state.Activation, Mode: "0f", SHA256: "aa",
				At: noon})
			tx.Override(run, state.Override{Kind: state.IgnoreWindow, Address: address, Given: "CHG-4711"})
			tx.BeginHook(state.Hook{Run: run, Address: address, Key: key, Kind: state.BeforeReset, Command: "ceph", At: noon})
		}
	})
	for _, tt := range []struct {
		selector inventory.Selector
		want     []string
	}{{"*", []string{a, beside, elsewhere}}, {"5000ccab04001*", []string{a, beside}}} {
		s, err := report.ReadStatus(ctx, store, host, nil)
		if err == nil {
			err = s.Only(tt.selector)
		}
		h, failure := report.ReadHistory(ctx, store, host)
		if failure == nil {
			failure = h.Only(tt.selector)
		}
		if err != nil || failure != nil {
			t.Fatal(err, failure)
		}
		var staged, cautions, stuck, overrides, hooks []string
		for _, v := range s.Staged {
			staged = append(staged, v.Address)
			if v.Confirmed != (v.Address == a) {
				t.Errorf("%s is reported as confirmed: %v; want the first alone to be", v.Address, v.Confirmed)
			}
		}
		for _, v := range s.Cautions {
			cautions = append(cautions, v.Address)
		}
		for _, v := range s.Stuck {
			stuck = append(stuck, v.Address)
		}
		for _, v := range h.Runs[0].Overrides {
			overrides = append(overrides, v.Address)
		}
		for _, v := range h.Runs[0].Hooks {
			hooks = append(hooks, v.Address)
		}
		slices.Sort(overrides) // as they were written
		slices.Sort(hooks)
		for what, got := range map[string][]string{"staged": staged, "cautions": cautions, "stuck": stuck,
			"overrides": overrides, "hooks": hooks} {
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s of %s (-want +got):\n%s", what, tt.selector, diff)
			}
		}
	}
}

// Components that the run has not come to are those of its plan for this host.
func TestStepsToCome(t *testing.T) {
	p, data := planned(t, "one owner host an ESP")
	var want []report.Step
	for _, s := range p.Steps { // all of them are to be updated
		if s.Host == "stor3" {
			want = append(want, report.Step{Address: s.Address, LUID: s.LUID, State: "pending", From: s.Current, To: s.Desired,
				SHA256: s.Hops[0].Image.SHA256})
		}
	}
	store := open(t, func(tx *state.Tx) {
		run := tx.BeginRun(state.Run{Host: "stor3", By: "anna", StartedAt: noon})
		tx.Keep(run, data)
		tx.SetStep(run, state.Step{Address: want[0].Address, State: "sending", SHA256: "aa", Mode: "e", At: noon})
	})
	want[0] = report.Step{Address: want[0].Address, State: "sending", SHA256: "aa", Mode: "e", At: &noon}
	for goesOn, resumable := range map[bool]bool{true: false, false: true} {
		s, err := report.ReadStatus(ctx, store, host, func(string, int) (bool, error) { return goesOn, nil })
		if err != nil || s.Runs[0].Resumable != resumable {
			t.Errorf("ReadStatus of a run that goes on: %t = %+v, %v; want one with resumable: %t", goesOn, s, err, resumable)
		}
	}
	s, err := report.ReadStatus(ctx, store, host, func(string, int) (bool, error) { return true, nil })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, s.Runs[0].Steps); diff != "" || len(want) != 2 {
		t.Errorf("Steps (-want +got):\n%s", diff)
	}
	damaged := open(t, func(tx *state.Tx) { tx.Keep(begin(tx), []byte("{}")) })
	s, err = report.ReadStatus(ctx, damaged, host, func(string, int) (bool, error) { return true, nil })
	if err != nil || len(s.Runs) != 1 || len(s.Runs[0].Steps) != 1 {
		t.Errorf("ReadStatus with a damaged plan = %+v, %v; want what the run has come to", s, err)
	}
}

// The waivers of a run's plan are listed for the components that it began, and in a status also
// for those that it has not come to.
func TestWaivers(t *testing.T) {
	p, data := planned(t, "requireHealthy permits waived elements until a date")
	var want []report.Waiver
	for _, s := range p.Steps {
		for _, g := range s.Gates {
			if g.Verdict == plan.Waived {
				want = append(want, report.Waiver{Gate: "requireHealthy", Address: s.Address, Why: g.Why})
			}
		}
	}
	if len(want) < 2 {
		t.Fatalf("the plan waives %v; want it to for two components", want)
	}
	store := open(t, func(tx *state.Tx) {
		run := tx.BeginRun(state.Run{Host: p.Steps[0].Host, By: "anna", StartedAt: noon})
		tx.Keep(run, data)
		tx.SetStep(run, state.Step{Address: want[0].Address, State: "sending", SHA256: "aa", Mode: "e", At: noon})
	})
	h, err := report.ReadHistory(ctx, store, host)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[:1], h.Runs[0].Waivers); diff != "" {
		t.Errorf("Waivers of a history (-want +got):\n%s", diff)
	}
	s, err := report.ReadStatus(ctx, store, host, func(string, int) (bool, error) { return true, nil })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, s.Runs[0].Waivers); diff != "" {
		t.Errorf("Waivers of a status (-want +got):\n%s", diff)
	}
	selector, err := inventory.ParseSelector(want[1].Address)
	if err == nil {
		err = s.Only(selector)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[1:2], s.Runs[0].Waivers); diff != "" {
		t.Errorf("Waivers of what was selected (-want +got):\n%s", diff)
	}
}

func TestHistory(t *testing.T) {
	key := state.Key{LUID: "5000ccab04001001"}
	store := open(t, func(tx *state.Tx) {
		run := begin(tx)
		tx.SetStep(run, state.Step{Address: a, Key: key, From: "1000", To: "1100", SHA256: "bb", State: "failed",
			Outcome: "failed", Mode: "e", Detail: "why", At: noon})
		tx.Override(run, state.Override{Kind: state.IgnoreWindow, Address: a, Given: "CHG-4711"})
		tx.Name("5000ccab04001000", "r12u20")
		tx.Resume(run, "ben", noon)
		tx.Work(run, state.Account{Login: "root", SudoUser: "anna"}, noon)
		tx.Work(run, state.Account{UID: 1000, Login: "ben"}, noon)
		tx.EndHook(tx.BeginHook(state.Hook{Run: run, Address: a, Key: key, Kind: state.BeforeReset,
			Command: "ceph osd set noout", At: noon}), noon.Add(time.Minute), "done", "noout is set\n")
		tx.BeginHook(state.Hook{Run: run, Address: a, Key: key, Kind: state.AfterReset, Command: "ceph osd unset noout",
			At: noon})
		// its policy has none there
		tx.BeginHook(state.Hook{Run: run, Address: a, Key: key, Kind: state.BeforeReset, At: noon})
		tx.EndRun(run, noon.Add(time.Hour), "failed")
		tx.BeginRun(state.Run{Host: "stor1", By: "ben", StartedAt: noon})
		tx.Verified(state.Verification{Address: a, Key: key, SHA256: "bb", Revision: "1100", Outcome: state.Running,
			By: "ben", At: noon})
	})
	h, err := report.ReadHistory(ctx, store, host)
	if err != nil {
		t.Fatal(err)
	}
	end, minute := noon.Add(time.Hour), noon.Add(time.Minute)
	want := &report.History{FormatVersion: "1.0", Kind: "History", Hosts: []report.Host{host},
		Components: []report.Component{{Address: a, Name: "r12u20"}},
		Runs: []report.Run{
			{Host: "stor1", ID: 1, Plan: "sha256:00", By: "anna", StartedAt: noon, EndedAt: &end, Outcome: "failed",
				Resumed:   []report.Resume{{By: "ben", At: noon}},
				Overrides: []report.Override{{Kind: "ignore-window", Address: a, Given: "CHG-4711"}},
				Accounts:  []report.Account{{Login: "root", SudoUser: "anna", At: noon}, {UID: 1000, Login: "ben", At: noon}},
				Hooks: []report.Hook{
					{Kind: "before-reset", Address: a, Command: "ceph osd set noout", At: noon, EndedAt: &minute, Outcome: "done", Output: "noout is set\n"},
					{Kind: "after-reset", Address: a, Command: "ceph osd unset noout", At: noon}},
				Steps: []report.Step{{Address: a, LUID: "5000ccab04001001", State: "failed", Outcome: "failed", From: "1000",
					To: "1100", SHA256: "bb", Mode: "e", Reason: "why", At: &noon,
					Hops: []report.Hop{{SHA256: "aa", Mode: "e", At: noon.Add(time.Hour)}}}}},
			{Host: "stor1", ID: 2, By: "ben", StartedAt: noon, Resumed: []report.Resume{}, Overrides: []report.Override{}, Steps: []report.Step{}},
		},
		Verified: []report.Verified{{Host: "stor1", Address: a, SHA256: "bb", Revision: "1100", Outcome: "running", By: "ben",
			At: noon}}}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("ReadHistory (-want +got):\n%s", diff)
	}

	data, err := h.Encode()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := report.ParseHistory(data)
	if diff := cmp.Diff(want, parsed); err != nil || diff != "" {
		t.Errorf("ParseHistory(Encode) = %v (-want +got):\n%s", err, diff)
	}
	var unmatched *plan.UnmatchedError
	if err := h.Only("5001*"); !errors.As(err, &unmatched) || len(h.Runs) == 0 {
		t.Errorf("Only(5001*) leaves %+v, %v; want all of it, and an UnmatchedError", h, err)
	}
	if err := parsed.Only("5000ccab*"); err != nil || len(parsed.Runs) != 1 || len(parsed.Verified) != 1 {
		t.Errorf("Only(5000ccab*) leaves %+v, %v; want the run with steps, and what was verified", parsed, err)
	}
}

func TestAdd(t *testing.T) {
	status := func(h report.Host) *report.Status {
		return &report.Status{Hosts: []report.Host{h}, Runs: []report.Run{{Host: h.Name, ID: 1}, {Host: h.Name, ID: 2}},
			Staged: []report.HostStaged{{Host: h.Name, Address: a}}, Stuck: []report.Stuck{{Host: h.Name, Address: a}},
			Cautions: []report.HostCaution{{Host: h.Name}}}
	}
	s := status(other)
	if err := s.Add(status(host)); err != nil {
		t.Fatal(err)
	}
	want := &report.Status{Hosts: []report.Host{host, other},
		Runs: []report.Run{{Host: "stor1", ID: 1}, {Host: "stor1", ID: 2}, {Host: "stor2", ID: 1},
			{Host: "stor2", ID: 2}},
		Staged:   []report.HostStaged{{Host: "stor1", Address: a}, {Host: "stor2", Address: a}},
		Stuck:    []report.Stuck{{Host: "stor1", Address: a}, {Host: "stor2", Address: a}},
		Cautions: []report.HostCaution{{Host: "stor1"}, {Host: "stor2"}}}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("Add (-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		host report.Host
		want string
	}{
		{host, "in two"},
		{report.Host{Name: "stor3", Simulated: true}, "stor3 is simulated and stor1 is real"},
	} {
		if err := s.Add(status(tt.host)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Add(%+v) = %v; want %q", tt.host, err, tt.want)
		}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Errorf("after a refused Add (-want +got):\n%s", diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for data, want := range map[string]string{
		"":                      "not JSON",
		"[]":                    "not JSON",
		`{"kind": "Inventory"}`: `"Inventory"`,
		`{"kind": "Status"}`:    "format_version",
		`{"kind": "Status", "format_version": "2.1"}`:               `"2.1"`,
		`{"kind": "Status", "format_version": "1.0", "runs": {}}`:   "does not fit",
		`{"kind": "Status", "format_version": "1.0", "runs": []} x`: "not JSON",
	} {
		s, err := report.ParseStatus([]byte(data))
		var format *report.FormatError
		if !errors.As(err, &format) || !strings.Contains(err.Error(), want) || s != nil {
			t.Errorf("ParseStatus(%s) = %v, %v; want a *FormatError with %q and nothing else", data, s, err, want)
		}
	}
	if _, err := report.ParseStatus([]byte(`{"kind": "Status", "format_version": "1.9", "later": 1}`)); err != nil {
		t.Errorf("ParseStatus of a later minor version = %v; want no error", err)
	}
}
