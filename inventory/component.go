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
	for i := range e.ESPs {
		esp := &e.ESPs[i]
		if esp.LUID != luID {
			continue
		}
		for j := range esp.Subenclosures {
			if sub := &esp.Subenclosures[j]; sub.ID == subenclosure {
				return esp, sub
			}
		}
		return esp, nil
	}
	return nil, nil
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
			"logical unit %s: expected it at %s, found it at %s: have modules changed places?", luID, address, sub.Address)
	}
	return esp, sub, nil
}
