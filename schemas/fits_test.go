package schemas_test

import (
	"testing"
	"time"

	"fwctl/schemas"
)

// What Fits lets through has no value that the schema refuses, whatever the type that it is
// decoded into leaves out.
func TestFits(t *testing.T) {
	t.Parallel()
	type hop struct {
		Modes     []string `json:"modes"`
		ChunkSize int      `json:"chunk_size"`
		Refused   string   `json:"refused_mode,omitempty"`
	}
	type step struct {
		Address string  `json:"address"`
		Action  string  `json:"action"`
		Staged  *string `json:"unknown"`
		Hops    []hop   `json:"hops"`
	}
	type plan struct {
		Kind    string            `json:"kind"`
		Created time.Time         `json:"created_at"`
		Hints   map[string]string `json:"image_hints,omitempty"`
		Steps   []step            `json:"steps"`
	}
	const sha = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	sound := func() *plan {
		return &plan{Kind: "Plan", Hints: map[string]string{sha: "/tmp/a"}, Steps: []step{
			{Address: "a", Action: "update", Hops: []hop{{Modes: []string{"e", "7"}, ChunkSize: 4096, Refused: "05/26/00"}}},
		}}
	}
	if !schemas.Fits("plan", sound()) {
		t.Error("Fits of a sound plan = false; want true")
	}
	for name, change := range map[string]func(*plan){
		"a const":           func(p *plan) { p.Kind = "Inventory" },
		"an enum":           func(p *plan) { p.Steps[0].Action = "flash" },
		"a minimum length":  func(p *plan) { p.Steps[0].Address = "" },
		"a minimum":         func(p *plan) { p.Steps[0].Hops[0].ChunkSize = 0 },
		"a maximum":         func(p *plan) { p.Steps[0].Hops[0].ChunkSize = 65512 },
		"a multiple":        func(p *plan) { p.Steps[0].Hops[0].ChunkSize = 4095 },
		"a pattern":         func(p *plan) { p.Steps[0].Hops[0].Refused = "5/26/0" },
		"a list of enums":   func(p *plan) { p.Steps[0].Hops[0].Modes = []string{"x"} },
		"unique entries":    func(p *plan) { p.Steps[0].Hops[0].Modes = []string{"e", "e"} },
		"a pattern of keys": func(p *plan) { p.Hints = map[string]string{"x": "/tmp/a"} },
		"a map's values":    func(p *plan) { p.Hints[sha] = "" },
	} {
		p := sound()
		if change(p); schemas.Fits("plan", p) {
			t.Errorf("Fits of a plan that breaks %s = true; want false", name)
		}
	}
}
