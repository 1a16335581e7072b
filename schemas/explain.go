package schemas

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"gopkg.in/yaml.v3"
)

var (
	mu       sync.Mutex
	compiled = map[string]*jsonschema.Schema{}
)

// documents are all schemas by file name, as plain JSON. They are part of the program: one
// that does not parse or compile is a bug.
var documents = sync.OnceValue(func() map[string]any {
	all := map[string]any{}
	for _, name := range Names() {
		text, err := Text(name)
		if err != nil {
			panic(err)
		}
		if all[name+suffix], err = jsonschema.UnmarshalJSON(bytes.NewReader(text)); err != nil {
			panic(fmt.Sprintf("schema %s: %v", name, err))
		}
	}
	return all
})

// base is the URL that the schemas share, wherever the program runs.
const base = "schemas:///"

// compile returns a schema that is ready to validate with. Schemas can refer to each other by
// their file names.
func compile(name string) *jsonschema.Schema {
	mu.Lock()
	defer mu.Unlock()
	if s, ok := compiled[name]; ok {
		return s
	}
	c := jsonschema.NewCompiler()
	for file, raw := range documents() {
		if err := c.AddResource(base+file, raw); err != nil {
			panic(fmt.Sprintf("schema %s: %v", file, err))
		}
	}
	s, err := c.Compile(base + name + suffix)
	if err != nil {
		panic(fmt.Sprintf("schema %s: %v", name, err))
	}
	compiled[name] = s
	return s
}

// leaves returns the errors that have no causes of their own.
func leaves(e *jsonschema.ValidationError, found []*jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return append(found, e)
	}
	for _, c := range e.Causes {
		found = leaves(c, found)
	}
	return found
}

// wantsText reports whether the schema wants text where a scalar is not text.
func wantsText(e *jsonschema.ValidationError, n *yaml.Node) bool {
	t, ok := e.ErrorKind.(*kind.Type)
	return ok && slices.Contains(t.Want, "string") && n.Kind == yaml.ScalarNode && t.Got != "null" && t.Got != "string"
}

