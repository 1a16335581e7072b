package desired

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The built-in table is valid in a desired state, each row names its vendor, and a row that was
// not seen on hardware says so.
func TestQuirkTable(t *testing.T) {
	_, rows, ok := bytes.Cut(quirksYAML, []byte("\nquirks:\n"))
	if !ok {
		t.Fatal("quirks.yaml has no quirks")
	}
	d, err := Parse("quirks.yaml",
		append([]byte("apiVersion: fwctl/v1\nkind: DesiredState\nmodels: {}\nwant: []\nquirks:\n"), rows...))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(quirkTable(), d.Quirks); diff != "" {
		t.Errorf("the table, and as rows of a desired state (-table +rows):\n%s", diff)
	}
	for _, q := range quirkTable() {
		if q.Match.Vendor == "" || !strings.HasSuffix(q.Source, "verified on hardware") {
			t.Errorf("quirk %s: vendor %q, source %q; want a vendor, and an end that says whether it was verified on hardware",
				q.Name, q.Match.Vendor, q.Source)
		}
		if reflect.DeepEqual(q, Quirk{Name: q.Name, Match: q.Match, Source: q.Source}) {
			t.Errorf("quirk %s changes nothing", q.Name)
		}
	}
}

func TestQuirkOf(t *testing.T) {
	own := []Quirk{
		{Name: "old", Match: QuirkMatch{Vendor: "ACME", Revision: "09*"}},
		{Name: "acme", Match: QuirkMatch{Vendor: "ACME"}},
		{Name: "celestica", Match: QuirkMatch{Vendor: "CELESTIC", Product: "X2012"}},
	}
	for _, tt := range []struct{ vendor, product, revision, want string }{
		{"ACME", "JBOD-60", "0950", "old"},
		{"ACME", "JBOD-60", "1000", "acme"},
		{"HGST", "H4060-J", "2033", "wd-data60"},
		{"CELESTIC", "Nebula G2", "1.0", "celestica-nebula"},
		{"CELESTIC", "X2012", "1.0", "celestica"},
		{"CELESTIC", "R0904", "1.0", ""}, // its row was replaced by one that does not fit
		{"GLOBEX", "X28", "0501", ""},
	} {
		if got := QuirkOf(own, tt.vendor, tt.product, tt.revision).Name; got != tt.want {
			t.Errorf("QuirkOf(%s %s %s) = %q; want %q", tt.vendor, tt.product, tt.revision, got, tt.want)
		}
	}
}

func TestBadQuirks(t *testing.T) {
	for _, tt := range []struct{ name, row, want string }{
		{"no source", `{name: a, match: {vendor: A}}`, `q.yaml:6:5: quirks[0] lacks the key "source"`},
		{"matches anything", `{name: a, match: {}, source: s}`, `match has 0 entries; it must have at least 1`},
		{"key that is near", `{name: a, match: {vendor: A}, source: s, chunksize: 4}`, `unknown key "chunksize" (did you mean "chunkSize"?)`},
		{"no pattern", `{name: a, match: {vendor: "["}, source: s}`, `q.yaml:6:31: "[" is not a pattern`},
		{"no pattern of mode e", `{name: a, match: {vendor: A}, source: s, modeE: ["1[0"]}`, `"1[0" is not a pattern`},
		{"no time", `{name: a, match: {vendor: A}, source: s, peerSync: 0s}`, `peerSync is not a time at all`},
		{"two of a name", `{name: a, match: {vendor: A}, source: s}` + "\n  - " + `{name: a, match: {vendor: B}, source: s}`, `q.yaml:7:12: there is a quirk "a" already`},
		{"sense data in words", `{name: a, match: {vendor: A}, source: s, refusedMode: illegal request}`, `refusedMode cannot be "illegal request"`},
		{"page that is none", `{name: a, match: {vendor: A}, source: s, activation: {page: "10 0"}}`, `page cannot be "10 0"`},
		{"page that is cut", `{name: a, match: {vendor: A}, source: s, activation: {page: "10 00 00 09 00"}}`, `the page's length, its bytes 2 and 3, is not the 1 of the bytes that follow`},
		{"page that downloads", `{name: a, match: {vendor: A}, source: s, activation: {page: "0E 00 00 00"}}`, `page 0Eh downloads firmware`},
		{"page and power cycle", `{name: a, match: {vendor: A}, source: s, activation: {by: power-cycle, page: "10 00 00 00"}}`, `by says that only a power cycle does`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("q.yaml",
				[]byte("apiVersion: fwctl/v1\nkind: DesiredState\nmodels: {}\nwant: []\nquirks:\n  - "+tt.row+"\n"))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseDesiredState = %v; want %q", err, tt.want)
			}
		})
	}
}
