package schemas

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// Check reads a YAML or JSON file and compares it with a schema by name, which must be one
// of Names. The tree is the document. It is nil if the file is not valid YAML (a duplicate
// key is not), but not if the file merely does not fit the schema. The problems are sorted
// by position; none means that the file fits.
//
// Where the schema wants text, Check accepts numbers, booleans and dates as they are
// written: yaml.v3 decodes such a node into a Go string unchanged, so 0430 stays "0430".
// Null is never text. Text may have only printable characters, line feeds and tabs: it is
// printed on terminals and in reviews.
func Check(schema, file string, data []byte) (*Tree, []Problem) {
	var tree *Tree
	root, problems := parse(data)
	if len(problems) == 0 {
		tree = newTree(root)
		problems = append(hidden(root), validate(schema, tree, build(root))...)
	}
	for i := range problems {
		problems[i].File = file
	}
	return tree, Sort(problems)
}

// Sort sorts problems by position and drops duplicates: an alias repeats the problems of
// its anchor.
func Sort(problems []Problem) []Problem {
	slices.SortFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Summary, b.Summary), cmp.Compare(a.Hint, b.Hint))
	})
	return slices.Compact(problems)
}

// parse reads the one document of a file.
//
// It also decodes the document into plain values and discards them: only that finds aliases
// that multiply without end. After that it is safe to follow aliases.
func parse(data []byte) (*yaml.Node, []Problem) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, []Problem{{Summary: "the file is empty"}}
	case err != nil:
		return nil, yamlProblems(data, err)
	}
	switch err := d.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, yamlProblems(data, err)
	default:
		return nil, []Problem{{Line: second.Line, Column: second.Column,
			Summary: "a second document starts here", Hint: "a file holds one document: split it at the line ---"}}
	}
	if p := oversized(&doc); p != nil {
		return nil, []Problem{*p}
	}
	if problems := unsound(&doc, nil); len(problems) > 0 {
		return nil, problems
	}
	var plain any
	if err := doc.Decode(&plain); err != nil {
		return nil, yamlProblems(data, err)
	}
	return doc.Content[0], nil
}

// maxEntries bounds a mapping: yaml.v3 compares each key with every other one.
const maxEntries = 20_000

// oversized returns the problem of the first mapping that has too many entries, or nil.
func oversized(n *yaml.Node) *Problem {
	if entries := len(n.Content) / 2; n.Kind == yaml.MappingNode && entries > maxEntries {
		return &Problem{Line: n.Line, Column: n.Column,
			Summary: fmt.Sprintf("the mapping that begins here has %d entries, more than %d", entries, maxEntries),
			Hint:    "split the file: one desired state for each site"}
	}
	for _, c := range n.Content {
		if p := oversized(c); p != nil {
			return p
		}
	}
	return nil
}

// unsound finds what yaml.v3 refuses to decode: duplicate keys, by its own comparison, keys
// that are not text, merges of something that is not a mapping, and anchors that contain
// themselves. It follows an alias only to its anchor: the document may have no end. within
// are the nodes around n.
func unsound(n *yaml.Node, within []*yaml.Node) []Problem {
	type key struct {
		kind  yaml.Kind
		value string
	}
	var problems []Problem
	if n.Kind == yaml.AliasNode && slices.Contains(within, n.Alias) {
		return []Problem{{Line: n.Alias.Line, Column: n.Alias.Column,
			Summary: fmt.Sprintf("this is not valid YAML: anchor '%s' value contains itself", n.Value),
			Hint:    "an anchor cannot be used inside the value that it names"}}
	}
	within = append(within, n)
	lines := map[key]int{}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			k := key{c.Kind, c.Value}
			line, twice := lines[k]
			switch value := n.Content[i+1]; {
			case target(c).Kind != yaml.ScalarNode:
				problems = append(problems,
					Problem{Line: c.Line, Column: c.Column, Summary: "a key is a list or a mapping; it must be text",
						Hint: "quote text that begins with [ or {"})
			case twice:
				problems = append(problems, Problem{Line: c.Line, Column: c.Column,
					Summary: fmt.Sprintf("duplicate key %q", c.Value),
					Hint:    fmt.Sprintf("the first is in line %d: keep one of them", line)})
			case c.ShortTag() == "!!merge" && !mergeable(value):
				problems = append(
					problems,
					Problem{Line: value.Line, Column: value.Column,
						Summary: "<< merges something that is not a mapping",
						Hint:    "name the anchor of a mapping, or list such anchors: <<: [*a, *b]"},
				)
			}
			if !twice {
				lines[k] = c.Line
			}
		}
		problems = append(problems, unsound(c, within)...)
	}
	return problems
}

