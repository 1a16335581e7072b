package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"unicode"

	"fwctl/internal/ui"
	"fwctl/plan"
)

// forged is what a line begins with that fwctl did not begin.
const forged = "FORGED"

// Whatever is written into a plan that is then signed, it is refused, or shown without a panic,
// without control characters, and without a line that fwctl did not begin.
func TestPlansSignedAnewAreRefusedOrShown(t *testing.T) {
	t.Parallel()
	const mark = forged
	nasty := []any{
		"",
		"a\n" + mark,
		"a\t" + mark,
		"\x1b[2J" + mark,
		strings.Repeat("x", 300),
		"100000h",
		"-1s",
		-1,
		0,
		1 << 28,
		1 << 52,
	}
	for _, golden := range []string{
		"A revision is text", "the shortest chain by from is planned",
	} {
		t.Run(golden, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(filepath.Join("..", "..", "plan", "build", "testdata", golden, "plan.json"))
			if err != nil {
				t.Fatal(err)
			}
			var doc any
			if err := json.Unmarshal(data, &doc); err != nil {
				t.Fatal(err)
			}
			shown := 0
			tried := map[string]bool{} // the elements of a list are all alike
			eachScalar(doc, "", nil, func(at string, set func(any), was any) {
				kind := element.ReplaceAllString(at, "/n")
				if tried[kind] {
					return
				}
				tried[kind] = true
				for _, value := range nasty {
					set(value)
					p := signedAnew(t, doc)
					if p == nil {
						continue
					}
					shown++
					checkShown(t, fmt.Sprintf("%s = %.20q", at, fmt.Sprint(value)), p, mark)
				}
				set(was)
			})
			if shown == 0 {
				t.Error("no change was shown: nothing was tested")
			}
		})
	}
}

// FuzzPlansSignedAnew puts a text in the place of any scalar of any golden plan.
func FuzzPlansSignedAnew(f *testing.F) {
	names, err := filepath.Glob(filepath.Join("..", "..", "plan", "build", "testdata", "*", "plan.json"))
	if err != nil || len(names) == 0 {
		f.Fatalf("no golden plans: %v", err)
	}
	texts := []string{"a\n" + forged, "\x1b[2J\u009b\u202e|`*<b>", "5000ccab04001000/esp1/sub0"}
	for i := range names {
		f.Add(uint(i), uint(7*i), texts[i%len(texts)])
	}
	f.Fuzz(func(t *testing.T, golden, place uint, text string) {
		data, err := os.ReadFile(names[golden%uint(len(names))])
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := json.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		var places []string
		sets := map[string]func(any){}
		eachScalar(doc, "", nil, func(at string, set func(any), _ any) {
			places = append(places, at)
			sets[at] = set
		})
		slices.Sort(places) // maps are not walked in order
		at := places[place%uint(len(places))]
		sets[at](text)
		if p := signedAnew(t, doc); p != nil {
			checkShown(t, fmt.Sprintf("%s: %s = %q", names[golden%uint(len(names))], at, text), p, forged)
		}
	})
}

var element = regexp.MustCompile(`/[0-9]+`)

// eachScalar calls f for each scalar of a document, with what changes it in place.
func eachScalar(v any, at string, set func(any), f func(at string, set func(any), was any)) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			eachScalar(e, at+"/"+k, func(n any) { v[k] = n }, f)
		}
	case []any:
		for i, e := range v {
			eachScalar(e, fmt.Sprintf("%s/%d", at, i), func(n any) { v[i] = n }, f)
		}
	default:
		f(at, set, v)
	}
}

// signedAnew returns the plan that a document is with a digest that fits, nil if it is refused.
func signedAnew(t *testing.T, doc any) *plan.Plan {
	t.Helper()
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	var p plan.Plan
	if json.Unmarshal(data, &p) != nil {
		return nil
	}
	if data, err = p.Encode(); err != nil {
		return nil
	}
	parsed, err := plan.Parse(data)
	if err != nil {
		return nil
	}
	return parsed
}

func checkShown(t *testing.T, what string, p *plan.Plan, mark string) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("%s: showing it panics: %v\n%s", what, r, debug.Stack())
		}
	}()
	views := map[string]string{
		"very wide table": (ui.Screen{Width: 500}).Plan(p, noon, false), "table": (ui.Screen{Width: 80}).Plan(p, noon, false), "wide table": (ui.Screen{Width: 200}).Plan(p, noon, false), "markdown": ui.Markdown(p, "", noon, false),
	}
	for i := range p.Steps {
		views["explanation of "+p.Steps[i].Address] = (ui.Screen{Width: 80}).Explain(p, &p.Steps[i], noon)
	}
	for view, text := range views {
		if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && r != '\t' && unicode.IsControl(r) }); i >= 0 {
			t.Errorf("%s: the %s has %q", what, view, text[i])
		}
		for line := range strings.SplitSeq(text, "\n") {
			if strings.HasPrefix(line, mark) {
				t.Errorf("%s: the %s has a line of its own: %q", what, view, line)
			}
		}
	}
}
