package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"
	"gopkg.in/yaml.v3"

	"fwctl/internal/image"
	"fwctl/internal/window"
	"fwctl/schemas"
)

// DesiredState is what a desired state file says, checked and with its defaults
// filled in.
type DesiredState struct {
	File     string            `yaml:"-"` // as it was named, for messages
	SHA256   string            `yaml:"-"` // of the file, 64 hex digits
	Name     string            `yaml:"-"` // metadata.name
	Models   map[string]Model  `yaml:"models"`
	Want     []Want            `yaml:"want"`  // as in the file
	Names    map[string]string `yaml:"names"` // names of enclosures by their identifier; hex digits in lower case
	Policies map[string]Policy `yaml:"policies"`
	Rollout  Rollout           `yaml:"rollout"`

	Except       []Exception              `yaml:"except"`
	FaultDomains [][]string               `yaml:"faultDomains"` // enclosures, by identifier or name, that belong together beyond what is found out
	Windows      map[string]window.Window `yaml:"windows"`

	root *yaml.Node // where it was read from, for positions; nil where it comes from no file
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

// Download is how a model takes microcode. What is zero is filled in from the
// quirk table, else from the defaults, by Build.
type Download struct {
	Protocol     Protocol `yaml:"protocol"` // "" or "auto": what the ESP supports
	ChunkSize    int      `yaml:"chunkSize"`
	BufferID     int      `yaml:"bufferID"`
	FlashTimeout Duration `yaml:"flashTimeout"`
}

// ActivationRule is how a model starts deferred microcode, and what a reset takes
// down. What is zero is filled in like Download.
type ActivationRule struct {
	By            ActivateBy `yaml:"by"`
	Scope         Scope      `yaml:"scope"`
	Settle        Duration   `yaml:"settle"`
	ReturnTimeout Duration   `yaml:"returnTimeout"`
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
	Part      string   `yaml:"part"`
	File      string   `yaml:"file"`      // as written
	SHA256    string   `yaml:"sha256"`    // 64 lower-case hex digits
	Signature string   `yaml:"signature"` // file of its minisign signature, as written; "" where it has none
	Revision  string   `yaml:"revision"`
	From      []string `yaml:"from"`  // globs on the revision it starts from; nil: any
	Modes     []Mode   `yaml:"modes"` // what the vendor supports
}

// Want says that the components of a model's part should run an image.
type Want struct {
	Model      string   `yaml:"model"`
	Image      string   `yaml:"image"`
	Policy     string   `yaml:"policy"`     // "": DefaultPolicy
	Enclosures []string `yaml:"enclosures"` // globs on identifier or name; nil: all
}

// Policy is what may be done to a component.
type Policy struct {
	Reset            Reset         `yaml:"reset"`
	Activate         Activation    `yaml:"activate"`
	Windows          PolicyWindows `yaml:"windows"`
	Downgrade        Downgrade     `yaml:"downgrade"`
	RequireAllESPs   bool          `yaml:"requireAllESPs"`
	RequireHealthy   bool          `yaml:"requireHealthy"`
	Waive            []Waiver      `yaml:"waive"`
	RequireSignature []string      `yaml:"requireSignature"` // minisign public keys, of which one must have signed the image; none: no signature is needed
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
	Until   string `yaml:"until"` // the last day it holds, "2006-01-02"
}

// Exception leaves enclosures alone.
type Exception struct {
	Enclosure string `yaml:"enclosure"` // glob on identifier or name
	Reason    string `yaml:"reason"`
	Until     string `yaml:"until"` // the last day it holds, "2006-01-02"
}

// Downgrade says whether a component may go to an earlier entry of its model's order.
type Downgrade string

const (
	DowngradeForbid Downgrade = "forbid"
	DowngradeOrder  Downgrade = "order" // along the model's order, both ways
)

// Reset says whether an ESP may be reset.
type Reset string

const (
	ResetNever     Reset = "never"
	ResetIdle      Reset = "idle"      // where no drive of the fault domain is in use on any host of the plan
	ResetRedundant Reset = "redundant" // where every drive in use keeps a live path that its user really uses
	ResetAlways    Reset = "always"    // permitted at review
)

// DefaultPolicy is the safe one: nothing is reset, and what is downloaded is left staged.
func DefaultPolicy() Policy {
	return Policy{Reset: ResetNever, Activate: Manual, Downgrade: DowngradeForbid, RequireAllESPs: true, RequireHealthy: true}
}

// UnmarshalYAML fills in what a policy leaves out.
func (p *Policy) UnmarshalYAML(n *yaml.Node) error {
	type plain Policy // without this method
	*p = DefaultPolicy()
	return n.Decode((*plain)(p))
}

// UnmarshalYAML reads a duration as people write it: "45m".
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	*d = Duration(v)
	return err
}

