// Package fleet is the inventories of several hosts as one view: each enclosure once, with
// the ESPs that any host sees and who works on each, and each component once, though
// several hosts or ESPs serve it. Where hosts disagree it says so, and what nobody can
// tell stays unknown.
//
// It is pure, and knows no plan: it never says what is to be done, or what a reset disturbs.
package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"fwctl/inventory"
)

// Fleet is the enclosures of all inventories.
type Fleet struct {
	Enclosures []*Enclosure            // sorted by id
	ESPs       map[string]*ESP         // by lu_id; the first, where several claim it
	names      map[string][]*Enclosure // once they were asked for
}

// Enclosure is one enclosure as all hosts of the plan see it together.
type Enclosure struct {
	ID       string // the first part of its addresses
	Index    int    // in the fleet, which is sorted by id
	Name     string // "" where it has none
	Views    []View // by host
	Reported int    // ESPs that it says it has, 0 where it does not
	ESPs     []ESP  // sorted by ID, then LUID

	Unread []string // what of it is known to be there and could not be read, and why

	HealthKnown bool
	Critical    bool
	Failures    []string
}

// View is an enclosure as one host sees it.
type View struct {
	Host  string
	LUIDs []string // of the ESPs, sorted
	*inventory.Enclosure
}

// ESP is an ESP as the host sees it that will work on it.
type ESP struct {
	*inventory.ESP
	Of       *Enclosure
	ID       string // the second part of its addresses
	Host     string
	Side     int                 // 0 is side A
	conflict string              // why it may not be touched
	cautions []inventory.Caution // of its enclosure, as the host remembers them
	others   []ESP               // it, as other hosts see it, by host
	Disputed map[int]string      // why nobody can tell what is staged on a subenclosure, by its id
}

// Component is one subenclosure, and the ESP that it is worked on through.
type Component struct {
	Address string
	ESP     *ESP
	Also    []*ESP   // others that serve it
	Aliases []string // its addresses through those
	Sub     *inventory.Subenclosure
}

// address is that of the ESP's primary subenclosure.
func (e *ESP) address() string { return inventory.Address(e.Of.ID, e.ID, 0) }

// Primary is the subenclosure whose vendor and product models are matched with.
func (c Component) Primary() *inventory.Subenclosure { return &c.ESP.Subenclosures[0] }

// Merge joins what the hosts see.
func Merge(invs []*inventory.Inventory) *Fleet {
	invs = slices.SortedFunc(slices.Values(invs), func(a, b *inventory.Inventory) int { return cmp.Compare(a.Host, b.Host) })
	byID := map[string]*Enclosure{}
	var all []*Enclosure
	for _, inv := range invs {
		for i := range inv.Enclosures {
			from := &inv.Enclosures[i]
			e := byID[from.ID()]
			if e == nil {
				e = &Enclosure{ID: from.ID()}
				byID[e.ID] = e
				all = append(all, e)
			}
			e.merge(from, inv.Host)
		}
	}
	slices.SortFunc(all, func(a, b *Enclosure) int { return cmp.Compare(a.ID, b.ID) })
	for n, e := range all {
		e.Index = n
		slices.SortFunc(e.ESPs, func(a, b ESP) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.LUID, b.LUID)) })
		for i := range e.ESPs {
			if len(e.ESPs[i].others) > 0 {
				e.ESPs[i] = elect(e.ESPs[i])
			}
		}
		e.setSides()
		e.markSharedAddresses()
	}
	f := &Fleet{Enclosures: all}
	f.listESPs()
	return f
}

func (e *Enclosure) merge(from *inventory.Enclosure, host string) {
	if from.ExpectedESPs != nil {
		e.Reported = max(e.Reported, *from.ExpectedESPs)
	}
	e.HealthKnown = e.HealthKnown || !from.Health.Unknown
	e.Critical = e.Critical || from.Health.Critical || from.Health.Unrecoverable
	for _, f := range from.Health.Failures {
		if !slices.Contains(e.Failures, f) {
			e.Failures = append(e.Failures, f)
		}
	}
	slices.Sort(e.Failures)
	v := View{Host: host, Enclosure: from, LUIDs: make([]string, len(from.ESPs))}
	for n := range from.ESPs {
		in := sorted(&from.ESPs[n])
		v.LUIDs[n] = in.LUID
		found := ESP{ESP: in, Of: e, ID: in.ID(), Host: host, conflict: in.Conflict, cautions: from.Cautions}
		i := slices.IndexFunc(e.ESPs, func(o ESP) bool { return o.ID == found.ID && o.LUID == found.LUID && o.Host != host })
		if i < 0 {
			e.ESPs = append(e.ESPs, found)
			continue
		}
		e.ESPs[i].others = append(e.ESPs[i].others, found)
	}
	slices.Sort(v.LUIDs)
	e.Views = append(e.Views, v)
}

