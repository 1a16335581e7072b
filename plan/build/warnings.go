package build

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize/english"

	"fwctl/inventory"
	"fwctl/plan"
)

// windowWarnings warns of waves that may not be done within one opening of their window.
func windowWarnings(p *plan.Plan) []string {
	var warnings []string
	worst := p.Worst()
	for i, w := range p.Waves {
		longest, name := plan.Duration(0), ""
		for _, n := range slices.Sorted(slices.Values(w.Windows)) {
			if d, err := time.ParseDuration(p.Windows[n].Duration); err == nil && plan.Duration(d) > longest {
				longest, name = plan.Duration(d), n
			}
		}
		if name != "" && worst[i] > longest {
			warnings = append(warnings,
				fmt.Sprintf("wave %d may need %s, and %s is open for %s: what has not been started when it closes "+
					"waits for the next opening", w.Number, worst[i], name, longest))
		}
	}
	return warnings
}

// sameAge is how far apart scans may be to count as of one time.
const sameAge = 15 * time.Minute

// ageWarnings names the inventories that are older than the newest.
func ageWarnings(scans []plan.Scan) []string {
	var warnings []string
	last := newest(scans)
	for _, s := range scans {
		if age := last.Sub(s.ScannedAt); age > sameAge {
			warnings = append(warnings,
				fmt.Sprintf("%s: its inventory is of %s, %s older than the newest: what changed since is not "+
					"in the plan",
					s.Host, s.ScannedAt.Format("2006-01-02 15:04 UTC"), plan.Duration(age.Truncate(time.Minute))))
		}
	}
	return warnings
}

func scanWarnings(invs []*inventory.Inventory) []string {
	var warnings []string
	for _, inv := range invs {
		problems := slices.DeleteFunc(
			slices.Clone(inv.Problems),
			func(p inventory.Problem) bool { return p.Unread != nil },
		) // each of those has a row or a warning of its own
		if n := len(problems); n > 0 {
			slices.SortFunc(problems, func(a, b inventory.Problem) int {
				return cmp.Or(inventory.ComparePaths(a.Path, b.Path), cmp.Compare(a.Summary, b.Summary))
			})
			warnings = append(warnings, fmt.Sprintf("%s: the scan had %d %s, the first: %s; see `fwctl inventory`",
				inv.Host, n, english.PluralWord(n, "problem", ""), problems[0].Summary))
		}
	}
	slices.Sort(warnings)
	return warnings
}
