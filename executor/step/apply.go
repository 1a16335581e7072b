package step

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fwctl/plan"
)

// Do is what a command does.
type Do string

// These are carried out in the store, in one transaction with the new Component.
const (
	// Stage records the image of the hop as staged, as Component.Holds has it.
	Stage Do = "stage"
	// Unstage records that nothing is staged.
	Unstage Do = "unstage"
	// RecordSent records that the component took the whole image of the hop.
	RecordSent Do = "record sent"
	// Settle deletes the cautions that a whole image settles: needs image and unclear.
	Settle Do = "settle"
	// CautionNeedsImage, CautionUnclear and CautionPowerOnly record a caution, with Reason.
	CautionNeedsImage Do = "caution needs image"
	CautionUnclear    Do = "caution unclear"
	CautionPowerOnly  Do = "caution power only"
	// Resolve records Reason as how the effects with the ids in Open ended.
	Resolve Do = "resolve"
)

// These come after that, and end in an Event.
const (
	// Compare compares the device with the plan. It has no effect.
	Compare Do = "compare"
	// Download sends the image of the hop by Component.Mode.
	Download Do = "download"
	// Listen waits until the device says what became of an image that was sent.
	Listen Do = "listen"
	// StartStaged sends the command that starts the staged image.
	StartStaged Do = "start staged"
	// AwaitReturn waits for the device to come back.
	AwaitReturn Do = "await return"
	// ReadBack reads what the device runs.
	ReadBack Do = "read back"
	// Look finds out how the work ended that a run was broken off in. It has no effect but aborts.
	Look Do = "look"
)

// Command is something for package executor to do.
type Command struct {
	Do     Do
	Reason string
	Open   []int64
}

// acts has what comes next in each state; nothing in those that wait for a wave or have ended.
var acts = map[State]Do{
	Recovering: Look,
	Checking:   Compare,
	Sending:    Download,
	Sent:       Listen,
	Activating: StartStaged,
	Waiting:    AwaitReturn,
	Verifying:  ReadBack,
}

// Apply returns c after an event, and the commands that follow, in order. An event that
// cannot happen to c makes it Unknown, with its effects open: nothing is sent to a component
// that this machine has lost track of.
func Apply(s *plan.Step, c Component, e Event) (Component, []Command) {
	switch e.Kind {
	case Intended:
		return intended(c, e)
	case Resumed:
		return resumed(s, c)
	}
	to, ok := next(c.State, e.Kind)
	if !ok || !possible(s, c, e) {
		return impossible(c, e)
	}
	m := move{step: s, was: c, now: c.clone(), event: e}
	m.now.State, m.now.Reason = to, e.Reason
	m.now.Runs = cmp.Or(e.Revision, c.Runs)
	m.now.Restarted = c.Restarted || to == Waiting || to == Verifying
	m.overwrite()
	switch e.Kind {
	case Stale, Refuse:
		m.now.Refusal = e.Refusal
	case Send:
		m.now.Mode = e.Mode
	case Withdraw:
		m.now.Mode = m.modeBefore()
	case Again:
		m.now.Retried = true
		m.breakOff()
	case HoldsNone:
		m.breakOff()
	case ModeRefused:
		m.fallBack()
	case AsPlanned:
		m.do(Settle)
	case AllSent:
		m.now.Holds = Holds{Content: Part}
	case Defer:
		m.deferred()
	case Start:
		m.now.Holds, m.now.Damage = Holds{}, Sound
		m.do(Settle, RecordSent)
	case Confirm:
		m.now.Holds, m.now.Confirmed = Holds{}, e.Confirmed
		m.do(Unstage)
	case NextHop:
		m.now.Hop++
		m.now.Mode, m.now.RefusedE, m.now.Retried, m.now.Confirmed = "", false, false, false
	case Abort, Fail, Lose:
		m.end()
	}
	m.resolve()
	if act := acts[m.now.State]; act != "" {
		m.do(act)
	}
	return m.now, m.commands
}

// possible reports whether an event may happen to a component, as far as that depends on more
// than its state.
func possible(s *plan.Step, c Component, e Event) bool {
	switch e.Kind {
	case AsPlanned:
		return !c.Touched && c.Damage == Sound
	case Stale:
		return !c.Touched
	case Send:
		return e.Mode != "" && !c.HoldsHop(s) && (e.Mode != plan.ModeE || !c.RefusedE)
	case Activate: // a reset could brick what has nothing sound to start from
		return c.HoldsHop(s) && c.Damage == Sound
	case Refuse:
		return !c.Touched
	case Again:
		return !c.Retried && len(c.Open) > 0
	case NextHop:
		return c.Hop+1 < len(s.Hops)
	case Keep:
		return c.HoldsHop(s)
	case Return:
		return c.State != Checking || c.HoldsHop(s)
	}
	if c.State == Recovering && slices.Contains([]Kind{AllSent, HoldsNone, Start}, e.Kind) {
		return c.Holds.Content == Part
	}
	begun := len(c.Open) > 0 // the start of a download is on record before its first chunk
	switch {
	case c.State == Sending && slices.Contains([]Kind{AllSent, ModeRefused}, e.Kind):
		return begun
	case c.State == Sending && e.Taken:
		return begun
	}
	return true
}

