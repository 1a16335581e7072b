//go:build e2e

// Package guest holds the tests that run inside the virtual machine that
// package e2e boots: a stock kernel, a rack served as real /dev/sg nodes.
package guest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.list").Value.String() != "" {
		os.Exit(m.Run())
	}
	if how := os.Getenv(senderEnv); how != "" {
		os.Exit(sender(how))
	}
	if pid, err := strconv.Atoi(os.Getenv(tracerEnv)); err == nil {
		trace(pid)
		os.Exit(0)
	}
	if host, err := os.Hostname(); err != nil || host != "guest" {
		fmt.Fprintln(os.Stderr, "these tests load target drivers and make devices: they run in the virtual machine of "+
			"`make e2e` only")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// wait polls until ok says yes. Nothing here depends on how long that takes: the limit
// ends what hangs, and is far above what an emulated machine on a busy one needs.
func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(3 * time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// disturbances are what can interrupt a thread that waits in the kernel. Each
// is done to every thread of the process.
var disturbances = []struct {
	name string
	do   func(pid int)
}{
	{"none", func(int) {}},
	{"SIGURG", func(pid int) { // the Go runtime's own preemption signal
		for _, tid := range threads(pid) {
			unix.Tgkill(pid, tid, unix.SIGURG)
		}
	}},
	{"SIGSTOP and SIGCONT", func(pid int) { // ^Z and fg
		unix.Kill(pid, unix.SIGSTOP)
		unix.Kill(pid, unix.SIGCONT)
	}},
	{"ptrace attach", func(pid int) { // strace -p
		// In a process of its own: one that is no parent of pid cannot reap it by mistake.
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprint(tracerEnv, "=", pid))
		cmd.Run()
	}},
}

const tracerEnv = "FWCTL_GUEST_TRACE"

// trace attaches to every thread of the process and lets it go again. A thread
// that ended meanwhile is nothing to worry about.
func trace(pid int) {
	runtime.LockOSThread() // a tracer is a thread
	for _, tid := range threads(pid) {
		if unix.PtraceAttach(tid) != nil {
			continue
		}
		var status unix.WaitStatus
		unix.Wait4(tid, &status, unix.WALL, nil)
		unix.PtraceDetach(tid)
	}
}

func threads(pid int) []int {
	var tids []int
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, path := range tasks {
		if tid, err := strconv.Atoi(filepath.Base(path)); err == nil {
			tids = append(tids, tid)
		}
	}
	return tids
}

// disturb runs cmd and, once begun says so, disturbs it about every 10 ms until it ends.
func disturb(t *testing.T, cmd *exec.Cmd, begun func() bool, do func(pid int)) (output string, err error) {
	t.Helper()
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return out.String(), err
		case <-tick.C:
			if begun() {
				do(cmd.Process.Pid)
			}
		}
	}
}

// asNobody runs a command without any privilege.
func asNobody(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}
