package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"fwctl/inventory"
)

// enclosure is one enclosure as all hosts of the plan see it together.
type enclosure struct {
	id       string  // the first part of its addresses
	name     string  // "" where it has none
	reported int     // ESPs that it says it has, 0 where it does not
	esps     []esp   // sorted by ID, then LUID
	effect   *Effect // of a reset of all of it, once it was found out

	healthKnown bool
	critical    bool
	failures    []string

	hosts map[string][]string // lu_ids that each host sees, sorted
}

// esp is an ESP as the host sees it that will work on it.
type esp struct {
	inventory.ESP
	id       string // the second part of its addresses
	host     string
	side     int     // 0 is side A
	conflict string  // why it may not be touched
	effect   *Effect // of a reset, once it was found out
}

// component is one subenclosure, and the ESP that it is worked on through.
type component struct {
	address string
	esp     *esp
	sub     *inventory.Subenclosure
}

// primary is the subenclosure whose vendor and product models are matched with.
func (c component) primary() *inventory.Subenclosure { return &c.esp.Subenclosures[0] }

// mergeHosts joins what the hosts see, sorted by id. Where several hosts see an
// ESP, the one with most paths to it works on it, then the first by name.
func mergeHosts(invs []*inventory.Inventory) []*enclosure {
	invs = slices.SortedFunc(slices.Values(invs), func(a, b *inventory.Inventory) int { return cmp.Compare(a.Host, b.Host) })
	byID := map[string]*enclosure{}
	for _, inv := range invs {
		for i := range inv.Enclosures {
			from := &inv.Enclosures[i]
			e := byID[from.ID()]
			if e == nil {
				e = &enclosure{id: from.ID(), hosts: map[string][]string{}}
				byID[e.id] = e
			}
			e.merge(from, inv.Host)
		}
	}
	all := make([]*enclosure, 0, len(byID))
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		e := byID[id]
		slices.SortFunc(e.esps, func(a, b esp) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.LUID, b.LUID)) })
		e.setSides()
		e.markSharedAddresses()
		all = append(all, e)
	}
	return all
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
	for _, in := range from.ESPs {
		e.hosts[host] = append(e.hosts[host], in.LUID)
		found := esp{ESP: in, id: in.ID(), host: host, conflict: in.Conflict}
		i := slices.IndexFunc(e.esps, func(o esp) bool { return o.id == found.id && o.LUID == found.LUID && o.host != host })
		if i < 0 {
			e.esps = append(e.esps, found)
			continue
		}
		known := e.esps[i]
		if len(found.Paths) > len(known.Paths) {
			e.esps[i] = found
		}
		e.esps[i].conflict = cmp.Or(known.conflict, found.conflict)
		if !slices.EqualFunc(known.Subenclosures, found.Subenclosures, func(a, b inventory.Subenclosure) bool { return a.ID == b.ID && a.Revision == b.Revision }) {
			e.esps[i].conflict = fmt.Sprintf("%s and %s have read other revisions of it: scan both again", known.host, found.host)
		}
	}
	slices.Sort(e.hosts[host])
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

// components lists the components, each once: a secondary subenclosure that
// several ESPs serve is worked on through the first of them. Its logical
// identifier tells, where that is not zero and stands for one subenclosure only.
func (e *enclosure) components() []component {
	var all []component
	served := map[string]string{} // subenclosure logical identifier: the ESP that serves it
	for i := range e.esps {
		in := &e.esps[i]
		count := map[string]int{}
		for _, sub := range in.Subenclosures {
			count[sub.LogicalID]++
		}
		for j := range in.Subenclosures {
			sub := &in.Subenclosures[j]
			if id := sub.LogicalID; sub.ID != 0 && strings.Trim(id, "0") != "" && count[id] == 1 {
				if first, ok := served[id]; ok && first != in.id {
					continue
				}
				served[id] = in.id
			}
			all = append(all, component{address: inventory.Address(e.id, in.id, sub.ID), esp: in, sub: sub})
		}
	}
	return all
}

// matches tells whether globs mean the enclosure by its identifier, hex digits of
// either case, or its name. No globs mean any.
func (e *enclosure) matches(globs []string) bool {
	return len(globs) == 0 || slices.ContainsFunc(globs, func(g string) bool {
		return glob(lowerID(g), e.id) || e.name != "" && glob(g, e.name)
	})
}

// luIDs are the designators of the ESPs that a host sees of the enclosure, sorted.
func (e *enclosure) luIDs(host string) []string { return e.hosts[host] }
