package desired_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/go-multierror"

	"fwctl/internal/window"
	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/build"
	"fwctl/plan/desired"
	"fwctl/schemas"
)

const small = `apiVersion: fwctl/v1
kind: DesiredState
metadata: {name: dc1}
models:
  acme60:
    match: {vendor: ACME, product: "JBOD-60*"}
    download: {protocol: auto, chunkSize: 4096, bufferID: 0, flashTimeout: 45m}
    activation: {by: mode-f, scope: esp, settle: 60s, returnTimeout: 15m}
    parts:
      iom: {subenclosures: [0]}
      psu: {subenclosures: [3, 4], activation: {by: power-cycle, scope: enclosure}}
    order: [1000, 0430, 1100]
    images:
      iom-1100:
        file: 1100.bin
        sha256: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
        revision: 0430
        from: ["10*"]
        modes: [e, 7]
want:
  - {model: acme60, image: iom-1100, policy: live, enclosures: ["5000ccab*"]}
names: {5000CCAB04001000: r12u20}
policies:
  live: {reset: always}
rollout: {maxFailures: 2}
`

func TestParseDesiredState(t *testing.T) {
	got, err := desired.Parse("f.yaml", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(small))
	want := &desired.State{
		File: "f.yaml", SHA256: hex.EncodeToString(digest[:]), Name: "dc1",
		Models: map[string]desired.Model{"acme60": {
			Match:    desired.Match{Vendor: "ACME", Product: "JBOD-60*"},
			Download: desired.Download{ChunkSize: 4096, FlashTimeout: plan.Duration(45 * time.Minute)},
			Activation: desired.ActivationRule{By: plan.ByModeF, Scope: desired.ESPScope, Settle: plan.Duration(time.Minute),
				ReturnTimeout: plan.Duration(15 * time.Minute)},
			Parts: map[string]desired.Part{
				"iom": {Subenclosures: []int{0}},
				"psu": {Subenclosures: []int{3, 4}, Activation: desired.ActivationRule{By: plan.ByPowerCycle, Scope: desired.EnclosureScope}},
			},
			Order: []string{"1000", "0430", "1100"},
			Images: map[string]desired.ModelImage{"iom-1100": {
				Part: "iom", File: "1100.bin", SHA256: strings.Repeat("a", 64), Revision: "0430",
				From: []string{"10*"}, Modes: []plan.Mode{plan.ModeE, plan.Mode7},
			}},
		}},
		Want: []desired.Want{{Model: "acme60", Image: "iom-1100", Policy: "live",
			Enclosures: []inventory.Selector{"5000ccab*"}}},
		Names: map[string]string{"5000ccab04001000": "r12u20"},
		Policies: map[string]desired.Policy{"live": {Reset: plan.ResetAlways, Activate: plan.Manual,
			Downgrade: desired.DowngradeForbid, RequireAllESPs: true, RequireHealthy: true}},
		Rollout: plan.Rollout{MaxParallel: 1, MaxFailures: 2},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(desired.State{})); diff != "" {
		t.Errorf("ParseDesiredState (-want +got):\n%s", diff)
	}
}

