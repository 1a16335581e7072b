package executor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/inventory/scan"
	"fwctl/plan"
)

// Run carries the plan out on this machine. What became of the components is in
// the Result; an error means that the run could not begin (a missing image, a
// store that cannot be written), and nothing was written to a device.
//
// When ctx ends nothing new is started and what runs is brought to its end.
func Run(ctx context.Context, c Config) (*Result, error) {
	r, err := newRun(ctx, c)
	if err != nil {
		return nil, err
	}
	accepted, err := r.accept()
	if err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	err = c.Store.Update(ctx, func(tx *state.Tx) {
		r.id = tx.BeginRun(state.Run{PlanDigest: c.Plan.Digest, Host: c.Machine.Hostname(), By: c.By, StartedAt: time.Now()})
		for _, o := range append(accepted, r.ignored()...) {
			tx.Override(r.id, o)
		}
	})
	if err != nil {
		return nil, err
	}
	release := r.begin(ctx)
	defer release()
	if r.why == "" {
		for _, wave := range c.Plan.Waves {
			r.walk(ctx, wave)
		}
	}
	result := r.result()
	// The devices are as they are: a store that fails now does not change what is told of them.
	if err := c.Store.Update(ctx, func(tx *state.Tx) { tx.EndRun(r.id, time.Now(), string(result.Outcome)) }); err != nil {
		r.event(Event{Type: EventNoticed, Reason: err.Error()})
	}
	return result, nil
}

// Check compares the plan's preconditions with the live devices, under the same
// locks as Run, and sends nothing with an effect. The outcome is done, refused
// or interrupted.
func Check(ctx context.Context, c Config) (*Result, error) {
	r, err := newRun(ctx, c)
	if err != nil {
		return nil, err
	}
	release := r.begin(context.WithoutCancel(ctx))
	defer release()
	result := r.result()
	for i, s := range r.steps {
		if s.ready {
			result.Steps[i].Outcome, result.Steps[i].Reason = OutcomeReady, ""
		}
	}
	return result, nil
}

// run is one walk through a plan.
type run struct {
	Config
	until    context.Context // at its end nothing new is started
	id       int64
	steps    []*stepRun
	why      string            // nothing at all is done
	refusal  Refusal           // its kind, where it has one
	stopped  string            // why nothing new is started
	broken   map[string]string // enclosure: why nothing else of it is touched
	failures int
	faulty   bool // something other than a component failed
	wrote    bool // to any component
}

// stepRun is one component on its way through its step.
type stepRun struct {
	step *plan.Step
	key  state.Key

	state    State
	hop      int // index of the hop it is at
	mode     plan.Mode
	refused  bool // mode e of this hop, by the device
	want     expectation
	download download
	intents  []int64 // committed, and without an answer yet

	overwriting string   // SHA-256 of what was staged when the download began
	taken       bool     // the device took its first chunk
	baseline    []string // failures of the enclosure before the hop

	wrote       bool
	revision    string // last read
	confirmed   bool
	dormant     bool // what is staged must not, or cannot, be started by mode 0Fh
	needsPerson bool
	reason      string
	refusal     Refusal // where it was refused
	ready       bool    // the preflight found it as the plan expects it
	told        bool    // its end, to the observer
}

func (s *stepRun) current() plan.Hop { return s.step.Hops[s.hop] }

