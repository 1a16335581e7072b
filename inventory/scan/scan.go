// Package scan reads the enclosures of a machine into an inventory.
//
// It sends nothing that changes a device or consumes what it reports: page 0Eh
// is never read, WRITE BUFFER and SEND DIAGNOSTIC are never sent, nodes are
// opened read-only, and disks not at all.
package scan

import (
	"context"
	"io/fs"

	"fwctl/internal/transport"
	"fwctl/inventory"
)

// Options limits a scan.
type Options struct {
	Devices []string // device nodes, "/dev/sg3" or "sg3"; none: all enclosures
}

// Scan reads every enclosure of a machine, or those of opts. A device that cannot
// be read is a problem in the inventory, never the end of the scan. The error
// says that there was nothing to scan: no SCSI generic devices, a device of
// opts that is none or no enclosure, no permission for any of them
// (errors.Is(err, fs.ErrPermission)), or ctx at its end.
func Scan(ctx context.Context, m transport.Machine, opts Options) (*inventory.Inventory, error) {
	return nil, nil
}

// Read reads one logical unit over a transport that the caller holds; path is
// the node's name for the record. What of the device cannot be read is in
// Reading.Problems; the error says that it is of no use as an enclosure:
// page 01h or INQUIRY failed, or nothing tells it from other logical units.
func Read(ctx context.Context, path string, t transport.Transport) (*inventory.Reading, error) {
	return nil, nil
}

// Assemble makes enclosures of readings, and joins them with what the host knows
// of SAS ports and block devices (sysfs, the file system of a Machine).
func Assemble(fsys fs.FS, readings []inventory.Reading) ([]inventory.Enclosure, []inventory.Problem) {
	return nil, nil
}

// Find returns the nodes through which the logical unit luID is reached now,
// sorted. Nodes that are gone, busy, or do not answer are left out.
func Find(ctx context.Context, m transport.Machine, luID string) ([]string, error) {
	return nil, nil
}
