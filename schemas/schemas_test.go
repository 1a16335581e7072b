package schemas_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"fwctl/schemas"
)

// valid is a desired state in which every scalar that is meant as text looks
// like something else to YAML.
const valid = `# a comment
apiVersion: fwctl/v1
kind: DesiredState
models:
  acme60: &acme
    match: {vendor: 42, product: 4.10}
    download: {chunkSize: 0x1000}
    images:
      "1": &image
        file: 2026-12-15
        sha256: 1111111111111111111111111111111111111111111111111111111111111111
        revision: 0430
        from: [1e3, no, 0x0e, 4.10, true]
        modes: [e, 7]
      2: {<<: *image, revision: 1e3}
  other: *acme
want:
  - {model: acme60, image: 1}
`

func TestCheckLetsTextThroughAsWritten(t *testing.T) {
	root, problems := schemas.Check("desired-state", "f.yaml", []byte(valid))
	if len(problems) > 0 {
		t.Fatalf("Check = %v; want no problems", problems)
	}
	var got struct {
		Models map[string]struct {
			Match  map[string]string
			Images map[string]struct {
				File, Revision string
				From           []string
			}
		}
	}
	if err := root.Decode(&got); err != nil {
		t.Fatal(err)
	}
	other := got.Models["other"]
	if diff := cmp.Diff(map[string]string{"vendor": "42", "product": "4.10"}, other.Match); diff != "" {
		t.Errorf("match (-want +got):\n%s", diff)
	}
	one, two := other.Images["1"], other.Images["2"]
	if diff := cmp.Diff([]string{"1e3", "no", "0x0e", "4.10", "true"}, one.From); diff != "" {
		t.Errorf("from (-want +got):\n%s", diff)
	}
	if one.File != "2026-12-15" || one.Revision != "0430" || two.Revision != "1e3" {
		t.Errorf("file, revisions = %q, %q, %q; want them as written", one.File, one.Revision, two.Revision)
	}
}

// Merge keys bring what was merged into what they name, and what stands beside
// them wins.
func TestCheckMergesMerges(t *testing.T) {
	const file = `apiVersion: fwctl/v1
kind: DesiredState
models:
  a: &a {match: {vendor: ACME}, esps: 2, images: {}}
  b: &b {<<: *a, esps: 3}
  c: {<<: *b}
want: []
`
	root, problems := schemas.Check("desired-state", "f.yaml", []byte(file))
	if len(problems) > 0 {
		t.Fatalf("Check = %v; want no problems", problems)
	}
	if n := root.Lookup("models", "c", "match", "vendor"); n.Value != "ACME" {
		t.Errorf("c's vendor = %q; want that of a", n.Value)
	}
	if n := root.Lookup("models", "c", "esps"); n.Value != "3" {
		t.Errorf("c's esps = %q; want that of b", n.Value)
	}
}

// The schema knows every key of the language, also those that are not carried out yet.
func TestEverything(t *testing.T) {
	data, err := os.ReadFile("testdata/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, problems := schemas.Check("desired-state", "everything.yaml", data); len(problems) > 0 {
		t.Errorf("Check = %v; want no problems", problems)
	}
}

