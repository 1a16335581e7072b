package compare

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"fwctl/plan"
)

// describe returns what a plan does with a component that the other plan does not have, and why.
func describe(s *plan.Step) []string { return append([]string{doing(s)}, s.Reasons...) }

// doing returns what a plan does with a component.
func doing(s *plan.Step) string {
	switch {
	case s.Acts():
		return fmt.Sprintf("%s (%s; %s %s; effect %s)", s.Action, route(s), waveWord(s), wavesOf(s), effect(s))
	case s.Current != "":
		return fmt.Sprintf("%s (it runs %s)", s.Action, s.Current)
	}
	return string(s.Action)
}

// action returns how the action differs. If only one of the plans does anything, it says all of
// what that is.
func action(old, now *plan.Step) []string {
	if old.Acts() != now.Acts() {
		return []string{changed("the action is", doing(now), doing(old))}
	}
	return []string{changed("the action is", string(now.Action), string(old.Action))}
}

// acting returns words for what a component has only if something is done with it. If only one
// plan does anything, they say nothing: action has said it.
func acting(say func(old, now *plan.Step) []string) func(old, now *plan.Step) []string {
	return func(old, now *plan.Step) []string {
		if old.Acts() != now.Acts() {
			return nil
		}
		return say(old, now)
	}
}

// domains are the enclosures of the fault domains of the older plan and the newer one. The
// numbers of fault domains mean nothing outside a plan.
type domains struct{ old, now map[int]string }

func members(p *plan.Plan) map[int]string {
	enclosures := map[int]map[string]bool{}
	for i := range p.Steps {
		s := &p.Steps[i]
		if enclosures[s.FaultDomain] == nil {
			enclosures[s.FaultDomain] = map[string]bool{}
		}
		enclosures[s.FaultDomain][s.Enclosure] = true
	}
	names := map[int]string{}
	for n, all := range enclosures {
		names[n] = strings.Join(slices.Sorted(maps.Keys(all)), ", ")
	}
	delete(names, 0)
	return names
}

// steps returns how two plans differ in one component.
func (d domains) steps(old, now *plan.Step) []string {
	all := fields(old, now, stepWords)
	if was, is := d.old[old.FaultDomain], d.now[now.FaultDomain]; was != is {
		all = append(all, changed("its fault domain is", known(is), known(was)))
	}
	return all
}

func known(domain string) string {
	if domain == "" {
		return "unknown"
	}
	return domain
}

// stepWords are the words for what differs in one component.
var stepWords = map[string]func(old, now *plan.Step) []string{
	"Name":    one("its enclosure is called", func(s *plan.Step) string { return s.Name }),
	"Host":    one("the host that works on it is", func(s *plan.Step) string { return s.Host }),
	"LUID":    one("it is served by another logical unit:", func(s *plan.Step) string { return s.LUID }),
	"Vendor":  one("its vendor is", func(s *plan.Step) string { return s.Vendor }),
	"Product": one("its product is", func(s *plan.Step) string { return s.Product }),
	"Current": one("now runs", func(s *plan.Step) string { return s.Current }),
	"Desired": one("wanted is", func(s *plan.Step) string { return s.Desired }),
	"Image":   one("the wanted image is", func(s *plan.Step) string { return s.Image }),
	"Policy": one("its policy is", func(s *plan.Step) string {
		if s.Policy == "" {
			return "the default"
		}
		return s.Policy
	}),
	"Action": action,
	"Hops":   acting(hops),
	"Later":  acting(one("later follows", func(s *plan.Step) string { return goals(s.Later) })),
	"Waves": acting(func(old, now *plan.Step) []string {
		return []string{changed(waveWord(now), wavesOf(now), wavesOf(old))}
	}),
	"Hooks":         acting(one("its hooks are", hooksOf)),
	"Reset":         one("its policy says reset", func(s *plan.Step) string { return string(s.Reset) }),
	"FaultDomain":   nothing[plan.Step],
	"Disruption":    acting(disruption),
	"Evidence":      acting(evidence),
	"AtStake":       acting(stakes),
	"WorstDuration": acting(one("takes up to", func(s *plan.Step) string { return s.WorstDuration.String() })),
	"Rollback":      acting(one("the way back is image", func(s *plan.Step) string { return s.Rollback })),
	"Gates":         acting(gates),
	"Reasons":       reasons,
	"Preconditions": preconditions,

	"ExpectedDuration": acting(one(expectedToTake, func(s *plan.Step) string { return s.ExpectedDuration.String() })),
	"ExpectedStaging": acting(one(expectedToTake+", to be staged,",
		func(s *plan.Step) string { return s.ExpectedStaging.String() })),
	"ExpectedFrom": acting(one(restsOn, func(s *plan.Step) string { return strconv.Itoa(s.ExpectedFrom) })),
}

