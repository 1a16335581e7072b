package sim

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"fwctl/internal/transport"
)

// OpenPrivate is Open for a rack that no one else has open: its state and its trace stay in
// memory until Save, which is many times faster.
func OpenPrivate(rackFile string) (*Rack, error) {
	r, err := open(rackFile)
	if err != nil {
		return nil, err
	}
	if err := r.reload(); err != nil {
		return nil, err
	}
	if r.traced, err = os.ReadFile(r.def.Trace); err != nil && !os.IsNotExist(err) {
		return nil, &Error{Op: "read the trace", Path: r.def.Trace, Err: err}
	}
	r.traceSeq = bytes.Count(r.traced, []byte("\n"))
	r.private = &locks{taken: map[string]int{}}
	return r, r.look(func(*state, time.Time) error { return nil })
}

// Save writes a private rack's state and trace beside a copy of its rack file, for
// Open and OpenPrivate of that.
func (r *Rack) Save(rackFile string) error {
	data, err := r.State()
	if err != nil {
		return err
	}
	if err := os.WriteFile(stateFile(rackFile), data, 0o644); err != nil {
		return &Error{Op: "write the state", Path: stateFile(rackFile), Err: err}
	}
	trace := filepath.Join(filepath.Dir(rackFile), filepath.Base(r.def.Trace))
	if err := os.WriteFile(trace, r.Trace(), 0o644); err != nil {
		return &Error{Op: "write the trace", Path: trace, Err: err}
	}
	return nil
}

// State returns the present state of a private rack, in the form of its file.
func (r *Rack) State() (data []byte, err error) {
	failure := r.look(func(s *state, _ time.Time) error { data, err = encodeState(s); return err })
	return data, failure
}

// Trace returns the trace of a private rack, in the form of its file.
func (r *Rack) Trace() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.traced
}

// shape is the part of the state that a kernel shows.
func (r *Rack) shape() string {
	var b []byte
	for _, u := range r.def.units {
		b = strconv.AppendBool(b, r.state.visible(u))
		b = strconv.AppendInt(b, int64(r.state.node(u)), 10)
	}
	for _, p := range r.def.esps {
		if id := r.state.esp(p).Kernel; id != nil {
			b = append(b, p.key+" "+id.Vendor+"/"+id.Product+"/"+id.Revision+"\n"...)
		}
	}
	return string(b)
}

// locks stand in for lock files.
type locks struct {
	mu    sync.Mutex
	taken map[string]int // -1: exclusively
}

func (l *locks) take(name string, exclusive bool) (unlock func() error, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.taken[name]
	if n < 0 || exclusive && n > 0 {
		return nil, transport.ErrBusy
	}
	by := 1
	if exclusive {
		by = -1
	}
	l.taken[name] = n + by
	return sync.OnceValue(func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.taken[name] -= by
		return nil
	}), nil
}
