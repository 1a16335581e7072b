package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// state is everything about a rack that changes. Deadlines are absolute: flash writing goes
// on while no process looks.
type state struct {
	Rack  string                `json:"rack"` // SHA-256 of the rack file
	ESPs  map[string]*espState  `json:"esps,omitempty"`
	Parts map[string]*partState `json:"parts,omitempty"`
	Units map[string]*unitState `json:"units,omitempty"`

	Matches map[string]int       `json:"matches,omitempty"`  // commands that fitted a fault's when, by fault
	Syncs   map[string]time.Time `json:"syncs,omitempty"`    // enclosures whose ESPs agree on a revision then
	MaxNode map[string]int       `json:"max_node,omitempty"` // highest /dev/sgN that a host ever had
	Outages []outage             `json:"outages,omitempty"`  // all that there were, in their order
}

// outage is a time in which an ESP, or a path to it, was not there.
type outage struct {
	ESP   string    `json:"esp"`
	Path  string    `json:"path,omitempty"` // the unit that had gone; "": all of them
	Why   string    `json:"why"`            // as below
	From  time.Time `json:"from"`
	Until time.Time `json:"until,omitzero"`  // zero: for ever
	Stays bool      `json:"stays,omitempty"` // on the bus, and drives are reached through it
}

// Why there was an outage.
const (
	byReset = "reset" // new microcode was started, by a command or at the end of a download
	byPower = "power"
	byPeer  = "peer" // the other ESP brought it to its own revision
	byFault = "fault"
)

type espState struct {
	Generation uint32    `json:"generation"`
	Reboot     *reboot   `json:"reboot,omitempty"`
	Dead       bool      `json:"dead,omitempty"`
	Kernel     *identity `json:"kernel,omitempty"`  // what sysfs still says, nil for the declared identity
	Lie        string    `json:"lie,omitempty"`     // revision that is reported in place of the true one
	Started    string    `json:"started,omitempty"` // why it has started last, as an outage has it
	Mute       bool      `json:"mute,omitempty"`    // it is on the bus, and answers nothing
	Late       []late    `json:"late,omitempty"`    // commands that it has answered and not carried out yet
}

// late is a command that is carried out after that many further ones, or at a time.
type late struct {
	CDB      []byte    `json:"cdb"`
	Out      []byte    `json:"out"`
	Commands int       `json:"commands,omitempty"`
	At       time.Time `json:"at,omitzero"`
}

// reboot is a reset under way.
type reboot struct {
	Why    string    `json:"why"`
	Until  time.Time `json:"until"`
	Vanish bool      `json:"vanish"`
	Quiet  bool      `json:"quiet,omitempty"` // whoever finds it first takes its unit attentions
	// Node is how it returns: same, other, or the number of the first path's node
	Node      string   `json:"node"`
	Activates []string `json:"activates,omitempty"` // parts whose deferred microcode starts with it
}

type partState struct {
	Vendor   string `json:"vendor,omitempty"` // running identity, "" as declared
	Product  string `json:"product,omitempty"`
	Revision string `json:"revision,omitempty"`

	Status     byte      `json:"status,omitempty"` // download microcode status and additional status, to be reported
	Additional byte      `json:"additional,omitempty"`
	Load       *load     `json:"load,omitempty"`
	Writing    *staged   `json:"writing,omitempty"` // all received, going to flash until FlashUntil
	FlashUntil time.Time `json:"flash_until,omitzero"`
	Staged     *staged   `json:"staged,omitempty"`
	// Restart is when a secondary subenclosure runs its new microcode.
	Restart     time.Time `json:"restart,omitzero"`
	EngineReset bool      `json:"engine_reset,omitempty"` // a status read has reset the download engine
	Broken      bool      `json:"broken,omitempty"`       // nothing to boot from
	BootFails   bool      `json:"boot_fails,omitempty"`   // the next microcode that is started does not run
	Activated   bool      `json:"activated,omitempty"`    // mode 0Fh has left a code in the status page, not read yet
	LoadUntil   time.Time `json:"load_until,omitzero"`    // a download that does not go on times out then
	// Runs is the SHA-256 of the image that it runs, "" for what it ran at first
	Runs string `json:"runs,omitempty"`

	Beside map[byte]string `json:"beside,omitempty"` // likewise of the parts beside it, by buffer id

	Received []received `json:"received,omitempty"` // every whole image, oldest first
}

