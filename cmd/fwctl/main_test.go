package main

import (
	"bufio"
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"fwctl/internal/image"
	"fwctl/internal/sim"
	"fwctl/internal/transport"
	"fwctl/internal/window"
	"fwctl/plan"
	"fwctl/schemas"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

var update = flag.Bool("update", false, "write golden files anew")

func TestMain(m *testing.M) {
	local := time.Local
	time.Local = time.UTC
	// Most tests here wait for processes that wait for a simulated rack: more of them
	// run at once than there are processors. -parallel says otherwise.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	// With the race detector every process of fwctl would sleep for a second at its end.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	// A process goes by its TZ.
	process := func(main func()) func() {
		return func() {
			time.Local = local
			main()
		}
	}
	commands := map[string]func(){"fwctl": process(main), "fwctl-at-rack": process(mainAtRack)}
	built := os.Getenv("FWCTL_TEST_BINARY")
	if built != "" {
		delete(commands, "fwctl")
	}
	testscript.Main(tests{m, built}, commands)
}

// mainAtRack is fwctl on a machine that takes the enclosures of rack.yaml for its own: commands
// that a plan names are run there, as they are not with --simulate.
func mainAtRack() {
	a := newApp(os.Stdin, os.Stdout, os.Stderr)
	a.local = func() (transport.Machine, error) {
		rack, err := sim.Open("rack.yaml")
		if err != nil {
			return nil, err
		}
		m, err := rack.Machine("")
		return simulatedMachine{m, false}, err
	}
	os.Exit(a.run(os.Args[1:]))
}

// tests are the tests, run with a built fwctl if one is named.
type tests struct {
	m     *testing.M
	built string
}

func (t tests) Run() int {
	if t.built == "" {
		return t.m.Run()
	}
	return testBuilt(t.m, t.built)
}

// long skips a test that starts fwctl many times, or waits for it for long, in make quick.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts fwctl many times: make test runs it")
	}
}

// testBuilt runs the tests with a built fwctl for every process of it, in place of this
// binary, which may have been built with the race detector: hundreds of processes of
// that take minutes to start.
func testBuilt(m *testing.M, built string) int {
	dir, err := os.MkdirTemp("", "fwctl-test")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if _, err := os.Stat(built); err != nil { // has go test run again when it was built anew
		panic(err)
	}
	if err := os.Symlink(built, filepath.Join(dir, "fwctl")); err != nil {
		panic(err)
	}
	os.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return m.Run()
}

// The command line as users meet it. Every script finds the files of
// testdata/common in its directory, beside its own: a rack of two enclosures, and
// a desired state for it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Setup:               setUpScript,
		Cmds:                scriptCommands,
		Condition:           condition,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
	})
}

var scriptCommands = map[string]func(*testscript.TestScript, bool, []string){
	"exits":       exits,
	"effects":     effects,
	"image":       makeImage,
	"fits":        fits,
	"subst":       subst,
	"power-cycle": powerCycle,
	"window":      putWindow,
	"unsee":       unsee,
	"await":       await,
	"full":        full,
	"schema":      putSchema,
	"timeless":    takeTime,
}

// condition is [scsi]: the machine that the tests run on has SCSI generic devices.
func condition(cond string) (bool, error) {
	if cond != "scsi" {
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	nodes, err := os.ReadDir("/sys/class/scsi_generic")
	return err == nil && len(nodes) > 0, nil
}

func setUpScript(env *testscript.Env) error {
	env.Setenv("FWCTL_STATE_DIR", filepath.Join(env.WorkDir, "state"))
	env.Setenv("TZ", "UTC")
	env.Setenv("SUDO_USER", "anna")
	env.Setenv("GORACE", os.Getenv("GORACE"))
	for _, img := range []struct{ vendor, product, revision, file string }{
		{"ACME", "JBOD-60", "1100", "acme-1100.bin"},
		{"GLOBEX", "X28", "0611", "globex-0611.bin"},
	} {
		if err := addImage(env.WorkDir, env.Setenv, img.vendor, img.product, img.revision, 24_000,
			filepath.Join("images", img.file)); err != nil {
			return err
		}
	}
	return fs.WalkDir(os.DirFS("testdata/common"), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		to := filepath.Join(env.WorkDir, name)
		if _, err := os.Stat(to); err == nil {
			return nil // the script has its own
		}
		data, err := os.ReadFile(filepath.Join("testdata/common", name))
		if err != nil {
			return err
		}
		return os.WriteFile(to, []byte(os.Expand(string(data), env.Getenv)), 0o644)
	})
}

// addImage writes a simulated image and puts its digest into a variable:
// $sha_acme_1100 for images/acme-1100.bin.
func addImage(dir string, setenv func(k, v string), vendor, product, revision string, size int, file string) error {
	path := filepath.Join(dir, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, sim.Image(vendor, product, revision, size), 0o644); err != nil {
		return err
	}
	img, err := image.Load(path)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	setenv("sha_"+strings.ReplaceAll(name, "-", "_"), img.SHA256())
	return nil
}