func intended(c Component, e Event) (Component, []Command) {
	if !slices.Contains([]State{Sending, Sent, Activating, Recovering}, c.State) {
		return impossible(c, e)
	}
	n := c.clone()
	n.Touched = true
	n.Open = append(n.Open, e.Open...)
	if e.Begins {
		n.Downloads[n.Hop] = n.Mode
	}
	return n, nil
}

// resumed takes a component up where the store has it. If work was under way, the device is
// looked at first. A component that has ended, with no answer to come, stays so. One that is
// where the run brings it stays there until the run's last look at it. All others are compared
// with the plan again.
func resumed(s *plan.Step, c Component) (Component, []Command) {
	n := c.clone()
	underWay := len(c.Open) > 0 || slices.Contains([]State{Waiting, Verifying, Recovering}, c.State)
	if !underWay && c.Arrived(s) {
		return n, nil
	}
	n.Runs = "" // until it is read again
	switch {
	case c.State == Failed, c.State == Unknown && !underWay:
		return n, nil
	case c.State == Staged && c.Holds.PowerOnly: // Compare finds out whether the power cycle has come
		n.Touched = false
		return n, nil
	case !underWay && c.Damage == HalfImage: // it gets a whole image before anything else is done
		n.State, n.Reason, n.Touched = Pending, "", true
		return n, nil
	case !underWay:
		n.State, n.Reason, n.Refusal = Pending, "", ""
		n.Touched, n.Restarted, n.Confirmed, n.Damage = false, false, false, Sound
		n.Holds = New(s).Holds
		return n, nil
	}
	n.State, n.Reason, n.Touched = Recovering, "", true
	if !c.HoldsHop(s) && c.State != Waiting && c.State != Verifying {
		n.Holds = Holds{Content: Part} // no more than that is certain
	}
	return n, []Command{{Do: Look}}
}

func impossible(c Component, e Event) (Component, []Command) {
	n := c.clone()
	n.Reason = strings.TrimSuffix(`this is a bug of fwctl, please report it: "`+string(e.Kind)+
		`" cannot happen to a component that is `+string(c.State)+
		"; look at the device before anything else is written to it; "+e.Reason, "; ")
	n.State, n.Confirmed = Unknown, false
	if n.Damage != Sound {
		return n, []Command{{Do: CautionNeedsImage, Reason: n.Reason}}
	}
	return n, nil
}

// move is one event as it is applied.
type move struct {
	step     *plan.Step
	was, now Component
	event    Event
	commands []Command
}

func (m *move) do(all ...Do) {
	for _, do := range all {
		m.commands = append(m.commands, Command{Do: do, Reason: m.now.Reason})
	}
}

// taken reports whether the device may have a part of a download that this event ends or
// continues.
func (m *move) taken() bool {
	switch m.was.State {
	case Sending:
		return m.event.Taken || m.event.Kind == Lose || m.event.Kind == AllSent
	case Sent:
		return true
	case Recovering:
		return m.was.Holds.Content == Part
	}
	return false
}

// overwrite drops what was staged before a download: a device that has taken a part of an
// image holds nothing else. A device that refuses the first chunk keeps what it held.
func (m *move) overwrite() {
	if m.taken() && m.event.Kind != AllSent {
		m.now.Holds = Holds{}
		m.do(Unstage)
	}
}

// breakOff handles a download that was broken off and is sent again.
func (m *move) breakOff() {
	if !m.taken() {
		return
	}
	if m.was.At(m.step).Protocol == plan.WriteBuffer {
		m.now.Holds = Holds{Content: Part}
		if m.event.Device == Doubtful { // it has no abort: the part stays until the next download
			m.do(CautionUnclear)
		}
	}
	if m.was.Mode == plan.Mode7 {
		m.now.Damage = HalfImage
		m.commands = append(m.commands, Command{Do: CautionNeedsImage, Reason: m.event.Reason + halfAnImage})
	}
}

// modeBefore returns the mode that a component had before it was to be sent its image.
func (m *move) modeBefore() plan.Mode {
	if m.was.RefusedE {
		return plan.Mode7
	}
	return m.was.Downloads[m.was.Hop]
}

