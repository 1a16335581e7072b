// Package desired reads desired states: it parses and checks them, loads the images that they
// name, and writes a first one (Init). It holds the built-in quirk table, whose rows a desired
// state may replace.
//
// It never looks at an enclosure to decide anything: plan/build decides what a desired state
// means for each.
package desired

import (
	"fmt"

	"fwctl/internal/window"
	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/schemas"
)

// State is a desired state file, checked and with its defaults filled in.
type State struct {
	File     string            `yaml:"-"` // as it was named, for messages
	SHA256   string            `yaml:"-"` // of the file, 64 hex digits
	Name     string            `yaml:"-"` // metadata.name
	Models   map[string]Model  `yaml:"models"`
	Want     []Want            `yaml:"want"`  // as in the file
	Names    map[string]string `yaml:"names"` // names of enclosures by their identifier; hex digits in lower case
	Policies map[string]Policy `yaml:"policies"`
	Rollout  plan.Rollout      `yaml:"rollout"`
	Notify   plan.Command      `yaml:"notify"` // nil: nobody is notified

	Except []Exception `yaml:"except"`
	// Quirks come before the built-in table.
	Quirks []Quirk `yaml:"quirks"`
	// FaultDomains are enclosures that belong together beyond what inventories show.
	FaultDomains [][]inventory.Selector   `yaml:"faultDomains"`
	Windows      map[string]window.Window `yaml:"windows"`

	root *schemas.Tree // where it was read from, for positions; nil if it comes from no file
}

// Want says that the components of a model's part should run an image.
type Want struct {
	Model      string               `yaml:"model"`
	Image      string               `yaml:"image"`
	Policy     string               `yaml:"policy"`     // "": DefaultPolicy
	Enclosures []inventory.Selector `yaml:"enclosures"` // the components that it covers; nil: all
}

// Exception leaves components alone.
type Exception struct {
	Enclosure inventory.Selector `yaml:"enclosure"`
	Reason    string             `yaml:"reason"`
	Until     string             `yaml:"until"` // the last day it holds, in UTC, "2006-01-02"
}

// At returns a problem to fill in, with the position of a path in the file.
func (d *State) At(path ...string) schemas.Problem {
	p := schemas.Problem{File: d.File}
	if d.root != nil {
		n := d.root.Lookup(path...)
		p.Line, p.Column = n.Line, n.Column
	}
	return p
}

// WantName names a want: want 2 (acme60, iom-1100).
func (d *State) WantName(i int) string {
	w := d.Want[i]
	return fmt.Sprintf("want %d (%s, %s)", i+1, w.Model, w.Image)
}
