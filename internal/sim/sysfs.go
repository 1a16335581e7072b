package sim

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"fwctl/internal/transport"
)

// kernelTree returns /sys and /proc of a host as a Linux kernel with mpt3sas, ses and sd
// lays them out: each SCSI host is an HBA, each ESP sits on an expander of
// its own, and the drives of the enclosure beside it.
func (r *Rack) kernelTree(s *state, host string) *tree {
	k := &kernel{tree: newTree(), def: r.def, s: s, host: host, expanders: map[string]string{},
		virtual: map[string]string{}, pids: map[string]int{}, btrfs: map[string]int{}}
	for _, dir := range []string{"scsi_generic", "scsi_device", "enclosure", "block", "scsi_host", "sas_device",
		"sas_expander", "sas_end_device"} {
		k.dir("sys/class/" + dir)
	}
	k.dir("sys/bus/scsi/devices")
	k.dir("sys/block")
	for _, u := range r.def.units {
		if u.host == host && s.visible(u) {
			k.unit(u)
		}
	}
	for _, u := range r.def.units { // links between units want both to be there
		if u.host == host && u.esp != nil && s.visible(u) {
			k.enclosure(u)
		}
	}
	k.uses()
	return k.tree
}

type kernel struct {
	*tree
	def       *definition
	s         *state
	host      string
	expanders map[string]string // directory of an ESP's expander, by cable and ESP
	virtual   map[string]string // directory of a dm or md device, by name
	pids      map[string]int    // of the processes that have disks open
	btrfs     map[string]int    // numbers of btrfs file systems, by mount point
	mounts    strings.Builder
	swaps     strings.Builder
}

// hctl returns the SCSI address of a unit. The target follows the node: a unit that comes
// back as another node has another address. A volume has the target of the ESP's unit.
func (k *kernel) hctl(u *unit) string {
	if u.drive != nil && u.drive.lun > 0 {
		return fmt.Sprintf("%d:0:%d:%d", u.cable+1, k.s.node(u.via), u.drive.lun)
	}
	return fmt.Sprintf("%d:0:%d:0", u.cable+1, k.s.node(u))
}

func hba(cable int) string {
	return fmt.Sprintf("sys/devices/pci0000:00/0000:00:%02x.0/0000:%02x:00.0/host%d", cable+1, cable+1, cable+1)
}

// expander is the directory of the expander that an ESP sits on, on one cable.
// In a cascade it hangs off the expander of the enclosure upstream.
func (k *kernel) expander(p *esp, cable int) string {
	key := fmt.Sprintf("%d/%s", cable, p.key)
	if dir := k.expanders[key]; dir != "" {
		return dir
	}
	above := hba(cable)
	port := fmt.Sprintf("port-%d:%d", cable+1, len(k.expanders))
	if up := p.above(); up != nil {
		above = k.expander(up, cable)
		port = fmt.Sprintf("port-%s:%d", strings.TrimPrefix(path.Base(above), "expander-"), 100+len(k.expanders))
	}
	name := fmt.Sprintf("expander-%d:%d", cable+1, len(k.expanders))
	dir := path.Join(above, port, name)
	k.expanders[key] = dir
	if class := fmt.Sprintf("sys/class/scsi_host/host%d", cable+1); k.entries[class] == nil {
		k.link(class, hba(cable)+fmt.Sprintf("/scsi_host/host%d", cable+1))
		k.file(hba(cable)+fmt.Sprintf("/scsi_host/host%d/proc_name", cable+1), "mpt3sas\n")
	}
	k.file(dir+"/sas_device/"+name+"/sas_address", fmt.Sprintf("0x%s\n", p.Expander))
	k.file(dir+"/sas_device/"+name+"/device_type", "edge expander\n")
	k.link("sys/class/sas_device/"+name, dir+"/sas_device/"+name)
	id := k.kernelIdentity(p)
	k.file(dir+"/sas_expander/"+name+"/vendor_id", id.Vendor+"\n")
	k.file(dir+"/sas_expander/"+name+"/product_id", id.Product+"\n")
	k.file(dir+"/sas_expander/"+name+"/product_rev", id.Revision+"\n")
	k.link("sys/class/sas_expander/"+name, dir+"/sas_expander/"+name)
	return dir
}

