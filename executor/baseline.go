package executor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"fwctl/inventory"
)

// baseline is what of an enclosure was there, and well, before a run's first
// effect. It is kept in the store, for a run that is resumed and for Verify.
type baseline struct {
	Health inventory.Health `json:"health"`
	ESPs   []string         `json:"esps"`   // lu_ids
	Drives []driveBaseline  `json:"drives"` // nil where nobody could tell
}

type driveBaseline struct {
	Slot       inventory.SlotNumber `json:"slot"`
	SASAddress string               `json:"sas_address"`
	LUID       string               `json:"lu_id,omitempty"`
	Live       int                  `json:"live"` // paths whose device runs
	Used       int                  `json:"used"` // those of them that its users go on over
}

// keys name a drive: its logical unit, its address, its slot. Page 0Ah gives none,
// or another port's address, for a while after a reset.
func (d driveBaseline) keys() []string {
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
func (d driveBaseline) name() string {
	if d.Slot == inventory.NoSlot {
		return "the drive " + d.SASAddress + ", in no slot,"
	}
	return fmt.Sprintf("the drive in slot %d", d.Slot)
}

// baselineOf is what an enclosure of the run was like before it.
func (r *run) baselineOf(enclosure string) *baseline {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.baselines[enclosure]
}

func takeBaseline(e *inventory.Enclosure) *baseline {
	b := &baseline{Health: e.Health}
	for _, esp := range e.ESPs {
		b.ESPs = append(b.ESPs, esp.LUID)
	}
	if !e.DrivesUnknown {
		b.Drives = []driveBaseline{}
	}
	for _, d := range e.Drives {
		b.Drives = append(b.Drives, countPaths(d))
	}
	return b
}

func countPaths(d inventory.Drive) driveBaseline {
	b := driveBaseline{Slot: d.Slot, SASAddress: d.SASAddress, LUID: d.LUID}
	for _, p := range d.Paths {
		if p.Live {
			b.Live++
			if p.Used {
				b.Used++
			}
		}
	}
	return b
}

// decline names what was there, or well, and is not any more, in words.
func (b *baseline) decline(e *inventory.Enclosure) []string {
	var worse []string
	say := func(is bool, format string, args ...any) {
		if is {
			worse = append(worse, fmt.Sprintf(format, args...))
		}
	}
	for _, luID := range b.ESPs {
		say(!slices.ContainsFunc(e.ESPs, func(esp inventory.ESP) bool { return esp.LUID == luID }), "ESP %s is missing", luID)
	}
	was, is := b.Health, e.Health
	for _, failure := range is.Failures {
		say(!slices.Contains(was.Failures, failure), "%s", failure)
	}
	named := len(worse) > 0
	say(is.Unknown && !was.Unknown, "no ESP tells its health any more (page 02h)")
	say(is.Critical && !was.Critical && !named, "the enclosure reports a critical condition")
	say(is.Unrecoverable && !was.Unrecoverable && !named, "the enclosure reports an unrecoverable condition")
	if !is.Unknown {
		for _, name := range slices.Sorted(maps.Keys(was.Elements)) {
			say(is.Elements[name] < was.Elements[name], "%s: %d of %d are there", name, is.Elements[name], was.Elements[name])
		}
	}
	if e.DrivesUnknown {
		say(b.Drives != nil, "no ESP lists its drives any more (page 0Ah)")
		return worse
	}
	now := map[string]driveBaseline{}
	for _, d := range e.Drives {
		n := countPaths(d)
		for _, key := range append(n.keys(), fmt.Sprintf("slot %d", n.Slot)) {
			now[key] = n
		}
	}
	for _, d := range b.Drives {
		var n driveBaseline
		there := false
		for _, key := range d.keys() {
			if !there {
				n, there = now[key]
			}
		}
		say(!there, "%s (%s) is missing", d.name(), cmp.Or(d.SASAddress, "of unknown address"))
		say(there && n.Live < d.Live, "%s has %d of %d live paths", d.name(), n.Live, d.Live)
		say(there && n.Live >= d.Live && n.Used < d.Used, "multipath uses %d of %d paths to %s", n.Used, d.Used, d.name())
	}
	return worse
}

func (b *baseline) encode() []byte {
	data, err := json.Marshal(b)
	if err != nil {
		panic(err) // strings, numbers and booleans
	}
	return data
}

func parseBaseline(data []byte) (*baseline, error) {
	var b baseline
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, fmt.Errorf("cannot read what an enclosure was like before the run: %w", err)
	}
	return &b, nil
}
