package ui

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/olekukonko/tablewriter/pkg/twwidth"

	"fwctl/executor/result"
	"fwctl/internal/state"
	"fwctl/internal/ui/uitest"
	"fwctl/inventory"
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

// barsOn shows a run of a plan on a terminal.
func barsOn(t *terminal, p *plan.Plan) *bars {
	return newBars(&Output{out: t}, newWords(p, p), newCourse(p, len(p.Waves)))
}

const (
	namedAddress = "5000ccab04001000/esp1/sub0"
	otherAddress = "500304801f00123f/esp1/sub0"
)

// watchedPlan has a component with a name that is staged, then started, and one that is staged and left so. For all of
// that it expects so many seconds a wave, 0 for unknown.
func watchedPlan(expected int) *plan.Plan {
	hop := plan.Hop{
		From: "1000", To: "1100", Modes: []plan.Mode{plan.ModeE}, Activation: plan.WithApply, ActivateBy: plan.ByModeF,
		ChunkSize: 1, Image: plan.ImageRef{Size: 60}, FlashTimeout: plan.Duration(time.Minute),
		ReturnTimeout: plan.Duration(time.Minute),
	}
	first := plan.Step{
		Address: namedAddress, Enclosure: "5000ccab04001000", Name: "r12u20", FaultDomain: 1, Action: plan.Update,
		Hops: []plan.Hop{hop}, Waves: plan.StepWaves{Stage: 1, Reset: 2},
	}
	if expected > 0 {
		first.ExpectedStaging = plan.Duration(expected) * plan.Duration(time.Second)
		first.ExpectedDuration, first.ExpectedFrom = 2*first.ExpectedStaging, 3
	}
	second := first
	second.Address, second.Enclosure, second.Name, second.FaultDomain = otherAddress, "500304801f00123f", "", 2
	second.Waves.Reset, second.ExpectedDuration = 0, first.ExpectedStaging
	hop.Activation = plan.Manual
	second.Hops = []plan.Hop{hop}
	first.WorstDuration, second.WorstDuration = first.Worst(), second.Worst()
	return &plan.Plan{
		Waves: []plan.Wave{{Number: 1, Kind: plan.StageWave}, {Number: 2, Kind: plan.ResetWave}},
		Steps: []plan.Step{second, first}, Rollout: plan.Rollout{MaxParallel: 2},
	}
}

// watched is a run on a terminal, and what that has shown.
type watched struct {
	t    *testing.T
	out  *terminal
	bars *bars
	// The bars of some moments.
	shown strings.Builder
}

func watch(t *testing.T, p *plan.Plan) *watched {
	out := &terminal{}
	return &watched{t: t, out: out, bars: barsOn(out, p)}
}

// tell shows events that happen now.
func (w *watched) tell(events ...result.Event) {
	for _, e := range events {
		e.Time = time.Now()
		w.bars.Show(e)
	}
}

// wait lets so many seconds pass.
func (w *watched) wait(seconds int) {
	time.Sleep(time.Duration(seconds) * time.Second)
	synctest.Wait()
}

// byTime are the lines that go by, each with its time, and how they go on.
var byTime = regexp.MustCompile(`(?m)^([-0-9]{10} )?\d\d:\d\d:\d\d UTC .*\n(  .*\n)*`)

// look waits for a second, and keeps the bars that stand there.
func (w *watched) look(moment string) {
	w.t.Helper()
	w.wait(1)
	fmt.Fprintf(&w.shown, "--- %s\n%s", moment, byTime.ReplaceAllString(uitest.Shown(w.t, w.out.String()), ""))
}

// end closes the bars, and returns what was shown of them, and what went by.
func (w *watched) end() string {
	w.bars.Close()
	return w.shown.String() + "--- in the end\n" + uitest.Shown(w.t, w.out.String())
}

// Text goes by above the bars, each with its time: one bar of each component that is worked on, what is
// waited for, and the whole. At the end no bar is left.
func TestBars(t *testing.T) {
	atEachWidth(t, "bars", watchAll)
}

// atEachWidth compares what a run shows on terminals of three widths with golden files.
func atEachWidth(t *testing.T, name string, watched func(*testing.T) string) {
	t.Helper()
	for _, columns := range []string{"40", "80", "200"} {
		t.Setenv("COLUMNS", columns)
		synctest.Test(t, func(t *testing.T) {
			isGolden(t, filepath.Join("testdata", "view", name+"-"+columns+".txt"), watched(t))
		})
	}
}

