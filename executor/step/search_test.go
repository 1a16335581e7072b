package step_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"fwctl/executor/step"
	"fwctl/inventory"
	"fwctl/plan"
)

// world is a component with what the store would hold after the commands that it gave.
type world struct {
	c      step.Component
	memory memory
	// powerOnly: a caution of that was recorded just now.
	powerOnly bool
	// trail is how it came here, for a failure's message.
	trail []string
}

// memory is the store, as the commands leave it.
type memory struct {
	staged              string
	needsImage, unclear bool
	open                int
}

func (m *memory) carryOut(s *plan.Step, c step.Component, commands []step.Command) (acts []step.Do) {
	for _, cmd := range commands {
		switch cmd.Do {
		case step.Stage:
			m.staged = c.Holds.Image
		case step.Unstage:
			m.staged = ""
		case step.RecordSent:
		case step.Settle:
			m.needsImage, m.unclear = false, false
		case step.CautionNeedsImage:
			m.needsImage = true
		case step.CautionUnclear:
			m.unclear = true
		case step.CautionPowerOnly:
		case step.Resolve:
			m.open -= len(cmd.Open)
		default:
			acts = append(acts, cmd.Do)
		}
	}
	return acts
}

// steps are plans of one component that differ in all that the state machine reads.
func steps() map[string]*plan.Step {
	all := map[string]*plan.Step{}
	other := strings.Repeat("0", 64)
	starts := []plan.Hop{
		{Activation: plan.Manual, ActivateBy: plan.ByModeF},
		{Activation: plan.WithApply, ActivateBy: plan.ByModeF},
		{Activation: plan.WithApply, ActivateBy: plan.ByModeF, ActivateUnconfirmed: true},
		{Activation: plan.WithApply, ActivateBy: plan.ByPowerCycle},
	}
	for _, modes := range [][]plan.Mode{{plan.ModeE}, {plan.ModeE, plan.Mode7}, {plan.Mode7}} {
		for _, protocol := range []plan.Protocol{plan.SES, plan.WriteBuffer} {
			for n, hop := range starts {
				staged := []string{"", "other", "hop"}[len(all)%3]
				s := &plan.Step{Waves: plan.StepWaves{Stage: 1, Reset: 2}}
				for i := range 2 {
					hop.From, hop.To, hop.Modes, hop.Protocol = fmt.Sprint(i), fmt.Sprint(i+1), modes, protocol
					hop.Image.SHA256 = strings.Repeat(fmt.Sprint(i+1), 64)
					s.Hops = append(s.Hops, hop)
				}
				switch staged {
				case "other":
					s.Preconditions.Staged = &other
				case "hop":
					s.Preconditions.Staged = &s.Hops[0].Image.SHA256
				}
				all[fmt.Sprintf("by %v over %s, start %d, staged %q", modes, protocol, n, staged)] = s
			}
		}
	}
	return all
}

// events are all that can happen, whatever the state: the state machine has to keep its
// promises also if an event cannot be.
func events() []step.Event {
	var all []step.Event
	devices := []step.Device{step.Unsaid, step.Broken, step.Empty, step.Needy, step.Doubtful, step.Another}
	both := []bool{false, true}
	for _, k := range []step.Kind{
		step.Begin, step.Resumed, step.Stale, step.AsPlanned, step.Activate, step.Refuse, step.Withdraw, step.Keep,
		step.ModeRefused, step.AllSent, step.Start, step.Restart, step.Return, step.NextHop,
	} {
		all = append(all, step.Event{Kind: k})
	}
	for _, m := range []plan.Mode{plan.ModeE, plan.Mode7} {
		all = append(all, step.Event{Kind: step.Send, Mode: m})
	}
	for _, begins := range both {
		all = append(all, step.Event{Kind: step.Intended, Begins: begins, Open: []int64{1}})
	}
	for _, yes := range both {
		all = append(all, step.Event{Kind: step.Confirm, Confirmed: yes})
		for _, only := range both {
			all = append(all, step.Event{Kind: step.Defer, Confirmed: yes, PowerOnly: only})
		}
	}
	for _, d := range devices {
		for _, taken := range both {
			if d == step.Unsaid || d == step.Doubtful {
				for _, k := range []step.Kind{step.Again, step.HoldsNone, step.Abort} {
					all = append(all, step.Event{Kind: k, Device: d, Taken: taken})
				}
			}
			all = append(all, step.Event{Kind: step.Fail, Device: d, Taken: taken})
			all = append(all, step.Event{Kind: step.Fail, Device: d, Taken: taken, PowerOnly: true})
			for _, answers := range both {
				all = append(all, step.Event{Kind: step.Lose, Device: d, Taken: taken, Answers: answers})
			}
		}
	}
	for i := range all {
		all[i].Reason = "because"
	}
	return all
}

