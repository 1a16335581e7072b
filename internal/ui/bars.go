package ui

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"fwctl/executor/result"
	"fwctl/plan"
)

// bars is the display of a run on a terminal: text goes by, and below it stand a bar for each
// component that is worked on, what is waited for, and a bar for the whole. mpb
// draws them over, as wide as the terminal is at that moment.
type bars struct {
	w    *Output
	plan *plan.Plan
	// Never called with mu held: it asks for the lines in its turn.
	area *mpb.Progress

	mu    sync.Mutex
	began time.Time
	// Components of this host.
	all int
	// Of them, by address: staged to be left so, or at their end.
	done map[string]bool
	// By address.
	running map[string]*running
	// When the wave is expected to be done with what it has begun with, by address; none if that
	// is unknown.
	until map[string]time.Time
	wave  plan.Wave
	rest  rest
	// Nil: for nothing.
	waiting *waiting
	// Of the whole.
	stand *mpb.Bar
	// Bars of components.
	added int
}

// console draws lines over, for mpb. Its own does not see to the column that the
// cursor stands in: behind ^C, or whatever else is typed.
type console struct {
	bytes.Buffer
	out *Output
	// Drawn last, above the cursor.
	rows int
}

// Flush draws what was written, of which the last lines are drawn over by the next.
func (c *console) Flush(lines int) error {
	over := "\r"
	if c.rows > 0 {
		over += fmt.Sprintf("\x1b[%dA", c.rows)
	}
	c.rows = lines
	text := c.String()
	c.Reset()
	c.out.raw(over + "\x1b[J" + visible(text))
	return nil
}

func (c *console) IsTerminal() bool { return true }

func (c *console) GetTermSize() (width, height int, err error) {
	width, height = sizeOf(c.out)
	return width, height, nil
}

// running is a component that is worked on.
type running struct {
	bar *mpb.Bar
	// What it does beside taking bytes, "" while it takes them.
	stage       string
	began       time.Time
	sent, total int64
	// When the wave is expected to be done with it; zero if that is unknown.
	until time.Time
}

// rest is how long all that is left is expected to take.
type rest struct {
	until time.Time // the end of the wave; zero if something of it is unknown
	after plan.Duration
}

// restFrom returns the rest of a plan as a wave begins, and that wave.
func restFrom(p *plan.Plan, number int, now time.Time) (plan.Wave, rest) {
	i := slices.IndexFunc(p.Waves, func(w plan.Wave) bool { return w.Number == number })
	if i < 0 {
		return plan.Wave{}, rest{}
	}
	to := *p
	to.Waves = p.Waves[i:]
	times := to.Times()
	if !times.TotalExpected.Known() {
		return p.Waves[i], rest{}
	}
	first := times.Expected[0].Time
	return p.Waves[i], rest{now.Add(time.Duration(first)), times.TotalExpected.Time - first}
}

// left returns how long all that is left is expected to take, "" if that is unknown or past.
func (r rest) left(now time.Time) string {
	if r.until.IsZero() {
		return ""
	}
	end := r.until
	if end.Before(now) {
		end = now
	}
	return remaining(end.Add(time.Duration(r.after)), now)
}

// waiting is what the run waits for, or does, as a whole.
type waiting struct {
	bar  *mpb.Bar
	what string
	// Zero if that is unknown.
	till time.Time
	from time.Time

	// Components with the plan.
	compares bool
}

// newBars shows a run of so many components of this host; 0: it does nothing to any.
func newBars(w *Output, p *plan.Plan, all int) *bars {
	b := &bars{
		w: w, plan: p, all: all, began: time.Now(), done: map[string]bool{}, running: map[string]*running{},
		until: map[string]time.Time{},
	}
	b.area = mpb.New(mpb.WithConsoleWriter(&console{out: w}), mpb.WithRefreshRate(200*time.Millisecond))
	if all > 0 {
		b.stand = b.add(math.MaxInt, func(width int) string {
			spent := Spell(time.Since(b.began).Truncate(time.Second))
			return meter(fmt.Sprintf("%d of %d done", len(b.done), b.all), 100*len(b.done)/b.all,
				joined(spent, b.rest.left(time.Now())), width)
		})
	}
	return b
}

