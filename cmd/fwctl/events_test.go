package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwctl/schemas"
)

// checkEvents checks what apply or resume -o json has written, line by line.
func checkEvents(lines []byte) error {
	n := 0
	for line := range bytes.Lines(lines) {
		n++
		if _, problems := schemas.Check("events", fmt.Sprintf("line %d", n), line); len(problems) > 0 {
			return fmt.Errorf("%s%w", line, problems[0])
		}
	}
	return nil
}

func TestCheckEvents(t *testing.T) {
	for line, good := range map[string]bool{
		`{"time": "2026-11-22T10:00:00Z", "type": "window", "wave": 1, "until": "2026-11-22T22:00:00+01:00", "reason": "night", "simulated": false}`:                                                                                          true,
		`{"time": "2026-11-22T10:00:00Z", "type": "window", "wave": 1, "reason": "night", "simulated": false}`:                                                                                                                                false,
		`{"time": "2026-11-22T10:00:00Z", "type": "soaking", "wave": 1, "until": "2026-11-22T22:00:00Z", "simulated": false}`:                                                                                                                 true,
		`{"time": "2026-11-22T10:00:00Z", "type": "power-cycle", "wave": 1, "components": 2, "reason": "5000ccab04001000", "simulated": false}`:                                                                                               true,
		`{"time": "2026-11-22T10:00:00Z", "type": "recovered", "address": "a/b/sub0", "hop": 1, "hops": 2, "reason": "it runs 1100", "simulated": false}`:                                                                                     true,
		`{"time": "2026-11-22T10:00:00Z", "type": "recovered", "reason": "it runs 1100", "simulated": false}`:                                                                                                                                 false,
		`{"time": "2026-11-22T10:00:00Z", "type": "hook", "address": "a/b/sub0", "hop": 1, "hops": 1, "hook": "before-reset", "command": ["x"], "simulated": false}`:                                                                          true,
		`{"time": "2026-11-22T10:00:00Z", "type": "hook", "address": "a/b/sub0", "hop": 1, "hops": 1, "hook": "before-reset", "simulated": false}`:                                                                                            false,
		`{"time": "2026-11-22T10:00:00Z", "type": "exploded", "simulated": false}`:                                                                                                                                                            false,
		`{"type": "result", "exit_code": 5, "outcome": "unknown", "left": true, "reason": "left", "steps": [], "simulated": false}`:                                                                                                           true,
		`{"type": "result", "exit_code": 3, "outcome": "refused", "refusal": "gate", "reason": "x", "steps": [{"address": "a", "outcome": "refused", "confirmed": false, "revision": ""}], "simulated": true}`:                                true,
		`{"type": "result", "exit_code": 3, "outcome": "refused", "refusal": "whim", "steps": [], "simulated": true}`:                                                                                                                         false,
		`{"type": "result", "exit_code": 0, "outcome": "done", "steps": [{"address": "a", "outcome": "updated", "confirmed": true, "mode": "e", "modes": ["7", "e"], "revision": "1200"}], "simulated": true}`:                                true,
		`{"type": "result", "exit_code": 0, "outcome": "done", "steps": [{"address": "a", "outcome": "staged", "confirmed": true, "mode": "e", "revision": "1000", "reason": "it waits for wave 2 (reset)", "waits": 2}], "simulated": true}`: true,
		`{"notify": "start", "host": "stor1", "plan_digest": "sha256:` + strings.Repeat("0", 64) + `", "time": "2026-11-22T10:00:00Z", "type": "begun", "run": 7, "components": 3, "simulated": false}`:                                       true,
		`{"notify": "start", "host": "stor1", "time": "2026-11-22T10:00:00Z", "type": "begun", "run": 7, "components": 3, "simulated": false}`:                                                                                                false,
		`{"time": "2026-11-22T10:00:00Z", "type": "begun", "components": 3, "simulated": false}`:                                                                                                                                              false,
		`{"time": "2026-11-22T10:00:00Z", "type": "not-notified", "command": ["page"], "reason": "failed", "simulated": false}`:                                                                                                               true,
		`{"time": "2026-11-22T10:00:00Z", "type": "not-notified", "reason": "failed", "simulated": false}`:                                                                                                                                    false,
		`{"type": "result", "exit_code": 0, "outcome": "done", "steps": [], "commands": [{"host": "stor2", "command": ["fwctl", "apply", "PLAN"], "waves": [2]}], "soak": "1h", "simulated": true}`:                                           true,
		`{"type": "result", "exit_code": 0, "outcome": "done", "steps": [], "commands": [{"host": "stor2", "command": ["fwctl", "apply", "PLAN"], "waves": [2]}], "soak": "soon", "simulated": true}`:                                         false,
		`{"type": "result", "outcome": "done", "steps": [], "simulated": true}`:                                                                                                                                                               false,
	} {
		if err := checkEvents([]byte(line)); (err == nil) != good {
			t.Errorf("checkEvents(%s) = %v; want it good: %v", line, err, good)
		}
	}
}

// The schema lists what the executor can say, all of it and nothing else.
func TestEventsSchemaHasEveryWord(t *testing.T) {
	text, err := schemas.Text("events")
	if err != nil {
		t.Fatal(err)
	}
	type property struct{ Enum []any }
	var schema struct {
		Defs struct {
			Event, Result         struct{ Properties map[string]property }
			Outcome, Mode, Notify property
		} `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	d := schema.Defs
	for _, tt := range []struct {
		dir, kind string
		enum      []any
	}{
		{"executor/result", "EventType", d.Event.Properties["type"].Enum},
		{"executor/result", "Outcome", d.Outcome.Enum},
		{"executor/result", "RunOutcome", d.Result.Properties["outcome"].Enum},
		{"executor/step", "Refusal", d.Result.Properties["refusal"].Enum},
		{"internal/state", "HookKind", d.Event.Properties["hook"].Enum},
		{"internal/notify", "Kind", d.Notify.Enum},
		{"plan", "Mode", d.Mode.Enum},
	} {
		var listed []string
		for _, word := range tt.enum {
			listed = append(listed, fmt.Sprint(word))
		}
		slices.Sort(listed)
		if diff := cmp.Diff(constants(t, filepath.Join(root, tt.dir), tt.kind), listed); diff != "" {
			t.Errorf("words of %s (-code +schema):\n%s", tt.kind, diff)
		}
	}
}

// constants are the values of a type of text that a package declares, sorted.
func constants(t *testing.T, dir, kind string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no Go files in %s", dir)
	}
	var all []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != kind {
				return true
			}
			for _, v := range spec.Values {
				if lit, ok := v.(*ast.BasicLit); ok {
					word, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, word)
				}
			}
			return true
		})
	}
	slices.Sort(all)
	return all
}