// furtherDown is the directory of an expander that hangs off an ESP's, on one cable,
// and that no SEP sits on.
func (k *kernel) furtherDown(address hexID, p *esp, cable int) string {
	above := k.expander(p, cable)
	key := fmt.Sprintf("%s/%s", above, address)
	if dir := k.expanders[key]; dir != "" {
		return dir
	}
	n := len(k.expanders)
	name := fmt.Sprintf("expander-%d:%d", cable+1, n)
	dir := path.Join(above, fmt.Sprintf("port-%s:%d", strings.TrimPrefix(path.Base(above), "expander-"), 100+n), name)
	k.expanders[key] = dir
	k.file(dir+"/sas_device/"+name+"/sas_address", fmt.Sprintf("0x%s\n", address))
	k.file(dir+"/sas_device/"+name+"/device_type", "edge expander\n")
	k.link("sys/class/sas_device/"+name, dir+"/sas_device/"+name)
	k.dir(dir + "/sas_expander/" + name)
	k.link("sys/class/sas_expander/"+name, dir+"/sas_expander/"+name)
	return dir
}

// above is the ESP of the enclosure upstream whose expander an ESP's hangs off, nil
// without one.
func (p *esp) above() *esp {
	up := p.enclosure.upstream
	if up == nil {
		return nil
	}
	return up.ESPs[min(p.number, len(up.ESPs))-1]
}

// kernelIdentity returns what the kernel read when it found the ESP, and does not read again
// while the ESP stays.
func (k *kernel) kernelIdentity(p *esp) identity {
	if id := k.s.esp(p).Kernel; id != nil {
		return *id
	}
	return k.def.fresh().inquired(p)
}

// device is the directory of a unit's SCSI device.
func (k *kernel) device(u *unit) string {
	address := k.hctl(u)
	target := "target" + address[:strings.LastIndex(address, ":")]
	if u.other != nil {
		return path.Join(hba(u.cable), target, address)
	}
	p := u.esp
	node := k.s.node(u)
	expander := ""
	switch dr := u.drive; {
	case dr == nil:
		expander = k.expander(p, u.cable)
	case dr.lun > 0:
		p, node = u.via.esp, k.s.node(u.via)
		expander = k.expander(p, u.cable)
	case dr.Expander != 0:
		expander = k.furtherDown(dr.Expander, u.via.esp, u.cable)
	default:
		expander = k.expander(u.via.esp, u.cable)
	}
	end := fmt.Sprintf("%s:%d", strings.TrimPrefix(path.Base(expander), "expander-"), node)
	return path.Join(expander, "port-"+end, "end_device-"+end, target, address)
}

