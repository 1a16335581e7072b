package plan

import (
	"errors"

	"fwctl/schemas"
)

// DamagedError is a plan file that is not as fwctl wrote it.
type DamagedError struct {
	Problems []schemas.Problem // what its schema says of it, if anything
	Reason   string
}

func (e *DamagedError) Error() string { return "" }

// Parse reads a saved plan. The error is a *DamagedError where the file is no
// plan that this fwctl wrote and could carry out.
func Parse(file string, data []byte) (*Plan, error) { return nil, errors.New("not done yet") }

// Encode writes the plan as indented JSON that ends in a newline, and sets its Digest.
func (p *Plan) Encode() ([]byte, error) { return nil, errors.New("not done yet") }
