package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"fwctl/executor"
	"fwctl/executor/result"
	"fwctl/internal/state"
	"fwctl/internal/ui"
	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/build"
	"fwctl/plan/impact"
)

// request is a run that a person asks for, by apply, flash or resume.
type request struct {
	*app

	// config is for the executor. Its store is opened when it is needed.
	config executor.Config

	// obstacle is what keeps the desired state of a plan that was made just now from being
	// applied; nil: nothing does.
	obstacle error

	// named are the arguments of apply that name the plan or the desired state; nil if there are none.
	named []string

	// resumed is set if the run was begun earlier. left is what is left of its plan.
	resumed bool
	left    *plan.Plan

	// yes is set if the run was confirmed beforehand.
	yes bool

	// json is set if events and the result are written as JSON.
	json bool
}

// runFlags are the flags of commands that carry a plan out.
type runFlags struct {
	yes, soleWriter, wait bool
	accept                []string
	ignoreWindow          string
}

func (f *runFlags) yesFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
}

// acceptFlags adds the flags by which a person accepts a risk.
func (f *runFlags) acceptFlags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.accept, "accept-disruption", nil,
		"let I/O stop at what `SELECTOR` selects, or at all (repeatable)")
	cmd.Flags().BoolVar(&f.soleWriter, "sole-writer", false,
		"nobody else writes to these enclosures now, though this host does not see all of their I/O modules")
}

// windowFlags adds the flags about maintenance windows.
func (f *runFlags) windowFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.wait, "wait", false,
		"wait for maintenance windows to open, and for power cycles by a person")
	cmd.Flags().StringVar(&f.ignoreWindow, "ignore-window", "",
		"carry the plan out though its maintenance windows are closed, and record `REASON`")
}

func (f *runFlags) check(cmd *cobra.Command) error {
	if cmd.Flags().Changed("ignore-window") && strings.TrimSpace(f.ignoreWindow) == "" {
		return &failure{
			exitError, "cannot ignore windows without a reason",
			`say why, for the record: --ignore-window "CHG-4711, agreed with the users"`,
		}
	}
	return nil
}

// newRequest returns a request on this machine, without a plan.
func (a *app) newRequest(flags runFlags) (*request, error) {
	accepted, err := selectors("--accept-disruption", flags.accept)
	if err != nil {
		return nil, err
	}
	machine, err := a.machine()
	if err != nil {
		return nil, err
	}
	return &request{app: a, yes: flags.yes, config: executor.Config{
		Machine: machine, By: whoami(), Account: account(), AcceptDisruption: accepted, Command: hookRunner(machine),
		SoleWriter: flags.soleWriter, IgnoreWindow: flags.ignoreWindow, Wait: flags.wait,
	}}, nil
}

// plan plans for a desired state.
func (r *request) plan(ctx context.Context, file string) error {
	made, p, err := r.planHere(ctx, r.config.Machine, file)
	if err != nil {
		return err
	}
	r.config.Plan, r.config.Images = p, made.images.Files
	r.config.Unseen = build.UnseenESPs(p, made.desired.Models, made.inventories)
	r.obstacle = obstructed(p.UnreadWanted(), impact.Unfinished(p, made.inventories))
	return nil
}

// acceptsSomething refuses an --accept-disruption that selects nothing in the plan: someone who
// misspelt it believes that they have accepted something else.
func (r *request) acceptsSomething() error {
	accepted := inventory.WithoutAll(r.config.AcceptDisruption)
	return plan.Unmatched("--accept-disruption", accepted, r.config.Plan.Components(), "this plan")
}

// show writes the plan for people.
func (r *request) show() {
	text := r.forPeople()
	fmt.Fprint(text, r.heading(r.config.Plan.Simulated), r.screen(text).Plan(r.config.Plan, time.Now(), false))
}

// forPeople returns where text for people goes: events have standard output for themselves.
func (r *request) forPeople() io.Writer {
	if r.json {
		return r.stderr
	}
	return r.stdout
}

