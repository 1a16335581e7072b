package executor_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fwctl/executor/result"
	"fwctl/internal/state"
	"fwctl/plan"
)

// hold looks whether the promises were kept.
func (h *history) hold() {
	h.faults = 0
	for _, n := range h.state().Match {
		h.faults += n
	}
	commands := h.commands()
	for i := range h.rounds {
		r := &h.rounds[i]
		mine := slices.DeleteFunc(slices.Clone(commands), func(c command) bool { return c.Seq <= r.from || c.Seq > r.to })
		h.nothingUnplanned(r, mine)
		h.nothingAfterARefusal(r, mine)
		h.noFallback(r, mine, commands)
		h.noFalseWord(i, r)
		h.inItsWindow(r, mine, commands)
		h.byPower(r)
		h.inDoubt(i, r)
	}
	h.onlyPlannedImages()
	h.noTwoResets()
	h.noUnplannedOutage()
}

// step is what a round's plan has for a component that its host works on.
func (r *round) step(luID string, sub int) *plan.Step {
	for i := range r.plan.Steps {
		if s := &r.plan.Steps[i]; realLU(s.LUID) == luID && s.Subenclosure == sub && s.Host == r.host && len(s.Hops) > 0 {
			return s
		}
	}
	return nil
}

func hasHop(s *plan.Step, ok func(plan.Hop) bool) bool { return slices.ContainsFunc(s.Hops, ok) }

// nothingUnplanned: nothing is written that the plan does not show.
func (h *history) nothingUnplanned(r *round, commands []command) {
	for _, c := range commands {
		w, ok := c.write()
		if !ok {
			continue
		}
		s := r.step(c.LU, w.sub)
		if s == nil || w.other {
			h.failf("line %d writes to %s/sub%d, for which the plan has nothing", c.Seq, c.LU, w.sub)
			continue
		}
		resets := s.Waves.Reset != 0
		fits := func(hop plan.Hop) bool {
			if w.byBuffer != (hop.Protocol == plan.WriteBuffer) {
				return false
			}
			switch w.mode {
			case 0xff:
				return len(hop.Modes) > 0
			case 0x0f:
				return resets && hop.Activation == plan.WithApply && hop.ActivateBy == plan.ByModeF
			}
			mode := map[byte]plan.Mode{0x07: plan.Mode7, 0x0e: plan.ModeE}[w.mode]
			return slices.Contains(hop.Modes, mode) && (hop.Defers(mode) || resets) &&
				(w.byBuffer || int64(w.length) == hop.Image.Size) &&
				w.size <= hop.ChunkSize &&
				(hop.BufferID == 0 || w.buffer == hop.BufferID)
		}
		if !hasHop(s, fits) {
			h.failf("line %d writes %+v to %s, and no hop of the plan is that", c.Seq, w, s.Address)
		}
	}
	if r.result.Outcome == result.RunRefused {
		for _, c := range commands {
			if w, ok := c.write(); ok {
				h.failf("the run on %s was refused, and wrote %+v in line %d", r.host, w, c.Seq)
			}
		}
	}
}

// illegal reports whether a command was refused as one that will never be taken.
func (c command) illegal() bool {
	sense := unhex(c.Sense)
	switch {
	case c.Status != 0x02 || len(sense) < 3:
		return false
	case sense[0]&0x7f >= 0x72:
		return sense[1] == 5
	}
	return sense[2]&0x0f == 5
}

// nothingAfterARefusal: what a device has refused is not sent again, nor anything
// else to its fault domain; but for the abort, and mode 7 where mode e was refused.
func (h *history) nothingAfterARefusal(r *round, commands []command) {
	for i, c := range commands {
		w, ok := c.write()
		if !ok || !c.illegal() || w.mode == 0xff {
			continue
		}
		s := r.step(c.LU, w.sub)
		if s == nil || w.offset == 0 && w.mode == 0x0e && !h.takesE(c.LU, w.sub, s) {
			continue
		}
		if r.result != nil && slices.ContainsFunc(r.result.Steps, func(sr result.Step) bool {
			return sr.Address == s.Address && (sr.Outcome == result.OutcomeStaged || sr.Outcome == result.OutcomeUpdated)
		}) {
			continue // it said that it was complete all the same
		}
		for _, later := range commands[i+1:] {
			lw, ok := later.write()
			if !ok || lw.mode == 0xff && later.LU == c.LU {
				continue
			}
			if later.LU == c.LU && c.generation() != later.generation() { // it was refused for that
				break
			}
			if one, other := h.shelfOf(later.LU), h.shelfOf(c.LU); one == other || one.domain == other.domain && !one.unlisted &&
				!other.unlisted {
				h.failf("line %d was refused, and line %d writes to the same fault domain all the same", c.Seq, later.Seq)
			}
			break
		}
	}
}