// newRun checks what can be checked without a device.
func newRun(ctx context.Context, c Config) (*run, error) {
	r := &run{Config: c, until: ctx, broken: map[string]string{}}
	host := c.Machine.Hostname()
	elsewhere := map[string]bool{}
	for i := range c.Plan.Steps {
		step := &c.Plan.Steps[i]
		if step.Action != plan.Update && step.Action != plan.Activate {
			continue
		}
		s := &stepRun{step: step, key: state.Key{LUID: step.LUID, Subenclosure: step.Subenclosure}, state: Pending, want: expect(step)}
		r.steps = append(r.steps, s)
		if step.Host != host {
			s.reason = "this is for " + step.Host + " to carry out"
			elsewhere[step.Host] = true
			continue
		}
		if !slices.ContainsFunc(c.Plan.Waves, func(w plan.Wave) bool {
			return w.Kind == plan.StageWave && w.Number == step.Waves.Stage || w.Kind == plan.ResetWave && w.Number == step.Waves.Reset
		}) {
			return nil, fmt.Errorf("cannot carry out the plan: no wave of it works on %s", step.Address)
		}
		if step.Action == plan.Activate {
			continue
		}
		for _, hop := range step.Hops {
			if len(hop.Modes) == 0 {
				return nil, fmt.Errorf("cannot carry out the plan: it names no mode to send image %s to %s by", hop.Image.Name, step.Address)
			}
			img, ok := c.Images[hop.Image.SHA256]
			if !ok {
				return nil, fmt.Errorf("cannot find image %s (sha256 %s): name the directory that it is in with --images", hop.Image.Name, hop.Image.SHA256)
			}
			if img.SHA256() != hop.Image.SHA256 || img.Size() != hop.Image.Size {
				return nil, fmt.Errorf("cannot use image %s: its %d bytes have the sha256 %s, and the plan wants %d bytes with %s",
					hop.Image.Name, img.Size(), img.SHA256(), hop.Image.Size, hop.Image.SHA256)
			}
		}
	}
	switch {
	case c.Plan.Simulated != c.Machine.Simulated():
		r.refusal, r.why = RefusedWrongHost, "the plan was made for simulated enclosures and this machine is real: plan again here"
		if c.Machine.Simulated() {
			r.why = "the plan was made for real enclosures and this machine is simulated: plan again with --simulate"
		}
	case len(r.steps) > 0 && !slices.ContainsFunc(r.steps, func(s *stepRun) bool { return s.step.Host == host }):
		var hosts []string
		for h := range elsewhere {
			hosts = append(hosts, h)
		}
		slices.Sort(hosts)
		r.refusal, r.why = RefusedWrongHost, fmt.Sprintf("the plan has nothing for %s to do: apply it on %s", host, strings.Join(hosts, ", "))
	}
	return r, nil
}

// local are the steps that this machine carries out and that have not ended.
func (r *run) local() []*stepRun {
	var all []*stepRun
	for _, s := range r.steps {
		if s.step.Host == r.Machine.Hostname() && (s.state == Pending || s.state == Staged) {
			all = append(all, s)
		}
	}
	return all
}

// byEnclosure groups steps, enclosures and steps in the plan's order.
func byEnclosure(steps []*stepRun) [][]*stepRun {
	var groups [][]*stepRun
	for _, s := range steps {
		i := slices.IndexFunc(groups, func(g []*stepRun) bool { return g[0].step.Enclosure == s.step.Enclosure })
		if i < 0 {
			groups = append(groups, []*stepRun{s})
			continue
		}
		groups[i] = append(groups[i], s)
	}
	return groups
}

// ignored are the windows that a person put aside, for the record.
func (r *run) ignored() []state.Override {
	var all []state.Override
	for _, s := range r.local() {
		waits := func(w plan.Wave) bool {
			return len(w.Windows) > 0 && (w.Number == s.step.Waves.Stage || w.Number == s.step.Waves.Reset)
		}
		if r.IgnoreWindow != "" && slices.ContainsFunc(r.Plan.Waves, waits) {
			all = append(all, state.Override{Kind: state.IgnoreWindow, Address: s.step.Address, Given: r.IgnoreWindow})
		}
	}
	return all
}

