package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fwctl/inventory"
)

// Component is one subenclosure, and the ESP that it is worked on through.
type Component struct {
	Address string
	ESP     *ESP
	Also    []*ESP   // others that serve it
	Aliases []string // its addresses through those
	Sub     *inventory.Subenclosure
}

// Primary returns the subenclosure whose vendor and product models are matched with.
func (c Component) Primary() *inventory.Subenclosure { return &c.ESP.Subenclosures[0] }

// Components lists the components, each once. A secondary subenclosure that several
// ESPs serve is worked on through the one whose host has the gravest caution about it
// (only that host can settle it), else through the first. What hosts remember about it
// through the other ESPs counts too.
func (e *Enclosure) Components() []Component {
	var served [][]Component // by component: through each ESP that serves it
	for i := range e.ESPs {
		in := &e.ESPs[i]
		for j := range in.Subenclosures {
			sub := &in.Subenclosures[j]
			through := Component{Address: inventory.Address(e.ID, in.ID, sub.ID), ESP: in, Sub: sub}
			known := slices.IndexFunc(served, func(ways []Component) bool {
				c := ways[0]
				return c.ESP.ID != in.ID && c.Sub.LogicalID == sub.LogicalID && in.identifies(sub) &&
					c.ESP.identifies(c.Sub)
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

// ServedBy returns the ESPs that serve the component. The first is the one that it is worked on through.
func (c Component) ServedBy() []*ESP { return append([]*ESP{c.ESP}, c.Also...) }

// Conflict returns why the component may not be touched through any ESP, "" if it may.
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
			rank = max(rank, c.ESP.cautions[i].Kind.Gravity())
		}
	}
	return rank
}

// identifies reports whether a subenclosure's logical identifier says which it is,
// whoever serves it: it is a secondary one, and its identifier is not zero and
// stands for one subenclosure only.
func (e *ESP) identifies(sub *inventory.Subenclosure) bool {
	return sub.ID != 0 && strings.Trim(sub.LogicalID, "0") != "" &&
		!slices.ContainsFunc(e.Subenclosures, func(o inventory.Subenclosure) bool {
			return o.ID != sub.ID && o.LogicalID == sub.LogicalID
		})
}

// recall adds another ESP that serves the component, and what its host remembers about the
// component through that ESP: a reset starts whatever was staged.
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
		why = disputeReason([]string{c.ESP.remembers(mine.Staged) + ", through " + c.ESP.ID,
			other.remembers(staged) + ", through " + other.ID})
	default:
		why = fmt.Sprintf("%s, through %s, but it is worked on through %s. A power cycle starts it: scan all hosts "+
			"again after that", other.remembers(staged), other.ID, c.ESP.ID)
	}
	mine.Staged = cmp.Or(mine.Staged, as.Staged)
	if why != "" {
		if c.ESP.Disputed == nil {
			c.ESP.Disputed = map[int]string{}
		}
		c.ESP.Disputed[mine.ID] = why
	}
}
