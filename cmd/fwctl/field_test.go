package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// Captures from the field, in which page 0Ah does not show the four mounted disks
// behind a module: its descriptors are INVALID, or have other addresses.
func TestFieldCapturesAreBlocked(t *testing.T) {
	t.Parallel()
	for _, capture := range []string{"a1-unlisted", "a3-swapped"} {
		for policy, why := range map[string]string{"idle": "sdy, sdz, sdaa, sdab (in no slot) in use; slots 0, 1, 2, 3 of " +
			"unknown use",
			"redundant": "sdy, sdz, sdaa, sdab (in no slot) in use, SATA, no other path"} {
			t.Run(capture+" "+policy, func(t *testing.T) {
				t.Parallel()
				dir := copyOf(t, filepath.Join("testdata", "field"))
				out, err := shell(dir, "fwctl --simulate "+capture+".json plan -f ds-"+policy+".yaml")
				words := strings.Join(strings.Fields(out), " ")
				if err != nil || !strings.Contains(words, "500304801f001200/lu-500304801f001201/sub0 0501 0611 BLOCKED") ||
					!strings.Contains(words, why) {
					t.Errorf("plan = %v; want a blocked row with %q\n%s", err, why, out)
				}
			})
		}
	}
}

// Plans made by hand: a line break in a revision, and escape sequences in the version of the
// format.
func TestFieldPlansAreRefused(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{"newline-in-to.plan": "more than a line",
		"esc-version.plan": "cannot use esc-version.plan"} {
		dir := copyOf(t, filepath.Join("testdata", "field"))
		out, err := shell(dir, "code=0; fwctl show "+file+" || code=$?; echo code $code")
		code := strings.Contains(out, "code 1\n") || strings.Contains(out, "code 3\n")
		if err != nil || !code || !strings.Contains(out, want) || strings.ContainsAny(out, "\x1b\a") {
			t.Errorf("show %s = %v; want code 1 or 3, %q and no control characters\n%q", file, err, want, out)
		}
	}
}