// generation is the generation code that a control page expects; none: "".
func (c command) generation() string {
	if len(c.Out) < 48 || c.Out[:2] != "0e" {
		return ""
	}
	return c.Out[8:16]
}

// takesE reports whether a device takes mode e at every revision at which a step's hops may fall
// back.
func (h *history) takesE(luID string, sub int, s *plan.Step) bool {
	e := h.shelfOf(luID)
	return e.modeE != "never" && !hasHop(s, func(hop plan.Hop) bool {
		return slices.Contains(hop.Modes, plan.Mode7) && hop.From < e.modeE
	})
}

// noFallback: mode 7 follows mode e only if the device does not take mode e, and is tried first
// only if the plan has no mode e.
func (h *history) noFallback(r *round, mine, all []command) {
	for _, c := range mine {
		w, ok := c.write()
		if !ok || w.mode != 0x07 || w.offset != 0 {
			continue
		}
		s := r.step(c.LU, w.sub)
		if s == nil || hasHop(s, func(hop plan.Hop) bool { return slices.Equal(hop.Modes, []plan.Mode{plan.Mode7}) }) {
			continue
		}
		if h.takesE(c.LU, w.sub, s) {
			h.failf("line %d falls back to mode 7, and the device takes mode e", c.Seq)
		}
		if !slices.ContainsFunc(all, func(o command) bool {
			ow, ok := o.write()
			return ok && o.Seq < c.Seq && o.LU == c.LU && ow.sub == w.sub && ow.mode == 0x0e
		}) {
			h.failf("line %d begins with mode 7, and mode e was never tried", c.Seq)
		}
	}
}

// part is a component as the rack knows it.
func (h *history) part(after *rackState, s *plan.Step) *partState {
	e := h.shelfOf(s.LUID)
	key := fmt.Sprintf("%s/part1", e.id)
	if s.Subenclosure == 0 {
		key = fmt.Sprintf("%s/esp%s/sub0", e.id, realLU(s.LUID)[15:])
	}
	if p := after.Parts[key]; p != nil {
		return p
	}
	return &partState{}
}

// noFalseWord: no success without it being so, byte for byte, and nothing that
// could harm later without a word.
func (h *history) noFalseWord(n int, r *round) {
	worst := result.RunDone
	for _, sr := range r.result.Steps {
		i := slices.IndexFunc(r.plan.Steps, func(s plan.Step) bool { return s.Address == sr.Address })
		s := &r.plan.Steps[i]
		if s.Host != r.host {
			continue
		}
		e, p := h.shelfOf(s.LUID), h.part(r.after, s)
		last := s.Hops[len(s.Hops)-1]
		warned := sr.NeedsPerson || sr.Outcome == result.OutcomeUnknown
		before := slices.ContainsFunc(h.rounds[:n], func(r round) bool { // and nobody has cleared it up since
			return slices.ContainsFunc(r.result.Steps, func(sr result.Step) bool {
				return sr.Address == s.Address && (sr.NeedsPerson || sr.Outcome == result.OutcomeUnknown || unsure(sr))
			})
		})
		switch {
		case e.lies:
		case sr.Outcome == result.OutcomeUpdated && (p.Revision != last.To || p.Runs != last.Image.SHA256):
			h.failf("%s is reported to be updated to %s (%.8s), and runs %s (%.8s)", s.Address, last.To, last.Image.SHA256,
				p.Revision, p.Runs)
		// a device need not report that its image is lost
		case h.powered(r, s) && strings.HasSuffix(sr.Reason, "and run fwctl verify then"):
		case sr.Outcome == result.OutcomeStaged && sr.Confirmed && (p.Staged == nil || !hasHop(s, func(hop plan.Hop) bool {
			return p.Staged.SHA256 == hop.Image.SHA256
		})):
			h.failf("%s is reported to hold an image staged, and does not", s.Address)
		// It could not be read since, and the result says what a power cycle does.
		case h.powered(r, s) && strings.Contains(sr.Reason, "staged, which a power cycle would start"):
		case sr.Outcome == result.OutcomeFailed && !warned && sr.Revision != "" && p.Revision != "" &&
			sr.Revision != p.Revision:
			h.failf("%s is reported to run %s after it failed, and runs %s", s.Address, sr.Revision, p.Revision)
		}
		doubts := strings.Contains(sr.Reason, "so it may still be writing flash")
		if _, remembered := r.staged[state.Key{LUID: s.LUID, Subenclosure: s.Subenclosure}]; p.holdsSent() && !remembered &&
			!warned &&
			!before &&
			!doubts &&
			!e.lies {
			h.failf("%s holds an image that a power loss would start, and nobody remembers: it was %s", s.Address, sr.Outcome)
		}
		safe := h.saysSafe(n, s.Address) || unsure(sr) && p.Writing != nil
		if p.Broken && !warned && !before && !safe {
			h.failf("%s has nothing to boot from, and was reported to be %s", s.Address, sr.Outcome)
		}
		if p.Writing != nil && !warned && !before && !unsure(sr) && !doubts {
			h.failf("%s is writing flash, and was reported to be %s", s.Address, sr.Outcome)
		}
		if warned {
			worst = result.RunUnknown
		} else if sr.Outcome == result.OutcomeFailed && worst == result.RunDone {
			worst = result.RunFailed
		}
	}
	if worst != result.RunDone && r.result.Outcome != worst {
		h.failf("the run on %s is reported to be %s, and its worst step makes it %s", r.host, r.result.Outcome, worst)
	}
}