// add puts a line below those of a lower rank, which is drawn anew again and again.
func (b *bars) add(rank int, line func(width int) string) *mpb.Bar {
	fill := func(w io.Writer, s decor.Statistics) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		_, err := io.WriteString(w, line(s.AvailableWidth))
		return err
	}
	// No bar where the terminal is lost.
	bar, _ := b.area.Add(0, mpb.BarFillerFunc(fill), mpb.BarFillerTrim(), mpb.BarPriority(rank))
	return bar
}

// drop takes a line away.
func drop(bar *mpb.Bar) {
	if bar != nil {
		bar.Abort(true)
	}
}

// Show implements Display.
func (b *bars) Show(e result.Event) {
	b.Say(eventText(b.plan, e))
	if e.Type == result.EventWave {
		wave, rest := restFrom(b.plan, e.Wave, e.Time)
		b.mu.Lock()
		b.wave, b.rest, b.until = wave, rest, map[string]time.Time{}
		b.mu.Unlock()
	}
	b.pass(e)
	if e.Address != "" {
		b.component(e)
	}
}

// Say writes text above the bars. A ^C that the terminal shows is where they are drawn
// next.
func (b *bars) Say(text string) {
	if text == "" {
		return
	}
	lines := strings.Join(wrap(text, widthOf(b.w), "", "  "), "\n") + "\n"
	if _, err := io.WriteString(b.area, lines); err != nil {
		// The bars are gone.
		io.WriteString(b.w, lines)
	}
}

// pass begins to show what the run waits for, or does, as a whole, and ends that
// with whatever comes next. Events of components do not end their comparison.
func (b *bars) pass(e result.Event) {
	b.mu.Lock()
	before := b.waiting
	if before != nil && before.compares && duringComparison(e) {
		b.mu.Unlock()
		return
	}
	b.waiting = nil
	b.mu.Unlock()
	if before != nil {
		drop(before.bar)
	}
	what := ""
	switch e.Type {
	case result.EventChecking:
		what = comparing(e)
	case result.EventWindow:
		what = fmt.Sprintf("Wave %d waits for %s", e.Wave, e.Reason)
	case result.EventSoaking:
		what = fmt.Sprintf("Wave %d has to stand", e.Wave)
	case result.EventPowerCycle:
		what = fmt.Sprintf("Wave %d waits for a power cycle", e.Wave)
	default:
		return
	}
	w := &waiting{what: what, from: e.Time, compares: e.Type == result.EventChecking}
	if e.Until != nil {
		w.till = *e.Until
	}
	w.bar = b.add(math.MaxInt-1, func(width int) string { return w.line(time.Now(), width) })
	b.mu.Lock()
	b.waiting = w
	b.mu.Unlock()
}

// component shows what a component does, from its download to what ends that.
func (b *bars) component(e result.Event) {
	stage, ends := "", false
	switch e.Type {
	case result.EventStarted, result.EventProgress:
	case result.EventActivating:
		stage = "activating"
	case result.EventWaiting:
		stage = "waiting for the device"
	case result.EventHook:
		if stage = e.Hook.Words() + ": " + e.Command[0]; e.Reason != "" {
			// It is not run.
			return
		}
	case result.EventStaged, result.EventVerified, result.EventRefusedMode, result.EventHookEnded, result.EventFinished:
		ends = true
	default:
		return
	}
	b.mu.Lock()
	r := b.running[e.Address]
	switch {
	case ends:
		delete(b.running, e.Address)
		if b.isLast(e) {
			b.done[e.Address] = true
		}
	case r == nil:
		r = &running{began: e.Time, until: b.expectedEnd(e)}
		b.running[e.Address] = r
	}
	if r != nil {
		if e.Type == result.EventStarted || stage != r.stage {
			r.began = e.Time
		}
		r.stage, r.sent, r.total = stage, e.Bytes, e.Total
	}
	b.mu.Unlock()
	switch {
	case r == nil:
	case ends:
		drop(r.bar)
	case r.bar == nil:
		b.added++
		r.bar = b.add(b.added, func(width int) string { return r.line(e.Address, time.Now(), width) })
	}
}

