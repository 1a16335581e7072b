package executor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwctl/internal/state"
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
	r, err := newRun(c)
	if err != nil {
		return nil, err
	}
	r.interrupted = ctx.Done()
	ctx = context.WithoutCancel(ctx)
	err = c.Store.Update(ctx, func(tx *state.Tx) {
		r.id = tx.BeginRun(state.Run{PlanDigest: c.Plan.Digest, Host: c.Machine.Hostname(), By: c.By, StartedAt: time.Now()})
	})
	if err != nil {
		return nil, err
	}
	if r.refusal == "" {
		r.preflight(ctx)
	}
	if r.refusal == "" {
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
// locks as Run, and sends nothing with an effect. The outcome is done or refused.
func Check(ctx context.Context, c Config) (*Result, error) {
	r, err := newRun(c)
	if err != nil {
		return nil, err
	}
	if r.refusal == "" {
		r.preflight(ctx)
	}
	result := r.result()
	for i, s := range r.steps {
		if s.state == Pending && s.reason == "" {
			result.Steps[i].Outcome, result.Steps[i].Reason = OutcomeReady, ""
		}
	}
	return result, nil
}

// run is one walk through a plan.
type run struct {
	Config
	id          int64
	interrupted <-chan struct{}
	steps       []*stepRun
	refusal     string            // why nothing at all is done
	stopped     string            // why nothing new is started
	broken      map[string]string // enclosure: why nothing else of it is touched
	failures    int
	faulty      bool // something other than a component failed
	wrote       bool // to any component
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
	intents  []int64  // committed, and without an answer yet
	baseline []string // failures of the enclosure before the hop

	wrote       bool
	revision    string // last read
	confirmed   bool
	dormant     bool // what is staged must not, or cannot, be started by mode 0Fh
	needsPerson bool
	reason      string
	told        bool // its end, to the observer
}

func (s *stepRun) current() plan.Hop { return s.step.Hops[s.hop] }

// newRun checks what can be checked without a device.
func newRun(c Config) (*run, error) {
	r := &run{Config: c, broken: map[string]string{}}
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
		if step.Action == plan.Activate {
			continue
		}
		for _, hop := range step.Hops {
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
		r.refusal = "the plan was made for simulated enclosures and this machine is real: plan again here"
		if c.Machine.Simulated() {
			r.refusal = "the plan was made for real enclosures and this machine is simulated: plan again with --simulate"
		}
	case len(r.steps) > 0 && !slices.ContainsFunc(r.steps, func(s *stepRun) bool { return s.step.Host == host }):
		var hosts []string
		for h := range elsewhere {
			hosts = append(hosts, h)
		}
		slices.Sort(hosts)
		r.refusal = fmt.Sprintf("the plan has nothing for %s to do: apply it on %s", host, strings.Join(hosts, ", "))
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

// preflight compares the preconditions of all steps with the live devices. One
// that does not hold refuses the whole run: nothing has been written yet.
func (r *run) preflight(ctx context.Context) {
	steps := r.local()
	if len(steps) == 0 {
		return
	}
	inv, err := scan.Scan(ctx, r.Machine, scan.Options{})
	if err != nil {
		r.refusal = err.Error()
		return
	}
	for _, group := range byEnclosure(steps) {
		held, err := hold(ctx, r.Machine, group[0].step.Enclosure, group[0].step.Preconditions.ESPs, inv)
		for _, s := range group {
			v := verdict{trigger: Stale}
			if err == nil {
				v = r.check(ctx, held, s, "")
			} else {
				v.reason = err.Error()
			}
			if v.trigger != "" {
				r.move(ctx, s, Begin, verdict{})
				r.move(ctx, s, v.trigger, v)
			}
			if s.state == Refused {
				r.refusal = "not everything is as the plan expects it, and nothing was written: make a new plan"
			}
		}
		if err == nil {
			held.close()
		}
	}
}

// check reads a component and compares it with what its step expects. task is
// what follows where everything is as expected.
func (r *run) check(ctx context.Context, held *session, s *stepRun, task Trigger) verdict {
	stop := func(reason string) verdict {
		if s.wrote {
			return verdict{trigger: Fail, reason: reason}
		}
		return verdict{trigger: Stale, reason: reason}
	}
	staged, err := r.Store.Staged(ctx)
	if err != nil {
		return stop(err.Error())
	}
	sent, err := r.Store.Sent(ctx)
	if err != nil {
		return stop(err.Error())
	}
	e, err := held.read(ctx)
	if err != nil {
		return stop(err.Error())
	}
	remember(e, staged)
	esp, sub, reason := component(e, s.step)
	if reason != "" {
		return stop(reason)
	}
	if old, ok := staged[s.key]; ok && sub.Staged == nil && r.id != 0 {
		if err := r.Store.Update(ctx, func(tx *state.Tx) { tx.Unstage(s.key) }); err != nil {
			return stop(err.Error())
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
		return stop("the device never said that what it holds staged is complete, so it is not activated: a power cycle would start it")
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
	inv, err := scan.Scan(ctx, r.Machine, scan.Options{})
	if err != nil {
		r.stopped, r.faulty = "stopped: "+err.Error(), true
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
	held, err := hold(ctx, r.Machine, enclosure, group[0].want.esps, inv)
	if err != nil {
		s := group[0]
		r.move(ctx, s, Begin, verdict{})
		trigger := Stale
		if s.wrote {
			trigger = Fail
		}
		r.move(ctx, s, trigger, verdict{reason: err.Error()})
		return
	}
	defer held.close()
	for _, s := range group {
		if r.halted() || r.broken[enclosure] != "" {
			return
		}
		r.work(ctx, held, wave, s)
	}
}

// halted tells whether anything new may be started.
func (r *run) halted() bool {
	select {
	case <-r.interrupted:
		if r.stopped == "" {
			r.stopped = interruption
		}
	default:
	}
	return r.stopped != ""
}

const interruption = "interrupted before it was started"

// work takes one component through the step machine as far as a wave lets it.
// It is the one place where states meet devices.
func (r *run) work(ctx context.Context, held *session, wave plan.Wave, s *stepRun) {
	for {
		held.flashing.Store(s.state == Sending || s.state == Sent)
		var v verdict
		switch s.state {
		case Pending, Staged:
			if s.task(wave) == "" {
				return
			}
			v = verdict{trigger: Begin}
		case Checking:
			task := s.task(wave)
			if task == Send {
				s.mode = s.nextMode(wave)
			}
			v = r.check(ctx, held, s, task)
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
func (r *run) move(ctx context.Context, s *stepRun, t Trigger, v verdict) {
	to, ok := Next(s.state, t)
	if !ok {
		panic(fmt.Sprintf("executor: %q cannot happen to %s, which is %s", t, s.step.Address, s.state))
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
	case Fail, Lose:
		s.confirmed = false
		if v.unstaged {
			more = func(tx *state.Tx) { tx.Unstage(s.key) }
		}
	}
	s.needsPerson = s.needsPerson || v.needsPerson

	if err := r.commit(ctx, s, t, v, more); err != nil {
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
	r.stopped, r.faulty = "stopped: "+err.Error(), true
	r.event(s.about(Event{Type: EventNoticed, Reason: err.Error()}))
}

// commit records a step's new state, and what the device's answer says of the
// effects that were intended. Check records nothing.
func (r *run) commit(ctx context.Context, s *stepRun, t Trigger, v verdict, more func(*state.Tx)) error {
	if r.id == 0 {
		return nil
	}
	err := r.Store.Update(ctx, func(tx *state.Tx) {
		tx.SetStep(r.id, state.Step{Address: s.step.Address, Key: s.key, Hop: s.hop, State: string(s.state), Mode: string(s.mode), Detail: s.reason, At: time.Now()})
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
			if kind == state.DownloadStart {
				tx.Unstage(s.key) // what was staged is overwritten from now on
			}
		}
	})
	if err != nil {
		return err
	}
	s.intents = append(s.intents, ids...)
	if slices.Contains(kinds, state.DownloadStart) {
		s.want.staged = ""
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
	switch {
	case v.trigger == Refuse && s.wrote:
		return v.inFlight()
	case v.trigger == Fail, v.trigger == Lose: // of what an earlier download left behind
		s.intents = append(s.intents, heard...)
	}
	if v.trigger != "" {
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