// holdsSent reports whether a part holds an image staged that it was sent: its peer may
// have brought it another.
func (p *partState) holdsSent() bool {
	return p.Staged != nil &&
		slices.ContainsFunc(p.Received, func(in received) bool { return in.SHA256 == p.Staged.SHA256 })
}

// unsure is a step that says itself that the device has had no word for its image.
func unsure(sr result.Step) bool {
	return sr.Outcome == result.OutcomeStaged && !sr.Confirmed
}

// saysSafe reports whether a device said, when a run up to round n last worked on it, that a reset
// does not harm it. That stands until a run works on it again.
func (h *history) saysSafe(n int, address string) bool {
	for _, r := range slices.Backward(h.rounds[:n+1]) {
		for _, sr := range r.result.Steps {
			if sr.Address == address && sr.Outcome != result.OutcomeSkipped && sr.Outcome != result.OutcomeRefused {
				return strings.Contains(sr.Reason, "reset and power on are safe (84h)")
			}
		}
	}
	return false
}

// inItsWindow: a wave starts a component, or goes on with one, only within one of its windows
// that has enough time left for the worst case. Half an image by mode 7 is made whole at any
// time.
func (h *history) inItsWindow(r *round, commands, all []command) {
	half := func(luID string) bool { // an earlier run has begun to send it one
		return slices.ContainsFunc(all, func(c command) bool {
			w, ok := c.write()
			return ok && c.Seq <= r.from && c.LU == luID && w.mode == 0x07
		})
	}
	type visit struct {
		address string
		wave    int
	}
	started, resets, first := map[visit]time.Time{}, map[string]bool{}, map[string]bool{}
	for _, c := range commands {
		w, ok := c.write()
		if !ok || w.mode == 0xff {
			continue
		}
		s := r.step(c.LU, w.sub)
		if s == nil {
			continue // reported already
		}
		stages := w.mode == 0x0e || w.mode == 0x07 && s.Hops[0].Mode7Defers
		// The module beside it has started its first hop; without faults nothing is sent twice.
		next := first[s.Address] && w.offset == 0 && s.Waves.Reset != 0 && !h.besideFaults(h.shelfOf(c.LU))
		resets[s.Address] = resets[s.Address] || !stages || s.Waves.Stage == 0 || next
		first[s.Address] = len(s.Hops) > 1 && int64(w.offset+w.size) == s.Hops[0].Image.Size
		number, kind := s.Waves.Stage, "stage"
		if resets[s.Address] {
			number, kind = s.Waves.Reset, "reset"
		}
		wave := r.plan.Waves[slices.IndexFunc(r.plan.Waves, func(w plan.Wave) bool { return w.Number == number })]
		worst := time.Duration(s.WorstIn(wave))
		at, known := started[visit{s.Address, number}]
		if !known {
			at = c.Time
			started[visit{s.Address, number}] = at
			// before it was killed
			begun := r.resumed && (len(s.Hops) > 1 || w.mode != 0x0f && w.offset > 0 || w.mode == 0x07 && half(c.LU))
			names := h.allowed[s.Policy+" "+kind]
			if h.ignore == "" && !begun && !h.fits(names, at, worst) {
				h.failf("line %d starts %s in wave %d at %v, which may take %v, outside of %v", c.Seq, s.Address, number, at, worst,
					names)
			}
		}
		if took := c.Time.Sub(at); took > worst && !h.besideFaults(h.shelfOf(c.LU)) {
			h.failf("line %d is %v after %s was started in wave %d, which may take %v", c.Seq, took, s.Address, number, worst)
		}
	}
}