// unit shows a logical unit.
func (k *kernel) unit(u *unit) {
	dir, address, node := k.device(u), k.hctl(u), k.s.node(u)
	deviceType, lu, port, serial := u.identification()
	inquiry := k.s.standardInquiry(u)
	vpds := []byte{0x00, 0x80, 0x83}
	if u.esp != nil {
		inquiry = standardInquiry(deviceType, *u.esp.EncServ, k.kernelIdentity(u.esp))
		vpds = nil
		for _, c := range *u.esp.VPD {
			vpds = append(vpds, byte(c))
		}
	}
	k.file(dir+"/type", fmt.Sprintf("%d\n", deviceType))
	k.file(dir+"/vendor", string(inquiry[8:16])+"\n")
	k.file(dir+"/model", string(inquiry[16:32])+"\n")
	k.file(dir+"/rev", string(inquiry[32:36])+"\n")
	k.file(dir+"/inquiry", string(inquiry))
	k.file(dir+"/state", "running\n")
	k.file(dir+"/scsi_level", "7\n")
	for _, c := range vpds {
		switch c {
		case 0x80:
			k.file(dir+"/vpd_pg80", string(vpdSerial(deviceType, serial)))
		case 0x83:
			k.file(dir+"/vpd_pg83", string(vpdIdentification(deviceType, lu, port)))
		}
	}
	shared := u.drive != nil && u.drive.lun > 0 // a target with the ESP's unit, which has shown it
	if port != 0 && !shared {
		k.file(dir+"/sas_address", fmt.Sprintf("0x%s\n", port))
		end := path.Dir(path.Dir(dir))
		name := path.Base(end)
		k.file(end+"/sas_device/"+name+"/sas_address", fmt.Sprintf("0x%s\n", port))
		k.file(end+"/sas_device/"+name+"/device_type", "end device\n")
		k.link("sys/class/sas_device/"+name, end+"/sas_device/"+name)
		k.dir(end + "/sas_end_device/" + name)
		k.link("sys/class/sas_end_device/"+name, end+"/sas_end_device/"+name)
	}
	if u.drive != nil && !shared {
		k.file(path.Dir(path.Dir(dir))+"/sas_device/"+path.Base(path.Dir(path.Dir(dir)))+"/bay_identifier",
			fmt.Sprintf("%d\n", u.drive.Slot))
	}

	k.file(dir+"/scsi_device/"+address+"/uevent", "")
	k.link("sys/class/scsi_device/"+address, dir+"/scsi_device/"+address)
	k.link(dir+"/scsi_device/"+address+"/device", dir)
	k.link("sys/bus/scsi/devices/"+address, dir)

	sg := fmt.Sprintf("sg%d", node)
	k.file(dir+"/scsi_generic/"+sg+"/dev", fmt.Sprintf("21:%d\n", node))
	k.link(dir+"/scsi_generic/"+sg+"/device", dir)
	k.link(dir+"/scsi_generic/"+sg+"/subsystem", "sys/class/scsi_generic")
	k.link(dir+"/generic", dir+"/scsi_generic/"+sg)
	k.link("sys/class/scsi_generic/"+sg, dir+"/scsi_generic/"+sg)

	if u.drive != nil {
		k.disk(dir+"/block/"+u.device, k.s.diskNumber(u))
		k.link(dir+"/block/"+u.device+"/device", dir)
		if u.drive.Open != "" {
			k.shut[u.device] = openErrors[u.drive.Open]
		}
		if on := u.drive.IOStats; on != nil {
			k.file(dir+"/block/"+u.device+"/stat", diskStat(1000, 1000))
			k.file(dir+"/block/"+u.device+"/queue/iostats", map[bool]string{true: "1\n", false: "0\n"}[*on])
		}
	}
}

// diskStat is the counters of a block device, as /sys/block/X/stat has them.
func diskStat(reads, writes int64) string {
	return fmt.Sprintf("%8d 0 8000 10 %8d 0 8000 10 0 20 20 0 0 0 0 0 0\n", reads, writes)
}

// sectors is how many sectors of 512 bytes each block device has.
const sectors = 7814037168

// diskNumber is the device number of a drive's block device: "8:16".
func (s *state) diskNumber(u *unit) string { return fmt.Sprintf("8:%d", 16*s.node(u)) }

// disk shows a block device, or a partition of one, at a directory of sys/devices.
func (k *kernel) disk(dir, dev string) {
	name := path.Base(dir)
	k.file(dir+"/dev", dev+"\n")
	k.file(dir+"/size", fmt.Sprintln(sectors))
	k.file(dir+"/removable", "0\n")
	k.file(dir+"/ro", "0\n")
	k.dir(dir + "/holders")
	k.dir(dir + "/slaves")
	k.link(dir+"/subsystem", "sys/class/block")
	k.link("sys/class/block/"+name, dir)
	if path.Base(path.Dir(dir)) == "block" { // no partition
		k.link("sys/block/"+name, dir)
	}
}

