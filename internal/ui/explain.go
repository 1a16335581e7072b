package ui

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"fwctl/plan"
)

// explanation is the text about one component: keys on the left, and text beside them.
type explanation struct {
	sc    Screen
	plan  *plan.Plan
	step  *plan.Step
	lines []string
}

// Explain draws what a plan does with a component, and why.
func (sc Screen) Explain(p *plan.Plan, s *plan.Step, now time.Time) string {
	e := &explanation{sc: sc, plan: p, step: s}
	what := s.Address
	if s.Name != "" {
		what += " (" + s.Name + ")"
	}
	what = fmt.Sprintf("%s: %s %s, now %s", what, s.Vendor, s.Product, cmp.Or(s.Current, "?"))
	e.lines = append(sc.wrap(what, "", "  "), "")
	e.action()
	if s.Action == plan.Unmanaged {
		e.add("Want", "none of the desired state's matches it")
	}
	if s.Model != "" {
		e.want()
		e.gates()
		e.add("Host", s.Host+" works on it")
		e.quirk()
		e.hops()
		e.effect()
		e.add("Preconditions", preconditionsOf(s))
		e.waves(now)
	}
	return strings.Join(e.lines, "\n") + "\n"
}

// add adds text of one or more lines beside a key.
func (e *explanation) add(key, text string) {
	for part := range strings.SplitSeq(text, "\n") {
		e.lines = append(e.lines, e.sc.wrap(part, pad(key, 14), strings.Repeat(" ", 16))...)
		key = ""
	}
}

// action adds what is done with the component, and the reasons that no gate gives.
func (e *explanation) action() {
	s := e.step
	verdict := string(s.Action)
	if s.Action == plan.Blocked {
		verdict = e.sc.paint(alarm, strings.ToUpper(verdict))
	}
	means := meaning[s.Action]
	if s.Action == plan.NoOp && s.Desired == "" {
		means = "it reports no revision, and the wanted image is the last that is remembered there"
	}
	e.add("Action", verdict+": "+means)
	for _, r := range s.Reasons {
		if !slices.ContainsFunc(s.Gates, func(g plan.GateResult) bool { return g.Why == r }) {
			e.add("", r)
		}
	}
}

// want adds which want matches the component, and which policy holds.
func (e *explanation) want() {
	s := e.step
	want := fmt.Sprintf("model %s, image %s", s.Model, s.Image)
	if s.Desired != "" {
		want += ", to revision " + s.Desired
	}
	e.add("Want", want)
	e.add("Policy", fmt.Sprintf("%s: reset %s", cmp.Or(s.Policy, "the default"), s.Reset))
}

// gates adds the result of each gate of the policy, or that it is not required.
func (e *explanation) gates() {
	if len(e.step.Gates) == 0 {
		// Nothing is to be done.
		return
	}
	key := "Gates"
	for _, gate := range plan.Gates {
		text := "not required"
		if i := slices.IndexFunc(e.step.Gates, func(g plan.GateResult) bool { return g.Gate == gate }); i >= 0 {
			text = e.verdict(e.step.Gates[i]) + ": " + e.step.Gates[i].Why
		}
		e.add(key, string(gate)+" "+text)
		key = ""
	}
}

// verdict returns the verdict of a gate. A gate that failed and does not block the step leaves
// something out of it.
func (e *explanation) verdict(g plan.GateResult) string {
	switch {
	case g.Verdict != plan.Failed:
		return string(g.Verdict)
	case slices.Contains(e.step.Reasons, g.Why) && e.step.Action == plan.Blocked:
		return e.sc.paint(alarm, strings.ToUpper(string(g.Verdict)))
	}
	return "not permitted"
}

// quirk adds which row of the quirk table fits the device, and what that changes.
func (e *explanation) quirk() {
	s := e.step
	if s.Quirk == "" {
		return
	}
	e.add("Quirk", s.Quirk+": "+e.plan.Quirks[s.Quirk])
	if len(s.Hops) > 0 {
		e.add("", strings.Join(peculiarities(s.Hops[0]), "; "))
	}
}

// effect adds what the step disturbs, how long it takes, and how to roll it back.
func (e *explanation) effect() {
	s := e.step
	if effect := effectOf(s); effect != "" {
		e.add("Effect", Because(effect, s.Disruption.Why))
	}
	var stakes []string
	for i := range s.AtStake {
		stakes = append(stakes, s.AtStake[i].InFull(s.Enclosure))
	}
	if len(stakes) > 0 {
		e.add("At stake", strings.Join(stakes, "\n"))
	}
	if len(s.Evidence) > 0 {
		e.add("Drives", strings.Join(s.Evidence, "\n"))
	}
	if len(s.Hops) == 0 {
		return
	}
	e.add("Time", expectedOf(s)+"at worst "+Spell(s.WorstDuration)+"; "+beyondTime)
	e.add("Fault domain", faultDomainOf(e.plan, s))
	if s.Hooks != nil {
		e.add("Hooks", hooksOf(s.Hooks))
	}
	back := "none: " + noWayBack(s)
	if s.Rollback != "" {
		back = "image " + s.Rollback
	}
	e.add("Way back", back)
}

// expectedOf returns how long a step is expected to take, and what that rests on, before its worst.
func expectedOf(s *plan.Step) string {
	e := s.Expected()
	if !e.Known() {
		return "expected -, "
	}
	text := fmt.Sprintf("expected %s (from %s", Spell(e.Time), english.Plural(e.Runs, "run", ""))
	if s.ExpectedScaled {
		text += ", the download scaled from an image of another size"
	}
	if s.Hooks != nil {
		text += ", without the hooks"
	}
	return text + "), "
}