// ParseDesiredState reads a desired state. The error holds every problem of the
// file at once: a *multierror.Error of schemas.Problem, sorted by position.
func ParseDesiredState(file string, data []byte) (*DesiredState, error) {
	root, problems := schemas.Check("desired-state", file, data)
	if root == nil {
		return nil, asError(problems)
	}
	digest := sha256.Sum256(data)
	d := &DesiredState{
		File: file, SHA256: hex.EncodeToString(digest[:]), root: root,
		Rollout: Rollout{MaxParallel: 1},
	}
	var head struct {
		Metadata struct {
			Name string `yaml:"name"`
		} `yaml:"metadata"`
	}
	c := checker{d: d, problems: problems, fromSchema: len(problems)}
	// What the schema has found already is not told twice: a decode that fails
	// goes on with what it could make of the rest.
	if err := errors.Join(root.Decode(d), root.Decode(&head)); err != nil && len(problems) == 0 {
		c.add(nil, "the file cannot be read: "+err.Error(), "")
	}
	d.Name = head.Metadata.Name
	c.notYet()
	c.fillIn()
	c.check()
	if err := asError(c.problems); err != nil {
		return nil, err
	}
	return d, nil
}

func asError(problems []schemas.Problem) error {
	var all *multierror.Error
	for _, p := range schemas.Sort(problems) {
		all = multierror.Append(all, p)
	}
	return all.ErrorOrNil()
}

// at is the position of what stands at a path in the file, as a problem to fill in.
func (d *DesiredState) at(path ...string) schemas.Problem {
	p := schemas.Problem{File: d.File}
	if d.root != nil {
		n := schemas.Lookup(d.root, path...)
		p.Line, p.Column = n.Line, n.Column
	}
	return p
}

// checker finds what a schema cannot.
type checker struct {
	d          *DesiredState
	problems   []schemas.Problem
	fromSchema int // so many of them are the schema's
}

// add tells a problem, unless the schema has one at the same place.
func (c *checker) add(path []string, summary, hint string) {
	p := c.d.at(path...)
	for _, known := range c.problems[:c.fromSchema] {
		if known.Line == p.Line && known.Column == p.Column && p.Line > 0 {
			return
		}
	}
	p.Summary, p.Hint = summary, hint
	c.problems = append(c.problems, p)
}

