package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"fwctl/executor"
	"fwctl/plan"
)

// patience is the least time between two lines of progress of one component,
// where no terminal shows a bar.
const patience = 5 * time.Second

// eventLines tells events as JSON, one a line.
func eventLines(w io.Writer, simulated bool) func(executor.Event) {
	lines := json.NewEncoder(w)
	return func(e executor.Event) {
		lines.Encode(struct {
			executor.Event
			Simulated bool `json:"simulated"`
		}{e, simulated}) // a reader that went away must not stop a run
	}
}

// progress tells events to people, where no terminal shows bars: a line at the
// start, at every tenth but at most every 5 s, and at the end.
type progress struct {
	w    io.Writer
	plan *plan.Plan

	mu    sync.Mutex      // signals are told from a goroutine of their own
	lines map[string]line // last line of progress, by address

	compared chan struct{} // closed when a comparison ends; nil: none goes on
}

type line struct {
	at    time.Time
	tenth int64
}

func (p *progress) tell(e executor.Event) {
	if !duringComparison(e) {
		p.close()
	}
	if e.Type == executor.EventChecking {
		p.compared = make(chan struct{})
		go p.stillCompares(e, p.compared)
	}
	if e.Type == executor.EventProgress {
		p.advance(e)
		return
	}
	p.say(text(p.plan, e))
	if e.Type == executor.EventStarted {
		p.mark(e)
	}
}

// duringComparison tells whether an event is about a component that is compared
// with the plan, which goes on.
func duringComparison(e executor.Event) bool {
	return e.Type == executor.EventNoticed || e.Type == executor.EventFinished
}

// lull is how long nothing is told while components are compared.
const lull = 30 * time.Second

func (p *progress) stillCompares(e executor.Event, done <-chan struct{}) {
	tick := time.NewTicker(lull)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case now := <-tick.C:
			p.say(fmt.Sprintf("Comparing %s still, since %s.", components(e.Components), spell(now.Sub(e.Time).Truncate(time.Second))))
		}
	}
}

func (p *progress) close() {
	if p.compared != nil {
		close(p.compared)
		p.compared = nil
	}
}

func (p *progress) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if text != "" {
		fmt.Fprintln(p.w, oneLine(text))
	}
}

// advance says how much of an image was taken.
func (p *progress) advance(e executor.Event) {
	percent := int64(100)
	if e.Total > 0 {
		percent = 100 * e.Bytes / e.Total
	}
	last := p.lines[e.Address]
	if percent == 100 || percent/10 > last.tenth && e.Time.Sub(last.at) >= patience {
		p.say(fmt.Sprintf("%s: %d %% sent", e.Address, percent))
		p.mark(e)
	}
}

func (p *progress) mark(e executor.Event) {
	if p.lines == nil {
		p.lines = map[string]line{}
	}
	tenth := int64(0)
	if e.Total > 0 {
		tenth = 10 * e.Bytes / e.Total
	}
	p.lines[e.Address] = line{e.Time, tenth}
}

// gauge draws a bar behind text, where there is room.
func gauge(text string, percent int64, width int) string {
	room := min(width-1-len(text)-3, 40)
	if room < 5 {
		return text
	}
	full := int(percent) * room / 100
	return text + " [" + strings.Repeat("#", full) + strings.Repeat(".", room-full) + "]"
}

// onceInFull tells in full, once, why devices do not take a mode, which is the same for all of
// a kind, and of those that follow that they do not either.
func onceInFull(tell func(executor.Event)) func(executor.Event) {
	told := map[string]bool{}
	return func(e executor.Event) {
		if e.Type == executor.EventRefusedMode {
			why := e.Reason
			if told[why] {
				e.Reason = fmt.Sprintf("the device does not take mode %s either", e.Mode)
			}
			told[why] = true
		}
		tell(e)
	}
}

// text is what an event says, "" for one that needs no line.
func text(p *plan.Plan, e executor.Event) string {
	switch e.Type {
	case executor.EventChecking:
		return comparing(e)
	case executor.EventWave:
		for _, w := range p.Waves {
			if w.Number == e.Wave {
				return fmt.Sprintf("Wave %d: %s", w.Number, map[plan.WaveKind]string{
					plan.StageWave: "downloads that reset nothing", plan.ResetWave: "resets",
				}[w.Kind])
			}
		}
		return fmt.Sprintf("Wave %d", e.Wave)
	case executor.EventRecovered:
		return because(e.Address, e.Reason)
	case executor.EventWindow:
		return fmt.Sprintf("Wave %d waits for %s, which opens %s.", e.Wave, e.Reason, weekday(*e.Until))
	case executor.EventSoaking:
		return fmt.Sprintf("Wave %d has to stand until %s before anything else is begun.", e.Wave, e.Until.Local().Format("15:04:05"))
	case executor.EventPowerCycle:
		return fmt.Sprintf("Wave %d: power-cycle %s now, when its drives are not in use. This waits for it; ^C ends the waiting.", e.Wave, e.Reason)
	case executor.EventStarted:
		hop := ""
		if e.Hops > 1 {
			hop = fmt.Sprintf(", hop %d of %d", e.Hop, e.Hops)
		}
		return fmt.Sprintf("%s: sending %s by mode %s%s", e.Address, size(e.Total), e.Mode, hop)
	case executor.EventRefusedMode:
		return because(e.Address, e.Reason)
	case executor.EventHook:
		return because(fmt.Sprintf("%s: %s: %s", e.Address, e.Hook.Words(), e.Command), e.Reason)
	case executor.EventProgress:
		return "" // for bars, and for advance
	case executor.EventHookEnded:
		return because(e.Address, cmp.Or(e.Reason, e.Hook.Words()+": done"))
	case executor.EventNoticed:
		return because(e.Address, e.Reason)
	case executor.EventStaged:
		return confirmedOr(e.Address+": staged", e.Confirmed == nil || *e.Confirmed)
	case executor.EventActivating:
		return e.Address + ": activating"
	case executor.EventWaiting:
		return because(e.Address+": waiting for the device", e.Reason)
	case executor.EventVerified:
		return e.Address + ": runs " + e.Revision
	case executor.EventFinished:
		switch e.Outcome {
		case executor.OutcomeStaged, executor.OutcomeUpdated:
			return "" // the event before said so
		case executor.OutcomeSkipped:
			return "" // nothing happened to it, and the result says why
		}
		return because(fmt.Sprintf("%s: %s", e.Address, e.Outcome), e.Reason)
	}
	return because(fmt.Sprintf("%s: %s", e.Address, e.Type), e.Reason)
}

// comparing says what takes a while on a slow rack, before anything else happens.
func comparing(e executor.Event) string {
	return fmt.Sprintf("Comparing %s with the plan.", components(e.Components))
}

// because joins what happened, or to what, with why; either may be "".
func because(what, why string) string {
	if what == "" || why == "" {
		return what + why
	}
	return what + ": " + why
}

// size writes a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