// besideFaults reports whether a shelf of the same fault domain has faults: its shelves
// are worked on one after the other, so that one that hangs holds up the others.
func (h *history) besideFaults(s *shelf) bool {
	return slices.ContainsFunc(h.shelves, func(other *shelf) bool { return other.faulty && other.domain == s.domain })
}

// byPower: an image that waits for a power cycle is not reported to run before there was one.
func (h *history) byPower(r *round) {
	for _, sr := range r.result.Steps {
		i := slices.IndexFunc(r.plan.Steps, func(s plan.Step) bool { return s.Address == sr.Address })
		s := &r.plan.Steps[i]
		if sr.Outcome != result.OutcomeUpdated || !slices.ContainsFunc(r.plan.Waves, func(w plan.Wave) bool {
			return w.PowerCycle && w.Number == s.Waves.Reset
		}) {
			continue
		}
		if !h.powered(r, s) {
			h.failf("%s is reported to be updated by a power cycle, and there was none", s.Address)
		}
	}
}

// powered reports whether a step's ESP was away in a round for anything but a fault.
func (h *history) powered(r *round, s *plan.Step) bool {
	return slices.ContainsFunc(r.after.Out, func(o outage) bool {
		return o.Why != "fault" && h.luOf(o.ESP) == realLU(s.LUID) && o.From.Before(r.ended) &&
			(r.resumed || !o.From.Before(r.started))
	})
}

// verified: the reported outcomes of staged images are true.
func (h *history) verified(host string, found *result.Found) {
	after := h.state()
	for _, f := range found.Components {
		for _, r := range h.rounds {
			i := slices.IndexFunc(r.plan.Steps, func(s plan.Step) bool { return s.Address == f.Address })
			if i < 0 || h.shelfOf(r.plan.Steps[i].LUID).lies {
				continue
			}
			p := h.part(after, &r.plan.Steps[i])
			holds := p.Staged != nil && p.Staged.SHA256 == f.SHA256
			if f.Outcome == state.Running && f.Confirmed && p.Runs != f.SHA256 || f.Outcome == state.Lost && holds {
				h.failf("%s finds %+v, and the component runs %s (%.8s), and holds it: %v", host, f, p.Revision, p.Runs, holds)
			}
		}
	}
}

// onlyPlannedImages: what arrived whole is what the plan shows, in a mode that it permits.
func (h *history) onlyPlannedImages() {
	for key, p := range h.state().Parts {
		for _, in := range p.Received {
			if in.Gaps > 0 {
				h.failf("%s received an image with gaps", key)
			}
			if !slices.ContainsFunc(h.rounds, func(r round) bool {
				return slices.ContainsFunc(r.plan.Steps, func(s plan.Step) bool {
					return h.part(&rackState{Parts: map[string]*partState{key: p}}, &s) == p && hasHop(&s, func(hop plan.Hop) bool {
						return hop.Image.SHA256 == in.SHA256 &&
							slices.Contains(hop.Modes, map[byte]plan.Mode{0x07: plan.Mode7, 0x0e: plan.ModeE}[in.Mode])
					})
				})
			}) {
				h.failf("%s received image %.8s by mode %02x, which no plan shows", key, in.SHA256, in.Mode)
			}
		}
	}
}

// noTwoResets: never two at once in a fault domain, nor one beside a reset of an unknown fault
// domain.
func (h *history) noTwoResets() {
	out := h.state().Out
	for i, a := range out {
		for _, b := range out[i+1:] {
			if a.Why != "reset" || b.Why != "reset" || a.ESP == b.ESP || !a.at(b.From) && !b.at(a.From) {
				continue
			}
			if h.givenUp(a, b) || h.givenUp(b, a) {
				continue
			}
			if h.resetsUntold(h.luOf(a.ESP)) || h.resetsUntold(h.luOf(b.ESP)) {
				continue
			}
			x, y := h.shelfOf(a.ESP), h.shelfOf(b.ESP)
			if x.domain == y.domain || x.unlisted || y.unlisted {
				h.failf("%s is reset at %v, while %s is, from %v to %v", b.ESP, b.From, a.ESP, a.From, a.Until)
			}
		}
	}
}

