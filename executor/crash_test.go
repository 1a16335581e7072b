package executor_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fwctl/executor"
	"fwctl/executor/memory"
	"fwctl/executor/result"
	"fwctl/internal/sim"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/plan"
)

// crash is the store and the rack as they stood before or after an effect.
type crash struct {
	name string
	dir  string // a copy of both
	at   time.Time
}

// crashing copies the store and the rack around every command with an effect.
type crashing struct {
	transport.Machine
	bench   *bench
	to      string // a directory
	crashes *[]crash
	effects *int
}

func (m *crashing) Open(node string, access transport.Access) (transport.Node, error) {
	n, err := m.Machine.Open(node, access)
	return &crashingNode{n, m}, err
}

type crashingNode struct {
	transport.Node
	m *crashing
}

func (n *crashingNode) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	if !req.Effect {
		return n.Node.Do(ctx, req)
	}
	*n.m.effects++
	n.m.copy("before", req.CDB)
	resp, err := n.Node.Do(ctx, req)
	n.m.copy("after", req.CDB)
	return resp, err
}

func (m *crashing) copy(when string, cdb []byte) {
	name := fmt.Sprintf("%s effect %d (%02x)", when, *m.effects, cdb[0])
	to := filepath.Join(m.to, strings.ReplaceAll(name, " ", "-"))
	m.bench.copy(to)
	*m.crashes = append(*m.crashes, crash{name, to, time.Now()})
}

// copy puts the store and the rack as they stand now into a new directory, for reopen.
func (b *bench) copy(to string) {
	file := filepath.Join(to, "rack.yaml")
	err := os.CopyFS(filepath.Join(to, "state"), os.DirFS(filepath.Join(filepath.Dir(b.file), "state")))
	if err == nil {
		err = os.Link(b.file, file)
	}
	if err == nil {
		err = b.rack.Save(file)
	}
	if err != nil {
		panic(err)
	}
}

// ends is what became of a rack: what every component runs, what is staged there by
// the store's word, and what they run after a power cycle, which is the device's.
func (b *bench) ends() string {
	b.Helper()
	var all []string
	tell := func() {
		for _, e := range b.scan().Enclosures {
			for _, esp := range e.ESPs {
				for _, sub := range esp.Subenclosures {
					staged := "nothing"
					if sub.Staged != nil {
						staged = sub.Staged.Revision
					}
					all = append(all, fmt.Sprintf("%s runs %s, %s staged", sub.Address, sub.Revision, staged))
				}
			}
		}
	}
	tell()
	for _, e := range b.scan().Enclosures {
		if err := b.rack.PowerCycle(e.LogicalID); err != nil {
			b.Fatal(err)
		}
	}
	time.Sleep(time.Hour)
	all = append(all, "power cycle")
	tell()
	return strings.Join(all, "\n")
}

// tried reports whether case n of many is tried: the race detector makes each several
// times as expensive, so that make test tries some of them and make prove all.
func tried(n int) bool {
	switch {
	case testing.Short():
		return n%9 == 0
	case raceDetector:
		return n%8 == 0
	}
	return true
}

