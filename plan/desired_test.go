package plan_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/go-multierror"

	"fwctl/plan"
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
	got, err := plan.ParseDesiredState("f.yaml", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(small))
	want := &plan.DesiredState{
		File: "f.yaml", SHA256: hex.EncodeToString(digest[:]), Name: "dc1",
		Models: map[string]plan.Model{"acme60": {
			Match:      plan.Match{Vendor: "ACME", Product: "JBOD-60*"},
			Download:   plan.Download{ChunkSize: 4096, FlashTimeout: plan.Duration(45 * time.Minute)},
			Activation: plan.ActivationRule{By: plan.ByModeF, Scope: plan.ESPScope, Settle: plan.Duration(time.Minute), ReturnTimeout: plan.Duration(15 * time.Minute)},
			Parts: map[string]plan.Part{
				"iom": {Subenclosures: []int{0}},
				"psu": {Subenclosures: []int{3, 4}, Activation: plan.ActivationRule{By: plan.ByPowerCycle, Scope: plan.EnclosureScope}},
			},
			Order: []string{"1000", "0430", "1100"},
			Images: map[string]plan.ModelImage{"iom-1100": {
				Part: "iom", File: "1100.bin", SHA256: strings.Repeat("a", 64), Revision: "0430",
				From: []string{"10*"}, Modes: []plan.Mode{plan.ModeE, plan.Mode7},
			}},
		}},
		Want:     []plan.Want{{Model: "acme60", Image: "iom-1100", Policy: "live", Enclosures: []string{"5000ccab*"}}},
		Names:    map[string]string{"5000ccab04001000": "r12u20"},
		Policies: map[string]plan.Policy{"live": {Reset: plan.ResetAlways, Activate: plan.Manual, Downgrade: plan.DowngradeForbid, RequireAllESPs: true, RequireHealthy: true}},
		Rollout:  plan.Rollout{MaxParallel: 1, MaxFailures: 2},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(plan.DesiredState{})); diff != "" {
		t.Errorf("ParseDesiredState (-want +got):\n%s", diff)
	}
}

