package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fwctl/inventory"
)

// Enclosure is one enclosure as all hosts of the plan see it together.
type Enclosure struct {
	ID       string // the first part of its addresses
	Index    int    // in the fleet, which is sorted by id
	Name     string // "" if it has none
	Views    []View // by host
	Reported int    // ESPs that it says it has, 0 if it does not
	ESPs     []ESP  // sorted by ID, then LUID

	Unread []string // parts of it that are known and could not be read, and why
	// Blind is a host that reaches it and could read none of it, in words; "" for none. That host
	// may use its drives.
	Blind string

	HealthKnown bool
	Critical    bool
	Failures    []string
}

// Called returns the identifier of an enclosure as people know it.
func (e *Enclosure) Called() string { return inventory.Called(e.Name, e.ID) }

// View is an enclosure as one host sees it.
type View struct {
	Host  string
	LUIDs []string // of the ESPs, sorted
	*inventory.Enclosure
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
		i := slices.IndexFunc(e.ESPs,
			func(o ESP) bool { return o.ID == found.ID && o.LUID == found.LUID && o.Host != host })
		if i < 0 {
			e.ESPs = append(e.ESPs, found)
			continue
		}
		e.ESPs[i].others = append(e.ESPs[i].others, found)
	}
	slices.Sort(v.LUIDs)
	e.Views = append(e.Views, v)
}

// setSides orders the ESPs that must not be reset together: by the number that
// an ESP itself reports (a lone esp2 is still side B), else by identity.
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
			a.conflict = cmp.Or(a.conflict,
				fmt.Sprintf("logical unit %s on %s also says that it is %s of this enclosure", b.LUID, b.Host, b.ID))
			b.conflict = cmp.Or(b.conflict,
				fmt.Sprintf("logical unit %s on %s also says that it is %s of this enclosure", a.LUID, a.Host, a.ID))
		}
	}
}

// Cautions returns the cautions of all hosts about components of the enclosure. A caution
// holds for a component whichever of its addresses it was recorded by: it is returned with
// the address that the component is worked on by.
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

// SeenBy returns the enclosure as a host sees it, nil if it does not.
func (e *Enclosure) SeenBy(host string) *View {
	if i := slices.IndexFunc(e.Views, func(v View) bool { return v.Host == host }); i >= 0 {
		return &e.Views[i]
	}
	return nil
}

// DrivesUnknown returns why the drives behind an enclosure are not known, "" if they are.
func (e *Enclosure) DrivesUnknown() string {
	switch {
	case e.Blind != "":
		return e.Blind + ", so what it uses behind it is unknown, and counts as in use without another path"
	case !slices.ContainsFunc(e.Views, func(v View) bool { return !v.DrivesUnknown }):
		return "no module lists the enclosure's drives (page 0Ah), which count as in use without another path"
	case slices.ContainsFunc(e.Views, func(v View) bool { return v.DriveEvidence == nil }):
		return "its inventory does not say where drives were looked for (an older fwctl wrote it; write it " +
			"again), so " +
			"what is behind it counts as in use without another path"
	}
	return ""
}

func (e *Enclosure) DrivesKnown() bool { return e.DrivesUnknown() == "" }

// Numbered reports whether the ESPs say which of several they are.
func (e *Enclosure) Numbered() bool {
	return !slices.ContainsFunc(e.ESPs, func(o ESP) bool { return !strings.HasPrefix(o.ID, "esp") })
}
