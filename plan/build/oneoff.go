package build

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"fwctl/internal/glob"
	"fwctl/internal/image"
	"fwctl/inventory"
	"fwctl/inventory/fleet"
	"fwctl/plan"
	"fwctl/plan/desired"
	"fwctl/schemas"
)

// Flash is one image for some devices, without a desired state.
type Flash struct {
	Inventory *inventory.Inventory // of this host, with drives' use and what is staged joined in
	Devices   []string             // nodes of ESPs, "/dev/sg3"; several of one ESP are one
	Image     *image.Image
	Mode      plan.Mode // the only one that is tried
	Revision  string    // that the image brings, "" if it is unknown
	BufferID  int       // that takes it; without a Revision, the part behind one that is not 0 reports none

	// Names are what this host calls enclosures, by the first part of their addresses,
	// as the last plans named them. One that two enclosures have had names neither.
	Names map[string]string
}

// oneOff names the model and the policy of a one-off plan.
const oneOff = "flash"

// OneOff makes a plan that sends an image to the primary subenclosures of some devices, with
// the gates and waves of Plan. Naming a device permits what the mode does to it: mode 7 resets
// it, which starts the image even if it is staged already. Poor health, and ESPs of the
// enclosure that are not named, are warnings.
//
// If it is unknown which revision the image brings, the plan's hops have none.
//
// The error is a *multierror.Error with a schemas.Problem for every device that is not in the
// inventory, or not of the same product as the first.
func OneOff(f Flash) (*plan.Plan, error) {
	if strings.ContainsFunc(f.name(), func(r rune) bool { return !unicode.IsPrint(r) }) {
		return nil, fmt.Errorf(
			"cannot plan with image %+q: its name has characters that cannot be shown: rename it",
			f.name(),
		)
	}
	named, err := f.find()
	if err != nil {
		return nil, err
	}
	p, err := Plan(f.input(named))
	if err != nil {
		return nil, err
	}
	for i := range p.Steps {
		if s := &p.Steps[i]; s.Action == plan.NoOp {
			s.Reasons = append(
				s.Reasons,
				fmt.Sprintf("it reports %s already: to send the image all the same, leave out --revision", f.Revision),
			)
		}
	}
	p.Warnings = append(f.reminders(named), p.Warnings...)
	return p, nil
}

// Unreadable returns the problems of devices that someone else is working on, or that could not be read. If there are
// any, no plan is made for the others.
func (f Flash) Unreadable() []inventory.Problem {
	return slices.DeleteFunc(slices.Clone(f.Inventory.Problems), func(p inventory.Problem) bool {
		return !slices.Contains(f.Devices, p.Path) || !p.InUse && p.Unread == nil
	})
}

// name returns what the image is called: its file's name.
func (f Flash) name() string { return filepath.Base(f.Image.Path()) }

// espOf is an ESP and its enclosure.
type espOf struct {
	e   *inventory.Enclosure
	esp *inventory.ESP
}

// find returns the ESPs of the devices, in their order.
func (f Flash) find() ([]espOf, error) {
	var named []espOf
	var problems []schemas.Problem
	for _, device := range f.Devices {
		found, problem := f.at(device)
		switch {
		case problem != nil:
			problems = append(problems, *problem)
		case len(named) > 0 && productOf(named[0]) != productOf(found):
			problems = append(problems, schemas.Problem{
				File: device,
				Summary: fmt.Sprintf("it is %s, and the first device is %s: one image is for one product",
					productOf(found), productOf(named[0])),
				Hint: "flash the devices of each product by themselves",
			})
		default:
			named = append(named, found)
		}
	}
	return named, schemas.Join(problems)
}

// productOf returns the product that an image for an ESP is for.
func productOf(o espOf) string {
	primary := o.esp.Subenclosures[0]
	return primary.Vendor + " " + primary.Product
}

// matchOf returns what the model of a one-off plan matches.
func matchOf(named []espOf) desired.Match {
	primary := named[0].esp.Subenclosures[0]
	return desired.Match{Vendor: glob.Literal(primary.Vendor), Product: glob.Literal(primary.Product)}
}

// at returns the ESP behind a device node, or why there is none.
func (f Flash) at(device string) (espOf, *schemas.Problem) {
	for i := range f.Inventory.Enclosures {
		e := &f.Inventory.Enclosures[i]
		for j := range e.ESPs {
			if slices.Contains(e.ESPs[j].Paths, device) {
				return espOf{e, &e.ESPs[j]}, nil
			}
		}
	}
	p := &schemas.Problem{
		File:    device,
		Summary: "it is not an enclosure that could be read",
		Hint:    "`fwctl inventory` lists those that can",
	}
	for _, known := range f.Inventory.Problems {
		if known.Path == device {
			p.Summary, p.Hint = known.Summary, known.Detail
		}
	}
	return espOf{}, p
}