// explain returns a validation error in plain words, with its position.
func explain(e *jsonschema.ValidationError, tree *Tree) []Problem {
	n := tree.Lookup(e.InstanceLocation...)
	raw := document(e.SchemaURL, nil)
	schema := subschema(raw, e.SchemaURL)
	p := Problem{Line: n.Line, Column: n.Column, Hint: describe(raw, schema)}
	what := subject(tree, e.InstanceLocation)

	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		var problems []Problem
		known, _ := schema["properties"].(map[string]any)
		names := slices.Sorted(maps.Keys(known))
		for _, name := range k.Properties {
			key := tree.LookupKey(append(slices.Clone(e.InstanceLocation), name)...)
			p := Problem{Line: key.Line, Column: key.Column, Summary: fmt.Sprintf("unknown key %q", name)}
			switch near := Nearest(name, names); {
			case near != "":
				p.Hint = fmt.Sprintf("did you mean %q?", near)
			case len(names) > 0:
				p.Hint = "known here: " + strings.Join(names, ", ")
			default: // keys are by a pattern
				p.Summary, p.Hint = fmt.Sprintf("%q cannot be a key here", name), describe(raw, schema)
			}
			problems = append(problems, p)
		}
		return problems
	case *kind.Required:
		var problems []Problem
		known, _ := schema["properties"].(map[string]any)
		for _, name := range k.Missing {
			sub, _ := known[name].(map[string]any)
			problems = append(problems, Problem{Line: n.Line, Column: n.Column,
				Summary: fmt.Sprintf("%s lacks the key %q", what, name), Hint: describe(raw, sub)})
		}
		return problems
	case *kind.Type:
		var want []string
		for _, w := range k.Want {
			if w != "null" { // an empty value stands for an empty list or mapping
				want = append(want, typeWords[w])
			}
		}
		got := typeWords[k.Got]
		if k.Got == "null" {
			got = "empty"
		}
		p.Summary = fmt.Sprintf("%s is %s; it must be %s", what, got, strings.Join(want, " or "))
	case *kind.Enum:
		want := make([]string, len(k.Want))
		for i, w := range k.Want {
			want[i] = fmt.Sprint(w)
		}
		p.Summary = fmt.Sprintf("%s is %q; it must be one of %s", what, fmt.Sprint(k.Got), strings.Join(want, ", "))
		if near := Nearest(fmt.Sprint(k.Got), want); near != "" {
			p.Hint = fmt.Sprintf("did you mean %q?", near)
		}
	case *kind.Const:
		p.Summary = fmt.Sprintf("%s is %q; it must be %q", what, fmt.Sprint(k.Got), fmt.Sprint(k.Want))
	case *kind.Pattern:
		p.Summary = fmt.Sprintf("%s cannot be %q", what, k.Got)
	case *kind.MinLength:
		p.Summary = fmt.Sprintf("%s is too short: %d of at least %d characters", what, k.Got, k.Want)
	case *kind.MaxLength:
		p.Summary = fmt.Sprintf("%s is too long: %d of at most %d characters", what, k.Got, k.Want)
	case *kind.MinItems:
		p.Summary = fmt.Sprintf("%s has %d entries; it must have at least %d", what, k.Got, k.Want)
	case *kind.MaxItems:
		p.Summary = fmt.Sprintf("%s has %d entries; it must have at most %d", what, k.Got, k.Want)
	case *kind.MinProperties:
		p.Summary = fmt.Sprintf("%s has %d entries; it must have at least %d", what, k.Got, k.Want)
	case *kind.MaxProperties:
		p.Summary = fmt.Sprintf("%s has %d entries; it must have at most %d", what, k.Got, k.Want)
	case *kind.UniqueItems:
		again := tree.Lookup(append(slices.Clone(e.InstanceLocation), fmt.Sprint(k.Duplicates[1]))...)
		p.Line, p.Column = again.Line, again.Column
		p.Summary = fmt.Sprintf("%s has the same entry twice", what)
	case *kind.Minimum:
		p.Summary = fmt.Sprintf("%s is %s; it must be at least %s", what, k.Got.RatString(), k.Want.RatString())
	case *kind.Maximum:
		p.Summary = fmt.Sprintf("%s is %s; it must be at most %s", what, k.Got.RatString(), k.Want.RatString())
	case *kind.MultipleOf:
		p.Summary = fmt.Sprintf("%s is %s; it must be a multiple of %s", what, k.Got.RatString(), k.Want.RatString())
	default:
		p.Summary = what + ": " + e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
	}
	return []Problem{p}
}

var typeWords = map[string]string{
	"null": "null", "string": "text", "boolean": "true or false", "integer": "a whole number",
	"number": "a number", "array": "a list", "object": "a mapping",
}

// subject names the value at a location: by its last key, and the index behind that.
func subject(tree *Tree, location []string) string {
	last := len(location) - 1
	switch {
	case last < 0:
		return "the file"
	case last > 0 && tree.Lookup(location[:last]...).Kind == yaml.SequenceNode:
		return location[last-1] + "[" + location[last] + "]"
	}
	return location[last]
}

// document returns the schema that a URL points into, or here if it names none.
func document(location string, here any) any {
	file, _, _ := strings.Cut(location, "#")
	if raw, ok := documents()[path.Base(file)]; ok {
		return raw
	}
	return here
}

// subschema finds the part of a schema that an error's URL points at.
func subschema(raw any, location string) map[string]any {
	_, pointer, _ := strings.Cut(location, "#")
	for _, step := range strings.Split(pointer, "/")[1:] {
		if plain, err := url.PathUnescape(step); err == nil {
			step = plain
		}
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch in := raw.(type) {
		case map[string]any:
			raw = in[step]
		case []any:
			raw = nil
			if i, err := strconv.Atoi(step); err == nil && i < len(in) {
				raw = in[i]
			}
		}
	}
	m, _ := raw.(map[string]any)
	return m
}

// describe returns the description of a schema, or of the schema that it refers to.
func describe(raw any, schema map[string]any) string {
	if s, ok := schema["description"].(string); ok {
		return s
	}
	if ref, ok := schema["$ref"].(string); ok {
		raw = document(ref, raw)
		return describe(raw, subschema(raw, ref))
	}
	return ""
}

// Nearest returns the entry of known that word most likely means, or "" if none is close: a
// misspelling or two, or another case.
func Nearest(word string, known []string) string {
	best, least := "", 1+max(1, len(word)/3)
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < least && d < len(word) {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to insert, drop, change or swap with their
// neighbour to make b of a.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
