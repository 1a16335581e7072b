package desired

import (
	"gopkg.in/yaml.v3"

	"fwctl/plan"
)

// Policy is what may be done to a component.
type Policy struct {
	Reset          plan.Reset      `yaml:"reset"`
	Activate       plan.Activation `yaml:"activate"`
	Windows        PolicyWindows   `yaml:"windows"`
	Downgrade      Downgrade       `yaml:"downgrade"`
	RequireAllESPs bool            `yaml:"requireAllESPs"`
	RequireHealthy bool            `yaml:"requireHealthy"`
	Waive          []Waiver        `yaml:"waive"`
	// Hooks are run around each reset; nil for none.
	Hooks *plan.Hooks `yaml:"hooks"`
	// RequireSignature are minisign public keys, one of which must have signed the image. Without
	// any, no signature is needed.
	RequireSignature []string `yaml:"requireSignature"`
}

// PolicyWindows are the names of the windows in which something may be done;
// none: at any time.
type PolicyWindows struct {
	Stage []string `yaml:"stage"`
	Reset []string `yaml:"reset"`
}

// Waiver permits updates although an element has failed.
type Waiver struct {
	Element string `yaml:"element"` // name of the element, as the enclosure calls it
	Reason  string `yaml:"reason"`
	Until   string `yaml:"until"` // the last day it holds, in UTC, "2006-01-02"
}

// Downgrade says whether a component may go to an earlier entry of its model's order.
type Downgrade string

const (
	DowngradeForbid Downgrade = "forbid"
	DowngradeOrder  Downgrade = "order" // along the model's order, both ways
)

// DefaultPolicy returns the safe policy: nothing is reset, and images are left staged.
func DefaultPolicy() Policy {
	return Policy{Reset: plan.ResetNever, Activate: plan.Manual, Downgrade: DowngradeForbid, RequireAllESPs: true,
		RequireHealthy: true}
}

// UnmarshalYAML fills in what a policy omits.
func (p *Policy) UnmarshalYAML(n *yaml.Node) error {
	type plain Policy // without this method
	*p = DefaultPolicy()
	return n.Decode((*plain)(p))
}
