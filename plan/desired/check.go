package desired

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"fwctl/internal/glob"
	"fwctl/internal/image"
	"fwctl/internal/window"
	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/schemas"
)

// checker finds what a schema cannot.
type checker struct {
	d          *State
	problems   []schemas.Problem
	fromSchema schemas.Positions // where the schema has found something
	compared   int               // names that were compared with an unknown one
}

// add tells a problem, unless the schema has one at the same place.
func (c *checker) add(path []string, summary, hint string) {
	p := c.d.At(path...)
	if p.Line > 0 && c.fromSchema[[2]int{p.Line, p.Column}] {
		return
	}
	p.Summary, p.Hint = summary, hint
	c.problems = append(c.problems, p)
}

func (c *checker) check() {
	for _, name := range slices.Sorted(maps.Keys(c.d.Models)) {
		c.checkModel(name, c.d.Models[name])
	}
	for i, w := range c.d.Want {
		c.checkWant(strconv.Itoa(i), w)
	}
	for name, p := range c.d.Policies {
		c.checkName(name, "policies", name)
		c.checkPolicy(name, p)
	}
	for name, w := range c.d.Windows {
		c.checkName(name, "windows", name)
		c.checkWindow(name, w)
	}
	c.checkName(c.d.Name, "metadata", "name")
	c.checkLongest([]string{"rollout", "soak"}, c.d.Rollout.Soak)
	for i, q := range c.d.Quirks {
		c.checkQuirk(strconv.Itoa(i), q)
	}
	for i, e := range c.d.Except {
		c.checkDate([]string{"except", strconv.Itoa(i), "until"}, e.Until)
	}
	for _, s := range c.d.Selectors() {
		if _, err := inventory.ParseSelector(string(s.Selector)); err != nil {
			c.add(s.Path, err.Error(), inventory.SelectorHelp)
		}
	}
	ids := make(map[string]string, len(c.d.Names))
	for id, name := range c.d.Names {
		ids[name] = id
	}
	for i, domain := range c.d.FaultDomains {
		c.checkFaultDomain(strconv.Itoa(i), domain, ids)
	}
}

// checkName refuses a name that no plan may have, because views set it on a line.
func (c *checker) checkName(name string, at ...string) {
	if !plan.OneLine(name) {
		c.add(at, fmt.Sprintf("the name %q is more than a line", name), "write it without line breaks and tabs")
	}
}

// checkNames looks at the names as they were written: each means one enclosure.
func (c *checker) checkNames() {
	named, given := map[string]bool{}, map[string]string{}
	for _, written := range slices.Sorted(maps.Keys(c.d.Names)) {
		id, name, at := inventory.NormalID(written), c.d.Names[written], []string{"names", written}
		other, twice := given[name]
		switch {
		case !identifier.MatchString(id): // the schema has told
		case named[id]:
			c.add(at, fmt.Sprintf("enclosure %s is named here a second time", id), "hex digits mean the same in capitals: keep one of the names")
		case id == strings.Repeat("0", 16):
			c.add(at, "no enclosure has this identifier, which stands for none", "write lu- and the logical unit's designator, as in its address")
		case twice && name != "":
			c.add(at, fmt.Sprintf("%s and %s are both named %q", other, id, name), "give each enclosure a name of its own")
		case name == inventory.All:
			c.add(at, fmt.Sprintf("no enclosure can be named %q, which selects every one on the command line", name), "write another name, as in r12u20")
		case inventory.NormalID(name) != id && identifier.MatchString(inventory.NormalID(name)):
			c.add(at, fmt.Sprintf("%q reads like the identifier of another enclosure", name), "write a name that is none, as in r12u20")
		}
		named[id], given[name] = true, id
	}
}