// notYet refuses what the language has but this version does not carry out:
// ignoring it would do more than what was asked for.
func (c *checker) notYet() {
	var later struct {
		Except       yaml.Node
		FaultDomains yaml.Node `yaml:"faultDomains"`
		Windows      yaml.Node
		Rollout      struct{ Canary, Soak yaml.Node }
		Policies     map[string]struct {
			Reset, Downgrade string
			Windows, Waive   yaml.Node
			RequireSignature yaml.Node `yaml:"requireSignature"`
		}
		Models map[string]struct {
			Images map[string]struct{ Signature yaml.Node }
		}
	}
	_ = c.d.root.Decode(&later) // its faults are told by the schema
	refuse := func(n yaml.Node, path ...string) {
		if n.Kind != 0 {
			c.add(path, path[len(path)-1]+" is not supported yet", "take it out: nothing of what it asks for would be done")
		}
	}
	refuse(later.Except, "except")
	refuse(later.FaultDomains, "faultDomains")
	refuse(later.Windows, "windows")
	refuse(later.Rollout.Canary, "rollout", "canary")
	refuse(later.Rollout.Soak, "rollout", "soak")
	if n := c.d.Rollout.MaxParallel; n > 1 {
		c.add([]string{"rollout", "maxParallel"}, fmt.Sprintf("maxParallel: %d is not supported yet", n), "1 is: one enclosure after the other")
	}
	for name, p := range later.Policies {
		refuse(p.Windows, "policies", name, "windows")
		refuse(p.Waive, "policies", name, "waive")
		refuse(p.RequireSignature, "policies", name, "requireSignature")
		if p.Reset == "idle" || p.Reset == "redundant" {
			c.add([]string{"policies", name, "reset"}, "reset: "+p.Reset+" is not supported yet", "never and always are")
		}
		if p.Downgrade == "order" {
			c.add([]string{"policies", name, "downgrade"}, "downgrade: order is not supported yet", "forbid is")
		}
	}
	for model, m := range later.Models {
		for name, i := range m.Images {
			refuse(i.Signature, "models", model, "images", name, "signature")
		}
	}
}

// fillIn gives what was left out its default, where that does not depend on a device.
func (c *checker) fillIn() {
	for name, m := range c.d.Models {
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
		c.d.Models[name] = m
	}
	names := map[string]string{}
	for id, name := range c.d.Names {
		names[lowerID(id)] = name
	}
	c.d.Names = names
}

// lowerID writes an enclosure's identifier as inventories do.
func lowerID(id string) string {
	if strings.HasPrefix(id, "lu-") {
		return id
	}
	return strings.ToLower(id)
}

func (c *checker) check() {
	for _, name := range slices.Sorted(maps.Keys(c.d.Models)) {
		c.checkModel(name, c.d.Models[name])
	}
	for i, w := range c.d.Want {
		c.checkWant(strconv.Itoa(i), w)
	}
	for name, p := range c.d.Policies {
		if p.Reset == ResetNever && p.Activate == WithApply {
			c.add([]string{"policies", name, "activate"}, "activate: apply resets an I/O module, and reset: never forbids that", "say reset: always, or activate: manual")
		}
	}
	given := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(c.d.Names)) {
		name := c.d.Names[id]
		if other, ok := given[name]; ok && name != "" {
			c.add([]string{"names"}, fmt.Sprintf("%s and %s are both named %q", other, id, name), "give each enclosure a name of its own")
		}
		given[name] = id
	}
}

func (c *checker) checkModel(name string, m Model) {
	at := func(path ...string) []string { return append([]string{"models", name}, path...) }
	c.checkGlobs(at("match", "vendor"), m.Match.Vendor)
	c.checkGlobs(at("match", "product"), m.Match.Product)
	c.checkDurations(at("download"), map[string]Duration{"flashTimeout": m.Download.FlashTimeout})
	c.checkActivation(at("activation"), m.Activation)

	parts := slices.Sorted(maps.Keys(m.Parts))
	owner := map[int]string{}
	for _, part := range parts {
		c.checkActivation(at("parts", part, "activation"), m.Parts[part].Activation)
		for i, sub := range m.Parts[part].Subenclosures {
			if other, ok := owner[sub]; ok && other != part {
				c.add(at("parts", part, "subenclosures", strconv.Itoa(i)), fmt.Sprintf("subenclosure %d is in %s and in %s", sub, other, part), "a subenclosure is in one part")
			}
			owner[sub] = part
		}
	}

	files := map[string]string{} // SHA-256: the first image that has it
	for _, image := range slices.Sorted(maps.Keys(m.Images)) {
		i := m.Images[image]
		for n, from := range i.From {
			c.checkGlobs(at("images", image, "from", strconv.Itoa(n)), from)
		}
		if _, ok := m.Parts[i.Part]; !ok {
			c.add(at("images", image, "part"), fmt.Sprintf("image %s is for part %q, which model %s does not have", image, i.Part, name), knownNames(i.Part, parts))
		}
		if first, ok := files[i.SHA256]; ok && i.SHA256 != "" && m.Images[first].Revision != i.Revision {
			c.add(at("images", image, "revision"), fmt.Sprintf("%s and %s are the same file and cannot be revisions %s and %s", first, image, m.Images[first].Revision, i.Revision), "correct sha256 or revision of one of them")
		} else if !ok {
			files[i.SHA256] = image
		}
	}
}

