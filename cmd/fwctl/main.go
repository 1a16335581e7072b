// Command fwctl brings the firmware of SES enclosures to a desired state.
//
// This package parses flags, opens what the packages below need, and shows their results: it
// decides nothing. It has one file for each verb, and one that maps errors to exit codes and
// hints.
package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"fwctl/internal/capture"
	"fwctl/internal/document"
	"fwctl/internal/sim"
	"fwctl/internal/transport"
	"fwctl/internal/ui"
	"fwctl/plan"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is fwctl as a function: its arguments, its streams, its exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return newApp(stdin, stdout, stderr).run(args)
}

// newApp returns fwctl on this machine.
func newApp(stdin io.Reader, stdout, stderr io.Writer) *app {
	return &app{stdin: stdin, stdout: ui.NewOutput(stdout), stderr: ui.NewOutput(stderr), local: transport.Local}
}

// run runs one call of fwctl, and returns its exit code.
func (a *app) run(args []string) int {
	root := a.command()
	root.SetArgs(args)
	err := closed(a.stdout, root.Execute())
	a.report(err)
	return exitCode(err)
}

// closed closes the output of a command that ended in err, and joins the error that kept the
// result from being written.
func closed(out *ui.Output, err error) error {
	if unwritten := out.Close(); unwritten != nil {
		return errors.Join(unwritten, err)
	}
	return err
}

// app is one call of fwctl: its streams and its global flags.
type app struct {
	stdin          io.Reader
	stdout, stderr *ui.Output

	// local returns the machine that fwctl runs on.
	local func() (transport.Machine, error)

	simulate  string
	stateDir  string
	logLevel  string
	logFormat string
	noColor   bool
	quiet     bool

	// captured is set if simulate names a capture.
	captured bool

	// runBegins returns only if no signal came before the run began: see untilRun.
	runBegins func()
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "fwctl",
		Short: "bring the firmware of SES enclosures to a desired state",
		Long: `fwctl brings the firmware of SES enclosures (JBODs, I/O modules, expanders) to
a desired state: it reads what is there, plans what would change and what that
disturbs, and carries the plan out after a person has said yes.

It is not related to the Linux kernel's fwctl subsystem.`,
		Args:              wholeCommand,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return cmp.Or(emptyFlags(cmd), a.setUp()) },
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.simulate, "simulate", "",
		"use the simulated rack in the file `RACK` (as its host NAME: RACK@NAME), or what fwctl capture recorded, "+
			"in place of this machine")
	flags.StringVar(&a.stateDir, "state-dir", "",
		"keep state in `DIR` (default: $FWCTL_STATE_DIR, else /var/lib/fwctl as root and "+
			"$XDG_STATE_HOME/fwctl otherwise)")
	flags.StringVar(&a.logLevel, "log-level", "warn", "log messages of at least `LEVEL`: debug, info, warn or error")
	flags.StringVar(&a.logFormat, "log-format", "text", "log as text or json")
	flags.BoolVar(&a.noColor, "no-color", false, "use no colour ($NO_COLOR does the same)")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "say nothing but results and errors")

	root.SetFlagErrorFunc(flagError)
	root.SetHelpTemplate(root.HelpTemplate() + exitCodesHelp)
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(
		a.inventoryCommand(), a.captureCommand(), a.initCommand(), a.validateCommand(), a.imageCommand(),
		a.planCommand(), a.showCommand(), a.explainCommand(), a.applyCommand(), a.flashCommand(), a.resumeCommand(),
		a.verifyCommand(), a.statusCommand(), a.historyCommand(), a.schemaCommand(), a.versionCommand(),
	)
	// This comes before cobra adds its own commands, which take the output over then.
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	strictly(root)
	return root
}

// setUp checks the global flags before any command runs.
func (a *app) setUp() error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return badFlag("--log-level", a.logLevel, "debug, info, warn or error")
	}
	options := &slog.HandlerOptions{Level: level}
	switch a.logFormat {
	case "text":
		slog.SetDefault(slog.New(slog.NewTextHandler(a.stderr, options)))
	case "json":
		slog.SetDefault(slog.New(slog.NewJSONHandler(a.stderr, options)))
	default:
		return badFlag("--log-format", a.logFormat, "text or json")
	}
	return nil
}

