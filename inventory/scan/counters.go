package scan

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"fwctl/inventory"
)

// counters are the requests that disks have completed, by their names.
type counters struct {
	at    time.Time
	disks map[string]requests
}

// requests are read off /sys/block/X/stat. Discards count as writes.
type requests struct{ reads, writes uint64 }

func readCounters(fsys fs.FS) counters {
	c := counters{time.Now(), map[string]requests{}}
	entries, _ := fs.ReadDir(fsys, blockDir) // none: there are no disks
	for _, e := range entries {
		fields := strings.Fields(text(fsys, path.Join(blockDir, e.Name(), "stat")))
		field := func(n int) uint64 {
			if n >= len(fields) {
				return 0
			}
			v, _ := strconv.ParseUint(fields[n], 10, 64) // the kernel writes numbers
			return v
		}
		if len(fields) > 0 {
			c.disks[e.Name()] = requests{field(0), field(4) + field(11)}
		}
	}
	return c
}

// moved says what somebody did to a disk between two looks, "" for nothing, or
// for no more than a path checker does: it reads once a second at most.
func (c counters) moved(later counters, disk string) string {
	before, ok := c.disks[disk]
	now, still := later.disks[disk]
	if !ok || !still {
		return ""
	}
	const slack = 2
	switch allowed := slack + uint64(later.at.Sub(c.at)/time.Second); {
	case now.writes != before.writes:
		return "written to while fwctl looked"
	case now.reads-before.reads > allowed:
		return "read from while fwctl looked"
	}
	return ""
}

// busy notes which of a drive's block devices somebody was using while fwctl
// looked. What is done over one path of a multipath map can be done over the others.
func (u *usage) busy(moved func(disk string) string, blocks []inventory.BlockDevice, drive []int) {
	for _, i := range drive {
		words := moved(blocks[i].Name)
		if words == "" {
			continue
		}
		over := u.wholes(blocks[i].Name)[0].name
		for _, j := range drive {
			if u.wholes(blocks[j].Name)[0].name == over {
				blocks[j].Uses = append(blocks[j].Uses, inventory.Use{Words: words, Over: over})
			}
		}
		return
	}
}