// sorted is an ESP with its subenclosures by number, the primary first.
func sorted(in *inventory.ESP) *inventory.ESP {
	byID := func(a, b inventory.Subenclosure) int { return cmp.Compare(a.ID, b.ID) }
	if slices.IsSortedFunc(in.Subenclosures, byID) {
		return in
	}
	own := *in // the inventory is the caller's
	own.Subenclosures = slices.SortedFunc(slices.Values(in.Subenclosures), byID)
	return &own
}

// elect chooses who works on an ESP that several hosts see: the host that
// remembers most of what is staged on it or has to be minded about it, since only
// that one can say what it activates or replaces, or what it relieves; then the one with most paths to it, then the first by
// name. What the others know that this one does not is taken over, or disputed.
func elect(first ESP) ESP {
	all := append([]ESP{first}, first.others...)
	owner := slices.MaxFunc(all, func(a, b ESP) int { // the first of those that are equal
		return cmp.Or(cmp.Compare(a.remembered(), b.remembered()), cmp.Compare(len(a.Paths), len(b.Paths)))
	})
	owner.others = nil
	for _, o := range all {
		owner.conflict = cmp.Or(owner.conflict, o.conflict)
		if !slices.EqualFunc(first.Subenclosures, o.Subenclosures, func(a, b inventory.Subenclosure) bool { return a.ID == b.ID && a.Revision == b.Revision }) {
			owner.conflict = fmt.Sprintf("%s and %s have read other revisions of it: scan both again", first.Host, o.Host)
		}
	}
	if owner.conflict != "" || !slices.ContainsFunc(all, func(o ESP) bool { return slices.ContainsFunc(o.Subenclosures, recalled) }) {
		return owner
	}
	owner.Disputed = map[int]string{}
	mine := *owner.ESP // the inventory is the caller's
	mine.Subenclosures = slices.Clone(mine.Subenclosures)
	owner.ESP = &mine
	for n := range owner.Subenclosures {
		sub := &owner.Subenclosures[n]
		var words []string
		agree, theirs := true, (*inventory.Staged)(nil)
		for _, o := range all {
			its := &o.Subenclosures[n]
			if its.Sent != nil && (sub.Sent == nil || its.Sent.At.After(sub.Sent.At)) {
				sub.Sent = its.Sent
			}
			sub.RecallBeside(its.Beside)
			if its.Staged == nil {
				continue
			}
			theirs = its.Staged
			agree = agree && sub.Staged != nil && its.Staged.SHA256 == sub.Staged.SHA256
			words = append(words, o.remembers(its.Staged))
		}
		switch {
		case agree:
		case len(words) > 1:
			owner.Disputed[sub.ID] = untold(words)
		default:
			sub.Staged = theirs // a reset starts it all the same
			owner.Disputed[sub.ID] = fmt.Sprintf("%s, and %s works on its I/O module, where more is staged. A power cycle starts all of it: scan all hosts again after it", words[0], owner.Host)
		}
	}
	return owner
}

// remembers tells what the ESP's host remembers of what is staged there.
func (e *ESP) remembers(s *inventory.Staged) string {
	return fmt.Sprintf("%s remembers %s, which %s staged on %s, image %.8s", e.Host, s.Label(), s.Who(), s.Since.UTC().Format(time.DateOnly), s.SHA256)
}

// untold is why nothing is done where several images are remembered as staged.
func untold(words []string) string {
	return "nobody can tell which image is staged on it: " + strings.Join(words, "; ") + ". A power cycle starts one of them: scan all hosts again after it"
}

// recalled tells whether a host remembers anything of a subenclosure.
func recalled(s inventory.Subenclosure) bool {
	return s.Staged != nil || s.Sent != nil || s.Beside != nil
}

// remembered counts what is staged on an ESP and has to be minded about it, as its
// host remembers.
func (e *ESP) remembered() int {
	n := 0
	for _, sub := range e.Subenclosures {
		if sub.Staged != nil {
			n++
		}
		for _, c := range e.cautions {
			if c.Address == sub.Address {
				n++
			}
		}
	}
	return n
}

