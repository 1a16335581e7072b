package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/internal/sim"
	"fwctl/schemas"
)

// site is a directory with a rack, what is wanted of it, and the state: what
// processes of fwctl share.
type site struct {
	*testing.T
	dir string
	// program is fwctl and its first arguments.
	program []string
}

// jbods are enclosures of two modules each, ACME JBOD-60, running 1000: the first
// is 5000ccab04001000. With what goes into each.
func jbods(each ...string) string {
	text := "apiVersion: fwctl/v1\nkind: Rack\ntrace: trace.jsonl\nhosts: [stor1]\nenclosures:\n"
	for i, more := range each {
		text += fmt.Sprintf("  - {name: jbod%d, logicalID: 5000ccab0400%d000, vendor: ACME, product: JBOD-60, revision: "+
			"\"1000\", %s}\n", i+1, i+1, more)
	}
	return text
}

const (
	esp1 = "5000ccab04001000/esp1/sub0"
	esp2 = "5000ccab04001000/esp2/sub0"
	lu1  = "5000ccab04001001"
	lu2  = "5000ccab04001002"

	quick = "chunk: {max: 4096}, flashTime: 1ms, rebootTime: 20ms"
	// hangs is an answer that never comes, to a command that was carried out.
	hangs = "do: {delay: 1h}"
)

// imageSize is ten chunks of 4096 bytes; the last is not a multiple of 4.
const imageSize = 40_002

// wanted is a desired state of iom-1100 for all JBODs, by this policy, with what
// else it says.
func wanted(modes, policy string, more ...string) string {
	return fmt.Sprintf(`models:
  acme60:
    match: {vendor: ACME, product: JBOD-60}
    activation: {settle: 1s, returnTimeout: 60s}
    images:
      iom-1100: {file: iom-1100.bin, sha256: $sha_iom_1100, revision: "1100", from: ["1000"], modes: [%s]}
want: [{model: acme60, image: iom-1100, policy: p}]
policies: {p: {%s}}
%s`, modes, policy, strings.Join(more, "\n"))
}

func newSite(t *testing.T, rack, desired string) *site {
	t.Helper()
	s := &site{t, t.TempDir(), []string{"fwctl", "--simulate", "rack.yaml"}}
	sha := map[string]string{}
	if err := addImage(s.dir, func(k, v string) {
		sha[k] = v
	}, "ACME", "JBOD-60", "1100", imageSize, "iom-1100.bin"); err != nil {
		t.Fatal(err)
	}
	s.write("rack.yaml", rack)
	s.write("desired.yaml", "apiVersion: fwctl/v1\nkind: DesiredState\n"+os.Expand(desired, func(k string) string {
		return sha[k]
	}))
	t.Cleanup(func() {
		if trace, err := os.ReadFile(s.path("trace.jsonl")); err == nil && t.Failed() {
			t.Logf("what was written: %v\n%d lines of trace", s.sent(), bytes.Count(trace, []byte("\n")))
		}
	})
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) write(name, text string) {
	s.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o644); err != nil {
		s.Fatal(err)
	}
}

func (s *site) fwctl(args ...string) *exec.Cmd {
	cmd := exec.Command(s.program[0], slices.Concat(s.program[1:], args)...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "FWCTL_STATE_DIR="+s.path("state"), "TZ=UTC", "SUDO_USER=anna", "COLUMNS=120")
	return cmd
}

// run runs fwctl, which must exit with a code, and returns what it said: the lines
// of stdout and stderr.
func (s *site) run(code int, args ...string) string {
	s.Helper()
	out, err := s.fwctl(args...).CombinedOutput()
	if got := exitOf(err); got != code {
		s.Fatalf("fwctl %s = exit code %d; want %d\n%s", strings.Join(args, " "), got, code, out)
	}
	return string(out)
}

// says is run for an output that has to have all of the words, and returns it.
func (s *site) says(code int, words []string, args ...string) string {
	s.Helper()
	out := s.run(code, args...)
	for _, w := range words {
		if !strings.Contains(out, w) {
			s.Errorf("fwctl %s lacks %q:\n%s", strings.Join(args, " "), w, out)
		}
	}
	return out
}

