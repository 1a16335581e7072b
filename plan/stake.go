package plan

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize/english"

	"fwctl/inventory"
)

// Stake is something that uses drives behind what a step takes down. Its parts in different
// enclosures, on different hosts, or with different fates are different Stakes.
type Stake struct {
	// Kind is "unknown" for all drives whose users are unknown.
	Kind inventory.UseKind `json:"kind"`
	// Name is as in inventory.Use; "" for swap, for drives held exclusively, and if it is
	// unknown.
	Name string `json:"name,omitempty"`
	// Through has the block devices that it uses all of the drives through, the drives' end first.
	Through []string `json:"through,omitempty"`
	// VDevs are the vdevs of a ZFS pool that the drives are parts of, sorted.
	VDevs []string `json:"vdevs,omitempty"`
	// Host is where it is used, if several hosts see the enclosure.
	Host string `json:"host,omitempty"`
	// Enclosure is the first part of the drives' addresses.
	Enclosure string `json:"enclosure"`
	// Slots are those of the drives that are in one, sorted.
	Slots []int `json:"slots"`
	// Drives is how many drives behind the enclosure it uses; 0 if unknown.
	Drives int `json:"drives"`
	// Of is how many drives it has in all on the host; 0 if it has one, or if unknown.
	Of     int         `json:"of,omitempty"`
	Effect StakeEffect `json:"effect"`
	// Path is the I/O module through which it goes on, as in "esp2"; "" if it stops.
	Path string `json:"path,omitempty"`
}

// StakeEffect is what becomes of something that uses drives.
type StakeEffect string

const (
	Stops     StakeEffect = "stops"      // the drives have no other path that is sure to carry on
	KeepsPath StakeEffect = "keeps-path" // another path takes over
)

// CompareStakes orders what is at stake: what stops first, then by kind and name.
func CompareStakes(a, b *Stake) int {
	return cmp.Or(-cmp.Compare(a.Effect, b.Effect), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name),
		cmp.Compare(a.Host, b.Host), cmp.Compare(a.Enclosure, b.Enclosure), cmp.Compare(a.Path, b.Path))
}

// InFull returns all that is known of it in words: "stops: mount /srv/backup (through md0;
// slots 0, 1)". It names the enclosure unless that is home.
func (s *Stake) InFull(home string) string {
	var where []string
	if way := s.way(); way != "" {
		where = append(where, "through "+way)
	}
	if len(s.VDevs) > 0 {
		where = append(where, strings.Join(s.VDevs, ", "))
	}
	if s.Of > s.Drives {
		where = append(where, ofDrives(s.Drives, s.Of))
	}
	place := places(s.Slots, s.Drives-len(s.Slots))
	switch {
	case s.Enclosure == home:
	case s.Drives == 0:
		place = "behind " + s.Enclosure
	default:
		place += " of " + s.Enclosure
	}
	where = append(where, place)
	if s.Host != "" {
		where = append(where, "on "+s.Host)
	}
	fate := "stops: "
	if s.Effect == KeepsPath {
		fate = "goes on through " + s.Path + ": "
	}
	return fate + named(stakeKinds[s.Kind].one, s.Name) + " (" + strings.Join(where, "; ") + ")"
}

// way names the topmost device between the thing and its drives, if it is not the thing.
func (s *Stake) way() string {
	if len(s.Through) == 0 {
		return ""
	}
	top := s.Through[len(s.Through)-1]
	if _, name, mapped := strings.Cut(strings.TrimSuffix(top, ")"), " ("); mapped {
		top = name
	}
	if top == s.Name || stakeKinds[s.Kind].device {
		return ""
	}
	return top
}