func wavesOf(s *plan.Step) string {
	var numbers []string
	for _, n := range []int{s.Waves.Stage, s.Waves.Reset} {
		if n > 0 {
			numbers = append(numbers, strconv.Itoa(n))
		}
	}
	return strings.Join(numbers, ", ")
}

// waveWord returns "wave" for a step that is worked on in one wave, else "waves".
func waveWord(s *plan.Step) string {
	if s.Waves.Stage > 0 && s.Waves.Reset > 0 {
		return "waves"
	}
	return "wave"
}

// route returns the revisions that a component is to run, one after the other.
func route(s *plan.Step) string {
	if len(s.Hops) == 0 {
		return ""
	}
	return s.Current + " > " + goals(s.Hops)
}

func goals(hops []plan.Hop) string {
	var all []string
	for i := range hops {
		all = append(all, hops[i].Brings())
	}
	return strings.Join(all, " > ")
}

func modes(hops []plan.Hop) string {
	var all []string
	for i := range hops {
		var names []string
		for _, m := range hops[i].Modes {
			names = append(names, string(m))
		}
		all = append(all, strings.Join(names, "/"))
	}
	return strings.Join(all, " > ")
}

// hops returns how the ways to the wanted image differ.
func hops(old, now *plan.Step) []string {
	var all []string
	if goals(old.Hops) != goals(now.Hops) {
		all = append(all, changed("the way is", route(now), route(old)))
	}
	if modes(old.Hops) != modes(now.Hops) {
		all = append(all, changed("the mode is", modes(now.Hops), modes(old.Hops)))
	}
	for i := range min(len(old.Hops), len(now.Hops)) {
		of := ""
		if len(now.Hops) > 1 {
			of = fmt.Sprintf("hop %d: ", i+1)
		}
		for _, text := range fields(&old.Hops[i], &now.Hops[i], hopWords) {
			all = append(all, of+text)
		}
	}
	return all
}

var hopWords = map[string]func(old, now *plan.Hop) []string{
	"From":  one("it starts at", func(h *plan.Hop) string { return h.From }),
	"To":    nothing[plan.Hop],
	"Modes": nothing[plan.Hop],
	"Image": one("the image is", func(h *plan.Hop) string {
		return fmt.Sprintf("%s (%s, %d bytes)", h.Image.Name, short(h.Image.SHA256), h.Image.Size)
	}),
}

// effect returns what a step disturbs, in the words of a plan's EFFECT column.
func effect(s *plan.Step) string {
	switch d := s.Disruption; {
	case d.Expected == plan.IOInterruption:
		return "I/O STOPS"
	case d.Expected == plan.ESPReset && d.Worst == plan.IOInterruption:
		return "resets, I/O MAY STOP"
	case d.Worst == plan.IOInterruption:
		return "I/O MAY STOP"
	case d.Expected == plan.ESPReset:
		return "resets"
	case d.Worst == plan.ESPReset:
		return "may reset"
	}
	return "none"
}

// disruption returns which effect differs, and which clauses of the reason do.
func disruption(old, now *plan.Step) []string {
	var all []string
	if effect(old) != effect(now) {
		all = append(all, changed("the effect is", effect(now), effect(old)))
	}
	if old.Disruption.Why != now.Disruption.Why {
		clauses := func(s *plan.Step) []string { return strings.Split(s.Disruption.Why, "; ") }
		all = append(all, lines(clauses(old), clauses(now), "now: ", "no longer: ")...)
	}
	return all
}

func evidence(old, now *plan.Step) []string {
	return lines(old.Evidence, now.Evidence, "found: ", "no longer found: ")
}

func reasons(old, now *plan.Step) []string {
	return lines(old.Reasons, now.Reasons, "now: ", "no longer: ")
}

// gates returns what gates say that they did not say before, unless a reason says it.
func gates(old, now *plan.Step) []string {
	list := func(s *plan.Step) []string {
		var all []string
		for _, g := range s.Gates {
			if !slices.Contains(s.Reasons, g.Why) {
				all = append(all, fmt.Sprintf("%s %s: %s", g.Gate, g.Verdict, g.Why))
			}
		}
		return all
	}
	a, b := list(old), list(now)
	switch {
	case !slices.Equal(a, b):
		return lines(a, b, "gate ", "no longer: gate ")
	case slices.Equal(old.Reasons, now.Reasons):
		return []string{"its gates say the same with another verdict"}
	}
	return nil
}

