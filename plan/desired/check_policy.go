package desired

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"fwctl/internal/image"
	"fwctl/internal/window"
	"fwctl/plan"
)

func (c *checker) checkPolicy(name string, p Policy) {
	at := func(path ...string) []string { return append([]string{"policies", name}, path...) }
	if p.Reset == plan.ResetNever && p.Activate == plan.WithApply && c.sound("policies", name, "reset") {
		c.add(at("activate"), "activate: apply resets an I/O module, and reset: never forbids that",
			"say reset: always, or activate: manual")
	}
	for key, windows := range map[string][]string{"stage": p.Windows.Stage, "reset": p.Windows.Reset} {
		for i, w := range windows {
			if _, ok := c.d.Windows[w]; !ok && !c.written("windows", w) {
				c.add(at("windows", key, strconv.Itoa(i)), fmt.Sprintf("there is no window %q", w),
					c.knownNames(w, maps.Keys(c.d.Windows)))
			}
		}
	}
	c.checkHooks(at("hooks"), p)
	for i, w := range p.Waive {
		c.checkDate(at("waive", strconv.Itoa(i), "until"), w.Until)
	}
	for i, key := range p.RequireSignature {
		if err := image.CheckPublicKey(key); err != nil {
			c.add(at("requireSignature", strconv.Itoa(i)), err.Error(),
				"write the second line of the vendor's .pub file: 56 characters that begin with RW")
		}
	}
}

func (c *checker) checkHooks(where []string, p Policy) {
	if p.Hooks == nil {
		return
	}
	at := func(more ...string) []string { return append(slices.Clone(where), more...) }
	switch {
	case len(p.Hooks.BeforeReset) == 0 && len(p.Hooks.AfterReset) == 0:
		c.add(at(), "hooks names no command", "say what is run in beforeReset, afterReset or both")
	case p.Reset == plan.ResetNever:
		c.add(at(), "hooks are run around resets, and this policy says reset: never",
			"leave them out, or say reset: idle, redundant or always")
	}
	c.checkDurations(at(), map[string]plan.Duration{"timeout": p.Hooks.Timeout})
	for key, command := range map[string]plan.Command{"beforeReset": p.Hooks.BeforeReset,
		"afterReset": p.Hooks.AfterReset} {
		c.checkCommand(at(key), command)
	}
}

// checkCommand refuses a command that needs a shell, or that depends on where fwctl is started.
func (c *checker) checkCommand(at []string, command plan.Command) {
	if len(command) == 0 {
		return
	}
	first := append(slices.Clone(at), "0")
	switch program := command[0]; {
	case strings.ContainsAny(program, " \t\n"):
		c.add(first, fmt.Sprintf("%q is one word, and the name of no program", program),
			"no shell takes it apart: write each word as an item of its own, as in ["+
				strings.Join(strings.Fields(program), ", ")+"]")
	case strings.Contains(program, "/") && !path.IsAbs(program):
		c.add(first, fmt.Sprintf("%s depends on the directory that fwctl is started in", program),
			"write where it is from the root on, as in /usr/local/bin/NAME, or a name alone that $PATH has")
	}
}

func (c *checker) checkWindow(name string, w window.Window) {
	_, err := window.Compile(w)
	var all *multierror.Error
	if !errors.As(err, &all) {
		return
	}
	for _, err := range all.Errors {
		var e *window.Error
		if errors.As(err, &e) {
			c.add(append([]string{"windows", name}, e.Path...), e.Summary, e.Hint)
		}
	}
}

func (c *checker) checkDate(at []string, date string) {
	if _, err := time.Parse(time.DateOnly, date); err != nil {
		c.add(
			at,
			fmt.Sprintf("%s is not a day of the calendar", cmp.Or(date, "this")),
			"the last day that it holds, as in 2026-12-15",
		)
	}
}