// watchAll watches a run without expected durations, from its window to its end.
func watchAll(t *testing.T) string {
	w := watch(t, watchedPlan(0))
	opens := time.Now().Add(time.Minute)
	w.tell(result.Event{Type: result.EventWindow, Wave: 1, Reason: "night", Until: &opens})
	w.look("a window is waited for")
	w.wait(59)
	w.tell(result.Event{Type: result.EventWave, Wave: 1})
	for _, address := range []string{namedAddress, otherAddress} {
		w.tell(result.Event{Type: result.EventStarted, Address: address, Mode: plan.ModeE, Hop: 1, Hops: 1, Total: 1 << 10})
	}
	w.wait(3)
	w.tell(
		result.Event{Type: result.EventProgress, Address: namedAddress, Hop: 1, Hops: 1, Bytes: 256, Total: 1 << 10},
		result.Event{Type: result.EventProgress, Address: otherAddress, Hop: 1, Hops: 1, Bytes: 1 << 10, Total: 1 << 10},
	)
	w.look("two downloads, one of which is all sent")

	// A key that is pressed moves the cursor, and a ^C stands there until the next frame.
	io.WriteString(w.out, "^C")
	w.bars.Say("Interrupted.")
	w.tell(result.Event{Type: result.EventStaged, Address: otherAddress, Hop: 1, Hops: 1})
	w.look("interrupted, and one is staged to be left so")

	// A download that starts over has its rate from there.
	w.tell(result.Event{Type: result.EventStarted, Address: namedAddress, Mode: plan.ModeE, Hop: 1, Hops: 1, Total: 1 << 10})
	w.wait(4)
	w.tell(result.Event{Type: result.EventProgress, Address: namedAddress, Hop: 1, Hops: 1, Bytes: 512, Total: 1 << 10})
	w.look("a download starts over")

	// What the plan starts is not done when it is staged, nor when it runs a stepping stone.
	w.tell(result.Event{Type: result.EventStaged, Address: namedAddress, Hop: 1, Hops: 1})
	w.look("the other is staged to be started")
	until := time.Now().Add(time.Minute)
	w.tell(result.Event{Type: result.EventSoaking, Wave: 1, Until: &until})
	w.look("the wave has to stand")
	w.tell(
		result.Event{Type: result.EventWave, Wave: 2},
		result.Event{Type: result.EventHook, Address: namedAddress, Hop: 1, Hops: 1, Hook: state.BeforeReset,
			Command: plan.Command{"ceph", "osd"}},
	)
	w.look("a command before the reset")
	w.tell(
		result.Event{Type: result.EventHookEnded, Address: namedAddress, Hop: 1, Hops: 1, Hook: state.BeforeReset},
		result.Event{Type: result.EventActivating, Address: namedAddress, Hop: 1, Hops: 2},
	)
	w.look("activation")
	w.tell(result.Event{Type: result.EventVerified, Address: namedAddress, Hop: 1, Hops: 2, Revision: "1050"})
	w.look("a stepping stone runs")
	w.tell(result.Event{Type: result.EventVerified, Address: namedAddress, Hop: 2, Hops: 2, Revision: "1100"})
	w.look("all of it runs")

	w.tell(result.Event{Type: result.EventPowerCycle, Wave: 2, Components: 1, Reason: "5000ccab04001000, 500304801f00123f"})
	w.look("a person is waited for")
	w.bars.Close()
	w.bars.Say("said after the end")
	return w.end()
}

