package ui

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/executor/result"
	"fwctl/internal/state"
	"fwctl/internal/ui/uitest"
	"fwctl/plan"
)

// terminal keeps what is written to it. It is drawn on while the test looks.
type terminal struct {
	mu      sync.Mutex
	written bytes.Buffer
}

func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.written.Write(p)
}

func (t *terminal) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.written.String()
}

// Text goes by above the bars: one of each component that is worked on, what is
// waited for, and the whole. At the end no bar is left.
func TestBars(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out terminal
		b := newBars(&Output{out: &out}, &plan.Plan{Waves: []plan.Wave{{Number: 1, Kind: plan.StageWave}}, Steps: []plan.Step{
			{Address: "a", Hops: []plan.Hop{{Activation: plan.WithApply}}}, {Address: "b", Hops: []plan.Hop{{Activation: plan.Manual}}},
		}}, 2)
		tell := func(e result.Event) {
			e.Time = time.Now()
			b.Show(e)
		}
		shows := func(want string) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			if diff := cmp.Diff(want, uitest.Shown(t, out.String())); diff != "" {
				t.Errorf("screen (-want +got):\n%s", diff)
			}
		}
		opens := time.Now().Add(time.Minute)
		tell(result.Event{Type: result.EventWindow, Wave: 1, Reason: "night", Until: &opens})
		until := opens.Format("Mon 2006-01-02 15:04 MST")
		text := "Wave 1 waits for night, which opens " + until + ".\n"
		shows(text + "Wave 1 waits for night 59 s left\n0 of 2 done   0 % [........................................] " +
			"1 s\n")
		time.Sleep(time.Until(opens))
		tell(result.Event{Type: result.EventWave, Wave: 1})
		for _, address := range []string{"a", "b"} {
			tell(result.Event{Type: result.EventStarted, Address: address, Mode: plan.ModeE, Hop: 1, Hops: 1, Total: 1 << 10})
			text += map[string]string{"a": "Wave 1: downloads that reset nothing\n"}[address] + address +
				": sending 1.0 KiB by mode e\n"
		}
		time.Sleep(3 * time.Second)
		tell(result.Event{Type: result.EventProgress, Address: "a", Hop: 1, Hops: 1, Bytes: 256, Total: 1 << 10})
		tell(result.Event{Type: result.EventProgress, Address: "b", Hop: 1, Hops: 1, Bytes: 1 << 10, Total: 1 << 10})
		shows(text + "a  25 % [##########..............................] 64 B/s, 12 s left\nb 100 % " +
			"[########################################] the device is writing it\n0 of 2 done   0 % " +
			"[........................................] 1 min 4 s\n")

		// A key that is pressed moves the cursor, and a ^C stands there until the next frame.
		io.WriteString(&out, "^C")
		b.Say("Interrupted.")
		tell(result.Event{Type: result.EventStaged, Address: "b", Hop: 1, Hops: 1})
		text += "Interrupted.\nb: staged\n"
		shows(text + "a  25 % [##########..............................] 51 B/s, 15 s left\n1 of 2 done  50 % " +
			"[####################....................] 1 min 5 s\n")

		// A download that starts over has its rate from there.
		tell(result.Event{Type: result.EventStarted, Address: "a", Mode: plan.ModeE, Hop: 1, Hops: 1, Total: 1 << 10})
		text += "a: sending 1.0 KiB by mode e\n"
		time.Sleep(4 * time.Second)
		tell(result.Event{Type: result.EventProgress, Address: "a", Hop: 1, Hops: 1, Bytes: 512, Total: 1 << 10})
		shows(text + "a  50 % [####################....................] 102 B/s, 5 s left\n1 of 2 done  50 % " +
			"[####################....................] 1 min 10 s\n")

		tell(result.Event{Type: result.EventRefusedMode, Address: "a", Hop: 1, Hops: 1, Reason: "mode 7 follows"})
		tell(result.Event{Type: result.EventHook, Address: "a", Hop: 1, Hops: 1, Hook: state.BeforeReset,
			Command: plan.Command{"ceph", "osd"}})
		text += "a: mode 7 follows\na: before the reset: ceph osd\n"
		shows(text + "a before the reset: ceph 1 s\n1 of 2 done  50 % [####################....................] 1 min 11 " +
			"s\n")

		// What the plan starts is not done when it is staged, nor when it runs a stepping stone.
		tell(result.Event{Type: result.EventHookEnded, Address: "a", Hop: 1, Hops: 1, Hook: state.BeforeReset})
		tell(result.Event{Type: result.EventStaged, Address: "a", Hop: 1, Hops: 1})
		text += "a: before the reset: done\na: staged\n"
		shows(text + "1 of 2 done  50 % [####################....................] 1 min 12 s\n")
		tell(result.Event{Type: result.EventVerified, Address: "a", Hop: 1, Hops: 2, Revision: "1050"})
		text += "a: runs 1050\n"
		shows(text + "1 of 2 done  50 % [####################....................] 1 min 13 s\n")
		tell(result.Event{Type: result.EventVerified, Address: "a", Hop: 2, Hops: 2, Revision: "1100"})
		text += "a: runs 1100\n"
		shows(text + "2 of 2 done 100 % [########################################] 1 min 14 s\n")

		tell(result.Event{Type: result.EventPowerCycle, Wave: 1, Components: 1, Reason: "r12u20"})
		b.Close()
		synctest.Wait()
		text += "Wave 1: power-cycle r12u20 now, when its drives are not in use. This waits for\n  it; ^C ends the waiting.\n"
		if diff := cmp.Diff(text, uitest.Shown(t, out.String())); diff != "" {
			t.Errorf("screen at the end (-want +got):\n%s", diff)
		}
		b.Say("left")
		if got := uitest.Shown(t, out.String()); got != text+"left\n" {
			t.Errorf("after the end the screen is\n%s", got)
		}
	})
}