// mergeable reports whether yaml.v3 merges a value: a mapping, or a literal list of mappings.
func mergeable(value *yaml.Node) bool {
	if value.Kind == yaml.SequenceNode {
		return !slices.ContainsFunc(value.Content, func(s *yaml.Node) bool {
			return target(s).Kind != yaml.MappingNode
		})
	}
	return target(value).Kind == yaml.MappingNode
}

// hidden finds text that does not mean what it shows: control characters, which terminals
// obey, marks that turn the direction of writing, unusual blanks, text in base64, and empty
// keys.
func hidden(n *yaml.Node) []Problem {
	var problems []Problem
	add := func(n *yaml.Node, summary, hint string) {
		problems = append(problems, Problem{Line: n.Line, Column: n.Column, Summary: summary, Hint: hint})
	}
	if i := strings.IndexFunc(n.Value, func(r rune) bool {
		return r != '\n' && r != '\t' && !unicode.IsPrint(r)
	}); n.Kind == yaml.ScalarNode && i >= 0 {
		r, _ := utf8.DecodeRuneInString(n.Value[i:])
		add(n, fmt.Sprintf("it has a character that cannot be shown: %U", r), "remove it, or write what it stands for")
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!binary" {
		add(n, "!!binary hides the text", "write the text itself")
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && target(c).ShortTag() == "!!null" {
			add(c, "a key is empty; it must be text", "write a name; quote it if it is meant as text, as in \"null\"")
		}
		problems = append(problems, hidden(c)...)
	}
	return problems
}

var (
	yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
	// yaml.v3 counts the lines of its parser's errors, unlike its scanner's, from 0.
	fromZero = regexp.MustCompile(`^did not find expected (<document start>|node content|` +
		`key|'-' indicator|',' or '[\]}]')$`)
	// yaml.v3 reports this without a line, and before there are nodes.
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// yamlProblems gives yaml.v3's errors a position.
func yamlProblems(data []byte, err error) []Problem {
	lines := []string{err.Error()}
	var columns []int
	if typed := (*yaml.TypeError)(nil); errors.As(err, &typed) {
		lines = typed.Errors
	}
	var problems []Problem
	for _, text := range lines {
		p := Problem{Line: 1, Column: 1, Summary: strings.TrimPrefix(text, "yaml: ")}
		if m := yamlLine.FindStringSubmatch(text); m != nil {
			p.Line, _ = strconv.Atoi(m[1])
			p.Summary = m[2]
			if fromZero.MatchString(p.Summary) {
				p.Line++
			}
			if columns == nil {
				columns = firstColumns(data)
			}
			p.Column = columns[min(p.Line, len(columns)-1)]
		} else if m := unknownAnchor.FindStringSubmatch(p.Summary); m != nil {
			p.Line, p.Column = firstAlias(data, m[1])
		}
		switch {
		case strings.HasSuffix(p.Summary, "UTF-8 octet"):
			p.Line, p.Column = firstForeign(data)
			p.Hint = "save the file as UTF-8"
		case p.Summary == "control characters are not allowed":
			p.Line, p.Column = firstForeign(data)
			p.Hint = "remove it"
		case strings.Contains(p.Summary, "excessive aliasing"):
			p.Hint = "write out the repeated parts"
		case strings.Contains(p.Summary, "cannot start any token"):
			p.Hint = "indent YAML with blanks, not tabs, and quote text that begins with @, ` or %"
		default:
			p.Hint = "check this line and its neighbours for a missing colon, quote or bracket, or for wrong " +
				"indentation"
		}
		p.Summary = "this is not valid YAML: " + p.Summary
		problems = append(problems, p)
	}
	return problems
}

// firstForeign returns the position of the first byte that is not valid UTF-8, or of the
// first control character that YAML does not allow.
func firstForeign(data []byte) (line, column int) {
	good := 0
	for good < len(data) {
		r, size := utf8.DecodeRune(data[good:])
		if r == utf8.RuneError && size == 1 || unicode.IsControl(r) && !strings.ContainsRune("\t\n\r", r) {
			break
		}
		good += size
	}
	return position(data[:good])
}

// firstAlias returns the position of the first *alias of a name, or that of the file if there
// is none.
func firstAlias(data []byte, name string) (line, column int) {
	at := regexp.MustCompile(`(?m)` + regexp.QuoteMeta("*"+name) + `([\s,:\]}]|$)`).FindIndex(data)
	if at == nil {
		return 1, 1
	}
	return position(data[:at[0]])
}

// position returns the position behind a text.
func position(before []byte) (line, column int) {
	return 1 + bytes.Count(before, []byte("\n")), 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
}

// firstColumns returns the columns in which the text of each line begins, from line 1 on; the
// last one is for lines behind the end.
func firstColumns(data []byte) []int {
	columns := []int{1}
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		columns = append(columns, len(line)-len(bytes.TrimLeft(line, " \t"))+1)
	}
	return append(columns, 1)
}

