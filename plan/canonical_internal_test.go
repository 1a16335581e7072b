package plan

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func savedPlans(t testing.TB) [][]byte {
	files, err := filepath.Glob("build/testdata/*/plan.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d saved plans, %v", len(files), err)
	}
	var plans [][]byte
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, data)
	}
	return plans
}

// largePlan returns a saved plan of several blocks, whose steps end at all places of a block.
func largePlan(t testing.TB) []byte {
	data, err := os.ReadFile("build/testdata/the shortest chain by from is planned/plan.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	one := p.Steps[0]
	p.Steps = nil
	for i := range 1000 {
		s := one
		s.Enclosure = fmt.Sprintf("5000%012x", i)
		_, rest, _ := strings.Cut(one.Address, "/")
		s.Address = s.Enclosure + "/" + rest
		s.LUID = fmt.Sprintf("6000%012x", i)
		s.FaultDomain = i + 1
		s.Neighbours = nil
		s.Reasons = append(s.Reasons[:len(s.Reasons):len(s.Reasons)], strings.Repeat("x", i%97))
		p.Steps = append(p.Steps, s)
	}
	p.Summary = p.Summarize()
	data, err = p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if len(data) < 3*blockSize {
		t.Fatalf("the plan has %d bytes; want at least three blocks of %d", len(data), blockSize)
	}
	return data
}

// Parse takes the quick way for what Encode writes: the slow one takes minutes for a large site.
func TestPlansAreCanonical(t *testing.T) {
	t.Parallel()
	for _, data := range append(savedPlans(t), largePlan(t)) {
		p, err := readCanonical(bytes.NewReader(data))
		if err != nil {
			t.Errorf("readCanonical(%.300s ...) = %v", data, err)
			continue
		}
		q, err := parseAny(data)
		if err != nil {
			t.Errorf("parseAny(%.300s ...) = %v", data, err)
		} else if diff := cmp.Diff(q, p); diff != "" {
			t.Errorf("the quick way reads another plan than the slow one (-slow +quick):\n%s", diff)
		}
	}
}

// A changed byte anywhere in a large plan, also where a block ends, makes it take the slow way.
func TestChangedPlansAreNotCanonical(t *testing.T) {
	t.Parallel()
	data := largePlan(t)
	places := []int{}
	for i := 0; i < len(data); i += len(data) / 50 {
		places = append(places, i)
	}
	for at := bytes.Index(data, []byte(beforeSteps)); at < len(data); at += blockSize {
		for i := at - 4; i < at+4; i++ {
			places = append(places, i)
		}
	}
	for _, i := range append(places, len(data)-1) {
		data[i] ^= 1
		if _, err := readCanonical(bytes.NewReader(data)); err == nil {
			t.Errorf("readCanonical with byte %d flipped to %q has no error", i, data[i])
		}
		data[i] ^= 1
	}
	for _, changed := range [][]byte{data[:len(data)-1], append(bytes.Clone(data), '\n')} {
		if _, err := readCanonical(bytes.NewReader(changed)); err == nil {
			t.Errorf("readCanonical of %d bytes of %d has no error", len(changed), len(data))
		}
	}
}

// Whoever can make a digest can write what Encode does not.
func TestSignedByHandIsNotCanonical(t *testing.T) {
	t.Parallel()
	data := largePlan(t)
	p, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	before, _, err := p.frame()
	if err != nil {
		t.Fatal(err)
	}
	resigned := func(data []byte) []byte {
		_, steps, _ := bytes.Cut(data, []byte(beforeSteps))
		sum := sha256.New()
		sum.Write(before)
		sum.Write(steps)
		return bytes.Replace(data, []byte(p.Digest), []byte(digestOf(sum)), 1)
	}
	if _, err := readCanonical(bytes.NewReader(resigned(data))); err != nil {
		t.Fatalf("readCanonical of the plan itself = %v", err)
	}
	for _, change := range []struct{ what, from, to string }{
		{"an unknown key", `"subenclosure": 0,`, `"subenclosure": 0, "virtual": true,`},
		{"a missing key", "\n      \"subenclosure\": 0,", ""},
		{"another order of keys", `"chunk_size": 4096,` + "\n          " + `"buffer_id": 0`,
			`"buffer_id": 0,` + "\n          " + `"chunk_size": 4096`},
		{"a blank", `"subenclosure": 0`, `"subenclosure":  0`},
		{"an escape", `"action": "update"`, `"action": "\u0075pdate"`},
		{"a negative zero", `"subenclosure": 0`, `"subenclosure": -0`},
	} {
		changed := bytes.Replace(data, []byte(change.from), []byte(change.to), 1)
		if bytes.Equal(changed, data) {
			t.Fatalf("the plan has no %q", change.from)
		}
		if _, err := readCanonical(bytes.NewReader(resigned(changed))); err == nil {
			t.Errorf("readCanonical of a plan with %s has no error", change.what)
		}
	}
}

// What the quick way reads, the slow way reads too, and the same.
func FuzzCanonical(f *testing.F) {
	for _, data := range savedPlans(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := readCanonical(bytes.NewReader(data))
		if err != nil {
			return
		}
		q, err := parseAny(data)
		if err != nil {
			t.Fatalf("the slow way refuses what the quick one reads: %v", err)
		}
		if diff := cmp.Diff(q, p); diff != "" {
			t.Errorf("the quick way reads another plan than the slow one (-slow +quick):\n%s", diff)
		}
	})
}
