package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"fwctl/schemas"
)

// DamagedError is a file that is no plan as this fwctl writes them: it was cut,
// changed, or written by another version.
type DamagedError struct {
	Reason   string
	Problems []schemas.Problem // what the schema says of the file, if that is the reason
}

func (e *DamagedError) Error() string {
	s := "cannot use this plan: " + e.Reason
	for _, p := range e.Problems {
		s += "\n" + p.Error()
	}
	return s
}

// Parse reads a saved plan. The error is a *DamagedError.
func Parse(data []byte) (*Plan, error) {
	var head struct {
		FormatVersion string `json:"format_version"`
		Kind          string `json:"kind"`
	}
	switch err := json.Unmarshal(data, &head); {
	case err != nil:
		return nil, &DamagedError{Reason: "it is no JSON: " + err.Error()}
	case head.Kind != "Plan":
		return nil, &DamagedError{Reason: fmt.Sprintf("it is of kind %q, not Plan", head.Kind)}
	case head.FormatVersion != FormatVersion:
		return nil, &DamagedError{Reason: fmt.Sprintf("its format is version %q, and this fwctl reads %s", head.FormatVersion, FormatVersion)}
	}
	if _, problems := schemas.Check("plan", "plan", data); len(problems) > 0 {
		return nil, &DamagedError{Reason: "it does not look like a plan", Problems: problems}
	}
	var p Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, &DamagedError{Reason: err.Error()}
	}
	digest, err := p.digest()
	if err != nil {
		return nil, &DamagedError{Reason: err.Error()}
	}
	if digest != p.Digest {
		return nil, &DamagedError{Reason: "it was changed after it was written: its digest is " + digest + ", and it says " + p.Digest}
	}
	return &p, nil
}

// Encode writes the plan as indented JSON that ends in a newline, and sets its Digest.
func (p *Plan) Encode() ([]byte, error) {
	var err error
	if p.Digest, err = p.digest(); err != nil {
		return nil, err
	}
	return p.encode()
}

// digest is over the encoded plan without its digest and the time of its creation.
func (p *Plan) digest() (string, error) {
	bare := *p
	bare.Digest, bare.CreatedAt = "", time.Time{}
	data, err := bare.encode()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// encode leaves <, > and & as they are, so that a plan that went through another
// JSON tool is still the same plan.
func (p *Plan) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(p); err != nil {
		return nil, fmt.Errorf("cannot encode the plan: %w", err)
	}
	return b.Bytes(), nil
}
