// Package report puts together what the store of one host holds, or those of
// several: the status, which is what goes on, what is staged and what is stuck,
// and the history of what was done.
//
// It goes by the store and by who holds a lock. It opens no device, and says
// nothing of what a device is like now.
package report

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

// Status is what goes on, what is staged and what is stuck.
type Status struct {
	FormatVersion string   `json:"format_version"`
	Kind          string   `json:"kind"`   // "Status"
	Hosts         []Host   `json:"hosts"`  // that are spoken of, by name
	Runs          []Run    `json:"runs"`   // that go on, or can be gone on with, by host and the oldest first
	Staged        []Staged `json:"staged"` // by host and address
	Stuck         []Stuck  `json:"stuck"`  // likewise

	Cautions []Caution `json:"cautions,omitempty"` // likewise

	Components []Component `json:"components,omitempty"` // that the hosts remember, by address
}

// History is what was done.
type History struct {
	FormatVersion string     `json:"format_version"`
	Kind          string     `json:"kind"`     // "History"
	Hosts         []Host     `json:"hosts"`    // that are spoken of, by name
	Runs          []Run      `json:"runs"`     // by host and the oldest first
	Verified      []Verified `json:"verified"` // likewise

	Components []Component `json:"components,omitempty"` // that the hosts remember, by address
}

// Component is one that a host has worked on, for selectors to select.
type Component struct {
	Address string `json:"address"`
	Name    string `json:"name,omitempty"` // what the last plan called its enclosure
}

// Host is a host whose store was read.
type Host struct {
	Name      string    `json:"host"`
	TakenAt   time.Time `json:"taken_at"`
	Simulated bool      `json:"simulated"`
}

// Process says whether a run that has no end goes on.
type Process string

const (
	Running Process = "running" // its process holds the lock of an enclosure
	Gone    Process = "gone"    // there is no such process: it was killed, or the host went down
	Unclear Process = "unclear" // that cannot be told
)

// Run is one apply.
type Run struct {
	Host      string     `json:"host"`
	ID        int64      `json:"run"`
	Plan      string     `json:"plan"` // its digest
	By        string     `json:"by"`
	Phase     string     `json:"phase,omitempty"` // kind of the waves that it is limited to
	Wave      int        `json:"wave,omitempty"`  // number of the wave that it is limited to
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at"`            // nil where it has no end
	Outcome   string     `json:"outcome"`             // "" likewise
	Process   Process    `json:"process,omitempty"`   // of a status, where it has no end
	Resumable bool       `json:"resumable,omitempty"` // of a status: nobody is seen to carry it out, and its plan was kept
	PID       int        `json:"pid,omitempty"`       // of the process that carries it out, or did so last
	Resumed   []Resume   `json:"resumed"`
	Overrides []Override `json:"overrides"`
	Accounts  []Account  `json:"accounts,omitempty"` // of who started it and went on with it, in their order
	Hooks     []Hook     `json:"hooks,omitempty"`    // in their order
	Steps     []Step     `json:"steps"`              // by address
}

// Resume is a person who went on with a run that was broken off.
type Resume struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Account is whom the system took a person for.
type Account struct {
	UID      int       `json:"uid"` // the real one
	Login    string    `json:"login"`
	SudoUser string    `json:"sudo_user,omitempty"` // $SUDO_USER: a mere claim where UID is not 0
	At       time.Time `json:"at"`
}

// Hook is a command that was run around a reset.
type Hook struct {
	Kind    string     `json:"kind"` // before-reset, after-reset
	Address string     `json:"address"`
	Command string     `json:"command"`
	At      time.Time  `json:"at"`
	EndedAt *time.Time `json:"ended_at"` // nil where its end is not known
	Outcome string     `json:"outcome"`  // done, or why it failed; "" likewise
	Output  string     `json:"output"`   // what it wrote, or the end of that
}

// Override is a safeguard that a person put aside for one component.
type Override struct {
	Kind    string `json:"kind"`
	Address string `json:"address"`
	Given   string `json:"given"` // what they gave for it: a pattern, or a reason
}

