package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.." // of the module

// Every example is valid, and is planned and carried out on its own rack.
func TestExamples(t *testing.T) {
	racks, err := filepath.Glob(filepath.Join(root, "examples", "*", "rack.yaml"))
	if err != nil || len(racks) == 0 {
		t.Fatalf("Glob = %v, %v; want examples", racks, err)
	}
	for _, rack := range racks {
		example := filepath.Dir(rack)
		t.Run(filepath.Base(example), func(t *testing.T) {
			t.Parallel()
			dir := copyOf(t, example)
			hurry(t, filepath.Join(dir, "rack.yaml"))
			for _, command := range []string{
				"fwctl validate -f desired-state.yaml",
				"fwctl --simulate rack.yaml plan -f desired-state.yaml --out example.plan",
				"fwctl --simulate rack.yaml apply example.plan --check --accept-disruption all",
				"fwctl --simulate rack.yaml apply example.plan --yes --accept-disruption all",
				"fwctl --simulate rack.yaml inventory",
			} {
				if out, err := shell(dir, command); err != nil {
					t.Fatalf("%s = %v; want no error\n%s", command, err, out)
				}
			}
			out, err := shell(dir, "fwctl --simulate rack.yaml plan -f desired-state.yaml")
			if err != nil || !strings.Contains(out, "Plan: 0 to update, ") {
				t.Errorf("plan after apply = %v; want nothing left to update\n%s", err, out)
			}
		})
	}
}

// Every command in a console block of the README runs, in order, on a copy of
// examples/quickstart, and answers what stands below it. -update writes that.
func TestREADME(t *testing.T) {
	t.Parallel()
	long(t)
	file := filepath.Join(root, "README.md")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := copyOf(t, filepath.Join(root, "examples", "quickstart"))
	simrack := filepath.Join(t.TempDir(), "simrack")
	build := exec.Command("go", "build", "-o", simrack, "fwctl/internal/sim/simrack")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as in make build, so that nothing is compiled again
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build = %v\n%s", err, out)
	}
	block := regexp.MustCompile("(?ms)^```console\n\\$ ([^\n]*)\n(.*?)^```$")
	commands := 0
	got := block.ReplaceAllStringFunc(string(data), func(text string) string {
		commands++
		m := block.FindStringSubmatch(text)
		// the copy is outside the module
		out, err := shell(dir, strings.ReplaceAll(m[1], "go run ../../internal/sim/simrack", simrack))
		if err != nil {
			t.Errorf("%s = %v; want no error\n%s", m[1], err, out)
		}
		if diff := cmp.Diff(timeless(m[2]), timeless(out)); diff != "" && !*update {
			t.Errorf("%s (-README +got):\n%s", m[1], diff)
		}
		return "```console\n$ " + m[1] + "\n" + out + "```"
	})
	if commands == 0 {
		t.Error("README.md has no console block")
	}
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The demo shows each command as it can be typed.
func TestDemoQuotes(t *testing.T) {
	script, err := os.ReadFile(filepath.Join(root, "examples", "quickstart", "demo.sh"))
	if err != nil {
		t.Fatal(err)
	}
	run := regexp.MustCompile(`(?ms)^run\(\) \{.*?^\}$`).FindString(string(script))
	got, err := shell(t.TempDir(), run+"\nrun echo --accept-disruption '5000*/*' r12.plan")
	if want := "\n$ echo --accept-disruption '5000*/*' r12.plan\n--accept-disruption 5000*/* r12.plan\n"; err != nil ||
		got != want {
		t.Errorf("run = %q, %v; want %q", got, err, want)
	}
}

// The README says of every module that is required directly why it is.
func TestREADMENamesEveryDependency(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(string(mod), -1) {
		if name := strings.TrimPrefix(m[1], "github.com/"); !strings.Contains(string(readme), "["+name+"](") {
			t.Errorf("README.md does not say why %s is needed", m[1])
		}
	}
}

// timeless takes out of a command's output what differs from run to run: times,
// digests of what holds times, and the order of what happens at the same time.
func timeless(text string) []string {
	for _, r := range []struct{ pattern, with string }{
		{`(?m)^(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d UTC (In all: .*\n)?`, ""},
		{`\d{4}-\d\d-\d\d( \d\d:\d\d UTC)?`, "TIME"},
		{`([Pp])lan [0-9a-f]{8}`, "${1}lan DIGEST"},
		{`sha256:[0-9a-f]{64}`, "DIGEST"},
		{`(?m)^.*: \d\d? % sent\n`, ""},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.with)
	}
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return lines
}

// hurry takes the waiting out of a rack, which is there for people to see.
func hurry(t *testing.T, rack string) {
	t.Helper()
	data, err := os.ReadFile(rack)
	if err != nil {
		t.Fatal(err)
	}
	data = regexp.MustCompile(`(latency|flashTime|rebootTime): [0-9]+m?s`).ReplaceAll(data, []byte("$1: 1ms"))
	if err := os.WriteFile(rack, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// shell runs a command line in dir; the fwctl in it is this test binary.
func shell(dir, command string) (string, error) {
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "FWCTL_STATE_DIR="+filepath.Join(dir, "state"), "TZ=UTC", "SUDO_USER=anna",
		"COLUMNS=80")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
