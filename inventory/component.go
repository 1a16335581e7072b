package inventory

import (
	"errors"
	"fmt"
)

// Component returns the component of a logical unit and a subenclosure identifier,
// with the ESP that serves it and their enclosure; nil if it is not there.
func (inv *Inventory) Component(luID string, subenclosure int) (*Enclosure, *ESP, *Subenclosure) {
	for i := range inv.Enclosures {
		e := &inv.Enclosures[i]
		if esp, sub := e.Component(luID, subenclosure); sub != nil {
			return e, esp, sub
		}
	}
	return nil, nil, nil
}

// Component returns the component of a logical unit and a subenclosure identifier,
// with the ESP that serves it. The component is nil if the ESP does not serve it,
// both are nil if the ESP is not there.
func (e *Enclosure) Component(luID string, subenclosure int) (*ESP, *Subenclosure) {
	esp := e.ESP(luID)
	if esp == nil {
		return nil, nil
	}
	return esp, esp.Component(subenclosure)
}

// ESP returns the ESP of a logical unit, nil if it is not there.
func (e *Enclosure) ESP(luID string) *ESP {
	for i := range e.ESPs {
		if e.ESPs[i].LUID == luID {
			return &e.ESPs[i]
		}
	}
	return nil
}

// Component returns the component of a subenclosure identifier, nil if the ESP does not
// serve it.
func (e *ESP) Component(subenclosure int) *Subenclosure {
	for i := range e.Subenclosures {
		if e.Subenclosures[i].ID == subenclosure {
			return &e.Subenclosures[i]
		}
	}
	return nil
}

// ComponentAt returns the component that is expected at an address, with the ESP that
// serves it. The error says why it cannot be worked on.
func (e *Enclosure) ComponentAt(luID string, subenclosure int, address string) (*ESP, *Subenclosure, error) {
	esp, sub := e.Component(luID, subenclosure)
	switch {
	case esp == nil:
		return nil, nil, fmt.Errorf("logical unit %s: expected it, found none", luID)
	case esp.Conflict != "":
		return nil, nil, errors.New(esp.Conflict)
	case sub == nil:
		return nil, nil, fmt.Errorf("subenclosure %d: expected it, found none", subenclosure)
	case sub.Address != address:
		return nil, nil, fmt.Errorf(
			"logical unit %s: expected it at %s, found it at %s: have modules changed places?", luID, address,
			sub.Address)
	}
	return esp, sub, nil
}
