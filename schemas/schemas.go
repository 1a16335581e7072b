// Package schemas holds the JSON Schemas of the files that fwctl reads and writes. It checks
// files against them and reports all problems at once, each with its line, its column and a
// hint.
//
// It knows what a file may look like, never what it means.
package schemas

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed *.schema.json
var files embed.FS

const suffix = ".schema.json"

// Names lists the schemas by name, sorted: "desired-state", "plan", ...
func Names() []string {
	paths, err := fs.Glob(files, "*"+suffix)
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for i, p := range paths {
		paths[i] = strings.TrimSuffix(p, suffix)
	}
	return paths
}

// Text returns the JSON text of a schema (draft 2020-12).
func Text(name string) ([]byte, error) {
	b, err := files.ReadFile(name + suffix)
	if err != nil {
		return nil, fmt.Errorf("cannot find schema %q: there are %s", name, strings.Join(Names(), ", "))
	}
	return b, nil
}

// Problem is one thing that is wrong with a file.
type Problem struct {
	File    string
	Line    int // from 1; 0 if the problem is the file as a whole
	Column  int // from 1
	Summary string
	Hint    string // what to do about it, "" if the summary says it all
}

// Error returns "file:line:column: summary (hint)".
func (p Problem) Error() string {
	s := p.File
	if p.Line > 0 {
		s += fmt.Sprintf(":%d:%d", p.Line, p.Column)
	}
	s += ": " + p.Summary
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}
