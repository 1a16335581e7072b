package main

import (
	"testing"

	"fwctl/internal/transport"
)

// simulatedMachine says whether it is one, whatever it is.
type simulatedMachine struct {
	transport.Machine
	simulated bool
}

func (m simulatedMachine) Simulated() bool { return m.simulated }

// Commands are run beside real machines alone.
func TestCommandsAreForRealMachines(t *testing.T) {
	for _, simulated := range []bool{true, false} {
		m := simulatedMachine{simulated: simulated}
		if hooks, notify := hookRunner(m), notifyRunner(m); (hooks == nil) != simulated || (notify == nil) != simulated {
			t.Errorf("simulated: %v; a way to run hooks: %v, to notify: %v", simulated, hooks != nil, notify != nil)
		}
	}
}
