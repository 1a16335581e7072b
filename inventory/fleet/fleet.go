package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"fwctl/inventory"
)

// fleet is the enclosures of all inventories.
type fleet struct {
	enclosures []*enclosure            // sorted by id
	esps       map[string]*esp         // by lu_id; the first, where several claim it
	names      map[string][]*enclosure // once they were asked for
}

// enclosure is one enclosure as all hosts of the plan see it together.
type enclosure struct {
	id       string // the first part of its addresses
	index    int    // in the fleet, which is sorted by id
	name     string // "" where it has none
	views    []view // by host
	reported int    // ESPs that it says it has, 0 where it does not
	esps     []esp  // sorted by ID, then LUID

	unread []string // what of it is known to be there and could not be read, and why

	healthKnown bool
	critical    bool
	failures    []string
}

// view is an enclosure as one host sees it.
type view struct {
	host  string
	luIDs []string // of the ESPs, sorted
	*inventory.Enclosure
}

// esp is an ESP as the host sees it that will work on it.
type esp struct {
	*inventory.ESP
	of       *enclosure
	id       string // the second part of its addresses
	host     string
	side     int                 // 0 is side A
	conflict string              // why it may not be touched
	cautions []inventory.Caution // of its enclosure, as the host remembers them
	others   []esp               // it, as other hosts see it, by host
	disputed map[int]string      // why nobody can tell what is staged on a subenclosure, by its id
}

// component is one subenclosure, and the ESP that it is worked on through.
type component struct {
	address string
	esp     *esp
	also    []*esp   // others that serve it
	aliases []string // its addresses through those
	sub     *inventory.Subenclosure
}

// address is that of the ESP's primary subenclosure.
func (e *esp) address() string { return inventory.Address(e.of.id, e.id, 0) }

// primary is the subenclosure whose vendor and product models are matched with.
func (c component) primary() *inventory.Subenclosure { return &c.esp.Subenclosures[0] }

// mergeHosts joins what the hosts see.
func mergeHosts(invs []*inventory.Inventory) *fleet {
	invs = slices.SortedFunc(slices.Values(invs), func(a, b *inventory.Inventory) int { return cmp.Compare(a.Host, b.Host) })
	byID := map[string]*enclosure{}
	var all []*enclosure
	for _, inv := range invs {
		for i := range inv.Enclosures {
			from := &inv.Enclosures[i]
			e := byID[from.ID()]
			if e == nil {
				e = &enclosure{id: from.ID()}
				byID[e.id] = e
				all = append(all, e)
			}
			e.merge(from, inv.Host)
		}
	}
	slices.SortFunc(all, func(a, b *enclosure) int { return cmp.Compare(a.id, b.id) })
	for n, e := range all {
		e.index = n
		slices.SortFunc(e.esps, func(a, b esp) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.LUID, b.LUID)) })
		for i := range e.esps {
			if len(e.esps[i].others) > 0 {
				e.esps[i] = elect(e.esps[i])
			}
		}
		e.setSides()
		e.markSharedAddresses()
	}
	f := &fleet{enclosures: all}
	f.listESPs()
	return f
}

func (e *enclosure) merge(from *inventory.Enclosure, host string) {
	if from.ExpectedESPs != nil {
		e.reported = max(e.reported, *from.ExpectedESPs)
	}
	e.healthKnown = e.healthKnown || !from.Health.Unknown
	e.critical = e.critical || from.Health.Critical || from.Health.Unrecoverable
	for _, f := range from.Health.Failures {
		if !slices.Contains(e.failures, f) {
			e.failures = append(e.failures, f)
		}
	}
	slices.Sort(e.failures)
	v := view{host: host, Enclosure: from, luIDs: make([]string, len(from.ESPs))}
	for n := range from.ESPs {
		in := sorted(&from.ESPs[n])
		v.luIDs[n] = in.LUID
		found := esp{ESP: in, of: e, id: in.ID(), host: host, conflict: in.Conflict, cautions: from.Cautions}
		i := slices.IndexFunc(e.esps, func(o esp) bool { return o.id == found.id && o.LUID == found.LUID && o.host != host })
		if i < 0 {
			e.esps = append(e.esps, found)
			continue
		}
		e.esps[i].others = append(e.esps[i].others, found)
	}
	slices.Sort(v.luIDs)
	e.views = append(e.views, v)
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
func elect(first esp) esp {
	all := append([]esp{first}, first.others...)
	owner := slices.MaxFunc(all, func(a, b esp) int { // the first of those that are equal
		return cmp.Or(cmp.Compare(a.remembered(), b.remembered()), cmp.Compare(len(a.Paths), len(b.Paths)))
	})
	owner.others = nil
	for _, o := range all {
		owner.conflict = cmp.Or(owner.conflict, o.conflict)
		if !slices.EqualFunc(first.Subenclosures, o.Subenclosures, func(a, b inventory.Subenclosure) bool { return a.ID == b.ID && a.Revision == b.Revision }) {
			owner.conflict = fmt.Sprintf("%s and %s have read other revisions of it: scan both again", first.host, o.host)
		}
	}
	if owner.conflict != "" || !slices.ContainsFunc(all, func(o esp) bool { return slices.ContainsFunc(o.Subenclosures, recalled) }) {
		return owner
	}
	owner.disputed = map[int]string{}
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
			owner.disputed[sub.ID] = untold(words)
		default:
			sub.Staged = theirs // a reset starts it all the same
			owner.disputed[sub.ID] = fmt.Sprintf("%s, and %s works on its I/O module, where more is staged. A power cycle starts all of it: scan all hosts again after it", words[0], owner.host)
		}
	}
	return owner
}