// enclosure shows what the ses driver makes of an enclosure: a component for
// each slot, with a link to the drive that it knows by its address.
func (k *kernel) enclosure(u *unit) {
	if *u.esp.DeviceType != typeEnclosure {
		return
	}
	dir, address := k.device(u), k.hctl(u)
	class := dir + "/enclosure/" + address
	e := u.esp.enclosure
	k.file(class+"/id", fmt.Sprintf("0x%s\n", e.LogicalID))
	k.file(class+"/components", fmt.Sprintf("%d\n", e.Slots))
	k.link(class+"/device", dir)
	k.link("sys/class/enclosure/"+address, class)
	for _, t := range e.Elements {
		for i := range t.Count {
			if t.code != slotType {
				continue
			}
			slot := class + "/" + elementName(t, i)
			k.file(slot+"/slot", fmt.Sprintf("%d\n", i))
			k.file(slot+"/type", "array device\n")
			for _, dr := range e.Drives {
				for _, du := range dr.units {
					if dr.Slot == i && du.via == u && dr.Descriptor == "" {
						k.link(slot+"/device", k.device(du))
						k.link(k.device(du)+"/enclosure_device:"+elementName(t, i), slot)
					}
				}
			}
		}
	}
}

// uses shows who holds the drives: /proc/mounts, /proc/swaps, holders and slaves.
func (k *kernel) uses() {
	for _, e := range k.def.Enclosures {
		for _, dr := range e.Drives {
			if dr.Use.Host == k.host {
				k.use(dr)
			}
		}
	}
	k.file("proc/self/mounts", "proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\n"+k.mounts.String())
	k.link("proc/mounts", "proc/self/mounts")
	k.file("proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"+k.swaps.String())
}

// use shows who holds a drive, from its block devices upwards: a partition, a multipath map
// over all paths, what holds either, a file system on top. A device is held if it is below
// another, mounted, or used by ZFS.
func (k *kernel) use(dr *drive) {
	var below []string // directories of what the next thing up is made of
	var paths []*unit  // likewise
	for _, u := range dr.units {
		if u.host == k.host && k.s.visible(u) {
			below = append(below, k.device(u)+"/block/"+u.device)
			paths = append(paths, u)
		}
	}
	if len(below) == 0 {
		return
	}
	use := dr.Use
	if use.IO != "" && (dr.IOStats == nil || *dr.IOStats) {
		if k.entries[below[0]+"/stat"] == nil {
			k.file(below[0]+"/stat", diskStat(1000, 1000))
		}
		k.busy[k.entries[below[0]+"/stat"]] = use.IO
	}
	if use.Multipath == "" {
		below = below[:1]
	}
	if use.Partition > 0 {
		dir := fmt.Sprintf("%s/%s%d", below[0], path.Base(below[0]), use.Partition)
		k.disk(dir, "259:"+fmt.Sprint(len(k.entries)))
		k.file(dir+"/partition", fmt.Sprintln(use.Partition))
		below = []string{dir}
	}
	device := "/dev/" + path.Base(below[0])
	if use.Multipath != "" {
		dir := k.hold("dm-mpath-"+use.Multipath, below)
		if k.entries[dir+"/dm/name"] == nil {
			k.file(dir+"/dm/name", use.Multipath+"\n")
			k.file(dir+"/dm/uuid", "mpath-3"+dr.lu().String()+"\n")
		}
		k.maps[path.Base(dir)] = append(k.maps[path.Base(dir)], paths...)
		below, device = []string{dir}, "/dev/mapper/"+use.Multipath
	}
	if use.Holder != "" {
		below, device = []string{k.hold(use.Holder, below)}, "/dev/"+use.Holder
	}
	if use.LVM != "" {
		dir := k.logicalVolume(use.LVM, below)
		below, device = []string{dir}, "/dev/mapper/"+mapperName(use.LVM)
	}
	if use.Mount != "" || use.Swap || use.ZFS.Pool != "" {
		k.isHeld(below[0])
	}
	if use.OSD != nil {
		k.osd(*use.OSD, device, use.LVM)
	}
	if use.ZFS.Pool != "" {
		k.joins(use.ZFS, "/dev/"+path.Base(below[0]))
	}
	if use.Process != "" {
		k.opens(use.Process, path.Base(below[0]))
	}
	k.mount(use, device, below[0])
	if use.Swap {
		fmt.Fprintf(&k.swaps, "%-40spartition\t1048572\t\t0\t\t-2\n", device)
	}
}

