package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"fwctl/executor"
	"fwctl/internal/image"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/internal/ui"
	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/build"
	"fwctl/plan/impact"
)

func (a *app) applyCommand() *cobra.Command {
	var (
		file   string
		yes    bool
		check  bool
		images string
		expect string
		output string
		accept []string
		sole   bool
		phase  string
		when   timing
	)
	var wave int
	cmd := &cobra.Command{
		Use:   "apply PLAN | -f FILE",
		Short: "carry a plan out",
		Long: `Carries out a saved plan, or plans for a desired state and carries that out. The
plan is shown first, and only the word yes starts it.

Before the first byte every device is compared with what the plan saw; where
they differ the plan is stale and refused.

What runs is brought to its end: after ^C or SIGTERM nothing new is started. ^C
for the second time withdraws downloads by mode e between two chunks, and for
the third time leaves at once, as SIGQUIT (^\) does: fwctl resume finds out what
became of it. Before the run begins, each of them ends fwctl: nothing is written.`,
		Example: `  fwctl apply dc1.plan
  fwctl apply dc1.plan --check                         # only compares it with the devices
  fwctl apply dc1.plan --expect sha256:9b1e… --yes     # the plan that was approved, and no other
  fwctl apply dc1.plan --phase stage                   # downloads by day, resets nothing
  fwctl apply dc1.plan --phase reset --wait            # resets when the window opens`,
		Args: args(cobra.MaximumNArgs(1), "one plan file, or -f and a desired state"),
		RunE: a.untilRun(func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && file == "":
				return &failure{exitError, "cannot apply nothing", "name a plan file, or a desired state with -f"}
			case len(args) == 1 && file != "":
				return &failure{exitError, "cannot apply both a plan and a desired state", fmt.Sprintf("leave out %s or %s", plan.Command{args[0]}, plan.Command{"-f", file})}
			case file != "" && expect != "":
				return &failure{exitError, "cannot use --expect with -f", "--expect is for a plan that was saved and approved: fwctl plan --out"}
			case file != "" && images != "":
				return &failure{exitError, "cannot use --images with -f", "the desired state says where its images are"}
			case sole && file == "":
				return &failure{exitError, "cannot use --sole-writer with a saved plan", "it is for -f, which sees this host alone: a saved plan has an inventory of each host"}
			case cmd.Flags().Changed("wave") && wave < 1:
				return badFlag("--wave", strconv.Itoa(wave), "the number of a wave, from 1")
			case phase != "":
				if err := oneOf("--phase", phase, "stage", "reset"); err != nil {
					return err
				}
			}
			if err := when.usable(cmd); err != nil {
				return err
			}
			if err := oneOf("-o", output, "text", "json"); err != nil {
				return err
			}
			accepted, err := selectors("--accept-disruption", accept)
			if err != nil {
				return err
			}
			machine, err := a.machine()
			if err != nil {
				return err
			}
			job := &job{app: a, machine: machine, json: output == "json", accept: accepted, soleWriter: sole, timing: when, phase: plan.WaveKind(phase), wave: wave}
			if file != "" {
				job.planned = []string{"-f", file}
				err = job.makePlan(cmd.Context(), file)
			} else {
				job.planned = args
				err = job.readPlan(args[0], expect, images)
			}
			if images != "" {
				job.planned = append(job.planned, "--images", images)
			}
			if err == nil {
				err = cmp.Or(job.hasWaves(), job.acceptsSomething())
			}
			if err != nil {
				return err
			}
			if check && job.inTheWay != nil {
				return job.inTheWay
			}
			if check {
				return job.check(cmd.Context())
			}
			return job.apply(cmd.Context(), yes)
		}),
	}
	desiredFlag(cmd, &file)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&check, "check", false, "only compare the plan with the devices, and look for its images; write nothing")
	cmd.Flags().StringVar(&images, "images", "", "look for the plan's images, by their SHA-256, in `DIR` and below first, then where PLAN is, then where they were when it was made")
	cmd.Flags().StringVar(&expect, "expect", "", "refuse any plan but the one with this digest `SHA256`")
	acceptFlag(cmd, &accept)
	soleWriterFlag(cmd, &sole)
	cmd.Flags().StringVar(&phase, "phase", "", "only the waves that stage or reset: `KIND` is stage or reset")
	cmd.Flags().IntVar(&wave, "wave", 0, "only wave `N`; those before it must be done")
	when.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json: an event a line, the result last")
	return cmd
}