// A run that is killed before or after any effect, and resumed, ends as one that
// was not; or it says what is not known, and what to do.
func TestResumeAfterEveryEffect(t *testing.T) {
	t.Parallel()
	activated := func(b *bench, modes ...plan.Mode) plan.Hop {
		h := b.hop("1100", modes...)
		h.Activation = plan.WithApply
		return h
	}
	var kills, unknown atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d kills, %d of them with an end that is unknown, and said so", kills.Load(), unknown.Load())
	})
	for name, tt := range map[string]struct {
		rack  string
		steps func(b *bench) []plan.Step
		// unsure are crashes after which the outcome is unknown, by the end of their name
		unsure []string
	}{
		"mode e, left staged": {acme("flashTime: 2m"), func(b *bench) []plan.Step {
			h := b.hop("1100", plan.ModeE)
			return []plan.Step{b.step(esp1, stage, h), b.step(esp2, stage, h)}
		}, nil},
		"mode e, activated": {acme("flashTime: 2m"), func(b *bench) []plan.Step {
			h := activated(b, plan.ModeE)
			return []plan.Step{b.step(esp1, both, h), b.step(esp2, plan.StepWaves{Stage: 1, Reset: 3}, h)}
		}, nil},
		"mode 7": {acme("flashTime: 2m"), func(b *bench) []plan.Step {
			h := b.hop("1100", plan.Mode7)
			return []plan.Step{b.step(esp1, reset, h), b.step(esp2, otherReset, h)}
		}, nil},
		"mode 7 after a refused e": {acme("modes: ['07']"), func(b *bench) []plan.Step {
			return []plan.Step{b.step(esp1, both, activated(b, plan.ModeE, plan.Mode7))}
		}, nil},
		"WRITE BUFFER, activated": {acme("protocol: write-buffer"), func(b *bench) []plan.Step {
			h := activated(b, plan.ModeE)
			h.Protocol = plan.WriteBuffer
			return []plan.Step{b.step(esp1, both, h)}
		}, nil},
		"WRITE BUFFER, beside page 0Eh": {acme("protocol: both, flashTime: 2m"), func(b *bench) []plan.Step {
			h := b.hop("1100", plan.ModeE)
			h.Protocol = plan.WriteBuffer
			return []plan.Step{b.step(esp1, stage, h)}
		}, nil},
		"two hops": {acme(""), func(b *bench) []plan.Step {
			first, second := b.hop("1100", plan.Mode7), activated(b, plan.ModeE)
			second.From, second.To, second.Image = "1100", "1200", b.imageFor("JBOD-60", "1200", 10001)
			return []plan.Step{b.step(esp1, reset, first, second)}
		}, nil},
		"WRITE BUFFER, mode 7": {acme("protocol: write-buffer, flashTime: 2m"), func(b *bench) []plan.Step {
			h := b.hop("1100", plan.Mode7)
			h.Protocol = plan.WriteBuffer
			return []plan.Step{b.step(esp1, reset, h), b.step(esp2, otherReset, h)}
		}, []string{"before effect 3 (3b)", "before effect 6 (3b)"}}, // the device does not say whether the last chunk came
		"mode 7, back under another name": {acme("flashTime: 2m, rebootTime: 5m, vanish: true, returnNode: other"), func(b *bench) []plan.Step {
			return []plan.Step{b.step(esp1, reset, b.hop("1100", plan.Mode7))}
		}, nil},
		"mode e, activated, back under another name": {acme("vanish: true, rebootTime: 5m, returnNode: other"), func(b *bench) []plan.Step {
			return []plan.Step{b.step(esp1, both, activated(b, plan.ModeE))}
		}, nil},
		"mode e, activated by a vendor's page": {acme("modes: ['0e'], resetPage: '" + nebulaReset + "'"), func(b *bench) []plan.Step {
			h := activated(b, plan.ModeE)
			h.ActivationPage = nebulaReset
			return []plan.Step{b.step(esp1, both, h)}
		}, nil},
		"no status between chunks": {acme("statusReadResets: true"), func(b *bench) []plan.Step {
			h := b.hop("1100", plan.ModeE)
			h.SkipStatus = []plan.StatusRead{plan.MidwayStatus}
			return []plan.Step{b.step(esp1, stage, h)}
		}, nil},
		"mode 7, no status after the last chunk": {acme("rebootsBeforeStatus: true"), func(b *bench) []plan.Step {
			h := b.hop("1100", plan.Mode7)
			h.SkipStatus = []plan.StatusRead{plan.LastStatus}
			return []plan.Step{b.step(esp1, reset, h)}
		}, nil},
		"two components of one ESP, activated": {acme("") + "    subenclosures: [{id: 3, product: PSU, revision: '2000', esps: [1]}]\n", func(b *bench) []plan.Step {
			psu := activated(b, plan.ModeE)
			psu.From, psu.To, psu.Image = "2000", "3000", b.imageFor("PSU", "3000", 9000)
			return []plan.Step{b.step(esp1, both, activated(b, plan.ModeE)), b.step(enc1+"/esp1/sub3", both, psu)}
		}, nil},
		"a download that starts over": {acme("") + "    faults: [{when: {opcode: '1d', offset: 4096}, do: {sense: 06/29/00}}]\n", func(b *bench) []plan.Step {
			return []plan.Step{b.step(esp1, stage, b.hop("1100", plan.ModeE))}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var crashes []crash
			var want string
			var config executor.Config
			var ended *result.Result
			effects := 0
			copies := t.TempDir()
			onRack(t, tt.rack, func(b *bench) {
				config = b.config(tt.steps(b)...)
				config.Machine = &crashing{b.machine, b, copies, &crashes, &effects}
				var err error
				if ended, err = executor.Run(context.Background(), config); err != nil || ended.Outcome != result.RunDone {
					t.Fatalf("Run = %+v, %v; want it done", ended, err)
				}
				want = b.ends()
			})
			// Some were killed in a run of an earlier fwctl, too.
			for i, c := range slices.Clone(crashes) {
				if i%4 != 0 || !tried(i/4) {
					continue
				}
				crashes = append(crashes, c.ofAnEarlierFwctl(t))
			}
			for i, c := range crashes {
				if !tried(i) {
					continue
				}
				kills.Add(1)
				synctest.Test(t, func(t *testing.T) {
					time.Sleep(time.Until(c.at))
					b := reopen(t, c.dir)
					defer b.store.Close()
					config.Machine, config.Store, config.Observer = b.machine, b.store, b.observe
					runs, err := b.store.Unfinished(context.Background())
					if err != nil || len(runs) != 1 {
						t.Fatalf("killed %s: unfinished runs = %+v, %v; want one", c.name, runs, err)
					}
					r, err := executor.Resume(context.Background(), config, runs[0].ID)
					if err != nil {
						t.Fatalf("killed %s: Resume = %v", c.name, err)
					}
					open, err := b.store.Open(context.Background())
					if err != nil || len(open) != 0 {
						t.Errorf("killed %s: open intents at the end = %+v, %v; want none", c.name, open, err)
					}
					b.received() // no gaps, nothing doubled
					if r.Outcome == result.RunUnknown && slices.ContainsFunc(tt.unsure, func(u string) bool {
						return strings.HasSuffix(c.name, u)
					}) {
						unknown.Add(1)
						if !strings.Contains(b.story(r), "it may have all of the image") ||
							!strings.Contains(b.story(r), "do not power-cycle it") {
							t.Errorf("killed %s: Resume says\n%s\nwant what is not known, and what to do", c.name, b.story(r))
						}
						return
					}
					if got := b.ends(); got != want || r.Outcome != result.RunDone {
						t.Errorf("killed %s: Resume = %s (%s); the rack ends as\n%s\nwant\n%s\n%s", c.name, r.Outcome, r.Reason, got,
							want, b.story(r))
					}
				})
			}
			t.Logf("%d effects, killed before and after each", effects)
		})
	}
}

