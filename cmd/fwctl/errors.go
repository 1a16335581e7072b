package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/dustin/go-humanize/english"
	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/internal/document"
	"fwctl/internal/image"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/internal/ui"
	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/images"
	"fwctl/schemas"
)

// The exit codes that no run has, and those that a run's outcome has.
const (
	exitError   = 1
	exitChanges = 2
)

var (
	exitDone        = result.RunDone.ExitCode()
	exitRefused     = result.RunRefused.ExitCode()
	exitFailed      = result.RunFailed.ExitCode()
	exitUnknown     = result.RunUnknown.ExitCode()
	exitStopped     = result.RunStopped.ExitCode()
	exitInterrupted = result.RunInterrupted.ExitCode()
)

const exitCodesHelp = `
Exit codes:
    0  everything planned was done, or there was nothing to do; blocked rows are reported, but are not a failure
    1  error: usage, unreadable or invalid input (also a file that is not a plan), no permission, internal
    2  plan --detailed-exitcode: changes are pending (staged ones too) or blocked
    3  refused, nothing was written: stale or damaged plan, or one of another version of fwctl,
       precondition, policy, window, lock, not confirmed; apply -f and flash also when what
       they are about cannot be read or is in use by another process
    4  some components failed; the state of every component is known
    5  the outcome of a component is unknown, or one needs a person: do not power-cycle it
    6  stopped in order, nothing failed: the rest waits for another host's wave, a window,
       or a power cycle; the output names the command that goes on
  130  interrupted; everything that had been started was brought to an end
  Where several fit, the first of 5, 4, 130, 3, 1, 6.
`

// failure is an error of the command line itself: what went wrong and why, what to do, and the
// exit code.
type failure struct {
	code int
	// what is "" if the result has said it already.
	what string
	hint string
}

func (f *failure) Error() string { return f.what }

func refused(what, hint string) error { return &failure{exitRefused, what, hint} }

func usageError(cmd *cobra.Command, err error) error {
	return &failure{exitError, err.Error(), "see `" + cmd.CommandPath() + " --help`"}
}

func badFlag(flag, value, want string) error {
	return &failure{exitError, fmt.Sprintf("cannot use %s %q", flag, value), "it takes " + want}
}

// flagError gives pflag's errors the form of ours.
func flagError(cmd *cobra.Command, err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return usageError(cmd, err)
	}
	want := map[string]string{"int": "a whole number", "bool": "true or false", "duration": "a time, as in 90m or 24h"}
	flag := bad.GetFlag()
	return badFlag("--"+flag.Name, bad.GetValue(),
		cmp.Or(want[flag.Value.Type()], "another value: "+bad.Unwrap().Error()))
}

// emptyFlags refuses a flag that is given without a value, as an unset variable of a
// script leaves it: --expect "" must not approve of everything.
func emptyFlags(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		if slices.Contains(values, "") {
			err = cmp.Or(err, badFlag("--"+f.Name, "", "a value: leave the flag out if there is none"))
		}
	})
	return err
}

// wholeCommand refuses words that are not a command of cmd, and suggests one.
func wholeCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "see `" + cmd.CommandPath() + " --help`"
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean `" + cmd.CommandPath() + " " + near[0] + "`?"
	}
	return &failure{exitError, fmt.Sprintf("unknown command %q", args[0]), hint}
}

// strictly makes cobra's own commands, help and completion, refuse words that they do not know,
// instead of printing a help that no one asked for.
func strictly(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			help := cmd.Run
			cmd.Run, cmd.RunE = nil, func(cmd *cobra.Command, args []string) error {
				about, rest, err := root.Find(args)
				if err := cmp.Or(err, wholeCommand(about, rest)); err != nil {
					return err
				}
				help(cmd, args)
				return nil
			}
		case "completion":
			cmd.Args = wholeCommand
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			for _, shell := range cmd.Commands() {
				shell.Args = args(cobra.NoArgs, "no arguments")
			}
		}
	}
}

