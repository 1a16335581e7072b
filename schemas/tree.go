package schemas

import (
	"slices"
	"strconv"

	"github.com/hashicorp/go-multierror"
	"gopkg.in/yaml.v3"
)

// Tree is the one document of a file. Its embedded node is the root value.
type Tree struct {
	*yaml.Node
	mappings map[*yaml.Node]map[string]entry // filled by entries
}

// entry is a key and its value in a mapping, with merge keys applied.
type entry struct{ key, value *yaml.Node }

func newTree(root *yaml.Node) *Tree {
	return &Tree{Node: root, mappings: map[*yaml.Node]map[string]entry{}}
}

// Lookup returns the value at a path of keys and indexes, through aliases and
// merge keys; if the path leads nowhere, the last value on the way.
func (t *Tree) Lookup(path ...string) *yaml.Node {
	n, _ := t.lookup(path)
	return n
}

// Has reports whether there is a value at a path.
func (t *Tree) Has(path ...string) bool {
	_, ok := t.lookup(path)
	return ok
}

// LookupKey returns the key that a path ends in; if the path ends in no key,
// what Lookup returns.
func (t *Tree) LookupKey(path ...string) *yaml.Node {
	if last := len(path) - 1; last >= 0 {
		if parent := t.Lookup(path[:last]...); parent.Kind == yaml.MappingNode {
			if e, ok := t.entries(parent)[path[last]]; ok {
				return e.key
			}
		}
	}
	return t.Lookup(path...)
}

func (t *Tree) lookup(path []string) (n *yaml.Node, found bool) {
	n = target(t.Node)
	for _, step := range path {
		next := t.child(n, step)
		if next == nil {
			return n, false
		}
		n = target(next)
	}
	return n, true
}

func (t *Tree) child(n *yaml.Node, step string) *yaml.Node {
	switch n.Kind {
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i]
		}
	case yaml.MappingNode:
		return t.entries(n)[step].value
	}
	return nil
}

// entries returns the entries of a mapping, by key. A file can have as many problems as keys,
// and each problem is looked up: searching the mapping each time would be too slow.
func (t *Tree) entries(n *yaml.Node) map[string]entry {
	if known, ok := t.mappings[n]; ok {
		return known
	}
	all := make(map[string]entry, len(n.Content)/2)
	for _, source := range []func(func(k, v *yaml.Node) bool){pairs(n), merged(n)} {
		for k, v := range source {
			if _, ok := all[k.Value]; !ok {
				all[k.Value] = entry{k, v}
			}
		}
	}
	t.mappings[n] = all
	return all
}

// At reports whether any of these problems is at the value of a path, its key or below.
func (t *Tree) At(positions Positions, path ...string) bool {
	if positions.has(t.LookupKey(path...)) {
		return true
	}
	value, ok := t.lookup(path)
	return ok && positions.within(value)
}

// Positions are the places of problems in a file.
type Positions map[[2]int]bool

// PositionsOf returns the places of problems.
func PositionsOf(problems []Problem) Positions {
	all := make(Positions, len(problems))
	for _, p := range problems {
		all[[2]int{p.Line, p.Column}] = true
	}
	return all
}

func (p Positions) has(n *yaml.Node) bool { return p[[2]int{n.Line, n.Column}] }

func (p Positions) within(n *yaml.Node) bool {
	return p.has(n) || n.Kind == yaml.AliasNode && p.within(n.Alias) || slices.ContainsFunc(n.Content, p.within)
}

// MaxProblems is how many problems of a file are listed.
const MaxProblems = 100

// Limit returns the first MaxProblems of sorted problems, and one that says how many it left out.
func Limit(problems []Problem) []Problem {
	rest := len(problems) - MaxProblems
	if rest <= 0 {
		return problems
	}
	more := Problem{
		File:    problems[0].File,
		Summary: "and " + strconv.Itoa(rest) + " more problems",
		Hint:    "correct these first: that may settle others",
	}
	return append(problems[:MaxProblems:MaxProblems], more)
}

// Join returns problems as one error, sorted and limited: a *multierror.Error of Problem,
// nil if there are none.
func Join(problems []Problem) error {
	var all *multierror.Error
	for _, p := range Limit(Sort(problems)) {
		all = multierror.Append(all, p)
	}
	return all.ErrorOrNil()
}