// setSides orders the ESPs that must not be reset together: by the number that
// an ESP itself says, so that a lone esp2 is still side B, else by identity.
func (e *Enclosure) setSides() {
	for i := range e.ESPs {
		e.ESPs[i].Side = i
		if n, ok := strings.CutPrefix(e.ESPs[i].ID, "esp"); ok {
			if n, err := strconv.Atoi(n); err == nil {
				e.ESPs[i].Side = n - 1
			}
		}
	}
}

// markSharedAddresses finds ESPs that claim one address on different hosts; those
// on one host come marked.
func (e *Enclosure) markSharedAddresses() {
	for i := 1; i < len(e.ESPs); i++ {
		a, b := &e.ESPs[i-1], &e.ESPs[i]
		if a.ID == b.ID {
			a.conflict = cmp.Or(a.conflict, fmt.Sprintf("logical unit %s on %s says too that it is %s of this enclosure", b.LUID, b.Host, b.ID))
			b.conflict = cmp.Or(b.conflict, fmt.Sprintf("logical unit %s on %s says too that it is %s of this enclosure", a.LUID, a.Host, a.ID))
		}
	}
}

// Enclosure is the one with an identifier, nil where it is not in sight.
func (f *Fleet) Enclosure(id string) *Enclosure {
	n, ok := slices.BinarySearchFunc(f.Enclosures, id, func(e *Enclosure, id string) int { return cmp.Compare(e.ID, id) })
	if !ok {
		return nil
	}
	return f.Enclosures[n]
}

// listESPs lists the ESPs by logical unit, and marks units that claim several
// addresses on different hosts: enclosures that have one identity, or one that was
// moved between scans.
func (f *Fleet) listESPs() {
	f.ESPs = make(map[string]*ESP, 2*len(f.Enclosures))
	for _, e := range f.Enclosures {
		for i := range e.ESPs {
			in := &e.ESPs[i]
			other, ok := f.ESPs[in.LUID]
			if !ok {
				f.ESPs[in.LUID] = in
				continue
			}
			for _, esp := range []*ESP{in, other} {
				esp.conflict = cmp.Or(esp.conflict, fmt.Sprintf("logical unit %s has two addresses, %s on %s and %s on %s: scan both again, and give what has one identity identities of its own",
					in.LUID, other.address(), other.Host, in.address(), in.Host))
			}
		}
	}
}

// Components lists the components, each once. A secondary subenclosure that several
// ESPs serve is worked on through the one whose host has the gravest caution about it
// (only that host can relieve it), else through the first. What is remembered of it
// through the others counts.
func (e *Enclosure) Components() []Component {
	var served [][]Component // by component: through each ESP that serves it
	for i := range e.ESPs {
		in := &e.ESPs[i]
		for j := range in.Subenclosures {
			sub := &in.Subenclosures[j]
			through := Component{Address: inventory.Address(e.ID, in.ID, sub.ID), ESP: in, Sub: sub}
			known := slices.IndexFunc(served, func(ways []Component) bool {
				c := ways[0]
				return c.ESP.ID != in.ID && c.Sub.LogicalID == sub.LogicalID && in.identifies(sub) && c.ESP.identifies(c.Sub)
			})
			if known >= 0 {
				served[known] = append(served[known], through)
				continue
			}
			served = append(served, []Component{through})
		}
	}
	all := make([]Component, len(served))
	for i, ways := range served {
		// The first of those that are equal.
		chosen := slices.MaxFunc(ways, func(a, b Component) int { return cmp.Compare(a.gravest(), b.gravest()) })
		all[i] = chosen
		for _, c := range ways {
			if c.ESP != chosen.ESP {
				all[i].recall(c.ESP, c.Sub)
			}
		}
		slices.Sort(all[i].Aliases)
	}
	return all
}

// ServedBy are the ESPs that serve the component, the one that it is worked on through first.
func (c Component) ServedBy() []*ESP { return append([]*ESP{c.ESP}, c.Also...) }

// Conflict is why the component may not be touched through any ESP, "" if it may.
func (c Component) Conflict() string {
	why := c.ESP.conflict
	for _, other := range c.Also {
		if why == "" && other.conflict != "" {
			why = fmt.Sprintf("%s serves it too: %s", other.ID, other.conflict)
		}
	}
	return why
}