var effects = []step.Do{step.Download, step.StartStaged}

// invariant is something that must hold for every event on every component.
type invariant struct {
	name  string
	holds func(s *plan.Step, before, after world, e step.Event, acts []step.Do) bool
}

var invariants = []invariant{
	{"what is unknown stays so until a resumption looks at it", func(_ *plan.Step, b, a world, e step.Event, _ []step.Do) bool {
		return b.c.State != step.Unknown || a.c.State == step.Unknown || e.Kind == step.Resumed &&
			a.c.State == step.Recovering
	}},
	{"what has ended stays so", func(_ *plan.Step, b, a world, e step.Event, acts []step.Do) bool {
		return !b.c.State.Ended() || e.Kind == step.Resumed || a.c.State.Ended() && len(acts) == 0
	}},
	{"no effect without a comparison just before it", func(_ *plan.Step, b, _ world, _ step.Event, acts []step.Do) bool {
		return !slices.ContainsFunc(acts, isEffect) || b.c.State == step.Checking
	}},
	{"no effect on what has ended", func(_ *plan.Step, _, a world, _ step.Event, acts []step.Do) bool {
		return !a.c.State.Ended() || len(acts) == 0
	}},
	{"no reset of what has nothing sound to start from", func(_ *plan.Step, b, a world, _ step.Event, acts []step.Do) bool {
		return !slices.Contains(acts, step.StartStaged) || b.c.Damage == step.Sound && a.c.Damage == step.Sound
	}},
	{"only a staged image of the hop is started", func(s *plan.Step, _, a world, _ step.Event, acts []step.Do) bool {
		return !slices.Contains(acts, step.StartStaged) || a.c.HoldsHop(s)
	}},
	{"half an image by mode 7 is damage until a whole one is there", func(_ *plan.Step, b, a world, e step.Event, _ []step.Do) bool {
		whole := e.Kind == step.Defer || e.Kind == step.Start
		observed := e.Kind == step.Resumed && b.c.Damage == step.NeedsImage // Compare finds that again
		return b.c.Damage == step.Sound || a.c.Damage != step.Sound || whole || observed
	}},
	{"a download by mode 7 that ended early is damage", func(_ *plan.Step, b, a world, e step.Event, _ []step.Do) bool {
		early := slices.Contains([]step.Kind{step.Again, step.HoldsNone, step.Fail, step.Abort}, e.Kind)
		had := b.c.State == step.Sending && e.Taken || b.c.State == step.Recovering && b.c.Holds.Content == step.Part
		said := e.Device == step.Broken || e.Device == step.Doubtful
		legal := a.c.State != step.Unknown // a bug of the caller's: the effects stay open
		return !(early && had && said && legal && b.c.Mode == plan.Mode7) || a.c.Damage != step.Sound
	}},
	{"no success without a read-back", func(_ *plan.Step, b, a world, e step.Event, _ []step.Do) bool {
		switch a.c.State {
		case step.Done:
			return b.c.State == step.Done || b.c.State == step.Verifying && e.Kind == step.Confirm
		case step.Unchanged:
			return b.c.State == step.Unchanged || b.c.State == step.Checking && !b.c.Touched
		case step.Staged:
			return slices.Contains([]step.State{step.Staged, step.Sent, step.Checking, step.Recovering}, b.c.State)
		}
		return true
	}},
	{"what has ended has no open effect, unless it is unknown", func(_ *plan.Step, _, a world, _ step.Event, _ []step.Do) bool {
		return !a.c.State.Ended() || a.c.State == step.Unknown || len(a.c.Open) == 0
	}},
	{"what is lost has an open effect or a caution, if it was touched", func(_ *plan.Step, b, a world, e step.Event, _ []step.Do) bool {
		lost := e.Kind == step.Lose && b.c.State != step.Unknown && a.c.State == step.Unknown && len(b.c.Open) > 0
		return !lost || len(a.c.Open) > 0 || a.memory.unclear || a.memory.needsImage
	}},
	{"the store knows what is open", func(_ *plan.Step, _, a world, _ step.Event, _ []step.Do) bool {
		return a.memory.open == len(a.c.Open)
	}},
	{"the store knows what is staged", func(_ *plan.Step, _, a world, _ step.Event, _ []step.Do) bool {
		between := slices.Contains([]step.State{step.Sent, step.Recovering, step.Unknown}, a.c.State) && len(a.c.Open) > 0
		return between || a.c.State == step.Unknown || a.memory.staged == a.c.Staged()
	}},
	{"a person who is needed is on record", func(_ *plan.Step, _, a world, _ step.Event, _ []step.Do) bool {
		return !a.c.NeedsPerson() || a.memory.needsImage
	}},
	{"damage by half an image is on record once it is known", func(_ *plan.Step, _, a world, _ step.Event, _ []step.Do) bool {
		return a.c.Damage != step.HalfImage || a.memory.needsImage || a.c.State == step.Unknown
	}},
	{"what only power starts is on record", func(_ *plan.Step, b, a world, _ step.Event, _ []step.Do) bool {
		return !a.c.Holds.PowerOnly || b.c.Holds.PowerOnly || a.powerOnly
	}},
	{"mode e is not tried again where it was refused", func(_ *plan.Step, b, a world, _ step.Event, acts []step.Do) bool {
		return !slices.Contains(acts, step.Download) || !b.c.RefusedE || a.c.Mode == plan.Mode7
	}},
	{"a download starts over once", func(_ *plan.Step, b, a world, e step.Event, _ []step.Do) bool {
		return e.Kind != step.Again || !b.c.Retried || a.c.State != step.Checking
	}},
	{"hops are never gone back", func(_ *plan.Step, b, a world, _ step.Event, _ []step.Do) bool {
		return a.c.Hop >= b.c.Hop
	}},
	{"the device's word stands behind what is confirmed", func(_ *plan.Step, b, a world, e step.Event, _ []step.Do) bool {
		return !a.c.Confirmed || b.c.Confirmed || e.Confirmed
	}},
}