func (c *checker) checkModel(name string, m Model) {
	at := func(path ...string) []string { return append([]string{"models", name}, path...) }
	c.checkName(name, at()...)
	c.checkGlob(at("match", "vendor"), m.Match.Vendor)
	c.checkGlob(at("match", "product"), m.Match.Product)
	c.checkDurations(at("download"), map[string]plan.Duration{"flashTimeout": m.Download.FlashTimeout})
	c.checkActivation(at("activation"), m.Activation)

	parts := slices.Sorted(maps.Keys(m.Parts))
	owner := map[int]string{}
	for _, part := range parts {
		c.checkName(part, at("parts", part)...)
		c.checkActivation(at("parts", part, "activation"), m.Parts[part].Activation)
		for i, sub := range m.Parts[part].Subenclosures {
			if other, ok := owner[sub]; ok && other != part {
				c.add(at("parts", part, "subenclosures", strconv.Itoa(i)), fmt.Sprintf("subenclosure %d is in %s and in %s", sub, other, part), "a subenclosure is in one part")
			}
			owner[sub] = part
		}
	}

	files := map[string]string{} // SHA-256: the first image that has it
	for _, image := range slices.Sorted(maps.Keys(m.Images)) {
		i := m.Images[image]
		c.checkName(image, at("images", image)...)
		for n, from := range i.From {
			c.checkGlob(at("images", image, "from", strconv.Itoa(n)), from)
		}
		if _, ok := m.Parts[i.Part]; !ok && !c.written("models", name, "parts", i.Part) {
			c.add(at("images", image, "part"), fmt.Sprintf("image %s is for part %q, which model %s does not have", image, i.Part, name), c.knownNames(i.Part, slices.Values(parts)))
		}
		if i.NoVersion && i.Revision != "" {
			c.add(
				at("images", image, "revision"),
				fmt.Sprintf("image %s is unversioned, and has revision %s", image, i.Revision),
				"leave out one of them",
			)
		}
		if first, ok := files[i.SHA256]; ok && i.SHA256 != "" && m.Images[first].Revision != i.Revision {
			c.add(at("images", image, "revision"), fmt.Sprintf("%s and %s are the same file and cannot be revisions %s and %s", first, image, m.Images[first].Revision, i.Revision), "correct sha256 or revision of one of them")
		} else if !ok {
			files[i.SHA256] = image
		}
	}
	c.checkRings(name, m)
	c.checkAmbiguous(name, m)
}

// checkRings finds images that lead round: each starts only at revisions that
// others of them bring. An enclosure that never ran one of these revisions cannot
// get at them, and nothing tells the way up from the way back, unless the model's
// order has them all: then they are an update and what takes it back. An image that
// starts at its own revision alone goes onto what another file has brought.
func (c *checker) checkRings(model string, m Model) {
	names := slices.Sorted(maps.Keys(m.Images))
	before := map[string][]string{} // the other images that bring what an image starts at
	rooted := map[string]bool{}     // it can be got at from a revision that none of its ring brings
	for _, name := range names {
		i := m.Images[name]
		for _, other := range names {
			if o := m.Images[other]; other != name && !o.NoVersion && o.Part == i.Part && i.StartsAt(o.Revision) {
				before[name] = append(before[name], other)
			}
		}
		rooted[name] = i.NoVersion || len(i.From) == 0 || slices.Equal(i.From, []string{i.Revision}) ||
			slices.ContainsFunc(i.From, func(from string) bool {
				if from == i.Revision {
					return false // what has brought that first is not known
				}
				return !glob.IsLiteral(from) ||
					!slices.ContainsFunc(before[name], func(other string) bool { return m.Images[other].Revision == from })
			})
	}
	for again := true; again; {
		again = false
		for _, name := range names {
			if !rooted[name] && slices.ContainsFunc(before[name], func(other string) bool { return rooted[other] }) {
				rooted[name], again = true, true
			}
		}
	}
	seen := map[string]bool{}
	for _, name := range names {
		if rooted[name] {
			continue
		}
		var ring []string // from name towards where it comes from, till it closes
		for at := name; ; at = before[at][0] {
			if i := slices.Index(ring, at); i >= 0 {
				ring = ring[i:]
				break
			}
			ring = append(ring, at)
		}
		slices.Sort(ring)
		unordered := slices.ContainsFunc(ring, func(n string) bool { return !slices.Contains(m.Order, m.Images[n].Revision) })
		if first := ring[0]; !seen[first] && unordered {
			seen[first] = true
			c.add(
				[]string{"models", model, "images", first, "from"},
				fmt.Sprintf(
					"%s lead round: each starts only at what another of them brings, and nothing says which revision is the later one",
					joinAnd(ring),
				),
				"list their revisions in the model's order, or say in from what else one of them is installed over",
			)
		}
	}
}