// exits CODE COMMAND... runs a command, which must exit with that code. What apply
// and resume write as JSON has to fit its schema.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code = %d; want %d", got, want)
	}
	if verb := args[1:]; slices.Contains(verb, "json") &&
		(slices.Contains(verb, "apply") || slices.Contains(verb, "resume")) {
		ts.Check(checkEvents([]byte(ts.ReadFile("stdout"))))
	}
}

// effects N TRACE counts the commands with an effect in a rack's trace; none if there is no
// trace. N may be "some".
func effects(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: effects N|some TRACE")
	}
	count := 0
	data, err := os.ReadFile(ts.MkAbs(args[1]))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		ts.Fatalf("%v", err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		var line struct{ Effect *bool }
		ts.Check(json.Unmarshal(lines.Bytes(), &line))
		if line.Effect == nil {
			ts.Fatalf("a line of the trace does not say whether it has an effect: %s", lines.Text())
		}
		if *line.Effect {
			count++
		}
	}
	if args[0] == "some" && count > 0 {
		return
	}
	if fmt.Sprint(count) != args[0] {
		ts.Fatalf("commands with an effect = %d; want %s", count, args[0])
	}
}

// image VENDOR PRODUCT REVISION SIZE FILE makes a simulated image.
func makeImage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 5 {
		ts.Fatalf("usage: image VENDOR PRODUCT REVISION SIZE FILE")
	}
	size, err := strconv.Atoi(args[3])
	ts.Check(err)
	ts.Check(addImage(ts.MkAbs("."), ts.Setenv, args[0], args[1], args[2], size, args[4]))
}

// fits SCHEMA FILE compares a file with a schema; FILE may be stdout.
func fits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fits SCHEMA FILE")
	}
	if _, problems := schemas.Check(args[0], args[1], []byte(ts.ReadFile(args[1]))); len(problems) > 0 {
		ts.Fatalf("%s does not fit the schema %s: %v", args[1], args[0], problems)
	}
}

// subst FILE OLD NEW replaces every OLD in a file, which must have one at least.
func subst(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: subst FILE OLD NEW")
	}
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	if !strings.Contains(string(data), args[1]) {
		ts.Fatalf("%s lacks %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, []byte(strings.ReplaceAll(string(data), args[1], args[2])), 0o644))
}

// unsee PLAN takes out of a plan what hosts see of drives that others do not see.
func unsee(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: unsee PLAN")
	}
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	p, err := plan.Parse(data)
	ts.Check(err)
	for i := range p.Steps {
		p.Steps[i].SeenElsewhere = nil
	}
	data, err = p.Encode()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
}

// window PLAN START DURATION RRULE puts a window around the waves of a plan that reset.
func putWindow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: window PLAN START DURATION RRULE")
	}
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	p, err := plan.Parse(data)
	ts.Check(err)
	p.Windows["night"] = window.Window{Start: args[1], Timezone: "Europe/Berlin", Duration: args[2], RRule: args[3]}
	for i := range p.Waves {
		if p.Waves[i].Kind == plan.ResetWave {
			p.Waves[i].Windows = []string{"night"}
		}
	}
	data, err = p.Encode()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
}

// await PATTERN COMMAND... runs a command again and again until its standard
// output matches, for what another process is about to do.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await PATTERN COMMAND...")
	}
	pattern := regexp.MustCompile("(?m)" + args[0])
	for range 1000 {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("%s never says %s", strings.Join(args[1:], " "), args[0])
}

// schema N DATABASE lets a store be one of that schema.
func putSchema(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: schema N DATABASE")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[1]))
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec("PRAGMA user_version = " + args[0])
	ts.Check(err)
}

// timeless INVENTORY... takes the time of the scan out of inventories.
func takeTime(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: timeless INVENTORY...")
	}
	for _, name := range args {
		text := regexp.MustCompile(`(?m)^  "scanned_at": .*$`).ReplaceAllString(ts.ReadFile(name), "")
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o644))
	}
}

// power-cycle RACK ENCLOSURE switches an enclosure off and on again.
func powerCycle(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: power-cycle RACK ENCLOSURE")
	}
	rack, err := sim.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(rack.PowerCycle(args[1]))
}

// full CODE COMMAND... runs fwctl with its standard output on a disk that is full: it
// must exit with that code, and say why once.
func full(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: full CODE COMMAND...")
	}
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	out, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	ts.Check(err)
	defer out.Close()
	var stderr strings.Builder
	cmd := exec.Command("fwctl", args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = ts.Getenv("WORK"), out, &stderr
	cmd.Env = append(os.Environ(), "FWCTL_STATE_DIR="+ts.Getenv("FWCTL_STATE_DIR"))
	err = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		ts.Fatalf("exit code with a full disk = %d, %v; want %d\n%s", got, err, code, stderr.String())
	}
	const want = "fwctl: cannot write to standard output: no space left on device\n"
	if n := strings.Count(stderr.String(), "no space"); n != 1 || !strings.Contains(stderr.String(), want) {
		ts.Fatalf("stderr with a full disk = %q; want %q once", stderr.String(), want)
	}
}
