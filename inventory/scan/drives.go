package scan

import (
	"bytes"
	"cmp"
	"context"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"fwctl/internal/scsi"
	"fwctl/internal/transport"
	"fwctl/inventory"
)

// probeDeadline is how long opening the block devices of one drive may take. It
// takes no time unless the drive is in error recovery.
const probeDeadline = 30 * time.Second

// blockDevices lists the SCSI disks, and what uses those that lead to drives behind the
// enclosures of the readings. It reads /sys, /proc and what the device mapper reports about
// its maps, and opens no disk. A host may have a thousand other disks: of those it reads
// only who they are and how the host reaches them.
func blockDevices(u *usage, w *wiring, readings []inventory.Reading) []inventory.BlockDevice {
	fsys := u.fsys
	entries, err := fs.ReadDir(fsys, blockDir)
	if err != nil {
		return nil
	}
	var blocks []inventory.BlockDevice
	for _, e := range entries {
		dir := path.Join(blockDir, e.Name())
		link := w.link(dir)
		vpd83, _ := fs.ReadFile(fsys, path.Join(dir, "device/vpd_pg83")) // none: then nothing is parsed
		block := inventory.BlockDevice{Name: e.Name(), SASAddress: w.portOf(dir, link), Route: w.routeTo(link)}
		if id, err := scsi.ParseDeviceIdentification(vpd83); err == nil {
			named(id)
			if port, ok := id.TargetPort(); ok && block.SASAddress == "" {
				block.SASAddress = port.String()
			}
			if lu, ok := id.LogicalUnit(); ok {
				block.LUID = lu.String()
			}
		}
		if block.SASAddress == "" && block.LUID == "" && block.Route.SCSIHost == "" {
			continue // NVMe, dm, md, loop
		}
		blocks = append(blocks, block)
	}
	leads := behind(readings, blocks)
	for i := range blocks {
		if leads[blocks[i].Name] {
			u.look(&blocks[i], w.link(path.Join(blockDir, blocks[i].Name)))
		}
	}
	return blocks
}

// behind returns the names of the block devices that lead to a drive of an enclosure,
// whatever uses them.
func behind(readings []inventory.Reading, blocks []inventory.BlockDevice) map[string]bool {
	leads := map[string]bool{}
	enclosures, _ := inventory.Merge(readings, blocks)
	for _, e := range enclosures {
		for _, d := range e.Drives {
			for _, p := range d.Paths {
				leads[p.Device] = true
			}
		}
	}
	return leads
}

// look notes whether a disk is live, and what uses it.
func (u *usage) look(block *inventory.BlockDevice, link string) {
	block.ATA = text(u.fsys, path.Join(blockDir, block.Name, "device/vendor")) == "ATA"
	block.Down = u.down(block.Name, link)
	block.Live = block.Down == ""
	block.Uses = u.of(block.Name)
	if watch := u.watched(block.Name); len(watch) > 0 {
		block.Evidence = append(block.Evidence, strings.Join(watch, ", ")+" only watches it")
	}
	if _, err := u.open(); err != nil && len(block.Uses) == 0 {
		block.Evidence = append(block.Evidence, "who has it open is unknown: "+err.Error())
	}
}

// named drops designators that are all zero: they name nothing.
func named(id *scsi.DeviceIdentification) {
	id.Designators = slices.DeleteFunc(id.Designators, func(d scsi.Designator) bool {
		return len(bytes.Trim(d.Value, "\x00")) == 0
	})
}

// usage knows what uses block devices.
type usage struct {
	machine transport.Machine
	fsys    fs.FS
	mounts  map[string][]string // mount points by device, "/dev/mapper/mpatha"
	swaps   map[string]bool     // likewise
	// open is Machine.OpenDisks, asked once, and not before a disk is known to matter: it looks at
	// every process of the host.
	open   func() ([]transport.OpenDisk, error)
	tables map[string]pathTable     // of dm-multipath maps, as far as they were asked for
	loops  map[string][]string      // loop devices by the block device that they are made of
	btrfs  map[string]*btrfs        // file systems by the kernel's names of their devices
	osds   map[string]string        // Ceph OSDs by device, "/dev/ceph-1/osd-block-2"
	pools  func() map[string]member // members of ZFS pools by device, asked for once
	drives map[string]int           // how many drives a layer is made of, as far as they were counted
}