// What a desired state leaves out is the safe choice.
func TestDefaults(t *testing.T) {
	d, err := desired.Parse("f",
		[]byte("apiVersion: fwctl/v1\nkind: DesiredState\nmodels: {}\nwant: []\npolicies: {p: {}, q: {requireHealthy: "+
			"false}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	safe := desired.Policy{Reset: "never", Activate: "manual", Downgrade: "forbid", RequireAllESPs: true,
		RequireHealthy: true}
	lax := safe
	lax.RequireHealthy = false
	got := map[string]desired.Policy{"default": desired.DefaultPolicy(), "p": d.Policies["p"], "q": d.Policies["q"]}
	if diff := cmp.Diff(map[string]desired.Policy{"default": safe, "p": safe, "q": lax}, got); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	if want := (plan.Rollout{MaxParallel: 1, MaxFailures: 0}); d.Rollout != want {
		t.Errorf("rollout = %+v; want %+v", d.Rollout, want)
	}
}

// texts returns the problems in an error as texts.
func texts(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var all *multierror.Error
	if !errors.As(err, &all) {
		t.Fatalf("error is a %T; want a *multierror.Error", err)
	}
	var got []string
	for _, e := range all.Errors {
		var p schemas.Problem
		if !errors.As(e, &p) {
			t.Fatalf("error is a %T; want a schemas.Problem", e)
		}
		got = append(got, p.Error())
	}
	return got
}

// publicKey is that of minisign's author.
const publicKey = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"

// ring is two images, each of which starts only at the other's revision.
var ring = "      a: {sha256: " + strings.Repeat("b", 64) + ", from: [0003], revision: 0004, file: a, modes: [e]}\n" +
	"      b: {sha256: " + strings.Repeat("c", 64) + ", from: [0004], revision: 0003, file: b, modes: [e]}\n"

func TestParseDesiredStateProblems(t *testing.T) {
	for _, tt := range []struct {
		name    string
		replace []string
		want    []string
	}{
		{"an unknown model, with the nearest", []string{"- {model: acme60", "- {model: acme6"},
			[]string{`f.yaml:21:13: there is no model "acme6" (did you mean "acme60"?)`}},
		{"an unknown image", []string{"image: iom-1100, policy", "image: other, policy"},
			[]string{`f.yaml:21:28: model acme60 has no image "other" (there are: iom-1100)`}},
		{"an unknown policy", []string{"policy: live", "policy: life"},
			[]string{`f.yaml:21:46: there is no policy "life" (did you mean "live"?)`}},
		{"a glob that is none", []string{`["10*"]`, `["10[*"]`},
			[]string{`f.yaml:18:16: "10[*" is not a pattern (* stands for any text, ? for a character, [0-9a] for one of some; \ before one of those takes it as it is)`}},
		{"globs of a model that are none", []string{"{vendor: ACME, product: \"JBOD-60*\"}", "{vendor: \"AC[\", product: \"[]\"}"}, []string{
			`f.yaml:6:21: "AC[" is not a pattern (* stands for any text, ? for a character, [0-9a] for one of some; \ before one of those takes it as it is)`,
			`f.yaml:6:37: "[]" is not a pattern (* stands for any text, ? for a character, [0-9a] for one of some; \ before one of those takes it as it is)`,
		}},
		{"a glob of a want that is none", []string{`enclosures: ["5000ccab*"]`, `enclosures: ["5000ccab*", "r1[2]"]`},
			[]string{`f.yaml:21:78: cannot use selector "r1[2]": '[' is not part of an address or a name (` +
				inventory.SelectorHelp + `)`}},
		{"times that are none", []string{"flashTimeout: 45m", "flashTimeout: 0s", "settle: 60s", "settle: 0m", "{by: power-cycle", "{returnTimeout: 0h, by: power-cycle"}, []string{
			`f.yaml:7:76: flashTimeout is not a time at all (write at least 1s, or leave it out for the default)`,
			`f.yaml:8:50: settle is not a time at all (write at least 1s, or leave it out for the default)`,
			`f.yaml:11:64: returnTimeout is not a time at all (write at least 1s, or leave it out for the default)`,
		}},
		{"a subenclosure in two parts", []string{"[3, 4]", "[3, 0]"},
			[]string{`f.yaml:11:32: subenclosure 0 is in iom and in psu (a subenclosure is in one part)`}},
		{"a part that is not there", []string{"        from:", "        part: iam\n        from:"},
			[]string{`f.yaml:18:15: image iom-1100 is for part "iam", which model acme60 does not have (did you mean "iom"?)`}},
		{"a digest that is none", []string{"AAAA", "zzzz"},
			[]string{`f.yaml:16:17: sha256 cannot be "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz" (64 hex digits: sha256sum FILE prints them.)`}},
		{"no time at all", []string{"settle: 60s", "settle: 0s"},
			[]string{`f.yaml:8:50: settle is not a time at all (write at least 1s, or leave it out for the default)`}},
		{"times that no plan may have", []string{"settle: 60s", "settle: 169h", "rollout: {", "rollout: {soak: 168h1s, "}, []string{
			`f.yaml:8:50: settle of 169h is longer than the 168h that a plan may wait for anything (write at most 168h)`,
			`f.yaml:25:17: soak of 168h0m1s is longer than the 168h that a plan may wait for anything (write at most 168h)`,
		}},
		{"times that a plan may have", []string{"settle: 60s", "settle: 168h", "rollout: {", "rollout: {soak: 168h, "}, nil},
		{"names of more than a line", []string{
			"name: dc1", `name: "dc1\nx"`, "acme60", `"acme\t60"`, "iom-1100", `"iom\n1100"`, " psu:", ` "p\nsu":`,
			"live", `"li\nve"`, "rollout:", `windows: {"n\night": {start: "2026-11-21T22:00", timezone: UTC, duration: 6h}}` + "\nrollout:",
		}, []string{
			`f.yaml:3:18: the name "dc1\nx" is more than a line (write it without line breaks and tabs)`,
			`f.yaml:6:5: the name "acme\t60" is more than a line (write it without line breaks and tabs)`,
			`f.yaml:11:16: the name "p\nsu" is more than a line (write it without line breaks and tabs)`,
			`f.yaml:15:9: the name "iom\n1100" is more than a line (write it without line breaks and tabs)`,
			`f.yaml:24:13: the name "li\nve" is more than a line (write it without line breaks and tabs)`,
			`f.yaml:25:22: the name "n\night" is more than a line (write it without line breaks and tabs)`,
		}},
		{"a number in place of a duration", []string{"settle: 60s", "settle: 60"},
			[]string{`f.yaml:8:50: settle cannot be "60" (A duration such as 60s, 45m or 1h30m, at most 168h.)`}},
		{"a duration of too many digits", []string{"settle: 60s", "settle: 999999999h"},
			[]string{`f.yaml:8:50: settle cannot be "999999999h" (A duration such as 60s, 45m or 1h30m, at most 168h.)`}},
		{"two images that are the same file", []string{"want:", "      zzz: {file: b, sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, revision: 1200, modes: [e]}\nwant:"},
			[]string{`f.yaml:20:106: iom-1100 and zzz are the same file and cannot be revisions 0430 and 1200 (correct sha256 or revision of one of them)`}},
		{"two images with one name", []string{"want:", "      iom-1100: {file: b}\nwant:"},
			[]string{
				`f.yaml:20:7: duplicate key "iom-1100" (the first is in line 14: keep one of them)`,
			}},
		{"one name for two enclosures", []string{"{5000CCAB04001000: r12u20}", "{5000CCAB04001000: r12u20, 5000ccab04001008: r12u20}"},
			[]string{`f.yaml:22:53: 5000ccab04001000 and 5000ccab04001008 are both named "r12u20" (give each enclosure a name of its own)`}},
		{"two names for one enclosure", []string{"{5000CCAB04001000: r12u20}", "{5000CCAB04001000: r12u20, 5000ccab04001000: r12u24}"},
			[]string{`f.yaml:22:53: enclosure 5000ccab04001000 is named here a second time (hex digits mean the same in capitals: keep one of the names)`}},
		{"names that mean somebody else", []string{"{5000CCAB04001000: r12u20}", "{5000CCAB04001000: 5000ccab04001000, 5000ccab04001008: 5000CCAB04001000, 5000ccab04001010: lu-1, 0000000000000000: r12u20}"}, []string{
			`f.yaml:22:63: "5000CCAB04001000" reads like the identifier of another enclosure (write a name that does not, as in r12u20)`,
			`f.yaml:22:99: "lu-1" reads like the identifier of another enclosure (write a name that does not, as in r12u20)`,
			`f.yaml:22:123: no enclosure has this identifier, which stands for none (write lu- and the logical unit's designator, as in its address)`,
		}},
		{"globs as shells have them", []string{`["10*"]`, `["[!1]*", "a[b!]", '\[!1]', "[^!1]", 'x[\]]', 'x[\]]?[!a]', "[[!]"]`}, []string{
			`f.yaml:18:16: "[!1]*" means ! or one of the others (write [^0-9a] for a character that is none of some, as shells do with !, or ! last for itself)`,
			`f.yaml:18:61: "x[\\]]?[!a]" means ! or one of the others (write [^0-9a] for a character that is none of some, as shells do with !, or ! last for itself)`,
		}},
		{"an identifier that is none", []string{"{5000CCAB04001000: r12u20}", "{r12u20: 5000CCAB04001000}"},
			[]string{`f.yaml:22:9: "r12u20" cannot be a key here (Names of enclosures by their logical identifier (16 hex digits), or by lu-<designator> if that is zero.)`}},
		{"activation that nothing permits", []string{"{reset: always}", "{activate: apply}"},
			[]string{`f.yaml:24:20: activate: apply resets an I/O module, and reset: never forbids that (say reset: always, or activate: manual)`}},
		{"null where text is meant", []string{"revision: 0430", "revision: ~", `["10*"]`, "[null]", "file: 1100.bin", "file:"}, []string{
			`f.yaml:15:14: file is empty; it must be text (The image's file, relative to the folder of this file.)`,
			`f.yaml:17:19: revision is empty; it must be text (What the device reports: one to four characters, taken as text.)`,
			`f.yaml:18:16: from[0] is empty; it must be text`,
		}},
		{"images that lead round", []string{"want:", ring + "want:"},
			[]string{`f.yaml:20:91: a and b form a circle: each starts only at what another of them brings, and nothing says which revision is the later one (list their revisions in the model's order, or say in from what else one of them is installed over)`}},
		{"images that lead round: the order shows the way back", []string{"want:", ring + "want:", "order: [1000,", "order: [0003, 0004, 1000,"}, nil},
		{"images that lead round: there is a way in", []string{"want:", strings.Replace(ring, "from: [0003]", "from: [0003, 0002]", 1) + "want:"}, nil},
		{"images that lead round: a way in by a glob", []string{"want:", strings.Replace(ring, "from: [0003]", `from: ["000?"]`, 1) + "want:"}, nil},
		{"an image that starts only at itself", []string{"want:", "      a: {file: a, sha256: " + strings.Repeat("b", 64) + ", revision: 0003, modes: [e], from: [0003]}\nwant:"},
			nil},
		{"an image that starts at its own revision, built again", []string{"want:", "      a: {file: a, sha256: " + strings.Repeat("b", 64) + ", revision: 0430, modes: [e], from: [0430]}\nwant:"}, nil},
		{"contradictory images", []string{"want:", "      a: {file: a, sha256: " + strings.Repeat("b", 64) + ", revision: 0003, modes: [e], from: [1000]}\n      b: {file: b, sha256: " + strings.Repeat("c", 64) + ", revision: 0003, modes: [e], from: [\"1*\"]}\nwant:"},
			[]string{`f.yaml:21:104: a and b are different files that both bring 0003 over the same revisions, and no want names one of them (name the one that is meant in want, give them different from, or take one out)`}},
		{"contradictory images: apart by what they start at", []string{"want:", "      a: {file: a, sha256: " + strings.Repeat("b", 64) + ", revision: 0003, modes: [e], from: [1000]}\n      b: {file: b, sha256: " + strings.Repeat("c", 64) + ", revision: 0003, modes: [e], from: [\"2*\"]}\nwant:"}, nil},
		{"contradictory images: a want names one", []string{"want:", "      a: {file: a, sha256: " + strings.Repeat("b", 64) + ", revision: 0430, modes: [e]}\nwant:"}, nil},
		{"what the schema finds and what it does not, at once", []string{"policy: live", "polcy: live", "order:", "esps: two\n    order:", "[3, 4]", "[3, 0]"}, []string{
			`f.yaml:11:32: subenclosure 0 is in iom and in psu (a subenclosure is in one part)`,
			`f.yaml:12:11: esps is text; it must be a whole number (I/O modules (ESPs) that one enclosure has; needed if the enclosure does not say.)`,
			`f.yaml:22:38: unknown key "polcy" (did you mean "policy"?)`,
		}},
		{"no YAML", []string{"models:", "models: ]"},
			[]string{`f.yaml:4:1: this is not valid YAML: did not find expected node content (check this line and its neighbours for a missing colon, quote or bracket, or for wrong indentation)`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := desired.Parse("f.yaml", []byte(strings.NewReplacer(tt.replace...).Replace(small)))
			if diff := cmp.Diff(tt.want, texts(t, err)); diff != "" {
				t.Errorf("ParseDesiredState (-want +got):\n%s", diff)
			}
		})
	}
}

// gates is what the language has beyond small.
const gates = `apiVersion: fwctl/v1
kind: DesiredState
models: {}
want: []
names: {5000ccab04001000: r12u20}
policies:
  strict:
    downgrade: order
    windows: {stage: [], reset: [saturday-night]}
    waive: [{element: "Power Supply 2", reason: "bay is empty", until: 2027-01-31}]
    requireSignature: [` + publicKey + `]
windows:
  saturday-night: {start: 2026-11-21T22:00, timezone: Europe/Berlin, duration: 6h, rrule: FREQ=WEEKLY;BYDAY=SA, exclude: [2026-12-26]}
except:
  - {enclosure: "r14*", reason: "CHG-4711: power supply on order", until: 2026-12-15}
faultDomains: [[r12u20, 500304801F001200, lu-12AB]]
rollout: {canary: 1, soak: 10m, maxFailures: 0}
`

func TestParseDesiredStateGates(t *testing.T) {
	got, err := desired.Parse("f.yaml", []byte(gates))
	if err != nil {
		t.Fatal(err)
	}
	strict := desired.DefaultPolicy()
	strict.Downgrade = desired.DowngradeOrder
	strict.Windows = desired.PolicyWindows{Stage: []string{}, Reset: []string{"saturday-night"}}
	strict.Waive = []desired.Waiver{{Element: "Power Supply 2", Reason: "bay is empty", Until: "2027-01-31"}}
	strict.RequireSignature = []string{publicKey}
	want := &desired.State{
		File: "f.yaml", Models: map[string]desired.Model{}, Want: []desired.Want{},
		Names:    map[string]string{"5000ccab04001000": "r12u20"},
		Policies: map[string]desired.Policy{"strict": strict},
		Rollout:  plan.Rollout{Canary: 1, Soak: plan.Duration(10 * time.Minute), MaxParallel: 1},
		Except: []desired.Exception{{Enclosure: "r14*", Reason: "CHG-4711: power supply on order",
			Until: "2026-12-15"}},
		FaultDomains: [][]inventory.Selector{{"r12u20", "500304801F001200", "lu-12AB"}},
		Windows: map[string]window.Window{"saturday-night": {
			Start: "2026-11-21T22:00", Timezone: "Europe/Berlin", Duration: "6h", RRule: "FREQ=WEEKLY;BYDAY=SA",
			Exclude: []string{"2026-12-26"},
		}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(desired.State{}),
		cmpopts.IgnoreFields(desired.State{}, "SHA256")); diff != "" {
		t.Errorf("ParseDesiredState (-want +got):\n%s", diff)
	}
}

func TestParseDesiredStateGateProblems(t *testing.T) {
	for _, tt := range []struct {
		name    string
		replace []string
		want    []string
	}{
		{"none", nil, nil},
		{"an unknown window", []string{"reset: [saturday-night]", "reset: [saturday-nite]", "stage: []", "stage: [weekdays]"}, []string{
			`f.yaml:9:23: there is no window "weekdays" (there are: saturday-night)`,
			`f.yaml:9:42: there is no window "saturday-nite" (did you mean "saturday-night"?)`,
		}},
		{"a window without an end", []string{"duration: 6h, ", ""},
			[]string{`f.yaml:13:19: saturday-night lacks the key "duration" (A duration such as 60s, 45m or 1h30m.)`}},
		{"a window of no time", []string{"duration: 6h", "duration: 0h"},
			[]string{`f.yaml:13:80: 0h is too short to do anything in (write at least 1m)`}},
		{"a window in no time zone, by no rule", []string{"Europe/Berlin", "Europe/Berlun", "FREQ=WEEKLY", "FREQ=HOURLY"}, []string{
			`f.yaml:13:55: there is no time zone "Europe/Berlun" (write the IANA name of a place, as in Europe/Berlin, or UTC)`,
			`f.yaml:13:91: a window has no FREQ=HOURLY (use DAILY, WEEKLY, MONTHLY or YEARLY)`,
		}},
		{"days that are none", []string{"2027-01-31", "2027-02-31", "until: 2026-12-15", "until: 2026-13-15"}, []string{
			`f.yaml:10:72: 2027-02-31 is not a day of the calendar (the last day that it holds, as in 2026-12-15)`,
			`f.yaml:15:75: 2026-13-15 is not a day of the calendar (the last day that it holds, as in 2026-12-15)`,
		}},
		{"an exception without an end", []string{", until: 2026-12-15", "", `"r14*"`, `"r14["`}, []string{
			`f.yaml:15:5: except[0] lacks the key "until" (The last day on which it applies, in UTC, such as 2026-12-15.)`,
			`f.yaml:15:17: cannot use selector "r14[": '[' is not part of an address or a name (` + inventory.SelectorHelp + `)`,
		}},
		{"an exception for too much", []string{`"r14*"`, `"r14u02/esp1/sub0/x"`},
			[]string{`f.yaml:15:17: cannot use selector "r14u02/esp1/sub0/x": it has 4 parts; an address has 3 (` +
				inventory.SelectorHelp + `)`}},
		{"a fault domain with a gap", []string{"[[r12u20, ", "[[r12u20/, "},
			[]string{`f.yaml:16:17: cannot use selector "r12u20/": one of its parts is empty (` + inventory.SelectorHelp + `)`}},
		{"a name that is a word of its own", []string{"names: {5000ccab04001000: r12u20}", "names: {5000ccab04001000: all}"},
			[]string{`f.yaml:5:27: no enclosure can be named "all", which selects every one on the command line (write another name, as in r12u20)`}},
		{"a fault domain of one", []string{", lu-12AB", ", 5000CCAB04001000"},
			[]string{`f.yaml:16:43: enclosure 5000ccab04001000 is in this fault domain already (take it out here)`}},
		{"a key that is none", []string{publicKey, publicKey[1:]},
			[]string{`f.yaml:11:24: "` + publicKey[1:] +
				`" is not a minisign public key (write the second line of the vendor's .pub file: 56 characters that begin with RW)`}},
		{"downgrades", []string{"downgrade: order", "downgrade: allow"},
			[]string{`f.yaml:8:16: downgrade is "allow"; it must be one of forbid, order (forbid (the default) blocks the way to an earlier revision of the model's order; order permits it.)`}},
		{"commands that no shell takes apart", []string{"downgrade: order", "reset: always\n    hooks: {afterReset: [ceph osd unset noout]}"}, []string{
			`f.yaml:9:26: "ceph osd unset noout" is one word, and the name of no program (no shell takes it apart: write each word as an item of its own, as in [ceph, osd, unset, noout])`,
		}},
		{"a command that is not a list", []string{"downgrade: order", "reset: always\n    hooks: {beforeReset: \"ceph osd set noout\"}"}, []string{
			`f.yaml:9:26: beforeReset is text; it must be a list (A program and its arguments as a list of words, without a shell: [ceph, osd, set, noout].)`,
		}},
		{"commands that depend on where one is", []string{"downgrade: order", "reset: always\n    hooks: {beforeReset: [./noout.sh, set], afterReset: [bin/noout, unset], timeout: 0s}"}, []string{
			`f.yaml:9:27: ./noout.sh depends on the directory that fwctl is started in (write where it is from the root on, as in /usr/local/bin/NAME, or a name alone that $PATH has)`,
			`f.yaml:9:58: bin/noout depends on the directory that fwctl is started in (write where it is from the root on, as in /usr/local/bin/NAME, or a name alone that $PATH has)`,
			`f.yaml:9:86: timeout is not a time at all (write at least 1s, or leave it out for the default)`,
		}},
		{"commands around resets that there are not", []string{"downgrade: order", "hooks: {beforeReset: [noout]}"}, []string{
			`f.yaml:8:12: hooks are run around resets, and this policy says reset: never (leave them out, or say reset: idle, redundant or always)`,
		}},
		{"hooks without a command", []string{"downgrade: order", "reset: always\n    hooks: {timeout: 1m, beforReset: [noout]}"}, []string{
			`f.yaml:9:12: hooks names no command (say what is run in beforeReset, afterReset or both)`,
			`f.yaml:9:26: unknown key "beforReset" (did you mean "beforeReset"?)`,
		}},
		{"an empty command", []string{"downgrade: order", "reset: always\n    hooks: {beforeReset: [], afterReset: [\"\"]}"}, []string{
			`f.yaml:9:26: beforeReset has 0 entries; it must have at least 1 (A program and its arguments as a list of words, without a shell: [ceph, osd, set, noout].)`,
			`f.yaml:9:43: afterReset[0] is too short: 0 of at least 1 characters (One word. The first is the program: a name found in $PATH, or an absolute path.)`,
		}},
		{"activation that nothing permits", []string{"downgrade: order", "activate: apply"},
			[]string{`f.yaml:8:15: activate: apply resets an I/O module, and reset: never forbids that (say reset: always, or activate: manual)`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := desired.Parse("f.yaml", []byte(strings.NewReplacer(tt.replace...).Replace(gates)))
			if diff := cmp.Diff(tt.want, texts(t, err)); diff != "" {
				t.Errorf("ParseDesiredState (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadImages(t *testing.T) {
	dir := t.TempDir()
	content := []byte("an image")
	digest := sha256.Sum256(content)
	sum := hex.EncodeToString(digest[:])
	if err := os.WriteFile(filepath.Join(dir, "1100.bin"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	parse := func(sha, file string) *desired.State {
		d, err := desired.Parse("f.yaml",
			[]byte(strings.NewReplacer(strings.Repeat("A", 64), sha, "1100.bin", file).Replace(small)))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}

	for _, file := range []string{"1100.bin", "../" + filepath.Base(dir) + "/1100.bin", filepath.Join(dir, "1100.bin")} {
		images, err := parse(strings.ToUpper(sum), file).LoadImages(dir)
		if err != nil || len(images.Files) != 1 || string(images.Files[sum].Bytes()) != "an image" {
			t.Errorf("LoadImages of %s = %v, %v; want the image by its SHA-256", file, images, err)
		}
	}

	_, err := parse(strings.Repeat("b", 64), "1100.bin").LoadImages(dir)
	want := []string{"f.yaml:16:17: cannot use image " + dir + "/1100.bin: its SHA-256 is " + sum + ", not the expected " +
		strings.Repeat("b", 64) +
		" (this is not the file that was reviewed: get that one back, or compare this one with the vendor's digest and then change sha256)"}
	if diff := cmp.Diff(want, texts(t, err)); diff != "" {
		t.Errorf("LoadImages with another digest (-want +got):\n%s", diff)
	}

	_, err = parse(sum, "gone.bin").LoadImages(dir)
	want = []string{"f.yaml:15:15: cannot use image " + dir +
		"/gone.bin: there is no such file (check the name, or get the file from the vendor)"}
	if diff := cmp.Diff(want, texts(t, err)); diff != "" {
		t.Errorf("LoadImages without the file (-want +got):\n%s", diff)
	}
}

// If a policy requires a signature, the wanted image must have one by its key. Other images need
// none; if they have one, it must be valid.
func TestLoadImagesSignatures(t *testing.T) {
	dir := t.TempDir()
	public, private, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	otherPublic, otherPrivate, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, content []byte) string {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256(content)
		return hex.EncodeToString(digest[:])
	}
	wanted, stone := []byte("vendor: ACME\nproduct: jbod 60 wanted\n"), []byte("ACME JBOD60 stone")
	wantedSHA, stoneSHA := put("wanted", wanted), put("stone", stone)
	put("wanted.minisig", minisign.Sign(private, wanted))
	put("stone.minisig", minisign.Sign(private, stone))
	put("other.minisig", minisign.Sign(otherPrivate, wanted))
	foreignPublic, foreignPrivate, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	foreign, foreignKeys := []byte("foreign"), []string{foreignPublic.String()}
	foreignSHA := put("foreign", foreign)
	put("foreign.minisig", minisign.Sign(foreignPrivate, foreign))

	signed := func(wantedSignature, stoneSignature string, keys ...string) *desired.State {
		policy := desired.DefaultPolicy()
		policy.RequireSignature = keys
		return &desired.State{
			File: "f.yaml",
			Models: map[string]desired.Model{
				"m": {
					Match: desired.Match{Vendor: "ACME", Product: "JBOD-60*"},
					Parts: map[string]desired.Part{"iom": {Subenclosures: []int{0}}},
					Images: map[string]desired.ModelImage{
						"wanted": {Part: "iom", File: "wanted", SHA256: wantedSHA, Signature: wantedSignature},
						"stone":  {Part: "iom", File: "stone", SHA256: stoneSHA, Signature: stoneSignature},
					},
				},
				"n": { // its policy is nothing to m, and m's is nothing to it, though their images have one name
					Parts: map[string]desired.Part{"iom": {Subenclosures: []int{3}}},
					Images: map[string]desired.ModelImage{
						"wanted": {Part: "iom", File: "foreign", SHA256: foreignSHA, Signature: "foreign.minisig"},
					},
				},
			},
			Want: []desired.Want{{Model: "m", Image: "wanted", Policy: "live"},
				{Model: "n", Image: "wanted", Policy: "foreign"}},
			Policies: map[string]desired.Policy{"live": policy, "foreign": {RequireSignature: foreignKeys},
				"unused": {RequireSignature: []string{otherPublic.String()}}},
		}
	}
	for _, tt := range []struct {
		name     string
		desired  *desired.State
		want     map[string][]string
		problems []string
	}{
		{"both signed", signed("wanted.minisig", "stone.minisig", otherPublic.String(), public.String()),
			map[string][]string{wantedSHA: {public.String()}, stoneSHA: {public.String()}, foreignSHA: foreignKeys}, nil},
		{"a stone without one", signed("wanted.minisig", "", public.String()),
			map[string][]string{wantedSHA: {public.String()}, foreignSHA: foreignKeys}, nil},
		{"no policy that requires one", signed("gone.minisig", ""), map[string][]string{foreignSHA: foreignKeys}, nil},
		{"none", signed("", "", public.String()), nil,
			[]string{"it has no signature, and policy live requires one (name the vendor's .minisig file in the image's " +
				"signature)"}},
		{"no file", signed("gone.minisig", "", public.String()), nil, []string{"its signature " + dir + "/gone.minisig: there is no such file"}},
		{"another key", signed("other.minisig", "", public.String()), nil, []string{"its signature " + dir + "/other.minisig: it is by key "}},
		{"each other's", signed("stone.minisig", "wanted.minisig", public.String()), nil,
			[]string{"stone: its signature " + dir + "/wanted.minisig: it does not match",
				"wanted: its signature " + dir + "/stone.minisig: it does not match"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			images, err := tt.desired.LoadImages(dir)
			got := texts(t, err)
			if len(got) != len(tt.problems) {
				t.Fatalf("LoadImages = %v; want %v", got, tt.problems)
			}
			for i, want := range tt.problems {
				if !strings.Contains(got[i], want) {
					t.Errorf("LoadImages = %q; want %q", got[i], want)
				}
			}
			if images == nil {
				return
			}
			if diff := cmp.Diff(tt.want, images.SignedBy); diff != "" {
				t.Errorf("signed by (-want +got):\n%s", diff)
			}
		})
	}
}

// An image that does not mention its product is a warning, and no more than that.
func TestLoadImagesWarnings(t *testing.T) {
	dir := t.TempDir()
	content := []byte("\x01\x02GLOBEX X28 0611\x00")
	digest := sha256.Sum256(content)
	if err := os.WriteFile(filepath.Join(dir, "a"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	const warning = "image iom of model m: no text in it reads like %; packed or encrypted images have none, else it " +
		"may be the wrong file: compare it with the release notes"
	for _, tt := range []struct {
		vendor, product string
		subenclosure    int
		want            string
	}{
		{"GLOBEX", "X28", 0, ""},
		{"GLOBEX", "x-28*", 0, ""},
		{"GLOBEX", "X29", 0, "X29"},
		{"ACME", "X2[89]", 0, "ACME"}, // X2 is too short to look for
		{"", "JBOD-??[0-9] \\*DEPOT", 0, "*DEPOT"},
		{"ACME", "", 0, "ACME"},
		{"*", "?", 0, ""},
		{"ACME", "JBOD-60", 3, ""}, // another product is in there
	} {
		d := &desired.State{Models: map[string]desired.Model{"m": {
			Match:  desired.Match{Vendor: tt.vendor, Product: tt.product},
			Parts:  map[string]desired.Part{"iom": {Subenclosures: []int{tt.subenclosure}}},
			Images: map[string]desired.ModelImage{"iom": {Part: "iom", File: "a", SHA256: hex.EncodeToString(digest[:])}},
		}}}
		images, err := d.LoadImages(dir)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		if tt.want != "" {
			want = []string{strings.Replace(warning, "%", tt.want, 1)}
		}
		if diff := cmp.Diff(want, images.Warnings); diff != "" {
			t.Errorf("warnings for %s %s (-want +got):\n%s", tt.vendor, tt.product, diff)
		}
	}
}

func FuzzParseDesiredState(f *testing.F) {
	f.Add([]byte(small))
	for _, file := range must(filepath.Glob("../build/testdata/*/desired-state.yaml")) {
		f.Add(must(os.ReadFile(file)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := desired.Parse("f.yaml", data)
		if (d == nil) == (err == nil) {
			t.Fatalf("ParseDesiredState = %v, %v; want one of them", d, err)
		}
		if err != nil {
			if len(texts(t, err)) == 0 {
				t.Error("an error without a problem")
			}
			return
		}
		if _, err := build.Plan(build.Input{Desired: d}); err != nil {
			t.Errorf("Build of no inventory = %v; want an empty plan", err)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
