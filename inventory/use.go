package inventory

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Use is something on a host that uses a drive. Fields that do not apply are empty.
type Use struct {
	Kind UseKind `json:"kind"`

	// Name is what uses it: a mount point, a pool, md0, volume group and logical volume, osd.3,
	// the name of a map or of a process. For UnknownUse it is what was seen, in words.
	Name string `json:"name,omitempty"`

	// Through has the block devices between the drive and its user, the drive's end first:
	// "sda1", "dm-3 (mpatha)", "md0". If the user is a block device itself, that comes last.
	Through []string `json:"through,omitempty"`

	// VDev is the top-level vdev of a ZFS pool that the drive is a part of, or spares, cache or
	// logs.
	VDev string `json:"vdev,omitempty"`

	// Of is how many drives the user has in all on this host, 2 or more; 0 if it has one, or if
	// unknown.
	Of int `json:"of,omitempty"`

	// PID is the lowest process number of all processes of this name, and Processes how many there
	// are; for uses by a process.
	PID       int `json:"pid,omitempty"`
	Processes int `json:"processes,omitempty"`
}

// UseKind is what kind of thing uses a drive.
type UseKind string

const (
	MountUse     UseKind = "mount"
	SwapUse      UseKind = "swap"
	ZFSUse       UseKind = "zfs"
	MDUse        UseKind = "md"        // an array that nothing is seen to use
	LVMUse       UseKind = "lvm"       // a logical volume, likewise
	CryptUse     UseKind = "crypt"     // a dm-crypt map, likewise
	DMUse        UseKind = "dm"        // another map of the device mapper, likewise
	BcacheUse    UseKind = "bcache"    // a bcache device, likewise
	CephUse      UseKind = "ceph"      // a Ceph OSD
	MultipathUse UseKind = "multipath" // a dm-multipath map that somebody holds exclusively
	HeldUse      UseKind = "held"      // somebody holds the drive, or a partition of it, exclusively
	RawUse       UseKind = "raw"       // a process that has a block device open
	UnknownUse   UseKind = "unknown"   // somebody uses it, and it is unknown who
)

// String puts a use in words: "mounted /tank through dm-3 (mpatha)".
func (u Use) String() string {
	through := u.Through
	words := ""
	switch last := len(through) - 1; {
	case u.Kind == MountUse:
		words = "mounted " + u.Name
	case u.Kind == SwapUse:
		words = "swap"
	case u.Kind == ZFSUse:
		words = "ZFS pool " + u.Name
		if u.VDev != "" {
			words += " (" + u.VDev + ")"
		}
	case u.Kind == CephUse:
		words = "Ceph " + u.Name
	case u.Kind == RawUse:
		words = fmt.Sprintf("held open by %s (pid %d", u.Name, u.PID)
		if more := u.Processes - 1; more > 0 {
			words += fmt.Sprintf(" and %d more", more)
		}
		words += ")"
	case (u.Kind == HeldUse || u.Kind == MultipathUse) && last >= 0:
		// What is held stands for itself, whatever is below it.
		return through[last] + " held exclusively"
	case u.isDevice() && last >= 0:
		words, through = "held by "+through[last], through[:last]
	default:
		words = u.Name
	}
	if len(through) > 0 {
		words += " through " + strings.Join(through, ", ")
	}
	return words
}

// isDevice reports whether what uses the drive is a block device, which Through ends with.
func (u Use) isDevice() bool {
	return slices.Contains([]UseKind{MDUse, LVMUse, CryptUse, DMUse, BcacheUse}, u.Kind)
}

// compareUses orders uses by kind, then by what uses the drive.
func compareUses(a, b Use) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.String(), b.String()))
}

// What String makes of uses, for inventories that have no more than that.
var (
	heldOpenWords = regexp.MustCompile(`^held open by (.*) \(pid ([0-9]+)(?: and ([0-9]+) more)?\)$`)
	poolWords     = regexp.MustCompile(`^ZFS pool (.*?)(?: \(([^ ()]+)\))?$`)
	mappedWords   = regexp.MustCompile(`^dm-[0-9]+ \((.*)\)$`)
)

// parseUse reads a use out of the words for it, as far as they tell. Words that it does not
// know are an unknown use.
func parseUse(words string) Use {
	if device, ok := strings.CutSuffix(words, " held exclusively"); ok {
		return Use{Kind: HeldUse, Through: []string{device}}
	}
	what, way, layered := cutLast(words, " through ")
	var through []string
	if layered {
		through = strings.Split(way, ", ")
	}
	if name, ok := strings.CutPrefix(what, "mounted "); ok {
		return Use{Kind: MountUse, Name: name, Through: through}
	}
	if what == "swap" {
		return Use{Kind: SwapUse, Through: through}
	}
	if m := heldOpenWords.FindStringSubmatch(what); m != nil {
		u := Use{Kind: RawUse, Name: m[1], Through: through}
		u.PID, _ = strconv.Atoi(m[2])
		if more, _ := strconv.Atoi(m[3]); more > 0 {
			u.Processes = more + 1
		}
		return u
	}
	if m := poolWords.FindStringSubmatch(what); m != nil {
		return Use{Kind: ZFSUse, Name: m[1], VDev: m[2], Through: through}
	}
	if name, ok := strings.CutPrefix(what, "Ceph "); ok {
		return Use{Kind: CephUse, Name: name, Through: through}
	}
	if device, ok := strings.CutPrefix(what, "held by "); ok {
		u := Use{Kind: DMUse, Name: device, Through: append(through, device)}
		switch m := mappedWords.FindStringSubmatch(device); {
		case m != nil:
			u.Name = m[1]
		case strings.HasPrefix(device, "md"):
			u.Kind = MDUse
		case strings.HasPrefix(device, "bcache"):
			u.Kind = BcacheUse
		}
		return u
	}
	return Use{Kind: UnknownUse, Name: words}
}

// cutLast is strings.Cut at the last separator: a mount point can have one in its name.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// Users returns what uses the drive, sorted: Uses, or of an inventory that has none what the
// words of InUse say.
func (d *Drive) Users() []Use {
	if len(d.Uses) > 0 {
		return d.Uses
	}
	var uses []Use
	for _, words := range d.InUse {
		uses = append(uses, parseUse(words))
	}
	slices.SortFunc(uses, compareUses)
	return uses
}

func (u *Use) flaw() string {
	if u.Kind == "" {
		return "one of its uses has no kind"
	}
	if u.Of < 0 || u.PID < 0 || u.Processes < 0 {
		return "one of its uses has a negative number"
	}
	return cmp.Or(odd(string(u.Kind), u.Name, u.VDev), odd(u.Through...))
}
