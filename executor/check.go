package executor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

// Remember joins what the store holds as staged into an inventory. A component
// that no longer reports the revision it ran when the image was staged has been
// activated or flashed since: its record is left out.
//
// With it comes the image behind what a component runs: the last that was sent of
// the revision that it reports, and is not the one that waits.
//
// What the store holds as open (of a run that goes on, or that was killed) becomes
// a problem, also where the component is not in sight: what it holds nobody can
// tell without looking. And what has to be minded about a component is told of its
// enclosure, whether the component itself is in sight or not.
func Remember(inv *inventory.Inventory, m *state.Memory) {
	paths := map[string]string{} // by lu_id
	for i := range inv.Enclosures {
		e := &inv.Enclosures[i]
		remember(e, m)
		e.Cautions = nil
		for _, c := range told(m.Cautions) {
			if inventory.EnclosureOf(c.Address) == e.ID() {
				e.Cautions = append(e.Cautions, c)
			}
		}
		for _, esp := range e.ESPs {
			if len(esp.Paths) > 0 {
				paths[esp.LUID] = esp.Paths[0]
			}
		}
	}
	for _, intent := range m.Open {
		for i := range inv.Enclosures {
			e := &inv.Enclosures[i]
			if inventory.EnclosureOf(intent.Address) == e.ID() && !slices.ContainsFunc(e.ESPs, func(esp inventory.ESP) bool { return exchangedIn(esp, intent) }) {
				e.Cautions = append(e.Cautions, unfinishedCaution(intent))
				slices.SortFunc(e.Cautions, func(a, b inventory.Caution) int {
					return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Kind, b.Kind))
				})
			}
		}
		inv.Problems = append(inv.Problems, unfinished(intent, cmp.Or(paths[intent.Key.LUID], notInSight)))
	}
	inventory.SortProblems(inv.Problems)
}

// notInSight stands for the path of what does not answer on any.
const notInSight = "not in sight"

// unfinishedCaution is what has to be minded about a component of which the end of an
// effect is not known.
func unfinishedCaution(i state.Intent) inventory.Caution {
	return inventory.Caution{
		Address: i.Address,
		Kind:    inventory.Unfinished,
		Since:   i.At.UTC(),
		Detail:  "how " + i.What() + " ended is not known",
	}
}

// exchangedIn reports whether an ESP is at the address of an effect whose end is not
// known, and is another unit than the one that had it.
func exchangedIn(esp inventory.ESP, i state.Intent) bool {
	return inventory.OtherUnits(esp.LUID, i.Key.LUID) && slices.ContainsFunc(esp.Subenclosures, func(s inventory.Subenclosure) bool { return s.Address == i.Address })
}

// told are cautions as inventories have them.
func told(cautions []state.Caution) []inventory.Caution {
	var all []inventory.Caution
	for _, c := range cautions {
		all = append(all, inventory.Caution{Address: c.Address, Kind: inventory.CautionKind(c.Kind), Since: c.Since.UTC(), Detail: c.Detail})
	}
	return all
}

func unfinished(i state.Intent, path string) inventory.Problem {
	return inventory.Problem{
		Path:    path,
		Summary: "the end of a download or an activation is not known: " + i.Address,
		Detail: fmt.Sprintf("%s, image %.8s, was intended on %s, and its end was not recorded: a run goes on, or was broken off. If nothing runs any more, "+
			"it may hold all of the image, and any power loss may start it, or a part: do not reset or power-cycle it before fwctl resume has ended well",
			i.What(), i.SHA256, i.At.UTC().Format("2006-01-02 15:04 MST")),
	}
}

func remember(e *inventory.Enclosure, m *state.Memory) {
	for i := range e.ESPs {
		for j := range e.ESPs[i].Subenclosures {
			sub := &e.ESPs[i].Subenclosures[j]
			sub.Staged, sub.Sent, sub.Beside = nil, nil, nil
			key := state.Key{LUID: e.ESPs[i].LUID, Subenclosure: sub.ID}
			if s, ok := m.Staged[key]; ok && s.Running == sub.Revision {
				sub.Staged = &inventory.Staged{SHA256: s.SHA256, Revision: s.Revision, Since: s.Since, By: s.By, Confirmed: s.Confirmed}
			}
			for _, s := range m.Beside[key] {
				sub.Beside = append(
					sub.Beside,
					inventory.Beside{BufferID: s.BufferID, Sent: inventory.Sent{SHA256: s.SHA256, At: s.At}},
				)
			}
			for _, s := range m.Sent[key] {
				if s.Revision == sub.Revision && (sub.Staged == nil || s.SHA256 != sub.Staged.SHA256) {
					sub.Sent = &inventory.Sent{SHA256: s.SHA256, At: s.At}
				}
			}
		}
	}
}

