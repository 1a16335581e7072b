// Package schedule decides what a run does next: which components of which wave it works on,
// what it waits for, and what stops it.
//
// It is pure. It takes the plan, the components as they stand, what the run is limited to and
// the time; it knows no device, no store and no clock, and starts nothing.
package schedule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwctl/executor/step"
	"fwctl/plan"
)

// Limits are what a run is limited to.
type Limits struct {
	// Host is the one that carries it out.
	Host string
	// Phase and Wave limit it to waves of one kind, and to one wave; "" and 0 for all.
	Phase plan.WaveKind
	Wave  int
	// Wait makes it wait for windows and for a person's power cycle.
	Wait bool
	// IgnoreWindows makes it work while windows are closed.
	IgnoreWindows bool
}

// Selects reports whether the run works on a wave.
func (l Limits) Selects(w plan.Wave) bool { return w.Matches(l.Phase, l.Wave) }

// Component is one that this host works on.
type Component struct {
	Step *plan.Step
	Is   step.Component
}

// Run is a run as it stands.
type Run struct {
	Plan       *plan.Plan
	Limits     Limits
	Components []Component
	Stops      Stops
	// Soaked are the numbers of the waves whose soak is over.
	Soaked map[int]bool
}

// Do is what a run does next.
type Do string

const (
	// Finish: nothing is left that may be begun.
	Finish Do = "finish"
	// Work: on Wave, with the components in Due.
	Work Do = "work"
	// AwaitWindow: until Until, when Window opens.
	AwaitWindow Do = "await window"
	// AwaitPower: a person is to power-cycle the enclosures of the components in Due.
	AwaitPower Do = "await power"
	// Soak: nothing else is begun for as long as Wave's soak lasts.
	Soak Do = "soak"
	// HoldBack: Wave must not begin now. Refusal, Why, Todo.
	HoldBack Do = "hold back"
	// Fail: the plan's windows cannot be read. Why.
	Fail Do = "fail"
)

// Decision is what a run does next.
type Decision struct {
	Do   Do
	Wave plan.Wave
	// Due are indexes into Run.Components.
	Due     []int
	Until   time.Time
	Window  string
	Refusal step.Refusal
	Why     string
	Todo    string
	// Notice is worth a line in the log first; "" for none.
	Notice string
}

// Next decides what a run does now. Waves come in their order; a wave that is not done keeps
// the next from being begun.
func (r *Run) Next(now time.Time) Decision {
	for i, w := range r.Plan.Waves {
		later := r.Plan.Waves[i+1:]
		due := r.Due(w)
		soaks := w.Soak > 0 && !r.Soaked[w.Number] && r.Limits.Selects(w) && r.ahead(later)
		switch {
		case r.Stops.Why != "":
			return Decision{Do: Finish}
		case len(due) == 0 && !soaks:
		case !r.Limits.Selects(w):
			if r.ahead(later) {
				return Decision{
					Do: HoldBack, Wave: w, Refusal: step.RefusedOrder,
					Why:  fmt.Sprintf("wave %d (%s) comes first and is not done", w.Number, w.Kind),
					Todo: "carry it out before, or leave out --phase and --wave",
				}
			}
		default:
			return r.in(w, due, now)
		}
	}
	return Decision{Do: Finish}
}

// Due returns the components that a wave has something to do for, and that nothing keeps
// from being touched.
func (r *Run) Due(w plan.Wave) []int {
	var due []int
	for i, c := range r.Components {
		if c.Is.State.Waits() && c.Is.TaskIn(c.Step, &w) != step.Idle && r.Stops.Off(c.Step) == "" {
			due = append(due, i)
		}
	}
	return due
}

// ahead reports whether there is work in any of the waves that the run is for.
func (r *Run) ahead(waves []plan.Wave) bool {
	return slices.ContainsFunc(waves, func(w plan.Wave) bool { return r.Limits.Selects(w) && len(r.Due(w)) > 0 })
}

// in decides what comes next in a wave whose turn it is.
func (r *Run) in(w plan.Wave, due []int, now time.Time) Decision {
	d := Decision{Do: Work, Wave: w, Due: due}
	if why, todo := r.otherHosts(w, due); why != "" {
		if r.Limits.Wave == 0 {
			return Decision{
				Do: HoldBack, Wave: w, Due: due, Refusal: step.RefusedOrder, Why: why,
				Todo: fmt.Sprintf("%s, continue with --wave %d", todo, w.Number),
			}
		}
		d.Notice = why + ": by giving --wave you state that it went well there"
	}
	switch {
	case len(due) == 0:
		d.Do = Soak
		return d
	case w.PowerCycle:
		d.Do = AwaitPower
		return d
	case r.Limits.IgnoreWindows:
		return d
	}
	return r.inWindow(d, now)
}