func isEffect(d step.Do) bool { return slices.Contains(effects, d) }

func encode(c step.Component) string {
	data, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// identity is what identifies a component: all of it but its texts and the numbers of its effects.
type identity struct {
	state                                 step.State
	hop, open                             int
	mode, download                        plan.Mode
	refusedE, retried, touched, confirmed bool
	damage                                step.Damage
	holds                                 step.Holds
	memory                                memory
}

func identify(c step.Component, m memory) identity {
	return identity{
		state: c.State, hop: c.Hop, open: len(c.Open), mode: c.Mode, download: c.Downloads[c.Hop],
		refusedE: c.RefusedE, retried: c.Retried, touched: c.Touched,
		confirmed: c.Confirmed, damage: c.Damage,
		holds: c.Holds, memory: m,
	}
}

// Every component that can be reached, with every event: in seconds, and in place of a copy
// of the table of transitions.
func TestSearch(t *testing.T) {
	t.Parallel()
	plans := steps()
	if testing.Short() || raceDetector { // make test tries all, without the race detector
		for i, name := range slices.Sorted(maps.Keys(plans)) {
			if i%8 != 0 {
				delete(plans, name)
			}
		}
	}
	var mu sync.Mutex
	var all found
	t.Run("plans", func(t *testing.T) {
		for name, s := range plans {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f := search(t, s)
				mu.Lock()
				defer mu.Unlock()
				all.reached, all.tried = all.reached+f.reached, all.tried+f.tried
				all.states = append(all.states, f.states...)
			})
		}
	})
	for _, s := range []step.State{
		step.Pending, step.Recovering, step.Checking, step.Sending, step.Sent, step.Staged, step.Activating, step.Waiting,
		step.Verifying, step.Done, step.Refused, step.Unchanged, step.Failed, step.Aborted, step.Unknown,
	} {
		if !slices.Contains(all.states, s) {
			t.Errorf("no component was %s", s)
		}
	}
	t.Logf("%d components reached, %d events tried, %d invariants", all.reached, all.tried, len(invariants))
}

