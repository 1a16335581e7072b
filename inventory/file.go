package inventory

import (
	"encoding/json"
	"fmt"
	"strings"
)

// kind is what an inventory file says that it is.
const kind = "Inventory"

// New returns an inventory with nothing in it but what every one has.
func New() *Inventory {
	return &Inventory{FormatVersion: FormatVersion, Kind: kind, Enclosures: []Enclosure{}, Problems: []Problem{}}
}

// FormatError is data that is no inventory file of a version that fwctl reads.
type FormatError struct {
	Reason string // what is wrong with it and what to do
	Err    error  // of the JSON decoder, nil where that was content
}

func (e *FormatError) Error() string {
	s := "cannot read inventory: " + e.Reason
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *FormatError) Unwrap() error { return e.Err }

// Parse reads an inventory file: JSON, kind Inventory, a format version with the
// major number of FormatVersion. Keys that it does not know are left out, as a
// later minor version may have them; whether the values make sense is for the
// schema to say. An error is a *FormatError.
func Parse(data []byte) (*Inventory, error) {
	var header struct {
		FormatVersion string `json:"format_version"`
		Kind          string `json:"kind"`
	}
	if err := json.Unmarshal(data, &header); err != nil {
		return nil, &FormatError{"it is no JSON object as fwctl inventory --out writes it", err}
	}
	if header.Kind != kind {
		return nil, &FormatError{Reason: fmt.Sprintf("its kind is %q, want %q: pass a file that fwctl inventory --out wrote", header.Kind, kind)}
	}
	if major(header.FormatVersion) != major(FormatVersion) {
		return nil, &FormatError{Reason: fmt.Sprintf("its format_version is %q and this fwctl reads %s.x: write it again with this version of fwctl inventory, or use the version that wrote it",
			header.FormatVersion, major(FormatVersion))}
	}
	inv := New()
	if err := json.Unmarshal(data, inv); err != nil {
		return nil, &FormatError{"a value does not fit", err}
	}
	return inv, nil
}

// Encode writes an inventory file that Parse reads.
func (inv *Inventory) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(inv, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write inventory: %w", err)
	}
	return append(data, '\n'), nil
}

func major(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return major
}
