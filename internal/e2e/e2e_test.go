//go:build e2e

// Package e2e runs fwctl on a real kernel: it boots a stock Debian kernel in
// qemu, with nothing but busybox, some tools for disks, fwctl and a served rack, and
// runs the tests of package guest there. `make e2e` provides what it needs.
package e2e

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// modules are loaded in this order, each behind what it depends on.
var modules = []string{"target_core_user", "target_core_iblock", "tcm_loop", "sg", "sd_mod", "ses", "scsi_debug",
	"ext4", "dm-multipath", "dm-round-robin", "loop"}

// modulesToLoad are there for the tests that need them: NAME.order lists each behind what it
// depends on.
var modulesToLoad = []string{"raid1", "btrfs"}

// programs of the distribution that the guest needs, with their libraries.
var programs = []string{"sg_ses", "sg_ses_microcode", "sg_inq", "dmsetup"}

// unpackedPrograms are programs that are unpacked and not installed, below tools.
var unpackedPrograms = []string{"sbin/mdadm", "sbin/mkfs.btrfs"}

const initScript = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /run /tmp /var/lib
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for m in $(cat /modules.order); do insmod /modules/$m $(cat /modules/$m.options 2>/dev/null); done
mount -t configfs configfs /sys/kernel/config
ip link set lo up
hostname guest
guest.test -test.v -test.run "$RUN" -test.skip "$SKIP"
echo "guest tests ended with exit code $?"
poweroff -f
`

// guest is a machine that tests run in: those that run matches, and skip does not.
type guest struct {
	qemu      []string
	run, skip string
}

// cost is the test that measures.
const cost = "TestCost"

// guests are the machines for the tests of a pattern: one in real time, and one that counts
// instructions.
//
// There each instruction takes a nanosecond, and a machine that has nothing to do is at once
// where its next timer is due: its clock, and with it the kernel's account of CPU time, says
// the same on a busy host as on an idle one. It has one processor, because qemu has one count
// for all of them. The kernel copies eight bytes at a time there: by rep movsb each byte would
// count as an instruction.
func guests(pattern string, tests []string) (all []guest) {
	if others := slices.DeleteFunc(slices.Clone(tests), func(t string) bool { return t == cost }); len(others) > 0 {
		all = append(all, guest{[]string{"-cpu", "max", "-smp", "2"}, pattern, "^" + cost + "$"})
	}
	if slices.Contains(tests, cost) {
		counting := []string{"-cpu", "max,erms=off,fsrm=off", "-smp", "1", "-icount", "shift=0,sleep=off"}
		all = append(all, guest{counting, "^" + cost + "$", ""})
	}
	return all
}

// TestRealKernel boots the guests and makes a subtest of each of their tests.
func TestRealKernel(t *testing.T) {
	kernel := os.Getenv("FWCTL_E2E_KERNEL")
	if kernel == "" {
		t.Fatal("FWCTL_E2E_KERNEL is not set: it names the unpacked linux-image package; `make e2e` sets it")
	}
	vmlinuz, err := filepath.Glob(filepath.Join(kernel, "boot/vmlinuz-*"))
	if err != nil || len(vmlinuz) != 1 {
		t.Fatalf("Glob(%s/boot/vmlinuz-*) = %v, %v; want one kernel", kernel, vmlinuz, err)
	}
	root := t.TempDir()
	initramfs := buildInitramfs(t, root, kernel, strings.TrimPrefix(filepath.Base(vmlinuz[0]), "vmlinuz-"))

	pattern := os.Getenv("FWCTL_E2E_RUN") // make e2e RUN=TestFallback
	first, _, _ := strings.Cut(pattern, "/")
	tests := strings.Fields(run(t, exec.Command(filepath.Join(root, "bin/guest.test"), "-test.list", cmp.Or(first, "."))))
	if len(tests) == 0 {
		t.Fatalf("no test of the guest matches %q", pattern)
	}
	for _, g := range guests(pattern, tests) {
		boot(t, g, vmlinuz[0], initramfs)
	}
}

func boot(t *testing.T, g guest, vmlinuz, initramfs string) {
	t.Helper()
	// The limit only ends a guest that hangs.
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute)
	defer cancel()
	// The clock is the processor's, as on real machines: the kernel does not trust it here by
	// itself, and any other is read by a trap, which costs more than most of what reads it.
	// What the kernel does not know of its command line is init's environment.
	qemu := exec.CommandContext(ctx, "qemu-system-x86_64", append(g.qemu, "-accel", "tcg", "-m", "1024",
		"-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio", "-kernel", vmlinuz, "-initrd", initramfs,
		"-append", "console=ttyS0 quiet panic=-1 tsc=reliable RUN="+g.run+" SKIP="+g.skip)...)
	console, err := qemu.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	qemu.Stderr = os.Stderr
	if err := qemu.Start(); err != nil {
		t.Fatal(err)
	}
	report(t, console)
	if err := qemu.Wait(); err != nil {
		t.Errorf("qemu: %v", err)
	}
}

var verdict = regexp.MustCompile(`^--- (PASS|FAIL|SKIP): (\S+) \(`)

// report copies the guest's console and repeats its verdicts as this test's own.
func report(t *testing.T, console io.Reader) {
	var ended bool
	var since bytes.Buffer
	tests := 0
	lines := bufio.NewScanner(console)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		fmt.Fprintln(&since, line)
		if testing.Verbose() {
			fmt.Println("guest:", line)
		}
		if m := verdict.FindStringSubmatch(line); m != nil {
			tests++
			t.Run(m[2], func(t *testing.T) {
				if m[1] != "PASS" && testing.Verbose() {
					t.Errorf("%s in the guest, see above", m[1])
				} else if m[1] != "PASS" {
					t.Errorf("%s in the guest:\n%s", m[1], since.String())
				}
			})
			since.Reset()
		}
		if strings.HasPrefix(line, "guest tests ended with exit code ") {
			ended = true
			if !strings.HasSuffix(line, " 0") {
				t.Errorf("%s\n%s", line, since.String())
			}
		}
	}
	if !ended || tests == 0 {
		t.Errorf("the guest did not come to its end (%d tests seen):\n%s", tests, since.String())
	}
}

// buildInitramfs packs what the guests boot, which it leaves in root.
func buildInitramfs(t *testing.T, root, kernel, release string) string {
	t.Helper()
	for _, dir := range []string{"bin", "modules"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("init", initScript, 0o755)

	for _, b := range [][]string{
		{"build", "-o", filepath.Join(root, "bin/fwctl"), "fwctl/cmd/fwctl"},
		{"build", "-o", filepath.Join(root, "bin/simrack"), "fwctl/internal/sim/simrack"},
		{"test", "-c", "-tags", "e2e", "-o", filepath.Join(root, "bin/guest.test"), "fwctl/internal/e2e/guest"},
	} {
		cmd := exec.Command("go", b...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		run(t, cmd)
	}

	copyFile(t, lookPath(t, "busybox"), filepath.Join(root, "bin/busybox"))
	for _, p := range programs {
		copyProgram(t, lookPath(t, p), root)
	}
	for _, p := range unpackedPrograms {
		copyProgram(t, filepath.Join(kernel, "tools", p), root)
	}

	run(t, exec.Command("depmod", "-b", kernel, release))
	order := func(modules ...string) string {
		var order []string
		for _, m := range modules {
			deps := run(t, exec.Command("modprobe", "-d", kernel, "-S", release, "--show-depends", m))
			for _, path := range regexp.MustCompile(`(?m)^insmod (\S+)`).FindAllStringSubmatch(deps, -1) {
				name := filepath.Base(path[1])
				if !slices.Contains(order, name) {
					order = append(order, name)
					copyFile(t, path[1], filepath.Join(root, "modules", name))
				}
			}
		}
		return strings.Join(order, "\n")
	}
	write("modules.order", order(modules...), 0o644)
	for _, m := range modulesToLoad {
		write("modules/"+m+".order", order(m), 0o644)
	}
	// No scsi_debug host until a test asks for one, and LUNs enough for it to have
	// one disk at two places.
	write("modules/scsi_debug.ko.options", "add_host=0 dev_size_mb=8 max_luns=1001", 0o644)

	archive := filepath.Join(t.TempDir(), "initramfs.cpio")
	pack := exec.Command("sh", "-c", `find . -print0 | cpio --null --quiet -o -H newc -O "$0"`, archive)
	pack.Dir = root
	run(t, pack)
	return archive
}

// copyProgram copies a program and its libraries.
func copyProgram(t *testing.T, path, root string) {
	t.Helper()
	copyFile(t, path, filepath.Join(root, "bin", filepath.Base(path)))
	ldd := run(t, exec.Command("ldd", path))
	if strings.Contains(ldd, "not found") {
		t.Fatalf("this machine lacks libraries that %s needs:\n%s", path, ldd)
	}
	for _, lib := range regexp.MustCompile(`/\S+`).FindAllString(ldd, -1) {
		copyFile(t, lib, filepath.Join(root, lib))
	}
}

func lookPath(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: `make e2e` installs what this test needs", name)
	}
	return path
}

func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o755); err != nil {
		t.Fatal(err)
	}
}