// stakeKinds are the words for things at stake.
var stakeKinds = map[inventory.UseKind]struct {
	one    string // before the name of one
	all    string // before the names of some
	device bool   // it is a block device itself, or as good as one: what is below it says no more
}{
	inventory.MountUse:     {"mount", "mounts", false},
	inventory.SwapUse:      {"swap", "swap", false},
	inventory.ZFSUse:       {"pool", "pool", true},
	inventory.MDUse:        {"array", "array", true},
	inventory.LVMUse:       {"LVM", "LVM", true},
	inventory.CryptUse:     {"dm-crypt map", "dm-crypt map", true},
	inventory.DMUse:        {"map", "map", true},
	inventory.BcacheUse:    {"bcache device", "bcache device", true},
	inventory.CephUse:      {"Ceph", "Ceph", true},
	inventory.MultipathUse: {"multipath map", "multipath map", true},
	inventory.RawUse:       {"process", "process", false},
	inventory.HeldUse:      {"drives that someone holds exclusively", "drives that someone holds exclusively", true},
	inventory.UnknownUse:   {"drives of unknown use", "drives of unknown use", true},
}

func named(kind, name string) string { return strings.TrimSpace(kind + " " + name) }

func ofDrives(drives, of int) string {
	return fmt.Sprintf("%d of %s", drives, english.Plural(of, "drive", ""))
}

// Label returns its kind and name: "pool tank".
func (s *Stake) Label() string { return named(stakeKinds[s.Kind].one, s.Name) }

// places lists where drives are: "slots 0-5, 9, 1 drive in no slot".
func places(slots []int, others int) string {
	var numbers, parts []string
	for i := 0; i < len(slots); {
		last := i
		for last+1 < len(slots) && slots[last+1] == slots[last]+1 {
			last++
		}
		text := strconv.Itoa(int(slots[i]))
		switch {
		case last == i+1:
			text += ", " + strconv.Itoa(int(slots[last]))
		case last > i:
			text += "-" + strconv.Itoa(int(slots[last]))
		}
		numbers = append(numbers, text)
		i = last + 1
	}
	if len(numbers) > 0 {
		parts = append(parts, english.PluralWord(len(slots), "slot", "")+" "+strings.Join(numbers, ", "))
	}
	if others > 0 {
		parts = append(parts, english.Plural(others, "drive", "")+" in no slot")
	}
	if len(parts) == 0 {
		return "not listed"
	}
	return strings.Join(parts, ", ")
}

// How many things of one fate a line of text names; it counts the others.
const (
	// SomeThings is for a line among others.
	SomeThings = 8

	// AllThings is for those who ask for all details.
	AllThings = math.MaxInt
)

// StakeWords returns in words what a step puts at stake, and what goes on: "at stake: mounts
// /srv/backup (md0: slots 0, 1), pool tank (6 of 8 drives); goes on through esp2: swap (slot
// 3)"; "" if its drives carry nothing. It names at most so many things, and counts the others.
func (s *Step) StakeWords(most int) string {
	return thingsAtStake([]*Step{s}).words(s.Enclosure, nil, most)
}

// StakeWords returns in words what steps put at stake together, each thing once. A thing that
// stops in one step counts as stopped, even if it goes on in another. It names at most so many
// things, and counts the others.
func StakeWords(steps []*Step, most int) string {
	names := map[string]string{}
	for _, s := range steps {
		names[s.Enclosure] = s.Name
	}
	return thingsAtStake(steps).words("", names, most)
}

// thing is something at stake, wherever its drives are.
type thing struct {
	*Stake                    // of the first enclosure
	path   string             // "" if some of it goes on through another module than the rest
	slots  map[string]slotSet // by enclosure
	others map[string]int     // drives in no slot, likewise
}

type slotSet map[int]bool

type things []*thing

// thingsAtStake joins what steps put at stake.
func thingsAtStake(steps []*Step) things {
	type key struct {
		kind       inventory.UseKind
		name, host string
	}
	all := map[StakeEffect]map[key]*thing{Stops: {}, KeepsPath: {}}
	for _, step := range steps {
		for i := range step.AtStake {
			s := &step.AtStake[i]
			by := all[s.Effect]
			if by == nil {
				continue // Parse lets no other effect in
			}
			k := key{s.Kind, s.Name, s.Host}
			t := by[k]
			if t == nil {
				t = &thing{Stake: s, path: s.Path, slots: map[string]slotSet{}, others: map[string]int{}}
				by[k] = t
			}
			t.add(s)
		}
	}
	var list things
	for k, t := range all[KeepsPath] {
		if stops := all[Stops][k]; stops != nil && t.leave(stops) {
			continue
		}
		list = append(list, t)
	}
	for _, t := range all[Stops] {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *thing) int {
		return cmp.Or(-cmp.Compare(a.Effect, b.Effect), cmp.Compare(a.path, b.path), CompareStakes(a.Stake, b.Stake))
	})
	return list
}