func TestCheckProblems(t *testing.T) {
	replace := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(valid) }
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for _, c := range "bcdefghij" {
		prev := string(c - 1)
		bomb += string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+prev+",", 10), ",") + "]\n"
	}
	for _, tt := range []struct {
		name, file string
		want       []string
	}{
		{"empty", "", []string{`f.yaml: the file is empty`}},
		{"comments only", "# nothing\n", []string{`f.yaml: the file is empty`}},
		{"two documents", valid + "---\nkind: x\n", []string{`f.yaml:19:1: a second document starts here (a file holds one document: split it at the line ---)`}},
		{"no YAML", "models:\n  a: [1, 2\nwant: {}\n", []string{`f.yaml:2:3: this is not valid YAML: did not find expected ',' or ']' (check this line and its neighbours for a missing colon, quote or bracket, or for wrong indentation)`}},
		{"bomb", bomb, []string{`f.yaml:1:1: this is not valid YAML: document contains excessive aliasing (write out the repeated parts)`}},
		{"endless", "models: &m {a: *m}\n", []string{`f.yaml:1:9: this is not valid YAML: anchor 'm' value contains itself (an anchor cannot be used inside the value that it names)`}},
		{"an alias without an anchor", "kind: x # *mm\nmodels: {\u00fc: *m}\n", []string{`f.yaml:2:13: this is not valid YAML: unknown anchor 'm' referenced (check this line and its neighbours for a missing colon, quote or bracket, or for wrong indentation)`}},
		{"mappings that are none", "a: &a [{}]\nb: {<<: *a}\nc: {<<: [{}, x]}\n[d]: 1\n*a : 2\n", []string{
			`f.yaml:2:9: << merges something that is not a mapping (name the anchor of a mapping, or list such anchors: <<: [*a, *b])`,
			`f.yaml:3:9: << merges something that is not a mapping (name the anchor of a mapping, or list such anchors: <<: [*a, *b])`,
			`f.yaml:4:1: a key is a list or a mapping; it must be text (quote text that begins with [ or {)`,
			`f.yaml:5:1: a key is a list or a mapping; it must be text (quote text that begins with [ or {)`,
		}},
		{"text in base64", replace("revision: 0430", "revision: !!binary MDQz", "kind: DesiredState", "kind: DesiredState\nmetadata: {name: !<tag:yaml.org,2002:binary> G1sySg==}"), []string{
			`f.yaml:4:18: !!binary hides the text (write the text itself)`,
			`f.yaml:13:19: !!binary hides the text (write the text itself)`,
		}},
		{"keys that are nothing", replace("other: *acme", "~: *acme\n  Null: *acme\n  \"null\": *acme"), []string{
			`f.yaml:16:3: a key is empty; it must be text (write a name; quote it if it is meant as text, as in "null")`,
			`f.yaml:17:3: a key is empty; it must be text (write a name; quote it if it is meant as text, as in "null")`,
		}},
		{"duplicate key", valid + "want: [{model: acme60, image: 1}]\n", []string{`f.yaml:19:1: duplicate key "want" (the first is in line 17: keep one of them)`}},
		{"text where a mapping is wanted", "hello\n", []string{`f.yaml:1:1: the file is text; it must be a mapping (Which firmware which enclosures should run, and what may be done to get there.)`}},
		{"unknown key, with the nearest", replace("revision: 0430", "revison: 0430"), []string{
			`f.yaml:9:12: 1 lacks the key "revision" (What the device reports: one to four characters, taken as text.)`,
			`f.yaml:12:9: unknown key "revison" (did you mean "revision"?)`,
		}},
		{"unknown key, nothing near", replace("kind: DesiredState", "kind: DesiredState\nzzz: 1"), []string{
			`f.yaml:4:1: unknown key "zzz" (known here: apiVersion, except, faultDomains, kind, metadata, models, names, notify, policies, quirks, rollout, want, windows)`}},
		{"null is no text", replace("revision: 0430", "revision: ~"), []string{
			`f.yaml:12:19: revision is empty; it must be text (What the device reports: one to four characters, taken as text.)`}},
		{"null in a list", replace("from: [1e3, no,", "from: [1e3, null,"), []string{
			`f.yaml:13:21: from[1] is empty; it must be text`}},
		{"too long for a revision", replace("revision: 0430", "revision: 0x0430"), []string{
			`f.yaml:12:19: revision is too long: 6 of at most 4 characters (What the device reports: one to four characters, taken as text.)`}},
		{"enum of numbers that are text", replace("modes: [e, 7]", "modes: [e, 8]"), []string{
			`f.yaml:14:20: modes[1] is "8"; it must be one of e, 7`}},
		{"twice the same", replace("modes: [e, 7]", "modes: [e, e]"), []string{
			`f.yaml:14:20: modes has the same entry twice (What the vendor supports: e (save, activate later) and 7 (save, activate at once).)`}},
		{"not a multiple", replace("0x1000", "4098"), []string{
			`f.yaml:7:27: chunkSize is 4098; it must be a multiple of 4 (Bytes sent at a time: a multiple of 4, at most 65508; by default 4096.)`}},
		{"infinity", replace("0x1000", ".inf"), []string{
			`f.yaml:7:27: chunkSize is text; it must be a whole number (Bytes sent at a time: a multiple of 4, at most 65508; by default 4096.)`}},
		{"what a terminal obeys", valid + "except: [{enclosure: \"\\e[2J\", reason: \"a\\nline\", until: 2026-12-15}, {enclosure: a\u202eb, \"\\x7f\": \u00fc}]\n", []string{
			`f.yaml:19:22: it has a character that cannot be shown: U+001B (remove it, or write what it stands for)`,
			`f.yaml:19:70: except[1] lacks the key "reason" (The reason, shown in the plan.)`,
			`f.yaml:19:70: except[1] lacks the key "until" (The last day on which it applies, in UTC, such as 2026-12-15.)`,
			`f.yaml:19:82: it has a character that cannot be shown: U+202E (remove it, or write what it stands for)`,
			`f.yaml:19:87: it has a character that cannot be shown: U+007F (remove it, or write what it stands for)`,
			`f.yaml:19:87: unknown key "\x7f" (known here: enclosure, reason, until)`,
		}},
		{"no UTF-8", "kind: x\nmetadata: {name: \u00fc\xff}\n", []string{`f.yaml:2:19: this is not valid YAML: invalid leading UTF-8 octet (save the file as UTF-8)`}},
		{"a revision in two lines", replace("revision: 0430", `revision: "1\n0"`), []string{
			`f.yaml:12:19: revision cannot be "1\n0" (What the device reports: one to four characters, taken as text.)`}},
		{"a raw control character", "kind: x\r\nmetadata: {name:\t\x1b}\n", []string{`f.yaml:2:18: this is not valid YAML: control characters are not allowed (remove it)`}},
		{"wrong version", replace("fwctl/v1", "fwctl/v2"), []string{
			`f.yaml:2:13: apiVersion is "fwctl/v2"; it must be "fwctl/v1" (The version of this format: fwctl/v1.)`}},
		{"several at once", replace("fwctl/v1", "fwctl/v2", "0x1000", "4098", "{model: acme60, image: 1}", "{model: acme60, imag: 1}"), []string{
			`f.yaml:2:13: apiVersion is "fwctl/v2"; it must be "fwctl/v1" (The version of this format: fwctl/v1.)`,
			`f.yaml:7:27: chunkSize is 4098; it must be a multiple of 4 (Bytes sent at a time: a multiple of 4, at most 65508; by default 4096.)`,
			`f.yaml:18:5: want[0] lacks the key "image" (A name from that model's images.)`,
			`f.yaml:18:21: unknown key "imag" (did you mean "image"?)`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := schemas.Check("desired-state", "f.yaml", []byte(tt.file))
			var got []string
			for _, p := range problems {
				got = append(got, p.Error())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Check (-want +got):\n%s", diff)
			}
		})
	}
}

