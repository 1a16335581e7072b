package plan_test

import (
	"testing"

	"fwctl/plan"
)

// A command is written so that a shell takes the words for what they are.
func TestCommandString(t *testing.T) {
	for want, c := range map[string]plan.Command{
		"ceph osd set noout":                     {"ceph", "osd", "set", "noout"},
		"--accept-disruption '5000ccab*/esp1/*'": {"--accept-disruption", "5000ccab*/esp1/*"},
		"plan -f 'dc 1.yaml' ''":                 {"plan", "-f", "dc 1.yaml", ""},
		`echo 'anna'\''s $HOME' '~'`:             {"echo", "anna's $HOME", "~"},
		`echo $'a\nb\'c\x1b[31m'`:                {"echo", "a\nb'c\x1b[31m"},
	} {
		if got := c.String(); got != want {
			t.Errorf("String of %q = %s; want %s", []string(c), got, want)
		}
	}
}
