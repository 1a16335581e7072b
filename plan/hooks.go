package plan

import (
	"time"

	"gopkg.in/yaml.v3"
)

// Hooks are commands that are run around each reset of a component, on its host
// and without a shell. The one before can keep the reset from being done; the one
// after is run whenever the one before was, however that and the reset ended.
type Hooks struct {
	BeforeReset Command  `json:"before_reset,omitempty" yaml:"beforeReset"`
	AfterReset  Command  `json:"after_reset,omitempty" yaml:"afterReset"`
	Timeout     Duration `json:"timeout" yaml:"timeout"` // of each of them; what runs longer is killed, and failed
}

// defaultHookTimeout is how long a hook may run if the desired state does not say.
const defaultHookTimeout = Duration(time.Minute)

// UnmarshalYAML fills in what hooks leave out.
func (h *Hooks) UnmarshalYAML(n *yaml.Node) error {
	type plain Hooks // without this method
	h.Timeout = defaultHookTimeout
	return n.Decode((*plain)(h))
}