// Step is how far a run got with one component. What it says of revisions, the
// image and the mode is about the hop that the component is at.
type Step struct {
	Address string     `json:"address"`
	LUID    string     `json:"lu_id"`   // designator of the ESP's logical unit: a module that is exchanged keeps its address
	State   string     `json:"state"`   // of the step machine
	Outcome string     `json:"outcome"` // "" where it has not ended
	From    string     `json:"from"`    // revision, "" where that was not recorded
	To      string     `json:"to"`      // likewise
	SHA256  string     `json:"sha256"`  // of the image, "" where that was not recorded
	Mode    string     `json:"mode"`    // "" where nothing was sent
	Reason  string     `json:"reason"`
	At      *time.Time `json:"at"` // nil where it has not begun

	Hops []Hop `json:"hops,omitempty"` // that were begun, in their order
}

// Hop is an image that was sent to a component, or that it was told to start.
type Hop struct {
	From   string    `json:"from"` // revision, "" where that was not recorded
	To     string    `json:"to"`   // likewise
	SHA256 string    `json:"sha256"`
	Mode   string    `json:"mode"` // by which it was sent last; "" where it was staged before
	At     time.Time `json:"at"`   // when its last effect was about to be had
}

// Way is the hops from the first that was begun to the one that the component is
// at, whether that was begun or not.
func (s *Step) Way() []Hop {
	if n := len(s.Hops); n > 0 && (s.SHA256 == s.Hops[n-1].SHA256 || s.SHA256 == "") { // an earlier fwctl recorded none
		return s.Hops
	}
	return append(slices.Clone(s.Hops), Hop{From: s.From, To: s.To, SHA256: s.SHA256, Mode: s.Mode})
}

// Staged is microcode that a component holds, as far as its host remembers.
type Staged struct {
	Host      string    `json:"host"`
	Address   string    `json:"address"`
	Running   string    `json:"running"`  // revision when it was staged
	Revision  string    `json:"revision"` // that the image brings
	SHA256    string    `json:"sha256"`
	Since     time.Time `json:"since"`
	By        string    `json:"by"`
	Confirmed bool      `json:"confirmed"` // the device said that the image is complete
}

// Stuck is a component at which an effect was begun whose end nobody recorded,
// and nobody works on it: a person has to look.
type Stuck struct {
	Host    string    `json:"host"`
	Address string    `json:"address"`
	Run     int64     `json:"run"`
	Kind    string    `json:"kind"` // of the last such effect
	Mode    string    `json:"mode"` // two hex digits, as in the command
	SHA256  string    `json:"sha256"`
	Since   time.Time `json:"since"`
}

// Caution is something that has to be minded about a component.
type Caution struct {
	Host string `json:"host"`
	inventory.Caution
}

// Verified is what somebody found who looked after what was staged.
type Verified struct {
	Host     string    `json:"host"`
	Address  string    `json:"address"`
	SHA256   string    `json:"sha256"`   // of the image that was staged
	Revision string    `json:"revision"` // that the component reported
	Outcome  string    `json:"outcome"`
	By       string    `json:"by"`
	At       time.Time `json:"at"`
}