// accept refuses the run where I/O may stop at a component for which nobody
// accepted that, and returns the acceptances that count, for the record.
func (r *run) accept() ([]state.Override, error) {
	var accepted []state.Override
	var open []*stepRun
	for _, s := range r.local() {
		if s.step.Disruption.Worst != plan.IOInterruption {
			continue
		}
		i, err := covers(r.AcceptDisruption, s.step.Address)
		switch {
		case err != nil:
			return nil, err
		case i < 0:
			open = append(open, s)
		default:
			accepted = append(accepted, state.Override{Kind: state.AcceptDisruption, Address: s.step.Address, Given: r.AcceptDisruption[i]})
		}
	}
	if len(open) == 0 || r.why != "" {
		return accepted, nil
	}
	var addresses []string
	for _, s := range open {
		s.reason = "I/O may stop here, and nobody accepted that"
		addresses = append(addresses, s.step.Address)
	}
	r.refusal = RefusedDisruption
	r.why = fmt.Sprintf("I/O may stop at %s, and nobody accepted that: nothing was written; accept it with --accept-disruption ADDRESS for each of them, or with --accept-disruption all",
		strings.Join(addresses, ", "))
	return nil, nil
}

// covers finds the first pattern that is all or matches an address, -1 for none.
// In patterns / is a character like any other: an enclosure's identifier and *
// cover all of it.
func covers(patterns []string, address string) (int, error) {
	plain := func(s string) string { return strings.ReplaceAll(s, "/", "|") }
	for i, p := range patterns {
		ok, err := path.Match(plain(p), plain(address))
		if err != nil {
			return -1, fmt.Errorf("cannot accept a disruption at %q: it is no pattern", p)
		}
		if ok || p == "all" {
			return i, nil
		}
	}
	return -1, nil
}

// begin takes the locks of all enclosures that there is work for, and compares
// the plan with the devices. The locks are kept until release.
func (r *run) begin(ctx context.Context) (release func()) {
	var locks []io.Closer
	release = func() {
		for _, l := range locks {
			l.Close()
		}
	}
	if r.why != "" {
		return release
	}
	// Sorted, and no further than the first that is taken: of two runs at the same
	// enclosures one gets through, and the other has not opened a node of theirs.
	groups := byEnclosure(r.local())
	slices.SortFunc(groups, func(a, b []*stepRun) int { return cmp.Compare(a[0].step.Enclosure, b[0].step.Enclosure) })
	for _, group := range groups {
		lock, err := r.Machine.Lock(group[0].step.Enclosure)
		if err != nil {
			for _, s := range group {
				r.turnDown(ctx, s, s.cannot(err))
			}
			r.refuse()
			return release
		}
		locks = append(locks, lock)
	}
	r.preflight(ctx)
	return release
}

// preflight compares the preconditions of all steps with the live devices. One
// that does not hold refuses the whole run: nothing has been written yet.
func (r *run) preflight(ctx context.Context) {
	steps := r.local()
	if len(steps) == 0 {
		return
	}
	r.event(Event{Type: EventChecking, Components: len(steps)})
	inv, err := r.scan()
	if err != nil && r.until.Err() == nil {
		r.why = err.Error()
		return
	}
	for _, group := range byEnclosure(steps) {
		if r.until.Err() != nil {
			break
		}
		held, err := hold(r.until, r.Machine, group[0].step.Enclosure, group[0].step.Preconditions.ESPs, inv)
		for _, s := range group {
			v := s.cannot(err)
			if err == nil {
				v = r.check(r.until, held, s, "")
			}
			if r.until.Err() != nil {
				break // what was not read is no reason
			}
			if s.ready = v.trigger == ""; !s.ready {
				r.turnDown(ctx, s, v)
			}
		}
		if err == nil {
			held.close()
		}
	}
	if r.until.Err() != nil {
		r.stopped = interruption
		return
	}
	r.refuse()
}

// turnDown ends a step that has not begun.
func (r *run) turnDown(ctx context.Context, s *stepRun, v verdict) {
	if r.move(ctx, s, Begin, verdict{}); s.state == Checking {
		r.move(ctx, s, v.trigger, v)
	}
}

// refuse refuses the whole run where a step was. What takes a new plan, or a
// hand, says so for those that only have to wait.
func (r *run) refuse() {
	for _, kind := range []struct {
		refusal Refusal
		why     string
	}{
		{RefusedStale, "not everything is as the plan expects it, and nothing was written: make a new plan"},
		{RefusedUnread, "not everything could be compared with the plan, and nothing was written: see to that, and apply the same plan again"},
		{RefusedInUse, "somebody else is using what the plan is about, and nothing was written: wait until they are done, and apply the same plan again"},
	} {
		if r.why == "" && slices.ContainsFunc(r.steps, func(s *stepRun) bool { return s.refusal == kind.refusal }) {
			r.refusal, r.why = kind.refusal, kind.why
		}
	}
}

