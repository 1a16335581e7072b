package inventory

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// kind is the kind of document that an inventory file states.
const kind = "Inventory"

const notOurs = "it is not a JSON object of the form that fwctl inventory --out writes"

// New returns an empty inventory.
func New() *Inventory {
	return &Inventory{FormatVersion: FormatVersion, Kind: kind, Enclosures: []Enclosure{}, Problems: []Problem{}}
}

// FormatError is data that is not an inventory file, or not of a version that fwctl reads.
type FormatError struct {
	Reason string // what is wrong with it and what to do
	Err    error  // of the JSON decoder, nil if that was content
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

// Read reads an inventory file: JSON without duplicate keys, kind Inventory, a format version with the
// major number of FormatVersion. It ignores unknown keys, which a later minor version
// may have. It refuses whatever would mislead a plan: missing keys that would make an
// enclosure look healthy, idle or alone, or a simulated rack real; malformed identities;
// and text that cannot be shown as it is. An error is a *FormatError, or the reader's.
//
// The file is read as a stream: no more than one enclosure's text is in memory.
func Read(r io.Reader) (*Inventory, error) {
	from := &source{Reader: r}
	inv, err := read(jsontext.NewDecoder(from))
	if from.failed != nil {
		return nil, from.failed
	}
	if err != nil {
		return nil, err
	}
	if why := inv.flaw(); why != "" {
		return nil, &FormatError{Reason: why + ": write it again with fwctl inventory --out"}
	}
	return inv, nil
}

// source remembers the error that reading failed with, which a JSON decoder reports as a
// fault of the text.
type source struct {
	io.Reader
	failed error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != io.EOF {
		s.failed = err
	}
	return n, err
}

func read(file *jsontext.Decoder) (*Inventory, error) {
	inv := New()
	inv.FormatVersion, inv.Kind = "", ""
	var simulated *bool
	values := map[string]any{
		"format_version": &inv.FormatVersion, "kind": &inv.Kind, "host": &inv.Host, "scanned_at": &inv.ScannedAt,
		"simulated": &simulated, "problems": &inv.Problems, "timings": &inv.Timings,
	}
	seen := map[string]bool{}
	if err := expect(file, '{'); err != nil {
		return nil, err
	}
	for file.PeekKind() != '}' {
		token, err := file.ReadToken()
		if err != nil {
			return nil, &FormatError{notOurs, err}
		}
		key := token.String() // as it is in every object
		seen[key] = true
		if key == "enclosures" {
			if inv.Enclosures, err = readEnclosures(file); err != nil {
				return nil, err
			}
			continue
		}
		value, known := values[key]
		if !known {
			value = &jsontext.Value{}
		}
		if err := decode(file, value); err != nil {
			return nil, err
		}
		if err := inv.checkHead(seen); err != nil {
			return nil, err
		}
	}
	if err := expect(file, '}'); err != nil {
		return nil, err
	}
	if _, err := file.ReadToken(); err != io.EOF {
		return nil, &FormatError{Reason: notOurs + ": something follows it"}
	}
	if err := inv.checkHead(map[string]bool{"kind": true, "format_version": true}); err != nil {
		return nil, err
	}
	switch {
	case !seen["enclosures"]:
		return nil, &FormatError{
			Reason: "it has no enclosures, not even an empty list: write it again with fwctl inventory --out"}
	case simulated == nil:
		return nil, &FormatError{Reason: "it does not say whether it is simulated: write it again with fwctl " +
			"inventory --out"}
	}
	inv.Simulated = *simulated
	return inv, nil
}

// checkHead checks the kind and the version that the file states, once it has seen them.
func (inv *Inventory) checkHead(seen map[string]bool) error {
	switch {
	case seen["kind"] && inv.Kind != kind:
		return &FormatError{Reason: fmt.Sprintf("its kind is %q, want %q: pass a file that fwctl inventory --out wrote",
			inv.Kind, kind)}
	case seen["format_version"] && major(inv.FormatVersion) != major(FormatVersion):
		return &FormatError{Reason: fmt.Sprintf("its format_version is %q and this fwctl reads %s.x: "+
			"write it again with this version of fwctl inventory, or use the version that wrote it",
			inv.FormatVersion, major(FormatVersion))}
	}
	return nil
}

// readEnclosures reads a list of enclosures, one after the other.
func readEnclosures(file *jsontext.Decoder) ([]Enclosure, error) {
	all := []Enclosure{}
	if err := expect(file, '['); err != nil {
		return nil, err
	}
	for file.PeekKind() != ']' {
		var e Enclosure
		if err := decode(file, &e); err != nil {
			err.Reason = fmt.Sprintf("enclosure %d of the list: %s", len(all)+1, err.Reason)
			return nil, err
		}
		all = append(all, e)
	}
	return all, expect(file, ']')
}

// expect reads a bracket.
func expect(file *jsontext.Decoder, want jsontext.Kind) error {
	switch token, err := file.ReadToken(); {
	case err != nil:
		return &FormatError{notOurs, err}
	case token.Kind() != want:
		return &FormatError{Reason: fmt.Sprintf("%s: %c is missing", notOurs, want)}
	}
	return nil
}

// decode reads a value.
func decode(file *jsontext.Decoder, into any) *FormatError {
	err := json.UnmarshalDecode(file, into)
	if err == nil {
		return nil
	}
	var misfit *json.SemanticError
	if !errors.As(err, &misfit) {
		return &FormatError{notOurs, err}
	}
	if err = misfit.Err; err == nil {
		err = fmt.Errorf("it is a JSON %s", misfit.JSONKind)
	}
	return &FormatError{fmt.Sprintf("the value %s does not fit", misfit.JSONPointer), err}
}

// Encode writes an inventory file that Parse reads.
func (inv *Inventory) Encode() ([]byte, error) {
	data, err := stdjson.MarshalIndent(inv, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write inventory: %w", err)
	}
	return append(data, '\n'), nil
}

func major(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return major
}