// ReadStatus reads the status off the store of a host. holds tells whether a
// process has the lock of an enclosure, as transport.Machine.HoldsLock does.
func ReadStatus(ctx context.Context, store *state.Store, host Host, holds func(enclosure string, pid int) (bool, error)) (*Status, error) {
	for {
		s := newStatus()
		s.Hosts = append(s.Hosts, host)
		var open []state.Intent
		err := store.View(ctx, func(store *state.Store) (err error) {
			if open, err = store.Open(ctx); err != nil {
				return err
			}
			if s.Staged, err = staged(ctx, store, host.Name); err != nil {
				return err
			}
			cautions, err := store.Cautions(ctx)
			if err != nil {
				return err
			}
			for _, c := range cautions {
				s.Cautions = append(s.Cautions, Caution{host.Name, inventory.Caution{Address: c.Address, Kind: inventory.CautionKind(c.Kind), Since: c.Since, Detail: c.Detail}})
			}
			if s.Components, err = remembered(ctx, store); err != nil {
				return err
			}
			runs, err := store.Resumable(ctx)
			if err != nil {
				return err
			}
			for _, r := range runs {
				run, err := readRun(ctx, store, r)
				if err != nil {
					return err
				}
				p, err := run.kept(ctx, store)
				if err != nil {
					return err
				}
				if run.Resumable = p != nil; run.Resumable {
					run.addPlanned(p)
				}
				s.Runs = append(s.Runs, *run)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for i := range s.Runs {
			if r := &s.Runs[i]; r.EndedAt == nil {
				r.Process = process(r, holds)
				r.Resumable = r.Resumable && r.Process != Running
			}
		}
		// A run commits its end before it lets go of its locks: one without them can
		// have ended since the store was read.
		unfinished, err := store.Unfinished(ctx)
		if err != nil {
			return nil, err
		}
		ended := func(r Run) bool {
			return r.EndedAt == nil && r.Process != Running && !slices.ContainsFunc(unfinished, func(u state.Run) bool { return u.ID == r.ID })
		}
		if slices.ContainsFunc(s.Runs, ended) {
			continue
		}
		s.Stuck = stuck(open, s.Runs, host.Name)
		return s, nil
	}
}

// process tells whether a run goes on. It has all its locks from its beginning to
// its end, so that one of them tells.
func process(r *Run, holds func(string, int) (bool, error)) Process {
	if len(r.Steps) == 0 {
		return Unclear
	}
	held, err := holds(inventory.EnclosureOf(r.Steps[0].Address), r.PID)
	switch {
	case held:
		return Running
	case errors.Is(err, os.ErrProcessDone):
		return Gone
	}
	return Unclear // it begins, or ends; or the id is another process's by now
}

// stuck lists the components with open effects of runs that do not go on.
func stuck(open []state.Intent, runs []Run, host string) []Stuck {
	all := []Stuck{}
	for _, i := range open {
		if slices.ContainsFunc(runs, func(r Run) bool { return r.ID == i.Run && r.Process == Running }) {
			continue
		}
		at := slices.IndexFunc(all, func(s Stuck) bool { return s.Address == i.Address })
		if at < 0 {
			all = append(all, Stuck{Host: host, Address: i.Address, Since: i.At})
			at = len(all) - 1
		}
		all[at].Run, all[at].Kind, all[at].Mode, all[at].SHA256 = i.Run, string(i.Kind), i.Mode, i.SHA256
	}
	slices.SortFunc(all, func(a, b Stuck) int { return cmp.Compare(a.Address, b.Address) })
	return all
}

func staged(ctx context.Context, store *state.Store, host string) ([]Staged, error) {
	held, err := store.Staged(ctx)
	if err != nil {
		return nil, err
	}
	addresses, err := store.Addresses(ctx)
	if err != nil {
		return nil, err
	}
	all := []Staged{}
	for k, v := range held {
		all = append(all, Staged{Host: host, Address: addresses[k], Running: v.Running, Revision: v.Revision,
			SHA256: v.SHA256, Since: v.Since, By: v.By, Confirmed: v.Confirmed})
	}
	slices.SortFunc(all, func(a, b Staged) int { return cmp.Compare(a.Address, b.Address) })
	return all, nil
}

// ReadHistory reads the history off the store of a host.
func ReadHistory(ctx context.Context, store *state.Store, host Host) (*History, error) {
	h := newHistory()
	h.Hosts = append(h.Hosts, host)
	err := store.View(ctx, func(store *state.Store) error {
		runs, err := store.Runs(ctx)
		if err != nil {
			return err
		}
		for _, r := range runs {
			run, err := readRun(ctx, store, r)
			if err != nil {
				return err
			}
			run.PID = 0 // it tells nothing of what is over
			h.Runs = append(h.Runs, *run)
		}
		if h.Components, err = remembered(ctx, store); err != nil {
			return err
		}
		found, err := store.Verifications(ctx)
		for _, v := range found {
			h.Verified = append(h.Verified, Verified{Host: host.Name, Address: v.Address, SHA256: v.SHA256, Revision: v.Revision,
				Outcome: string(v.Outcome), By: v.By, At: v.At})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

// readRun reads what the store has of a run.
func readRun(ctx context.Context, store *state.Store, r state.Run) (*Run, error) {
	run := &Run{Host: r.Host, ID: r.ID, Plan: r.PlanDigest, By: r.By, Phase: r.Phase, Wave: r.Wave, StartedAt: r.StartedAt, Outcome: r.Outcome, PID: r.PID,
		Resumed: []Resume{}, Overrides: []Override{}, Steps: []Step{}}
	if !r.EndedAt.IsZero() {
		run.EndedAt = &r.EndedAt
	}
	resumes, err := store.Resumes(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	for _, v := range resumes {
		run.Resumed = append(run.Resumed, Resume(v))
	}
	overrides, err := store.Overrides(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	for _, v := range overrides {
		run.Overrides = append(run.Overrides, Override{string(v.Kind), v.Address, v.Given})
	}
	accounts, err := store.Accounts(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	for _, v := range accounts {
		run.Accounts = append(run.Accounts, Account(v))
	}
	hooks, err := store.Hooks(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	for _, v := range hooks {
		if v.Command == "" {
			continue // its policy has none on this side
		}
		h := Hook{Kind: string(v.Kind), Address: v.Address, Command: v.Command, At: v.At, Outcome: v.Outcome, Output: v.Output}
		if !v.EndedAt.IsZero() {
			h.EndedAt = &v.EndedAt
		}
		run.Hooks = append(run.Hooks, h)
	}
	steps, err := store.Steps(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	intents, err := store.Intents(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	several := false
	for _, v := range steps {
		if run.EndedAt == nil {
			v.Outcome = "" // an earlier end's, where it is resumed
		}
		step := Step{Address: v.Address, LUID: v.Key.LUID, State: v.State, Outcome: v.Outcome, From: v.From, To: v.To,
			SHA256: v.SHA256, Mode: v.Mode, Reason: v.Detail, At: &v.At}
		step.addHops(intents)
		several = several || len(step.Way()) > 1
		run.Steps = append(run.Steps, step)
	}
	if !several {
		return run, nil
	}
	p, err := run.kept(ctx, store)
	if p != nil {
		run.addRevisions(p)
	}
	return run, err
}

// addHops adds the hops that the run was about to have an effect of.
func (s *Step) addHops(intents []state.Intent) {
	for _, i := range intents {
		if i.Address != s.Address || i.Kind == state.Abort {
			continue
		}
		if n := len(s.Hops); n == 0 || s.Hops[n-1].SHA256 != i.SHA256 {
			s.Hops = append(s.Hops, Hop{SHA256: i.SHA256})
		}
		h := &s.Hops[len(s.Hops)-1]
		h.At = i.At
		if i.Kind == state.DownloadStart {
			h.Mode = i.ModeName()
		}
		if h.SHA256 == s.SHA256 {
			h.From, h.To = s.From, s.To
		}
	}
}

// addRevisions adds those of the hops before the one that a component is at: the
// plan alone has them.
func (r *Run) addRevisions(p *plan.Plan) {
	for _, planned := range p.Steps {
		at := slices.IndexFunc(r.Steps, func(s Step) bool { return s.Address == planned.Address })
		if at < 0 {
			continue
		}
		for i := range r.Steps[at].Hops {
			h := &r.Steps[at].Hops[i]
			if n := slices.IndexFunc(planned.Hops, func(p plan.Hop) bool { return p.Image.SHA256 == h.SHA256 }); n >= 0 {
				h.From, h.To = planned.Hops[n].From, planned.Hops[n].To
			}
		}
	}
}

// kept is the plan of a run, nil where none was kept that can be read: who resumes
// the run is told, and what it has come to is known without.
func (r *Run) kept(ctx context.Context, store *state.Store) (*plan.Plan, error) {
	data, err := store.Kept(ctx, r.ID)
	if data == nil || err != nil {
		return nil, err
	}
	p, err := plan.Parse(data)
	if err != nil {
		return nil, nil
	}
	return p, nil
}

// addPlanned adds the components of the run's plan that it has not come to.
func (r *Run) addPlanned(p *plan.Plan) {
	begun := map[string]bool{}
	for _, s := range r.Steps {
		begun[s.Address] = true
	}
	for _, s := range p.Steps {
		if s.Host != r.Host || !s.Acts() || begun[s.Address] {
			continue
		}
		first := s.Hops[0]
		r.Steps = append(r.Steps, Step{Address: s.Address, LUID: s.LUID, State: "pending", From: first.From, To: first.To, SHA256: first.Image.SHA256})
	}
	slices.SortFunc(r.Steps, func(a, b Step) int { return cmp.Compare(a.Address, b.Address) })
}

// Only leaves what is about components that a selector selects. A selector that
// selects nothing that any of the hosts remembers is a *plan.UnmatchedError.
func (s *Status) Only(selector inventory.Selector) error {
	known := book{}
	known.add(s.Components, s.Runs)
	for _, v := range s.Staged {
		known.addAddress(v.Address)
	}
	for _, v := range s.Stuck {
		known.addAddress(v.Address)
	}
	for _, v := range s.Cautions {
		known.addAddress(v.Address)
	}
	others, err := known.others(selector)
	if err != nil {
		return err
	}
	s.Runs = only(s.Runs, others)
	s.Staged = slices.DeleteFunc(s.Staged, func(v Staged) bool { return others(v.Address) })
	s.Stuck = slices.DeleteFunc(s.Stuck, func(v Stuck) bool { return others(v.Address) })
	s.Cautions = slices.DeleteFunc(s.Cautions, func(v Caution) bool { return others(v.Address) })
	s.Components = slices.DeleteFunc(s.Components, func(v Component) bool { return others(v.Address) })
	return nil
}

// Only leaves what is about components that a selector selects, as Status.Only does.
func (h *History) Only(selector inventory.Selector) error {
	known := book{}
	known.add(h.Components, h.Runs)
	for _, v := range h.Verified {
		known.addAddress(v.Address)
	}
	others, err := known.others(selector)
	if err != nil {
		return err
	}
	h.Runs = only(h.Runs, others)
	h.Verified = slices.DeleteFunc(h.Verified, func(v Verified) bool { return others(v.Address) })
	h.Components = slices.DeleteFunc(h.Components, func(v Component) bool { return others(v.Address) })
	return nil
}

func only(runs []Run, others func(string) bool) []Run {
	for i := range runs {
		runs[i].Steps = slices.DeleteFunc(runs[i].Steps, func(s Step) bool { return others(s.Address) })
		runs[i].Overrides = slices.DeleteFunc(runs[i].Overrides, func(o Override) bool { return others(o.Address) })
		runs[i].Hooks = slices.DeleteFunc(runs[i].Hooks, func(h Hook) bool { return others(h.Address) })
	}
	return slices.DeleteFunc(runs, func(r Run) bool { return len(r.Steps) == 0 })
}

// remembered lists the components that a store knows, by address.
func remembered(ctx context.Context, store *state.Store) ([]Component, error) {
	addresses, err := store.Addresses(ctx)
	if err != nil {
		return nil, err
	}
	names, err := store.Names(ctx)
	if err != nil {
		return nil, err
	}
	var all []Component
	for _, address := range addresses {
		all = append(all, Component{address, names[inventory.EnclosureOf(address)]})
	}
	slices.SortFunc(all, func(a, b Component) int { return cmp.Compare(a.Address, b.Address) })
	return slices.Compact(all), nil
}

// book is what hosts call components: the names of an enclosure, which may be several,
// by address.
type book map[string][]string

func (b book) add(components []Component, runs []Run) {
	for _, r := range runs {
		for _, s := range r.Steps {
			b.addAddress(s.Address)
		}
	}
	names := map[string][]string{} // by enclosure
	for _, c := range components {
		b.addAddress(c.Address)
		id := inventory.EnclosureOf(c.Address)
		if c.Name != "" && !slices.Contains(names[id], c.Name) {
			names[id] = append(names[id], c.Name)
		}
	}
	for address := range b {
		b[address] = names[inventory.EnclosureOf(address)]
	}
}

func (b book) addAddress(address string) {
	if _, known := b[address]; !known {
		b[address] = nil
	}
}

// named is a component under each of its enclosure's names.
func (b book) named(address string) []inventory.Named {
	all := []inventory.Named{{Address: address}}
	for _, name := range b[address] {
		all = append(all, inventory.Named{Address: address, Name: name})
	}
	return all
}

// others reports which addresses a selector does not select.
func (b book) others(selector inventory.Selector) (func(address string) bool, error) {
	var all []inventory.Named
	for address := range b {
		all = append(all, b.named(address)...)
	}
	err := plan.Unmatched("--enclosure", []inventory.Selector{selector}, all, "what is remembered here")
	return func(address string) bool { return !slices.ContainsFunc(b.named(address), selector.Matches) }, err
}