// apply shows the plan, asks, and carries it out.
func (r *request) apply(ctx context.Context) error {
	r.show()
	if r.obstacle != nil {
		return r.obstacle
	}
	if !r.config.Plan.Summary.Acts() {
		return r.nothingToDo(ctx)
	}
	if result, err := executor.NothingHere(ctx, r.config); result != nil || err != nil {
		return r.end(result, err)
	}
	if others := r.config.OtherWriters(); len(others) > 0 {
		return otherWriters(others)
	}
	if err := r.inWindow(time.Now()); err != nil {
		return err
	}
	if !r.yes {
		// Before the question: the run would be refused after it.
		if why := r.config.Unaccepted(); why != "" {
			return refused(why, "")
		}
	}
	r.sayAtStake(r.config.Resetting())
	if !r.yes {
		n := r.config.Plan.Summary.Update + r.config.Plan.Summary.Activate
		if err := r.confirm(fmt.Sprintf("Write firmware to %s as shown above?", ui.Components(n))); err != nil {
			return err
		}
	}
	dir, err := r.state()
	if err != nil {
		return err
	}
	store, err := state.Open(dir)
	if err != nil {
		return unbegun(err)
	}
	defer store.Close()
	return r.carryOut(ctx, store, executor.Run)
}

// sayAtStake says what steps put at stake, before the question, and also if none is asked.
func (r *request) sayAtStake(steps []*plan.Step) {
	text := r.forPeople()
	if !r.yes {
		text = r.stderr
	}
	if stakes := r.screen(text).AtStake(steps); stakes != "" {
		fmt.Fprint(text, "\n", stakes)
	}
}

// nothingToDo ends a request whose plan acts on nothing.
func (r *request) nothingToDo(ctx context.Context) error {
	// A saved plan may list devices that could not be read.
	if err := obstructed(r.config.Plan.UnreadWanted(), nil); err != nil {
		return err
	}
	store, err := r.memory()
	if err != nil {
		return err
	}
	defer store.Close()
	c := r.config
	c.Store = store
	return r.end(executor.NothingToDo(ctx, c))
}

// runFunc is executor.Run or executor.Resume.
type runFunc func(context.Context, executor.Config) (*result.Result, error)

// carryOut runs a run, shows it while it goes on, and shows how it ended.
func (r *request) carryOut(ctx context.Context, store *state.Store, run runFunc) error {
	if !r.json && !r.quiet {
		// This separates it from the plan, or from the question.
		fmt.Fprintln(r.stdout)
	}
	ahead := r.config
	if r.resumed {
		ahead.Plan = r.left
	}
	display := r.display(ahead.Ahead(r.resumed))
	// A terminal that is lost, or a reader that goes away, must not break off a download.
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	asked := listen(ctx, display.Say)
	r.runBegins()
	queue := ui.NewQueue(display.Show)
	notifier := r.notifier(queue.Add)
	c := r.config
	c.Store, c.Withdraw, c.Leave = store, asked.withdraw, asked.leave
	c.Observer = func(e result.Event) {
		queue.Add(e)
		notifier.Event(e)
	}
	result, err := run(asked.ctx, c)
	// Nothing runs any more: ^C ends the process if it still waits, for the last notification or for a reader.
	waiting, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	asked.stop()
	if result != nil {
		r.complete(result)
		notifyOfEnd(waiting, notifier, result, display)
	}
	stop()
	ended := make(chan error, 1)
	go func() {
		queue.Close()
		display.Close()
		ended <- r.showEnd(result, err)
	}()
	var left <-chan time.Time
	if result != nil && result.Left {
		// Someone who pressed ^C three times does not wait for a reader.
		left = time.After(time.Second)
	}
	select {
	case err := <-ended:
		return err
	case <-left:
		return r.failed(result)
	}
}

// inWindow refuses a run that this host has to begin while the windows of a wave are closed.
func (r *request) inWindow(now time.Time) error {
	closed, err := r.config.Closed(now)
	if err != nil {
		return err
	}
	for _, w := range closed {
		opens := ui.OpensNext(r.config.Plan, w, now)
		switch {
		case r.config.IgnoreWindow != "":
			r.note("Wave %d is outside its maintenance windows: %s.", w.Number, opens)
		case r.config.Wait:
			r.note("Wave %d waits for its maintenance window: %s.", w.Number, opens)
		default:
			what := fmt.Sprintf("cannot apply now: wave %d is outside its maintenance windows: %s", w.Number, opens)
			return refused(what, hintForWindow(r.resumed))
		}
	}
	return nil
}

// display returns the display of a run of a part of the plan, as ui.Live does.
func (r *request) display(part *plan.Plan) ui.Display {
	switch {
	case r.json:
		return ui.JSONLines(r.stdout, r.config.Plan.Simulated, func(text string) { r.note("%s", text) })
	case r.quiet:
		return ui.Quiet()
	}
	return ui.Live(r.stderr, r.config.Plan, part)
}