func acceptFlag(cmd *cobra.Command, accept *[]string) {
	cmd.Flags().StringArrayVar(accept, "accept-disruption", nil, "let I/O stop at what `SELECTOR` selects, or at all (repeatable)")
}

func soleWriterFlag(cmd *cobra.Command, sole *bool) {
	cmd.Flags().BoolVar(sole, "sole-writer", false, "nobody else writes to these enclosures now, though this host does not see all of their I/O modules")
}

// job is one apply.
type job struct {
	*app
	machine  transport.Machine
	json     bool
	accept   []inventory.Selector // where I/O may stop
	plan     *plan.Plan
	unseen   []build.Unseen          // enclosures to which another host may be writing
	inTheWay error                   // why what was planned just now is not all that the desired state may be about
	images   map[string]*image.Image // by SHA-256

	soleWriter bool // somebody has said that none is

	timing
	resumed bool // it was begun earlier

	planned []string // arguments of apply that name what is carried out; nil where they did not

	phase plan.WaveKind // "" for all
	wave  int           // 0 for all
}

// timing is what somebody says of maintenance windows.
type timing struct {
	wait   bool
	ignore string // why, "" where windows hold
}

func (t *timing) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&t.wait, "wait", false, "wait for maintenance windows to open, and for power cycles by a person")
	cmd.Flags().StringVar(&t.ignore, "ignore-window", "", "carry the plan out though its maintenance windows are closed, and record `REASON`")
}

func (t *timing) usable(cmd *cobra.Command) error {
	if cmd.Flags().Changed("ignore-window") && strings.TrimSpace(t.ignore) == "" {
		return &failure{exitError, "cannot ignore windows without a reason", "say why, for the record: --ignore-window \"CHG-4711, agreed with the users\""}
	}
	return nil
}

// makePlan plans for a desired state.
func (j *job) makePlan(ctx context.Context, file string) error {
	var want planRequest
	var err error
	if want.desired, want.images, err = j.loadDesired(file); err != nil {
		return err
	}
	if want.inventories, err = j.scanOf(ctx, j.machine); err != nil {
		return err
	}
	j.images = want.images.Files
	if j.plan, _, err = want.build(time.Now()); err != nil {
		return err
	}
	j.unseen = build.UnseenESPs(j.plan, want.desired.Models, want.inventories)
	j.inTheWay = inTheWay(j.plan, want.inventories)
	return nil
}

// inTheWay returns why a desired state is not applied by what can be seen of it now:
// a device that it may be about could not be read, or a run is in the middle of its
// work there. Having nothing else to do then is no success.
func inTheWay(p *plan.Plan, inventories []*inventory.Inventory) error {
	var all *multierror.Error
	for _, u := range p.Unread {
		if !u.Wanted {
			continue
		}
		what := u.Path
		if len(u.Components) > 0 {
			what += " (" + strings.Join(u.Components, ", ") + ")"
		}
		all = multierror.Append(all, refused(fmt.Sprintf("cannot apply: %s could not be read, and the desired state may be about it; nothing was written: %s", what, u.Why),
			"apply again when it can be read; to apply the rest meanwhile, save a plan with `fwctl plan --out`, and apply that"))
	}
	for _, c := range impact.Unfinished(p, inventories) {
		all = multierror.Append(all, refused(fmt.Sprintf("cannot apply: a run is in the middle of its work on %s, or was broken off there, and nothing was written%s", c.Address, c.Source()),
			"unless that run goes on, `fwctl resume` finds out what became of it, and goes on"))
	}
	return all.ErrorOrNil()
}

