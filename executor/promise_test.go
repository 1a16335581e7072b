package executor_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
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
	"fwctl/executor/verify"
	"fwctl/internal/image"
	"fwctl/internal/sim"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/inventory/scan"
	"fwctl/plan"
	"fwctl/plan/build"
	"fwctl/plan/desired"
)

var (
	racks = flag.Int("racks", 300, "how many random racks TestPromises makes")
	seed  = flag.Uint64("seed", 1, "the seed of the first of them")
)

// The promises about any run: what happens is never worse than the plan shows, and everything
// that is reported is true. Racks, desired states and faults are random; the planner plans and
// the executor carries out; a share of the runs is killed somewhere and resumed.
func TestPromises(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	emptyStore() // outside of a bubble
	var next, runs, resumed, effects, faults, cycles atomic.Int64
	outcomes := map[result.RunOutcome]*atomic.Int64{}
	for _, o := range []result.RunOutcome{result.RunDone, result.RunStopped, result.RunFailed, result.RunUnknown,
		result.RunRefused, result.RunInterrupted} {
		outcomes[o] = &atomic.Int64{}
	}
	total := uint64(*racks)
	switch {
	case testing.Short():
		total = min(total, 20)
	case raceDetector: // which makes each ten times as expensive; make test tries more without it
		total = min(total, 40)
	}
	t.Run("racks", func(t *testing.T) {
		for worker := range 2 {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				for {
					n := uint64(next.Add(1) - 1)
					if n >= total {
						return
					}
					dir := filepath.Join(base, fmt.Sprint(n))
					h := &history{seed: *seed + n, world: newWorld(*seed + n)}
					t.Run(fmt.Sprint(h.seed), func(t *testing.T) { h.live(t, dir) })
					os.RemoveAll(dir)
					for _, r := range h.rounds {
						runs.Add(1)
						outcomes[r.result.Outcome].Add(1)
					}
					resumed.Add(int64(h.resumed))
					effects.Add(h.effects.Load())
					faults.Add(int64(h.faults))
					cycles.Add(int64(h.cycles))
				}
			})
		}
	})
	t.Logf("%d racks from seed %d: %d runs, %d of them killed and resumed, %d effects, %d faults met, %d power cycles",
		total, *seed, runs.Load(), resumed.Load(), effects.Load(), faults.Load(), cycles.Load())
	for _, o := range slices.Sorted(maps.Keys(outcomes)) {
		t.Logf("%s: %d", o, outcomes[o].Load())
	}
}

// history is what happened to a world.
type history struct {
	*testing.T
	*world
	seed   uint64
	dir    string
	rack   *sim.Rack
	stores map[string]*state.Store // by host

	rounds  []round
	effects atomic.Int64
	resumed int
	faults  int
	cycles  int
	copied  *killed
}

// round is one run of a plan on a host, or the resumption of one.
type round struct {
	host     string
	plan     *plan.Plan
	result   *result.Result
	from, to int        // the lines of the trace that are its own
	after    *rackState // as it stood at its end
	staged   map[state.Key]state.StagedRecord
	memory   *state.Memory
	ends     map[string]int // finished events of each component
	started  time.Time
	ended    time.Time
	resumed  bool
}

// killed is a copy of everything as it stood in mid-run.
type killed struct {
	dir    string
	at     time.Time
	rounds []round // that had ended by then
	config executor.Config
}

func (h *history) failf(format string, args ...any) {
	h.Helper()
	if h.Failed() {
		return // the first failure shows the most
	}
	var story strings.Builder
	for _, r := range h.rounds {
		ended, _ := json.MarshalIndent(r.result, "", "  ")
		steps, _ := json.Marshal(r.plan.Steps)
		fmt.Fprintf(&story, "%s: steps %s\nwaves %+v\nresult %s\n", r.host, steps, r.plan.Waves, ended)
	}
	h.Errorf("seed %d: %s\n%s\n%s\n%s\ntrace of effects:\n%s", h.seed, fmt.Sprintf(format, args...), h.world.rack,
		h.desired, story.String(), h.tale())
}

// live makes the world, plans and carries out; then what a copy in mid-run comes to.
func (h *history) live(t *testing.T, dir string) {
	h.dir = dir
	h.T = t
	h.write(dir)
	synctest.Test(t, func(t *testing.T) {
		h.T = t
		defer h.open()()
		for range 2 { // what the first has staged, the second activates
			h.apply()
			h.findOut()
			h.visit()
		}
		h.hold()
	})
	if h.copied == nil || t.Failed() {
		return
	}
	again := &history{seed: h.seed, world: h.world, dir: h.copied.dir, rounds: h.copied.rounds}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(h.copied.at))
		again.T = t
		defer again.open()()
		again.resume(h.copied.config)
		again.hold()
	})
	h.resumed = 1
}