// load is a download in progress.
type load struct {
	Mode     byte   `json:"mode"`
	BufferID byte   `json:"buffer_id"`
	Length   int    `json:"length"` // whole image, 0 if nobody said (WRITE BUFFER)
	Next     int    `json:"next"`   // offset expected next, and bytes received so far
	Gaps     int    `json:"gaps,omitempty"`
	Doubles  int    `json:"doubles,omitempty"`
	Hash     []byte `json:"hash"`             // running SHA-256
	Head     []byte `json:"head"`             // the first bytes, as far as the identity may go
	Tail     []byte `json:"tail"`             // the last bytes, as long as a trailer
	Buffer   bool   `json:"buffer,omitempty"` // it comes by WRITE BUFFER
}

// staged is microcode that is complete and not running yet.
type staged struct {
	Vendor   string `json:"vendor"`
	Product  string `json:"product"`
	Revision string `json:"revision"`
	SHA256   string `json:"sha256"`
	Starts   byte   `json:"starts"` // completion code that says what starts it, 10h to 13h
	Mode     byte   `json:"mode"`
	Via      string `json:"via"`              // ESP that it was downloaded through
	Buffer   bool   `json:"buffer,omitempty"` // by WRITE BUFFER
	BufferID byte   `json:"buffer_id,omitempty"`
}

// received is a whole image as it arrived.
type received struct {
	SHA256  string `json:"sha256"`
	Size    int    `json:"size"`
	Mode    byte   `json:"mode"`
	Gaps    int    `json:"gaps,omitempty"`
	Doubles int    `json:"doubles,omitempty"`
}

type unitState struct {
	Attentions  [][2]byte `json:"attentions,omitempty"` // pending unit attentions, ASC and ASCQ
	Incarnation int       `json:"incarnation,omitempty"`
	Node        *int      `json:"node,omitempty"` // where it is not the declared one
	GoneUntil   time.Time `json:"gone_until,omitzero"`
}

func (s *state) esp(p *esp) *espState    { return s.ESPs[p.key] }
func (s *state) part(p *part) *partState { return s.Parts[p.key] }

// unit is nil for drives and others, which nothing ever happens to.
func (s *state) unit(u *unit) *unitState { return s.Units[u.key] }

// fresh returns the state of a rack that nothing has happened to.
func (d *definition) fresh() *state {
	s := &state{
		Rack: d.digest, ESPs: map[string]*espState{}, Parts: map[string]*partState{}, Units: map[string]*unitState{},
		Matches: map[string]int{}, Syncs: map[string]time.Time{}, MaxNode: map[string]int{},
	}
	for _, p := range d.esps {
		s.ESPs[p.key] = &espState{Generation: *p.Generation}
	}
	for _, p := range d.parts {
		st := &partState{}
		if l := p.download.Left; l.Bytes > 0 {
			st.Load = newLoad(byte(l.Mode), p.download.BufferID, l.Length, false)
			st.Load.Next = l.Bytes
			st.Broken = p.download.SingleBank && l.Mode != modeDefer
		}
		s.Parts[p.key] = st
	}
	for _, u := range d.units {
		if u.esp != nil {
			s.Units[u.key] = &unitState{}
		}
		s.MaxNode[u.host] = max(s.MaxNode[u.host], u.node)
	}
	return s
}

var errRackChanged = errors.New("the rack file is not the one that this state was made with: " +
	"put it back, or remove the state to start over")

// look calls fn with the present state, under the lock of the rack, and keeps what fn changed.
// fn must not wait. look writes the state file only if something has changed: a rack that was
// only read has none.
func (r *Rack) look(fn func(s *state, now time.Time) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.private != nil {
		now := time.Now().UTC()
		r.settle(r.state, now)
		err := fn(r.state, now)
		if shown := r.shape(); shown != r.shown {
			r.shown, r.trees = shown, nil
		}
		return err
	}
	unlock, err := lockFile(filepath.Join(r.locks, "rack"), true, true)
	if err != nil {
		return &Error{Op: "lock", Path: r.file, Err: err}
	}
	defer unlock()
	if err := r.reload(); err != nil {
		return err
	}
	now := time.Now().UTC()
	r.settle(r.state, now)
	err = fn(r.state, now)
	if saveErr := r.save(); err == nil {
		err = saveErr
	}
	return err
}