func hooksOf(s *plan.Step) string {
	if s.Hooks == nil {
		return ""
	}
	return fmt.Sprintf("%s; %s; up to %s", orNothing(s.Hooks.BeforeReset.String()),
		orNothing(s.Hooks.AfterReset.String()), s.Hooks.Timeout)
}

func preconditions(old, now *plan.Step) []string {
	a, b := &old.Preconditions, &now.Preconditions
	var all []string
	if a.Revision != b.Revision && (a.Revision != old.Current || b.Revision != now.Current) {
		all = append(all, changed("it must run", b.Revision, a.Revision))
	}
	staged := func(p *plan.Preconditions) string {
		if p.Staged == nil {
			return ""
		}
		return "image " + *p.Staged
	}
	if staged(a) != staged(b) {
		all = append(all, changed("staged is", staged(b), staged(a)))
	}
	all = append(all, seen(a.ESPs, b.ESPs, now.Host)...)
	return all
}

// seen returns which I/O modules a host now sees, or no longer sees.
func seen(old, now []string, host string) []string {
	if slices.Equal(old, now) {
		return nil
	}
	return lines(old, now, host+" now sees the I/O module ", host+" no longer sees the I/O module ")
}

// stakes returns which slots are now in use or no longer are, and what else has changed of the
// things that use them.
func stakes(old, now *plan.Step) []string {
	type slot struct {
		enclosure string
		number    int
	}
	users := func(s *plan.Step) map[slot][]string {
		by := map[slot][]string{}
		for i := range s.AtStake {
			at := &s.AtStake[i]
			for _, n := range at.Slots {
				by[slot{at.Enclosure, n}] = append(by[slot{at.Enclosure, n}], at.Label())
			}
		}
		return by
	}
	was, is := users(old), users(now)
	var slots []slot
	for s := range was {
		slots = append(slots, s)
	}
	for s := range is {
		if was[s] == nil {
			slots = append(slots, s)
		}
	}
	slices.SortFunc(slots, func(a, b slot) int {
		if c := strings.Compare(a.enclosure, b.enclosure); c != 0 {
			return c
		}
		return int(a.number) - int(b.number)
	})
	var all []string
	for _, s := range slots {
		of := ""
		if s.enclosure != now.Enclosure {
			of = " of " + s.enclosure
		}
		switch {
		case was[s] == nil:
			all = append(all, fmt.Sprintf("slot %d%s is in use now: %s", s.number, of, strings.Join(is[s], ", ")))
		case is[s] == nil:
			all = append(all, fmt.Sprintf("slot %d%s is no longer in use: %s", s.number, of,
				strings.Join(was[s], ", ")))
		}
	}
	return append(all, fates(old, now)...)
}

// fates returns what is at stake now and was not, or the other way round, and what else has
// changed of it, other than its slots.
func fates(old, now *plan.Step) []string {
	type key struct{ label, host, enclosure, fate string }
	by := func(s *plan.Step) (keys []key, all map[key]*plan.Stake) {
		all = map[key]*plan.Stake{}
		for i := range s.AtStake {
			at := &s.AtStake[i]
			k := key{at.Label(), at.Host, at.Enclosure, "stops"}
			if at.Effect == plan.KeepsPath {
				k.fate = "goes on through " + at.Path
			}
			keys, all[k] = append(keys, k), at
		}
		return keys, all
	}
	write := func(k key) string {
		text := k.label
		if k.enclosure != now.Enclosure {
			text += " of " + k.enclosure
		}
		if k.host != "" {
			text += " on " + k.host
		}
		return text + ", which " + k.fate
	}
	wasKeys, was := by(old)
	isKeys, is := by(now)
	var all []string
	for _, k := range isKeys {
		before := was[k]
		if before == nil {
			all = append(all, "at stake now: "+write(k))
			continue
		}
		for _, text := range fields(before, is[k], stakeWords) {
			all = append(all, write(k)+": "+text)
		}
	}
	for _, k := range wasKeys {
		if is[k] == nil {
			all = append(all, "no longer at stake: "+write(k))
		}
	}
	return all
}

// stakeWords are the words for what differs in something at stake.
var stakeWords = map[string]func(old, now *plan.Stake) []string{
	"Slots":  nothing[plan.Stake],
	"Drives": one("drives behind it:", func(s *plan.Stake) string { return strconv.Itoa(s.Drives) }),
	"Of":     one("drives in all:", func(s *plan.Stake) string { return strconv.Itoa(s.Of) }),
}
