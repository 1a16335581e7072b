package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"fwctl/inventory"
)

// watchFor is the shortest time between two looks at the counters. There is one such wait
// in a scan, and the time that reading the enclosures takes counts.
const watchFor = 2 * time.Second

// counters are the requests that disks have completed, by their names. Disks
// without counters are not in it.
type counters struct {
	at    time.Time
	disks map[string]requests
}

// requests are read off /sys/block/X/stat. Discards count as writes.
type requests struct {
	reads, writes uint64
	unknown       string // why they do not show what was done, "" if they do
}

// disksOf lists the block devices of a machine by name.
func disksOf(fsys fs.FS) []string {
	// None: there are no disks.
	entries, _ := fs.ReadDir(fsys, blockDir)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// readCounters reads the counters of disks.
func readCounters(fsys fs.FS, disks []string) counters {
	c := counters{time.Now(), map[string]requests{}}
	for _, disk := range disks {
		stat, err := fs.ReadFile(fsys, path.Join(blockDir, disk, "stat"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		counted := parseStat(string(stat)) // of nothing, after an error: unknown
		if text(fsys, path.Join(blockDir, disk, "queue/iostats")) == "0" {
			counted.unknown = "its counters stand still: queue/iostats is 0"
		}
		c.disks[disk] = counted
	}
	return c
}

const notCompared = "its counters could not be compared"

// parseStat reads /sys/block/X/stat, see Documentation/block/stat.rst of the kernel:
// reads, writes and discards are the 1st, 5th and 12th number. Kernels before 4.18
// do not count discards.
func parseStat(stat string) requests {
	fields := strings.Fields(stat)
	if len(fields) < 11 {
		return requests{unknown: notCompared}
	}
	var r requests
	field := func(n int) uint64 {
		if n >= len(fields) {
			return 0
		}
		v, err := strconv.ParseUint(fields[n], 10, 64)
		if err != nil {
			r.unknown = notCompared
		}
		return v
	}
	r.reads, r.writes = field(0), field(4)+field(11)
	return r
}

// moved describes what someone did to a disk between two looks. words is "" if that was
// nothing, or no more than a path checker does, which reads once a second at most. unknown
// says why the counters cannot be used: they could not be read, stand still, or belong to
// another disk. Otherwise it is "".
func (c counters) moved(later counters, disk string) (words, unknown string) {
	before, had := c.disks[disk]
	now, has := later.disks[disk]
	switch {
	case before.unknown != "" || now.unknown != "":
		return "", cmp.Or(before.unknown, now.unknown)
	case had != has || now.reads < before.reads || now.writes < before.writes:
		return "", notCompared
	}
	const slack = 2
	allowed := slack + uint64(later.at.Sub(c.at)/time.Second)
	reads, writes := now.reads-before.reads, now.writes-before.writes
	if writes == 0 && reads <= allowed {
		return "", ""
	}
	return fmt.Sprintf("its counters moved while fwctl looked: %s, %s",
		counted(writes, "write"), counted(reads, "read")), ""
}

func counted(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// watch waits until the counters of disks have had time to move, and reads them again.
// It does not wait if none of the disks has usable counters.
func (c counters) watch(ctx context.Context, fsys fs.FS, disks []string) counters {
	for _, disk := range disks {
		if counted, has := c.disks[disk]; !has || counted.unknown != "" {
			continue
		}
		timer := time.NewTimer(watchFor - time.Since(c.at))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		break
	}
	return readCounters(fsys, disks)
}

// busy notes which of a drive's block devices someone was using while fwctl
// looked. What is done over one path of a multipath map can be done over the others.
// It reports whether all of their counters could be compared.
func (u *usage) busy(before, now counters, blocks []inventory.BlockDevice, drive []int) bool {
	all := true
	for _, i := range drive {
		words, unknown := before.moved(now, blocks[i].Name)
		if unknown != "" {
			all = false
			blocks[i].Evidence = append(blocks[i].Evidence, unknown)
		}
		if words == "" {
			continue
		}
		over := u.wholes(blocks[i].Name)[0].name
		use := inventory.BlockUse{Use: inventory.Use{Kind: inventory.UnknownUse, Name: words}, Over: over}
		for _, j := range drive {
			if u.wholes(blocks[j].Name)[0].name == over {
				blocks[j].Uses = append(blocks[j].Uses, use)
			}
		}
	}
	return all
}