// checkAmbiguous finds images that bring the same revision over the same ones,
// are not the same, and of which no want names one.
func (c *checker) checkAmbiguous(model string, m Model) {
	named := map[string]bool{}
	for _, w := range c.d.Want {
		if w.Model == model {
			named[w.Image] = true
		}
	}
	names := slices.Sorted(maps.Keys(m.Images))
	for n, b := range names {
		for _, a := range names[:n] {
			i, j := m.Images[a], m.Images[b]
			if i.Part == j.Part && !i.NoVersion && i.Revision == j.Revision && i.SHA256 != j.SHA256 && !named[a] && !named[b] &&
				overlap(i.From, j.From) {
				c.add(
					[]string{"models", model, "images", b, "revision"},
					fmt.Sprintf(
						"%s and %s are different files that both bring %s over the same revisions, and no want names one of them",
						a,
						b,
						i.Revision,
					),
					"name the one that is meant in want, give them different from, or take one out",
				)
			}
		}
	}
}

// overlap reports whether two lists of patterns have a revision in common. It may miss
// one if both have patterns in their middle.
func overlap(a, b []string) bool {
	return a == nil || b == nil || slices.ContainsFunc(a, func(x string) bool {
		return slices.ContainsFunc(b, func(y string) bool { return x == y || glob.Match(x, y) || glob.Match(y, x) })
	})
}