// resetsUntold reports whether a model says that mode 7 resets nothing at an ESP, which
// random devices do not keep to: no plan can know of such a reset.
func (h *history) resetsUntold(luID string) bool {
	return slices.ContainsFunc(h.rounds, func(r round) bool {
		return slices.ContainsFunc(r.plan.Steps, func(s plan.Step) bool {
			return realLU(s.LUID) == realLU(luID) && hasHop(&s, func(hop plan.Hop) bool { return hop.Mode7Defers })
		})
	})
}

// givenUp reports whether an ESP stayed away for longer than it may, was reported as unknown for
// that, and a new plan was made before the other reset.
func (h *history) givenUp(first, second outage) bool {
	esp := h.luOf(first.ESP)
	for i, r := range h.rounds {
		s := slices.IndexFunc(r.result.Steps, func(sr result.Step) bool {
			return sr.Outcome == result.OutcomeUnknown && slices.ContainsFunc(r.plan.Steps, func(s plan.Step) bool {
				return s.Address == sr.Address && realLU(s.LUID) == esp
			})
		})
		if s >= 0 && i+1 < len(h.rounds) && !first.From.Before(r.started) && !second.From.Before(h.rounds[i+1].started) {
			return true
		}
	}
	return false
}

// luOf is the lu_id of an ESP, by the rack's name of it.
func (h *history) luOf(esp string) string { return h.shelfOf(esp).id[:15] + esp[len(esp)-1:] }

// noUnplannedOutage: no ESP is reset that the plan does not reset, and no I/O stops that goes on
// by the plan.
func (h *history) noUnplannedOutage() {
	out := h.state().Out
	for i, o := range out {
		if o.Why != "reset" {
			continue
		}
		luID := h.luOf(o.ESP)
		worst, planned := plan.NoImpact, false
		for _, r := range h.rounds {
			for _, s := range r.plan.Steps {
				if realLU(s.LUID) == luID && s.Waves.Reset != 0 {
					planned = true
					if s.Disruption.Worst != plan.NoImpact && worst != plan.IOInterruption {
						worst = s.Disruption.Worst
					}
				}
			}
		}
		switch {
		case !planned && h.resetsUntold(luID):
			continue
		case !planned || worst == plan.NoImpact:
			h.failf("%s was reset at %v, and the plan has no reset of it", o.ESP, o.From)
		}
		if worst == plan.IOInterruption || o.Stays {
			continue
		}
		before := slices.Delete(slices.Clone(out), i, i+1)
		for _, e := range h.shelves {
			for _, d := range e.drives {
				if !h.reaches(e, d, out, o) && h.reaches(e, d, before, o) {
					h.failf("the reset of %s at %v stops the I/O of the drive in slot %d of %s, and the plan says that it goes on",
						o.ESP, o.From, d.slot, e.id)
				}
			}
		}
	}
}

// reaches reports whether the user of a drive reaches it during outages, at the moment at which
// a reset begins. Enclosures behind an ESP further up go with its reset; this rack's hosts see
// nothing of other outages up there.
func (h *history) reaches(e *shelf, d disk, out []outage, reset outage) bool {
	down := func(esp string, further bool) bool {
		return slices.ContainsFunc(out, func(o outage) bool {
			return o.ESP == esp && !o.Stays && o.at(reset.From) && (o.Path == "" || strings.HasPrefix(o.Path, d.host+"/")) &&
				(!further || o == reset)
		})
	}
	return slices.ContainsFunc(d.esps, func(n int) bool {
		for on := e; on != nil; on = on.upstream {
			if down(fmt.Sprintf("%s/esp%d", on.id, min(n, on.esps)), on != e) {
				return false
			}
		}
		return true
	})
}

// realLU returns the designator of a logical unit that does not report it, by the name that a
// plan gives it: "ses.5000ccab04001000.1of2", "serial.ACME.5000ccab04001000-1".
func realLU(luID string) string {
	for _, prefix := range []string{"ses.", "serial.ACME."} {
		if rest, ok := strings.CutPrefix(luID, prefix); ok {
			return rest[:15] + rest[17:18]
		}
	}
	return luID
}

// shelfOf is the shelf of an ESP, by its lu_id or the rack's name of it.
func (h *history) shelfOf(esp string) *shelf {
	for _, s := range h.shelves {
		if strings.Contains(esp, s.id[:13]) {
			return s
		}
	}
	panic("no shelf has " + esp)
}
