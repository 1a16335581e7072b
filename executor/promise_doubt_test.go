package executor_test

import (
	"fmt"
	"slices"
	"strings"

	"fwctl/executor/result"
	"fwctl/internal/state"
	"fwctl/plan"
)

// doubts is how a shelf of that class takes microcode, besides what download has.
func (s *shelf) doubts(d dice, all []string) []string {
	all = slices.DeleteFunc(all, func(entry string) bool { return hasKey([]string{entry}, "generationMismatch") })
	all = append(all, "generationMismatch: "+d.some("sense", "status", "ignored"))
	if s.repower = d.one(10); s.repower { // as a Dell MD1200
		for _, entry := range strings.Split(inactiveBank, ", ") {
			all = append(slices.DeleteFunc(all, func(other string) bool { return hasKey([]string{other}, entry) }), entry)
		}
	}
	for _, rare := range []string{
		"singleBank: true", "completion: {'7': '11'}", "completion: {'7': '12'}", "completion: {'7': '13'}",
		"completion: {e: '12'}",
		"activated: {attentions: [29/00, 3f/01], status: '10'}", "activated: {status: '10'}",
		"activated: {attentions: [3f/01], starts: read}",
		"quietReturn: true", "timeout: 30m", "left: {mode: '0e', bytes: 4096, length: 10001}",
	} {
		if d.one(8) && !hasKey(all, rare) {
			all = append(all, rare)
			s.left = s.left || strings.HasPrefix(rare, "left")
		}
	}
	return all
}

// addDoubt has answers say nothing of what was done.
func (s *shelf) addDoubt(d dice, b *strings.Builder) {
	s.faulty = true
	b.WriteString("    faults:\n")
	fault := func(when, do string) { fmt.Fprintf(b, "      - {when: {%s}, do: {%s}}\n", when, do) }
	failure := func() string {
		return pick(d, "sense: 0b/00/00", "sense: 0b/4b/00", "sense: 04/44/00", "sense: 04/3e/00",
			"transportError: true", "noAnswer: true")
	}
	refusal := func() string { return pick(d, "sense: 05/24/00", "sense: 05/26/00") }
	act := func() string {
		return "act: " + pick(d, "first-chunk", "middle-chunk", "last-chunk", "last-chunk", "activate", "abort")
	}
	for range pick(d, 1, 1, 2) {
		switch d.IntN(8) {
		case 0, 1, 2:
			fault(act(), failure()+", carriedOut: true")
		case 3:
			fault(act(), failure())
		case 4:
			fault(act(), refusal())
		case 5: // an abort that something gives reason for
			fault("act: middle-chunk",
				pick(d, failure(), failure()+", carriedOut: true", "bumpGeneration: true", refusal()))
			fault("act: abort"+pick(d, "", "", ", times: 3", ", every: true"),
				pick(d, refusal(), "busy: true", "sense: 06/29/00", "ignored: true",
					"late: {commands: 1}", "late: {commands: 5}", "late: {time: 40s}",
					failure(), failure()+", carriedOut: true", "mute: true", "die: true", "die: true, carriedOut: true"))
		case 6:
			command := pick(d, "opcode: '12'", "opcode: '00'", "opcode: '03'",
				"opcode: '1c', page: '01'", "opcode: '1c', page: '02'", "opcode: '1c', page: '0e'")
			fault(fmt.Sprintf("after: start, nth: %d, %s", 1+d.IntN(9), command),
				pick(d, "busy: true", "sense: 06/29/00", "sense: 06/3f/01", "sense: 0b/00/00", "noAnswer: true",
					"transportError: true", "offline: true"))
		case 7:
			switch d.IntN(2) {
			case 0:
				fault("act: "+pick(d, "last-chunk", "activate"), "bootFails: true")
			case 1:
				fault("act: first-chunk, mode: '07'", failure()+", erases: true")
			}
		}
	}
}

// remembers reports whether a host's store has something on record of a component
// that a round has left in doubt, or in need of a person.
func (r *round) remembers(key state.Key) bool {
	_, staged := r.memory.Staged[key]
	return staged || slices.ContainsFunc(r.memory.Cautions, func(c state.CautionRecord) bool { return c.Key == key }) ||
		slices.ContainsFunc(r.memory.Open, func(i state.Intent) bool { return i.Key == key })
}

// inDoubt: what is unknown, or needs a person, is on record until it is resolved; what
// a run has left behind itself is not reported as another program's; and a component has one end.
func (h *history) inDoubt(n int, r *round) {
	for _, sr := range r.result.Steps {
		i := slices.IndexFunc(r.plan.Steps, func(s plan.Step) bool { return s.Address == sr.Address })
		s := &r.plan.Steps[i]
		if s.Host != r.host {
			continue
		}
		e, p, key := h.shelfOf(s.LUID), h.part(r.after, s), state.Key{LUID: s.LUID, Subenclosure: s.Subenclosure}
		switch {
		case (sr.NeedsPerson || sr.Outcome == result.OutcomeUnknown) && !r.remembers(key):
			h.failf("%s is reported as %s, needs a person: %v, and the store does not hold that", s.Address, sr.Outcome,
				sr.NeedsPerson)
		case p.Broken && !r.remembers(key) && !h.saysSafe(n, s.Address):
			h.failf("%s has nothing to boot from, and nobody remembers: it was %s", s.Address, sr.Outcome)
		case !e.left && strings.Contains(sr.Reason, "someone else"):
			h.failf("%s: %q, and there is no one else", s.Address, sr.Reason)
		case strings.Contains(sr.Reason, "a bug of fwctl"):
			h.failf("%s: %q", s.Address, sr.Reason)
		case r.ends[sr.Address] > 1:
			h.failf("%s has ended %d times", s.Address, r.ends[sr.Address])
		}
	}
}
