package ui

import (
	"bytes"
	"io"
	"path/filepath"
	"regexp"
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
	return append(events, result.Event{Time: noon.Add(2 * time.Minute), Type: result.EventStaged, Address: address, Hop: 1, Hops: 1})
}

// linesTo is a display of lines on a writer.
func linesTo(w io.Writer, p *plan.Plan) *lineDisplay {
	return &lineDisplay{w: w, words: newWords(p, p), course: newCourse(p, len(p.Waves))}
}

// Without a terminal: a line at the start, at every tenth, and at the end.
func TestProgressLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := linesTo(&out, &plan.Plan{})
	for _, e := range download("a") {
		p.Show(e)
	}
	want := `2026-11-22 12:00:00 UTC a: sending 100 B by mode e
12:00:10 UTC a: 10 % sent
12:00:20 UTC a: 20 % sent
12:00:30 UTC a: 30 % sent
12:00:40 UTC a: 40 % sent
12:00:50 UTC a: 50 % sent
12:01:00 UTC a: 60 % sent
12:01:10 UTC a: 70 % sent
12:01:20 UTC a: 80 % sent
12:01:30 UTC a: 90 % sent
12:01:40 UTC a: 100 % sent
12:02:00 UTC a: staged
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
}

// At most a line every 5 s, however fast it goes.
func TestProgressLinesOfAFastDownload(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := linesTo(&out, &plan.Plan{})
	for _, e := range download("a") {
		e.Time = noon.Add(e.Time.Sub(noon) / 10) // 10 s in all
		p.Show(e)
	}
	want := "2026-11-22 12:00:00 UTC a: sending 100 B by mode e\n12:00:05 UTC a: 50 % sent\n12:00:10 UTC a: 100 % sent\n" +
		"12:00:12 UTC a: staged\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
}

// The whole has a line at the start of each wave, and after a component's end, at most every 30 s. Each day is named.
func TestProgressLinesOfTheWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		l := linesTo(&out, watchedPlan(20))
		after := func(wait time.Duration, events ...result.Event) {
			time.Sleep(wait)
			for _, e := range events {
				e.Time = time.Now()
				l.Show(e)
			}
		}
		after(24*time.Hour-time.Minute, result.Event{Type: result.EventWave, Wave: 1})
		for _, address := range []string{namedAddress, otherAddress} {
			after(0, result.Event{Type: result.EventStarted, Address: address, Mode: plan.ModeE, Hop: 1, Hops: 1, Total: 60})
		}
		after(15*time.Second, result.Event{Type: result.EventStaged, Address: otherAddress, Hop: 1, Hops: 1})
		after(40*time.Second, result.Event{Type: result.EventStaged, Address: namedAddress, Hop: 1, Hops: 1})
		after(time.Minute, result.Event{Type: result.EventWave, Wave: 2},
			result.Event{Type: result.EventActivating, Address: namedAddress, Hop: 1, Hops: 1})
		after(35*time.Second,
			result.Event{Type: result.EventFinished, Address: namedAddress, Hop: 1, Hops: 1, Outcome: result.OutcomeUnknown})
		l.Close()
		isGolden(t, filepath.Join("testdata", "view", "lines.txt"), out.String())
	})
}

// A run that is resumed at its last hop has come to its end with that, and events count the hops before, too.
func TestProgressOfAResumedRun(t *testing.T) {
	t.Parallel()
	p := watchedPlan(0)
	for address, want := range map[string]string{namedAddress: "0 of 2 done", otherAddress: "1 of 2 done"} {
		c := newCourse(p, 2)
		c.see(result.Event{Type: result.EventWave, Wave: 1})
		c.see(result.Event{Type: result.EventStaged, Address: address, Hop: 3, Hops: 3})
		if got := c.counted(); got != want {
			t.Errorf("after the last of three hops of %s is staged: %s; want %s", address, got, want)
		}
	}
}

// The whole moves with the bytes that are sent and with what follows, never goes back, and is done at the end alone.
func TestProgressOfALongDownload(t *testing.T) {
	t.Parallel()
	p := watchedPlan(0)
	c := newCourse(p, len(p.Waves))
	event := func(address string, kind result.EventType, bytes int64, outcome result.Outcome) result.Event {
		return result.Event{Type: kind, Address: address, Hop: 1, Hops: 1, Bytes: bytes, Total: 1 << 40, Outcome: outcome}
	}
	const full = 1 << 40
	last := 0
	for i, tt := range []struct {
		e    result.Event
		want int
	}{
		{result.Event{Type: result.EventWave, Wave: 1}, 0},
		{event(otherAddress, result.EventStarted, 0, ""), 0},
		{event(otherAddress, result.EventProgress, full/2, ""), 23},
		{event(otherAddress, result.EventProgress, full, ""), 47},
		// It is disturbed, and starts over.
		{event(otherAddress, result.EventStarted, 0, ""), 47},
		{event(otherAddress, result.EventProgress, full/4, ""), 47},
		{event(otherAddress, result.EventStaged, 0, ""), 50},
		{event(namedAddress, result.EventProgress, full/2, ""), 68},
		{event(namedAddress, result.EventStaged, 0, ""), 90},
		{result.Event{Type: result.EventWave, Wave: 2}, 90},
		{event(namedAddress, result.EventActivating, 0, ""), 92},
		{event(namedAddress, result.EventWaiting, 0, ""), 95},
		{event(namedAddress, result.EventVerified, 0, ""), 100},
		{event(namedAddress, result.EventFinished, 0, result.OutcomeUpdated), 100},
	} {
		c.see(tt.e)
		got := c.percent()
		if got != tt.want || got < last || got == 100 != c.isOver() {
			t.Errorf("after event %d, %s: %d %%, of which %d were done before; want %d %%", i, tt.e.Type, got, last, tt.want)
		}
		last = got
	}
	p = watchedPlan(0)
	p.Steps = p.Steps[1:]
	p.Steps[0].Hops = append(p.Steps[0].Hops, p.Steps[0].Hops...)
	c = newCourse(p, len(p.Waves))
	verified := result.Event{Type: result.EventVerified, Address: namedAddress, Hop: 1, Hops: 2}
	if c.see(verified); c.percent() != 50 {
		t.Errorf("after the first of two hops: %d %%; want 50 %%", c.percent())
	}
}

// Without a terminal, the whole has a line at every tenth, at most every 30 s.
func TestProgressLinesOfTheWholeOfALongDownload(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	l := linesTo(&out, watchedPlan(0))
	l.Show(result.Event{Type: result.EventWave, Wave: 1, Time: noon})
	for _, e := range download(otherAddress) {
		e.Hop, e.Hops = 1, 1
		l.Show(e)
	}
	got := regexp.MustCompile(`(?m)^.*In all: .*done \((.*)\),.*$`).FindAllStringSubmatch(out.String(), -1)
	var percents []string
	for _, line := range got {
		percents = append(percents, line[1])
	}
	if diff := cmp.Diff([]string{"0 %", "14 %", "28 %", "42 %", "50 %"}, percents); diff != "" {
		t.Errorf("the whole (-want +got):\n%s\n%s", diff, out.String())
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
		{result.Event{Type: result.EventWave, Wave: 2}, "Wave 2 of 2: resets"},
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
		if got := newWords(p, p).of(tt.e); got != tt.want {
			t.Errorf("words.of(%s) = %q; want %q", tt.e.Type, got, tt.want)
		}
	}
}

// If no terminal shows a bar, a comparison that takes long is told to go on.
func TestProgressOfAComparison(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		p := linesTo(&out, &plan.Plan{})
		p.Show(result.Event{Type: result.EventChecking, Time: time.Now(), Components: 40})
		time.Sleep(45 * time.Second)
		p.Show(result.Event{Type: result.EventNoticed, Time: time.Now(), Address: "a", Reason: "it is slow"})
		time.Sleep(30 * time.Second)
		p.Close()
		time.Sleep(time.Minute)
		synctest.Wait()
		want := "2000-01-01 00:00:00 UTC Comparing 40 components with the plan.\n" +
			"00:00:30 UTC Comparing 40 components still, for 30 s.\n00:00:45 UTC a: it is slow\n" +
			"00:01:00 UTC Comparing 40 components still, for 1 min.\n"
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
	p := linesTo(&out, &plan.Plan{})
	tell := (&onceInFull{Display: p}).Show
	for _, e := range []result.Event{{Address: "a", Reason: "no mode e (80h); mode 7 follows in wave 2"},
		{Address: "b", Reason: "no mode e (80h); mode 7 follows in wave 2"},
		{Address: "c", Reason: "no mode e (80h); mode 7 follows in wave 3"}} {
		e.Type, e.Mode, e.Time = result.EventRefusedMode, plan.ModeE, noon
		tell(e)
	}
	want := "2026-11-22 12:00:00 UTC a: no mode e (80h); mode 7 follows in wave 2\n" +
		"12:00:00 UTC b: the device does not take mode e either\n12:00:00 UTC c: no mode e (80h); mode 7 follows in wave 3\n"
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
		l := linesTo(NewOutput(&out), &plan.Plan{})
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