// What a desired state leaves out is the safe choice.
func TestDefaults(t *testing.T) {
	d, err := plan.ParseDesiredState("f", []byte("apiVersion: fwctl/v1\nkind: DesiredState\nmodels: {}\nwant: []\npolicies: {p: {}, q: {requireHealthy: false}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	safe := plan.Policy{Reset: "never", Activate: "manual", Downgrade: "forbid", RequireAllESPs: true, RequireHealthy: true}
	lax := safe
	lax.RequireHealthy = false
	got := map[string]plan.Policy{"default": plan.DefaultPolicy(), "p": d.Policies["p"], "q": d.Policies["q"]}
	if diff := cmp.Diff(map[string]plan.Policy{"default": safe, "p": safe, "q": lax}, got); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	if want := (plan.Rollout{MaxParallel: 1, MaxFailures: 0}); d.Rollout != want {
		t.Errorf("rollout = %+v; want %+v", d.Rollout, want)
	}
}

// texts are the problems in an error, each as it is told.
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
			[]string{`f.yaml:18:16: "10[*" is no pattern (* stands for any text, ? for a character, [0-9a] for one of some; \ before one of those takes it as it is)`}},
		{"a subenclosure in two parts", []string{"[3, 4]", "[3, 0]"},
			[]string{`f.yaml:11:32: subenclosure 0 is in iom and in psu (a subenclosure is in one part)`}},
		{"a part that is not there", []string{"        from:", "        part: iam\n        from:"},
			[]string{`f.yaml:18:15: image iom-1100 is for part "iam", which model acme60 does not have (did you mean "iom"?)`}},
		{"a digest that is none", []string{"AAAA", "zzzz"},
			[]string{`f.yaml:16:17: sha256 cannot be "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz" (64 hex digits: sha256sum FILE prints them.)`}},
		{"no time at all", []string{"settle: 60s", "settle: 0s"},
			[]string{`f.yaml:8:50: settle is no time at all (write at least 1s, or leave it out for the default)`}},
		{"a number in place of a duration", []string{"settle: 60s", "settle: 60"},
			[]string{`f.yaml:8:50: settle cannot be "60" (A duration such as 60s, 45m or 1h30m.)`}},
		{"two images that are the same file", []string{"want:", "      zzz: {file: b, sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, revision: 1200, modes: [e]}\nwant:"},
			[]string{`f.yaml:20:106: iom-1100 and zzz are the same file and cannot be revisions 0430 and 1200 (correct sha256 or revision of one of them)`}},
		{"two images with one name", []string{"want:", "      iom-1100: {file: b}\nwant:"},
			[]string{
				`f.yaml:20:7: key "iom-1100" stands here a second time (the first is in line 14: keep one of them)`,
			}},
		{"one name for two enclosures", []string{"{5000CCAB04001000: r12u20}", "{5000CCAB04001000: r12u20, 5000ccab04001008: r12u20}"},
			[]string{`f.yaml:22:8: 5000ccab04001000 and 5000ccab04001008 are both named "r12u20" (give each enclosure a name of its own)`}},
		{"an identifier that is none", []string{"{5000CCAB04001000: r12u20}", "{r12u20: 5000CCAB04001000}"},
			[]string{`f.yaml:22:9: "r12u20" cannot be a key here (Names of enclosures by their logical identifier (16 hex digits), or by lu-<designator> where that is zero.)`}},
		{"activation that nothing permits", []string{"{reset: always}", "{activate: apply}"},
			[]string{`f.yaml:24:20: activate: apply resets an I/O module, and reset: never forbids that (say reset: always, or activate: manual)`}},
		{"not supported yet: top level", []string{"rollout: {maxFailures: 2}", "except: []\nfaultDomains: []\nwindows: {}\nrollout: {canary: 1, soak: 10m, maxParallel: 8}"}, []string{
			`f.yaml:25:9: except is not supported yet (take it out: nothing of what it asks for would be done)`,
			`f.yaml:26:15: faultDomains is not supported yet (take it out: nothing of what it asks for would be done)`,
			`f.yaml:27:10: windows is not supported yet (take it out: nothing of what it asks for would be done)`,
			`f.yaml:28:19: canary is not supported yet (take it out: nothing of what it asks for would be done)`,
			`f.yaml:28:28: soak is not supported yet (take it out: nothing of what it asks for would be done)`,
			`f.yaml:28:46: maxParallel: 8 is not supported yet (1 is: one enclosure after the other)`,
		}},
		{"not supported yet: policy", []string{"{reset: always}", "{reset: idle, downgrade: order, windows: {}, waive: [], requireSignature: [x]}"}, []string{
			`f.yaml:24:17: reset: idle is not supported yet (never and always are)`,
			`f.yaml:24:34: downgrade: order is not supported yet (forbid is)`,
			`f.yaml:24:50: windows is not supported yet (take it out: nothing of what it asks for would be done)`,
			`f.yaml:24:61: waive is not supported yet (take it out: nothing of what it asks for would be done)`,
			`f.yaml:24:83: requireSignature is not supported yet (take it out: nothing of what it asks for would be done)`,
		}},
		{"not supported yet: redundant, through an alias", []string{"{reset: always}", "&p {reset: redundant}\n  other: *p"},
			[]string{`f.yaml:24:20: reset: redundant is not supported yet (never and always are)`}},
		{"not supported yet: signature", []string{"        from:", "        signature: x\n        from:"},
			[]string{`f.yaml:18:20: signature is not supported yet (take it out: nothing of what it asks for would be done)`}},
		{"what the schema finds and what it does not, at once", []string{"policy: live", "polcy: live", "order:", "esps: two\n    order:", "[3, 4]", "[3, 0]"}, []string{
			`f.yaml:11:32: subenclosure 0 is in iom and in psu (a subenclosure is in one part)`,
			`f.yaml:12:11: esps is text; it must be a whole number (I/O modules (ESPs) that one enclosure has; needed where the enclosure does not tell.)`,
			`f.yaml:22:38: unknown key "polcy" (did you mean "policy"?)`,
		}},
		{"no YAML", []string{"models:", "models: ]"},
			[]string{`f.yaml:4:1: this is no YAML: did not find expected node content (look at this line and its neighbours for a missing colon, quote or bracket, or a wrong indentation)`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := plan.ParseDesiredState("f.yaml", []byte(strings.NewReplacer(tt.replace...).Replace(small)))
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
	parse := func(sha, file string) *plan.DesiredState {
		d, err := plan.ParseDesiredState("f.yaml", []byte(strings.NewReplacer(strings.Repeat("A", 64), sha, "1100.bin", file).Replace(small)))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}

	for _, file := range []string{"1100.bin", "../" + filepath.Base(dir) + "/1100.bin", filepath.Join(dir, "1100.bin")} {
		images, err := parse(strings.ToUpper(sum), file).LoadImages(dir)
		if err != nil || len(images) != 1 || string(images[sum].Bytes()) != "an image" {
			t.Errorf("LoadImages of %s = %v, %v; want the image by its SHA-256", file, images, err)
		}
	}

	_, err := parse(strings.Repeat("b", 64), "1100.bin").LoadImages(dir)
	want := []string{"f.yaml:16:17: cannot use image " + dir + "/1100.bin: its SHA-256 is " + sum + ", not the expected " + strings.Repeat("b", 64) +
		" (this is another file than the one that was reviewed: get that one back, or compare with the vendor's digest and then change sha256)"}
	if diff := cmp.Diff(want, texts(t, err)); diff != "" {
		t.Errorf("LoadImages with another digest (-want +got):\n%s", diff)
	}

	_, err = parse(sum, "gone.bin").LoadImages(dir)
	want = []string{"f.yaml:15:15: cannot use image " + dir + "/gone.bin: there is no such file: no such file or directory (check the name, or get the file from the vendor)"}
	if diff := cmp.Diff(want, texts(t, err)); diff != "" {
		t.Errorf("LoadImages without the file (-want +got):\n%s", diff)
	}
}

func FuzzParseDesiredState(f *testing.F) {
	f.Add([]byte(small))
	for _, file := range must(filepath.Glob("testdata/*/desired-state.yaml")) {
		f.Add(must(os.ReadFile(file)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := plan.ParseDesiredState("f.yaml", data)
		if (d == nil) == (err == nil) {
			t.Fatalf("ParseDesiredState = %v, %v; want one of them", d, err)
		}
		if err != nil {
			if len(texts(t, err)) == 0 {
				t.Error("an error without a problem")
			}
			return
		}
		if _, err := plan.Build(plan.Input{Desired: d}); err != nil {
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
