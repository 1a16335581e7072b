package scan

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseMultipath(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]map[string]bool{
		// As dmsetup status prints them of kernels from 5.10 to 6.12 under the path selectors there are.
		"0 2048 multipath 2 0 0 0 1 1 A 0 2 0 8:0 A 0 8:16 F 1 \n":                                          {"8:0": true, "8:16": false},
		"0 2048 multipath 2 0 0 0 2 1 A 0 1 2 8:0 A 0 0 1 E 0 1 2 8:16 A 0 0 1 \n":                          {"8:0": true, "8:16": true},
		"0 2048 multipath 2 0 0 1 alua 2 0 D 0 1 2 8:0 F 3 0 1 E 0 1 2 65:160 A 0 0 1 \n":                   {"8:0": false, "65:160": true},
		"0 2048 multipath 2 0 0 0 1 1 A 2 5 0 1 4 8:0 A 0 0 1 2 3 \n":                                       {"8:0": true},
		"0 2048 multipath 2 0 0 0 0 0 \n":                                                                   {}, // a map that has lost all
		"0 8 multipath 2 0 0 0 1 1 A 0 1 0 8:0 A 0 \n8 8 multipath 2 0 0 0 1 1 A 0 2 0 8:0 F 0 8:16 A 0 \n": {"8:0": false, "8:16": true},
		"0 8 multipath 2 0 0 0 1 1 A 0 1 0 8:0 F 0 \n8 8 multipath 2 0 0 0 1 1 A 0 1 0 8:0 A 0 \n":          {"8:0": false},
		"": {},
	} {
		got, err := parseMultipath(status)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("parseMultipath(%q) = %v, %v; want %v", status, got, err, want)
		}
	}
	for _, status := range []string{
		"0 8 linear \n",
		"0 8\n",
		"0 8 multipath 2 0 0 0 1 1 A 0 2 0 8:0 A 0 \n",          // a path short
		"0 8 multipath 2 0 0 0 1 1 A 0 1 0 8:0 A 0 8:16 A 0 \n", // one too many
		"0 8 multipath 2 0 0 0 1 1 A 0 1 0 8:0 X 0 \n",
		"0 8 multipath 2 0 0 0 -1 1 \n",
		"0 8 multipath 99999999999999999999 0 0 0 1 1 \n",
		"0 8 multipath 2 0 0 0 1000000000 1 A \n",
	} {
		if got, err := parseMultipath(status); !errors.Is(err, errMultipathStatus) {
			t.Errorf("parseMultipath(%q) = %v, %v; want errMultipathStatus", status, got, err)
		}
	}
}

// FuzzParseMultipath: no path is active that the status does not call active.
func FuzzParseMultipath(f *testing.F) {
	f.Add("0 2048 multipath 2 0 0 0 2 1 A 0 1 2 8:0 A 0 0 1 E 0 1 2 8:16 F 1 0 1 \n")
	f.Add("0 2048 multipath 2 0 0 1 alua 2 0 D 2 5 0 1 2 8:0 F 3 0 1 E 0 0 0 \n")
	f.Fuzz(func(t *testing.T, status string) {
		active, err := parseMultipath(status)
		if err != nil && active != nil {
			t.Errorf("parseMultipath(%q) = %v, %v; want no paths with an error", status, active, err)
		}
		words := strings.Fields(status)
		for device, is := range active {
			said := func(state string) bool {
				for i, w := range words[:len(words)-1] {
					if w == device && words[i+1] == state {
						return true
					}
				}
				return false
			}
			if is && !said("A") {
				t.Errorf("parseMultipath(%q) calls %s active", status, device)
			}
		}
	})
}