// fits compares what fwctl prints as JSON with the schema of that name.
func (s *site) fits(command string) {
	s.Helper()
	out := s.run(0, command, "-o", "json")
	if _, problems := schemas.Check(command, "stdout", []byte(out)); len(problems) > 0 {
		s.Errorf("fwctl %s -o json does not fit its schema: %v\n%s", command, problems, out)
	}
}

// flat is text without its line breaks and columns.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

func exitOf(err error) int {
	if err == nil {
		return 0
	}
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode() // -1: killed
	}
	return -2
}

// process is fwctl, running.
type process struct {
	site *site
	cmd  *exec.Cmd
	done chan struct{}
	err  error

	mu  sync.Mutex
	out strings.Builder
}

func (s *site) start(args ...string) *process {
	s.Helper()
	cmd := s.fwctl(args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	return s.watch(cmd, out)
}

// startUnread starts a process whose standard output is a pipe that is full and that no one
// reads.
func (s *site) startUnread(args ...string) *process {
	s.Helper()
	reader, full, err := os.Pipe()
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { reader.Close() })
	defer full.Close()
	conn, err := full.SyscallConn()
	if err != nil {
		s.Fatal(err)
	}
	err = conn.Write(func(fd uintptr) bool {
		for {
			if _, err := syscall.Write(int(fd), make([]byte, 4096)); err != nil { // it takes no more
				return true
			}
		}
	})
	if err != nil {
		s.Fatal(err)
	}
	cmd := s.fwctl(args...)
	cmd.Stdout = full
	said, err := cmd.StderrPipe()
	if err != nil {
		s.Fatal(err)
	}
	return s.watch(cmd, said)
}

// watch starts a process and takes in what it says.
func (s *site) watch(cmd *exec.Cmd, out io.Reader) *process {
	s.Helper()
	p := &process{site: s, cmd: cmd, done: make(chan struct{})}
	if err := p.cmd.Start(); err != nil {
		s.Fatal(err)
	}
	go func() {
		defer close(p.done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.mu.Lock()
			fmt.Fprintln(&p.out, lines.Text())
			p.mu.Unlock()
		}
		p.err = p.cmd.Wait()
	}()
	s.Cleanup(func() { p.cmd.Process.Kill() })
	return p
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// until waits for something to come about while the process runs.
func (p *process) until(what string, is func() bool) {
	p.site.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-p.done:
			if !is() {
				p.site.Fatalf("fwctl ended (%v) before %s:\n%s", p.err, what, p.said())
			}
		}
	}
}

// tells waits until the process has written a text.
func (p *process) tells(text string) {
	p.site.Helper()
	p.until("it said "+text, func() bool { return strings.Contains(p.said(), text) })
}

// sends waits until so many writing commands of a kind have reached the rack, and
// are carried out: the rack is traced, and then saved, under its lock.
func (p *process) sends(n int, kind string) {
	p.site.Helper()
	p.until(fmt.Sprintf("%d times %s", n, kind), func() bool { return p.site.count(kind) >= n })
	p.site.rack()
}

// rack is the rack as it is between two commands.
func (s *site) rack() *sim.Rack {
	s.Helper()
	rack, err := sim.Open(s.path("rack.yaml"))
	if err != nil {
		s.Fatal(err)
	}
	return rack
}

func (p *process) signal(sig syscall.Signal) {
	p.site.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.site.Fatal(err)
	}
}

func (p *process) kill() {
	p.site.Helper()
	p.signal(syscall.SIGKILL)
	<-p.done
}

// ends waits for the process, which must exit with a code, and returns what it said.
func (p *process) ends(code int, words ...string) string {
	p.site.Helper()
	<-p.done
	if got := exitOf(p.err); got != code {
		p.site.Fatalf("fwctl = exit code %d; want %d\n%s", got, code, p.said())
	}
	for _, w := range words {
		if !strings.Contains(p.said(), w) {
			p.site.Errorf("fwctl lacks %q:\n%s", w, p.said())
		}
	}
	return p.said()
}

