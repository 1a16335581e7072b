package desired

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"fwctl/inventory"
	"fwctl/plan"
)

// checkName refuses a name that no plan may have: views show names on one line.
func (c *checker) checkName(name string, at ...string) {
	if !plan.OneLine(name) {
		c.add(at, fmt.Sprintf("the name %q is more than a line", name), "write it without line breaks and tabs")
	}
}

// checkNames checks the names as they were written: each must mean one enclosure.
func (c *checker) checkNames() {
	named, given := map[string]bool{}, map[string]string{}
	for _, written := range slices.Sorted(maps.Keys(c.d.Names)) {
		id, name, at := inventory.NormalID(written), c.d.Names[written], []string{"names", written}
		other, twice := given[name]
		switch {
		case !inventory.IsEnclosureID(id): // the schema says so
		case named[id]:
			c.add(at, fmt.Sprintf("enclosure %s is named here a second time", id),
				"hex digits mean the same in capitals: keep one of the names")
		case id == strings.Repeat("0", 16):
			c.add(at, "no enclosure has this identifier, which stands for none",
				"write lu- and the logical unit's designator, as in its address")
		case twice && name != "":
			c.add(at, fmt.Sprintf("%s and %s are both named %q", other, id, name),
				"give each enclosure a name of its own")
		case name == inventory.All:
			c.add(at, fmt.Sprintf("no enclosure can be named %q, which selects every one on the command line", name),
				"write another name, as in r12u20")
		case inventory.NormalID(name) != id && inventory.IsEnclosureID(name):
			c.add(at, fmt.Sprintf("%q reads like the identifier of another enclosure", name),
				"write a name that does not, as in r12u20")
		}
		named[id], given[name] = true, id
	}
}

// checkFaultDomain refuses a fault domain that lists an enclosure twice. ids are the
// identifiers of enclosures by name.
func (c *checker) checkFaultDomain(index string, domain []inventory.Selector, ids map[string]string) {
	seen := map[string]bool{}
	for i, s := range domain {
		id := inventory.NormalID(string(s))
		if named, ok := ids[string(s)]; ok {
			id = named
		}
		if seen[id] {
			c.add([]string{"faultDomains", index, strconv.Itoa(i)},
				fmt.Sprintf("enclosure %s is in this fault domain already", id), "take it out here")
		}
		seen[id] = true
	}
}