// args gives cobra's checks of arguments the form of our errors.
func args(check cobra.PositionalArgs, names string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			what := "an argument is missing"
			if len(args) > 0 {
				what = fmt.Sprintf("cannot use %s %s", english.PluralWord(len(args), "argument", ""),
					strings.Join(args, " "))
			}
			return usageError(cmd, fmt.Errorf("%s: %s takes %s", what, cmd.CommandPath(), names))
		}
		return nil
	}
}

// exitCode returns the exit code of err: of several errors, the first of 5, 4, 130, 3, 1, 6.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	codes := map[int]bool{}
	for _, err := range apart(err) {
		codes[exitCodeOfOne(err)] = true
	}
	for _, code := range []int{exitUnknown, exitFailed, exitInterrupted, exitRefused, exitError, exitStopped} {
		if codes[code] {
			return code
		}
	}
	return exitChanges
}

func exitCodeOfOne(err error) int {
	var f *failure
	var damaged *plan.DamagedError
	var unbegun *unbegunError
	switch {
	case errors.As(err, &f):
		return f.code
	case errors.As(err, &damaged), errors.As(err, &unbegun), errors.Is(err, transport.ErrBusy):
		return exitRefused
	}
	return exitError
}

// unbegunError is the error of an apply that did not begin because there is no room for its
// record. For commands that write to no device, a lack of room is an ordinary failure.
type unbegunError struct{ error }

func (e *unbegunError) Unwrap() error { return e.error }

// unbegun marks the error of an apply that did not begin.
func unbegun(err error) error {
	if errors.Is(err, state.ErrFull) {
		return &unbegunError{err}
	}
	return err
}

// hintFor returns what to do about an error, "" if its message says so already.
func hintFor(err error) string {
	var f *failure
	var problem schemas.Problem
	var damaged *plan.DamagedError
	var img *image.Error
	var store *state.Error
	var device *transport.Error
	var file *fs.PathError
	var input *document.Error
	var cause syscall.Errno
	var unmatched *plan.UnmatchedError
	var unwritten *ui.WriteError
	var missing *images.MissingError
	switch {
	case errors.As(err, &unwritten):
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			return "make room, or send the output elsewhere"
		}
		return "the result was not received: send the output elsewhere"
	case errors.As(err, &f):
		return f.hint
	case errors.As(err, &missing):
		return "name the directory that has it with --images"
	case errors.As(err, &unmatched):
		return unmatched.Hint
	case errors.As(err, &img):
		return img.Hint
	case errors.As(err, &input):
		return input.Hint
	case errors.As(err, &store) && store.Hint != "":
		// Its message ends with the hint.
		return ""
	case errors.Is(err, syscall.ENOSPC):
		return "make room on that file system, or name a file on another one"
	case errors.As(err, &store) && errors.As(store.Err, &cause):
		return "fwctl keeps its memory there: name a directory that it can write with --state-dir"
	case errors.As(err, &problem):
		return problem.Hint
	case errors.As(err, &damaged):
		return "a plan cannot be edited: make it again with `fwctl plan --out`"
	case errors.Is(err, transport.ErrBusy):
		return "wait until that process is done, or stop it"
	case errors.As(err, &device) && errors.Is(err, fs.ErrPermission):
		return "run fwctl as root"
	case errors.As(err, &file) && errors.Is(err, fs.ErrPermission):
		return "allow the user that runs fwctl to use that file, or name another"
	case errors.As(err, &file) && errors.Is(err, syscall.EISDIR):
		return "name a file in that directory"
	case errors.As(err, &file) && errors.Is(err, syscall.EROFS):
		return "name a file on a file system that can be written"
	case errors.As(err, &file) && errors.Is(err, fs.ErrNotExist):
		return "check the name; relative names start at the present directory"
	}
	return ""
}

// report writes an error to stderr: each of several on a line of its own, with what to do on
// the next.
func (a *app) report(err error) {
	if err == nil {
		return
	}
	for _, err := range apart(err) {
		text, hint := err.Error(), hintFor(err)
		var problem schemas.Problem
		if errors.As(err, &problem) {
			// The hint gets a line of its own.
			problem.Hint = ""
			text = problem.Error()
		}
		if text != "" {
			a.complain("fwctl: ", text)
		}
		if hint != "" {
			a.complain("hint: ", hint)
		}
	}
}

