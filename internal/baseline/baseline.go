// Package baseline is what an enclosure was like before a run touched it, and what of that is worse now.
//
// It is pure: it compares one reading of an enclosure with another, and knows no device and no store.
package baseline

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"fwctl/inventory"
)

// Baseline is what of an enclosure was there, and well, before its components were
// worked on.
type Baseline struct {
	Health inventory.Health `json:"health"`
	// ESPs are lu_ids.
	ESPs []string `json:"esps"`
	// Drives is nil if no ESP listed them.
	Drives []Drive `json:"drives"`

	// Components are those of all its ESPs, worked on or not: a plan has a row of what
	// cannot be read any more.
	Components []inventory.Known `json:"components,omitempty"`
}

// Drive is a drive as it was.
type Drive struct {
	Slot       inventory.SlotNumber `json:"slot"`
	SASAddress string               `json:"sas_address"`
	LUID       string               `json:"lu_id,omitempty"`
	// Live counts the paths that are live, Used those of them that its users go on over.
	Live int `json:"live"`
	Used int `json:"used"`
	// Paths are those that are live.
	Paths []Path `json:"paths,omitempty"`
}

// Path is a live path as it was. Its device may have another name when it
// has come back.
type Path struct {
	Device string `json:"device"`
	// Via is the lu_id of the ESP that it goes through, "" if that is unknown.
	Via string `json:"via"`
}

// keys name a drive: its logical unit, its address, its slot. Page 0Ah gives none,
// or another port's address, for a while after a reset.
func (d Drive) keys() []string {
	var keys []string
	if d.LUID != "" {
		keys = append(keys, "unit "+d.LUID)
	}
	if d.SASAddress != "" {
		keys = append(keys, "port "+d.SASAddress)
	}
	if d.SASAddress == "" && d.Slot != inventory.NoSlot {
		keys = append(keys, fmt.Sprintf("slot %d", d.Slot))
	}
	return keys
}

// name is what people know a drive by.
func (d Drive) name() string {
	if d.Slot == inventory.NoSlot {
		return "the drive " + d.SASAddress + ", in no slot,"
	}
	return fmt.Sprintf("the drive in slot %d", d.Slot)
}

// Take returns what an enclosure is like now.
func Take(e *inventory.Enclosure) *Baseline {
	b := &Baseline{Health: e.Health}
	aliases := map[string][]string{}
	for _, c := range e.Named() {
		aliases[c.Address] = c.Aliases
	}
	for _, esp := range e.ESPs {
		b.ESPs = append(b.ESPs, esp.LUID)
		for _, sub := range esp.Subenclosures {
			known := inventory.Known{Address: sub.Address, LUID: esp.LUID, Aliases: aliases[sub.Address]}
			b.Components = append(b.Components, known)
		}
	}
	if !e.DrivesUnknown {
		b.Drives = []Drive{}
	}
	for _, d := range e.Drives {
		b.Drives = append(b.Drives, countPaths(d))
	}
	return b
}

func countPaths(d inventory.Drive) Drive {
	b := Drive{Slot: d.Slot, SASAddress: d.SASAddress, LUID: d.LUID}
	for _, p := range d.Paths {
		if p.Live {
			b.Paths = append(b.Paths, Path{p.Device, p.Via})
			b.Live++
			if p.Used {
				b.Used++
			}
		}
	}
	return b
}

// Decline names what was there, or well, and is not any more, in words.
func (b *Baseline) Decline(e *inventory.Enclosure) []string {
	var worse []string
	say := func(is bool, format string, args ...any) {
		if is {
			worse = append(worse, fmt.Sprintf(format, args...))
		}
	}
	for _, luID := range b.ESPs {
		say(e.ESP(luID) == nil, "ESP %s is missing", luID)
	}
	was, is := b.Health, e.Health
	for _, failure := range is.Failures {
		say(!slices.Contains(was.Failures, failure), "%s", failure)
	}
	named := len(worse) > 0
	say(is.Unknown && !was.Unknown, "no ESP reports its health any more (page 02h)")
	say(is.Critical && !was.Critical && !named, "the enclosure reports a critical condition")
	say(is.Unrecoverable && !was.Unrecoverable && !named, "the enclosure reports an unrecoverable condition")
	if !is.Unknown {
		for _, name := range slices.Sorted(maps.Keys(was.Elements)) {
			say(is.Elements[name] < was.Elements[name], "%s: %d of %d are there", name, is.Elements[name],
				was.Elements[name])
		}
	}
	return append(worse, b.lost(e)...)
}