func newUsage(ctx context.Context, m transport.Machine) *usage {
	fsys := m.FS()
	u := &usage{
		machine: m,
		fsys:    fsys,
		mounts:  map[string][]string{},
		swaps:   map[string]bool{},
		tables:  map[string]pathTable{},
		drives:  map[string]int{},
	}
	u.open = sync.OnceValues(m.OpenDisks)
	u.loops = loopDevices(fsys)
	u.btrfs = btrfsByDevice(fsys)
	u.osds = u.cephOSDs()
	u.pools = sync.OnceValue(func() map[string]member { return u.askPools(ctx) })
	for _, fields := range table(fsys, "proc/self/mounts") {
		if len(fields) < 3 {
			continue
		}
		devices := []string{fields[0]}
		if fields[2] == "bcachefs" {
			devices = strings.Split(fields[0], ":") // it names all that it is made of
		}
		for _, device := range devices {
			u.mounts[device] = append(u.mounts[device], fields[1])
		}
	}
	for _, fields := range table(fsys, "proc/swaps") {
		u.swaps[fields[0]] = true
	}
	return u
}

// spaces replaces what /proc writes for blanks in names.
var spaces = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// table reads a file of /proc: lines of fields, of which no line is empty.
func table(fsys fs.FS, name string) [][]string {
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil
	}
	var lines [][]string
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		for i := range fields {
			fields[i] = spaces.Replace(fields[i])
		}
		if len(fields) > 0 {
			lines = append(lines, fields)
		}
	}
	return lines
}

// of lists what uses a disk.
func (u *usage) of(disk string) []inventory.BlockUse { return u.above(u.disk(disk), disk, nil) }

// above lists what uses a layer, directly or through the layers made of it. chain is
// what lies between the disk and the layer; over is the device that the use depends on.
func (u *usage) above(l layer, over string, chain []string) []inventory.BlockUse {
	var uses []inventory.BlockUse
	for _, use := range u.directly(l) {
		use.Through = chain
		uses = append(uses, inventory.BlockUse{Use: use, Over: over})
	}
	for _, p := range u.partitions(l) {
		uses = append(uses, u.above(p, over, append(slices.Clip(chain), p.String()))...)
	}
	for _, h := range u.holders(l) {
		if slices.Contains(chain, h.String()) {
			continue // no kernel shows a circle; a record of one might
		}
		over := over
		if h.multipath {
			over = h.name
		}
		through := append(slices.Clip(chain), h.String())
		higher := u.above(h, over, through)
		if len(higher) == 0 && !h.multipath {
			use := inventory.Use{Through: through, Of: several(u.countDrives(h))}
			use.Kind, use.Name = h.itself()
			uses = append(uses, inventory.BlockUse{Use: use, Over: over})
		}
		uses = append(uses, higher...)
	}
	return uses
}

// directly lists what uses a layer itself, without what lies between it and a disk.
func (u *usage) directly(l layer) []inventory.Use {
	var uses []inventory.Use
	add := func(use inventory.Use, drives int) {
		use.Of = several(drives)
		uses = append(uses, use)
	}
	for _, point := range u.mountPoints(l) {
		// It can hold anything.
		add(inventory.Use{Kind: inventory.MountUse, Name: scsi.Text(point).String()}, u.drivesOfMount(l))
	}
	for _, device := range l.devices() {
		if u.swaps[device] {
			add(inventory.Use{Kind: inventory.SwapUse}, u.countDrives(l))
		}
		if m, ok := u.pools()[device]; ok {
			add(inventory.Use{Kind: inventory.ZFSUse, Name: m.pool, VDev: m.vdev}, m.of)
		}
	}
	osd := u.osd(l)
	if osd != "" {
		add(inventory.Use{Kind: inventory.CephUse, Name: osd}, u.countDrives(l))
	}
	opened, _ := u.openers(l.name)
	for _, use := range opened {
		if osd == "" || use.Name != "ceph-osd" {
			add(use, u.countDrives(l))
		}
	}
	return uses
}