func (c *checker) checkActivation(path []string, a ActivationRule) {
	c.checkDurations(path, map[string]Duration{"settle": a.Settle, "returnTimeout": a.ReturnTimeout})
}

// checkDurations refuses zeros that were written: they would be taken for "by default".
func (c *checker) checkDurations(path []string, durations map[string]Duration) {
	for key, d := range durations {
		at := append(slices.Clone(path), key)
		if d == 0 && schemas.Has(c.d.root, at...) {
			c.add(at, key+" is no time at all", "write at least 1s, or leave it out for the default")
		}
	}
}

func (c *checker) checkWant(index string, w Want) {
	at := func(path ...string) []string { return append([]string{"want", index}, path...) }
	if m, ok := c.d.Models[w.Model]; !ok {
		c.add(at("model"), fmt.Sprintf("there is no model %q", w.Model), knownNames(w.Model, slices.Sorted(maps.Keys(c.d.Models))))
	} else if _, ok := m.Images[w.Image]; !ok {
		c.add(at("image"), fmt.Sprintf("model %s has no image %q", w.Model, w.Image), knownNames(w.Image, slices.Sorted(maps.Keys(m.Images))))
	}
	if _, ok := c.d.Policies[w.Policy]; !ok && w.Policy != "" {
		c.add(at("policy"), fmt.Sprintf("there is no policy %q", w.Policy), knownNames(w.Policy, slices.Sorted(maps.Keys(c.d.Policies))))
	}
	for i, glob := range w.Enclosures {
		c.checkGlobs(at("enclosures", strconv.Itoa(i)), glob)
	}
}

func (c *checker) checkGlobs(at []string, glob string) {
	if _, err := path.Match(glob, ""); err != nil {
		c.add(at, fmt.Sprintf("%q is no pattern", glob), `* stands for any text, ? for a character, [0-9a] for one of some; \ before one of those takes it as it is`)
	}
}

// knownNames is the hint for a name that is not known.
func knownNames(name string, known []string) string {
	switch near := schemas.Nearest(name, known); {
	case near != "":
		return fmt.Sprintf("did you mean %q?", near)
	case len(known) > 0:
		return "there are: " + strings.Join(known, ", ")
	}
	return "there are none"
}

// glob tells whether a pattern matches. Its signs are those of path.Match, but /
// is a character like any other: products can have one.
func glob(pattern, s string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(s, "/", "\x00"))
	return ok && err == nil
}

// LoadImages reads the images that a desired state names, relative to dir, and
// compares their digests. The result is by SHA-256. The error holds every
// problem at once: a *multierror.Error of schemas.Problem, sorted by position.
func (d *DesiredState) LoadImages(dir string) (map[string]*image.Image, error) {
	loaded := map[string]*image.Image{} // by path
	images := map[string]*image.Image{} // by SHA-256
	var problems []schemas.Problem
	add := func(err error, path ...string) {
		p := d.at(path...)
		p.Summary = err.Error()
		var e *image.Error
		if errors.As(err, &e) {
			p.Hint = e.Hint
		}
		problems = append(problems, p)
	}
	for model, m := range d.Models {
		for name, i := range m.Images {
			path := i.File
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			img, ok := loaded[path]
			if !ok {
				var err error
				if img, err = image.Load(path); err != nil {
					add(err, "models", model, "images", name, "file")
					continue
				}
				loaded[path] = img
			}
			if err := img.Expect(i.SHA256); err != nil {
				add(err, "models", model, "images", name, "sha256")
				continue
			}
			images[i.SHA256] = img
		}
	}
	if err := asError(problems); err != nil {
		return nil, err
	}
	return images, nil
}
