package desired_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/build"
	"fwctl/plan/desired"
)

// What init writes of any inventory is valid, and changes nothing as it stands.
func TestInit(t *testing.T) {
	files := must(filepath.Glob("../build/testdata/*/inventory*.json"))
	if len(files) == 0 {
		t.Fatal("no inventories")
	}
	for _, file := range files {
		inv := must(inventory.Parse(must(os.ReadFile(file))))
		plansToNothing(t, file, inv)
	}
	plansToNothing(t, "nothing")
}

// Devices can say anything of themselves, and saved files too.
func TestInitOddText(t *testing.T) {
	inv := &inventory.Inventory{Host: "a\nwant: [1]"}
	for i, text := range []string{"", " ", "null", "A, B}", "a # b", `\x01[*]?`, "'\"", "ÄÖ", "a\nwant: [1]", "JBOD-60",
		"jbod 60"} {
		sub := inventory.Subenclosure{Vendor: text, Product: text, Revision: text, Address: text}
		psu := sub
		psu.ID = 3
		inv.Enclosures = append(inv.Enclosures, inventory.Enclosure{LogicalID: text, ESPs: []inventory.ESP{{
			LUID: string(rune('a' + i)), Paths: []string{text}, Subenclosures: []inventory.Subenclosure{sub, psu},
		}}})
	}
	d := plansToNothing(t, "odd text", inv)
	if len(d.Models) != len(inv.Enclosures) {
		t.Errorf("Init has %d models; want one for each of %d products", len(d.Models), len(inv.Enclosures))
	}
	// The globs match what they are for.
	for name, m := range d.Models {
		m.Images = map[string]desired.ModelImage{"i": {Part: "iom", SHA256: "s", Revision: "9999"}}
		p, err := build.Plan(build.Input{
			Desired: &desired.State{Models: map[string]desired.Model{name: m},
				Want: []desired.Want{{Model: name, Image: "i"}}},
			Inventories: []*inventory.Inventory{inv}, ImageSizes: map[string]int64{"s": 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		matched := len(p.Steps) - p.Summary.Unmanaged
		if anything := m.Match == (desired.Match{Product: "?*"}); matched != 1 && !anything {
			t.Errorf("model %s, %+v, matches %d components; want 1", name, m.Match, matched)
		}
	}
}

func plansToNothing(t *testing.T, what string, invs ...*inventory.Inventory) *desired.State {
	t.Helper()
	text := desired.Init(invs, nil)
	d, err := desired.Parse("init.yaml", text)
	if err != nil {
		t.Fatalf("Init of %s = %v; want a valid desired state\n%s", what, err, text)
	}
	p, err := build.Plan(build.Input{Desired: d, Inventories: invs})
	if err != nil {
		t.Fatalf("Build of what Init made of %s = %v", what, err)
	}
	if p.Summary != (plan.Summary{Unmanaged: len(p.Steps), Unread: len(p.Unread)}) || len(p.Waves) > 0 {
		t.Errorf("Init of %s plans to %+v; want no change", what, p.Summary)
	}
	return d
}

// With the comments taken away and the image's own facts filled in, it is a
// desired state that asks for something.
func TestInitText(t *testing.T) {
	one := 1
	inv := &inventory.Inventory{Host: "stor1", Simulated: true, Enclosures: []inventory.Enclosure{
		{LogicalID: "5000ccab04001000", ExpectedESPs: &one, ESPs: []inventory.ESP{{LUID: "5000ccab04001001", Paths: []string{"/dev/sg3"}, Subenclosures: []inventory.Subenclosure{
			{Vendor: "ACME", Product: "JBOD-60", Revision: "1000", Address: "a"},
			{ID: 3, Vendor: "ACME", Product: "PSU 2", Revision: "0430", Address: "b"},
		}}}},
		{LogicalID: "5000ccab04001080", ESPs: []inventory.ESP{{LUID: "5000ccab04001081", Paths: []string{"/dev/sg4"}, Subenclosures: []inventory.Subenclosure{
			{Vendor: "ACME", Product: "JBOD-60", Revision: "1100", Address: "c"},
		}}}},
	}}
	const want = `# yaml-language-server: $schema=desired-state.schema.json
# (` + "`fwctl schema desired-state > desired-state.schema.json`" + ` writes that for the editor)
#
# What stor1 saw at 0001-01-01T00:00:00Z.
# SIMULATED rack: none of this is about real hardware.
# It asks for nothing, and changes nothing as it stands. To change that, put the vendor's
# images below their models and into want; then ` + "`fwctl validate -f FILE`" + ` and
# ` + "`fwctl plan -f FILE`" + ` say what would happen.
apiVersion: fwctl/v1
kind: DesiredState

# The facts of each product, once; what is commented out comes from its release notes.
models:
  acme-jbod-60: # 2 enclosures
    match: {vendor: ACME, product: JBOD-60}
    #esps: 2 # I/O modules of one enclosure: not all of them say
    parts:
      iom: {subenclosures: [0]} # ACME JBOD-60 runs 1000 on 1, 1100 on 1
      sub3: {subenclosures: [3]} # ACME PSU 2 runs 0430 on 1
    images: # take away the # of all lines of one
    #  iom-new:
    #    file: images/iom-new.bin
    #    sha256: 0000000000000000000000000000000000000000000000000000000000000000 # see ` + "`fwctl image inspect FILE`" + `
    #    revision: "9999" # what it reports once it runs
    #    from: ["1000"] # what it may be installed over
    #    modes: [e] # e: saved, and started later; 7: started at once

# Which image the components of a model should run: take away the # of a line.
want:
#  - {model: acme-jbod-60, image: iom-new, policy: careful}

# What may be done to components. Without a policy nothing is ever reset: images
# are staged, and wait for a power cycle.
policies:
  careful: {reset: never, activate: manual}

# Names of enclosures, for people; want, except and faultDomains take them too.
names:
#  5000ccab04001000: name-1 # stor1:/dev/sg3
#  5000ccab04001080: name-2 # stor1:/dev/sg4
`
	got := string(desired.Init([]*inventory.Inventory{inv}, nil))
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("Init (-want +got):\n%s", diff)
	}

	// What is commented out is valid once its hash signs are gone.
	suggested := regexp.MustCompile(`(?m)^( *)#( ?)( *)(esps:|iom-new:|file:|sha256:|revision:|from:|modes:|- \{|5000)`)
	for _, on := range []string{suggested.ReplaceAllString(got, "$1$2$3$4"), suggested.ReplaceAllString(got, "$1$3$4")} {
		d, err := desired.Parse("init.yaml", []byte(on))
		if err != nil {
			t.Fatalf("ParseDesiredState of what init has in comments = %v\n%s", err, on)
		}
		if len(d.Want) != 1 || len(d.Names) != 2 || len(d.Models["acme-jbod-60"].Images) != 1 ||
			d.Models["acme-jbod-60"].ESPs != 2 {
			t.Errorf("what init has in comments = %+v; want one want, two names, an image and esps", d)
		}
	}
}
