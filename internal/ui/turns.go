package ui

import (
	"cmp"
	"fmt"
	"slices"

	"fwctl/plan"
	"fwctl/plan/group"
)

// turnLines lists commands in order, host by host, below a title; nil if there are none. Commands
// that differ only in their host share a line. Names beyond so many characters are counted.
func turnLines(title string, turns []plan.Turn, p *plan.Plan, room int) []string {
	if len(turns) == 0 {
		return nil
	}
	names := p.Names()
	lines := []string{title}
	for i := 0; i < len(turns); {
		t := turns[i]
		hosts := []string{t.Host}
		for i++; i < len(turns) && sameTurn(turns[i], t); i++ {
			hosts = append(hosts, turns[i].Host)
		}
		soak := turns[i-1].Soak
		line := fmt.Sprintf("%d. on %s: ", len(lines), namesIn(hosts, room))
		if len(t.PowerCycle) > 0 {
			cycled := make([]string, len(t.PowerCycle))
			for n, id := range t.PowerCycle {
				cycled[n] = cmp.Or(names[id], id)
			}
			slices.SortFunc(cycled, group.CompareNames)
			line += fmt.Sprintf("power-cycle %s when no drive there is in use, then ", namesIn(cycled, room))
		}
		line += t.Command.String()
		if soak > 0 {
			line += ", then wait " + Spell(soak)
		}
		lines = append(lines, line)
	}
	return lines
}

// sameTurn reports whether two turns say the same to different hosts.
func sameTurn(a, b plan.Turn) bool {
	return a.Host != b.Host && a.PowerCycle == nil && b.PowerCycle == nil && b.Soak == 0 &&
		slices.Equal(a.Command, b.Command)
}
