package executor

import (
	"slices"
	"testing"
)

// Forbid takes a transition out of the step machine until the test ends.
func Forbid(t *testing.T, from State, on Trigger) {
	t.Helper()
	all := edges
	t.Cleanup(func() { edges = all })
	edges = slices.DeleteFunc(slices.Clone(all), func(e edge) bool { return e.from == from && e.on == on })
	if len(edges) != len(all)-1 {
		t.Fatalf("the step machine has no transition from %s on %q", from, on)
	}
}