// found is what a search came across.
type found struct {
	reached, tried int
	states         []step.State
}

// search applies every event to every component of a plan that can be reached, and checks
// what comes of it.
func search(t *testing.T, s *plan.Step) (f found) {
	all := events()
	broken := map[string]bool{}
	states := map[step.State]bool{}
	seen := map[identity]bool{}
	queue := []world{{c: step.New(s), memory: memory{staged: step.New(s).Staged()}}}
	for ; len(queue) > 0; queue = queue[1:] {
		w := queue[0]
		f.reached++
		states[w.c.State] = true
		was := w.c
		was.Downloads, was.Open = slices.Clone(w.c.Downloads), slices.Clone(w.c.Open)
		for _, e := range all {
			if e.Kind == step.Intended && len(w.c.Open) > 0 {
				continue // more of the same
			}
			f.tried++
			a, acts, commands := w.after(s, e)
			sound := true
			for _, inv := range invariants {
				if inv.holds(s, w, a, e, acts) {
					continue
				}
				sound = false // and what follows from it is no news
				if !broken[inv.name] {
					broken[inv.name] = true
					t.Errorf("%s: broken by %+v\non   %s\ngives %s %v\n(came by %s)",
						inv.name, e, encode(was), encode(a.c), commands, strings.Join(w.trail, " > "))
				}
			}
			if id := identify(a.c, a.memory); sound && !seen[id] {
				seen[id] = true
				a.trail = append(slices.Clone(w.trail), fmt.Sprintf("%s %s", e.Kind, e.Device))
				a.c.Reason = ""
				queue = append(queue, a)
			}
		}
		if !reflect.DeepEqual(was, w.c) {
			t.Fatalf("an event changed the component that it was given from %+v to %+v", was, w.c)
		}
	}
	f.states = slices.Collect(maps.Keys(states))
	return f
}

// after is a world after an event, and what the component does next.
func (w world) after(s *plan.Step, e step.Event) (a world, acts []step.Do, commands []step.Command) {
	next, commands := step.Apply(s, w.c, e)
	a = world{c: next, memory: w.memory}
	a.powerOnly = slices.ContainsFunc(commands, func(c step.Command) bool { return c.Do == step.CautionPowerOnly })
	if e.Kind == step.Intended && len(next.Open) > len(w.c.Open) {
		a.memory.open++
	}
	if next.State == step.Pending && e.Kind == step.Resumed {
		a.memory.staged = next.Staged() // Place takes it from the store
	}
	return a, a.memory.carryOut(s, next, commands), commands
}