// expectation is what a component must be like for its step to go on. It begins
// with the plan's preconditions and follows what the run does to the component.
type expectation struct {
	vendor, product string // "" once the run has changed what the component says of itself
	revision        string
	staged          string // SHA-256, "" for none
	esps            []string
}

func expect(step *plan.Step) expectation {
	e := expectation{vendor: step.Vendor, product: step.Product, revision: step.Preconditions.Revision, esps: step.Preconditions.ESPs}
	if step.Preconditions.Staged != nil {
		e.staged = *step.Preconditions.Staged
	}
	return e
}

// enter finds where on its own way through its hops a step's component stands that
// this run has not touched: where the plan has it, or further on, where an earlier
// apply of the same plan has left it, as the store remembers.
func (s *stepRun) enter(sub *inventory.Subenclosure) {
	for i, hop := range s.step.Hops {
		want := expectation{revision: hop.From, esps: s.want.esps}
		unsure := false
		switch {
		case sub.Revision != hop.From:
			continue
		case sub.Staged != nil && sub.Staged.SHA256 == hop.Image.SHA256 && len(hop.Deferring()) > 0 &&
			(i > 0 || s.step.Waves.Stage != 0):
			want.staged = hop.Image.SHA256
			unsure = activates(hop) && !sub.Staged.Confirmed && !hop.ActivateUnconfirmed
		case i == 0, sub.Staged != nil, sub.Sent == nil, sub.Sent.SHA256 != s.step.Hops[i-1].Image.SHA256:
			continue
		}
		s.hop, s.want = i, want
		if unsure {
			s.dormant = true
			s.reason = "the device never said that what it holds staged is complete, so it is not activated" + byPowerCycle
		}
	}
}

// componentIn finds the step's component in an enclosure. The error says why it cannot
// be worked on.
func (s *stepRun) componentIn(e *inventory.Enclosure) (*inventory.ESP, *inventory.Subenclosure, error) {
	return e.ComponentAt(s.step.LUID, s.step.Subenclosure, s.step.Address)
}

// differences compares a component with what it is expected to be, and names
// everything that is otherwise.
func (want expectation) differences(e *inventory.Enclosure, sub *inventory.Subenclosure) []string {
	var all []string
	differ := func(what, want, got string) {
		if want != got {
			all = append(all, fmt.Sprintf("%s: expected %s, found %s", what, cmp.Or(want, "none"), cmp.Or(got, "none")))
		}
	}
	if want.vendor != "" || want.product != "" {
		differ("vendor", want.vendor, sub.Vendor)
		differ("product", want.product, sub.Product)
	}
	differ("revision", want.revision, sub.Revision)
	got := ""
	if sub.Staged != nil {
		got = sub.Staged.SHA256
	}
	differ("staged image", want.staged, got)

	var esps []string
	for i := range e.ESPs {
		esps = append(esps, e.ESPs[i].LUID)
	}
	slices.Sort(esps)
	differ("ESPs", strings.Join(slices.Sorted(slices.Values(want.esps)), " "), strings.Join(esps, " "))
	return all
}

// reached tells whether a component is where its step was to bring it: it runs
// the last image, or holds it where nobody is to start it in an apply. A revision that
// was reported before the run too proves nothing without the record of what was sent.
// Of what reports none, only what was sent since the plan was made counts.
func reached(step *plan.Step, sub *inventory.Subenclosure, sent []state.Sent, planned time.Time) bool {
	last := step.Hops[len(step.Hops)-1]
	if last.Unversioned && sub.Staged == nil {
		behind := sub.Behind(last.BufferID)
		return behind != nil && behind.SHA256 == last.Image.SHA256 && behind.At.After(planned)
	}
	if sub.Staged != nil {
		return last.Activation == plan.Manual &&
			sub.Staged.SHA256 == last.Image.SHA256 && sub.Revision == last.From
	}
	if sub.Revision != last.To {
		return false
	}
	return step.Preconditions.Revision != last.To || len(sent) > 0 && sent[len(sent)-1].SHA256 == last.Image.SHA256
}

// activates tells whether a run starts what it has staged.
func activates(h plan.Hop) bool {
	return h.ByCommand()
}

// judge says what Checking comes to for a step in a wave.
func judge(
	s *stepRun,
	e *inventory.Enclosure,
	sub *inventory.Subenclosure,
	sent []state.Sent,
	planned time.Time,
	task Trigger,
) verdict {
	if !s.wrote && !s.needsImage && reached(s.step, sub, sent, planned) {
		return verdict{trigger: AsPlanned, reason: "it is as planned already"}
	}
	if hop := s.current(); s.wrote && s.want.staged == hop.Image.SHA256 && sub.Revision == hop.To && hop.From != hop.To {
		return verdict{trigger: Return, reason: "something else has started it: the reset of another component, or a power cycle"}
	}
	if d := s.want.differences(e, sub); len(d) > 0 {
		return s.stale("not as planned: " + strings.Join(d, "; "))
	}
	return verdict{trigger: task}
}
