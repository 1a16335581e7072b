package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"fwctl/schemas"
)

// examples/everything is valid, planned, and carried out whatever its windows.
func TestExampleOfEverything(t *testing.T) {
	long(t)
	t.Parallel()
	dir := copyOf(t, filepath.Join(root, "examples", "everything"))
	if out, err := shell(dir, "fwctl validate -f desired-state.yaml"); err != nil || strings.Contains(out, "WARNING") {
		t.Errorf("validate = %v; want no error and no warning\n%s", err, out)
	}
	out, err := shell(dir, "fwctl --simulate rack-of-everything.yaml plan -f desired-state.yaml")
	if err != nil || !strings.Contains(out, "1050 > 1100") || !strings.Contains(out, "CHG-4711") ||
		!strings.Contains(out, "0\n  blocked") {
		t.Errorf("plan = %v; want a stepping stone, an exception and nothing blocked\n%s", err, out)
	}
	markdown, err := shell(dir,
		"fwctl --simulate rack-of-everything.yaml plan -f desired-state.yaml --out everything.plan -o markdown")
	if err != nil || !strings.Contains(markdown, "## Firmware plan `") || !strings.Contains(markdown, "saturday-night") ||
		!strings.Contains(markdown, "CHG-4711") {
		t.Errorf("plan -o markdown = %v; want the plan with its window and its exception\n%s", err, markdown)
	}
	for address, want := range map[string][]string{
		"5000ccab04001000/esp1/sub0": {"Hop 1 of 2", "Hop 2 of 2", "saturday-night"},
		"5000ccab04001000/esp1/sub3": {"power"},
		"r14u02":                     {"CHG-4711"},
		"r14u0":                      nil,
	} {
		out, err := shell(dir, "fwctl explain everything.plan "+address)
		if (err == nil) != (want != nil) {
			t.Errorf("explain %s = %v\n%s", address, err, out)
		}
		for _, text := range want {
			if !strings.Contains(out, text) {
				t.Errorf("explain %s lacks %q:\n%s", address, text, out)
			}
		}
	}
	hurry(t, filepath.Join(dir, "rack-of-everything.yaml"))
	file := filepath.Join(dir, "desired-state.yaml")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data = regexp.MustCompile(`(soak|settle|peerSync): [0-9]+[ms]`).ReplaceAll(data, []byte("$1: 1s"))
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err = shell(dir, "fwctl --simulate rack-of-everything.yaml apply -f desired-state.yaml --yes --accept-disruption all --ignore-window test")
	if err != nil || !strings.Contains(out, "\nDone: ") {
		t.Errorf("apply = %v; want it done\n%s", err, out)
	}
}

// It has every key of the language.
func TestExampleHasEveryKey(t *testing.T) {
	text, err := schemas.Text("desired-state")
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(root, "examples", "everything", "desired-state.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file any
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	known, used := map[string]bool{}, map[string]bool{}
	var walk func(schema map[string]any, values []any, at string)
	walk = func(s map[string]any, values []any, at string) {
		if ref, ok := s["$ref"].(string); ok {
			s = schema["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		}
		var items, others []any
		for _, v := range values {
			switch v := v.(type) {
			case []any:
				items = append(items, v...)
			case map[string]any:
				others = append(others, slices.Collect(maps.Values(v))...)
			}
		}
		if sub, ok := s["items"].(map[string]any); ok {
			walk(sub, items, at)
		}
		if sub, ok := s["additionalProperties"].(map[string]any); ok {
			walk(sub, others, at+"/*")
		}
		properties, _ := s["properties"].(map[string]any)
		for key, sub := range properties {
			known[at+"/"+key] = true
			var below []any
			for _, v := range values {
				if m, ok := v.(map[string]any); ok && m[key] != nil {
					used[at+"/"+key] = true
					below = append(below, m[key])
				}
			}
			walk(sub.(map[string]any), below, at+"/"+key)
		}
	}
	walk(schema, []any{file}, "")
	if len(known) < 50 {
		t.Fatalf("the schema has %d keys; want all of the language", len(known))
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(known)), slices.Sorted(maps.Keys(used))); diff != "" {
		t.Errorf("keys (-schema +example):\n%s", diff)
	}
}