// scan reads all enclosures but those that the plan knows and this run has no
// work for, and so no lock: somebody else may be at work there.
func (r *run) scan() (*inventory.Inventory, error) {
	ours := map[string]bool{}
	for _, s := range r.steps {
		if s.step.Host == r.Machine.Hostname() {
			ours[s.step.Enclosure] = true
		}
	}
	var others []string
	for _, s := range r.Plan.Steps {
		if !ours[s.Enclosure] {
			others = append(others, s.LUID)
		}
	}
	return scan.Scan(r.until, r.Machine, scan.Options{Except: others, ProbeUse: true})
}

// cannot says what an error before a step's next byte means to it.
func (s *stepRun) cannot(err error) verdict {
	switch {
	case err == nil:
		return verdict{}
	case s.wrote:
		return verdict{trigger: Fail, reason: err.Error()}
	case errors.Is(err, transport.ErrBusy):
		return verdict{trigger: Stale, refusal: RefusedInUse, reason: "it is in use: " + err.Error()}
	}
	return verdict{trigger: Stale, refusal: RefusedUnread, reason: err.Error()}
}

// stale says what it means to a step that its component is otherwise than expected.
func (s *stepRun) stale(reason string) verdict {
	if s.wrote {
		return verdict{trigger: Fail, reason: reason}
	}
	return verdict{trigger: Stale, refusal: RefusedStale, reason: reason + ": make a new plan"}
}

// check reads a component and compares it with what its step expects. task is
// what follows where everything is as expected.
func (r *run) check(ctx context.Context, held *session, s *stepRun, task Trigger) verdict {
	staged, err := r.Store.Staged(ctx)
	if err != nil {
		return s.cannot(err)
	}
	sent, err := r.Store.Sent(ctx)
	if err != nil {
		return s.cannot(err)
	}
	e, err := held.read(ctx)
	if err != nil {
		return s.cannot(err)
	}
	remember(e, staged, sent)
	esp, sub, reason := component(e, s.step)
	if reason != "" {
		return s.stale(reason)
	}
	if old, ok := staged[s.key]; ok && sub.Staged == nil && r.id != 0 {
		if err := r.Store.Update(ctx, func(tx *state.Tx) { tx.Unstage(s.key) }); err != nil {
			return s.cannot(err)
		}
		r.event(s.about(Event{Type: EventNoticed, Reason: fmt.Sprintf("what was staged here on %s is no longer: it ran %s then and runs %s now",
			old.Since.Format(time.DateOnly), old.Running, sub.Revision)}))
	}
	s.revision = sub.Revision
	s.baseline = e.Health.Failures
	s.download = newDownload(target{
		session: held, luID: s.step.LUID, subenclosure: s.step.Subenclosure, address: sub.Address, esps: e.ESPs,
		hop: s.current(), mode: s.mode, hasPage: esp.Download.SESPage || s.current().Protocol == plan.SES,
		notice: func(reason string) { r.event(s.about(Event{Type: EventNoticed, Reason: reason})) },
	})
	if s.step.Action == plan.Activate && sub.Staged != nil && !sub.Staged.Confirmed {
		return s.stale("the device never said that what it holds staged is complete, so it is not activated; a power cycle would start it")
	}
	return judge(s, e, sub, sent[s.key], task)
}

// task is what a step has to do in a wave; "" for nothing.
func (s *stepRun) task(wave plan.Wave) Trigger {
	hop := s.current()
	switch {
	case wave.Number != s.step.Waves.Stage && wave.Number != s.step.Waves.Reset:
		return ""
	case s.want.staged == hop.Image.SHA256:
		if wave.Kind == plan.ResetWave && activates(hop) && !s.dormant {
			return Activate
		}
		return ""
	case s.nextMode(wave) == "":
		return ""
	}
	return Send
}