// ofAnEarlierFwctl copies what a killed run has left, without what an earlier fwctl did not
// put on record.
func (c crash) ofAnEarlierFwctl(t *testing.T) crash {
	t.Helper()
	dir := c.dir + "-earlier"
	if err := os.CopyFS(dir, os.DirFS(c.dir)); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "state", "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE steps SET component = ''"); err != nil {
		t.Fatal(err)
	}
	c.dir, c.name = dir, "in a run of an earlier fwctl, "+c.name
	return c
}

// reopen opens a copy of a bench's rack and store.
func reopen(t *testing.T, dir string) *bench {
	t.Helper()
	file := filepath.Join(dir, "rack.yaml")
	rack, err := sim.OpenPrivate(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := rack.Machine("")
	if err != nil {
		t.Fatal(err)
	}
	store, err := state.Open(filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	return &bench{T: t, rack: rack, file: file, machine: m, store: store}
}

func (b *bench) observe(e result.Event) { b.events = append(b.events, e) }

// story is how a run came to its end.
func (b *bench) story(r *result.Result) string {
	var all []string
	for _, e := range b.events {
		all = append(all, fmt.Sprintf("%s %s %s %s", e.Type, e.Address, e.Mode, e.Reason))
	}
	for _, s := range r.Steps {
		all = append(all, fmt.Sprintf("= %s %s: %s", s.Address, s.Outcome, s.Reason))
	}
	return strings.Join(all, "\n")
}

// A run that was killed before it had any effect has its end when another takes its place.
func TestKilledRunThatIsSuperseded(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		step := b.step(esp1, stage, b.hop("1100", plan.ModeE))
		b.begun(step)
		if run, _, err := memory.Resumable(context.Background(), b.store, b.machine.HoldsLock); err != nil || run == nil ||
			run.ID != 1 {
			t.Fatalf("Resumable = %+v, %v; want run 1", run, err)
		}
		b.ended(b.run(step), result.RunDone, "staged confirmed e 1000")
		if run, _, err := memory.Resumable(context.Background(), b.store, b.machine.HoldsLock); err != nil || run != nil {
			t.Errorf("Resumable = %+v, %v; want none: another run has taken its place", run, err)
		}
	})
}