// machine returns this host, or the simulated rack or the capture in its place.
func (a *app) machine() (transport.Machine, error) {
	if a.simulate == "" {
		return a.local()
	}
	file, _ := a.rackFile()
	data, err := readDocument(file, document.Rack)
	if err != nil {
		return nil, err
	}
	if document.Of(data) == document.Capture {
		a.captured = true
		c, err := capture.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.simulate, err)
		}
		return c.Machine(), nil
	}
	name, host := a.rack()
	rack, err := sim.Open(name)
	if err != nil {
		return nil, err
	}
	return rack.Machine(host)
}

// rack returns the file of a simulated rack, and which of its hosts this is; "" for the first.
func (a *app) rack() (file, host string) {
	file, host = a.rackFile()
	if host == "" {
		return file, ""
	}
	if rack, err := sim.Open(file); err == nil && rack.Hosts()[0] == host {
		host = ""
	}
	return file, host
}

// rackFile splits what --simulate names, without reading it.
func (a *app) rackFile() (file, host string) {
	i := strings.LastIndexByte(a.simulate, '@')
	if _, err := os.Stat(a.simulate); err == nil || i < 0 {
		return a.simulate, ""
	}
	return a.simulate[:i], a.simulate[i+1:]
}

// state returns the state directory of this host. A simulated rack has one of its own, so that
// nothing simulated is ever taken for real.
func (a *app) state() (string, error) {
	dir := a.stateDir
	if dir == "" {
		dir = os.Getenv("FWCTL_STATE_DIR")
	}
	if dir == "" {
		var err error
		if dir, err = defaultStateDir(); err != nil {
			return "", err
		}
	}
	if a.simulate == "" {
		return dir, nil
	}
	file, host := a.rack()
	rack, err := filepath.Abs(file)
	if err != nil {
		return "", fmt.Errorf("cannot find the state of rack %s: %w", a.simulate, err)
	}
	if host != "" {
		rack += "@" + host
	}
	key := sha256.Sum256([]byte(rack))
	return filepath.Join(dir, "simulated", hex.EncodeToString(key[:8])), nil
}

func defaultStateDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/fwctl", nil
	}
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", &failure{
				exitError, "cannot find a directory for state: " + err.Error(), "name one with --state-dir",
			}
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "fwctl"), nil
}

// again returns another command of fwctl as it is to be typed: for the same rack, with the same
// state directory.
func (a *app) again(args ...string) string { return a.words(a.simulate, args).String() }

// onHost returns a command of fwctl as it is to be typed on another host of the same rack.
func (a *app) onHost(host string, args ...string) plan.Command {
	rack := a.simulate
	if rack != "" && !a.captured {
		file, _ := a.rack()
		if r, err := sim.Open(file); err == nil && len(r.Hosts()) > 1 {
			rack = file + "@" + host
		}
	}
	return a.words(rack, args)
}

func (a *app) words(rack string, args []string) plan.Command {
	words := plan.Command{"fwctl"}
	if rack != "" {
		words = append(words, "--simulate", rack)
	}
	if a.stateDir != "" {
		words = append(words, "--state-dir", a.stateDir)
	}
	return append(words, args...)
}

// note writes a line that is not part of the result; -q silences it.
func (a *app) note(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintln(a.stderr, ui.OneLine(fmt.Sprintf(format, args...)))
	}
}

// screen returns the screen that w writes to.
func (a *app) screen(w io.Writer) ui.Screen { return ui.ScreenOf(w, !a.noColor) }

// heading returns the first line of text about a simulated rack.
func (a *app) heading(simulated bool) string {
	switch {
	case !simulated:
		return ""
	case a.simulate == "":
		return "SIMULATED rack: none of this is about real hardware.\n"
	case a.captured:
		return "SIMULATED from the capture " + ui.OneLine(a.simulate) + ": no device was asked.\n"
	}
	return "SIMULATED rack " + ui.OneLine(a.simulate) + ": none of this is about real hardware.\n"
}
