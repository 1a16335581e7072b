//go:build e2e

package guest

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"fwctl/internal/sim"
	"fwctl/internal/sim/tcmu"
)

const (
	// What the devices take for a chunk.
	chunkTime = 20 * time.Millisecond
	costChunk = 16384
	costSize  = 4 << 20

	costAtOnce = 16
)

// cost is what downloads took, one or several at once.
type cost struct {
	chunks   int
	commands int           // with the readings of the status between the chunks
	total    int           // commands, with those before and after
	stream   time.Duration // from the arrival of the first chunk to that of the last one
	cpu      time.Duration // of the client meanwhile; 0 for several at once
	all      time.Duration // CPU time of the clients from their start to their end
}

func (c cost) perChunk() time.Duration { return c.cpu / time.Duration(c.chunks) }

func (c cost) String() string {
	return fmt.Sprintf("%d chunks, %d commands (%d in all), %v; CPU %v a chunk, %v from start to end", c.chunks,
		c.commands, c.total,
		c.stream.Round(time.Millisecond), c.perChunk().Round(time.Microsecond), c.all.Round(time.Millisecond))
}

// meter measures clients as devices see them.
type meter struct {
	devices int

	mu    sync.Mutex
	pids  []int // of the clients
	cost  cost
	first time.Time // when the first chunk arrived
	ended int       // devices that have got the last chunk
}

// start starts a client.
func (m *meter) start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m.pids = append(m.pids, cmd.Process.Pid)
}

// arrived notes a command that has reached a device, and reports whether it is a chunk.
func (m *meter) arrived(cdb, out []byte) (chunk bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cost.total++
	if !m.first.IsZero() && m.ended < m.devices {
		m.cost.commands++
	}
	if cdb[0] != 0x1d || len(out) <= 24 || out[0] != 0x0e {
		return false
	}
	if m.first.IsZero() {
		m.first, m.cost.commands = time.Now(), 1
		m.cost.cpu = -m.used()
	}
	m.cost.chunks++
	if end := binary.BigEndian.Uint32(out[12:]) + binary.BigEndian.Uint32(out[20:]); end == costSize {
		m.ended++
		m.cost.stream = time.Since(m.first)
		if m.devices == 1 {
			m.cost.cpu += m.used()
		} else {
			// Some of the processes have ended.
			m.cost.cpu = 0
		}
	}
	return true
}

// used is the CPU time that the clients have used.
func (m *meter) used() time.Duration {
	var sum time.Duration
	for _, pid := range m.pids {
		stats, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		for _, path := range stats {
			sum += charged(path)
		}
	}
	return sum
}

// charged is the CPU time of a thread. The kernel counts it in nanoseconds.
func charged(schedstat string) time.Duration {
	text, _ := os.ReadFile(schedstat)
	running, _, _ := strings.Cut(string(text), " ")
	n, _ := strconv.ParseInt(running, 10, 64)
	return time.Duration(n)
}

// costRack is enclosures, of one ESP each, that take 20 ms for a chunk and no time for
// anything else. This process serves them.
func costRack(t *testing.T, enclosures int, m *meter) (r *rack, nodes []string, takeDown func()) {
	t.Helper()
	r = &rack{dir: t.TempDir()}
	file := "apiVersion: fwctl/v1\nkind: Rack\nhosts: [guest]\nenclosures:\n"
	for i := range enclosures {
		file += fmt.Sprintf("  - {name: jbod%d, logicalID: 5000ccab04%02x1000, vendor: ACME, product: JBOD-60, revision: "+
			"'1000',\n"+
			"     download: {protocol: ses, flashTime: 0s, chunk: {max: 65532}},\n"+
			"     esps: [{lu: 5000ccab04%02x1001, paths: {guest: [%d]}}]}\n", i, i, i, i)
	}
	image := sim.Image("ACME", "JBOD-60", "1100", costSize)
	r.write(t, "rack.yaml", []byte(file))
	r.write(t, "1100.bin", image)
	r.write(t, "desired.yaml", fmt.Appendf(nil, `apiVersion: fwctl/v1
kind: DesiredState
models:
  acme60:
    match: {vendor: ACME, product: "JBOD-60"}
    esps: 1
    download: {chunkSize: %d, flashTimeout: 5m}
    images:
      iom: {file: 1100.bin, sha256: %x, revision: "1100", modes: [e]}
want: [{model: acme60, image: iom, policy: p}]
policies: {p: {}}
rollout: {maxParallel: %d}
`, costChunk, sha256.Sum256(image), enclosures))
	rack, err := sim.OpenPrivate(r.path("rack.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	units, err := rack.Units("guest")
	if err != nil {
		t.Fatal(err)
	}
	var closers []func() error
	takeDown = func() {
		var errs []error
		for _, c := range closers {
			errs = append(errs, c())
		}
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
	}
	for i, u := range units {
		d, err := tcmu.NewDevice(fmt.Sprint("cost", i), func(cdb, out []byte, room int) tcmu.Reply {
			if m.arrived(cdb, out) {
				time.Sleep(chunkTime)
			}
			reply, err := rack.Execute(u.Key, cdb, out, room)
			if err != nil {
				t.Error(err)
			}
			return tcmu.Reply{Status: reply.Status, Sense: reply.Sense, In: reply.In}
		})
		if err != nil {
			t.Fatal(err)
		}
		p, err := tcmu.NewPort("50000000000000cc", i+1)
		if err != nil {
			t.Fatal(err)
		}
		closers = append(closers, p.Close, d.Close)
		if err := p.Attach(d); err != nil {
			t.Fatal(err)
		}
	}
	wait(t, "the enclosures' sg nodes", func() bool {
		nodes, _ = filepath.Glob("/dev/sg*")
		return len(nodes) == enclosures
	})
	wait(t, "the kernel's ses driver to bind", func() bool {
		bound, _ := filepath.Glob("/sys/class/enclosure/*")
		return len(bound) == enclosures
	})
	return r, nodes, takeDown
}

// client makes the processes that download to all enclosures of a rack at once.
type client func(t *testing.T, r *rack, nodes []string) []*exec.Cmd

func fwctlClient(t *testing.T, r *rack, _ []string) []*exec.Cmd {
	t.Helper()
	r.run(t, 0, "plan", "-f", "desired.yaml", "--out", "saved.plan")
	return []*exec.Cmd{r.fwctl("apply", "saved.plan", "--yes")}
}

func sgClient(_ *testing.T, r *rack, nodes []string) (cmds []*exec.Cmd) {
	for _, node := range nodes {
		cmds = append(cmds, exec.Command("sg_ses_microcode",
			"-b", strconv.Itoa(costChunk), "-m", "dmc_offs_defer", "-I", r.path("1100.bin"), node))
	}
	return cmds
}

// measure has a client download to so many enclosures at once.
func measure(t *testing.T, enclosures int, by client) cost {
	t.Helper()
	m := &meter{devices: enclosures}
	r, nodes, takeDown := costRack(t, enclosures, m)
	defer takeDown()
	cmds := by(t, r, nodes)
	outputs := make([]strings.Builder, len(cmds))
	for i, cmd := range cmds {
		cmd.Stdout, cmd.Stderr = &outputs[i], &outputs[i]
		m.start(t, cmd)
	}
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, outputs[i].String())
		}
		m.cost.all += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	if want := enclosures * costSize / costChunk; m.cost.chunks != want || m.ended != enclosures {
		t.Fatalf("%d chunks arrived, %d last ones; want %d and %d", m.cost.chunks, m.ended, want, enclosures)
	}
	return m.cost
}