// waves adds when the waves that work on the component may run.
func (e *explanation) waves(now time.Time) {
	waves := e.plan.WavesOf(e.step)
	for _, w := range waves {
		kind := string(w.Kind)
		if w.Canary {
			kind += ", of the canaries"
		}
		if w.PowerCycle {
			kind += ", by a person's power cycle"
		}
		e.add("Wave "+waveNumber(w), fmt.Sprintf("%s: %s; %s",
			kind, OpensNext(e.plan, w, now), needs(e.step.ExpectedIn(w), e.step.WorstIn(w))))
		e.after(w.Number - 1)
	}
	if len(waves) == 0 {
		e.add("Wave", "none works on it")
	}
}

// needs returns how long a wave takes for a component.
func needs(expected plan.Expected, worst plan.Duration) string {
	if !expected.Known() {
		return "needs " + takes(expected, worst)
	}
	return takes(expected, worst)
}

// after adds that another wave has to be done first.
func (e *explanation) after(number int) {
	if number < 1 {
		return
	}
	after := fmt.Sprintf("after wave %d is done", number)
	for _, w := range e.plan.Waves {
		if w.Number == number && w.Soak > 0 {
			after += ", and well for " + Spell(w.Soak)
		}
	}
	e.add("", after)
}

// hops adds what each download brings, and what starts it.
func (e *explanation) hops() {
	for i, h := range e.step.Hops {
		e.hop(fmt.Sprintf("Hop %d of %d", i+1, len(e.step.Hops)), h)
	}
	for _, h := range e.step.Later {
		e.hop("Later", h)
	}
}

func (e *explanation) hop(key string, h plan.Hop) {
	text := fmt.Sprintf("%s > %s, mode %s", h.From, h.Brings(), modeOf(h))
	switch {
	case len(h.Modes) == 0:
		text += ": what is staged is started"
	case h.Activation == plan.Manual && h.MayDefer():
		text += ": left staged"
		if h.MayReset() {
			text += " by mode e"
		}
	}
	e.add(key, text)
	e.add("", fmt.Sprintf("image %s, %s, %s, SHA-256 %s", h.Image.Name, size(h.Image.Size), h.Protocol, h.Image.SHA256))
}

// peculiarities are what the quirk table can change of how an image is sent.
func peculiarities(h plan.Hop) []string {
	all := []string{
		fmt.Sprintf("%d bytes at a time", h.ChunkSize), "left alone for " + Spell(h.Settle) + " after a reset",
	}
	if slices.Contains(h.SkipStatus, plan.MidwayStatus) {
		all = append(all, "its download status is not read between chunks")
	}
	if slices.Contains(h.SkipStatus, plan.LastStatus) {
		all = append(all, "its download status is not read after the last chunk")
	}
	if h.RefusedMode != "" {
		all = append(all, string(h.RefusedMode)+" at the first chunk means that the mode is refused")
	}
	if h.ActivationPage != "" {
		all = append(all, "started by the page "+h.ActivationPage+" in place of mode 0Fh")
	}
	if h.ActivateUnconfirmed {
		all = append(all, "started though it never says that an image is complete")
	}
	if h.PeerSync > 0 {
		all = append(all, "I/O modules bring each other to one revision within "+Spell(h.PeerSync)+
			", and are left alone meanwhile")
	}
	return all
}

// faultDomainOf lists the components that are never reset together with a step.
func faultDomainOf(p *plan.Plan, s *plan.Step) string {
	if s.FaultDomain == 0 {
		return "unknown: nothing else is reset at the same time"
	}
	others := map[string]bool{}
	for _, o := range p.Steps {
		if o.FaultDomain == s.FaultDomain && o.Enclosure != s.Enclosure {
			others[cmp.Or(o.Name, o.Enclosure)] = true
		}
	}
	if len(others) == 0 {
		return fmt.Sprintf("%d: this enclosure alone", s.FaultDomain)
	}
	return fmt.Sprintf("%d: with %s, never reset at the same time",
		s.FaultDomain, strings.Join(slices.Sorted(maps.Keys(others)), ", "))
}

// preconditionsOf returns what must still be true before the first byte.
func preconditionsOf(s *plan.Step) string {
	staged := "nothing staged that " + s.Host + " remembers"
	if sha := s.Preconditions.Staged; sha != nil {
		staged = "image " + *sha + " staged"
	}
	return fmt.Sprintf("it runs %s; %s; %s sees the I/O modules %s",
		cmp.Or(s.Preconditions.Revision, "?"), staged, s.Host, strings.Join(s.Preconditions.ESPs, ", "))
}

// beyondTime says what worst durations do not include.
const beyondTime = "a device that does not answer a command at all is waited for beyond that, up to 2 h a command: " +
	"a time-out would have the kernel reset it, and it may be writing flash"

// meaning has what each action means.
var meaning = map[plan.Action]string{
	plan.Update:    "an image is sent to it",
	plan.Activate:  "the wanted image is staged, and is activated",
	plan.IsStaged:  "the wanted image is staged and waits",
	plan.NoOp:      "it reports the wanted revision, and no other image is remembered there",
	plan.Blocked:   "what is wanted may not be done",
	plan.Excepted:  "an exception of the desired state leaves it out",
	plan.Unmanaged: "nothing is done with it",
}