// A line of a bar is narrower than any terminal, and says the most that there is room for.
func TestMeter(t *testing.T) {
	t.Parallel()
	const address = "5000ccab04001000/esp1/sub0"
	half := running{began: noon, sent: 32 << 10, total: 64 << 10}
	now := noon.Add(10 * time.Second)
	for _, tt := range []struct {
		name string
		line func(width int) string
		want map[int]string
	}{
		{"half of an image", func(w int) string { return half.line(address, now, w) }, map[int]string{
			200: address + "  50 % [####################....................] 3.2 KiB/s, 10 s left",
			80:  address + "  50 % [###########............] 3.2 KiB/s, 10 s left",
			60:  address + "  50 % 3.2 KiB/s, 10 s left",
			40:  address + "  50 %",
			20:  ".../esp1/sub0  50 %",
		}},
		{"all of it", func(w int) string { r := half; r.sent = r.total; return r.line(address, now, w) }, map[int]string{
			80: address + " 100 % [###################] the device is writing it", 20: ".../esp1/sub0 100 %",
		}},
		{"nothing yet", func(w int) string { r := half; r.sent = 0; return r.line(address, noon, w) }, map[int]string{
			80: address + "   0 % [........................................]", 20: ".../esp1/sub0   0 %",
		}},
		{"a stage", func(w int) string { r := half; r.stage = "activating"; return r.line(address, now, w) }, map[int]string{
			80: address + " activating 10 s", 20: "... activating 10 s",
		}},
		{"a window", func(w int) string {
			return (&waiting{what: "Wave 2 waits for saturday-night", till: now.Add(90 * time.Minute)}).line(now, w)
		}, map[int]string{
			80: "Wave 2 waits for saturday-night 1 h 30 min left", 40: "...s for saturday-night 1 h 30 min left",
		}},
		{"a power cycle", func(w int) string { return (&waiting{what: "Wave 2 waits for a power cycle", from: noon}).line(now, w) }, map[int]string{
			80: "Wave 2 waits for a power cycle since 10 s",
		}},
	} {
		for width := range 201 {
			if got := tt.line(width); len(got) > max(0, width-1) || strings.ContainsAny(got, "\r\n") {
				t.Errorf("%s in %d columns = %q, which is %d wide", tt.name, width, got, len(got))
			}
		}
		for width, want := range tt.want {
			if got := tt.line(width); got != want {
				t.Errorf("%s in %d columns = %q; want %q", tt.name, width, got, want)
			}
		}
	}
}

