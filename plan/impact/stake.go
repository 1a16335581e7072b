package impact

import (
	"slices"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
	"fwctl/plan"
)

// stakeKey identifies something at stake.
type stakeKey struct {
	effect     plan.StakeEffect
	kind       inventory.UseKind
	name, host string
	path       string
}

// atStake returns what uses, on any host, the drives of enclosures whose ESPs, by lu_id, are
// reset at once, sorted. home is the enclosure of the ESPs.
func (sv *Survey) atStake(enclosures []*fleet.Enclosure, luIDs []string, home *fleet.Enclosure) []plan.Stake {
	var all []*plan.Stake
	counted := map[string]bool{} // drives that several enclosures list
	for _, e := range enclosures {
		stakes := map[stakeKey]*plan.Stake{}
		take := func(d *inventory.Drive, host string, u inventory.Use, fate fate, through string) {
			key := stakeKey{effect: plan.Stops, kind: u.Kind, name: u.Name}
			if fate == failsOver {
				key.effect, key.path = plan.KeepsPath, sv.label(through, home)
			}
			if len(e.Views) > 1 {
				key.host = host
			}
			s := stakes[key]
			if s == nil {
				s = &plan.Stake{Kind: u.Kind, Name: u.Name, Through: u.Through, Host: key.host, Enclosure: e.ID,
					Slots: []int{}, Effect: key.effect, Path: key.path}
				stakes[key] = s
				all = append(all, s)
			}
			addDrive(s, d, u)
		}
		for k := range e.Views {
			v := &e.Views[k]
			for i := range v.Drives {
				d := &v.Drives[i]
				fate, through := sv.fate(e, v, d, luIDs)
				users := d.Users()
				switch {
				case fate == unused:
					continue
				case len(users) == 0 && (fate == useUnknown || fate == unseen):
					users = []inventory.Use{{Kind: inventory.UnknownUse}}
				}
				if _, shared := sv.shared[d.LUID]; shared {
					at := v.Host + " " + d.LUID
					if counted[at] {
						continue
					}
					counted[at] = true
				}
				for n, u := range users {
					u = forStake(u)
					if slices.ContainsFunc(users[:n], func(o inventory.Use) bool {
						o = forStake(o)
						return o.Kind == u.Kind && o.Name == u.Name
					}) {
						continue // one drive, in two parts of one thing
					}
					take(d, v.Host, u, fate, through)
				}
			}
		}
		if e.DrivesUnknown() != "" {
			all = append(all, &plan.Stake{Kind: inventory.UnknownUse, Enclosure: e.ID,
				Slots: []int{}, Effect: plan.Stops})
		}
	}
	slices.SortFunc(all, plan.CompareStakes)
	var sorted []plan.Stake
	for _, s := range all {
		slices.Sort(s.Slots)
		slices.Sort(s.VDevs)
		sorted = append(sorted, *s)
	}
	return sorted
}

// forStake returns a use without what differs between the drives of one user.
func forStake(u inventory.Use) inventory.Use {
	if u.Kind == inventory.UnknownUse {
		u.Name = ""
	}
	return u
}

// addDrive adds a drive to something at stake, which uses it as u says.
func addDrive(s *plan.Stake, d *inventory.Drive, u inventory.Use) {
	// What all drives have in common: not the partition of each, but the array above them.
	s.Through = slices.DeleteFunc(slices.Clone(s.Through), func(device string) bool {
		return !slices.Contains(u.Through, device)
	})
	if len(s.Through) == 0 {
		s.Through = nil
	}
	if u.VDev != "" && !slices.Contains(s.VDevs, u.VDev) {
		s.VDevs = append(s.VDevs, u.VDev)
	}
	s.Of = max(s.Of, u.Of)
	s.Drives++
	if d.Slot != inventory.NoSlot {
		s.Slots = append(s.Slots, int(d.Slot))
	}
}