// confirm asks for the word yes.
func (r *request) confirm(question string) error {
	if !ui.IsTerminal(r.stdin) {
		return refused("cannot ask for confirmation: standard input is not a terminal", "confirm with --yes")
	}
	fmt.Fprintf(r.stderr, "\n%s Only yes starts it: ", question)
	return confirmed(r.stdin, r.stderr)
}

// confirmed reads one line, which must be the word yes. After an answer without a line break, as
// Ctrl-D gives it, the terminal is still on the line of the question.
func confirmed(in io.Reader, terminal io.Writer) error {
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		fmt.Fprintln(terminal)
	}
	if err != nil && err != io.EOF {
		return fmt.Errorf("cannot read the answer: %w", err)
	}
	if strings.TrimSpace(answer) != "yes" {
		return refused("not confirmed: nothing was written", "")
	}
	return nil
}

// end completes the result of a run, shows it, and returns the error that exits with its code.
func (r *request) end(result *result.Result, err error) error {
	if result != nil {
		r.complete(result)
	}
	return r.showEnd(result, err)
}

// showEnd shows a result that is complete, and returns the error that exits with its code.
func (r *request) showEnd(result *result.Result, err error) error {
	if err != nil {
		return unbegun(err)
	}
	if r.json {
		r.writeResult(result)
	} else {
		fmt.Fprint(r.stdout, r.screen(r.stdout).Result(result, r.config.Plan, r.goesOn(result)))
	}
	return r.failed(result)
}

// complete writes the commands that continue a run as they are to be typed. It must be called once.
func (r *request) complete(ended *result.Result) {
	for i := range ended.Commands {
		ended.Commands[i].Command = r.commandOf(&ended.Commands[i])
	}
	if ended.Steps == nil {
		ended.Steps = []result.Step{}
	}
}

// writeResult writes the result as a line of JSON. If that fails, the exit code shows it: see
// closed.
func (r *request) writeResult(ended *result.Result) {
	_ = json.NewEncoder(r.stdout).Encode(ended.Line(r.simulate != ""))
}

// failed returns the error that a run exits with, nil if it ended well.
func (r *request) failed(result *result.Result) error {
	code := result.Outcome.ExitCode()
	if code == exitDone {
		return nil
	}
	// As people know the components.
	named, names := *result, r.config.Plan.Names()
	named.Steps = slices.Clone(named.Steps)
	for i := range named.Steps {
		named.Steps[i].Address = names.Called(named.Steps[i].Address)
	}
	return &failure{code, closing(&named), hintAfter(&named, r.resumed, r.again("resume"))}
}

// commandOf returns the command of a turn as it is to be typed on its host.
func (r *request) commandOf(t *plan.Turn) plan.Command {
	if len(r.named) == 0 {
		// After flash or resume, no argument names the plan.
		return t.Command
	}
	return r.onHost(t.Host, slices.Concat([]string{"apply"}, r.named, t.Limit())...)
}

// goesOn says how many components wait for waves that the run was not for, and which command
// continues with them; "" if none do.
func (r *request) goesOn(result *result.Result) string {
	var waiting []plan.Wave
	var names []string
	n := 0
	for _, w := range r.config.Plan.Waves {
		before := n
		for _, s := range result.Steps {
			if s.Waits == w.Number {
				n++
			}
		}
		if n > before {
			waiting, names = append(waiting, w), append(names, strconv.Itoa(w.Number))
		}
	}
	if n == 0 || len(result.Commands) > 0 {
		// The commands say so.
		return ""
	}
	limit := []string{"--phase", string(waiting[0].Kind)}
	if r.config.Wave != 0 {
		limit = []string{"--wave", names[0]}
	}
	command := "the same plan with " + strings.Join(limit, " ")
	switch {
	case len(r.named) > 0 && r.named[0] == "-f":
		// The next plan of a desired state has other waves.
		command = "`" + r.again(slices.Concat([]string{"apply"}, r.named)...) + "`"
	case len(r.named) > 0:
		command = "`" + r.again(slices.Concat([]string{"apply"}, r.named, limit)...) + "`"
	}
	return fmt.Sprintf("%s %s for %s %s: %s goes on.", ui.Components(n), english.PluralWord(n, "waits", "wait"),
		english.PluralWord(len(names), "wave", ""), strings.Join(names, ", "), command)
}