// inWindow decides whether a wave's window lets its work begin now.
func (r *Run) inWindow(d Decision, now time.Time) Decision {
	opening, err := r.Plan.Opening(d.Wave, now)
	switch {
	case err != nil:
		d.Do, d.Why = Fail, err.Error()
	case !opening.Now && (!r.Limits.Wait || opening.Start.IsZero()):
		d.Do, d.Refusal = HoldBack, step.RefusedWindow
		d.Why = fmt.Sprintf("the maintenance window of wave %d is closed", d.Wave.Number)
		d.Todo = "the same plan goes on when it opens"
	case !opening.Now:
		d.Do, d.Until, d.Window = AwaitWindow, opening.Start, opening.Window
	default:
		return r.fitting(d, opening, now)
	}
	return d
}

// fitting leaves out the components for which an open window has no time. If that is all of
// them, the next opening is waited for, if they fit that.
func (r *Run) fitting(d Decision, opening plan.Opening, now time.Time) Decision {
	var fits []int
	first := ""
	for _, i := range d.Due {
		why := r.MayStart(d.Wave, r.Components[i], now)
		if why == "" {
			fits = append(fits, i)
		}
		first = cmp.Or(first, why)
	}
	if len(fits) > 0 {
		d.Due = fits
		return d
	}
	next, err := r.Plan.Opening(d.Wave, opening.End)
	fit := func(i int) bool {
		return time.Duration(r.Components[i].worstLeft(d.Wave)) <= next.End.Sub(next.Start)
	}
	if r.Limits.Wait && err == nil && !opening.End.IsZero() && slices.ContainsFunc(d.Due, fit) {
		d.Do, d.Until, d.Window = AwaitWindow, next.Start, next.Window
		return d
	}
	return r.NotDone(d.Wave, first)
}

// NotDone returns the decision on a wave with components that are due and cannot be begun.
func (r *Run) NotDone(w plan.Wave, why string) Decision {
	return Decision{
		Do: HoldBack, Wave: w, Due: r.Due(w), Refusal: step.RefusedWindow,
		Why:  fmt.Sprintf("wave %d is not done: %s", w.Number, cmp.Or(why, "some of it is left")),
		Todo: "the same plan goes on from here when there is time for it",
	}
}

// worstLeft returns an upper bound of the time that a wave still takes with a component.
func (c Component) worstLeft(w plan.Wave) plan.Duration {
	return c.Step.WorstLeft(w, c.Is.Hop, c.Is.HoldsHop(c.Step))
}

// MayStart returns why a wave may not start or continue with a component now; "" if it may. A
// component that is halfway is brought to its end at any time.
func (r *Run) MayStart(w plan.Wave, c Component, now time.Time) (why string) {
	if c.Is.Halfway() || r.Limits.IgnoreWindows || w.PowerCycle {
		return ""
	}
	opening, err := r.Plan.Opening(w, now)
	switch worst := time.Duration(c.worstLeft(w)); {
	case err != nil:
		return err.Error()
	case !opening.Now:
		return fmt.Sprintf("the maintenance window of wave %d is closed", w.Number)
	case !opening.End.IsZero() && now.Add(worst).After(opening.End):
		left := plan.Duration(opening.End.Sub(now).Truncate(time.Second))
		return fmt.Sprintf("it may take %v, and %s closes in %v", plan.Duration(worst), opening.Window, left)
	}
	return ""
}

// otherHosts returns why other hosts keep a wave from being begun here, and what to do; "" if
// none does. What they have done cannot be seen from here.
func (r *Run) otherHosts(w plan.Wave, due []int) (why, todo string) {
	domains := map[int]bool{}
	for _, i := range due {
		domains[r.Components[i].Step.FaultDomain] = true
	}
	number, hosts := r.Plan.Before(w, r.Limits.Host, domains)
	there := strings.Join(hosts, ", ")
	switch number {
	case 0:
		return "", ""
	case w.Number:
		why = fmt.Sprintf("wave %d must not go on here and on %s at the same time", number, there)
		return why, "unless it goes on there"
	}
	why = fmt.Sprintf("wave %d follows wave %d of %s, which cannot be seen from here", w.Number, number, there)
	return why, "when that is done"
}

// Domains groups the components of a wave by what may be worked on at the same time, as plan.SideBySide does.
func (r *Run) Domains(w plan.Wave, due []int) (together, alone [][]int) {
	steps := make([]*plan.Step, len(due))
	for k, i := range due {
		steps[k] = r.Components[i].Step
	}
	together, alone = plan.SideBySide(w, steps)
	for _, group := range slices.Concat(together, alone) {
		for n, k := range group {
			group[n] = due[k]
		}
	}
	return together, alone
}