// complain writes text to stderr after a word, on a line of its own. On a terminal it breaks
// the line between words.
func (a *app) complain(word, text string) {
	text = ui.OneLine(text)
	lines := []string{word + text}
	if ui.IsTerminal(a.stderr) {
		lines = a.screen(a.stderr).Wrap(word, text)
	}
	fmt.Fprintln(a.stderr, strings.Join(lines, "\n"))
}

// apart returns the errors that err consists of, in their order.
func apart(err error) []error {
	var several *multierror.Error
	if errors.As(err, &several) {
		var all []error
		for _, err := range several.Errors {
			all = append(all, apart(err)...)
		}
		return all
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		var all []error
		for _, err := range joined.Unwrap() {
			all = append(all, apart(err)...)
		}
		return all
	}
	return []error{err}
}

// oneOf refuses a value of a flag that is not among want.
func oneOf(flag, value string, want ...string) error {
	if slices.Contains(want, value) {
		return nil
	}
	return badFlag(flag, value, strings.Join(want, " or "))
}

// closing returns the closing line about a run that did not end well: the component that
// decided its outcome, and why.
func closing(r *result.Result) string {
	first := func(is func(result.Step) bool) *result.Step {
		if i := slices.IndexFunc(r.Steps, is); i >= 0 {
			return &r.Steps[i]
		}
		return nil
	}
	ended := func(o result.Outcome) func(result.Step) bool {
		return func(s result.Step) bool { return s.Outcome == o }
	}
	switch r.Outcome {
	case result.RunUnknown:
		if s := first(func(s result.Step) bool { return s.NeedsPerson }); s != nil {
			return ui.Because(s.Address+" needs a person", s.Reason)
		}
		if s := first(ended(result.OutcomeUnknown)); s != nil {
			return ui.Because("the outcome of "+s.Address+" is unknown", s.Reason)
		}
	case result.RunFailed:
		if s := first(ended(result.OutcomeFailed)); s != nil {
			return ui.Because(s.Address+" failed", s.Reason)
		}
		if s := first(ended(result.OutcomeRefused)); s != nil {
			return ui.Because(s.Address+" was refused", s.Reason)
		}
	case result.RunRefused:
		if s := first(ended(result.OutcomeRefused)); s != nil {
			return ui.Because(s.Address+" was refused", s.Reason)
		}
	}
	return r.Reason
}

// hintAfter returns what to do after a run that did not end well.
func hintAfter(r *result.Result, resumed bool, resume string) string {
	again := "apply the same plan"
	if resumed {
		again = "run " + resume + " again"
	}
	for _, s := range r.Steps {
		if s.NeedsPerson && (resumed || s.Outcome != result.OutcomeUnknown) {
			return "do not reset or power-cycle " + s.Address + ": send it a good image first"
		}
	}
	switch r.Outcome {
	case result.RunRefused:
		switch r.Refusal {
		case step.RefusedStale:
			return "nothing was written: look at what differs, then plan again"
		case step.RefusedInUse:
			return "nothing was written: " + again + " when the others are done"
		case step.RefusedGate:
			return "nothing was written: see to that and " + again + ", or plan again"
		case step.RefusedWrongHost, step.RefusedDisruption, step.RefusedOrder, step.RefusedWindow,
			step.RefusedUnfinished:
			// The reason says what to do.
			return ""
		}
		return "nothing was written: put right what the reasons above name, or plan again"
	case result.RunFailed:
		if r.Lost {
			return "see to the state directory, then run " + resume + ": it finds out what is not on record"
		}
		return "look at the reasons above, then plan again"
	case result.RunUnknown:
		if r.Left {
			return "run " + resume
		}
		if resumed {
			return "look at the device itself before anything else is written to it or its power is switched"
		}
		return "do not reset or power-cycle it; when it answers again " + resume +
			" finds out what it holds, and goes on"
	case result.RunInterrupted:
		return resume + " goes on"
	case result.RunStopped:
		return "nothing failed: the output says what goes on from here"
	}
	return ""
}

// hintForWindow returns what to do about a closed window. A resumed run keeps to the waves that
// it was begun for.
func hintForWindow(resumed bool) string {
	const reason = "or say why it cannot wait with --ignore-window REASON, which is recorded"
	if resumed {
		return "resume again when it opens, let this one --wait, " + reason
	}
	return "apply again when it opens, let this one --wait, do what may be done now with --phase stage, " + reason
}

