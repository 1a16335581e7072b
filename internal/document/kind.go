// Package document reads input files within bounds, and recognises the kinds of
// document that fwctl reads and writes. It never looks at what a document means.
package document

import (
	"bytes"
	"encoding/json"
	"regexp"
)

// Kind is the kind that a document states in its key "kind".
type Kind string

const (
	Capture      Kind = "Capture"
	DesiredState Kind = "DesiredState"
	Explanation  Kind = "Explanation"
	History      Kind = "History"
	Inventory    Kind = "Inventory"
	Plan         Kind = "Plan"
	Quirks       Kind = "Quirks"
	Rack         Kind = "Rack"
	Rehearsal    Kind = "Rehearsal"
	Status       Kind = "Status"
	Verification Kind = "Verification"
)

var names = map[Kind]string{
	Capture: "a capture", DesiredState: "a desired state", Explanation: "an explanation", History: "a history",
	Inventory: "an inventory", Plan: "a plan", Quirks: "a quirk table", Rack: "a rack",
	Rehearsal: "a rehearsal", Status: "a status", Verification: "a verification",
}

// String names the kind with its article: "a plan".
func (k Kind) String() string { return names[k] }

// Of returns the kind of a document, or "" if it is not a document of fwctl. The beginning
// of a file is enough if it has the key: data may end anywhere.
func Of(data []byte) Kind {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	var kind Kind
	if bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		kind = ofJSON(data)
	} else {
		kind = ofYAML(data)
	}
	if _, ok := names[kind]; !ok {
		return ""
	}
	return kind
}

// ofJSON reads the keys of the outermost object until the kind is certain: other programs
// have files with a "kind" too, but not with our versions.
func ofJSON(data []byte) Kind {
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return ""
	}
	var kind Kind
	versioned := false
	for d.More() && (kind == "" || !versioned) {
		key, err := d.Token()
		if err != nil {
			return ""
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return ""
		}
		switch key {
		case "kind":
			if json.Unmarshal(value, &kind) != nil {
				return ""
			}
		case "format_version", "apiVersion":
			versioned = true
		}
	}
	if !versioned {
		return ""
	}
	return kind
}

// yamlKind is a key in the first column.
var yamlKind = regexp.MustCompile(`(?m)^["']?kind["']?[ \t]*:[ \t]*["']?(\w+)["']?[ \t]*(?:[#\r].*)?$`)

func ofYAML(data []byte) Kind {
	m := yamlKind.FindSubmatch(data)
	if m == nil {
		return ""
	}
	return Kind(m[1])
}