// expectedEnd returns when the wave is expected to be done with a component, zero if that is
// unknown. It goes by the first event of the component in the wave.
func (b *bars) expectedEnd(e result.Event) time.Time {
	until, begun := b.until[e.Address]
	if begun {
		return until
	}
	for i := range b.plan.Steps {
		if s := &b.plan.Steps[i]; s.Address == e.Address {
			if expected := s.ExpectedIn(b.wave); expected.Known() && expected.Time > 0 {
				until = e.Time.Add(time.Duration(expected.Time))
			}
		}
	}
	b.until[e.Address] = until
	return until
}

// isLast reports whether an event is the last of its component: its image is staged and left
// so, or its last hop runs.
func (b *bars) isLast(e result.Event) bool {
	switch e.Type {
	case result.EventFinished:
		return true
	case result.EventStaged:
		return !b.starts(e)
	case result.EventVerified:
		return e.Hop == e.Hops
	}
	return false
}

// starts reports whether the plan starts what an event says is staged.
func (b *bars) starts(e result.Event) bool {
	return slices.ContainsFunc(b.plan.Steps, func(s plan.Step) bool {
		return s.Address == e.Address && s.Hops[e.Hop-1].Activation == plan.WithApply
	})
}

// Close takes the bars away: what follows is written below the text.
func (b *bars) Close() {
	for _, r := range b.running {
		drop(r.bar)
	}
	if b.waiting != nil {
		drop(b.waiting.bar)
	}
	drop(b.stand)
	b.area.Wait()
}

// line is a component's bar, in less than width columns.
func (r *running) line(address string, now time.Time, width int) string {
	spent := now.Sub(r.began).Truncate(time.Second)
	if r.stage != "" {
		return meter(address, -1, joined(r.stage+" "+Spell(spent), remaining(r.until, now)), width)
	}
	if r.total == 0 {
		return meter(address, -1, Spell(spent), width)
	}
	tail := joined("the device is writing it", remaining(r.until, now))
	if r.sent < r.total {
		tail = ""
		if rate := float64(r.sent) / now.Sub(r.began).Seconds(); r.sent > 0 && spent > 0 {
			left := time.Duration(float64(r.total-r.sent) / rate * float64(time.Second))
			tail = fmt.Sprintf("%s/s, %s left", size(int64(rate)), Spell(left.Round(time.Second)))
		}
	}
	return meter(address, int(100*r.sent/r.total), tail, width)
}

// joined returns two texts with a comma between them; the second may be "".
func joined(a, b string) string { return strings.TrimSuffix(a+", "+b, ", ") }

// line is what the run waits for, and how long still.
func (w *waiting) line(now time.Time, width int) string {
	if w.till.IsZero() {
		return meter(w.what, -1, "since "+Spell(now.Sub(w.from).Truncate(time.Second)), width)
	}
	return meter(w.what, -1, Spell(max(0, w.till.Sub(now)).Round(time.Second))+" left", width)
}

// meter draws one line in less than width columns, so that no terminal wraps it:
// what it is about, how many percent of it are done (-1: unknown) with a
// gauge, and a tail. If there is no room it does without the gauge first, then
// without the tail, and then without the beginning.
func meter(label string, percent int, tail string, width int) string {
	room := width - 1
	if tail != "" {
		tail = " " + tail
	}
	if percent >= 0 {
		middle := fmt.Sprintf(" %3d %%", percent)
		if line := gauge(label+middle, int64(percent), width-len(tail)) + tail; len(line) <= room {
			return line
		}
		tail = middle
	}
	if len(label)+len(tail) > room {
		const cut = "..."
		letters := []rune(label)
		label = cut + string(letters[len(letters)-min(len(letters), max(0, room-len(tail)-len(cut))):])
	}
	line := label + tail
	return line[:min(len(line), max(0, room))]
}
