package ui

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/executor/result"
	"fwctl/internal/state"
	"fwctl/plan"
)

// download is the events of a download of 100 bytes, a second a byte.
func download(address string) []result.Event {
	events := []result.Event{{Time: noon, Type: result.EventStarted, Address: address, Mode: plan.ModeE, Total: 100}}
	for sent := int64(1); sent <= 100; sent++ {
		events = append(events, result.Event{Time: noon.Add(time.Duration(sent) * time.Second), Type: result.EventProgress,
			Address: address, Bytes: sent, Total: 100})
	}
	return append(events, result.Event{Type: result.EventStaged, Address: address})
}

// Without a terminal: a line at the start, at every tenth, and at the end.
func TestProgressLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &lineDisplay{w: &out, plan: &plan.Plan{}}
	for _, e := range download("a") {
		p.Show(e)
	}
	want := `a: sending 100 B by mode e
a: 10 % sent
a: 20 % sent
a: 30 % sent
a: 40 % sent
a: 50 % sent
a: 60 % sent
a: 70 % sent
a: 80 % sent
a: 90 % sent
a: 100 % sent
a: staged
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
}

// At most a line every 5 s, however fast it goes.
func TestProgressLinesOfAFastDownload(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &lineDisplay{w: &out, plan: &plan.Plan{}}
	for _, e := range download("a") {
		e.Time = noon.Add(e.Time.Sub(noon) / 10) // 10 s in all
		p.Show(e)
	}
	want := "a: sending 100 B by mode e\na: 50 % sent\na: 100 % sent\na: staged\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
}

// What a line says beside the address.
func TestText(t *testing.T) {
	t.Parallel()
	no, yes := false, true
	p := &plan.Plan{Waves: []plan.Wave{{Number: 1, Kind: plan.StageWave}, {Number: 2, Kind: plan.ResetWave}}}
	for _, tt := range []struct {
		e    result.Event
		want string
	}{
		{result.Event{Type: result.EventWave, Wave: 2}, "Wave 2: resets"},
		{result.Event{Type: result.EventStarted, Address: "a", Mode: plan.ModeE, Hop: 1, Hops: 1, Total: 4096}, "a: sending 4.0 KiB by mode e"},
		{result.Event{Type: result.EventStarted, Address: "a", Mode: plan.Mode7, Hop: 2, Hops: 3, Total: 1 << 20}, "a: sending 1.0 MiB by mode 7, hop 2 of 3"},
		{result.Event{Type: result.EventStaged, Address: "a", Confirmed: &yes}, "a: staged"},
		{result.Event{Type: result.EventStaged, Address: "a", Confirmed: &no}, "a: staged, unconfirmed"},
		{result.Event{Type: result.EventHook, Address: "a", Hook: state.BeforeReset, Command: plan.Command{"ceph", "osd"}}, "a: before the reset: ceph osd"},
		{result.Event{Type: result.EventHookEnded, Address: "a", Hook: state.AfterReset}, "a: after the reset: done"},
		{result.Event{Type: result.EventHookEnded, Address: "a", Hook: state.AfterReset, Reason: "it failed"}, "a: it failed"},
		{result.Event{Type: result.EventFinished, Address: "a", Outcome: result.OutcomeFailed, Reason: "81h"}, "a: failed: 81h"},
		{result.Event{Type: result.EventFinished, Address: "a", Outcome: result.OutcomeSkipped, Reason: "left"}, ""},
	} {
		if got := eventText(p, tt.e); got != tt.want {
			t.Errorf("eventText(%s) = %q; want %q", tt.e.Type, got, tt.want)
		}
	}
}

// If no terminal shows a bar, a comparison that takes long is told to go on.
func TestProgressOfAComparison(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		p := &lineDisplay{w: &out, plan: &plan.Plan{}}
		p.Show(result.Event{Type: result.EventChecking, Time: time.Now(), Components: 40})
		time.Sleep(45 * time.Second)
		p.Show(result.Event{Type: result.EventNoticed, Address: "a", Reason: "it is slow"})
		time.Sleep(30 * time.Second)
		p.Show(result.Event{Type: result.EventWave, Wave: 1})
		time.Sleep(time.Minute)
		synctest.Wait()
		want := "Comparing 40 components with the plan.\nComparing 40 components still, since 30 s.\na: it is " +
			"slow\nComparing 40 components still, since 1 min.\nWave 1\n"
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		p.Show(result.Event{Type: result.EventChecking, Time: time.Now(), Components: 1})
		p.Close()
	})
}

// Why a mode is refused, and what follows, is told once where it is the same.
func TestRefusedModeOnceInFull(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	p := &lineDisplay{w: &out, plan: &plan.Plan{}}
	tell := (&onceInFull{Display: p}).Show
	for _, e := range []result.Event{{Address: "a", Reason: "no mode e (80h); mode 7 follows in wave 2"},
		{Address: "b", Reason: "no mode e (80h); mode 7 follows in wave 2"},
		{Address: "c", Reason: "no mode e (80h); mode 7 follows in wave 3"}} {
		e.Type, e.Mode = result.EventRefusedMode, plan.ModeE
		tell(e)
	}
	want := "a: no mode e (80h); mode 7 follows in wave 2\nb: the device does not take mode e either\nc: no mode e " +
		"(80h); mode 7 follows in wave 3\n"
	if out.String() != want {
		t.Errorf("told %q; want %q", out.String(), want)
	}
}

// Whatever an event quotes, of a command, a device or a person: it is one line.
func TestLinesOfForeignTextAreOneLine(t *testing.T) {
	t.Parallel()
	const nasty = "a\nFORGED\x1b[2J\u202e"
	for _, kind := range []result.EventType{
		result.EventNoticed, result.EventHook, result.EventHookEnded, result.EventRefusedMode,
		result.EventFinished, result.EventRecovered, result.EventWaiting, result.EventPowerCycle, "something new",
	} {
		var out bytes.Buffer
		l := &lineDisplay{w: NewOutput(&out), plan: &plan.Plan{}}
		l.Show(result.Event{
			Type: kind, Address: "5000ccab04001000/esp1/sub0", Reason: nasty, Command: plan.Command{"true", nasty},
			Outcome: result.OutcomeFailed, Output: nasty,
		})
		l.Close()
		if got := out.String(); strings.Count(got, "\n") != 1 || strings.ContainsAny(got, "\x1b\u202e") {
			t.Errorf("%s: %q; want one line that steers no terminal", kind, got)
		}
	}
}