// readPlan reads a saved plan, which must be the one that was approved, and its images.
func (j *job) readPlan(file, expect, dir string) error {
	p, _, err := loadPlan(file)
	if err != nil {
		return err
	}
	if expect != "" && strings.TrimPrefix(strings.ToLower(expect), "sha256:") != strings.TrimPrefix(p.Digest, "sha256:") {
		return refused(fmt.Sprintf("cannot apply %s: its digest is %s, not the %s of --expect", file, p.Digest, expect),
			"this is not the plan that was approved: have it reviewed, or get the right file")
	}
	if p.Simulated != j.machine.Simulated() {
		if p.Simulated {
			return refused(fmt.Sprintf("cannot apply %s: it was made on a simulated rack", file), "name the rack with --simulate, or plan on this host")
		}
		return refused(fmt.Sprintf("cannot apply %s: it was made on real hardware, and --simulate names a rack", file), "leave --simulate out, or plan with it")
	}
	j.plan = p
	j.images, err = findImages(p, nil, dir, file)
	return err
}

// check compares the plan with the devices.
func (j *job) check(ctx context.Context) error {
	store, err := j.memory()
	if err != nil {
		return err
	}
	defer store.Close()
	if j.json {
		return j.end(executor.Check(ctx, j.config(store, nil)))
	}
	fmt.Fprint(j.stdout, j.heading(j.plan.Simulated))
	display := j.display(0)
	result, err := executor.Check(ctx, j.config(store, func(e executor.Event) {
		if e.Type == executor.EventChecking { // the rest is in the result
			display.Show(e)
		}
	}))
	display.Close()
	return j.end(result, err)
}

// show writes the plan for people.
func (j *job) show() {
	text := io.Writer(j.stdout)
	if j.json {
		text = j.stderr // stdout is for the events
	}
	fmt.Fprint(text, j.heading(j.plan.Simulated), j.screen(text).Plan(j.plan, time.Now()))
}

// apply shows the plan, asks, and carries it out.
func (j *job) apply(ctx context.Context, yes bool) error {
	j.show()
	if j.inTheWay != nil {
		return j.inTheWay
	}
	if j.plan.Summary.Update+j.plan.Summary.Activate == 0 {
		if err := inTheWay(j.plan, nil); err != nil { // a saved plan that could not read it
			return err
		}
		store, err := j.memory()
		if err != nil {
			return err
		}
		defer store.Close()
		return j.end(executor.NothingToDo(ctx, j.config(store, nil)))
	}
	if result, err := executor.NothingHere(ctx, j.config(nil, nil)); result != nil || err != nil {
		return j.end(result, err)
	}
	if err := j.alone(); err != nil {
		return err
	}
	if err := j.inWindow(time.Now()); err != nil {
		return err
	}
	if !yes { // who is asked is asked for nothing in vain
		c := j.config(nil, nil)
		if why := c.Unaccepted(); why != "" {
			return refused(why, "")
		}
		n := j.plan.Summary.Update + j.plan.Summary.Activate
		if err := j.confirm(fmt.Sprintf("Write firmware to %s as shown above?", ui.Components(n))); err != nil {
			return err
		}
	}
	dir, err := j.state()
	if err != nil {
		return err
	}
	store, err := state.Open(dir)
	if err != nil {
		return unbegun(err)
	}
	defer store.Close()

	return j.carryOut(ctx, store, executor.Run)
}

// carryOut has a run go its way, tells of it, and shows how it ended.
func (j *job) carryOut(ctx context.Context, store *state.Store, run func(context.Context, executor.Config) (*executor.Result, error)) error {
	if !j.json && !j.quiet {
		fmt.Fprintln(j.stdout) // below the plan, or the question
	}
	display := j.display(len(j.mine()))
	// A terminal that is lost, or a reader that goes away, must not break off a download.
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	asked := listen(ctx, display.Say)
	j.runBegins()
	queue := ui.NewQueue(display.Show)
	config := j.config(store, queue.Add)
	config.Withdraw, config.Leave = asked.withdraw, asked.leave
	result, err := run(asked.ctx, config)
	asked.stop() // nothing runs any more: ^C ends whoever still waits for a reader
	ended := make(chan error, 1)
	go func() {
		queue.Close()
		display.Close()
		ended <- j.end(result, err)
	}()
	var left <-chan time.Time
	if result != nil && result.Left { // whoever asked three times waits for no reader
		left = time.After(time.Second)
	}
	select {
	case err := <-ended:
		return err
	case <-left:
		return j.failed(result)
	}
}