// A line of a bar is narrower than any terminal, and says the most that there is room for.
func TestMeter(t *testing.T) {
	t.Parallel()
	const address = "5000ccab04001000/esp1/sub0"
	half := running{began: noon, sent: 32 << 10, total: 64 << 10}
	now := noon.Add(10 * time.Second)
	wide := inventory.Names{"5000ccab04001000": strings.Repeat("\u68da\x1b\n", 100)}
	for _, tt := range []struct {
		name string
		line func(width int) string
		want map[int]string
	}{
		{"half of an image of an enclosure with a hostile name", func(w int) string {
			return half.line((&words{names: wide}).label(address, w), now, w)
		}, map[int]string{20: "...01b\\n esp1  50 %"}},
		{"a wait for the device that is expected to end", func(w int) string {
			r := half
			r.stage, r.until = "waiting for the device", now.Add(time.Minute)
			return r.line("r12u20 esp1", now, w)
		}, map[int]string{80: "r12u20 esp1 waiting for the device 10 s, about 1 min left", 40: "r12u20 esp1 waiting for the device 10 s"}},
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
			80: "Wave 2 waits for saturday-night, 1 h 30 min to go", 40: "...for saturday-night, 1 h 30 min to go",
		}},
		{"a power cycle", func(w int) string { return (&waiting{what: "Wave 2 waits for a power cycle", from: noon}).line(now, w) }, map[int]string{
			80: "Wave 2 waits for a power cycle for 10 s",
		}},
	} {
		for width := range 201 {
			if got := tt.line(width); twwidth.Width(got) > max(0, width-1) || strings.ContainsAny(got, "\r\n") {
				t.Errorf("%s in %d columns = %q, which is %d wide", tt.name, width, got, twwidth.Width(got))
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
	for _, tt := range []struct {
		plan      *plan.Plan
		whole, of string
	}{
		{&plan.Plan{}, "", ""},
		{watchedPlan(0), "0 of 2 done   0 % [................................] end unknown, at most 3 min\n", " of 2"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := watch(t, tt.plan)
			w.tell(result.Event{Type: result.EventChecking, Components: 40},
				result.Event{Type: result.EventNoticed, Address: otherAddress, Reason: "it is slow"})
			w.wait(12)
			w.look("now")
			w.tell(result.Event{Type: result.EventWave, Wave: 7})
			want := "--- now\nComparing 40 components with the plan for 13 s\n" + tt.whole + "--- in the end\n" +
				"2000-01-01 00:00:00 UTC Comparing 40 components with the plan.\n00:00:00 UTC " + otherAddress +
				": it is slow\n00:00:13 UTC Wave 7" + tt.of + "\n"
			if diff := cmp.Diff(want, w.end()); diff != "" {
				t.Errorf("screens (-want +got):\n%s", diff)
			}
		})
	}
}

// A command that is not run has no bar, and what has failed is at its end.
func TestBarsOfWhatEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, watchedPlan(0))
		w.tell(result.Event{Type: result.EventHook, Address: namedAddress, Hop: 1, Hops: 1, Hook: state.BeforeReset,
			Command: plan.Command{"ceph"}, Reason: "not run"},
			result.Event{Type: result.EventFinished, Address: otherAddress, Hop: 1, Hops: 1, Outcome: result.OutcomeFailed,
				Reason: "81h"},
			result.Event{Type: result.EventFinished, Address: namedAddress, Hop: 1, Hops: 1, Outcome: result.OutcomeSkipped})
		w.look("now")
		want := "--- now\n0 of 2 done, 1 failed  50 % [###########...........] end unknown, at most 3 min\n--- in the end\n" +
			"2000-01-01 00:00:00 UTC r12u20 esp1 (5000ccab04001000/esp1/sub0): before the\n  reset: ceph: not run\n" +
			"00:00:00 UTC " + otherAddress + ": failed: 81h\n"
		if diff := cmp.Diff(want, w.end()); diff != "" {
			t.Errorf("screens (-want +got):\n%s", diff)
		}
	})
}

// What the plan expects is how long a component and the whole still take, and when that ends. It follows what the
// run has come to; what takes longer than expected says so.
func TestBarsSayWhatIsLeft(t *testing.T) {
	atEachWidth(t, "bars-expected", watchExpected)
}

// watchExpected watches a run that is expected to take 20 s a wave.
func watchExpected(t *testing.T) string {
	w := watch(t, watchedPlan(20))
	w.tell(result.Event{Type: result.EventWave, Wave: 1})
	for _, address := range []string{namedAddress, otherAddress} {
		w.tell(result.Event{Type: result.EventStarted, Address: address, Mode: plan.ModeE, Hop: 1, Hops: 1, Total: 8},
			result.Event{Type: result.EventProgress, Address: address, Hop: 1, Hops: 1, Bytes: 8, Total: 8})
	}
	w.look("all is sent")
	// It is over sooner than expected.
	w.tell(result.Event{Type: result.EventStaged, Address: otherAddress, Hop: 1, Hops: 1})
	w.look("one is over sooner than expected")
	w.wait(29)
	w.look("the other takes longer")
	w.tell(result.Event{Type: result.EventStaged, Address: namedAddress, Hop: 1, Hops: 1},
		result.Event{Type: result.EventWave, Wave: 2},
		result.Event{Type: result.EventWaiting, Address: namedAddress, Hop: 1, Hops: 1})
	w.wait(4)
	w.look("the device is waited for")
	w.wait(19)
	w.look("it takes longer")
	return w.end()
}
