package scan

import (
	"context"
	"errors"
	"strings"
	"time"

	"fwctl/internal/scsi"
)

// zpoolDeadline is how long `zpool status` may take. It asks the kernel and reads no disk;
// where a pool is suspended it may never return.
const zpoolDeadline = 5 * time.Second

// member is a drive's part in a ZFS pool.
type member struct {
	pool string // escaped, as what people read
	vdev string // likewise: "raidz2-0"; "" if it is a top-level vdev itself
	of   int    // members of the pool in all
}

// askPools returns the members of this host's ZFS pools by their devices: "/dev/sda1". A host
// whose pools are unknown has none here: an exclusive open shows their drives as held.
func (u *usage) askPools(ctx context.Context) map[string]member {
	ctx, cancel := context.WithTimeout(ctx, zpoolDeadline)
	defer cancel()
	status, err := u.machine.ZpoolStatus(ctx)
	if err != nil {
		return nil
	}
	pools, err := parseZpoolStatus(status)
	if err != nil {
		return nil
	}
	members := map[string]member{}
	for _, p := range pools {
		of := p.countDrives()
		for _, l := range p.leaves {
			if l.device == "" {
				continue
			}
			for _, device := range u.aliases(l.device) {
				if _, known := members[device]; !known { // a spare in use is listed for what it does first
					members[device] = member{scsi.Text(p.name).String(), scsi.Text(l.vdev).String(), of}
				}
			}
		}
	}
	return members
}

// pool is a ZFS pool as `zpool status -LP` shows it.
type pool struct {
	name   string
	leaves []leaf // of all of its classes, in the order of the text
}

// leaf is a member of a pool that is a device or a file.
type leaf struct {
	device string // its path; "" if it is not there now, whatever its path was
	vdev   string // the top-level vdev above it, else what it serves as: "logs", "cache", "spares"; else ""
}

// countDrives returns how many drives a pool has, with those that are missing.
func (p *pool) countDrives() int {
	n := 0
	seen := map[string]bool{}
	for _, l := range p.leaves {
		if l.device == "" || !seen[l.device] {
			n++
		}
		seen[l.device] = true
	}
	return n
}

var errZpoolStatus = errors.New("the text is not that of zpool status")

// parseZpoolStatus reads what `zpool status -LP` prints:
//
//	  pool: tank
//	 state: DEGRADED
//	config:
//
//		NAME                     STATE     READ WRITE CKSUM
//		tank                     DEGRADED     0     0     0
//		  mirror-0               DEGRADED     0     0     0
//		    /dev/sda1            ONLINE       0     0     0
//		    1234567890123456789  UNAVAIL      0     0     0  was /dev/sdb1
//		logs
//		  /dev/nvme0n1p1         ONLINE       0     0     0
//
//	errors: No known data errors
//
// The name of each row is indented by its depth and ends where the heading has STATE, so that
// a name may have blanks. A pool's own row is at depth 0, and so are the headings of what it
// has beside its data: dedup, special, logs, cache, spares.
func parseZpoolStatus(text string) ([]pool, error) {
	if strings.TrimSpace(text) == "no pools available" {
		return nil, nil
	}
	var pools []pool
	width := 0    // of the names; 0 outside a table
	heading := "" // of the class of the rows
	vdev := ""    // the top-level vdev of the rows
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if name, ok := strings.CutPrefix(line, "  pool: "); ok && name != "" {
			pools, width = append(pools, pool{name: name}), 0
			continue
		}
		row, inTable := strings.CutPrefix(line, "\t")
		if !inTable || len(pools) == 0 {
			if strings.TrimSpace(line) != "" {
				width = 0 // a key of the pool: its table is over
			}
			continue
		}
		if at := strings.Index(row, " STATE "); strings.HasPrefix(row, "NAME ") && at > 0 {
			width, heading, vdev = at, "", ""
			continue
		}
		if width == 0 {
			continue // lines that go on under another key
		}
		p := &pools[len(pools)-1]
		name := row[:min(width, len(row))]
		depth := (len(name) - len(strings.TrimLeft(name, " "))) / 2
		switch name = strings.TrimSpace(name); {
		case name == "":
		case depth == 0:
			heading, vdev = "", ""
			if name != p.name {
				heading = name
			}
		case depth == 1 && !isLeaf(name):
			vdev = name
		case isLeaf(name):
			l := leaf{vdev: vdev}
			if depth == 1 {
				l.vdev, vdev = heading, ""
			}
			if strings.HasPrefix(name, "/") {
				l.device = name
			}
			p.leaves = append(p.leaves, l)
		}
	}
	if len(pools) == 0 {
		return nil, errZpoolStatus
	}
	return pools, nil
}

// isLeaf reports whether a row is about a device: by its path, or of one that is not there by
// its GUID. A vdev above others is called mirror-0, raidz2-1, draid2:4d:8c:1s-0, replacing-3
// or spare-2.
func isLeaf(name string) bool {
	return strings.HasPrefix(name, "/") || strings.Trim(name, "0123456789") == ""
}