// hasWaves refuses --phase and --wave that together mean none of the plan's waves.
func (j *job) hasWaves() error {
	c := j.config(nil, nil)
	waves := j.plan.Waves
	if len(waves) == 0 || slices.ContainsFunc(waves, c.Selects) {
		return nil
	}
	if j.wave > len(waves) {
		return &failure{exitError, fmt.Sprintf("cannot apply wave %d: the plan has %d %s", j.wave, len(waves), english.PluralWord(len(waves), "wave", "waves")), "fwctl show shows which wave does what"}
	}
	if j.wave != 0 {
		return &failure{exitError, fmt.Sprintf("cannot apply wave %d with --phase %s: it is a %s wave", j.wave, j.phase, waves[j.wave-1].Kind), "leave one of them out"}
	}
	return nil // nothing to do in this phase is no mistake
}

// acceptsSomething refuses an --accept-disruption that is about nothing of the plan:
// whoever misspelt it thinks that they have accepted something else.
func (j *job) acceptsSomething() error {
	return plan.Unmatched("--accept-disruption", withoutAll(j.accept), j.plan.Components(), "this plan")
}

// alone refuses to write to enclosures of which this host does not see all, unless
// somebody has said that nobody else does.
func (j *job) alone() error {
	if j.soleWriter {
		return nil
	}
	var all *multierror.Error
	for _, u := range j.unseen {
		all = multierror.Append(all, refused(fmt.Sprintf("cannot write to %s: %d of its %d I/O modules are in sight, and another host may be writing to it", cmp.Or(u.Name, u.Enclosure), u.Seen, u.Expected),
			"look at the hosts that it is cabled to; if none of them writes to it, and none will, say --sole-writer"))
	}
	return all.ErrorOrNil()
}

// inWindow refuses what this host has to do while none of a wave's windows is open.
func (j *job) inWindow(now time.Time) error {
	mine := j.mine()
	for _, w := range j.plan.Waves {
		works := func(s plan.Step) bool { return mine[s.Address] && s.In(w) }
		c := j.config(nil, nil)
		if w.PowerCycle || !c.Selects(w) || !slices.ContainsFunc(j.plan.Steps, works) {
			continue // nothing is sent
		}
		o, err := j.plan.Opening(w, now)
		switch {
		case err != nil:
			return err
		case !o.Now && j.ignore != "":
			j.note("Wave %d is outside its maintenance windows: %s.", w.Number, ui.OpensNext(j.plan, w, now))
		case !o.Now && j.wait:
			j.note("Wave %d waits for its maintenance window: %s.", w.Number, ui.OpensNext(j.plan, w, now))
		case !o.Now:
			return refused(fmt.Sprintf("cannot apply now: wave %d is outside its maintenance windows: %s", w.Number, ui.OpensNext(j.plan, w, now)),
				j.whenItOpens())
		}
	}
	return nil
}

// whenItOpens is what to do about a window that is closed.
func (j *job) whenItOpens() string {
	if j.resumed { // the run is for the waves that it was begun for
		return "resume again when it opens, let this one --wait, or say why it cannot wait with --ignore-window REASON, which is recorded"
	}
	return "apply again when it opens, let this one --wait, do what may be done now with --phase stage, or say why it cannot wait with --ignore-window REASON, which is recorded"
}

func (j *job) config(store *state.Store, observer func(executor.Event)) executor.Config {
	var sole []string
	for _, u := range j.unseen { // apply refuses them without --sole-writer
		sole = append(sole, u.Enclosure)
	}
	c := executor.Config{
		Machine: j.machine, Store: store, Plan: j.plan, Images: j.images, By: whoami(), Account: account(), AcceptDisruption: j.accept, SoleWriter: sole,
		IgnoreWindow: j.ignore, Wait: j.wait, Phase: j.phase, Wave: j.wave, Observer: observer,
	}
	if !j.machine.Simulated() { // what a hook does is done to real machines
		c.Command = runCommand
	}
	return c
}

// display returns what shows a run of so many components, as ui.Live does.
func (j *job) display(components int) ui.Display {
	switch {
	case j.json:
		return ui.JSONLines(j.stdout, j.plan.Simulated, func(text string) { j.note("%s", text) })
	case j.quiet:
		return ui.Quiet()
	}
	return ui.Live(j.stderr, j.plan, components)
}