// nextMode is the mode that a wave tries next: e first, 7 in a reset wave alone.
func (s *stepRun) nextMode(wave plan.Wave) plan.Mode {
	for _, m := range s.current().Modes {
		if m == plan.ModeE && !s.refused || m == plan.Mode7 && wave.Kind == plan.ResetWave {
			return m
		}
	}
	return ""
}

// walk works on everything that a wave has to do, one component after the other.
func (r *run) walk(ctx context.Context, wave plan.Wave) {
	due := slices.DeleteFunc(r.local(), func(s *stepRun) bool { return s.task(wave) == "" })
	if len(due) == 0 || r.halted() {
		return
	}
	r.event(Event{Type: EventWave, Wave: wave.Number})
	inv, err := r.scan()
	if err != nil {
		if !r.halted() {
			r.stopped, r.faulty = err.Error(), true
		}
		return
	}
	for _, group := range byEnclosure(due) {
		if r.halted() {
			return
		}
		r.visit(ctx, wave, group, inv)
	}
}

// visit works on the components of one enclosure.
func (r *run) visit(ctx context.Context, wave plan.Wave, group []*stepRun, inv *inventory.Inventory) {
	enclosure := group[0].step.Enclosure
	if r.broken[enclosure] != "" {
		return
	}
	held, err := hold(r.until, r.Machine, enclosure, group[0].want.esps, inv)
	if moved := (*movedError)(nil); errors.As(err, &moved) { // since the wave began
		if inv, err = r.scan(); err == nil {
			held, err = hold(r.until, r.Machine, enclosure, group[0].want.esps, inv)
		}
	}
	if err != nil {
		if !r.halted() {
			r.turnDown(ctx, group[0], group[0].cannot(err))
		}
		return
	}
	defer held.close()
	for _, s := range group {
		if r.halted() || r.broken[enclosure] != "" || !r.inWindow(wave) {
			return
		}
		r.work(ctx, held, wave, s)
	}
}

// inWindow tells whether a wave may start something at this moment. What runs
// when its window closes is brought to its end.
func (r *run) inWindow(wave plan.Wave) bool {
	if r.IgnoreWindow != "" {
		return true
	}
	opening, err := r.Plan.Opening(wave, time.Now())
	switch {
	case err != nil:
		r.stopped = err.Error()
	case !opening.Now:
		r.stopped = fmt.Sprintf("the maintenance window of wave %d is closed", wave.Number)
	default:
		return true
	}
	r.faulty = true
	return false
}

// halted tells whether anything new may be started.
func (r *run) halted() bool {
	if r.until.Err() != nil && r.stopped == "" {
		r.stopped = interruption
	}
	return r.stopped != ""
}

const interruption = "interrupted"

// work takes one component through the step machine as far as a wave lets it.
// It is the one place where states meet devices.
func (r *run) work(ctx context.Context, held *session, wave plan.Wave, s *stepRun) {
	before, started := *s, false
	for {
		held.flashing.Store(s.state == Sending || s.state == Sent)
		var v verdict
		switch s.state {
		case Pending, Staged:
			if s.task(wave) == "" || r.halted() {
				return
			}
			v = verdict{trigger: Begin}
		case Checking:
			task := s.task(wave)
			if task == Send {
				s.mode = s.nextMode(wave)
			}
			if started {
				v = r.check(ctx, held, s, task)
				break
			}
			v = r.check(r.until, held, s, task)
			if r.until.Err() != nil {
				s.mode = before.mode
				v = verdict{trigger: map[State]Trigger{Pending: Withdraw, Staged: Keep}[before.state], reason: before.reason}
			}
			started = true
		case Sending:
			v = r.send(ctx, wave, s)
		case Sent:
			v = s.download.finish(ctx)
		case Activating:
			v = r.activate(ctx, wave, s)
		case Waiting:
			v = r.await(ctx, held, s)
		case Verifying:
			v = r.verify(ctx, held, s)
		case Done:
			if s.hop+1 == len(s.step.Hops) {
				return
			}
			v = verdict{trigger: NextHop}
		default:
			return
		}
		r.move(ctx, s, v.trigger, v)
	}
}

