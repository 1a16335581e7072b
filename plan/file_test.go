package plan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"fwctl/plan"
)

func savedPlan(t *testing.T) []byte {
	t.Helper()
	return read(t, "testdata", "A revision is text", "plan.json")
}

// Whatever byte of a saved plan is flipped, it is found; but for the time of its
// creation, which the digest does not cover.
func TestParseFindsFlippedBytes(t *testing.T) {
	data := savedPlan(t)
	start := bytes.Index(data, []byte(`"created_at": "`)) + len(`"created_at": "`)
	end := start + bytes.IndexByte(data[start:], '"')
	for i := range data {
		if start <= i && i < end {
			continue
		}
		for _, mask := range []byte{0x01, 0x20} { // 0x20: the other case of a letter, to which encoding/json is blind
			if mask == 0x20 && !unicode.IsLetter(rune(data[i])) {
				continue
			}
			data[i] ^= mask
			p, err := plan.Parse(data)
			var damaged *plan.DamagedError
			if p != nil || !errors.As(err, &damaged) {
				t.Errorf("Parse with byte %d flipped to %q = %v; want a *DamagedError", i, data[i], err)
			}
			data[i] ^= mask
		}
	}
	if _, err := plan.Parse(data); err != nil {
		t.Errorf("Parse of the plan itself = %v; want no error", err)
	}
}

// Another creation time and another layout are the same plan.
func TestDigestCoversThePlan(t *testing.T) {
	p := must(plan.Parse(savedPlan(t)))
	before := p.Digest
	p.CreatedAt = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	data := must(p.Encode())
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		t.Fatal(err)
	}
	q, err := plan.Parse(compact.Bytes())
	if err != nil || q.Digest != before {
		t.Errorf("Parse of the compact plan = %v; want the digest that it had", err)
	}
}

func TestParseErrors(t *testing.T) {
	saved := string(savedPlan(t))
	for _, tt := range []struct{ name, data, want string }{
		{"empty", "", "it is no JSON"},
		{"cut", saved[:len(saved)/2], "it is no JSON"},
		{"a YAML file", small, "it is no JSON"},
		{"an inventory", `{"format_version": "1.0", "kind": "Inventory"}`, `it is of kind "Inventory", not Plan`},
		{"a later format", strings.Replace(saved, `"format_version": "1.0"`, `"format_version": "2.0"`, 1), `its format is version "2.0", and this fwctl reads 1.0`},
		{"a key of another version", strings.Replace(saved, `"simulated"`, `"virtual": true, "simulated"`, 1), `plan:6:3: unknown key "virtual"`},
		{"a chunk that is no multiple of 4", strings.Replace(saved, `"chunk_size": 4096`, `"chunk_size": 4095`, 1), `chunk_size is 4095; it must be a multiple of 4`},
		{"another host", strings.ReplaceAll(saved, `"stor1"`, `"stor2"`), "it was changed after it was written: its digest is sha256:"},
	} {
		p, err := plan.Parse([]byte(tt.data))
		var damaged *plan.DamagedError
		if p != nil || !errors.As(err, &damaged) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Parse of %s = %v; want a *DamagedError with %q", tt.name, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range must(filepath.Glob("testdata/*/plan.json")) {
		f.Add(must(os.ReadFile(file)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := plan.Parse(data)
		if err != nil {
			var damaged *plan.DamagedError
			if p != nil || !errors.As(err, &damaged) {
				t.Fatalf("Parse = %v, %v; want no plan and a *DamagedError", p, err)
			}
			return
		}
		digest := p.Digest
		if q := must(plan.Parse(must(p.Encode()))); q.Digest != digest {
			t.Errorf("Parse(Encode(p)) has digest %s; want %s", q.Digest, digest)
		}
	})
}
