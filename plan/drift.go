package plan

import (
	"cmp"
	"fmt"
	"slices"

	"fwctl/inventory"
)

// Drift is a component that is not as a plan leaves it.
type Drift struct {
	Address  string `json:"address"`
	Name     string `json:"name,omitempty"` // what people call the enclosure, "" if it has no name
	Wanted   string `json:"wanted"`         // the revision that the plan brings, "" if no revision shows it
	Revision string `json:"revision"`       // that the component reports, "" if it is not in sight
	Reason   string `json:"reason"`
}

// Drift compares what a host sees now with what a plan leaves once all of it was carried out,
// power cycles included. It returns the components that differ, by address, and how many it
// compared: those that the host works on, and those of other hosts that it sees. Components
// that the plan leaves alone have to be in sight.
func (p *Plan) Drift(inv *inventory.Inventory) (compared int, all []Drift) {
	esps := inv.ESPs()
	missing := map[string]bool{} // lu_ids, each listed once
	for i := range p.Steps {
		s := &p.Steps[i]
		own, in := s.Host == inv.Host, esps[s.LUID]
		if in == nil && !own || len(s.Preconditions.ESPs) == 0 { // could not be read when the plan was made either
			continue
		}
		compared++
		if d := s.drift(in, inv); d != nil {
			missing[s.LUID] = missing[s.LUID] || in == nil
			all = append(all, *d)
		}
	}
	for i := range p.Steps { // ESPs beside those that have a step
		s := &p.Steps[i]
		for _, luID := range s.Preconditions.ESPs {
			if s.Host == inv.Host && esps[luID] == nil && !missing[luID] {
				missing[luID] = true
				all = append(all, Drift{
					Address: s.Enclosure,
					Reason:  fmt.Sprintf("its I/O module %s was in sight when the plan was made, and is not", luID),
				})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Drift) int { return cmp.Compare(a.Address, b.Address) })
	return compared, all
}

// unsaid reports whether the revision cannot show that the step was carried out, because the
// component reported the same before.
func (s *Step) unsaid() bool {
	return len(s.Hops) > 0 && (s.Last().Unversioned || s.Last().To == s.Current)
}

// remembered reports whether the step's last image is remembered as the last that was sent.
func (s *Step) remembered(sub *inventory.Subenclosure) bool {
	sent := sub.Sent
	if s.Last().Unversioned {
		sent = sub.Behind(s.Last().BufferID)
	}
	return sent != nil && sent.SHA256 == s.Last().Image.SHA256
}

// drift returns how the step's component differs from what the plan leaves; nil if it does
// not. in is its ESP, nil if that is not in sight.
func (s *Step) drift(in *inventory.ESP, inv *inventory.Inventory) *Drift {
	d := &Drift{Address: s.Address, Wanted: s.brings()}
	if in == nil {
		d.Reason = "it is not in sight: is the enclosure switched on and cabled to this host?"
		for _, p := range inv.UnreadDevices() {
			if p.Unread.Leads(s.LUID) {
				d.Reason = "it " + p.CouldNotBeRead(inv.Host)
			}
		}
		return d
	}
	sub := in.Component(s.Subenclosure)
	if sub == nil {
		d.Reason = fmt.Sprintf("its I/O module does not list subenclosure %d", s.Subenclosure)
		return d
	}
	d.Revision = sub.Revision
	switch {
	case s.Action == Blocked || s.Action == Excepted || s.Action == Unmanaged:
		return nil
	case s.unsaid() && sub.Staged == nil && (s.Host != inv.Host || s.remembered(sub)):
		return nil
	case s.unsaid() && sub.Staged == nil:
		d.Reason = fmt.Sprintf(
			"it reports %s, as it did when the plan was made, and this host does not remember having sent image %.8s",
			sub.Revision,
			s.Last().Image.SHA256,
		)
		return d
	case s.unsaid(): // the reason follows
	case d.Wanted != "" && sub.Revision == d.Wanted, d.Wanted == "" && sub.Revision != s.Current:
		return nil
	case s.Action == NoOp:
		d.Reason = fmt.Sprintf("it ran %s when the plan was made, which leaves it so", s.Current)
	case sub.Staged != nil:
		d.Reason = fmt.Sprintf("%s is staged, and waits for its activation or a power cycle", sub.Staged.Label())
	default:
		d.Reason = "the plan was not carried out here, or not to its end"
	}
	return d
}

// brings returns the revision that the step's component runs once the plan was carried out and
// the image that it leaves staged was started; "" if the plan does not name it.
func (s *Step) brings() string {
	switch {
	case len(s.Hops) > 0:
		return s.Last().To
	case s.Action == IsStaged && len(s.Later) > 0:
		return s.Later[0].From
	case s.Action == IsStaged:
		return s.Desired
	}
	return s.Current
}