// joinAnd lists words: a, b and c.
func joinAnd(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

func (c *checker) checkPolicy(name string, p Policy) {
	at := func(path ...string) []string { return append([]string{"policies", name}, path...) }
	if p.Reset == plan.ResetNever && p.Activate == plan.WithApply && c.sound("policies", name, "reset") {
		c.add(at("activate"), "activate: apply resets an I/O module, and reset: never forbids that", "say reset: always, or activate: manual")
	}
	for key, windows := range map[string][]string{"stage": p.Windows.Stage, "reset": p.Windows.Reset} {
		for i, w := range windows {
			if _, ok := c.d.Windows[w]; !ok && !c.written("windows", w) {
				c.add(at("windows", key, strconv.Itoa(i)), fmt.Sprintf("there is no window %q", w), c.knownNames(w, maps.Keys(c.d.Windows)))
			}
		}
	}
	c.checkHooks(at("hooks"), p)
	for i, w := range p.Waive {
		c.checkDate(at("waive", strconv.Itoa(i), "until"), w.Until)
	}
	for i, key := range p.RequireSignature {
		if err := image.CheckPublicKey(key); err != nil {
			c.add(at("requireSignature", strconv.Itoa(i)), err.Error(), "write the second line of the vendor's .pub file: 56 characters that begin with RW")
		}
	}
}

func (c *checker) checkHooks(where []string, p Policy) {
	if p.Hooks == nil {
		return
	}
	at := func(more ...string) []string { return append(slices.Clone(where), more...) }
	switch {
	case len(p.Hooks.BeforeReset) == 0 && len(p.Hooks.AfterReset) == 0:
		c.add(at(), "hooks names no command", "say what is run in beforeReset, afterReset or both")
	case p.Reset == plan.ResetNever:
		c.add(at(), "hooks are run around resets, and this policy says reset: never", "leave them out, or say reset: idle, redundant or always")
	}
	c.checkDurations(at(), map[string]plan.Duration{"timeout": p.Hooks.Timeout})
	for key, command := range map[string]plan.Command{"beforeReset": p.Hooks.BeforeReset, "afterReset": p.Hooks.AfterReset} {
		if len(command) == 0 {
			continue
		}
		switch program := command[0]; {
		case strings.ContainsAny(program, " \t\n"):
			c.add(at(key, "0"), fmt.Sprintf("%q is one word, and the name of no program", program), "no shell takes it apart: write each word as an item of its own, as in ["+strings.Join(strings.Fields(program), ", ")+"]")
		case strings.Contains(program, "/") && !path.IsAbs(program):
			c.add(at(key, "0"), fmt.Sprintf("%s depends on the directory that fwctl is started in", program), "write where it is from the root on, as in /usr/local/bin/NAME, or a name alone that $PATH has")
		}
	}
}

func (c *checker) checkWindow(name string, w window.Window) {
	_, err := window.Compile(w)
	var all *multierror.Error
	if !errors.As(err, &all) {
		return
	}
	for _, err := range all.Errors {
		var e *window.Error
		if errors.As(err, &e) {
			c.add(append([]string{"windows", name}, e.Path...), e.Summary, e.Hint)
		}
	}
}

func (c *checker) checkDate(at []string, date string) {
	if _, err := time.Parse(time.DateOnly, date); err != nil {
		c.add(
			at,
			fmt.Sprintf("%s is not a day of the calendar", cmp.Or(date, "this")),
			"the last day that it holds, as in 2026-12-15",
		)
	}
}

// identifier is an enclosure's identifier: 16 hex digits, or lu-<designator>.
var identifier = regexp.MustCompile(`^([0-9a-f]{16}|lu-.+)$`)

// checkFaultDomain refuses an enclosure that belongs together with itself. ids are the enclosures' identifiers by their names.
func (c *checker) checkFaultDomain(index string, domain []inventory.Selector, ids map[string]string) {
	seen := map[string]bool{}
	for i, s := range domain {
		id := inventory.NormalID(string(s))
		if named, ok := ids[string(s)]; ok {
			id = named
		}
		if seen[id] {
			c.add([]string{"faultDomains", index, strconv.Itoa(i)}, fmt.Sprintf("enclosure %s is in this fault domain already", id), "take it out here")
		}
		seen[id] = true
	}
}

func (c *checker) checkActivation(path []string, a ActivationRule) {
	c.checkDurations(path, map[string]plan.Duration{"settle": a.Settle, "returnTimeout": a.ReturnTimeout})
}

// checkDurations refuses zeros that were written, which would be taken for "by
// default", and times that no plan may have.
func (c *checker) checkDurations(path []string, durations map[string]plan.Duration) {
	for key, d := range durations {
		at := append(slices.Clone(path), key)
		if d == 0 && c.d.root.Has(at...) {
			c.add(at, key+" is not a time at all", "write at least 1s, or leave it out for the default")
			continue
		}
		c.checkLongest(at, d)
	}
}

// checkLongest refuses a time that no plan may have.
func (c *checker) checkLongest(at []string, d plan.Duration) {
	if time.Duration(d) > plan.LongestTime {
		most := plan.Duration(plan.LongestTime)
		c.add(at, fmt.Sprintf("%s of %s is longer than the %s that a plan may wait for anything", at[len(at)-1], d, most),
			fmt.Sprintf("write at most %s", most))
	}
}

func (c *checker) checkWant(index string, w Want) {
	at := func(path ...string) []string { return append([]string{"want", index}, path...) }
	if m, ok := c.d.Models[w.Model]; !ok && c.written("models", w.Model) {
		// what is wrong with the model is reported there
	} else if !ok {
		c.add(at("model"), fmt.Sprintf("there is no model %q", w.Model), c.knownNames(w.Model, maps.Keys(c.d.Models)))
	} else if _, ok := m.Images[w.Image]; !ok && !c.written("models", w.Model, "images", w.Image) {
		c.add(at("image"), fmt.Sprintf("model %s has no image %q", w.Model, w.Image), c.knownNames(w.Image, maps.Keys(m.Images)))
	}
	if _, ok := c.d.Policies[w.Policy]; !ok && w.Policy != "" && !c.written("policies", w.Policy) {
		c.add(at("policy"), fmt.Sprintf("there is no policy %q", w.Policy), c.knownNames(w.Policy, maps.Keys(c.d.Policies)))
	}
}

func (c *checker) checkGlob(at []string, pattern string) {
	if summary, hint := glob.Problem(pattern); summary != "" {
		c.add(at, summary, hint)
	}
}

// written reports whether the file has a value at a path, though it may be of no use:
// what is wrong is reported there, and not again wherever it is named.
func (c *checker) written(path ...string) bool { return c.d.root != nil && c.d.root.Has(path...) }

// sound reports whether the schema has found nothing wrong with what is at a path.
func (c *checker) sound(path ...string) bool {
	return c.d.root == nil || !c.d.root.At(c.fromSchema, path...)
}

// maxCompared bounds the search for names that were meant: of thousands of unknown
// names among thousands, only the first get a suggestion.
const maxCompared = 500_000

// maxListed is how many known names a hint lists.
const maxListed = 20

// knownNames is the hint for a name that is not known.
func (c *checker) knownNames(name string, names iter.Seq[string]) string {
	if c.compared > maxCompared {
		return ""
	}
	known := slices.Sorted(names)
	c.compared += len(known)
	switch near := schemas.Nearest(name, known); {
	case near != "":
		return fmt.Sprintf("did you mean %q?", near)
	case len(known) > maxListed:
		return fmt.Sprintf("there are: %s and %d more", strings.Join(known[:maxListed], ", "), len(known)-maxListed)
	case len(known) > 0:
		return "there are: " + strings.Join(known, ", ")
	}
	return "there are none"
}
