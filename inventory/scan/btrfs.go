package scan

import (
	"io/fs"
	"path"
	"slices"
)

const btrfsDir = "sys/fs/btrfs"

// btrfs is a mounted btrfs file system. No device of it has holders, and of them all
// /proc/self/mounts names one.
type btrfs struct {
	dir     string   // in sysfs
	devices []string // block devices that it is made of, by the kernel's names
}

// btrfsByDevice lists the btrfs file systems that are mounted, by their devices.
func btrfsByDevice(fsys fs.FS) map[string]*btrfs {
	by := map[string]*btrfs{}
	all, _ := fs.ReadDir(fsys, btrfsDir) // none: no btrfs
	for _, e := range all {
		b := &btrfs{dir: path.Join(btrfsDir, e.Name())}
		devices, _ := fs.ReadDir(fsys, path.Join(b.dir, "devices")) // none: not a file system, such as "features"
		for _, d := range devices {
			b.devices = append(b.devices, d.Name())
			by[d.Name()] = b
		}
	}
	return by
}

// mountPoints returns where the file system on a layer is mounted.
func (u *usage) mountPoints(l layer) []string {
	parts := []layer{l}
	if b := u.btrfs[l.name]; b != nil {
		parts = nil
		for _, name := range b.devices {
			parts = append(parts, u.layer(name, path.Join(b.dir, "devices", name)))
		}
	}
	var points []string
	for _, part := range parts {
		for _, device := range part.devices() {
			points = append(points, u.mounts[device]...)
		}
	}
	slices.Sort(points)
	return slices.Compact(points)
}

// drivesOfMount returns how many drives the file system on a layer has, with those that it misses.
func (u *usage) drivesOfMount(l layer) int {
	n := u.countDrives(l)
	b := u.btrfs[l.name]
	if b == nil {
		return n
	}
	drives := map[string]bool{}
	u.addDrivesOf(drives, path.Join(b.dir, "devices"), map[string]bool{})
	missing := 0
	numbers, _ := fs.ReadDir(u.fsys, path.Join(b.dir, "devinfo")) // none: the kernel is older than 5.6
	for _, number := range numbers {
		if text(u.fsys, path.Join(b.dir, "devinfo", number.Name(), "missing")) == "1" {
			missing++
		}
	}
	return max(n, len(drives)+missing)
}
