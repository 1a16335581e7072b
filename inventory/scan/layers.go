package scan

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fwctl/internal/scsi"
	"fwctl/inventory"
)

// layer is a block device: a disk, one of its partitions, or what holds either.
type layer struct {
	name string // "dm-3"
	dir  string // in sysfs
	dm   string // name of a device-mapper device, "mpatha"
	uuid string // of a device-mapper device: which program has made it, and as what
	// multipath: a dm-multipath map, or a partition of one. They are made as
	// disks come, whether someone uses them or not.
	multipath bool
}

var multipathUUID = regexp.MustCompile(`^(part[0-9]+-)?mpath-`)

func (u *usage) layer(name, dir string) layer {
	l := layer{name: name, dir: dir}
	if strings.HasPrefix(name, "dm-") {
		l.dm = text(u.fsys, path.Join(dir, "dm/name"))
		l.uuid = text(u.fsys, path.Join(dir, "dm/uuid"))
		l.multipath = multipathUUID.MatchString(l.uuid)
	}
	return l
}

func (u *usage) disk(name string) layer { return u.layer(name, path.Join(blockDir, name)) }

// String returns the name that people know it by: "dm-3 (mpatha)".
func (l layer) String() string {
	if l.dm == "" {
		return l.name
	}
	return l.name + " (" + scsi.Text(l.dm).String() + ")"
}

// devices are the paths under which mounts, swap and pools may know it.
func (l layer) devices() []string {
	all := []string{"/dev/" + l.name}
	if l.dm != "" {
		all = append(all, "/dev/mapper/"+l.dm)
	}
	if group, volume, ok := l.logicalVolume(); ok {
		all = append(all, "/dev/"+group+"/"+volume)
	}
	return all
}

// logicalVolume returns the names of an LVM volume and its group. The device mapper has both
// in one name, joined by a hyphen; each hyphen of theirs is doubled. What follows a further
// hyphen is a layer of the volume.
func (l layer) logicalVolume() (group, volume string, ok bool) {
	if !strings.HasPrefix(l.uuid, "LVM-") {
		return "", "", false
	}
	group, rest, ok := cutHyphen(l.dm)
	volume, _, _ = cutHyphen(rest)
	return group, volume, ok && group != "" && volume != ""
}

// cutHyphen cuts a name of the device mapper at its first hyphen that is not doubled, and
// gives the part before that its own hyphens back.
func cutHyphen(name string) (before, after string, found bool) {
	for i := 0; i < len(name); i++ {
		switch {
		case name[i] != '-':
		case i+1 < len(name) && name[i+1] == '-':
			i++
		default:
			return strings.ReplaceAll(name[:i], "--", "-"), name[i+1:], true
		}
	}
	return strings.ReplaceAll(name, "--", "-"), "", false
}

// itself is the use of a drive that a layer is, if nothing is seen to use that in turn.
func (l layer) itself() (inventory.UseKind, string) {
	group, volume, isVolume := l.logicalVolume()
	switch {
	case isVolume:
		return inventory.LVMUse, scsi.Text(group + "/" + volume).String()
	case strings.HasPrefix(l.uuid, "CRYPT-"):
		return inventory.CryptUse, scsi.Text(l.dm).String()
	case l.dm != "":
		return inventory.DMUse, scsi.Text(l.dm).String()
	case strings.HasPrefix(l.name, "md"):
		return inventory.MDUse, l.name
	case strings.HasPrefix(l.name, "bcache"):
		return inventory.BcacheUse, l.name
	}
	return inventory.DMUse, l.name
}

// holders are the devices made of this one.
func (u *usage) holders(l layer) []layer {
	entries, _ := fs.ReadDir(u.fsys, path.Join(l.dir, "holders")) // none: nothing holds it
	var all []layer
	for _, e := range entries {
		all = append(all, u.disk(e.Name()))
	}
	for _, name := range u.loops[l.name] {
		all = append(all, u.disk(name))
	}
	return all
}

// loopDevices lists loop devices by the block device that they are made of. A loop device
// is not among the holders of that block device.
func loopDevices(fsys fs.FS) map[string][]string {
	entries, _ := fs.ReadDir(fsys, blockDir) // none: there are no disks
	loops := map[string][]string{}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "loop") {
			continue
		}
		if dir, device := path.Split(text(fsys, path.Join(blockDir, e.Name(), "loop/backing_file"))); dir == "/dev/" {
			loops[device] = append(loops[device], e.Name())
		}
	}
	return loops
}

// partitions are those that the kernel knows of a disk.
func (u *usage) partitions(l layer) []layer {
	entries, _ := fs.ReadDir(u.fsys, l.dir)
	var all []layer
	for _, e := range entries {
		dir := path.Join(l.dir, e.Name())
		if strings.HasPrefix(e.Name(), l.name) && text(u.fsys, path.Join(dir, "partition")) != "" {
			all = append(all, u.layer(e.Name(), dir))
		}
	}
	return all
}

// wholes are the dm-multipath maps over a disk; without any, the disk itself.
func (u *usage) wholes(disk string) []layer {
	l := u.disk(disk)
	if maps := u.maps(l); len(maps) > 0 {
		return maps
	}
	return []layer{l}
}

// maps are the dm-multipath maps over a disk, or the partitions of such a map.
func (u *usage) maps(l layer) []layer {
	return slices.DeleteFunc(u.holders(l), func(h layer) bool { return !h.multipath })
}

// countDrives returns how many drives a layer is made of, with those that an md array misses.
func (u *usage) countDrives(l layer) int {
	n, known := u.drives[l.name]
	if !known {
		drives := map[string]bool{}
		u.addDrives(drives, l, map[string]bool{})
		n = len(drives)
		if members, err := strconv.Atoi(text(u.fsys, path.Join(l.dir, "md/raid_disks"))); err == nil {
			n = max(n, members)
		}
		u.drives[l.name] = n
	}
	return n
}

// addDrives adds the drives below a layer by what stands for each: a disk, or the
// dm-multipath map over its paths. seen are the layers that it has been at.
func (u *usage) addDrives(drives map[string]bool, l layer, seen map[string]bool) {
	if strings.HasPrefix(l.uuid, "mpath-") || !u.addDrivesOf(drives, path.Join(l.dir, "slaves"), seen) {
		drives[l.name] = true // a disk, or a partition of one
	}
}

// addDrivesOf adds the drives below the block devices that a directory links to, and reports
// whether there are any.
func (u *usage) addDrivesOf(drives map[string]bool, dir string, seen map[string]bool) bool {
	entries, _ := fs.ReadDir(u.fsys, dir) // none: it links to no device
	for _, e := range entries {
		name := e.Name()
		if text(u.fsys, path.Join(dir, name, "partition")) != "" {
			if to, err := fs.ReadLink(u.fsys, path.Join(dir, name)); err == nil {
				name = path.Base(path.Dir(to)) // it is in its disk's directory
			}
		}
		if !seen[name] {
			seen[name] = true
			u.addDrives(drives, u.disk(name), seen)
		}
	}
	return len(entries) > 0
}

// aliases returns a path of a device, and what it leads to if it is a link.
func (u *usage) aliases(device string) []string {
	all := []string{device}
	for range 8 { // as many links as anybody lays
		last := all[len(all)-1]
		to, err := fs.ReadLink(u.fsys, strings.TrimPrefix(path.Clean(last), "/"))
		if err != nil {
			break
		}
		if !strings.HasPrefix(to, "/") {
			to = path.Join(path.Dir(last), to)
		}
		all = append(all, to)
	}
	return all
}
