package plan

import (
	"time"

	"gopkg.in/yaml.v3"
)

// Hooks are commands that are run around each reset of a component, on its host and without a
// shell. If the one before fails, the reset is not done. The one after is run whenever the one
// before was, however that and the reset ended.
type Hooks struct {
	BeforeReset Command `json:"before_reset,omitempty" yaml:"beforeReset"`
	AfterReset  Command `json:"after_reset,omitempty" yaml:"afterReset"`
	// Timeout is that of each command: one that runs longer is killed, and has failed.
	Timeout Duration `json:"timeout" yaml:"timeout"`
}

// defaultHookTimeout is how long a hook may run if the desired state does not say.
const defaultHookTimeout = Duration(time.Minute)

// UnmarshalYAML fills in what hooks leave out.
func (h *Hooks) UnmarshalYAML(n *yaml.Node) error {
	type plain Hooks // without this method
	h.Timeout = defaultHookTimeout
	return n.Decode((*plain)(h))
}