// several returns a number of drives as inventory.Use has it: 0 if it is one.
func several(drives int) int {
	if drives > 1 {
		return drives
	}
	return 0
}

// probe looks at the drives behind the enclosures of the readings that nothing was seen to
// use. It opens their block devices exclusively, and notes who else holds them and which
// of them have been busy since before.
func probe(ctx context.Context, u *usage, readings []inventory.Reading, blocks []inventory.BlockDevice,
	before counters, opts Options) {
	leads := behind(readings, blocks)
	// The paths of one drive one after the other: disk and partition shut each other out.
	type drive struct {
		behind, used bool
		blocks       []int
	}
	drives := map[string]*drive{}
	for i, b := range blocks {
		key := cmp.Or(b.LUID, b.SASAddress, b.Name)
		d := drives[key]
		if d == nil {
			d = &drive{}
			drives[key] = d
		}
		d.behind = d.behind || leads[b.Name]
		d.used = d.used || len(b.Uses) > 0
		d.blocks = append(d.blocks, i)
	}
	var todo []*drive
	var disks []string
	for _, d := range drives {
		if d.behind && !d.used {
			todo = append(todo, d)
			for _, i := range d.blocks {
				disks = append(disks, blocks[i].Name)
			}
		}
	}
	watch := opts.watch(Drives, len(todo))
	now := before.watch(ctx, u.fsys, disks) // before a disk is opened, which may read from it
	examine := func(_ context.Context, d *drive) ([][]inventory.BlockUse, error) {
		found := make([][]inventory.BlockUse, len(d.blocks))
		for i, b := range d.blocks {
			var err error
			if found[i], err = u.held(blocks[b].Name); err != nil {
				return nil, err
			}
		}
		return found, nil
	}
	for i, a := range askWatched(ctx, todo, probeDeadline, watch, examine) {
		if a.err != nil { // not known, which counts as in use
			first := &blocks[todo[i].blocks[0]]
			first.Evidence = append(first.Evidence, "who holds it is unknown: "+scsi.Text(a.err.Error()).String())
			continue
		}
		for n, b := range todo[i].blocks {
			blocks[b].Uses = a.value[n]
		}
		counted := u.busy(before, now, blocks, todo[i].blocks)
		_, openErr := u.open()
		for _, b := range todo[i].blocks {
			blocks[b].Probed = counted && openErr == nil
		}
	}
}

// held lists who else has a disk open exclusively: the disk itself, or the
// dm-multipath map over it, which shuts everyone else out of the disk.
func (u *usage) held(disk string) ([]inventory.BlockUse, error) {
	var uses []inventory.BlockUse
	try := func(l layer, over string) (bool, error) {
		held, err := u.machine.BlockDeviceHeld(l.name)
		if held {
			use := inventory.Use{Kind: inventory.HeldUse, Through: []string{l.String()}}
			if l.multipath {
				use.Kind, use.Name = inventory.MultipathUse, scsi.Text(l.dm).String()
			}
			uses = append(uses, inventory.BlockUse{Use: use, Over: over})
		}
		return held, err
	}
	for _, whole := range u.wholes(disk) {
		partly := false
		for _, part := range append(u.partitions(whole), u.maps(whole)...) {
			held, err := try(part, whole.name)
			if err != nil {
				return nil, err
			}
			partly = partly || held
		}
		if partly {
			continue // which holds the whole too
		}
		if _, err := try(whole, whole.name); err != nil {
			return nil, err
		}
	}
	return uses, nil
}
