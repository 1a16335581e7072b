package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"fwctl/internal/ui"
	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/build"
	"fwctl/plan/desired"
)

// Whatever is written into an inventory, it is refused, by a line that says what is wrong, or a
// plan is made from it that can be read and has no forged line.
func TestInventoriesEditedByHand(t *testing.T) {
	t.Parallel()
	long(t)
	strange := []any{
		"", "a\n" + forged, "\x1b[2J" + forged, "\u202e" + forged, strings.Repeat("x", 300), "5000ccab04001000", "5000ccab04001000/esp1/sub0",
		-1, -0.5, 256, 1 << 40, json.Number("1e300"), json.Number("99999999999999999999999999"), true, nil, []any{},
		map[string]any{}, []any{nil}, []any{map[string]any{}},
	}
	for _, golden := range []string{
		"a staged image is listed whichever host remembers it, and who staged it",
		"a path through a cascade crosses the modules above it",
		"a device that could not be read blocks the components known behind it, and is counted",
	} {
		t.Run(golden, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join("..", "..", "plan", "build", "testdata", golden)
			text, err := os.ReadFile(filepath.Join(dir, "desired-state.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			want, err := desired.Parse("desired-state.yaml", text)
			if err != nil {
				t.Fatal(err)
			}
			names, err := filepath.Glob(filepath.Join(dir, "inventory*.json"))
			if err != nil || len(names) == 0 {
				t.Fatalf("no inventories: %v", err)
			}
			data, err := os.ReadFile(names[0])
			if err != nil {
				t.Fatal(err)
			}
			var doc any
			if err := json.Unmarshal(data, &doc); err != nil {
				t.Fatal(err)
			}
			if inv := planFrom(t, "as it is", doc, want); inv == nil {
				t.Fatal("the inventory is refused as it is")
			}
			planned := 0
			eachValue(doc, "", func(at string, set func(any), was any) {
				values := strange
				if list, ok := was.([]any); ok && len(list) > 0 { // everything twice, and often
					values = append([]any{append(append([]any{}, list...), list...), repeat(list, 300)}, strange...)
				}
				for _, value := range values {
					set(value)
					if planFrom(t, fmt.Sprintf("%s = %.40q", at, fmt.Sprint(value)), doc, want) != nil {
						planned++
					}
				}
				set(was)
			})
			// Every enclosure above and below every other one, and itself.
			var expanders []any
			esps := func(f func(esp map[string]any)) {
				for _, e := range doc.(map[string]any)["enclosures"].([]any) {
					for _, esp := range e.(map[string]any)["esps"].([]any) {
						f(esp.(map[string]any))
					}
				}
			}
			esps(func(esp map[string]any) {
				its, _ := esp["expanders"].([]any)
				expanders = append(expanders, its...)
			})
			esps(func(esp map[string]any) { esp["upstream"] = expanders })
			if planFrom(t, "a circle", doc, want) == nil {
				t.Error("an inventory of enclosures in a circle is refused; want it planned from")
			}
			if planned == 0 {
				t.Error("none was planned from: nothing but refusals was tested")
			}
		})
	}
}

func repeat(list []any, n int) []any {
	var all []any
	for len(all) < n {
		all = append(all, list...)
	}
	return all
}

// eachValue calls f for each value of a document, whole ones before their parts.
func eachValue(v any, at string, f func(at string, set func(any), was any)) {
	each := func(at string, set func(any), e any) {
		f(at, set, e)
		eachValue(e, at, f)
	}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			each(at+"/"+k, func(n any) { v[k] = n }, e)
		}
	case []any:
		for i, e := range v {
			each(fmt.Sprintf("%s/%d", at, i), func(n any) { v[i] = n }, e)
		}
	}
}

// planFrom reads an inventory and plans from it; it returns nil if it is refused.
func planFrom(t *testing.T, what string, doc any, want *desired.State) *inventory.Inventory {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("%s: panic: %v\n%s", what, r, debug.Stack())
		}
	}()
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	inv, err := inventory.Parse(data)
	if err != nil {
		if words := err.Error(); len(words) > 1000 || strings.Contains(words, "\n") {
			t.Errorf("%s: refused by %d characters: %q", what, len(words), words)
		}
		return nil
	}
	for view, text := range map[string]string{"inventory": (ui.Screen{Width: 80}).Inventory(inv, nil, quirkName),
		"desired state": string(desired.Init([]*inventory.Inventory{inv}, nil))} {
		checkForeign(t, what+": the "+view, text)
	}
	p, err := build.Plan(build.Input{Desired: want, Inventories: []*inventory.Inventory{inv}})
	if err != nil {
		return inv
	}
	p.CreatedAt = noon
	encoded, err := p.Encode()
	if err != nil {
		t.Errorf("%s: Encode = %v", what, err)
		return inv
	}
	again, err := plan.Parse(encoded)
	if err != nil {
		t.Errorf("%s: Parse of the plan that was built = %v", what, err)
		return inv
	}
	checkShown(t, what, again, forged)
	return inv
}

// An inventory of 100,000 components of one enclosure after the other is read, or
// refused, within a memory that does not depend on what it says.
func TestHugeInventories(t *testing.T) {
	t.Parallel()
	long(t)
	for name, tt := range map[string]struct{ head, each, tail, want string }{
		"subenclosures of one ESP": {
			`{"format_version":"1.0","kind":"Inventory","host":"h","scanned_at":"2026-11-22T10:00:00Z","simulated":false,"problems":[],"enclosures":[{"logical_id":"5000ccab04001000","health":{"critical":false,"unrecoverable":false,"failures":[]},"drives":[],"esps":[{"relative_id":1,"processes":2,"lu_id":"x","paths":["/dev/sg0"],"subenclosures":[`,
			`{"id":0,"address":"5000ccab04001000/esp1/sub0"}`, `]}]}]}`, "more than 512",
		},
		"ESPs of one enclosure": {
			`{"format_version":"1.0","kind":"Inventory","host":"h","scanned_at":"2026-11-22T10:00:00Z","simulated":false,"problems":[],"enclosures":[{"logical_id":"5000ccab04001000","health":{"critical":false,"unrecoverable":false,"failures":[]},"drives":[],"esps":[`,
			`{"relative_id":1,"processes":2,"lu_id":"x","paths":["/dev/sg0"],"conflict":"c","subenclosures":[{"id":0,"address":"5000ccab04001000/esp1/sub0"}]}`, `]}]}`, "more than 64",
		},
		"enclosures": {
			`{"format_version":"1.0","kind":"Inventory","host":"h","scanned_at":"2026-11-22T10:00:00Z","simulated":false,"problems":[],"enclosures":[`,
			`{"logical_id":"5000ccab04001000","esps":[]}`, `]}`, "it has no esps",
		},
		"depth": {`{"format_version":"1.0","kind":"Inventory","later":`, `[[[[[[[[[[`, ``, "not a JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			b.WriteString(tt.head)
			for i := range 100_000 {
				if i > 0 && tt.tail != "" {
					b.WriteByte(',')
				}
				b.WriteString(tt.each)
			}
			b.WriteString(tt.tail)
			if _, err := inventory.Parse(b.Bytes()); err == nil || !strings.Contains(err.Error(), tt.want) ||
				len(err.Error()) > 1000 {
				t.Errorf("Parse = %.300v; want %q", err, tt.want)
			}
		})
	}
}