// write writes the rack file into a directory, and makes that.
func (h *history) write(dir string) {
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "rack.yaml"), []byte(h.world.rack), 0o644)
	}
	if err != nil {
		h.Error(err)
	}
}

// open opens the rack and the hosts' stores.
func (h *history) open() (close func()) {
	var err error
	if h.rack, err = sim.OpenPrivate(filepath.Join(h.dir, "rack.yaml")); err != nil {
		h.Fatalf("seed %d: %v\n%s", h.seed, err, h.world.rack)
	}
	h.stores = map[string]*state.Store{}
	for _, host := range h.hosts {
		putEmptyStore(h.T, filepath.Join(h.dir, host))
		if h.stores[host], err = state.Open(filepath.Join(h.dir, host)); err != nil {
			h.Fatal(err)
		}
	}
	return func() {
		for _, s := range h.stores {
			s.Close()
		}
	}
}

func (h *history) machine(host string) transport.Machine {
	m, err := h.rack.Machine(host)
	if err != nil {
		h.Fatal(err)
	}
	return m
}

// apply plans for what all hosts see, and carries the plan out on one after the other:
// as far as it goes by itself, and then wave by wave until one goes wrong.
func (h *history) apply() {
	want, err := desired.Parse("desired-state.yaml", []byte(h.desired))
	if err != nil {
		h.Fatalf("seed %d: %v\n%s", h.seed, err, h.desired)
	}
	in := build.Input{Desired: want, ImageSizes: map[string]int64{}, Activate: len(h.rounds) > 0}
	for _, img := range randomImages {
		in.ImageSizes[img.SHA256()] = img.Size()
	}
	for _, host := range h.hosts {
		in.Inventories = append(in.Inventories, h.scan(host))
	}
	p, err := build.Plan(in)
	if err != nil {
		h.Fatalf("seed %d: Build = %v", h.seed, err)
	}
	p.Digest = "sha256:00"
	waits, wrong := false, false
	for _, host := range h.hosts {
		if slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.Host == host && len(s.Hops) > 0 }) {
			r := h.run(h.config(host, p), executor.Run).result
			waiting := strings.Contains(r.Reason, "continue with --wave")
			waits, wrong = waits || waiting, wrong || !waiting && r.Outcome != result.RunDone
		}
	}
	waits = waits && !wrong
	for _, w := range p.Waves {
		for _, host := range h.hosts {
			if !waits || !slices.ContainsFunc(p.Steps, func(s plan.Step) bool {
				return s.Host == host && (s.Waves.Stage == w.Number || s.Waves.Reset == w.Number)
			}) {
				continue
			}
			c := h.config(host, p)
			c.Wave = w.Number
			if h.run(c, executor.Run).result.Outcome != result.RunDone {
				return
			}
		}
	}
}

func (h *history) scan(host string) *inventory.Inventory {
	ctx := context.Background()
	inv, err := scan.Scan(ctx, h.machine(host), scan.Options{ProbeUse: true})
	if err != nil {
		h.Fatal(err)
	}
	if err := memory.Join(ctx, inv, h.stores[host], hostOf(h.machine(host))); err != nil {
		h.Fatal(err)
	}
	return inv
}

func (h *history) config(host string, p *plan.Plan) executor.Config {
	c := executor.Config{Machine: &doomed{h.machine(host), h, nil}, Store: h.stores[host], Plan: p,
		Images: map[string]*image.Image{}, By: "anna", Wait: h.wait, IgnoreWindow: h.ignore}
	if h.accept {
		c.AcceptDisruption = []inventory.Selector{"all"}
	}
	for _, img := range randomImages {
		c.Images[img.SHA256()] = img
	}
	c.Machine.(*doomed).config = &c
	return c
}

// run makes a host carry a plan out, and notes the result. The person does what the run asks
// for, or ends it at some time.
func (h *history) run(c executor.Config, run func(context.Context, executor.Config) (*result.Result, error)) *round {
	r := round{host: c.Machine.Hostname(), plan: c.Plan, from: h.traced(), started: time.Now()}
	ctx, interrupt := context.WithTimeout(context.Background(), 30*time.Hour)
	defer interrupt()
	r.ends = map[string]int{}
	c.Observer = func(e result.Event) {
		if e.Type == result.EventFinished {
			r.ends[e.Address]++
		}
		if e.Type != result.EventPowerCycle {
			return
		}
		time.AfterFunc(h.delay, func() {
			if !h.cycle(strings.Split(e.Reason, ", ")) {
				interrupt()
			}
		})
	}
	var err error
	if r.result, err = run(ctx, c); err != nil {
		h.Fatalf("seed %d: Run = %v\n%s\n%s", h.seed, err, h.world.rack, h.desired)
	}
	r.to, r.after, r.ended = h.traced(), h.state(), time.Now()
	r.staged = map[state.Key]state.StagedRecord{} // on any host: plans are made from the inventories of all
	for _, store := range h.stores {
		staged, err := store.Staged(context.Background())
		if err != nil {
			h.Fatal(err)
		}
		maps.Copy(r.staged, staged)
	}
	if r.memory, err = c.Store.Memory(context.Background()); err != nil {
		h.Fatal(err)
	}
	h.rounds = append(h.rounds, r)
	return &h.rounds[len(h.rounds)-1]
}