// move takes a step to its next state, and commits that with all that follows
// from it. Where it cannot be committed the step fails, and nothing more is sent.
// Nor is anything sent to a component of which the step machine has lost track.
func (r *run) move(ctx context.Context, s *stepRun, t Trigger, v verdict) {
	from := s.state
	to, ok := Next(from, t)
	if !ok {
		bug := fmt.Sprintf("this is a bug of fwctl, please report it: %q cannot happen to a component that is %s", t, s.state)
		v = verdict{reason: strings.TrimSuffix(bug+"; look at the device before anything else is written to it; "+v.reason, "; ")}
		to, t = Unknown, Lose
	}
	s.state, s.reason = to, v.reason
	s.revision = cmp.Or(v.revision, s.revision)
	hop := s.current()
	now := time.Now()
	var more func(*state.Tx)
	switch t {
	case Defer:
		s.want.staged, s.confirmed = hop.Image.SHA256, v.confirmed
		s.dormant = v.powerOnly || !v.confirmed
		s.reason = v.reason + s.leftOut()
		more = func(tx *state.Tx) {
			tx.Sent(s.key, state.Sent{SHA256: hop.Image.SHA256, Revision: hop.To, At: now})
			tx.Stage(s.key, state.Staged{SHA256: hop.Image.SHA256, Revision: hop.To, Running: s.revision, Since: now, By: r.By, Confirmed: v.confirmed})
		}
	case Start:
		more = func(tx *state.Tx) {
			tx.Sent(s.key, state.Sent{SHA256: hop.Image.SHA256, Revision: hop.To, At: now})
		}
	case Confirm:
		s.confirmed = v.confirmed
		s.want = expectation{revision: hop.To, esps: s.want.esps}
		more = func(tx *state.Tx) { tx.Unstage(s.key) }
	case NextHop:
		s.hop++
		s.refused, s.confirmed, s.dormant = false, false, false
	case FallBack, Postpone:
		s.refused = true
		s.mode = plan.Mode7
	case Stale, Refuse:
		s.refusal = v.refusal
	case Fail, Lose:
		s.confirmed = false
		if v.unstaged {
			more = func(tx *state.Tx) { tx.Unstage(s.key) }
		}
	}
	s.needsPerson = s.needsPerson || v.needsPerson

	if err := r.commit(ctx, s, from, t, v, more); err != nil {
		r.unrecorded(s, err)
		if to == Sending || to == Activating { // an effect comes next
			s.state, _ = Next(to, Fail)
			s.reason = err.Error()
		}
	}
	r.report(s, t)
	r.account(s)
}

// unrecorded tells that the store cannot be written, after which nothing new is started.
func (r *run) unrecorded(s *stepRun, err error) {
	r.stopped, r.faulty = err.Error(), true
	r.event(s.about(Event{Type: EventNoticed, Reason: err.Error()}))
}

// commit records a step's new state, and what the device's answer says of the
// effects that were intended. Check records nothing.
func (r *run) commit(ctx context.Context, s *stepRun, from State, t Trigger, v verdict, more func(*state.Tx)) error {
	if r.id == 0 {
		return nil
	}
	// A first chunk that was refused has overwritten nothing: what was staged before
	// still is. Where nobody can tell, it counts as gone.
	downloading := len(s.intents) > 0 && slices.Contains([]State{Sending, Sent}, from)
	overwritten := downloading && (s.taken || t == Lose)
	if downloading && !overwritten && t != SentAll {
		s.want.staged = s.overwriting
	}
	err := r.Store.Update(ctx, func(tx *state.Tx) {
		tx.SetStep(r.id, state.Step{Address: s.step.Address, Key: s.key, Hop: s.hop, State: string(s.state), Mode: string(s.mode), Detail: s.reason, At: time.Now()})
		if overwritten && t != SentAll {
			tx.Unstage(s.key)
		}
		if more != nil {
			more(tx)
		}
		if t != SentAll && t != Restart && t != Return { // those are no answer yet
			for _, id := range s.intents {
				tx.Resolve(id, strings.TrimSuffix(string(t)+": "+v.reason, ": "))
			}
		}
	})
	if err == nil && t != SentAll && t != Restart && t != Return {
		s.intents = nil
	}
	return err
}

