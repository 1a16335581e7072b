package scan

import (
	"bytes"
	"testing"
)

// The kernel cuts a process's name to 15 characters: a longer row would match nothing.
func TestWatchers(t *testing.T) {
	t.Parallel()
	if n := bytes.Count(watchersYAML, []byte("\n- ")); n == 0 || n != len(watchers()) {
		t.Errorf("watchers.yaml has %d rows, and %d names; want one a row", n, len(watchers()))
	}
	for name := range watchers() {
		if name == "" || len(name) > 15 {
			t.Errorf("watchers.yaml names %q; want 1 to 15 characters", name)
		}
	}
}
