package main

import (
	"bytes"
	"database/sql"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"fwctl/internal/state"
)

// inProcess returns a function that runs fwctl on a rack of a directory, and demands an exit code.
func inProcess(t *testing.T, dir string) func(code int, args ...string) string {
	return func(code int, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		all := append(
			[]string{"--state-dir", filepath.Join(dir, "state"), "--simulate", filepath.Join(dir, "rack.yaml")},
			args...)
		if got := run(all, strings.NewReader(""), &out, &out); got != code {
			t.Fatalf("fwctl %s = exit code %d; want %d\n%s", strings.Join(args, " "), got, code, out.String())
		}
		return out.String()
	}
}

// What was done while the clock was years ahead stays before what is done after it was
// set back: the memory goes by the order of things, not by their times.
func TestClockThatWasSetBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, jbods("download: {"+quick+"}, esps: [{}, {}]"), wanted("e", ""))
	fwctl := inProcess(t, s.dir)
	desired := s.path("desired.yaml")
	fwctl(0, "apply", "-f", desired, "--yes")
	shiftYears(t, s.dir, "2029-")
	if out := fwctl(0, "status"); !strings.Contains(out, "2029-") || !strings.Contains(out, "2 staged") {
		t.Errorf("status = %s\nwant 2 staged in 2029", out)
	}
	fwctl(0, "inventory", "--out", s.path("stor1.json"))
	if out := fwctl(0, "plan", "-f", desired); !strings.Contains(out, "2 staged, 0 blocked") {
		t.Errorf("plan = %s\nwant what is staged in 2029 to be staged", out)
	}
	s.powerCycle("jbod1")
	s.isBack()
	if out := fwctl(0, "verify"); !strings.Contains(out, "2 running") {
		t.Errorf("verify = %s\nwant 2 running", out)
	}

	out := fwctl(0, "history")
	first, verified := strings.Index(out, "started 2029-"), strings.Index(out, "VERIFIED")
	if first < 0 || verified < first {
		t.Errorf("history = %s\nwant the run of 2029, then what was verified", out)
	}
	fwctl(0, "resume", "--yes")
}

// shiftYears has everything that is remembered have happened in another year.
func shiftYears(t *testing.T, dir, year string) {
	t.Helper()
	var file string
	err := filepath.WalkDir(filepath.Join(dir, "state"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == state.FileName {
			file = path
		}
		return err
	})
	if err != nil || file == "" {
		t.Fatalf("no memory: %v", err)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for table, columns := range map[string][]string{"runs": {"started_at", "ended_at"}, "steps": {"at"}, "intents": {"at"},
		"staged": {"since"}, "sent": {"at"}} {
		for _, c := range columns {
			if _, err := db.Exec("UPDATE "+table+" SET "+c+" = ? || substr("+c+", 6) WHERE "+c+" <> ''", year); err != nil {
				t.Fatal(err)
			}
		}
	}
}
