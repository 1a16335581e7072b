package desired

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"fwctl/internal/glob"
	"fwctl/internal/image"
	"fwctl/inventory"
)

// Init returns a desired state of the enclosures in inventories: a model for each product, with
// the revisions that run as comments. It wants nothing, so it changes nothing as it stands. The same
// inventories give the same bytes, whatever their order. The commented lines are valid once
// their hash signs are gone, with or without the blank after them, because editors differ in
// that. Images are suggested for the products that they mention, or for all if they mention
// none; their paths are written as given.
func Init(invs []*inventory.Inventory, images []*image.Image) []byte {
	invs = slices.SortedFunc(slices.Values(invs), func(a, b *inventory.Inventory) int {
		return cmp.Compare(a.Host, b.Host)
	})
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
	line("# It asks for nothing, and changes nothing as it stands. To change that, put the vendor's")
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
		p.suggest(images, products)
		p.write(line)
	}
	line("")
	line("# Which image the components of a model should run: take away the # of a line.")
	line("want:")
	for _, p := range products {
		line("#  - {model: %s, image: %s, policy: careful}", p.name, p.images[0].name)
	}
	line("")
	line("# What may be done to components. Without a policy nothing is ever reset: images")
	line("# are staged, and wait for a power cycle.")
	line("policies:")
	line("  careful: {reset: never, activate: manual}")
	line("")
	line("# Names of enclosures, for people; want, except and faultDomains take them too.")
	line("names:")
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
	images          []suggestion // at least one
}

// suggestion is an image that a product may take.
type suggestion struct {
	name, file, sha256, revision string
	remark                       string // on the revision
}

// suggest picks the images that may be for the product. If there are none, it makes one up to
// show what to fill in.
func (p *product) suggest(images []*image.Image, all []*product) {
	taken := map[string]bool{}
	for _, img := range images {
		if !img.Mentions(p.product) && slices.ContainsFunc(all,
			func(other *product) bool { return img.Mentions(other.product) }) {
			continue
		}
		s := suggestion{file: scalar(img.Path()), sha256: img.SHA256(), revision: "9999",
			remark: "what it reports once it runs: see the release notes"}
		for _, clue := range img.Clues() {
			if clue.Kind == image.Revision && len(clue.Text) <= 4 {
				s.revision, s.remark = clue.Text, "a guess from the text in it: compare it with the release notes"
				break
			}
		}
		s.name = slug(strings.TrimSuffix(filepath.Base(img.Path()), filepath.Ext(img.Path())), "image")
		for base, n := s.name, 2; taken[s.name]; n++ {
			s.name = fmt.Sprintf("%s-%d", base, n)
		}
		taken[s.name] = true
		p.images = append(p.images, s)
	}
	if len(p.images) == 0 {
		p.images = []suggestion{{
			name: "iom-new", file: "images/iom-new.bin", revision: "9999", remark: "what it reports once it runs",
			sha256: strings.Repeat("0", 64) + " # see `fwctl image inspect FILE`",
		}}
	}
}

// runs are the components of one subenclosure identifier: addresses by revision.
type runs struct {
	vendor, product string
	revisions       map[string]map[string]bool
}

// byProduct sorts the enclosures by product, and lists the paths to each.
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
					p = &product{vendor: primary.Vendor, product: primary.Product, enclosures: map[string]bool{},
						parts: map[int]*runs{}}
					byName[key] = p
				}
				p.enclosures[e.ID()] = true
				p.untold = p.untold || e.ExpectedESPs == nil
				for _, sub := range esp.Subenclosures {
					if p.parts[sub.ID] == nil {
						p.parts[sub.ID] = &runs{vendor: sub.Vendor, product: sub.Product,
							revisions: map[string]map[string]bool{}}
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
		match = append(match, "vendor: "+scalar(glob.Literal(p.vendor)))
	}
	if p.product != "" {
		match = append(match, "product: "+scalar(glob.Literal(p.product)))
	}
	if len(match) == 0 {
		match = []string{`product: "?*"`} // has none to match with: matches those that do
	}
	line("  %s: # %d %s", p.name, len(p.enclosures), english.PluralWord(len(p.enclosures), "enclosure", ""))
	line("    match: {%s}", strings.Join(match, ", "))
	if p.untold {
		line("    #esps: 2 # I/O modules of one enclosure: not all of them say")
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
		line("      %s: {subenclosures: [%d]} # %s runs %s", name, id,
			remark(cmp.Or(strings.TrimSpace(r.vendor+" "+r.product), "it")), strings.Join(running, ", "))
	}
	part := slices.Min(slices.Collect(maps.Keys(p.parts)))
	line("    images: # take away the # of all lines of one")
	for _, i := range p.images {
		line("    #  %s:", i.name)
		if part != 0 {
			line("    #    part: sub%d", part)
		}
		line("    #    file: %s", i.file)
		line("    #    sha256: %s", i.sha256)
		line("    #    revision: %s # %s", quote(i.revision), i.remark)
		for _, running := range slices.Sorted(maps.Keys(p.parts[part].revisions)) {
			if running != "" && running != i.revision {
				line("    #    from: [%s] # what it may be installed over", quote(glob.Literal(running)))
				break
			}
		}
		line("    #    modes: [e] # e: saved, and started later; 7: started at once")
	}
}

var (
	noName = regexp.MustCompile(`[^a-z0-9]+`)
	bare   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)
)

// slug makes a name of letters, digits and hyphens from a text.
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

// quote returns a text in double quotes, as JSON and YAML have them.
func quote(text string) string {
	b, _ := json.Marshal(text) // it never fails for a string
	return string(b)
}

// remark returns a text in a comment: nothing in it ends the line.
func remark(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
}
