package main

import (
	"os"
	"os/exec"
	"strconv"
	"strings"

	"encoding/json"
	"github.com/rogpeppe/go-internal/testscript"
	"testing"
)

// What was not said by fwctl cannot steer a terminal, whatever it is, and JSON reads
// it as it was.
func TestOutputEscapes(t *testing.T) {
	for text, want := range map[string]string{
		"plain, ümläut, 漢字\n\ttab\n":                                     "plain, ümläut, 漢字\n\ttab\n",
		"\x1b[31mred\x1b[0m":                                             `\u001b[31mred\u001b[0m`,
		"\x1b]0;title\x07":                                               `\u001b]0;title\u0007`,
		"up\rdown\b\x00\x7f":                                             `up\u000ddown\u0008\u0000\u007f`,
		"C1 \u009b2J \u0090q\u009c":                                      `C1 \u009b2J \u0090q\u009c`,
		"\u202eabc\u2066 \u200b\ufeff":                                   `\u202eabc\u2066 \u200b\ufeff`,
		"a\u2028b\u2029c\u00a0d\u3000e":                                  `a\u2028b\u2029c\u00a0d\u3000e`,
		"\U000e0001tag \ue000 private":                                   `\udb40\udc01tag \ue000 private`,
		"no UTF-8: \x9b2J \xff \xc3":                                     `no UTF-8: \x9b2J \xff \xc3`,
		"\x1b[31;1m \x1b[0;123m \x1b[;m":                                 `\u001b[31;1m \u001b[0;123m \u001b[;m`,
		"replaced before: \ufffd":                                        "replaced before: \ufffd",
		paint(true).paint(alarm, "\x1b[2J"+paint(true).paint(bold, "x")): "\x1b[31m\\u001b[2J\x1b[1mx\x1b[0m\x1b[0m",
	} {
		if got := visible(text); got != want {
			t.Errorf("visible(%q) = %q; want %q", text, got, want)
		}
	}
	for _, text := range []string{"\x1b[2J\u009b\u202e", "\U000e0001\ufffd\u00a0", "\x7f\u0085\u2028"} {
		data, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := json.Unmarshal([]byte(visible(string(data))), &got); err != nil || got != text {
			t.Errorf("JSON of %q, made visible, reads %q, %v", text, got, err)
		}
	}
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