// cycle power-cycles enclosures, unless a run has said that this would do harm, and reports
// whether it did.
func (h *history) cycle(enclosures []string) bool {
	for _, id := range enclosures {
		if !h.powers || h.harmed(id) {
			return false
		}
	}
	for _, id := range enclosures {
		if err := h.rack.PowerCycle(id); err != nil {
			h.Error(err)
		}
		h.cycles++
	}
	return true
}

// harmed reports whether a run has said that a component of an enclosure must not lose power, or
// that its state is unknown.
func (h *history) harmed(enclosure string) bool {
	return slices.ContainsFunc(h.rounds, func(r round) bool {
		return slices.ContainsFunc(r.result.Steps, func(sr result.Step) bool {
			return strings.HasPrefix(sr.Address, enclosure) &&
				(sr.NeedsPerson || sr.Outcome == result.OutcomeUnknown || unsure(sr))
		})
	})
}

// inSight are those of some enclosures that a host sees.
func (h *history) inSight(host string, enclosures []string) []inventory.Selector {
	inv, err := scan.Scan(context.Background(), h.machine(host), scan.Options{})
	if err != nil {
		h.Fatal(err)
	}
	var all []inventory.Selector
	for i := range inv.Enclosures {
		if id := inv.Enclosures[i].ID(); slices.Contains(enclosures, id) {
			all = append(all, inventory.Selector(id))
		}
	}
	return all
}

// visit power-cycles what the last runs left to be, and looks after it.
func (h *history) visit() {
	var enclosures []string
	for _, r := range h.rounds {
		for _, sr := range r.result.Steps {
			enclosure, _, _ := strings.Cut(sr.Address, "/")
			if sr.Outcome == result.OutcomeStaged && (h.visits || strings.Contains(sr.Reason, "power-cycle "+enclosure)) &&
				!slices.Contains(enclosures, enclosure) {
				enclosures = append(enclosures, enclosure)
			}
		}
	}
	if len(enclosures) == 0 || !h.cycle(enclosures) {
		return
	}
	time.Sleep(2 * time.Hour)
	for _, host := range h.hosts {
		c := verify.Config{Machine: h.machine(host), Store: h.stores[host], By: "ben", PowerCycled: h.inSight(host, enclosures)}
		found, err := verify.Run(context.Background(), c)
		if err != nil { // a node that was offline just then hides what is named: a person tries again
			found, err = verify.Run(context.Background(), c)
		}
		if err != nil {
			h.failf("Verify = %v", err)
		}
		h.verified(host, found)
	}
}

// findOut resumes what has ended with a component lost from sight, two hours later.
func (h *history) findOut() {
	for _, host := range h.hosts {
		run, p, err := memory.Resumable(context.Background(), h.stores[host], h.machine(host).HoldsLock)
		if err != nil {
			h.Fatal(err)
		}
		if run == nil || run.Outcome != string(result.RunUnknown) {
			continue
		}
		time.Sleep(2 * time.Hour)
		h.run(h.config(host, p), func(ctx context.Context, c executor.Config) (*result.Result, error) {
			return executor.Resume(ctx, c, run.ID)
		}).resumed = true
	}
}

// resume goes on with what was killed.
func (h *history) resume(c executor.Config) {
	c.Machine, c.Store = h.machine(c.Machine.Hostname()), h.stores[c.Machine.Hostname()]
	open, err := c.Store.Unfinished(context.Background())
	if err != nil || len(open) != 1 {
		h.Fatalf("seed %d: unfinished runs = %+v, %v; want one", h.seed, open, err)
	}
	h.run(c, func(ctx context.Context, c executor.Config) (*result.Result, error) {
		return executor.Resume(ctx, c, open[0].ID)
	}).resumed = true
}

// doomed copies everything at the effect at which the world is to be killed.
type doomed struct {
	transport.Machine
	h      *history
	config *executor.Config
}

func (m *doomed) Open(node string, access transport.Access) (transport.Node, error) {
	n, err := m.Machine.Open(node, access)
	return doomedNode{n, m}, err
}