// countdown counts down from rounds: two instructions each.
func countdown(rounds int64)

// checkClock checks that this machine counts instructions: a thread is charged a nanosecond
// for each.
func checkClock(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const rounds = 100_000_000
	used := func() time.Duration {
		// What a thread has used is on record once it has slept.
		time.Sleep(time.Millisecond)
		return charged("/proc/thread-self/schedstat")
	}
	before := used()
	countdown(rounds)
	if got, want := used()-before, time.Duration(2*rounds); got < want || got > want+want/50 {
		t.Fatalf("a loop of %d instructions was charged %v of CPU time; want %v, and 2 %% more at most for interrupts: "+
			"does this machine count instructions?", 2*rounds, got, want)
	}
}

// near reports whether two measurements of one thing are within 2 % of each other.
func near(a, b time.Duration) bool { return (a - b).Abs() <= max(a, b)/50 }

// A download costs what it costs sg_ses_microcode, which does an ioctl for each command and
// nothing beside, or not much more. This machine counts instructions (see guests in package
// e2e), so the figures do not depend on the host.
func TestCost(t *testing.T) {
	checkClock(t)
	t.Log("sg_ses_microcode:")
	sg := measureOne(t, sgClient)
	t.Log("fwctl:")
	own := measureOne(t, fwctlClient)
	if own.commands > sg.commands {
		t.Errorf("fwctl sent %d commands from the first chunk to the last; want no more than sg_ses_microcode's %d",
			own.commands, sg.commands)
	}
	manySg, manyOwn := measure(t, costAtOnce, sgClient), measure(t, costAtOnce, fwctlClient)
	t.Logf("%d enclosures: sg_ses_microcode %v", costAtOnce, manySg)
	t.Logf("%d enclosures: fwctl            %v", costAtOnce, manyOwn)
	for _, ratio := range []struct {
		what    string
		own, sg time.Duration
		most    float64
	}{
		{"the stream time of one", own.stream, sg.stream, 1.05},
		{"the CPU time per chunk", own.cpu, sg.cpu, 2},
		{"the stream time of all at once", manyOwn.stream, manySg.stream, 1.1},
	} {
		is := float64(ratio.own) / float64(ratio.sg)
		t.Logf("%s is %.2f times sg_ses_microcode's; want %.2f at most", ratio.what, is, ratio.most)
		if is > ratio.most {
			t.Errorf("%s is %.2f times sg_ses_microcode's; want %.2f at most", ratio.what, is, ratio.most)
		}
	}
}

// measureOne measures a client with one enclosure three times, and returns the one in the
// middle. That one and another one have to agree: the third may have met with something that
// happens now and then, as a garbage collection.
func measureOne(t *testing.T, by client) cost {
	t.Helper()
	three := []cost{measure(t, 1, by), measure(t, 1, by), measure(t, 1, by)}
	slices.SortFunc(three, func(a, b cost) int { return cmp.Compare(a.cpu, b.cpu) })
	for _, c := range three {
		t.Logf("one enclosure: %v", c)
	}
	if m := three[1].cpu; !near(three[0].cpu, m) && !near(m, three[2].cpu) {
		t.Errorf("three measurements of one client agree in nothing: this machine is no measure")
	}
	return three[1]
}
