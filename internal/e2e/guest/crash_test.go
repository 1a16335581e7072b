//go:build e2e

package guest

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// running is fwctl on its way.
type running struct {
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex
	out strings.Builder
}

func (r *rack) start(t *testing.T, args ...string) *running {
	t.Helper()
	p := &running{cmd: r.fwctl(args...), done: make(chan struct{})}
	out, in := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = in, in
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.mu.Lock()
			fmt.Fprintln(&p.out, lines.Text())
			p.mu.Unlock()
		}
	}()
	go func() {
		defer close(p.done)
		p.cmd.Wait()
		in.Close()
	}()
	t.Cleanup(func() { // where the test broke off: it would hold the nodes of the next one
		p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

func (p *running) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// bars runs fwctl, which must exit with code 3 and say why.
func (r *rack) bars(t *testing.T, why string, args ...string) {
	t.Helper()
	if out := r.ends(t, 3, args...); !strings.Contains(out, why) {
		t.Errorf("fwctl %s says nothing of %q:\n%s", strings.Join(args, " "), why, out)
	}
}

// slowly has chunks take long enough for signals to come between two of them.
const slowly = "0s, faults: [{when: {opcode: '1d', every: true}, do: {delay: 100ms}}]"

// A run that is killed in mid-download leaves half an image; a second one beside it,
// or after it, is refused; and what resumes it ends as if nothing had happened.
func TestKilledAndResumed(t *testing.T) {
	r := serve(t, fmt.Sprintf(jbod, "protocol: ses, flashTime: 0s", slowly, "0s"), "1100")
	r.want(t, "1100", "{reset: always, activate: apply}")
	r.run(t, 0, "plan", "-f", "desired.yaml", "--target", esp1, "--out", "saved.plan")
	p := r.start(t, "apply", "saved.plan", "--yes")
	wait(t, "two chunks", func() bool { return len(r.downloads(t, lu1)) >= 2 })
	if err := p.cmd.Process.Signal(unix.SIGSTOP); err != nil { // as if it took its time
		t.Fatal(err)
	}
	r.bars(t, "cannot lock", "apply", "saved.plan", "--yes")
	r.bars(t, "is going on (pid", "resume", "--yes")
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.done
	sent := len(r.downloads(t, lu1))
	if sent >= len(whole(0x0e, 4096)) {
		t.Fatalf("chunks before the kill = %d; want it in mid-download", sent)
	}
	r.bars(t, "fwctl resume", "apply", "saved.plan", "--yes")
	r.run(t, 0, "resume", "--yes")
	got := r.downloads(t, lu1)
	want := append(append([]download{{mode: 0xff}}, whole(0x0e, 4096)...), download{mode: 0x0f})
	diff(t, "downloads of module 1 after the kill", got[sent:], want)
	node := r.inventory(t)[esp1].node
	if out, err := exec.Command("sg_ses", "-p", "cf", node).CombinedOutput(); err != nil ||
		!strings.Contains(string(out), "rev: 1100") {
		t.Errorf("sg_ses -p cf %s: %v; want rev: 1100\n%s", node, err, out)
	}
}

// ^C twice in mid-download: one abort, and no chunk after it.
func TestInterruptedTwice(t *testing.T) {
	r := serve(t, fmt.Sprintf(jbod, "protocol: ses, flashTime: 0s", slowly, "0s"), "1100")
	r.want(t, "1100", "{}")
	p := r.start(t, "apply", "-f", "desired.yaml", "--yes")
	wait(t, "two chunks", func() bool { return len(r.downloads(t, lu1)) >= 2 })
	for _, told := range []string{"^C again", "Interrupted again"} {
		if err := p.cmd.Process.Signal(unix.SIGINT); err != nil {
			t.Fatal(err)
		}
		wait(t, told, func() bool { return strings.Contains(p.said(), told) })
	}
	<-p.done
	if code := p.cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code = %d; want 130\n%s", code, p.said())
	}
	got := r.downloads(t, lu1)
	chunks := len(got) - 1
	if chunks >= len(whole(0x0e, 4096)) {
		t.Fatalf("chunks = %d; want it broken off", chunks)
	}
	diff(t, "downloads of module 1", got, append(whole(0x0e, 4096)[:chunks:chunks], download{mode: 0xff}))
	diff(t, "downloads of module 2", len(r.downloads(t, lu2)), 0)
}

// putClock moves the host's clock.
func putClock(t *testing.T, by time.Duration) {
	t.Helper()
	now := unix.NsecToTimeval(time.Now().Add(by).UnixNano())
	if err := unix.Settimeofday(&now); err != nil {
		t.Fatal(err)
	}
}

// The clock is put back to before the plan was made, or far ahead, while a module is being
// sent its image: the run goes on, or is resumed, as if nothing had happened, and what it
// did is remembered.
func TestClockIsPut(t *testing.T) {
	for _, put := range []struct {
		what string
		by   time.Duration
	}{{"back", -25 * time.Hour}, {"ahead", 400 * 24 * time.Hour}} {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprint(put.what, ", killed ", killed), func(t *testing.T) {
				r := serve(t, fmt.Sprintf(jbod, "protocol: ses, flashTime: 0s", slowly, "0s"), "1100")
				r.want(t, "1100", "{}")
				r.run(t, 0, "plan", "-f", "desired.yaml", "--out", "saved.plan")
				p := r.start(t, "apply", "saved.plan", "--yes")
				wait(t, "two chunks", func() bool { return len(r.downloads(t, lu1)) >= 2 })
				if killed {
					if err := p.cmd.Process.Kill(); err != nil {
						t.Fatal(err)
					}
					<-p.done
				}
				putClock(t, put.by)
				defer putClock(t, -put.by)
				var before []download
				if killed {
					before = append(r.downloads(t, lu1), download{mode: 0xff})
					r.run(t, 0, "resume", "--yes")
				}
				<-p.done
				if code := p.cmd.ProcessState.ExitCode(); !killed && code != 0 {
					t.Errorf("exit code = %d; want 0\n%s", code, p.said())
				}
				diff(t, "downloads of module 1", r.downloads(t, lu1), append(before, whole(0x0e, 4096)...))
				diff(t, "downloads of module 2", r.downloads(t, lu2), whole(0x0e, 4096))
				if out := r.run(t, 0, "apply", "saved.plan", "--yes"); strings.Count(out, "unchanged") < 2 {
					t.Errorf("the same plan again does not leave both unchanged:\n%s", out)
				}
				if out := r.run(t, 0, "status"); strings.Count(out, "staged") < 2 {
					t.Errorf("status does not list both as staged:\n%s", out)
				}
				r.run(t, 0, "history")
			})
		}
	}
}
