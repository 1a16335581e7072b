package plan

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"gopkg.in/yaml.v3"

	"fwctl/internal/duration"
)

// Duration is a time.Duration that is written as people write it: "45m", not "45m0s".
type Duration time.Duration

func (d Duration) String() string { return duration.String(time.Duration(d)) }

// MarshalJSON implements json.Marshaler.
func (d Duration) MarshalJSON() ([]byte, error) { return []byte(`"` + d.String() + `"`), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (d *Duration) UnmarshalJSON(b []byte) error {
	text, err := jsontext.AppendUnquote(nil, b)
	if err != nil {
		return err
	}
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("cannot read duration %q: %w", text, err)
	}
	*d = Duration(v)
	return nil
}

// UnmarshalYAML reads a duration as people write it: "45m".
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil {
		// After an error of this type the decoder reads on, and takes nothing else to be missing.
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %s", n.Line, err)}}
	}
	*d = Duration(v)
	return nil
}