type doomedNode struct {
	transport.Node
	m *doomed
}

func (n doomedNode) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	if !req.Effect {
		return n.Node.Do(ctx, req)
	}
	h := n.m.h
	if h.effects.Add(1) == int64(h.kill) {
		h.copied = &killed{dir: filepath.Join(h.dir, "killed"), at: time.Now(), rounds: slices.Clone(h.rounds),
			config: *n.m.config}
		for _, host := range h.hosts {
			if err := os.CopyFS(filepath.Join(h.copied.dir, host), os.DirFS(filepath.Join(h.dir, host))); err != nil {
				h.Error(err)
			}
		}
		h.write(h.copied.dir)
		if err := h.rack.Save(filepath.Join(h.copied.dir, "rack.yaml")); err != nil {
			h.Error(err)
		}
	}
	return n.Node.Do(ctx, req)
}

// rackState is what the rack knows of itself.
type rackState struct {
	Parts map[string]*partState `json:"parts"`
	Out   []outage              `json:"outages"`
	Match map[string]int        `json:"matches"`
}

type partState struct {
	Revision string           `json:"revision"`
	Runs     string           `json:"runs"`
	Broken   bool             `json:"broken"`
	Writing  *json.RawMessage `json:"writing"`
	Staged   *struct {
		SHA256 string `json:"sha256"`
	} `json:"staged"`
	Received []received `json:"received"`
}

type received struct {
	SHA256  string `json:"sha256"`
	Mode    byte   `json:"mode"`
	Gaps    int    `json:"gaps"`
	Doubles int    `json:"doubles"`
}

type outage struct {
	ESP   string    `json:"esp"`
	Path  string    `json:"path"`
	Why   string    `json:"why"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	Stays bool      `json:"stays"`
}

func (o outage) at(t time.Time) bool {
	return !t.Before(o.From) && (o.Until.IsZero() || t.Before(o.Until))
}

func (h *history) state() *rackState {
	s := &rackState{}
	data, err := h.rack.State()
	if err == nil {
		err = json.Unmarshal(data, s)
	}
	if err != nil {
		h.Fatal(err)
	}
	return s
}

// command is one with an effect, as the trace has it.
type command struct {
	Seq       int       `json:"seq"`
	Time      time.Time `json:"time"`
	Host      string    `json:"host"`
	LU        string    `json:"lu"`
	CDB       string    `json:"cdb"`
	Out       string    `json:"out"`
	OutLength int       `json:"out_length"`
	Status    byte      `json:"status"`
	Sense     string    `json:"sense"`
	NoAnswer  bool      `json:"no_answer"`
}

// write returns which part of an image a command brings, or 0Fh or FFh; ok is false for others.
func (c command) write() (w written, ok bool) {
	switch cdb := unhex(c.CDB); cdb[0] {
	case 0x1d:
		out := unhex(c.Out)
		if len(out) < 24 || out[0] != 0x0e {
			return written{other: true}, true
		}
		return written{sub: int(out[1]), mode: out[8], buffer: int(out[11]), offset: number(out[12:16]),
			length: number(out[16:20]), size: number(out[20:24])}, true
	case 0x3b:
		return written{mode: cdb[1], buffer: int(cdb[2]), offset: number(cdb[3:6]), size: c.OutLength, byBuffer: true}, true
	}
	return w, false
}

type written struct {
	sub          int
	mode         byte
	buffer       int
	offset, size int
	length       int // of the whole image, 0 where the command does not say
	byBuffer     bool
	other        bool // nothing that belongs to a download
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err) // the trace wrote it
	}
	return b
}

func number(b []byte) int {
	n := 0
	for _, x := range b {
		n = n<<8 | int(x)
	}
	return n
}

// traced counts the lines of the trace.
func (h *history) traced() int { return bytes.Count(h.rack.Trace(), []byte("\n")) }

// commands are those of the trace with an effect.
func (h *history) commands() []command {
	var all []command
	for l := range bytes.Lines(h.rack.Trace()) {
		if !bytes.Contains(l, []byte(`"effect":true`)) {
			continue
		}
		var one command
		if err := json.Unmarshal(l, &one); err != nil {
			h.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

func (h *history) tale() string {
	var b strings.Builder
	for _, c := range h.commands() {
		fmt.Fprintf(&b, "%d %s %s %s %s %s status %02x %s %v\n", c.Seq, c.Time.Format("15:04:05.000"), c.Host, c.LU, c.CDB,
			c.Out, c.Status, c.Sense, c.NoAnswer)
	}
	out, _ := json.MarshalIndent(h.state(), "", " ")
	return b.String() + string(out)
}