// gravest ranks the gravest caution about the component that the ESP's host remembers
// under the address through this ESP, 0 if there is none.
func (c Component) gravest() int {
	rank := 0
	for i := range c.ESP.cautions {
		if c.ESP.cautions[i].Address == c.Address {
			rank = max(
				rank,
				1+slices.Index(
					[]inventory.CautionKind{inventory.PowerOnly, inventory.Unclear, inventory.Unfinished, inventory.NeedsImage},
					c.ESP.cautions[i].Kind,
				),
			)
		}
	}
	return rank
}

// Cautions returns what all hosts remember that must be minded about components of the
// enclosure. A caution holds for the component whichever of its addresses it was recorded
// by: it is returned with the address that the component is worked on by.
func (e *Enclosure) Cautions() []inventory.Caution {
	var all []inventory.Caution
	for _, v := range e.Views {
		all = append(all, v.Cautions...)
	}
	if len(all) == 0 {
		return nil
	}
	address := map[string]string{}
	for _, c := range e.Components() {
		for _, alias := range c.Aliases {
			address[alias] = c.Address
		}
	}
	for i := range all {
		all[i].Address = cmp.Or(address[all[i].Address], all[i].Address)
	}
	return all
}

// identifies tells whether a subenclosure's logical identifier says which it is,
// whoever serves it: it is a secondary one, and its identifier is not zero and
// stands for one subenclosure only.
func (e *ESP) identifies(sub *inventory.Subenclosure) bool {
	return sub.ID != 0 && strings.Trim(sub.LogicalID, "0") != "" &&
		!slices.ContainsFunc(e.Subenclosures, func(o inventory.Subenclosure) bool { return o.ID != sub.ID && o.LogicalID == sub.LogicalID })
}

// recall takes in another ESP that serves a component, and what is remembered of it
// through that one: whatever was staged, a reset starts.
func (c *Component) recall(other *ESP, as *inventory.Subenclosure) {
	c.Also = append(c.Also, other)
	c.Aliases = append(c.Aliases, inventory.Address(other.Of.ID, other.ID, as.ID))
	mine := *c.Sub // the inventory is the caller's
	c.Sub = &mine
	if as.Sent != nil && (mine.Sent == nil || as.Sent.At.After(mine.Sent.At)) {
		mine.Sent = as.Sent
	}
	mine.RecallBeside(as.Beside)
	why := other.Disputed[as.ID]
	switch staged := as.Staged; {
	case why != "", staged == nil, mine.Staged != nil && mine.Staged.SHA256 == staged.SHA256:
	case mine.Staged != nil:
		why = untold([]string{c.ESP.remembers(mine.Staged) + ", through " + c.ESP.ID, other.remembers(staged) + ", through " + other.ID})
	default:
		why = fmt.Sprintf("%s, through %s, and it is worked on through %s. A power cycle starts it: scan all hosts again after it", other.remembers(staged), other.ID, c.ESP.ID)
	}
	mine.Staged = cmp.Or(mine.Staged, as.Staged)
	if why != "" {
		if c.ESP.Disputed == nil {
			c.ESP.Disputed = map[int]string{}
		}
		c.ESP.Disputed[mine.ID] = why
	}
}

// SeenBy is the enclosure as a host sees it, nil where it does not.
func (e *Enclosure) SeenBy(host string) *View {
	if i := slices.IndexFunc(e.Views, func(v View) bool { return v.Host == host }); i >= 0 {
		return &e.Views[i]
	}
	return nil
}

// DrivesUnknown says why the drives behind an enclosure are not known, "" where they are.
func (e *Enclosure) DrivesUnknown() string {
	switch {
	case !slices.ContainsFunc(e.Views, func(v View) bool { return !v.DrivesUnknown }):
		return "no module lists the enclosure's drives (page 0Ah), which count as in use without another path"
	case slices.ContainsFunc(e.Views, func(v View) bool { return v.DriveEvidence == nil }):
		return "its inventory does not say where drives were looked for (an older fwctl wrote it; write it again), so what is behind it counts as in use without another path"
	}
	return ""
}

func (e *Enclosure) DrivesKnown() bool { return e.DrivesUnknown() == "" }

// Numbered tells whether the ESPs say which of several they are.
func (e *Enclosure) Numbered() bool {
	return !slices.ContainsFunc(e.ESPs, func(o ESP) bool { return !strings.HasPrefix(o.ID, "esp") })
}