// input returns what Build makes the plan from: a desired state that wants the image on
// the components that were named.
func (f Flash) input(named []espOf) Input {
	image := desired.ModelImage{Part: desired.DefaultPart, SHA256: f.Image.SHA256(), Revision: f.Revision,
		Modes:    []plan.Mode{f.Mode},
		BufferID: f.BufferID, NoVersion: f.BufferID != 0 && f.Revision == ""}
	policy := desired.Policy{Reset: plan.ResetNever, Activate: plan.Manual, Downgrade: desired.DowngradeOrder}
	if f.Mode == plan.Mode7 {
		policy.Reset = plan.ResetAlways
	}
	want := desired.Want{Model: oneOff, Image: f.name(), Policy: oneOff}
	var targets []inventory.Selector
	for _, o := range named {
		want.Enclosures = append(want.Enclosures, inventory.Selector(o.e.ID()))
		targets = append(targets, inventory.Selector(o.esp.Subenclosures[0].Address))
	}
	d := &desired.State{
		Models: map[string]desired.Model{oneOff: {
			Match:  matchOf(named),
			Parts:  map[string]desired.Part{desired.DefaultPart: {Subenclosures: []int{0}}},
			Images: map[string]desired.ModelImage{f.name(): image},
		}},
		Names:    unambiguous(f.Names),
		Want:     []desired.Want{want},
		Policies: map[string]desired.Policy{oneOff: policy},
	}
	return Input{
		Desired: d, Inventories: []*inventory.Inventory{f.Inventory}, Targets: targets,
		ImageSizes: map[string]int64{f.Image.SHA256(): f.Image.Size()},
		Again:      true,
		Activate:   f.Mode == plan.Mode7, // to save and start what is saved already is to start it
	}
}

// unambiguous returns the names that only one enclosure has: an enclosure may have got the name
// of another one that this host remembers.
func unambiguous(names map[string]string) map[string]string {
	count := map[string]int{}
	for _, name := range names {
		count[name]++
	}
	own := maps.Clone(names)
	maps.DeleteFunc(own, func(_, name string) bool { return count[name] > 1 })
	return own
}

// reminders returns warnings of what a desired state would have checked, and of ESPs that were
// not named.
func (f Flash) reminders(named []espOf) []string {
	var warnings []string
	if doubt := desired.Doubt(f.Image, f.name(), matchOf(named)); doubt != "" {
		warnings = append(warnings, doubt)
	}
	warned := map[string]bool{}
	for _, o := range named {
		id := o.e.ID()
		if warned[id] {
			continue
		}
		warned[id] = true
		switch h := o.e.Health; {
		case h.Unknown:
			warnings = append(warnings,
				id+": its health is unknown, page 02h cannot be read: look after its fans and power supplies in "+
					"another way")
		case h.Critical || h.Unrecoverable:
			warnings = append(warnings, strings.TrimSuffix(id+": the enclosure reports a critical condition: "+
				strings.Join(h.Failures, "; "), ": "))
		}
		for i := range o.e.ESPs {
			esp := &o.e.ESPs[i]
			if !slices.ContainsFunc(named, func(o espOf) bool { return o.esp == esp }) {
				warnings = append(warnings, fmt.Sprintf("%s: %s was not named, and runs %s", id, esp.ID(),
					esp.Subenclosures[0].Revision))
			}
		}
	}
	return warnings
}

// UnseenESPs lists the enclosures that the plan works on and some of whose ESPs no inventory
// shows, sorted. If it is unknown how many ESPs an enclosure has, none counts as missing.
func UnseenESPs(p *plan.Plan, models map[string]desired.Model, inventories []*inventory.Inventory) []plan.Unseen {
	expected := map[string]*plan.Unseen{}
	for _, s := range p.Steps {
		if s.Acts() {
			expected[s.Enclosure] = &plan.Unseen{Enclosure: s.Enclosure, Name: s.Name, Expected: models[s.Model].ESPs}
		}
	}
	var all []plan.Unseen
	for _, e := range fleet.Merge(inventories).Enclosures {
		u := expected[e.ID]
		if u == nil {
			continue
		}
		u.Seen, u.Expected = len(e.ESPs), max(u.Expected, e.Reported)
		if u.Seen < u.Expected {
			all = append(all, *u)
		}
	}
	return all
}
