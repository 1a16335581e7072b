// Package sim simulates a rack of SES enclosures: a whole machine with device nodes, sysfs
// and drives, declared in a YAML file. Its running state outlives the process, and all
// processes that open the rack share it.
//
// It is a second reading of SES and SPC, with its own byte writer. It never imports packages
// scsi and ses: a mistake that device and driver share would not show.
//
// A command is carried out at one instant, under the lock of the rack; the time that its
// answer takes is spent afterwards. Anything that takes time on its own (flash, reboots) is a
// deadline in the state: it has happened once someone looks after the deadline.
package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"fwctl/internal/document"
)

// Rack is an open simulated rack. Its methods are safe for concurrent use, and
// several processes may have the same rack open.
type Rack struct {
	file  string
	locks string // directory of lock files
	def   *definition

	mu        sync.Mutex
	state     *state
	raw       []byte // what state was read from, or written as
	untouched []byte // what raw is where there is no state file
	due       time.Time
	trees     map[string]*tree // what the kernel of each host shows, valid for state
	traceSeq  int
	traceSize int64

	private *locks // of a rack that OpenPrivate has opened, nil for others
	shown   string // of a private rack: what trees show
	traced  []byte // likewise: its trace
}

// Error is a rack that cannot be used.
type Error struct {
	Op   string // "open", "use the state", ...
	Path string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("cannot %s %s: %v", e.Op, e.Path, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Open reads and checks a rack file (schemas/rack.schema.json). The running
// state is kept beside it, in <rackFile>.rack-state.json, with locks in
// <rackFile>.rack-locks. Open refuses a rack file that has changed since its state was made.
func Open(rackFile string) (*Rack, error) {
	r, err := open(rackFile)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(r.locks, 0o755); err != nil {
		return nil, &Error{Op: "make the lock directory of", Path: rackFile, Err: err}
	}
	return r, r.look(func(*state, time.Time) error { return nil })
}

// maxRack bounds a rack file, in bytes.
const maxRack = 64 << 20

func open(rackFile string) (*Rack, error) {
	data, err := document.Read(rackFile, maxRack)
	if err != nil {
		return nil, &Error{Op: "open", Path: rackFile, Err: err}
	}
	def, err := define(rackFile, data)
	if err != nil {
		return nil, &Error{Op: "use rack", Path: rackFile, Err: err}
	}
	r := &Rack{file: rackFile, locks: rackFile + ".rack-locks", def: def}
	if r.untouched, err = encodeState(def.fresh()); err != nil {
		return nil, &Error{Op: "encode the state of", Path: rackFile, Err: err}
	}
	return r, nil
}

// Hosts lists the hosts that are attached to the rack, in the file's order.
func (r *Rack) Hosts() []string { return r.def.Hosts }

// TraceFile returns the file that the commands are traced to, or "".
func (r *Rack) TraceFile() string { return r.def.Trace }

// PowerCycle switches an enclosure off and on again, by name or logical identifier: deferred
// microcode starts, downloads are lost.
func (r *Rack) PowerCycle(enclosure string) error {
	for _, e := range r.def.Enclosures {
		if e.Name != enclosure && e.LogicalID.String() != enclosure {
			continue
		}
		return r.look(func(s *state, now time.Time) error {
			for _, p := range e.ESPs {
				r.reset(s, p, nil, &p.parts[0].download, now, byPower)
			}
			return nil
		})
	}
	return &Error{Op: "power-cycle", Path: enclosure, Err: errNoEnclosure}
}

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

// Units lists the logical units that host sees at this moment. A unit whose ESP has vanished
// is not among them; when it has come back it is, with another Incarnation and perhaps
// another Node.
func (r *Rack) Units(host string) ([]Unit, error) {
	var units []Unit
	err := r.look(func(s *state, now time.Time) error {
		for _, u := range r.def.units {
			if u.host == host && s.visible(u) {
				units = append(units, s.unitNow(u))
			}
		}
		return nil
	})
	return units, err
}

func (s *state) unitNow(u *unit) Unit {
	deviceType, lu, _, _ := u.identification()
	node, incarnation := s.node(u), 0
	if us := s.unit(u); us != nil {
		incarnation = us.Incarnation
	}
	return Unit{
		Key: u.key, Node: node, Host: u.cable + 1, Target: node,
		Type: deviceType, LUID: lu.String(), Incarnation: incarnation,
	}
}

// node is the N of a unit's /dev/sgN now.
func (s *state) node(u *unit) int {
	if us := s.unit(u); us != nil && us.Node != nil {
		return *us.Node
	}
	return u.node
}

// visible reports whether the kernel shows a unit: drives come and go with the ESP whose
// expander they are attached to.
func (s *state) visible(u *unit) bool {
	switch {
	case u.drive != nil:
		return s.visible(u.via)
	case u.other != nil:
		return true
	}
	es := s.esp(u.esp)
	return !es.Dead && (es.Reboot == nil || !es.Reboot.Vanish) && s.unit(u).GoneUntil.IsZero()
}

// fixedNode returns a return node that is given by number; the schema accepts only digits.
func fixedNode(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// Reply is what a logical unit answers to one command.
type Reply struct {
	Status  byte          // SAM status
	Sense   []byte        // with CHECK CONDITION
	In      []byte        // data for the initiator, no longer than it has room for
	Latency time.Duration // the answer is due after this time; the effect is there already
	Host    uint16        // Linux host status (DID_*), and no status of the device's, where it is not 0

	// Without a status: Gone alone says that the unit is not there and nothing was
	// carried out, NoAnswer alone that there will never be an answer, and both
	// that the unit left with this command under way.
	Gone, NoAnswer bool
}

// Execute carries out one command on the logical unit with this key. out is the
// parameter data, inLen the room for what comes back. An error means that the
// rack itself failed, not the command.
func (r *Rack) Execute(unit string, cdb, out []byte, inLen int) (Reply, error) {
	u := r.def.byKey[unit]
	if u == nil {
		return Reply{}, &Error{Op: "send a command to", Path: unit, Err: fmt.Errorf("no such logical unit in the rack")}
	}
	return r.execute(u, -1, cdb, out, inLen)
}

// execute is Execute for a unit as it was in an incarnation, or in any (-1).
func (r *Rack) execute(u *unit, incarnation int, cdb, out []byte, inLen int) (Reply, error) {
	var reply Reply
	err := r.look(func(s *state, now time.Time) error {
		if incarnation >= 0 && s.unitNow(u).Incarnation != incarnation {
			reply = Reply{Gone: true}
			return nil
		}
		if !s.visible(u) {
			reply = Reply{Gone: true}
			return nil
		}
		node := s.node(u)
		d := &device{rack: r, s: s, now: now, u: u, p: u.esp}
		reply = d.run(cdb, out, inLen)
		return r.trace(newTraceLine(now, u, node, cdb, out, reply))
	})
	return reply, err
}

// newTraceLine is one command and its answer, as the trace has them.
func newTraceLine(now time.Time, u *unit, node int, cdb, out []byte, reply Reply) traceLine {
	_, lu, _, _ := u.identification()
	line := traceLine{
		Time: now, Host: u.host, Node: fmt.Sprintf("/dev/sg%d", node), LU: lu.String(), CDB: hex.EncodeToString(cdb),
		OutLength: len(out), Out: hex.EncodeToString(out[:min(len(out), 24)]), InLength: len(reply.In),
		Status: reply.Status, Sense: hex.EncodeToString(reply.Sense), Effect: len(cdb) > 2 && hasEffect(cdb),
		NoAnswer: reply.NoAnswer || reply.Gone || reply.Host != 0,
	}
	if len(out) > 0 {
		sum := sha256.Sum256(out)
		line.OutSHA256 = hex.EncodeToString(sum[:])
	}
	return line
}