// obstructed returns why a desired state cannot be applied now: devices that could not be read,
// or runs that have not ended; nil if it can.
func obstructed(unread []plan.Unread, unfinished []inventory.Caution) error {
	var all *multierror.Error
	for _, u := range unread {
		what := u.Path
		if len(u.Components) > 0 {
			what += " (" + strings.Join(u.Components, ", ") + ")"
		}
		all = multierror.Append(all, refused(
			fmt.Sprintf("cannot apply: %s could not be read, and the desired state may be about it; nothing was "+
				"written: %s",
				what, u.Why),
			"apply again when it can be read; to apply the rest meanwhile, save a plan with `fwctl plan --out`, "+
				"and apply that",
		))
	}
	for _, c := range unfinished {
		all = multierror.Append(all, refused(
			fmt.Sprintf("cannot apply: a run is in the middle of its work on %s, or was broken off there, "+
				"and nothing was written%s", c.Address, c.Source()),
			"unless that run goes on, `fwctl resume` finds out what became of it, and goes on",
		))
	}
	return all.ErrorOrNil()
}

// otherWriters returns the error of enclosures to which another host may be writing.
func otherWriters(others []plan.Unseen) error {
	var all *multierror.Error
	for _, u := range others {
		all = multierror.Append(all, refused(
			fmt.Sprintf("cannot write to %s: %d of its %d I/O modules are in sight, and another host may be writing "+
				"to it",
				cmp.Or(u.Name, u.Enclosure), u.Seen, u.Expected),
			"look at the hosts that it is cabled to; if none of them writes to it, and none will, say --sole-writer",
		))
	}
	return all.ErrorOrNil()
}

// verified returns the error with the exit code of what was found, nil if all is well. unread
// counts the devices that the desired state may be about and that could not be read.
func verified(v *ui.Verification, unread int) error {
	const look = "it may be starting still; else switch the enclosure on and look at its cables; " +
		"then run fwctl verify again"
	are := func(n int) string { return ui.Components(n) + " " + english.PluralWord(n, "is", "are") }
	n := v.Count()
	switch {
	case len(v.Unsettled) > 0:
		return &failure{
			exitUnknown,
			fmt.Sprintf("what %s holds is not known, or is half an image", v.Names.Called(v.Unsettled[0].Address)),
			"if a run can be resumed, fwctl resume finds out; else send it a whole image, or, " +
				"if nothing says not to, power-cycle it and say so with --power-cycled",
		}
	case n.Absent > 0:
		return &failure{exitUnknown, are(n.Absent) + " not in sight", look}
	case slices.ContainsFunc(v.Drift, func(d plan.Drift) bool { return d.Revision == "" }):
		return &failure{exitUnknown, "something that the plan knows is not in sight", look}
	case len(v.Declines) > 0:
		return &failure{
			exitFailed,
			english.Plural(len(v.Declines), "enclosure is", "enclosures are") + " worse than before",
			"see to what is missing before anything else is updated there",
		}
	case n.Lost > 0:
		return &failure{
			exitFailed,
			fmt.Sprintf("what was staged on %s is lost", ui.Components(n.Lost)),
			"plan and apply again",
		}
	case n.Waiting > 0:
		return &failure{
			exitFailed,
			are(n.Waiting) + " still waiting for a power cycle",
			"power-cycle the enclosure when its drives are not in use, or say --power-cycled where that was done",
		}
	case unread > 0:
		return &failure{
			exitUnknown,
			english.Plural(unread, "device", "") + " could not be read, and the desired state may be about it",
			"fwctl inventory says why; run fwctl verify again when it can be read",
		}
	case len(v.Drift) > 0:
		return &failure{
			exitFailed,
			are(len(v.Drift)) + " not as the plan leaves it",
			"the lines above say what is missing",
		}
	case len(v.Astray) > 0:
		return &failure{
			exitFailed,
			are(len(v.Astray)) + " not as the desired state wants it",
			"fwctl plan shows what is left to do",
		}
	}
	return nil
}