// remembers tells what the ESP's host remembers of what is staged there.
func (e *esp) remembers(s *inventory.Staged) string {
	return fmt.Sprintf("%s remembers %s, which %s staged on %s, image %.8s", e.host, s.Label(), s.Who(), s.Since.UTC().Format(time.DateOnly), s.SHA256)
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
func (e *esp) remembered() int {
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
func (e *enclosure) setSides() {
	for i := range e.esps {
		e.esps[i].side = i
		if n, ok := strings.CutPrefix(e.esps[i].id, "esp"); ok {
			if n, err := strconv.Atoi(n); err == nil {
				e.esps[i].side = n - 1
			}
		}
	}
}

// markSharedAddresses finds ESPs that claim one address on different hosts; those
// on one host come marked.
func (e *enclosure) markSharedAddresses() {
	for i := 1; i < len(e.esps); i++ {
		a, b := &e.esps[i-1], &e.esps[i]
		if a.id == b.id {
			a.conflict = cmp.Or(a.conflict, fmt.Sprintf("logical unit %s on %s says too that it is %s of this enclosure", b.LUID, b.host, b.id))
			b.conflict = cmp.Or(b.conflict, fmt.Sprintf("logical unit %s on %s says too that it is %s of this enclosure", a.LUID, a.host, a.id))
		}
	}
}

// enclosure is the one with an identifier, nil where it is not in sight.
func (f *fleet) enclosure(id string) *enclosure {
	n, ok := slices.BinarySearchFunc(f.enclosures, id, func(e *enclosure, id string) int { return cmp.Compare(e.id, id) })
	if !ok {
		return nil
	}
	return f.enclosures[n]
}

// listESPs lists the ESPs by logical unit, and marks units that claim several
// addresses on different hosts: enclosures that have one identity, or one that was
// moved between scans.
func (f *fleet) listESPs() {
	f.esps = make(map[string]*esp, 2*len(f.enclosures))
	for _, e := range f.enclosures {
		for i := range e.esps {
			in := &e.esps[i]
			other, ok := f.esps[in.LUID]
			if !ok {
				f.esps[in.LUID] = in
				continue
			}
			for _, esp := range []*esp{in, other} {
				esp.conflict = cmp.Or(esp.conflict, fmt.Sprintf("logical unit %s has two addresses, %s on %s and %s on %s: scan both again, and give what has one identity identities of its own",
					in.LUID, other.address(), other.host, in.address(), in.host))
			}
		}
	}
}

// components lists the components, each once. A secondary subenclosure that several
// ESPs serve is worked on through the one whose host has the gravest caution about it
// (only that host can relieve it), else through the first. What is remembered of it
// through the others counts.
func (e *enclosure) components() []component {
	var served [][]component // by component: through each ESP that serves it
	for i := range e.esps {
		in := &e.esps[i]
		for j := range in.Subenclosures {
			sub := &in.Subenclosures[j]
			through := component{address: inventory.Address(e.id, in.id, sub.ID), esp: in, sub: sub}
			known := slices.IndexFunc(served, func(ways []component) bool {
				c := ways[0]
				return c.esp.id != in.id && c.sub.LogicalID == sub.LogicalID && in.identifies(sub) && c.esp.identifies(c.sub)
			})
			if known >= 0 {
				served[known] = append(served[known], through)
				continue
			}
			served = append(served, []component{through})
		}
	}
	all := make([]component, len(served))
	for i, ways := range served {
		// The first of those that are equal.
		chosen := slices.MaxFunc(ways, func(a, b component) int { return cmp.Compare(a.gravest(), b.gravest()) })
		all[i] = chosen
		for _, c := range ways {
			if c.esp != chosen.esp {
				all[i].recall(c.esp, c.sub)
			}
		}
		slices.Sort(all[i].aliases)
	}
	return all
}

// served are the ESPs that serve the component, the one that it is worked on through first.
func (c component) served() []*esp { return append([]*esp{c.esp}, c.also...) }

// conflict is why the component may not be touched through any ESP, "" if it may.
func (c component) conflict() string {
	why := c.esp.conflict
	for _, other := range c.also {
		if why == "" && other.conflict != "" {
			why = fmt.Sprintf("%s serves it too: %s", other.id, other.conflict)
		}
	}
	return why
}

// gravest ranks the gravest caution about the component that the ESP's host remembers
// under the address through this ESP, 0 if there is none.
func (c component) gravest() int {
	rank := 0
	for i := range c.esp.cautions {
		if c.esp.cautions[i].Address == c.address {
			rank = max(
				rank,
				1+slices.Index(
					[]inventory.CautionKind{inventory.PowerOnly, inventory.Unclear, inventory.Unfinished, inventory.NeedsImage},
					c.esp.cautions[i].Kind,
				),
			)
		}
	}
	return rank
}

// cautions returns what all hosts remember that must be minded about components of the
// enclosure. A caution holds for the component whichever of its addresses it was recorded
// by: it is returned with the address that the component is worked on by.
func (e *enclosure) cautions() []inventory.Caution {
	var all []inventory.Caution
	for _, v := range e.views {
		all = append(all, v.Cautions...)
	}
	if len(all) == 0 {
		return nil
	}
	address := map[string]string{}
	for _, c := range e.components() {
		for _, alias := range c.aliases {
			address[alias] = c.address
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
func (e *esp) identifies(sub *inventory.Subenclosure) bool {
	return sub.ID != 0 && strings.Trim(sub.LogicalID, "0") != "" &&
		!slices.ContainsFunc(e.Subenclosures, func(o inventory.Subenclosure) bool { return o.ID != sub.ID && o.LogicalID == sub.LogicalID })
}

// recall takes in another ESP that serves a component, and what is remembered of it
// through that one: whatever was staged, a reset starts.
func (c *component) recall(other *esp, as *inventory.Subenclosure) {
	c.also = append(c.also, other)
	c.aliases = append(c.aliases, inventory.Address(other.of.id, other.id, as.ID))
	mine := *c.sub // the inventory is the caller's
	c.sub = &mine
	if as.Sent != nil && (mine.Sent == nil || as.Sent.At.After(mine.Sent.At)) {
		mine.Sent = as.Sent
	}
	mine.RecallBeside(as.Beside)
	why := other.disputed[as.ID]
	switch staged := as.Staged; {
	case why != "", staged == nil, mine.Staged != nil && mine.Staged.SHA256 == staged.SHA256:
	case mine.Staged != nil:
		why = untold([]string{c.esp.remembers(mine.Staged) + ", through " + c.esp.id, other.remembers(staged) + ", through " + other.id})
	default:
		why = fmt.Sprintf("%s, through %s, and it is worked on through %s. A power cycle starts it: scan all hosts again after it", other.remembers(staged), other.id, c.esp.id)
	}
	mine.Staged = cmp.Or(mine.Staged, as.Staged)
	if why != "" {
		if c.esp.disputed == nil {
			c.esp.disputed = map[int]string{}
		}
		c.esp.disputed[mine.ID] = why
	}
}

// seenBy is the enclosure as a host sees it, nil where it does not.
func (e *enclosure) seenBy(host string) *view {
	if i := slices.IndexFunc(e.views, func(v view) bool { return v.host == host }); i >= 0 {
		return &e.views[i]
	}
	return nil
}

// drivesUnknown says why the drives behind an enclosure are not known, "" where they are.
func (e *enclosure) drivesUnknown() string {
	switch {
	case !slices.ContainsFunc(e.views, func(v view) bool { return !v.DrivesUnknown }):
		return "no module lists the enclosure's drives (page 0Ah), which count as in use without another path"
	case slices.ContainsFunc(e.views, func(v view) bool { return v.DriveEvidence == nil }):
		return "its inventory does not say where drives were looked for (an older fwctl wrote it; write it again), so what is behind it counts as in use without another path"
	}
	return ""
}

func (e *enclosure) drivesKnown() bool { return e.drivesUnknown() == "" }

// numbered tells whether the ESPs say which of several they are.
func (e *enclosure) numbered() bool {
	return !slices.ContainsFunc(e.esps, func(o esp) bool { return !strings.HasPrefix(o.id, "esp") })
}
