package plan

import (
	"fmt"
	"time"

	"gopkg.in/yaml.v3"
)

// defaultHookTimeout is how long a hook may run where the desired state does not say.
const defaultHookTimeout = Duration(time.Minute)

// UnmarshalYAML fills in what hooks leave out.
func (h *Hooks) UnmarshalYAML(n *yaml.Node) error {
	type plain Hooks // without this method
	h.Timeout = defaultHookTimeout
	return n.Decode((*plain)(h))
}

// UnmarshalYAML reads a duration as people write it: "45m".
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil {
		// Of this type, the decoder reads on: nothing else is taken to be missing.
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %s", n.Line, err)}}
	}
	*d = Duration(v)
	return nil
}