// What is compared with the plan on a slow rack is seen to go on, whatever is told
// of components meanwhile, until the first wave; a comparison alone has no bar of the whole.
func TestBarsOfAComparison(t *testing.T) {
	t.Parallel()
	for all, whole := range map[int]string{0: "",
		2: "0 of 2 done   0 % [........................................] 12 s\n"} {
		synctest.Test(t, func(t *testing.T) {
			var out terminal
			b := newBars(&Output{out: &out}, &plan.Plan{}, all)
			b.Show(result.Event{Type: result.EventChecking, Time: time.Now(), Components: 40})
			b.Show(result.Event{Type: result.EventNoticed, Address: "a", Reason: "it is slow"})
			time.Sleep(12 * time.Second)
			synctest.Wait()
			text := "Comparing 40 components with the plan.\na: it is slow\n"
			if diff := cmp.Diff(text+"Comparing 40 components with the plan since 12 s\n"+whole,
				uitest.Shown(t, out.String())); diff != "" {
				t.Errorf("screen meanwhile (-want +got):\n%s", diff)
			}
			b.Show(result.Event{Type: result.EventWave, Wave: 1})
			b.Close()
			if diff := cmp.Diff(text+"Wave 1\n", uitest.Shown(t, out.String())); diff != "" {
				t.Errorf("screen at the end (-want +got):\n%s", diff)
			}
		})
	}
}

// A command that is not run has no bar, and what has failed is at its end.
func TestBarsOfWhatEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out terminal
		b := newBars(&Output{out: &out}, &plan.Plan{}, 2)
		b.Show(result.Event{Type: result.EventHook, Address: "a", Hop: 1, Hops: 1, Hook: state.BeforeReset,
			Command: plan.Command{"ceph"}, Reason: "not run"})
		b.Show(result.Event{Type: result.EventFinished, Address: "b", Hop: 1, Hops: 1, Outcome: result.OutcomeFailed,
			Reason: "81h"})
		time.Sleep(time.Second)
		synctest.Wait()
		want := "a: before the reset: ceph: not run\nb: failed: 81h\n1 of 2 done  50 % " +
			"[####################....................] 1 s\n"
		if diff := cmp.Diff(want, uitest.Shown(t, out.String())); diff != "" {
			t.Errorf("screen (-want +got):\n%s", diff)
		}
		b.Close()
	})
}

// What the plan expects is how long a component and the whole still take. Nothing is said any more once that is over.
func TestBarsSayWhatIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out terminal
		b := newBars(&Output{out: &out}, &plan.Plan{
			Waves: []plan.Wave{{Number: 1, Kind: plan.StageWave}, {Number: 2, Kind: plan.ResetWave}},
			Steps: []plan.Step{{
				Address: "a", Action: plan.Update, Enclosure: "e", FaultDomain: 1, Waves: plan.StepWaves{Stage: 1, Reset: 2},
				Hops: []plan.Hop{{
					Modes: []plan.Mode{plan.ModeE}, Activation: plan.WithApply, ChunkSize: 1,
					FlashTimeout: plan.Duration(time.Hour), ReturnTimeout: plan.Duration(time.Hour),
				}},
				WorstDuration: plan.Duration(2 * time.Hour), ExpectedDuration: plan.Duration(30 * time.Second),
				ExpectedStaging: plan.Duration(20 * time.Second), ExpectedFrom: 3,
			}},
		}, 1)
		tell := func(e result.Event) {
			e.Time = time.Now()
			b.Show(e)
		}
		shows := func(want string) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			if got := uitest.Shown(t, out.String()); !strings.HasSuffix(got, want) {
				t.Errorf("screen = %s; want at its end %s", got, want)
			}
		}
		tell(result.Event{Type: result.EventWave, Wave: 1})
		tell(result.Event{Type: result.EventStarted, Address: "a", Mode: plan.ModeE, Hop: 1, Hops: 1, Total: 8})
		tell(result.Event{Type: result.EventProgress, Address: "a", Hop: 1, Hops: 1, Bytes: 8, Total: 8})
		shows("a 100 % [###########################] the device is writing it, about 19 s left\n" +
			"0 of 1 done   0 % [......................................] 1 s, about 29 s left\n")
		time.Sleep(30 * time.Second)
		shows("a 100 % [########################################] the device is writing it\n" +
			"0 of 1 done   0 % [.....................................] 32 s, about 10 s left\n")
		tell(result.Event{Type: result.EventStaged, Address: "a", Hop: 1, Hops: 1})
		tell(result.Event{Type: result.EventWave, Wave: 2})
		tell(result.Event{Type: result.EventWaiting, Address: "a", Hop: 1, Hops: 1})
		shows("a waiting for the device 1 s, about 9 s left\n" +
			"0 of 1 done   0 % [......................................] 33 s, about 9 s left\n")
		if got := out.String(); !strings.Contains(got, "Wave 1: downloads that reset nothing, about 20 s") {
			t.Errorf("what was written = %s; want how long wave 1 takes", got)
		}
		b.Close()
	})
}
