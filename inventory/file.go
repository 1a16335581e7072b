package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// kind is what an inventory file says that it is.
const kind = "Inventory"

const notOurs = "it is no JSON object as fwctl inventory --out writes it"

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

// Parse reads an inventory file, as Read does.
func Parse(data []byte) (*Inventory, error) { return Read(bytes.NewReader(data)) }

// Read reads an inventory file: JSON, kind Inventory, a format version with the
// major number of FormatVersion. Keys that it does not know are left out, as a
// later minor version may have them. What a plan would be misled by is refused: keys
// without which an enclosure looks healthy, idle or alone, identities that are
// none, and text that would not be shown as it is. An error is a *FormatError, or what reading failed with.
func Read(r io.Reader) (*Inventory, error) {
	inv := New()
	inv.FormatVersion, inv.Kind = "", ""
	file := json.NewDecoder(r)
	err := file.Decode(inv)
	if err != nil && file.InputOffset() == 0 { // nothing was decoded
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) || err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, &FormatError{notOurs, err}
		}
		return nil, err
	}
	var misfit *json.UnmarshalTypeError
	if errors.As(err, &misfit) && misfit.Field == "" {
		return nil, &FormatError{notOurs, err}
	}
	if inv.Kind != kind {
		return nil, &FormatError{Reason: fmt.Sprintf("its kind is %q, want %q: pass a file that fwctl inventory --out wrote", inv.Kind, kind)}
	}
	if major(inv.FormatVersion) != major(FormatVersion) {
		return nil, &FormatError{Reason: fmt.Sprintf("its format_version is %q and this fwctl reads %s.x: write it again with this version of fwctl inventory, or use the version that wrote it",
			inv.FormatVersion, major(FormatVersion))}
	}
	if err != nil {
		return nil, &FormatError{"a value does not fit", err}
	}
	if _, err := file.Token(); err != io.EOF {
		return nil, &FormatError{Reason: notOurs + ": something follows it"}
	}
	if why := inv.flaw(); why != "" {
		return nil, &FormatError{Reason: why + ": write it again with fwctl inventory --out"}
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
