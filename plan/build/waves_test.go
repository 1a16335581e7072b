package build_test

import (
	"path/filepath"
	"strings"
	"testing"

	"fwctl/internal/window"
	"fwctl/plan/build"
)

// A wave that may not be done within any of its windows is a warning.
func TestWaveLongerThanItsWindows(t *testing.T) {
	s := load(t, filepath.Join("testdata", "manual is left staged, apply is activated in the same apply"))
	warnings := func(short, long string) string {
		s.desired.Windows = map[string]window.Window{
			"short": {Start: "2026-11-21T22:00", Duration: short},
			"long":  {Start: "2026-11-22T22:00", Duration: long},
		}
		for name, p := range s.desired.Policies {
			p.Windows.Reset = []string{"short", "long"}
			s.desired.Policies[name] = p
		}
		p, err := build.Plan(s.input())
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Windows) != 2 {
			t.Fatalf("the plan has the windows %v; want short and long", p.Windows)
		}
		return strings.Join(p.Warnings, "\n")
	}
	if got, want := warnings("1m",
		"2m"), "and long is open for 2m: what has not been started when it closes waits for the next opening"; !strings.Contains(got, want) {
		t.Errorf("warnings = %s; want %q", got, want)
	}
	if got := warnings("1m", "48h"); strings.Contains(got, "is open for") {
		t.Errorf("warnings = %s; want none of windows", got)
	}
}
