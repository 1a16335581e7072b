package impact

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
)

// Domain is a fault domain: enclosures that share drives or an upstream expander, or that are
// declared to belong together.
type Domain struct {
	number     int                 // from 1; 0 if no host lists the drives of any
	Enclosures []*fleet.Enclosure  // sorted by id
	Cautions   []inventory.Caution // of all of them, by address and kind
	busy       *string             // as in Effect, once it was found out
	Unread     []string            // what of them could not be read, and why
}

// IDs returns the identifiers of its enclosures.
func (domain *Domain) IDs() []string {
	ids := make([]string, len(domain.Enclosures))
	for i, e := range domain.Enclosures {
		ids[i] = e.ID
	}
	return ids
}

// Called returns an address in the domain, of an enclosure or a component, as people know it.
func (domain *Domain) Called(address string) string {
	id := inventory.EnclosureOf(address)
	for _, e := range domain.Enclosures {
		if e.ID == id {
			return inventory.Called(e.Name, address)
		}
	}
	return address
}

// recall adds the cautions about components of an enclosure. If several hosts remember the same
// caution, the earliest counts.
func (domain *Domain) recall(cautions []inventory.Caution) {
	if len(cautions) == 0 {
		return
	}
	domain.Cautions = append(domain.Cautions, cautions...)
	slices.SortStableFunc(domain.Cautions, func(a, b inventory.Caution) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Kind, b.Kind), a.Since.Compare(b.Since),
			cmp.Compare(a.Detail, b.Detail))
	})
	domain.Cautions = slices.CompactFunc(domain.Cautions, func(a, b inventory.Caution) bool {
		return a.Address == b.Address && a.Kind == b.Kind
	})
}

// Neighbours returns the other enclosures of an enclosure's fault domain that a host sees,
// sorted.
func (domain *Domain) Neighbours(e *fleet.Enclosure, host string) []string {
	var all []string
	for _, o := range domain.Enclosures {
		if o != e && o.SeenBy(host) != nil {
			all = append(all, o.ID)
		}
	}
	return all
}

// SeenElsewhere lists the drives of a fault domain that a host lists but does not see, and that
// another host sees.
func (domain *Domain) SeenElsewhere(sv *Survey, host string) []string {
	var keys []string
	for _, e := range domain.Enclosures {
		for k := range e.Views {
			v := &e.Views[k]
			if v.Host != host {
				continue
			}
			for i := range v.Drives {
				if d := &v.Drives[i]; len(d.Paths) == 0 && sv.seenBeyond(e, v, d) {
					keys = append(keys, sightKey(e, d))
				}
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// InUse returns what in a fault domain is in use on any host, or may be; "" if nothing is.
func (domain *Domain) InUse(sv *Survey) string {
	if domain.busy != nil {
		return *domain.busy
	}
	var home *fleet.Enclosure // one text for all of the domain
	if len(domain.Enclosures) == 1 {
		home = domain.Enclosures[0]
	}
	used, useUnknown := map[string][]finding{}, map[string][]finding{} // by host, "" if but one sees the enclosure
	var unseen []finding
	var unlisted []string
	for _, e := range domain.Enclosures {
		if why := e.DrivesUnknown(); why != "" {
			unlisted = append(unlisted, e.Called()+": "+why)
		}
		for k := range e.Views {
			v := &e.Views[k]
			on := ""
			if len(e.Views) > 1 {
				on = " on " + v.Host
			}
			for i := range v.Drives {
				d := &v.Drives[i]
				switch f := newFinding(e, d); {
				case len(d.InUse) > 0:
					used[on] = append(used[on], f)
				case len(d.Paths) == 0:
					if sv.unseen(e, v, d) {
						unseen = append(unseen, f)
					}
				case d.InUse == nil:
					useUnknown[on] = append(useUnknown[on], f)
				}
			}
		}
	}
	var parts []string
	for _, on := range slices.Sorted(maps.Keys(used)) {
		parts = append(parts, slots(worstOfEach(used[on]), home)+" in use"+on)
	}
	for _, on := range slices.Sorted(maps.Keys(useUnknown)) {
		parts = append(parts, slots(worstOfEach(useUnknown[on]), home)+" not known to be unused"+on+
			", which counts as in use")
	}
	if len(unseen) > 0 {
		parts = append(parts, slots(worstOfEach(unseen), home)+unseenWords)
	}
	text := strings.Join(append(parts, unlisted...), "; ")
	domain.busy = &text
	return text
}

// unseenWords are the words for drives that no host of the plan sees.
const unseenWords = " of unknown use: no host of the plan sees them, which counts as in use"

// UnreadReason returns why nothing in a fault domain is reset while part of it cannot be read,
// "" if all of it could be.
func (domain *Domain) UnreadReason() string {
	const most = 3
	all := slices.Compact(slices.Sorted(slices.Values(domain.Unread)))
	if len(all) == 0 {
		return ""
	}
	text := strings.Join(all[:min(most, len(all))], "; ")
	if more := len(all) - most; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return PartUnread + text
}

// PartUnread begins the reason why nothing is reset in a fault domain that is not in sight as a
// whole.
const PartUnread = "nothing in a fault domain is reset while part of it cannot be read: "
