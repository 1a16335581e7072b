package transport

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDiskOf(t *testing.T) {
	t.Parallel()
	sys := t.TempDir()
	dir := func(name string) {
		if err := os.MkdirAll(filepath.Join(sys, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := func(name, to string) {
		dir(filepath.Dir(name))
		if err := os.Symlink(to, filepath.Join(sys, name)); err != nil {
			t.Fatal(err)
		}
	}
	const disk, enclosure = "devices/host0/0:0:0:0", "devices/host0/0:0:1:0"
	dir(disk + "/block/sda/sda1")
	dir(disk + "/scsi_generic/sg0")
	link(disk+"/scsi_generic/sg0/device", "../..")
	dir(enclosure + "/scsi_generic/sg1")
	link(enclosure+"/scsi_generic/sg1/device", "../..")
	link("dev/block/8:0", "../../"+disk+"/block/sda")
	link("dev/block/8:1", "../../"+disk+"/block/sda/sda1")
	link("dev/char/21:0", "../../"+disk+"/scsi_generic/sg0")
	link("dev/char/21:1", "../../"+enclosure+"/scsi_generic/sg1")
	for number, want := range map[deviceNumber]string{
		{"block", 8, 0}: "sda",
		{"block", 8, 1}: "sda1",
		{"block", 9, 0}: "",
		{"char", 21, 0}: "sda", // a raw node of the disk
		{"char", 21, 1}: "",    // of an enclosure
		{"char", 8, 0}:  "",
	} {
		if got := diskOf(sys, number); got != want {
			t.Errorf("diskOf(%v) = %q; want %q", number, got, want)
		}
	}
}

// A process that has a block device open is listed, through whatever name it
// opened it. Who may not look at other users' processes hears that.
func TestOpenDisks(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		if _, err := openDisks(os.Getpid()); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("openDisks as a user = %v; want fs.ErrPermission", err)
		}
		return
	}
	const disk = "loop0"
	number, err := blockNumber(disk)
	if err != nil {
		t.Skip("this kernel has no block device that may be opened: ", err)
	}
	node := filepath.Join(t.TempDir(), "private")
	if err := mknod(node, number); err != nil {
		t.Skip("nothing may be made a device node here: ", err)
	}
	f, err := os.Open(node)
	if err != nil {
		t.Skip("a device node may not be opened here: ", err)
	}
	defer f.Close()
	holder := exec.Command("sleep", "1h")
	holder.ExtraFiles = []*os.File{f}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		holder.Process.Kill()
		holder.Wait()
	}()
	got, err := openDisks(os.Getpid())
	if want := (OpenDisk{holder.Process.Pid, "sleep", disk}); !slices.Contains(got, want) {
		t.Errorf("openDisks = %v, %v; want %v", got, err, want)
	}
	if i := slices.IndexFunc(got, func(d OpenDisk) bool { return d.PID == os.Getpid() }); i >= 0 {
		t.Errorf("openDisks = %v; want this process left out", got[i])
	}
}

func mknod(name string, number uint64) error {
	return unix.Mknod(name, unix.S_IFBLK|0o600, int(number))
}
