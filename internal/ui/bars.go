package ui

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"fwctl/executor/result"
)

// bars is the display of a run on a terminal: text goes by, and below it stand a bar for each
// component that is worked on, what is waited for, and a bar for the whole. mpb
// draws them over, as wide as the terminal is at that moment.
type bars struct {
	w     *Output
	words *words
	// area is never called with mu held, because it asks for the lines in turn.
	area *mpb.Progress

	mu     sync.Mutex
	began  time.Time
	course *course
	stamps stamps
	// running has the components at work, by address.
	running map[string]*running
	// waiting is what the run waits for; nil for nothing.
	waiting *waiting
	// stand is the bar of the whole run.
	stand *mpb.Bar
	// added counts the bars of components.
	added int
}

// console draws lines over, for mpb. Its own does not see to the column that the
// cursor stands in: behind ^C, or whatever else is typed.
type console struct {
	bytes.Buffer
	out *Output
	// rows is how many were drawn last, above the cursor.
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
	// stage is what it does other than taking bytes, "" while it takes them.
	stage       string
	began       time.Time
	sent, total int64
	// until is when the wave is expected to be done with it; zero if unknown.
	until time.Time
}

// waiting is what the run waits for, or does, as a whole.
type waiting struct {
	bar  *mpb.Bar
	what string
	// till is when that ends; zero if unknown.
	till time.Time
	from time.Time

	// compares: components are compared with the plan.
	compares bool
}

// newBars shows a run. If it works on nothing, as a comparison does, the whole has no bar.
func newBars(w *Output, v *words, c *course) *bars {
	b := &bars{w: w, words: v, course: c, began: time.Now(), running: map[string]*running{}}
	b.area = mpb.New(mpb.WithConsoleWriter(&console{out: w}), mpb.WithRefreshRate(200*time.Millisecond))
	if len(c.steps) > 0 {
		b.stand = b.add(math.MaxInt, func(width int) string {
			now := time.Now()
			return c.bar(Spell(now.Sub(b.began).Truncate(time.Second)), now, width)
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

// locked calls f while nothing is drawn. If f panics, drawing goes on.
func (b *bars) locked(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// Show implements Display.
func (b *bars) Show(e result.Event) {
	b.locked(func() { b.course.see(e) })
	b.say(e.Time, b.words.of(e))
	b.pass(e)
	if e.Address != "" {
		b.component(e)
	}
}

// Say implements Display.
func (b *bars) Say(text string) { b.say(time.Now(), text) }

// say writes text above the bars. A ^C that the terminal shows is where they are drawn
// next.
func (b *bars) say(at time.Time, text string) {
	if text == "" {
		return
	}
	b.locked(func() { text = b.stamps.on(at, text) })
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
	var r *running
	b.locked(func() {
		r = b.running[e.Address]
		switch {
		case ends:
			delete(b.running, e.Address)
		case r == nil:
			r = &running{began: e.Time, until: b.course.expectedEnd(e.Address)}
			b.running[e.Address] = r
		}
		if r != nil && !ends {
			if e.Type == result.EventStarted || stage != r.stage {
				r.began = e.Time
			}
			r.stage, r.sent, r.total = stage, e.Bytes, e.Total
		}
	})
	switch {
	case r == nil:
	case ends:
		drop(r.bar)
	case r.bar == nil:
		b.added++
		r.bar = b.add(b.added, func(width int) string {
			return r.line(b.words.label(e.Address, width), time.Now(), width)
		})
	}
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
func (r *running) line(label string, now time.Time, width int) string {
	spent := now.Sub(r.began).Truncate(time.Second)
	if r.stage != "" {
		stage := r.stage + " " + Spell(spent)
		return meterOf([]wording{{label, joined(stage, remaining(r.until, now))}, {label, stage}}, -1, width)
	}
	if r.total == 0 {
		return meter(label, -1, Spell(spent), width)
	}
	tail := "the device is writing it"
	if r.sent < r.total {
		tail = ""
		if rate := float64(r.sent) / now.Sub(r.began).Seconds(); r.sent > 0 && spent > 0 {
			left := time.Duration(float64(r.total-r.sent) / rate * float64(time.Second))
			tail = fmt.Sprintf("%s/s, %s left", size(int64(rate)), Spell(left.Round(time.Second)))
		}
	}
	tails := []wording{{label, tail}, {label, ""}}
	if r.sent == r.total {
		tails = append([]wording{{label, joined(tail, remaining(r.until, now))}}, tails...)
	}
	return meterOf(tails, int(100*r.sent/r.total), width)
}

// joined returns two texts with a comma between them; either may be "".
func joined(a, b string) string { return strings.Trim(a+", "+b, ", ") }

// line is what the run waits for, and how long still.
func (w *waiting) line(now time.Time, width int) string {
	if w.till.IsZero() {
		return meter(w.what, -1, "for "+Spell(now.Sub(w.from).Truncate(time.Second)), width)
	}
	return meter(w.what+",", -1, Spell(max(0, w.till.Sub(now)).Round(time.Second))+" to go", width)
}

// wording is one way to say what a line is about, and what follows.
type wording struct{ label, tail string }

// meterOf draws the first of several wordings that there is room for, else the last.
func meterOf(wordings []wording, percent, columns int) string {
	between := len(" 100 % ")
	if percent < 0 {
		between = len(" ")
	}
	for _, w := range wordings {
		if width(w.label)+between+width(w.tail) < columns {
			return meter(w.label, percent, w.tail, columns)
		}
	}
	last := wordings[len(wordings)-1]
	return meter(last.label, percent, last.tail, columns)
}

// meter draws one line in less than so many columns, so that no terminal wraps it:
// what it is about, how many percent of it are done (-1: unknown) with a
// gauge, and a tail. If there is no room it does without the gauge first, then
// without the tail, and then without the beginning.
func meter(label string, percent int, tail string, columns int) string {
	room := columns - 1
	if tail != "" {
		tail = " " + tail
	}
	if percent >= 0 {
		middle := fmt.Sprintf(" %3d %%", percent)
		if line := gauge(label+middle, int64(percent), columns-width(tail)) + tail; width(line) <= room {
			return line
		}
		tail = middle
	}
	if width(label)+width(tail) > room {
		const cut = "..."
		label = cut + lastOf(label, room-width(tail)-len(cut))
	}
	return firstOf(label+tail, room)
}

// firstOf returns as much of the beginning of a text as has room in so many columns.
func firstOf(text string, columns int) string {
	for i := range text {
		if width(text[:i]) > columns {
			_, size := utf8.DecodeLastRuneInString(text[:i])
			return text[:i-size]
		}
	}
	if width(text) > columns {
		_, size := utf8.DecodeLastRuneInString(text)
		return text[:len(text)-size]
	}
	return text
}

// lastOf returns as much of the end of a text as has room in so many columns.
func lastOf(text string, columns int) string {
	for i := range text {
		if width(text[i:]) <= columns {
			return text[i:]
		}
	}
	return ""
}