// build turns nodes into the values that a JSON parser would return. It applies merge keys;
// dates and the like are text.
func build(n *yaml.Node) any {
	switch n = target(n); n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for k, v := range pairs(n) {
			m[k.Value] = build(v)
		}
		for k, v := range merged(n) {
			if _, ok := m[k.Value]; !ok {
				m[k.Value] = build(v)
			}
		}
		return m
	case yaml.SequenceNode:
		a := make([]any, len(n.Content))
		for i, c := range n.Content {
			a[i] = build(c)
		}
		return a
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool", "!!int", "!!float":
		var v any
		if err := n.Decode(&v); err != nil {
			return n.Value
		}
		if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return n.Value // JSON has no such numbers
		}
		return v
	}
	return n.Value
}

// validate compares an instance with a schema.
//
// Only the schema knows which values are meant as text, and only YAML knows which scalars
// are numbers. The first round therefore presents numbers as numbers. Where the schema
// answers that it wants a string, the next round presents the text of the file, letter by
// letter, and patterns and lengths apply to that.
func validate(schema string, tree *Tree, instance any) []Problem {
	compiled := compile(schema)
	for {
		err := compiled.Validate(instance)
		if err == nil {
			return nil
		}
		var problems []Problem
		again := false
		for _, leaf := range leaves(err.(*jsonschema.ValidationError), nil) {
			if n := tree.Lookup(leaf.InstanceLocation...); wantsText(leaf, n) {
				instance = replace(instance, leaf.InstanceLocation, n.Value)
				again = true
				continue
			}
			problems = append(problems, explain(leaf, tree)...)
		}
		if !again {
			return problems
		}
	}
}

// replace puts a value in at a location.
func replace(instance any, location []string, value string) any {
	if len(location) == 0 {
		return value
	}
	switch in := instance.(type) {
	case map[string]any:
		in[location[0]] = replace(in[location[0]], location[1:], value)
	case []any:
		i, err := strconv.Atoi(location[0])
		if err != nil {
			panic(err) // the location comes from this instance
		}
		in[i] = replace(in[i], location[1:], value)
	}
	return instance
}

// target follows an alias.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// pairs returns the keys and values in a mapping itself.
func pairs(n *yaml.Node) func(yield func(k, v *yaml.Node) bool) {
	return func(yield func(k, v *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if k := target(n.Content[i]); k.ShortTag() != "!!merge" && !yield(k, n.Content[i+1]) {
				return
			}
		}
	}
}

// merged returns the keys and values that the merge keys (<<) of a mapping add, in order of
// precedence.
func merged(n *yaml.Node) func(yield func(k, v *yaml.Node) bool) {
	return func(yield func(k, v *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].ShortTag() != "!!merge" {
				continue
			}
			from := target(n.Content[i+1])
			sources := []*yaml.Node{from}
			if from.Kind == yaml.SequenceNode {
				sources = from.Content
			}
			for _, s := range sources {
				for k, v := range pairs(target(s)) {
					if !yield(k, v) {
						return
					}
				}
				for k, v := range merged(target(s)) {
					if !yield(k, v) {
						return
					}
				}
			}
		}
	}
}
