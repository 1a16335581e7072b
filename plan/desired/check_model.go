package desired

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"fwctl/internal/glob"
	"fwctl/plan"
)

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
				c.add(at("parts", part, "subenclosures", strconv.Itoa(i)),
					fmt.Sprintf("subenclosure %d is in %s and in %s", sub, other, part),
					"a subenclosure is in one part")
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
			c.add(at("images", image, "part"), fmt.Sprintf("image %s is for part %q, which model %s does not have",
				image, i.Part, name), c.knownNames(i.Part, slices.Values(parts)))
		}
		if i.NoVersion && i.Revision != "" {
			c.add(
				at("images", image, "revision"),
				fmt.Sprintf("image %s is unversioned, and has revision %s", image, i.Revision),
				"leave out one of them",
			)
		}
		if first, ok := files[i.SHA256]; ok && i.SHA256 != "" && m.Images[first].Revision != i.Revision {
			c.add(at("images", image, "revision"),
				fmt.Sprintf("%s and %s are the same file and cannot be revisions %s and %s", first, image,
					m.Images[first].Revision, i.Revision), "correct sha256 or revision of one of them")
		} else if !ok {
			files[i.SHA256] = image
		}
	}
	c.checkRings(name, m)
	c.checkAmbiguous(name, m)
}

// checkRings finds images that form a circle: each starts only at revisions that others of them
// bring. An enclosure that never ran one of these revisions cannot reach them, and nothing says
// which way is up and which is back. If the model's order has them all, it says so, and they are
// an update and its rollback. An image that starts only at its own revision replaces another
// file of that revision.
func (c *checker) checkRings(model string, m Model) {
	names := slices.Sorted(maps.Keys(m.Images))
	before := map[string][]string{} // the other images that bring what an image starts at
	rooted := map[string]bool{}     // it can be reached from a revision that none of its ring brings
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
					return false // it is unknown what first brought that revision
				}
				return !glob.IsLiteral(from) ||
					!slices.ContainsFunc(before[name], func(other string) bool {
						return m.Images[other].Revision == from
					})
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
		unordered := slices.ContainsFunc(ring, func(n string) bool {
			return !slices.Contains(m.Order, m.Images[n].Revision)
		})
		if first := ring[0]; !seen[first] && unordered {
			seen[first] = true
			c.add(
				[]string{"models", model, "images", first, "from"},
				fmt.Sprintf(
					"%s form a circle: each starts only at what another of them brings, and nothing says which "+
						"revision "+
						"is the later one",
					joinAnd(ring),
				),
				"list their revisions in the model's order, or say in from what else one of them is installed over",
			)
		}
	}
}

// checkAmbiguous finds different images that bring the same revision over the same ones, if no
// want names one of them.
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
			if i.Part == j.Part && !i.NoVersion && i.Revision == j.Revision && i.SHA256 != j.SHA256 && !named[a] &&
				!named[b] &&
				overlap(i.From, j.From) {
				c.add(
					[]string{"models", model, "images", b, "revision"},
					fmt.Sprintf(
						"%s and %s are different files that both bring %s over the same revisions, and no want names "+
							"one of them",
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

func (c *checker) checkActivation(path []string, a ActivationRule) {
	c.checkDurations(path, map[string]plan.Duration{"settle": a.Settle, "returnTimeout": a.ReturnTimeout})
}