// fallBack goes from mode e to mode 7, if the plan permits it.
func (m *move) fallBack() {
	hop := m.was.At(m.step)
	m.now.Reason = fmt.Sprintf("the device does not take mode %s: %s", m.was.Mode, m.event.Reason)
	if m.was.Mode != plan.ModeE || !slices.Contains(hop.Modes, plan.Mode7) || m.step.Waves.Reset == 0 {
		m.now.State = Failed
		m.now.Reason += "; the plan permits no other mode"
		m.end()
		return
	}
	m.now.Reason += fmt.Sprintf("; mode 7 follows in wave %d", m.step.Waves.Reset)
	m.now.RefusedE, m.now.Mode = true, plan.Mode7
}

// deferred handles an image that the device now holds dormant.
func (m *move) deferred() {
	hop := m.now.At(m.step)
	m.now.Damage, m.now.Confirmed = Sound, m.event.Confirmed
	m.now.Holds = Holds{
		Content: Whole, Image: hop.Image.SHA256, Confirmed: m.event.Confirmed, PowerOnly: m.event.PowerOnly,
	}
	m.do(Settle, RecordSent, Stage)
	if m.event.PowerOnly {
		m.do(CautionPowerOnly)
	}
	m.now.Reason += m.now.leftOut(m.step)
}

// end handles a component that ends without being where the plan wants it.
func (m *move) end() {
	e := m.event
	m.now.Confirmed = false
	lost := e.Kind == Lose && m.taken()
	if lost {
		m.now.Holds = Holds{Content: Unclear}
	}
	switch {
	case e.Device == Needy:
		m.now.Damage = NeedsImage
	case m.was.Mode == plan.Mode7 && m.half():
		m.now.Damage = HalfImage
		m.now.Reason += halfAnImage
	case m.was.Damage == HalfImage:
		m.now.Reason += halfAnImage
	case m.was.Damage == NeedsImage && m.was.Touched:
		m.now.Reason += needsImage
	}
	switch {
	case e.Device == Empty:
		m.now.Holds = Holds{}
		m.do(Unstage)
	case e.PowerOnly && m.was.State == Activating:
		m.now.Holds.PowerOnly = true
		m.do(CautionPowerOnly)
	}
	switch {
	case e.Device == Needy, m.now.NeedsPerson():
		m.do(CautionNeedsImage)
	case (e.Device == Doubtful || e.Device == Another) && e.Kind != Lose && m.taken():
		m.now.Holds = Holds{Content: Unclear}
		m.do(CautionUnclear)
	case e.Kind == Lose && (e.Answers || len(m.was.Open) == 0): // else the open effect is remembered
		m.do(CautionUnclear)
	}
}

// half reports whether a download by mode 7 has left half an image: it did not reach its end,
// or the device says that what it got is no good, or that cannot be found out any more.
func (m *move) half() bool {
	if !m.taken() && m.was.State != Verifying {
		return false
	}
	switch m.event.Device {
	case Broken, Empty:
		return true
	case Doubtful:
		return m.taken()
	}
	return m.taken() && m.event.Kind == Lose && m.event.Answers
}

// resolve ends the open effects, unless their outcome is still to come: that of an activation
// shows after the restart, and a device that was lost may answer a resumption.
func (m *move) resolve() {
	waits := slices.Contains([]Kind{AllSent, Start, Restart, Return}, m.event.Kind)
	if waits || m.event.Kind == Lose && !m.event.Answers || len(m.was.Open) == 0 {
		return
	}
	reason := strings.TrimSuffix(string(m.event.Kind)+": "+m.event.Reason, ": ")
	m.commands = append(m.commands, Command{Do: Resolve, Reason: reason, Open: m.was.Open})
	m.now.Open = nil
}

const (
	halfAnImage = "; mode 7 may have overwritten what it would start from: " +
		"do not power-cycle or reset it before it has got a whole image"
	needsImage = "; it still needs a whole image: do not power-cycle or reset it before it has got one"

	// ByPowerCycle says what a person has to do about an image that no command starts.
	ByPowerCycle = ": power-cycle the enclosure when its drives are not in use, and see what it runs then"
)

// leftOut says why a person has to start an image that was just staged and that the plan
// wanted started in this run; "" if all went as planned.
func (c Component) leftOut(s *plan.Step) string {
	hop := c.At(s)
	switch {
	case !hop.ByCommand() && (c.Mode == "" || hop.Defers(c.Mode)), !c.Dormant(s) && hop.ByCommand():
		return ""
	case !c.Confirmed:
		return "; its activation was planned and is left out, because the image may be incomplete" + ByPowerCycle
	case c.Dormant(s):
		return "; it was planned to start now, and mode 0Fh does not start it" + ByPowerCycle
	}
	return "; it was planned to start now, and the device waits for a command" + ByPowerCycle
}

// LeftToPerson reports whether the plan wanted a staged image started in this run, and a
// person has to start it instead.
func (c Component) LeftToPerson(s *plan.Step) bool { return c.State == Staged && c.leftOut(s) != "" }