// begun records a run that has no end.
func (b *bench) begun(steps ...plan.Step) (run int64) {
	b.Helper()
	p := b.config(slices.Clone(steps)...).Plan
	p.Summary = plan.Summary{}
	for i := range p.Steps {
		p.Steps[i].Gates = []plan.GateResult{}
		if p.Steps[i].Action == plan.NoOp {
			p.Summary.NoOp++
		} else {
			p.Summary.Update++
		}
	}
	file, err := p.Encode()
	if err == nil {
		err = b.store.Update(context.Background(), func(tx *state.Tx) {
			run = tx.BeginRun(state.Run{Host: b.machine.Hostname()})
			tx.Keep(run, file)
		})
	}
	if err != nil {
		b.Fatal(err)
	}
	return run
}

// One that is in the middle of something elsewhere, or that had nothing to do here, is
// there to be resumed still: this run is not in its place.
func TestKilledRunThatIsNotSuperseded(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		steps func(here, there plan.Step) []plan.Step // of the killed run
		open  bool                                    // something there has no end
	}{
		"in the middle of something elsewhere": {func(here, there plan.Step) []plan.Step { return []plan.Step{here, there} }, true},
		"elsewhere alone":                      {func(_, there plan.Step) []plan.Step { return []plan.Step{there} }, false},
		"nothing to do here": {func(here, there plan.Step) []plan.Step {
			here.Action, here.Hops, here.Waves = plan.NoOp, []plan.Hop{}, plan.StepWaves{}
			return []plan.Step{here, there}
		}, false},
		"another host's work here": {func(here, there plan.Step) []plan.Step {
			here.Host = "stor9"
			return []plan.Step{here, there}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, twoEnclosures(), func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				here, there := b.step(esp1, stage, hop), b.step(other+"/esp1/sub0", stage, hop)
				run := b.begun(tt.steps(here, there)...)
				if tt.open {
					err := b.store.Update(context.Background(), func(tx *state.Tx) {
						tx.Intend(state.Intent{Run: run, Address: there.Address, Key: state.Key{LUID: there.LUID},
							Kind: state.DownloadStart, Mode: "0e"})
					})
					if err != nil {
						t.Fatal(err)
					}
				}
				b.ended(b.run(here), result.RunDone, "staged confirmed e 1000")
				left, p, err := memory.Resumable(context.Background(), b.store, b.machine.HoldsLock)
				if err != nil || left == nil || left.ID != 1 || len(memory.Images(b.store, p)) != 1 {
					t.Errorf("Resumable = %+v, %v; want run 1 still, and its image kept", left, err)
				}
			})
		})
	}
}
