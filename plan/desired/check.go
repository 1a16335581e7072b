package desired

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"fwctl/internal/glob"
	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/schemas"
)

// checker finds the problems that a schema cannot find.
type checker struct {
	d          *State
	problems   []schemas.Problem
	fromSchema schemas.Positions // where the schema has found something
	compared   int               // names that were compared with an unknown one
}

// add adds a problem, unless the schema has one at the same place.
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
	c.checkCommand([]string{"notify"}, c.d.Notify)
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

// checkDurations refuses times that no plan may have, and zeros that were written: they would
// be taken for the default.
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
		c.add(at, fmt.Sprintf("%s of %s is longer than the %s that a plan may wait for anything", at[len(at)-1], d,
			most),
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
		c.add(at("image"), fmt.Sprintf("model %s has no image %q", w.Model, w.Image),
			c.knownNames(w.Image, maps.Keys(m.Images)))
	}
	if _, ok := c.d.Policies[w.Policy]; !ok && w.Policy != "" && !c.written("policies", w.Policy) {
		c.add(at("policy"), fmt.Sprintf("there is no policy %q", w.Policy),
			c.knownNames(w.Policy, maps.Keys(c.d.Policies)))
	}
}

func (c *checker) checkGlob(at []string, pattern string) {
	if summary, hint := glob.Problem(pattern); summary != "" {
		c.add(at, summary, hint)
	}
}

// written reports whether the file has a value at a path, even a wrong one: the problem is
// reported there, and not again where the value is named.
func (c *checker) written(path ...string) bool { return c.d.root != nil && c.d.root.Has(path...) }

// sound reports whether the schema has found no problem at a path.
func (c *checker) sound(path ...string) bool {
	return c.d.root == nil || !c.d.root.At(c.fromSchema, path...)
}

// maxCompared bounds the search for suggestions: of thousands of unknown names among thousands,
// only the first get one.
const maxCompared = 500_000

// maxListed is how many known names a hint lists.
const maxListed = 20

// knownNames returns the hint for an unknown name.
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
