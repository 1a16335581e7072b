package desired

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/schemas"
)

// Parse parses a desired state. The error holds every problem of the file at once: a
// *multierror.Error of schemas.Problem, sorted by position.
func Parse(file string, data []byte) (*State, error) {
	d, problems := parse(file, data)
	if err := schemas.Join(problems); err != nil {
		return nil, err
	}
	return d, nil
}

// Read parses a desired state, as Parse does, and loads its images, as LoadImages does. If the
// file has problems, it still loads the images that have none: the error holds the problems of
// both.
func Read(file string, data []byte, dir string) (*State, *Images, error) {
	d, problems := parse(file, data)
	if d == nil {
		return nil, nil, schemas.Join(problems)
	}
	l := newImageLoader(d, dir, problems)
	l.loadAll()
	if err := schemas.Join(append(problems, l.problems...)); err != nil {
		return nil, nil, err
	}
	return d, &l.images, nil
}

// parse returns what could be made of a file, nil if it is not valid YAML,
// and its problems.
func parse(file string, data []byte) (*State, []schemas.Problem) {
	root, problems := schemas.Check("desired-state", file, data)
	if root == nil {
		return nil, problems
	}
	digest := sha256.Sum256(data)
	d := &State{
		File: file, SHA256: hex.EncodeToString(digest[:]), root: root,
		Rollout: plan.Rollout{MaxParallel: 1},
	}
	var head struct {
		Metadata struct {
			Name string `yaml:"name"`
		} `yaml:"metadata"`
	}
	c := checker{d: d, problems: problems, fromSchema: schemas.PositionsOf(problems)}
	// What the schema has found is not reported twice. A decode that fails still fills in the
	// rest.
	if err := errors.Join(root.Decode(d), root.Decode(&head)); err != nil && len(problems) == 0 {
		c.add(nil, "the file cannot be read: "+err.Error(), "")
	}
	d.Name = head.Metadata.Name
	c.checkNames()
	d.fillIn()
	c.check()
	return d, c.problems
}

// fillIn sets the defaults of omitted values that do not depend on a device.
func (d *State) fillIn() {
	for name, m := range d.Models {
		if m.Download.Protocol == "auto" {
			m.Download.Protocol = ""
		}
		if len(m.Parts) == 0 {
			m.Parts = map[string]Part{DefaultPart: {Subenclosures: []int{0}}}
		}
		for image, i := range m.Images {
			if i.Part == "" {
				i.Part = DefaultPart
			}
			i.SHA256 = strings.ToLower(i.SHA256)
			m.Images[image] = i
		}
		d.Models[name] = m
	}
	names := map[string]string{}
	for id, name := range d.Names {
		names[inventory.NormalID(id)] = name
	}
	d.Names = names
}
