package schemas

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Fits reports whether a value, as encoding/json writes it, has no text or number that a
// schema refuses: by enum, const, pattern, length or bounds. It does not look at keys or at
// types that marshal themselves, such as times.
//
// Check says what is wrong and where, and takes seconds for a large file. Fits is for
// values that were decoded from a file and are known to have the right keys.
func Fits(schema string, value any) bool {
	v := reflect.ValueOf(value)
	fits := fitOf(schema, v.Type())
	return fits == nil || fits(v)
}

// fit reports whether a value fits. A nil fit lets all values through.
type fit func(reflect.Value) bool

type fitKey struct {
	schema string
	t      reflect.Type
}

var fitsByType sync.Map // fitKey to fit

func fitOf(schema string, t reflect.Type) fit {
	key := fitKey{schema, t}
	if known, ok := fitsByType.Load(key); ok {
		return known.(fit)
	}
	root, _ := documents()[schema+suffix].(map[string]any)
	f := newFit(root, root, t)
	fitsByType.Store(key, f)
	return f
}

var marshaler = reflect.TypeFor[json.Marshaler]()

// newFit compiles what a node of a schema requires of values of a type.
func newFit(root, node map[string]any, t reflect.Type) fit {
	if ref, ok := node["$ref"].(string); ok {
		defs, _ := root["$defs"].(map[string]any)
		node, _ = defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	if t.Implements(marshaler) {
		return nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		return pointerFit(newFit(root, node, t.Elem()))
	case reflect.Struct:
		return structFit(root, node, t)
	case reflect.Slice:
		return sliceFit(root, node, t)
	case reflect.Map:
		return mapFit(root, node, t)
	case reflect.String:
		return textFit(node)
	case reflect.Int, reflect.Int64:
		return numberFit(node)
	}
	return nil
}

func pointerFit(of fit) fit {
	if of == nil {
		return nil
	}
	return func(v reflect.Value) bool { return v.IsNil() || of(v.Elem()) }
}

// structFit looks at the fields that the schema constrains. A field that is omitted if it is
// zero fits then.
func structFit(root, node map[string]any, t reflect.Type) fit {
	type field struct {
		index    int
		optional bool
		fits     fit
	}
	properties, _ := node["properties"].(map[string]any)
	var fields []field
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		property, ok := properties[name].(map[string]any)
		if !ok {
			continue
		}
		if fits := newFit(root, property, t.Field(i).Type); fits != nil {
			fields = append(fields, field{i, options == "omitempty", fits})
		}
	}
	if len(fields) == 0 {
		return nil
	}
	return func(v reflect.Value) bool {
		for _, f := range fields {
			if value := v.Field(f.index); !(f.optional && value.IsZero()) && !f.fits(value) {
				return false
			}
		}
		return true
	}
}

func sliceFit(root, node map[string]any, t reflect.Type) fit {
	items, _ := node["items"].(map[string]any)
	of := newFit(root, items, t.Elem())
	least, bounded := number(node, "minItems")
	unique, _ := node["uniqueItems"].(bool)
	if of == nil && !bounded && !unique {
		return nil
	}
	return func(v reflect.Value) bool {
		if int64(v.Len()) < least {
			return false
		}
		for i := range v.Len() {
			item := v.Index(i)
			if of != nil && !of(item) {
				return false
			}
			for k := 0; unique && k < i; k++ {
				if v.Index(k).Equal(item) {
					return false
				}
			}
		}
		return true
	}
}

func mapFit(root, node map[string]any, t reflect.Type) fit {
	values, _ := node["additionalProperties"].(map[string]any)
	names, _ := node["propertyNames"].(map[string]any)
	value, name := newFit(root, values, t.Elem()), textFit(names)
	if value == nil && name == nil {
		return nil
	}
	return func(v reflect.Value) bool {
		for entries := v.MapRange(); entries.Next(); {
			if name != nil && !name(entries.Key()) || value != nil && !value(entries.Value()) {
				return false
			}
		}
		return true
	}
}

func textFit(node map[string]any) fit {
	var allowed []string
	if one, ok := node["const"].(string); ok {
		allowed = []string{one}
	}
	all, _ := node["enum"].([]any)
	for _, one := range all {
		if text, ok := one.(string); ok {
			allowed = append(allowed, text)
		}
	}
	var pattern *regexp.Regexp
	if text, ok := node["pattern"].(string); ok {
		pattern = regexp.MustCompile(text)
	}
	least, _ := number(node, "minLength")
	if allowed == nil && pattern == nil && least == 0 {
		return nil
	}
	return func(v reflect.Value) bool {
		text := v.String()
		return (allowed == nil || slices.Contains(allowed, text)) &&
			(least == 0 || int64(len(text)) >= least) &&
			(pattern == nil || pattern.MatchString(text))
	}
}

func numberFit(node map[string]any) fit {
	least, hasLeast := number(node, "minimum")
	most, hasMost := number(node, "maximum")
	unit, hasUnit := number(node, "multipleOf")
	if !hasLeast && !hasMost && !hasUnit {
		return nil
	}
	return func(v reflect.Value) bool {
		n := v.Int()
		return (!hasLeast || n >= least) && (!hasMost || n <= most) && (!hasUnit || n%unit == 0)
	}
}

// number returns a whole number from a schema.
func number(node map[string]any, key string) (n int64, ok bool) {
	text, ok := node[key].(json.Number)
	if !ok {
		return 0, false
	}
	n, err := text.Int64()
	return n, err == nil
}