// add adds the drives of one enclosure.
func (t *thing) add(s *Stake) {
	if t.slots[s.Enclosure] == nil {
		t.slots[s.Enclosure] = slotSet{}
	}
	for _, n := range s.Slots {
		t.slots[s.Enclosure][n] = true
	}
	t.others[s.Enclosure] = max(t.others[s.Enclosure], s.Drives-len(s.Slots))
	if t.path != s.Path {
		t.path = ""
	}
}

// leave removes the slots that another thing has, and reports whether that is all that is
// known of this one: drives that nobody counted are the other's in an enclosure where it has
// some.
func (t *thing) leave(other *thing) (all bool) {
	all = true
	for enclosure, slots := range t.slots {
		theirs, both := other.slots[enclosure]
		maps.DeleteFunc(slots, func(n int, _ bool) bool { return theirs[n] })
		all = all && both && len(slots) == 0 && t.others[enclosure] == 0
	}
	return all
}

func (t *thing) drives() int {
	n := 0
	for enclosure, slots := range t.slots {
		n += len(slots) + t.others[enclosure]
	}
	return n
}

// words returns a thing in words, without its kind. It does not name the enclosure home, nor,
// without a home, the only enclosure.
func (t *thing) words(home string, names map[string]string) string {
	where := ""
	switch drives := t.drives(); {
	case t.Of > drives && drives > 0:
		where = ofDrives(drives, t.Of)
	case len(t.slots) > 1 && drives == 0:
		where = fmt.Sprintf("not listed, in %d enclosures", len(t.slots))
	case len(t.slots) > 1:
		where = fmt.Sprintf("%s in %d enclosures", english.Plural(drives, "drive", ""), len(t.slots))
	default:
		e := t.Enclosure
		where = places(slices.Sorted(maps.Keys(t.slots[e])), t.others[e])
		if home != "" && e != home || home == "" && len(names) > 1 {
			of := " of "
			if drives == 0 {
				of = ", behind "
			}
			where += of + cmp.Or(names[e], e)
		}
	}
	if way := t.way(); way != "" {
		where = way + ": " + where
	}
	if t.Host != "" {
		where += ", on " + t.Host
	}
	return "(" + where + ")"
}

func (list things) words(home string, names map[string]string, most int) string {
	var parts []string
	for len(list) > 0 {
		first := list[0]
		n := 0
		for n < len(list) && list[n].Effect == first.Effect && list[n].path == first.path {
			n++
		}
		fate := "at stake: "
		switch {
		case first.Effect == KeepsPath && first.path == "":
			fate = "keeps a path: "
		case first.Effect == KeepsPath:
			fate = "goes on through " + first.path + ": "
		}
		parts = append(parts, fate+list[:n].enumerate(home, names, most))
		list = list[n:]
	}
	return strings.Join(parts, "; ")
}

// enumerate lists things of one fate, names each kind once, and counts the things beyond most.
func (list things) enumerate(home string, names map[string]string, most int) string {
	var parts []string
	for i, t := range list {
		if i == most && len(list)-i > 1 {
			return strings.Join(parts, ", ") + fmt.Sprintf(" and %d more", len(list)-i)
		}
		what := t.Name
		if i == 0 || list[i-1].Kind != t.Kind || what == "" {
			what = named(stakeKinds[t.Kind].all, what)
		}
		parts = append(parts, what+" "+t.words(home, names))
	}
	return strings.Join(parts, ", ")
}