// sent are the writing commands that reached the rack, as "LU MODE@OFFSET".
func (s *site) sent() []string {
	data, _ := os.ReadFile(s.path("trace.jsonl")) // none: nothing was sent
	var all []string
	for line := range bytes.Lines(data) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // it is being written
		}
		var l struct{ LU, CDB, Out string }
		if err := json.Unmarshal(line, &l); err != nil {
			s.Fatal(err)
		}
		cdb, _ := hex.DecodeString(l.CDB)
		page, _ := hex.DecodeString(l.Out)
		switch {
		case cdb[0] == 0x1d && len(page) == 24:
			all = append(all, fmt.Sprintf("%s %02x@%d", l.LU, page[8],
				int(page[12])<<24|int(page[13])<<16|int(page[14])<<8|int(page[15])))
		case cdb[0] == 0x3b:
			all = append(all, fmt.Sprintf("%s %02x@%d", l.LU, cdb[1]&0x1f, int(cdb[3])<<16|int(cdb[4])<<8|int(cdb[5])))
		}
	}
	return all
}

// count is how many writing commands reached the rack that have kind in them: "" for
// all, or a logical unit, a mode ("ff@"), or all of it.
func (s *site) count(kind string) int {
	n := 0
	for _, w := range s.sent() {
		if strings.Contains(w, kind) {
			n++
		}
	}
	return n
}

// components are what inventory says of every component: "ADDRESS REVISION STAGED",
// and its problems.
func (s *site) components() (all []string, problems string) {
	s.Helper()
	out, err := s.fwctl("inventory", "-o", "json").Output()
	if err != nil {
		s.Fatal(err)
	}
	var inv struct {
		Enclosures []struct {
			ESPs []struct {
				Subenclosures []struct {
					Address, Revision string
					Staged            *struct{ Revision string }
				}
			}
		}
		Problems []struct{ Summary, Detail string }
	}
	if err := json.Unmarshal(out, &inv); err != nil {
		s.Fatal(err)
	}
	for _, e := range inv.Enclosures {
		for _, esp := range e.ESPs {
			for _, sub := range esp.Subenclosures {
				staged := "-"
				if sub.Staged != nil {
					staged = sub.Staged.Revision
				}
				all = append(all, sub.Address+" "+sub.Revision+" "+staged)
			}
		}
	}
	for _, p := range inv.Problems {
		problems += p.Summary + "; " + p.Detail + "\n"
	}
	return all, problems
}

// are holds that the components are so, and that inventory knows of no problem.
func (s *site) are(want ...string) {
	s.Helper()
	got, problems := s.components()
	if diff := cmp.Diff(want, got); diff != "" || problems != "" {
		s.Errorf("inventory (-want +got):\n%s%s", diff, problems)
	}
}

// intact holds that every image that arrived did so whole, without a gap and with
// nothing doubled.
func (s *site) intact() {
	s.Helper()
	data, err := os.ReadFile(s.path("rack.yaml.rack-state.json"))
	if err != nil {
		s.Fatal(err)
	}
	var state struct {
		Parts map[string]struct {
			Received []struct{ Gaps, Doubles, Size int }
		}
	}
	if err := json.Unmarshal(data, &state); err != nil {
		s.Fatal(err)
	}
	for part, p := range state.Parts {
		for _, r := range p.Received {
			if r.Gaps != 0 || r.Doubles != 0 || r.Size != imageSize {
				s.Errorf("%s received %+v; want %d bytes, no gaps and nothing doubled", part, r, imageSize)
			}
		}
	}
}

func (s *site) powerCycle(enclosure string) {
	s.Helper()
	if err := s.rack().PowerCycle(enclosure); err != nil {
		s.Fatal(err)
	}
}

// isBack waits until both modules of the first enclosure answer.
func (s *site) isBack() {
	s.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		machine, err := s.rack().Machine("")
		if err != nil {
			s.Fatal(err)
		}
		if nodes, err := fs.Glob(machine.FS(), "sys/class/scsi_generic/sg*"); err == nil && len(nodes) >= 2 {
			return
		}
		<-tick.C
	}
}
