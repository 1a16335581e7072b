package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// nasty begins a line of its own, and steers the terminal, wherever it is shown as it is.
const nasty = "a\nFORGED\x1b[2J\u202e"

// checkForeign fails if what fwctl printed has control characters, or a line that
// foreign text begins.
func checkForeign(t *testing.T, what, printed string) {
	t.Helper()
	if i := strings.IndexFunc(printed, func(r rune) bool {
		return r != '\n' && r != '\t' && !unicode.IsPrint(r)
	}); i >= 0 {
		t.Errorf("%s prints %q", what, printed[max(0, i-20):min(len(printed), i+20)])
	}
	for line := range strings.SplitSeq(printed, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "FORGED") {
			t.Errorf("%s prints a line of its own, %q, in\n%s", what, line, printed)
		}
	}
}

// Names of files, and texts of devices, processes and people, stay on the line on which fwctl
// prints them.
func TestForeignTextStaysOnItsLine(t *testing.T) {
	t.Parallel()
	long(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "common"))); err != nil {
		t.Fatal(err)
	}
	setenv := func(k, v string) { replaceInFile(t, filepath.Join(dir, "desired.yaml"), "$"+k, v) }
	for _, i := range [][4]string{{"ACME", "JBOD-60", "1100", "acme-1100.bin"},
		{"GLOBEX", "X28", "0611", "globex-0611.bin"}} {
		if err := addImage(dir, setenv, i[0], i[1], i[2], 24_000, filepath.Join("images", i[3])); err != nil {
			t.Fatal(err)
		}
	}
	// In a command, % stands for the directory, and NASTY for something nasty.
	words := strings.NewReplacer("%", dir+"/", "NASTY", nasty)
	prints := func(command string) string {
		t.Helper()
		args := strings.Fields(command)
		for i := range args {
			args[i] = words.Replace(args[i])
		}
		var out bytes.Buffer
		run(append([]string{"--state-dir", filepath.Join(dir, "state")}, args...), strings.NewReader(""), &out, &out)
		checkForeign(t, command, out.String())
		return out.String()
	}
	for _, copied := range [][2]string{{"rack.yaml", nasty}, {"rack.yaml", nasty + ".yaml"},
		{"desired.yaml", nasty + ".desired"}, {"images/acme-1100.bin", nasty + ".bin"}} {
		data, err := os.ReadFile(filepath.Join(dir, copied[0]))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, copied[1]), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}

	const sudo = "--simulate %NASTY.yaml apply %NASTY.plan --yes --ignore-window NASTY --accept-disruption all"
	for _, command := range []string{
		// Files that are there, as what they are and as what they are not.
		"--simulate %NASTY inventory",
		"--simulate %NASTY.yaml inventory --out %NASTY.json",
		"--simulate %NASTY.yaml capture --out %NASTY.capture",
		"--simulate %NASTY.capture inventory",
		"--simulate %NASTY.yaml plan -f %NASTY.desired --out %NASTY.plan",
		"plan -f %NASTY.desired --inventory %NASTY.json",
		"validate -f %NASTY.desired",
		"show %NASTY.plan",
		"show %NASTY.plan -o markdown",
		"explain %NASTY.plan 500304801f00123f",
		"image inspect %NASTY.bin",
		"image inspect %NASTY.json",
		"--simulate %NASTY.yaml init --image %NASTY.bin",
		"--simulate %NASTY.yaml inventory --out %NASTY.plan",
		"--simulate %NASTY.yaml apply %NASTY.plan --images %NASTY",
		"show %NASTY",
		"validate -f %NASTY.bin",
		"plan -f %desired.yaml --inventory %NASTY.bin",
		"--simulate %NASTY.bin inventory",
		"--simulate %NASTY.yaml flash %NASTY.bin /dev/sg0",
		"status --from %NASTY.plan",
		// Words that are not there.
		"--simulate NASTY@NASTY inventory",
		"--simulate %rack.yaml@NASTY inventory",
		"--simulate %NASTY/NASTY inventory",
		"--state-dir %NASTY.bin --simulate %rack.yaml status",
		"--state-dir %NASTY/NASTY --simulate %rack.yaml status",
		"--simulate %rack.yaml plan -f %desired.yaml --target NASTY",
		"--simulate %rack.yaml plan -f %desired.yaml --out %NASTY/NASTY",
		"--simulate %rack.yaml inventory --device NASTY",
		"--simulate %rack.yaml apply %NASTY.plan --expect NASTY",
		"--simulate %rack.yaml apply -f %desired.yaml --yes --accept-disruption NASTY",
		"--simulate %rack.yaml apply -f %desired.yaml --yes --phase NASTY",
		"--simulate %rack.yaml flash NASTY NASTY",
		"--simulate %rack.yaml flash %NASTY.bin NASTY --revision NASTY",
		"--log-level NASTY version",
		"NASTY",
		"version NASTY",
		"version --NASTY",
		"schema NASTY",
		"status --enclosure NASTY",
		"history --enclosure NASTY --from NASTY",
		"--simulate %rack.yaml history",
		// Who did it and why is remembered, and printed again.
		sudo,
		"--simulate %NASTY.yaml history",
		"--simulate %NASTY.yaml status",
		"--simulate %NASTY.yaml verify",
		"--simulate %NASTY.yaml resume --yes",
		"--simulate %NASTY.yaml inventory --out %NASTY.json",
		"--simulate %NASTY.yaml plan -f %NASTY.desired",
		"plan -f %NASTY.desired --inventory %NASTY.json",
	} {
		if command != sudo {
			prints(command)
			continue
		}
		out, err := shell(
			dir,
			"SUDO_USER='"+nasty+"' fwctl "+words.Replace(
				strings.NewReplacer("%NASTY", "'%NASTY'", " NASTY", " 'NASTY'").Replace(sudo),
			),
		)
		if checkForeign(t, sudo, out); err != nil {
			t.Errorf("%s = %v; want it done\n%s", sudo, err, out)
		}
	}
	if out := prints("--simulate %NASTY.yaml history -o json"); !strings.Contains(out, `a\\x0aFORGED`) {
		t.Errorf("history has no one by the name of %q: nothing was applied\n%s", nasty, out)
	}

	// What devices and processes say. A rack can have them say line breaks.
	rack := `{apiVersion: fwctl/v1, kind: Rack, enclosures: [{logicalID: 5000ccab04001000, vendor: "A\nFORGED", product: "a\nFORGED", revision: "\n1",
  esps: [{serial: "a\nFORGED"}, {serial: "b\nFORGED"}],
  elements: [{type: power-supply, count: 1, names: ["a\nFORGED"], status: [critical]}],
  drives: [{slot: 0, use: {process: "a\nFORGED"}}, {slot: 1, use: {mount: "/a\nFORGED"}}]}]}`
	if err := os.WriteFile(filepath.Join(dir, "strange.yaml"), []byte(rack), 0o644); err != nil {
		t.Fatal(err)
	}
	for old, with := range map[string]string{
		`vendor: ACME, product: "JBOD-60*"`: `vendor: "*"`,
		`from: ["10*"], `:                   ``,
		`image: iom-1100}`:                  `image: iom-1100, policy: idle}`,
		`  live: {reset: always}`:           "  live: {reset: always}\n  idle: {reset: idle}",
	} {
		replaceInFile(t, filepath.Join(dir, "desired.yaml"), old, with)
	}
	for _, tt := range [][2]string{ // commands, and what they tell
		{"--simulate %strange.yaml inventory", `a\x0aFORGED: critical`},
		{"--simulate %strange.yaml plan -f %desired.yaml --out %strange.plan", `a\x0aFORGED: critical`},
		{"show %strange.plan", `a\x0aFORGED: critical`},
		{"show %strange.plan -o markdown", `FORGED: critical`},
		{"--simulate %strange.yaml explain -f %desired.yaml 5000ccab04001000/esp1", `held open by a\x0aFORGED`},
		{"--simulate %strange.yaml init", `# A\x0aFORGED a\x0aFORGED runs`},
		{"--simulate %strange.yaml inventory --probe-use --out %strange.json", "saved"},
		{"plan -f %desired.yaml --inventory %strange.json", `a\x0aFORGED: critical`},
	} {
		if out := prints(tt[0]); !strings.Contains(strings.Join(strings.Fields(out), " "), tt[1]) {
			t.Errorf("%s does not tell of %q\n%s", tt[0], tt[1], out)
		}
	}
}

// replaceInFile replaces a text wherever a file has it, which it must.
func replaceInFile(t *testing.T, name, old, with string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		t.Fatalf("%s lacks %q", name, old)
	}
	if err := os.WriteFile(name, []byte(strings.ReplaceAll(string(data), old, with)), 0o644); err != nil {
		t.Fatal(err)
	}
}