// intend commits effects before they are tried.
func (r *run) intend(ctx context.Context, s *stepRun, mode byte, kinds ...state.Kind) error {
	if len(kinds) == 0 {
		return nil
	}
	var ids []int64
	err := r.Store.Update(ctx, func(tx *state.Tx) {
		for _, kind := range kinds {
			ids = append(ids, tx.Intend(state.Intent{
				Run: r.id, Address: s.step.Address, Key: s.key, Kind: kind, Mode: fmt.Sprintf("%02x", mode), SHA256: s.current().Image.SHA256, At: time.Now(),
			}))
		}
	})
	if err != nil {
		return err
	}
	s.intents = append(s.intents, ids...)
	if slices.Contains(kinds, state.DownloadStart) {
		s.overwriting, s.want.staged, s.taken = s.want.staged, "", false
	}
	s.wrote, r.wrote = true, true
	return nil
}

// send sends the image of the current hop.
func (r *run) send(ctx context.Context, wave plan.Wave, s *stepRun) verdict {
	data := r.Images[s.current().Image.SHA256].Bytes()
	heard, v := r.unheard(ctx, wave, s)
	if v.trigger == "" {
		v = s.download.prepare(ctx)
	}
	if v.trigger != "" {
		if v.revision != "" { // reading the status has started an earlier image, and so ended its download
			s.intents = append(s.intents, heard...)
		}
		if s.wrote {
			return v.inFlight()
		}
		return v
	}
	r.event(s.about(Event{Type: EventStarted, Mode: s.mode, Total: int64(len(data))}))
	size := s.download.chunkSize()
	for offset := 0; offset < len(data); offset += size {
		end := min(offset+size, len(data))
		err := r.intend(ctx, s, code(s.mode), intents(s.mode, offset == 0, end == len(data))...)
		switch {
		case err != nil && offset == 0:
			return verdict{trigger: Fail, reason: err.Error()}
		case err != nil: // half an image can be worse than one that nobody knows of
			r.unrecorded(s, err)
		}
		v := s.download.chunk(ctx, offset, data[offset:end])
		if v.trigger == modeRefused {
			return fallBack(s, wave, v.reason)
		}
		if v.trigger != "" {
			return v
		}
		s.taken = true
		r.event(s.about(Event{Type: EventProgress, Mode: s.mode, Bytes: int64(end), Total: int64(len(data))}))
	}
	return verdict{trigger: SentAll}
}

// intents are what has to be committed before a chunk. By mode 7 all of it is
// before the first one: from there on there is no way back, whatever the store says.
func intents(mode plan.Mode, first, last bool) []state.Kind {
	switch {
	case first && (last || mode == plan.Mode7):
		return []state.Kind{state.DownloadStart, state.LastChunk}
	case first:
		return []state.Kind{state.DownloadStart}
	case last && mode == plan.ModeE:
		return []state.Kind{state.LastChunk}
	}
	return nil
}

// fallBack says what follows where the device does not take a mode: 7 after e,
// where the plan permits it, and never before the reset wave.
func fallBack(s *stepRun, wave plan.Wave, why string) verdict {
	refused := fmt.Sprintf("the device does not take mode %s: %s", s.mode, why)
	switch {
	case s.mode != plan.ModeE || !slices.Contains(s.current().Modes, plan.Mode7) || s.step.Waves.Reset == 0:
		return verdict{trigger: Fail, reason: refused + "; the plan permits no other mode"}
	case wave.Kind == plan.ResetWave:
		return verdict{trigger: FallBack, reason: refused + "; mode 7 follows"}
	}
	return verdict{trigger: Postpone, reason: fmt.Sprintf("%s; mode 7 follows in wave %d", refused, s.step.Waves.Reset)}
}

