package plan

import (
	"errors"

	"fwctl/inventory"
)

// Input is all that a plan is made from.
type Input struct {
	Desired     *DesiredState
	Inventories []*inventory.Inventory // with what is staged joined in
	ImageSizes  map[string]int64       // bytes, by SHA-256
	Activate    bool                   // plan the activation of what is staged
	Targets     []string               // globs on address, a leading part of one, or name; none: everything
}

// Build makes a plan. It is pure: the same input gives the same plan, whatever
// its order. CreatedAt and Digest are left to the caller and to Encode.
//
// A component that cannot be updated is a step with reasons, not an error. An
// error means that the input contradicts itself: two wants on one component, a
// target that matches nothing, simulated and real inventories mixed.
func Build(in Input) (*Plan, error) { return nil, errors.New("not done yet") }