// lost names drives, and paths to drives, that were there and are not any more, in words.
func (b *Baseline) lost(e *inventory.Enclosure) []string {
	if e.DrivesUnknown {
		if b.Drives != nil {
			return []string{"no ESP lists its drives any more (page 0Ah)"}
		}
		return nil
	}
	now := map[string]*inventory.Drive{}
	for i := range e.Drives {
		d := &e.Drives[i]
		for _, key := range append(countPaths(*d).keys(), fmt.Sprintf("slot %d", d.Slot)) {
			now[key] = d
		}
	}
	var lost []string
	for _, was := range b.Drives {
		var d *inventory.Drive
		for _, key := range was.keys() {
			if d == nil {
				d = now[key]
			}
		}
		if d == nil {
			lost = append(lost, fmt.Sprintf("%s (%s) is missing", was.name(),
				cmp.Or(was.SASAddress, "of unknown address")))
			continue
		}
		switch is := countPaths(*d); {
		case is.Live < was.Live:
			lost = append(lost, fmt.Sprintf("%s has %d of %d live paths%s", was.name(), is.Live, was.Live,
				was.downPaths(e, d)))
		case is.Used < was.Used:
			lost = append(lost, fmt.Sprintf("multipath uses %d of %d paths to %s", is.Used, was.Used, was.name()))
		}
	}
	return lost
}

// downPaths says of the paths to a drive which are not live, through which module
// and why, and which are gone; "" if nothing is known of them.
func (d Drive) downPaths(e *inventory.Enclosure, now *inventory.Drive) string {
	said := downPaths(e, now)
	for _, p := range d.Paths {
		if !slices.ContainsFunc(now.Paths, func(n inventory.DrivePath) bool { return n.Device == p.Device }) {
			said = append(said, p.Device+through(e, p.Via)+" is gone")
		}
	}
	if len(said) == 0 {
		return ""
	}
	return " (" + strings.Join(said, ", ") + ")"
}

// downPaths says which paths to a drive are not live, and why.
func downPaths(e *inventory.Enclosure, d *inventory.Drive) []string {
	var said []string
	for _, p := range d.Paths {
		if !p.Live && p.Down != "" {
			said = append(said, p.Device+through(e, p.Via)+": "+p.Down)
		}
	}
	return said
}

// through names the ESP of an enclosure that a path goes through.
func through(e *inventory.Enclosure, luID string) string {
	if luID == "" {
		return ""
	}
	esp := e.ESP(luID)
	if esp == nil {
		return " through " + luID
	}
	return " through " + esp.ID()
}

// DownDrive is a drive that something uses, and to which not all paths are live.
type DownDrive struct {
	// Name is what people know it by, as in "the drive in slot 7".
	Name string
	// Why lists each path that is down, through which ESP, and why.
	Why string
}

// DownDrives returns the drives of an enclosure that are in use and lack a path.
func DownDrives(e *inventory.Enclosure) []DownDrive {
	var all []DownDrive
	for i := range e.Drives {
		d := &e.Drives[i]
		if why := downPaths(e, d); len(why) > 0 && len(d.InUse) > 0 {
			all = append(all, DownDrive{countPaths(*d).name(), strings.Join(why, ", ")})
		}
	}
	return all
}

// Encode returns a baseline as Parse reads it.
func (b *Baseline) Encode() []byte {
	data, err := json.Marshal(b)
	if err != nil {
		// Strings, numbers and booleans always encode.
		panic(err)
	}
	return data
}

// Parse reads what Encode has written.
func Parse(data []byte) (*Baseline, error) {
	var b Baseline
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, fmt.Errorf("cannot read what an enclosure was like before the run: %w", err)
	}
	return &b, nil
}