func (r *run) activate(ctx context.Context, wave plan.Wave, s *stepRun) verdict {
	if _, v := r.unheard(ctx, wave, s); v.trigger != "" {
		return v.inFlight()
	}
	if err := r.intend(ctx, s, 0x0f, state.Activation); err != nil {
		return verdict{trigger: Fail, reason: err.Error()}
	}
	r.event(s.about(Event{Type: EventActivating}))
	return s.download.activate(ctx)
}

// await leaves a restarting device alone for a while, and then asks what it runs
// until that is what it should, or until it has been away for too long.
func (r *run) await(ctx context.Context, held *session, s *stepRun) verdict {
	hop := s.current()
	r.event(s.about(Event{Type: EventWaiting, Reason: s.reason}))
	time.Sleep(time.Duration(hop.Settle))
	deadline := time.Now().Add(time.Duration(hop.ReturnTimeout))
	for wait := firstPoll; ; wait = min(2*wait, slowPoll) {
		revision, err := held.revision(ctx, s.step.LUID, s.step.Subenclosure)
		if err == nil {
			s.revision = revision
			if revision == hop.To {
				return verdict{trigger: Return}
			}
		}
		if !time.Now().Before(deadline) {
			if err != nil {
				return verdict{trigger: Lose, reason: fmt.Sprintf("it has not come back for %v: %v", hop.ReturnTimeout, err)}
			}
			return verdict{trigger: Return}
		}
		time.Sleep(wait)
	}
}

// verify reads back what the component runs, and waits until the enclosure is
// no worse than it was before.
func (r *run) verify(ctx context.Context, held *session, s *stepRun) verdict {
	hop := s.current()
	deadline := time.Now().Add(time.Duration(hop.ReturnTimeout))
	for wait := firstPoll; ; wait = min(2*wait, slowPoll) {
		worse := ""
		e, err := held.read(ctx)
		if err != nil {
			worse = err.Error()
		} else {
			_, sub, reason := component(e, s.step)
			if sub != nil {
				s.revision = sub.Revision
			}
			switch {
			case sub != nil && sub.Revision == hop.From && hop.From != hop.To:
				return verdict{trigger: Fail, reason: fmt.Sprintf("it still runs %s, and should run %s", sub.Revision, hop.To)}
			case sub != nil && sub.Revision != hop.To:
				return verdict{trigger: Fail, reason: fmt.Sprintf("it runs %s, which is neither what it ran (%s) nor what it should run (%s)", sub.Revision, hop.From, hop.To)}
			case sub == nil:
				worse = reason
			default:
				worse = strings.Join(decline(s, e), "; ")
			}
		}
		if worse == "" {
			v := verdict{trigger: Confirm, confirmed: hop.From != hop.To}
			if !v.confirmed {
				v.reason = fmt.Sprintf("it reported %s before and does after: the revision cannot tell which image it runs", hop.To)
			}
			return v
		}
		if !time.Now().Before(deadline) {
			if _, err := held.revision(ctx, s.step.LUID, s.step.Subenclosure); err != nil {
				return verdict{trigger: Lose, reason: worse}
			}
			return verdict{trigger: Fail, reason: fmt.Sprintf("it runs %s, but the enclosure is worse than before: %s", s.revision, worse)}
		}
		time.Sleep(wait)
	}
}

// decline names what was there, or well, before the hop and is not any more.
func decline(s *stepRun, e *inventory.Enclosure) []string {
	var worse []string
	for _, luID := range s.want.esps {
		if !slices.ContainsFunc(e.ESPs, func(esp inventory.ESP) bool { return esp.LUID == luID }) {
			worse = append(worse, "ESP "+luID+" is missing")
		}
	}
	for _, failure := range e.Health.Failures {
		if !slices.Contains(s.baseline, failure) {
			worse = append(worse, failure)
		}
	}
	return worse
}
