//go:build e2e

package guest

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	costPairs = 3

	costAtOnce = 16
)

// cost is what downloads took, one or several at once.
type cost struct {
	chunks   int
	commands int           // with the readings of the status between the chunks
	stream   time.Duration // from the arrival of the first chunk to that of the last one
	cpu      time.Duration // of the client meanwhile; 0 for several at once
	all      time.Duration // CPU time of the clients from their start to their end
}

func (c cost) perChunk() time.Duration { return c.cpu / time.Duration(c.chunks) }

func (c cost) String() string {
	return fmt.Sprintf("%d chunks, %d commands, %v; CPU %v a chunk, %v from start to end", c.chunks, c.commands,
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

// used is the CPU time that the clients have used. The kernel counts it in nanoseconds.
func (m *meter) used() time.Duration {
	var sum time.Duration
	for _, pid := range m.pids {
		stats, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		for _, path := range stats {
			text, _ := os.ReadFile(path)
			running, _, _ := strings.Cut(string(text), " ")
			n, _ := strconv.ParseInt(running, 10, 64)
			sum += time.Duration(n)
		}
	}
	return sum
}

// costRack is enclosures, of one ESP each, that take 20 ms for a chunk and no time for
// anything else. This process serves them.
func costRack(t *testing.T, enclosures int, m *meter) (r *rack, nodes []string, takeDown func()) {
	t.Helper()
	r = &rack{dir: t.TempDir()}
	file := "apiVersion: fwctl/v1\nkind: Rack\nhosts: [guest]\nenclosures:\n"
	for i := range enclosures {
		file += fmt.Sprintf("  - {name: jbod%d, logicalID: 5000ccab04%02x1000, vendor: ACME, product: JBOD-60, revision: '1000',\n"+
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

// A download costs about what it costs sg_ses_microcode, which does an ioctl for each
// command and nothing beside. The figures are ratios of runs one after the other; how many
// commands a download takes does not depend on the machine and is asserted.
//
// The rest is reported, and fails only far beyond what it is to be: the machine is emulated
// on a host that others use too. There CPU time counts what the host took away, all of it
// while fwctl holds a processor and the Go scheduler's monitor looks on from the other one,
// and sixteen downloads keep both processors busy, which 20 ms a chunk do not on a real one.
func TestCost(t *testing.T) {
	clock, _ := os.ReadFile("/sys/devices/system/clocksource/clocksource0/current_clocksource")
	t.Logf("clock: %s", clock)
	var stream, cpu []float64
	for range costPairs {
		sg, own := measure(t, 1, sgClient), measure(t, 1, fwctlClient)
		t.Logf("one enclosure: sg_ses_microcode %v", sg)
		t.Logf("one enclosure: fwctl            %v", own)
		stream = append(stream, float64(own.stream)/float64(sg.stream))
		cpu = append(cpu, float64(own.cpu)/float64(sg.cpu))
		if own.commands > sg.commands {
			t.Errorf("fwctl sent %d commands from the first chunk to the last; want no more than sg_ses_microcode's %d",
				own.commands, sg.commands)
		}
	}
	sg, own := measure(t, costAtOnce, sgClient), measure(t, costAtOnce, fwctlClient)
	t.Logf("%d enclosures: sg_ses_microcode %v", costAtOnce, sg)
	t.Logf("%d enclosures: fwctl            %v", costAtOnce, own)
	for _, ratio := range []struct {
		what            string
		is, want, bound float64
	}{
		{"stream time of one", median(stream), 1.05, 2},
		{"CPU time a chunk of one", median(cpu), 2, 8},
		{"time of all at once", float64(own.stream) / float64(sg.stream), 1.1, 3},
	} {
		t.Logf("%s: %.2f times sg_ses_microcode's; to be %.2f at most", ratio.what, ratio.is, ratio.want)
		if ratio.is > ratio.bound {
			t.Errorf("%s = %.2f times sg_ses_microcode's; want %.2f at most", ratio.what, ratio.is, ratio.bound)
		}
	}
}

func median(ratios []float64) float64 {
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}
