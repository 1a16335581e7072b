// Package sim is a simulated rack of SES enclosures: a whole machine of device
// nodes, sysfs and drives, declared in a YAML file, whose running state outlives
// the process and is shared by all that open it.
//
// It is a second reading of SES and SPC, with its own byte writer: it imports
// neither scsi nor ses of this module, or a mistake that device and driver
// share would never show.
package sim

import (
	"errors"
	"fmt"
	"time"

	"fwctl/internal/transport"
)

// Rack is an open simulated rack. Its methods are safe for concurrent use, and
// several processes may have the same rack open.
type Rack struct {
	file string
}

// Open reads and checks a rack file (schemas/rack.schema.json). The running
// state is kept beside it, in <rackFile>.rack-state.json.
func Open(rackFile string) (*Rack, error) {
	return nil, &Error{Op: "open", Path: rackFile, Err: errors.ErrUnsupported}
}

// Error is a rack that cannot be used.
type Error struct {
	Op   string // "open", "read the state of", ...
	Path string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("cannot %s %s: %v", e.Op, e.Path, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Hosts lists the hosts that are attached to the rack, in the file's order.
func (r *Rack) Hosts() []string { return nil }

// Machine is one of the rack's hosts; "" is the first.
func (r *Rack) Machine(host string) (transport.Machine, error) { return nil, errors.ErrUnsupported }

// PowerCycle takes the power off an enclosure, by name or logical identifier,
// and puts it on again: deferred microcode starts, downloads are lost.
func (r *Rack) PowerCycle(enclosure string) error { return errors.ErrUnsupported }

// Unit is one logical unit as one path of one host sees it.
type Unit struct {
	Key         string // stable, and unique in the rack: "stor1/5000ccab04001000/esp1/0"
	Node        int    // N of /dev/sgN, now
	Host        int    // SCSI address, host:channel:target:lun
	Channel     int
	Target      int
	LUN         int
	Type        byte   // peripheral device type: 0Dh an enclosure, 00h a disk
	LUID        string // designator of the logical unit, 16 hex digits
	Incarnation int    // 0, and one more each time it has vanished and come back
}

// Units lists the logical units that host sees at this moment: a unit whose ESP
// has vanished is not among them, and is again, with another Incarnation and
// perhaps another Node, when it has come back.
func (r *Rack) Units(host string) ([]Unit, error) { return nil, errors.ErrUnsupported }

// Reply is what a logical unit answers to one command.
type Reply struct {
	Status  byte          // SAM status
	Sense   []byte        // with CHECK CONDITION, fixed format
	In      []byte        // data for the initiator, no longer than it has room for
	Latency time.Duration // the answer is due after this time; the effect is there already

	Gone     bool // the unit is not there: nothing was carried out, there is no status
	NoAnswer bool // there will never be an answer
}

// Execute carries out one command on the logical unit with this key. out is the
// parameter data, inLen the room for what comes back. An error means that the
// rack itself failed, not the command.
func (r *Rack) Execute(unit string, cdb, out []byte, inLen int) (Reply, error) {
	return Reply{}, errors.ErrUnsupported
}

// Image makes a simulated image of size bytes: a text header with the identity
// that the simulated enclosures look for, then deterministic filler.
func Image(vendor, product, revision string, size int) []byte { return nil }
