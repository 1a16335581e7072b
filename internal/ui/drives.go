package ui

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize/english"

	"fwctl/inventory"
)

// Drives draws the drives behind enclosures, a table each. names are those of the enclosures;
// probed: drives were opened to learn their use.
func (sc Screen) Drives(enclosures []*inventory.Enclosure, names inventory.Names, probed bool) string {
	var lines []string
	for _, e := range enclosures {
		if len(lines) > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, sc.wrap(drivesHead(e, names[e.ID()]), "", "  ")...)
		if len(e.Drives) > 0 {
			rows, _ := drivesTable(e, probed).draw(sc)
			lines = append(append(lines, ""), rows...)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// drivesHead counts the drives of an enclosure, and says where they were looked for.
func drivesHead(e *inventory.Enclosure, name string) string {
	head := e.ID()
	if name != "" {
		head += " (" + name + ")"
	}
	head += fmt.Sprintf(", %s %s: %s", e.Vendor, e.Product, drivesCount(e))
	if e.DrivesUnknown {
		head += ": no module lists them (page 0Ah)"
	}
	if len(e.DriveEvidence) > 0 {
		head += "; " + strings.Join(e.DriveEvidence, ", ")
	}
	return head + "."
}

// drivesCount counts the drives of an enclosure, and those in use.
func drivesCount(e *inventory.Enclosure) string {
	used, unknown := 0, 0
	for _, d := range e.Drives {
		switch {
		case len(d.InUse) > 0:
			used++
		case d.InUse == nil:
			unknown++
		}
	}
	switch {
	case len(e.Drives) > 0:
	case e.DrivesUnknown:
		return "drives unknown"
	default:
		return "no drives"
	}
	text := fmt.Sprintf("%s, %d in use", english.Plural(len(e.Drives), "drive", ""), used)
	if unknown > 0 {
		text += fmt.Sprintf(", %d of unknown use", unknown)
	}
	if e.DrivesUnknown {
		text += "; there may be more"
	}
	return text
}

func drivesTable(e *inventory.Enclosure, probed bool) table {
	t := table{columns: []column{
		{"SLOT", key}, {"ADDRESS", below}, {"TYPE", below}, {"PATHS", below}, {"IN USE", below}, {"WHY", reason},
	}}
	for i := range e.Drives {
		d := &e.Drives[i]
		slot := "none"
		if d.Slot != inventory.NoSlot {
			slot = strconv.Itoa(int(d.Slot))
		}
		r := row{cells: []string{slot, d.SASAddress, string(d.Protocol), pathsOf(e, d), driveUse(d), whyOf(d, probed)}}
		r.fill()
		t.rows = append(t.rows, r)
	}
	return t
}

// driveUse returns what uses a drive.
func driveUse(d *inventory.Drive) string {
	switch {
	case d.InUse == nil:
		return "unknown"
	case len(d.InUse) == 0:
		return "no"
	}
	return strings.Join(d.InUse, ", ")
}

// pathsOf lists the paths to a drive, and the modules that they go through.
func pathsOf(e *inventory.Enclosure, d *inventory.Drive) string {
	var all []string
	for _, p := range d.Paths {
		text := p.Device
		if esp := e.ESP(p.Via); esp != nil {
			text += " " + esp.ID()
		}
		if !p.Live {
			text += " DOWN"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// whyOf returns which source says what uses a drive, and which of its paths are not live.
func whyOf(d *inventory.Drive, probed bool) string {
	var why []string
	switch {
	case len(d.InUse) > 0:
	case d.InUse != nil:
		why = append(why, inventory.NoUser)
	case len(d.Paths) == 0:
		why = append(why, "this host does not see it")
	case !probed:
		why = append(why, "its use was not examined: --probe-use does")
	}
	for _, e := range d.Evidence {
		// On whose row it stands.
		why = append(why, strings.TrimSuffix(e, fmt.Sprintf(" in slot %d", d.Slot)))
	}
	for _, p := range d.Paths {
		if !p.Live && p.Down != "" {
			why = append(why, p.Device+" is not a live path: "+p.Down)
		}
	}
	return strings.Join(why, "\n")
}
