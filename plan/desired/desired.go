// Package desired reads desired states: it parses and checks them, loads the images that
// they name, writes a first one (Init), and holds the built-in quirk table, of which a
// desired state may replace rows.
//
// It never looks at an enclosure to decide anything: what a desired state comes to is
// for plan/build.
package desired

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"fwctl/internal/glob"
	"fwctl/internal/window"
	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/schemas"
)

// State is what a desired state file says, checked and with its defaults
// filled in.
type State struct {
	File     string            `yaml:"-"` // as it was named, for messages
	SHA256   string            `yaml:"-"` // of the file, 64 hex digits
	Name     string            `yaml:"-"` // metadata.name
	Models   map[string]Model  `yaml:"models"`
	Want     []Want            `yaml:"want"`  // as in the file
	Names    map[string]string `yaml:"names"` // names of enclosures by their identifier; hex digits in lower case
	Policies map[string]Policy `yaml:"policies"`
	Rollout  plan.Rollout      `yaml:"rollout"`

	Except       []Exception              `yaml:"except"`
	Quirks       []Quirk                  `yaml:"quirks"`       // come before the built-in table
	FaultDomains [][]inventory.Selector   `yaml:"faultDomains"` // enclosures that belong together beyond what is found out
	Windows      map[string]window.Window `yaml:"windows"`

	root *schemas.Tree // where it was read from, for positions; nil where it comes from no file
}

// Model is what is known of one product: facts from its release notes.
type Model struct {
	Match      Match                 `yaml:"match"`
	ESPs       int                   `yaml:"esps"` // ESPs of one enclosure; 0: as reported
	Download   Download              `yaml:"download"`
	Activation ActivationRule        `yaml:"activation"`
	Parts      map[string]Part       `yaml:"parts"`
	Order      []string              `yaml:"order"` // revisions, earliest first; the only order that revisions have
	Images     map[string]ModelImage `yaml:"images"`
}

// Match holds globs on page 01h's primary subenclosure. An empty one matches anything.
type Match struct {
	Vendor  string `yaml:"vendor"`
	Product string `yaml:"product"`
}

// Fits reports whether a device is of this vendor and product.
func (m Match) Fits(vendor, product string) bool {
	return fits(m.Vendor, vendor) && fits(m.Product, product)
}

// fits reports whether a pattern matches a text; an empty one matches any.
func fits(pattern, text string) bool { return pattern == "" || glob.Match(pattern, text) }

// Download is how a model takes microcode. What is zero is filled in from the
// quirk table, else from the defaults, by Build.
type Download struct {
	Protocol     plan.Protocol `yaml:"protocol"` // "" or "auto": what the ESP supports
	ChunkSize    int           `yaml:"chunkSize"`
	BufferID     int           `yaml:"bufferID"`
	FlashTimeout plan.Duration `yaml:"flashTimeout"`
}

// ActivationRule is how a model starts deferred microcode, and what a reset takes
// down. What is zero is filled in like Download.
type ActivationRule struct {
	By            plan.ActivateBy `yaml:"by"`
	Scope         Scope           `yaml:"scope"`
	Settle        plan.Duration   `yaml:"settle"`
	ReturnTimeout plan.Duration   `yaml:"returnTimeout"`
}

// Scope is what a reset takes down.
type Scope string

const (
	ESPScope       Scope = "esp"
	EnclosureScope Scope = "enclosure"
)

// Part is a set of subenclosures that take the same images.
type Part struct {
	Subenclosures []int          `yaml:"subenclosures"`
	Activation    ActivationRule `yaml:"activation"` // what it leaves out is as the model has it
}

// DefaultPart is the part of images that name none, and the only one of models
// that have none: subenclosure 0.
const DefaultPart = "iom"

// ModelImage is one image of a model.
type ModelImage struct {
	Part      string      `yaml:"part"`
	File      string      `yaml:"file"`      // as written
	SHA256    string      `yaml:"sha256"`    // 64 lower-case hex digits
	Opaque    bool        `yaml:"opaque"`    // devices take the file though it looks like a container or a text
	Signature string      `yaml:"signature"` // file of its minisign signature, as written; "" where it has none
	Revision  string      `yaml:"revision"`
	From      []string    `yaml:"from"`        // globs on the revision it starts from; nil: any
	Modes     []plan.Mode `yaml:"modes"`       // what the vendor supports
	BufferID  int         `yaml:"bufferID"`    // that takes it; 0: the model's
	NoVersion bool        `yaml:"unversioned"` // the part that it is for reports no revision, and Revision is ""
}

