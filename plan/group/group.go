// Package group decides which components of a plan are listed together: those that the plan says
// the same of. All views use it for plans that are too large for a row per component.
//
// It is pure, and drops nothing: every component of a plan is in exactly one group, and a group
// knows all of its components. A view decides how many of them it has room for.
package group

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"fwctl/plan"
)

// Level is how much components must have in common to be listed together.
type Level int

const (
	// Fine: all that a row says but the host and the time. Numbers in the reasons may differ,
	// unless the component is blocked or its I/O may stop: 3 drives in use there and 12 here.
	Fine Level = iota

	// Alike: likewise, but the waves may differ in their numbers, and all reasons in whatever
	// has a digit.
	Alike

	// Coarse: what is done, and what it may disturb.
	Coarse
)

// Group is components of a plan that are listed together.
type Group struct {
	// Steps are sorted by the names of their enclosures, then by address. There is at least
	// one.
	Steps []*plan.Step

	// all counts the components of each enclosure of the plan.
	all map[string]int
}

// Of returns the groups of a plan's components in the order in which people read them: blocked
// ones first; then by the waves that work on them, in each those that may stop I/O first; then
// staged ones, and last those that are left as they are.
func Of(p *plan.Plan, level Level) []Group {
	all := map[string]int{}
	for i := range p.Steps {
		all[p.Steps[i].Enclosure]++
	}
	waves := map[int]plan.Wave{}
	for _, w := range p.Waves {
		waves[w.Number] = w
	}
	index := map[string]int{}
	var groups []Group
	keys := keys{level: level, waves: waves, shapes: map[shaped]string{}}
	for i := range p.Steps {
		s := &p.Steps[i]
		k := keys.of(s)
		at, ok := index[string(k)]
		if !ok {
			at = len(groups)
			index[string(k)] = at
			groups = append(groups, Group{all: all})
		}
		groups[at].Steps = append(groups[at].Steps, s)
	}
	for _, g := range groups {
		slices.SortStableFunc(g.Steps, func(a, b *plan.Step) int {
			return cmp.Or(CompareNames(Label(a), Label(b)), cmp.Compare(a.Address, b.Address))
		})
	}
	slices.SortStableFunc(groups, compare)
	return groups
}

// keys writes what the components of a group have in common.
type keys struct {
	level Level
	waves map[int]plan.Wave

	// text is the last one. Its memory is used again: a plan may have tens of thousands of steps.
	text []byte

	// shapes are those of texts that were seen: a plan has few texts, and repeats them.
	shapes map[shaped]string
}

type shaped struct {
	text  string
	shape Shape
}

// of returns a text that is the same for all components of one group, and differs between groups.
// It is good until the next call.
func (k *keys) of(s *plan.Step) []byte {
	k.text = k.text[:0]
	k.add(string(s.Action), string(s.Disruption.Expected), string(s.Disruption.Worst))
	if k.level == Coarse {
		return k.text
	}
	shape := exactly
	if k.level == Alike {
		k.add(alikeWave(k.waves[s.Waves.Stage]), alikeWave(k.waves[s.Waves.Reset]))
		shape = alike
	} else {
		k.add(strconv.Itoa(s.Waves.Stage), strconv.Itoa(s.Waves.Reset))
		if s.Action != plan.Blocked && s.Disruption.Worst != plan.IOInterruption {
			shape = numbers
		}
	}
	k.add(s.Vendor, s.Product, s.Current, s.Desired, s.Model, s.Image, s.Policy, string(s.Reset),
		strconv.FormatBool(s.Rollback == ""), strconv.Itoa(len(s.Hops)))
	for i := range s.Hops {
		h := &s.Hops[i]
		k.add(h.From, h.To, h.Image.Name, h.Image.SHA256, string(h.Activation), string(h.ActivateBy),
			h.ActivationPage, strconv.FormatBool(h.Unversioned), strconv.FormatBool(h.Mode7Defers))
		for _, m := range h.Modes {
			k.add(string(m))
		}
	}
	k.add(k.shape(s.Disruption.Why, shape))
	for _, r := range s.Reasons {
		k.add(k.shape(r, shape))
	}
	return k.text
}

func (k *keys) add(parts ...string) {
	for _, part := range parts {
		k.text = append(append(k.text, part...), 0)
	}
}

func (k *keys) shape(text string, sh Shape) string {
	if sh == exactly {
		return text
	}
	of := shaped{text, sh}
	shape, ok := k.shapes[of]
	if !ok {
		shape = ShapeOf(text, sh)
		k.shapes[of] = shape
	}
	return shape
}

// alikeWave returns what a wave has in common with others of its kind.
func alikeWave(w plan.Wave) string { return fmt.Sprint(w.Kind, w.Canary, w.PowerCycle, w.Windows) }

// compare orders groups as people read them.
func compare(a, b Group) int {
	s, t := a.Steps[0], b.Steps[0]
	return cmp.Or(
		cmp.Compare(stand(s.Action), stand(t.Action)),
		cmp.Compare(a.first(), b.first()),
		-cmp.Compare(severity(s), severity(t)),
		cmp.Compare(place(s.Action), place(t.Action)),
		CompareNames(Label(s), Label(t)),
		cmp.Compare(s.Address, t.Address),
	)
}

// stand returns whether an action is listed before the waves, in them, or after.
func stand(a plan.Action) int {
	switch a {
	case plan.Blocked:
		return 0
	case plan.Update, plan.Activate:
		return 1
	}
	return 2
}

// place orders the actions of one stand.
func place(a plan.Action) int {
	return slices.Index([]plan.Action{
		plan.Update, plan.Activate, plan.IsStaged, plan.Excepted, plan.NoOp, plan.Unmanaged,
	}, a)
}

// severity orders steps by what they disturb: those that are sure to stop I/O come before those
// that may.
func severity(s *plan.Step) int {
	impacts := []plan.Impact{plan.NoImpact, plan.ESPReset, plan.IOInterruption}
	return len(impacts)*slices.Index(impacts, s.Disruption.Worst) + slices.Index(impacts, s.Disruption.Expected)
}

// first returns the number of the first wave that works on a group, 0 if none does.
func (g Group) first() int {
	first := 0
	for _, s := range g.Steps {
		n := s.Waves.Stage
		if n == 0 {
			n = s.Waves.Reset
		}
		if first == 0 || n < first {
			first = n
		}
	}
	return first
}

// Alarming reports whether no one may overlook a group: it is blocked, or its I/O may stop.
func (g Group) Alarming() bool {
	s := g.Steps[0]
	return s.Action == plan.Blocked || s.MayStopIO()
}

// Label returns what people call the enclosure of a component: its name, else its identifier.
func Label(s *plan.Step) string { return cmp.Or(s.Name, s.Enclosure) }