// Every schema compiles, is of the draft that editors expect, and answers to its name.
func TestSchemas(t *testing.T) {
	for _, name := range schemas.Names() {
		text, err := schemas.Text(name)
		if err != nil {
			t.Fatal(err)
		}
		var head struct {
			Schema string `json:"$schema"`
			ID     string `json:"$id"`
		}
		if err := json.Unmarshal(text, &head); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
		if head.Schema != "https://json-schema.org/draft/2020-12/schema" || !strings.HasSuffix(head.ID, name+".schema.json") {
			t.Errorf("schema %s has $schema %q and $id %q", name, head.Schema, head.ID)
		}
		if _, problems := schemas.Check(name, "f", []byte("[]")); len(problems) == 0 {
			t.Errorf("Check(%s, []) = no problem; want a list to be refused", name)
		}
	}
	if _, err := schemas.Text("nothing"); err == nil || !strings.Contains(err.Error(), "desired-state") {
		t.Errorf("Text(nothing) = %v; want an error that lists the names", err)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"protocol", "chunkSize", "bufferID", "from", "e", "7"}
	for word, want := range map[string]string{
		"protocl": "protocol", "chunksize": "chunkSize", "bufferld": "bufferID", "portocol": "protocol",
		"form": "from", "frix": "", "settle": "", "": "", "x": "",
	} {
		if got := schemas.Nearest(word, known); word != "" && got != want {
			t.Errorf("Nearest(%q) = %q; want %q", word, got, want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(valid))
	f.Add([]byte("a: &x 1\n*x : 1\n*x : 2\n[a]: 1\n[b]: 2\n"))
	f.Add([]byte("a: &a [*a]\n<<: [*a, {b: 1}]\n? [x]\n: y\n"))
	f.Add([]byte(`{"apiVersion": "fwctl/v1", "want": [1, null, 1e999], "models": {"": {"match": {"vendor": .nan}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		root, problems := schemas.Check("desired-state", "f", data)
		if root == nil && len(problems) == 0 {
			t.Error("Check = no node and no problem")
		}
		var v yaml.Node
		if len(problems) == 0 && yaml.Unmarshal(data, &v) != nil {
			t.Error("Check finds no problem in what is not valid YAML")
		}
	})
}