// reload reads the state if another process, or another Rack, has changed it.
func (r *Rack) reload() error {
	data, err := os.ReadFile(r.stateFile())
	if errors.Is(err, fs.ErrNotExist) {
		data, err = r.untouched, nil
	}
	if err != nil {
		return &Error{Op: "read the state", Path: r.stateFile(), Err: err}
	}
	if bytes.Equal(data, r.raw) {
		return nil
	}
	s := r.def.fresh()
	if err := json.Unmarshal(data, s); err != nil {
		return &Error{Op: "decode the state", Path: r.stateFile(), Err: err}
	}
	if s.Rack != r.def.digest {
		return &Error{Op: "use the state", Path: r.stateFile(), Err: errRackChanged}
	}
	r.state, r.raw, r.trees = s, data, nil
	return nil
}

// save writes the state if it has changed. The rename is atomic: a reader without the lock
// sees one state or the other.
func (r *Rack) save() error {
	data, err := encodeState(r.state)
	if err != nil {
		return &Error{Op: "encode the state", Path: r.stateFile(), Err: err}
	}
	if bytes.Equal(data, r.raw) {
		return nil
	}
	next := r.stateFile() + ".new"
	if err := os.WriteFile(next, data, 0o644); err != nil {
		return &Error{Op: "write the state", Path: next, Err: err}
	}
	if err := os.Rename(next, r.stateFile()); err != nil {
		return &Error{Op: "replace the state", Path: r.stateFile(), Err: err}
	}
	r.raw, r.trees = data, nil
	return nil
}

func encodeState(s *state) ([]byte, error) {
	data, err := json.Marshal(s)
	return append(data, '\n'), err
}

func (r *Rack) stateFile() string { return stateFile(r.file) }

func stateFile(rackFile string) string { return rackFile + ".rack-state.json" }

// traceLine is one command in the trace.
type traceLine struct {
	Seq       int       `json:"seq"`
	Time      time.Time `json:"time"`
	Host      string    `json:"host"`
	Node      string    `json:"node"`
	LU        string    `json:"lu"`
	CDB       string    `json:"cdb"`
	OutLength int       `json:"out_length"`
	Out       string    `json:"out,omitempty"`        // the first 24 bytes
	OutSHA256 string    `json:"out_sha256,omitempty"` // of all of it
	InLength  int       `json:"in_length"`
	Status    byte      `json:"status"`
	Sense     string    `json:"sense,omitempty"`
	Effect    bool      `json:"effect"`
	NoAnswer  bool      `json:"no_answer,omitempty"`
}

// trace appends a line, under the lock of the rack. The sequence continues from the last
// line, whoever wrote it.
func (r *Rack) trace(line traceLine) error {
	if r.def.Trace == "" {
		return nil
	}
	if r.private != nil {
		r.traceSeq++
		line.Seq = r.traceSeq
		data, err := json.Marshal(line)
		r.traced = append(append(r.traced, data...), '\n')
		return err
	}
	f, err := os.OpenFile(r.def.Trace, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return &Error{Op: "open the trace", Path: r.def.Trace, Err: err}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return &Error{Op: "read the trace", Path: r.def.Trace, Err: err}
	}
	if info.Size() != r.traceSize {
		if r.traceSeq, err = lastSeq(f, info.Size()); err != nil {
			return &Error{Op: "read the trace", Path: r.def.Trace, Err: err}
		}
	}
	line.Seq = r.traceSeq + 1
	data, err := json.Marshal(line)
	if err != nil {
		return &Error{Op: "encode the trace of", Path: r.def.Trace, Err: err}
	}
	if _, err := f.Write(append(data, '\n')); err != nil {
		return &Error{Op: "write the trace", Path: r.def.Trace, Err: err}
	}
	r.traceSeq, r.traceSize = line.Seq, info.Size()+int64(len(data))+1
	return nil
}

// lastSeq returns the sequence number of a trace's last line, 0 for an empty one.
func lastSeq(f *os.File, size int64) (int, error) {
	const longest = 4096 // a line is a few hundred bytes
	tail := make([]byte, min(size, longest))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil {
		return 0, err
	}
	tail = bytes.TrimSuffix(tail, []byte("\n"))
	if len(tail) == 0 {
		return 0, nil
	}
	var line traceLine
	if err := json.Unmarshal(tail[bytes.LastIndexByte(tail, '\n')+1:], &line); err != nil {
		return 0, fmt.Errorf("its last line is damaged: %w", err)
	}
	return line.Seq, nil
}