// Want says that the components of a model's part should run an image.
type Want struct {
	Model      string               `yaml:"model"`
	Image      string               `yaml:"image"`
	Policy     string               `yaml:"policy"`     // "": DefaultPolicy
	Enclosures []inventory.Selector `yaml:"enclosures"` // the components that it covers; nil: all
}

// Policy is what may be done to a component.
type Policy struct {
	Reset            plan.Reset      `yaml:"reset"`
	Activate         plan.Activation `yaml:"activate"`
	Windows          PolicyWindows   `yaml:"windows"`
	Downgrade        Downgrade       `yaml:"downgrade"`
	RequireAllESPs   bool            `yaml:"requireAllESPs"`
	RequireHealthy   bool            `yaml:"requireHealthy"`
	Waive            []Waiver        `yaml:"waive"`
	Hooks            *plan.Hooks     `yaml:"hooks"`            // around each reset; nil: none
	RequireSignature []string        `yaml:"requireSignature"` // minisign public keys, of which one must have signed the image; none: no signature is needed
}

// PolicyWindows are the names of the windows in which something may be done;
// none: at any time.
type PolicyWindows struct {
	Stage []string `yaml:"stage"`
	Reset []string `yaml:"reset"`
}

// Waiver lets a failure be there.
type Waiver struct {
	Element string `yaml:"element"` // name of the element, as the enclosure calls it
	Reason  string `yaml:"reason"`
	Until   string `yaml:"until"` // the last day it holds, in UTC, "2006-01-02"
}

// Exception leaves components alone.
type Exception struct {
	Enclosure inventory.Selector `yaml:"enclosure"`
	Reason    string             `yaml:"reason"`
	Until     string             `yaml:"until"` // the last day it holds, in UTC, "2006-01-02"
}

// Downgrade says whether a component may go to an earlier entry of its model's order.
type Downgrade string

const (
	DowngradeForbid Downgrade = "forbid"
	DowngradeOrder  Downgrade = "order" // along the model's order, both ways
)

// DefaultPolicy is the safe one: nothing is reset, and what is downloaded is left staged.
func DefaultPolicy() Policy {
	return Policy{Reset: plan.ResetNever, Activate: plan.Manual, Downgrade: DowngradeForbid, RequireAllESPs: true, RequireHealthy: true}
}

// UnmarshalYAML fills in what a policy leaves out.
func (p *Policy) UnmarshalYAML(n *yaml.Node) error {
	type plain Policy // without this method
	*p = DefaultPolicy()
	return n.Decode((*plain)(p))
}

// Parse reads a desired state. The error holds every problem of the
// file at once: a *multierror.Error of schemas.Problem, sorted by position.
func Parse(file string, data []byte) (*State, error) {
	d, problems := parse(file, data)
	if err := schemas.Join(problems); err != nil {
		return nil, err
	}
	return d, nil
}

// Read reads a desired state, as ParseDesiredState does, and its images,
// as LoadImages does. Of a file with problems, the images are looked at that have
// none: the error holds their problems too.
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
	// What the schema has found already is not told twice: a decode that fails
	// goes on with what it could make of the rest.
	if err := errors.Join(root.Decode(d), root.Decode(&head)); err != nil && len(problems) == 0 {
		c.add(nil, "the file cannot be read: "+err.Error(), "")
	}
	d.Name = head.Metadata.Name
	c.checkNames()
	d.fillIn()
	c.check()
	return d, c.problems
}

// At is the position of what stands at a path in the file, as a problem to fill in.
func (d *State) At(path ...string) schemas.Problem {
	p := schemas.Problem{File: d.File}
	if d.root != nil {
		n := d.root.Lookup(path...)
		p.Line, p.Column = n.Line, n.Column
	}
	return p
}

// fillIn gives what was left out its default, where that does not depend on a device.
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

// StartsAt tells whether an image goes onto a revision in one hop.
func (i ModelImage) StartsAt(revision string) bool {
	return i.From == nil || slices.ContainsFunc(i.From, func(from string) bool { return glob.Match(from, revision) })
}

// StartsAtItself reports whether the image's from names its own revision: it then goes onto
// what reports that already.
func (i ModelImage) StartsAtItself() bool { return slices.Contains(i.From, i.Revision) }

// WantName names a want: want 2 (acme60, iom-1100).
func (d *State) WantName(i int) string {
	w := d.Want[i]
	return fmt.Sprintf("want %d (%s, %s)", i+1, w.Model, w.Image)
}