// mount shows a file system on a device, which is at dir.
func (k *kernel) mount(use use, device, dir string) {
	kind := "ext4"
	if use.Btrfs {
		kind = "btrfs"
		first := k.btrfs[use.Mount] == 0
		if first {
			k.btrfs[use.Mount] = len(k.btrfs) + 1
		}
		fs := fmt.Sprintf("sys/fs/btrfs/00000000-0000-0000-0000-%012d", k.btrfs[use.Mount])
		if k.entries[fs+"/devices/"+path.Base(dir)] == nil {
			k.link(fs+"/devices/"+path.Base(dir), dir)
		}
		if !first {
			return
		}
	}
	if use.Mount != "" && !strings.Contains(k.mounts.String(), device+" "+use.Mount+" ") {
		fmt.Fprintf(&k.mounts, "%s %s %s rw,relatime 0 0\n", device, use.Mount, kind)
	}
}

// opens notes that a process has a block device open, once.
func (k *kernel) opens(process, device string) {
	pid := k.pids[process]
	if pid == 0 {
		pid = 1001 + len(k.pids)
		k.pids[process] = pid
	}
	if open := (transport.OpenDisk{PID: pid, Command: process, Device: device}); !slices.Contains(k.open, open) {
		k.open = append(k.open, open)
	}
}

// mapperName is the device mapper's name of a volume: hyphens of its own are doubled.
func mapperName(lvm string) string {
	group, volume, _ := strings.Cut(strings.ReplaceAll(lvm, "-", "--"), "/")
	return group + "-" + volume
}

// logicalVolume shows an LVM volume over devices, and gives its directory.
func (k *kernel) logicalVolume(lvm string, below []string) string {
	dir := k.hold("dm-lvm-"+lvm, below)
	if k.entries[dir+"/dm/name"] == nil {
		k.file(dir+"/dm/name", mapperName(lvm)+"\n")
		k.file(dir+"/dm/uuid", fmt.Sprintf("LVM-%032d%032d\n", 1, len(k.virtual)))
	}
	return dir
}

// osd shows the directory of a Ceph OSD whose data is on a device.
func (k *kernel) osd(id int, device, lvm string) {
	if lvm != "" {
		device = "/dev/" + lvm
	}
	link := fmt.Sprintf("var/lib/ceph/osd/ceph-%d/block", id)
	if k.entries[link] == nil {
		k.put(link, &entry{mode: fs.ModeSymlink | 0o777, data: []byte(device)})
	}
}

// hold shows a dm or md device over others, and returns its directory.
func (k *kernel) hold(name string, below []string) string {
	dir := k.virtualDisk(name)
	for _, block := range below {
		if k.entries[block+"/holders/"+path.Base(dir)] != nil {
			continue
		}
		k.link(block+"/holders/"+path.Base(dir), dir)
		k.link(dir+"/slaves/"+path.Base(block), block)
		k.isHeld(block)
	}
	return dir
}

// isHeld records that no one else can open a block device exclusively, nor the disk that it
// is a partition of.
func (k *kernel) isHeld(dir string) {
	k.held[path.Base(dir)] = true
	if disk := path.Dir(dir); path.Base(disk) != "block" {
		k.held[path.Base(disk)] = true
	}
}

// virtualDisk is the directory of a dm or md device; multipath maps are numbered
// as they come.
func (k *kernel) virtualDisk(name string) string {
	if dir := k.virtual[name]; dir != "" {
		return dir
	}
	kernelName, major := name, 9
	if strings.HasPrefix(name, "dm-mpath-") || strings.HasPrefix(name, "dm-lvm-") {
		kernelName = fmt.Sprintf("dm-%d", len(k.virtual))
	}
	if strings.HasPrefix(kernelName, "dm-") {
		major = 253
	}
	dir := "sys/devices/virtual/block/" + kernelName
	k.virtual[name] = dir
	k.disk(dir, fmt.Sprintf("%d:%d", major, len(k.virtual)-1))
	return dir
}