// A component goes the whole way, over two hops and both ways of starting an image.
func TestWholeWay(t *testing.T) {
	t.Parallel()
	s := steps()[`by [e 7] over ses, start 1, staged ""`]
	c := step.New(s)
	for _, tt := range []struct {
		event step.Event
		state step.State
		does  string
	}{
		{step.Event{Kind: step.Begin}, step.Checking, "[compare]"},
		{step.Event{Kind: step.Send, Mode: plan.ModeE}, step.Sending, "[download]"},
		{step.Event{Kind: step.Intended, Begins: true, Open: []int64{1}}, step.Sending, "[]"},
		{step.Event{Kind: step.AllSent}, step.Sent, "[listen]"},
		{step.Event{Kind: step.Defer, Confirmed: true}, step.Staged, "[unstage settle record sent stage resolve]"},
		{step.Event{Kind: step.Begin}, step.Checking, "[compare]"},
		{step.Event{Kind: step.Activate}, step.Activating, "[start staged]"},
		{step.Event{Kind: step.Intended, Open: []int64{2}}, step.Activating, "[]"},
		{step.Event{Kind: step.Restart}, step.Waiting, "[await return]"},
		{step.Event{Kind: step.Return}, step.Verifying, "[read back]"},
		{step.Event{Kind: step.Confirm, Confirmed: true}, step.Done, "[unstage resolve]"},
		{step.Event{Kind: step.NextHop}, step.Pending, "[]"},
		{step.Event{Kind: step.Begin}, step.Checking, "[compare]"},
		{step.Event{Kind: step.Send, Mode: plan.ModeE}, step.Sending, "[download]"},
		{step.Event{Kind: step.Intended, Begins: true, Open: []int64{3}}, step.Sending, "[]"},
		{step.Event{Kind: step.ModeRefused, Reason: "no"}, step.Pending, "[resolve]"},
		{step.Event{Kind: step.Begin}, step.Checking, "[compare]"},
		{step.Event{Kind: step.Send, Mode: plan.Mode7}, step.Sending, "[download]"},
		{step.Event{Kind: step.Intended, Begins: true, Open: []int64{4}}, step.Sending, "[]"},
		{step.Event{Kind: step.AllSent}, step.Sent, "[listen]"},
		{step.Event{Kind: step.Start}, step.Waiting, "[unstage settle record sent await return]"},
		{step.Event{Kind: step.Return}, step.Verifying, "[read back]"},
		{step.Event{Kind: step.Confirm, Confirmed: true}, step.Done, "[unstage resolve]"},
	} {
		next, commands := step.Apply(s, c, tt.event)
		var does []step.Do
		for _, cmd := range commands {
			does = append(does, cmd.Do)
		}
		if next.State != tt.state || fmt.Sprint(does) != tt.does {
			t.Fatalf("Apply(%s, %s) = %s, %v; want %s, %s", c.State, tt.event.Kind, next.State, does, tt.state, tt.does)
		}
		c = next
	}
	if got, want := fmt.Sprint(c.Begun()), "[e 7]"; got != want {
		t.Errorf("Begun() = %s; want %s", got, want)
	}
}

// A component that was staged for a power cycle, and is found at its next hop, is not
// staged any more.
func TestPlaceAfterThePowerCycle(t *testing.T) {
	t.Parallel()
	s := steps()[`by [e 7] over ses, start 1, staged ""`]
	c := step.New(s)
	c.State, c.Confirmed, c.Touched = step.Staged, true, true
	c.Holds = step.Holds{Content: step.Whole, Image: s.Hops[0].Image.SHA256, Confirmed: true, PowerOnly: true}
	c, _ = step.Apply(s, c, step.Event{Kind: step.Resumed})
	sub := &inventory.Subenclosure{Revision: s.Hops[1].From, Sent: &inventory.Sent{SHA256: s.Hops[0].Image.SHA256}}
	if got := c.Place(s, sub); got.State != step.Pending || got.Hop != 1 || got.Holds != (step.Holds{}) || got.Confirmed {
		t.Errorf("Place = %+v; want it pending at the second hop, with nothing staged", got)
	}
	sub = &inventory.Subenclosure{
		Revision: s.Hops[0].From, Staged: &inventory.Staged{SHA256: s.Hops[0].Image.SHA256, Confirmed: true},
	}
	if got := c.Place(s, sub); got.State != step.Staged || got.Hop != 0 || !got.Holds.PowerOnly {
		t.Errorf("Place = %+v; want it staged still, for a power cycle", got)
	}
}

func TestDiagramIsTheOneOfTheDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), step.Diagram()) {
		t.Errorf("CONTRIBUTING.md draws another state machine than this, which is that of the code:\n%s", step.Diagram())
	}
}