// mine are the addresses that this host has something to do at.
func (j *job) mine() map[string]bool {
	mine := map[string]bool{}
	for _, s := range j.plan.Steps {
		if s.Host == j.machine.Hostname() && s.Acts() {
			mine[s.Address] = true
		}
	}
	return mine
}

// confirm asks for the word yes.
func (j *job) confirm(question string) error {
	if !ui.IsTerminal(j.stdin) {
		return refused("cannot ask for confirmation: standard input is not a terminal", "confirm with --yes")
	}
	fmt.Fprintf(j.stderr, "\n%s Only yes starts it: ", question)
	return confirmed(j.stdin, j.stderr)
}

// confirmed reads one line, which must be the word yes. An answer without a line
// break, as Ctrl-D gives it, leaves the terminal on the line of the question.
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

// end shows the result of a run and turns it into the error that exits with its code.
func (j *job) end(result *executor.Result, err error) error {
	if err != nil {
		return unbegun(err)
	}
	code := result.Outcome.ExitCode()
	for i := range result.Commands {
		result.Commands[i].Command = j.commandOf(&result.Commands[i])
	}
	if j.json {
		line := struct {
			Type     string `json:"type"`
			ExitCode int    `json:"exit_code"`
			*executor.Result
			Simulated bool `json:"simulated"`
		}{"result", code, result, j.simulate != ""}
		if result.Steps == nil {
			result.Steps = []executor.StepResult{}
		}
		json.NewEncoder(j.stdout).Encode(line) // a write that fails is in the exit code: see output.close
	} else {
		fmt.Fprint(j.stdout, j.screen(j.stdout).Result(result, j.plan, j.goesOn(result)))
	}
	if code == exitDone {
		return nil
	}
	return j.failed(result)
}

// failed is the error that a run which did not end well exits with.
func (j *job) failed(result *executor.Result) error {
	return &failure{
		code: result.Outcome.ExitCode(),
		what: closing(result),
		hint: hintAfter(result, j.resumed, j.again("resume")),
	}
}

// goesOn says how many components wait for waves that the run was not for, and what
// goes on with them; "" where none does.
func (j *job) goesOn(result *executor.Result) string {
	n := 0
	var waves []string
	var limit []string // to the first of them
	for _, w := range j.plan.Waves {
		before := n
		for _, s := range result.Steps {
			if s.Waits == w.Number {
				n++
			}
		}
		switch {
		case n == before:
			continue
		case limit != nil:
		case j.wave != 0:
			limit = []string{"--wave", strconv.Itoa(w.Number)}
		default:
			limit = []string{"--phase", string(w.Kind)}
		}
		waves = append(waves, strconv.Itoa(w.Number))
	}
	if n == 0 {
		return ""
	}
	command := "the same plan with " + strings.Join(limit, " ")
	if len(j.planned) > 0 {
		if j.planned[0] == "-f" {
			limit = nil // its next plan has other waves
		}
		command = "`" + j.again(slices.Concat([]string{"apply"}, j.planned, limit)...) + "`"
	}
	return fmt.Sprintf("%s %s for %s %s: %s goes on.", ui.Components(n), english.PluralWord(n, "waits", "wait"), english.PluralWord(len(waves), "wave", "waves"), strings.Join(waves, ", "), command)
}

// whoami names the person who runs this, for the record.
func whoami() string {
	name := os.Getenv("SUDO_USER")
	if name == "" {
		name = account().Login
	}
	return inventory.Shown(name) // inventories carry it on
}

// account is whom the system takes the person for: anybody can say that sudo
// was called by somebody else.
func account() state.Account {
	a := state.Account{UID: os.Getuid(), Login: fmt.Sprintf("uid %d", os.Getuid()), SudoUser: os.Getenv("SUDO_USER")}
	if u, err := user.Current(); err == nil {
		a.Login = u.Username
	}
	return a
}

// commandOf is the command of a turn as it is to be typed on its host.
func (j *job) commandOf(t *plan.Turn) plan.Command {
	if len(j.planned) == 0 { // flash, or a run that was resumed: nothing names its plan
		return t.Command
	}
	return j.onHost(t.Host, slices.Concat([]string{"apply"}, j.planned, t.Limit())...)
}
