package plan

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"fwctl/inventory"
)

// Init writes a desired state of what is there: a model for each product, with
// the revisions that run as comments, and nothing wanted, so that it plans to no
// change. The same inventories give the same bytes whatever their order.
func Init(invs []*inventory.Inventory) []byte {
	invs = slices.SortedFunc(slices.Values(invs), func(a, b *inventory.Inventory) int { return cmp.Compare(a.Host, b.Host) })
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	line("# yaml-language-server: $schema=desired-state.schema.json")
	line("# (`fwctl schema desired-state > desired-state.schema.json` writes that for the editor)")
	line("#")
	for _, inv := range invs {
		line("# What %s saw at %s.", remark(inv.Host), inv.ScannedAt.UTC().Format(time.RFC3339))
		if inv.Simulated {
			line("# SIMULATED rack: none of this is about real hardware.")
		}
	}
	line("# It asks for nothing, and plans to no change. To change that, put the vendor's")
	line("# images below their models and into want; then `fwctl validate -f FILE` and")
	line("# `fwctl plan -f FILE` say what would happen.")
	line("apiVersion: fwctl/v1")
	line("kind: DesiredState")
	line("")
	enclosures, products := byProduct(invs)
	if len(products) == 0 {
		line("models: {}")
	} else {
		line("# The facts of each product, once; what is commented out comes from its release notes.")
		line("models:")
	}
	names := map[string]bool{}
	for _, p := range products {
		p.name = slug(p.vendor+" "+p.product, "model")
		for base, n := p.name, 2; names[p.name]; n++ {
			p.name = fmt.Sprintf("%s-%d", base, n)
		}
		names[p.name] = true
		p.write(line)
	}
	line("")
	line("# Which image the components of a model should run.")
	line("want: []")
	for _, p := range products {
		line("#  - {model: %s, image: iom-new, policy: careful}", p.name)
	}
	line("")
	line("# What may be done to components. Without a policy nothing is ever reset: images")
	line("# are staged, and wait for a power cycle.")
	line("policies:")
	line("  careful: {reset: never, activate: manual}")
	line("")
	line("# Names of enclosures, for people; want, except and faultDomains take them too.")
	line("names: {}")
	for i, id := range slices.Sorted(maps.Keys(enclosures)) {
		line("#  %s: name-%d # %s", remark(id), i+1, strings.Join(slices.Sorted(maps.Keys(enclosures[id])), ", "))
	}
	return b.Bytes()
}

// product is what enclosures of one vendor and product have in common.
type product struct {
	name            string // of the model
	vendor, product string
	enclosures      map[string]bool
	untold          bool // some of the enclosures do not say how many ESPs they have
	parts           map[int]*runs
}

// runs are the components of one subenclosure identifier: addresses by revision.
type runs struct {
	vendor, product string
	revisions       map[string]map[string]bool
}

// byProduct sorts what was found by product, and lists the ways to each enclosure.
func byProduct(invs []*inventory.Inventory) (enclosures map[string]map[string]bool, products []*product) {
	enclosures = map[string]map[string]bool{}
	byName := map[[2]string]*product{}
	for _, inv := range invs {
		for i := range inv.Enclosures {
			e := &inv.Enclosures[i]
			if enclosures[e.ID()] == nil {
				enclosures[e.ID()] = map[string]bool{}
			}
			for _, esp := range e.ESPs {
				for _, path := range esp.Paths {
					enclosures[e.ID()][remark(inv.Host+":"+path)] = true
				}
				if len(esp.Subenclosures) == 0 {
					continue
				}
				primary := esp.Subenclosures[0]
				key := [2]string{primary.Vendor, primary.Product}
				p := byName[key]
				if p == nil {
					p = &product{vendor: primary.Vendor, product: primary.Product, enclosures: map[string]bool{}, parts: map[int]*runs{}}
					byName[key] = p
				}
				p.enclosures[e.ID()] = true
				p.untold = p.untold || e.ExpectedESPs == nil
				for _, sub := range esp.Subenclosures {
					if p.parts[sub.ID] == nil {
						p.parts[sub.ID] = &runs{vendor: sub.Vendor, product: sub.Product, revisions: map[string]map[string]bool{}}
					}
					r := p.parts[sub.ID].revisions
					if r[sub.Revision] == nil {
						r[sub.Revision] = map[string]bool{}
					}
					r[sub.Revision][sub.Address] = true
				}
			}
		}
	}
	products = slices.SortedFunc(maps.Values(byName), func(a, b *product) int {
		return cmp.Or(cmp.Compare(a.vendor, b.vendor), cmp.Compare(a.product, b.product))
	})
	return enclosures, products
}

// write writes the model of a product.
func (p *product) write(line func(string, ...any)) {
	var match []string
	if p.vendor != "" {
		match = append(match, "vendor: "+scalar(escapeGlob(p.vendor)))
	}
	if p.product != "" {
		match = append(match, "product: "+scalar(escapeGlob(p.product)))
	}
	if len(match) == 0 {
		match = []string{`product: "?*"`} // has none to match with: matches those that do
	}
	line("  %s: # %d %s", p.name, len(p.enclosures), plural(len(p.enclosures), "enclosure"))
	line("    match: {%s}", strings.Join(match, ", "))
	if p.untold {
		line("    # esps: 2 # I/O modules of one enclosure: not all of them tell")
	}
	line("    parts:")
	for _, id := range slices.Sorted(maps.Keys(p.parts)) {
		r := p.parts[id]
		name := DefaultPart
		if id != 0 {
			name = fmt.Sprintf("sub%d", id)
		}
		var running []string
		for _, revision := range slices.Sorted(maps.Keys(r.revisions)) {
			n := len(r.revisions[revision])
			running = append(running, fmt.Sprintf("%s on %d", remark(revision), n))
		}
		line("      %s: {subenclosures: [%d]} # %s runs %s", name, id, remark(cmp.Or(strings.TrimSpace(r.vendor+" "+r.product), "it")), strings.Join(running, ", "))
	}
	line("    images: {}")
	revision := `"1000"`
	if r := p.parts[0]; r != nil {
		revision = quote(slices.Sorted(maps.Keys(r.revisions))[0])
	}
	line("    #  iom-new:")
	line("    #    file: images/iom-new.bin")
	line("    #    sha256: 0000000000000000000000000000000000000000000000000000000000000000 # `fwctl image inspect FILE` tells")
	line("    #    revision: \"9999\" # what it reports once it runs")
	line("    #    from: [%s] # what it may be installed over", revision)
	line("    #    modes: [e] # e: saved, and started later; 7: started at once")
}

var (
	noName = regexp.MustCompile(`[^a-z0-9]+`)
	bare   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)
)

// slug makes a name of a text, of letters, digits and hyphens.
func slug(text, otherwise string) string {
	return cmp.Or(strings.Trim(noName.ReplaceAllString(strings.ToLower(text), "-"), "-"), otherwise)
}

// scalar writes a text as a YAML scalar that stands anywhere.
func scalar(text string) string {
	if bare.MatchString(text) && !strings.EqualFold(text, "null") {
		return text
	}
	return quote(text)
}

// quote writes a text in double quotes, as JSON and YAML have them.
func quote(text string) string {
	b, _ := json.Marshal(text) // a string always has its JSON
	return string(b)
}

// remark is a text in a comment: nothing in it ends the line.
func remark(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
}

// escapeGlob makes a glob that matches one text only.
func escapeGlob(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(text)
}
