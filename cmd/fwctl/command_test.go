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
		if run := hookRunner(simulatedMachine{simulated: simulated}); (run == nil) != simulated {
			t.Errorf("simulated: %v; a way to run commands: %v", simulated, run != nil)
		}
	}
}
