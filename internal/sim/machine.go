package sim

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"fwctl/internal/transport"
)

// Machine is one of the rack's hosts; "" is the first.
func (r *Rack) Machine(host string) (transport.Machine, error) {
	if host == "" {
		host = r.def.Hosts[0]
	}
	if !slices.Contains(r.def.Hosts, host) {
		return nil, &Error{Op: "stand in for", Path: host,
			Err: fmt.Errorf("the rack's hosts are %s", strings.Join(r.def.Hosts, ", "))}
	}
	return &machine{rack: r, host: host}, nil
}

type machine struct {
	rack  *Rack
	host  string
	looks atomic.Int64 // at counters that move
}

func (m *machine) Hostname() string { return m.host }
func (m *machine) Simulated() bool  { return true }
func (m *machine) FS() fs.FS        { return liveFS{m} }

// Open opens /dev/sgN. The node stays with the device that it was opened on: a
// device that comes back, even as the same /dev/sgN, is another one.
func (m *machine) Open(node string, access transport.Access) (transport.Node, error) {
	fail := func(err error) (transport.Node, error) {
		return nil, &transport.Error{Op: "open", Path: node, NotSent: true, Err: err}
	}
	var found *unit
	var incarnation int
	err := m.rack.look(func(s *state, now time.Time) error {
		for _, u := range m.rack.def.units {
			if u.host == m.host && s.visible(u) && node == fmt.Sprintf("/dev/sg%d", s.node(u)) {
				found, incarnation = u, s.unitNow(u).Incarnation
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if found == nil {
		return fail(fs.ErrNotExist)
	}
	if found.esp != nil && found.esp.Open != "" {
		return fail(openErrors[found.esp.Open])
	}
	lock := fmt.Sprintf("node %s %d", strings.ReplaceAll(found.key, "/", " "), incarnation)
	unlock, err := m.rack.tryLock(lock, access == transport.Exclusive)
	if err != nil {
		return fail(err)
	}
	return &openNode{rack: m.rack, unit: found, incarnation: incarnation, path: node, access: access,
		unlock: unlock}, nil
}

// BlockDeviceHeld reports the use that the rack file declares.
func (m *machine) BlockDeviceHeld(name string) (bool, error) {
	t, err := liveFS{m}.now()
	if err != nil {
		return false, err
	}
	if _, err := t.find("open", "sys/class/block/"+name, true); err != nil {
		return false, &fs.PathError{Op: "open", Path: "/dev/" + name, Err: fs.ErrNotExist}
	}
	if err := t.shut[name]; err != nil {
		return false, &transport.Error{Op: "open", Path: "/dev/" + name, NotSent: true, Err: err}
	}
	return t.held[name], nil
}

// OpenDisks lists the processes that the rack file declares.
func (m *machine) OpenDisks() ([]transport.OpenDisk, error) {
	t, err := liveFS{m}.now()
	if err != nil {
		return nil, err
	}
	return slices.Clone(t.open), nil
}

// DMTableStatus returns the status of a dm-multipath map as a kernel whose multipathd puts
// all paths in one group, with the path selector service-time. Any other map is linear.
func (m *machine) DMTableStatus(name string) (string, error) {
	t, err := liveFS{m}.now()
	if err != nil {
		return "", err
	}
	if _, err := t.find("open", "sys/block/"+name+"/dev", true); err != nil || !strings.HasPrefix(name, "dm-") {
		return "", &fs.PathError{Op: "read the device mapper's status of", Path: "/dev/" + name, Err: fs.ErrNotExist}
	}
	paths, multipath := t.maps[name]
	if !multipath {
		return fmt.Sprintf("0 %d linear \n", sectors), nil
	}
	text := fmt.Sprintf("0 %d multipath 2 0 0 0 1 1 A 0 %d 2 ", sectors, len(paths))
	err = m.rack.look(func(s *state, now time.Time) error {
		for _, u := range paths {
			how := "A 0"
			if s.pathFailed(u, now) {
				how = "F 1"
			}
			text += fmt.Sprintf("%s %s 0 1 ", s.diskNumber(u), how)
		}
		return nil
	})
	return text + "\n", err
}

// pathFailed reports whether a dm-multipath map has the path u failed: its ESP, or
// one upstream, is not there, or has come back and the path checker has not seen that.
func (s *state) pathFailed(u *unit, now time.Time) bool {
	use := &u.drive.Use
	if slices.Contains(use.Failed, u.via.esp.number) {
		return true
	}
	for p := u.via.esp; p != nil; p = p.above() {
		if slices.ContainsFunc(s.Outages, func(o outage) bool {
			mine := o.ESP == p.key && (o.Path == "" || o.Path == u.via.key) && !now.Before(o.From)
			return mine && (use.Reinstate.never || o.Until.IsZero() || now.Before(o.Until.Add(use.Reinstate.after)))
		}) {
			return true
		}
	}
	return false
}

// ZpoolStatus tells of the pools that the rack file declares.
func (m *machine) ZpoolStatus(ctx context.Context) (string, error) {
	switch m.rack.def.Zpool {
	case "missing":
		return "", fs.ErrNotExist
	case "hangs":
		<-ctx.Done()
		return "", context.Cause(ctx)
	case "nonsense":
		return "zpool: \x1b[31mwhat a day\n\ttank  ONLINE\n", nil
	}
	t, err := liveFS{m}.now()
	if err != nil {
		return "", err
	}
	return zpoolStatus(t.pools), nil
}

// Lock takes a lock of this simulated host.
func (m *machine) Lock(name string) (io.Closer, error) { return m.lock(name, true) }

// ShareLock likewise.
func (m *machine) ShareLock(name string) (io.Closer, error) { return m.lock(name, false) }

func (m *machine) lock(name string, exclusive bool) (io.Closer, error) {
	unlock, err := m.rack.tryLock(m.lockName(name), exclusive)
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", name, err)
	}
	return closer(unlock), nil
}

// HoldsLock is about processes of the machine that the simulation runs on.
func (m *machine) HoldsLock(name string, pid int) (bool, error) {
	return transport.HoldsFlock(filepath.Join(m.rack.locks, m.lockName(name)), pid)
}

func (m *machine) lockName(name string) string {
	return fmt.Sprintf("host %s %s", m.host, strings.ReplaceAll(name, "/", " "))
}

// tryLock takes a lock of the rack, or returns transport.ErrBusy.
func (r *Rack) tryLock(name string, exclusive bool) (unlock func() error, err error) {
	if r.private != nil {
		return r.private.take(name, exclusive)
	}
	return lockFile(filepath.Join(r.locks, name), exclusive, false)
}

type closer func() error

func (c closer) Close() error { return c() }

// openNode is an open /dev/sgN.
type openNode struct {
	rack        *Rack
	unit        *unit
	incarnation int
	path        string
	access      transport.Access
	unlock      func() error
}

func (n *openNode) Close() error { return n.unlock() }

// Do implements transport.Transport. As with the kernel, the command has its
// effect whether anyone waits for its answer or not.
func (n *openNode) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	fail := func(op string, err error) (*transport.Response, error) {
		return nil, &transport.Error{Op: op, Path: n.path, NotSent: op == "send a command to", Err: err}
	}
	const send, receive = "send a command to", "read the answer of"
	if err := ctx.Err(); err != nil {
		return fail(send, err)
	}
	if len(req.CDB) == 0 || len(req.Out) > 0 && len(req.In) > 0 {
		return fail(send, fs.ErrInvalid)
	}
	if n.access == transport.ReadOnly && (req.Effect || req.CDB[0] == opSendDiagnostic || req.CDB[0] == opWriteBuffer) {
		return fail(send, fs.ErrPermission)
	}
	reply, err := n.rack.execute(n.unit, n.incarnation, req.CDB, req.Out, len(req.In))
	if err != nil {
		return nil, err
	}
	wait, outcome := reply.Latency, error(nil)
	switch {
	case reply.Gone && !reply.NoAnswer:
		return fail(send, transport.ErrGone)
	case reply.Gone:
		outcome = transport.ErrGone
	case reply.NoAnswer || req.Timeout > 0 && wait > req.Timeout:
		wait, outcome = req.Timeout, transport.ErrTimeout
	}
	if err := sleep(ctx, wait); err != nil {
		return fail(receive, fmt.Errorf("%w: %w", transport.ErrAbandoned, err))
	}
	if outcome != nil {
		return fail(receive, outcome)
	}
	if reply.Host != 0 {
		return nil, &transport.Error{Op: receive, Path: n.path, Host: reply.Host}
	}
	return &transport.Response{Status: reply.Status, Sense: reply.Sense, Received: copy(req.In, reply.In)}, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// liveFS is /sys and /proc of a host as they are at each call.
type liveFS struct{ m *machine }

func (l liveFS) now() (*tree, error) {
	r := l.m.rack
	t, err := r.cachedTree(l.m.host)
	if t != nil || err != nil {
		return t, err
	}
	err = r.look(func(s *state, now time.Time) error {
		if r.trees[l.m.host] == nil {
			if r.trees == nil {
				r.trees = map[string]*tree{}
			}
			r.trees[l.m.host] = r.kernelTree(s, l.m.host)
		}
		t = r.trees[l.m.host]
		return nil
	})
	return t, err
}

// cachedTree returns what the kernel of a host shows, or nil if something has happened since
// that was made. A state file is replaced atomically: reading it needs no lock between
// processes.
func (r *Rack) cachedTree(host string) (*tree, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.private == nil {
		if err := r.reload(); err != nil {
			return nil, err
		}
	}
	if !r.due.IsZero() && !time.Now().Before(r.due) {
		return nil, nil
	}
	return r.trees[host], nil
}

func (l liveFS) Open(name string) (fs.File, error) {
	t, err := l.now()
	if err != nil {
		return nil, err
	}
	return t.Open(name)
}

func (l liveFS) ReadFile(name string) ([]byte, error) {
	t, err := l.now()
	if err != nil {
		return nil, err
	}
	if len(t.busy) > 0 {
		if e, err := t.find("read", name, true); err == nil && t.busy[e] != "" {
			return l.counted(t.busy[e]), nil
		}
	}
	return t.ReadFile(name)
}

// counted returns the counters of a block device that someone is busy with: they have moved
// since the last look.
func (l liveFS) counted(busy string) []byte {
	done := 1000 * l.m.looks.Add(1)
	if busy == "writes" {
		return []byte(diskStat(1000, done))
	}
	return []byte(diskStat(done, 1000))
}

func (l liveFS) ReadDir(name string) ([]fs.DirEntry, error) {
	t, err := l.now()
	if err != nil {
		return nil, err
	}
	return t.ReadDir(name)
}

func (l liveFS) Stat(name string) (fs.FileInfo, error) {
	t, err := l.now()
	if err != nil {
		return nil, err
	}
	return t.Stat(name)
}

func (l liveFS) Lstat(name string) (fs.FileInfo, error) {
	t, err := l.now()
	if err != nil {
		return nil, err
	}
	return t.Lstat(name)
}

func (l liveFS) ReadLink(name string) (string, error) {
	t, err := l.now()
	if err != nil {
		return "", err
	}
	return t.ReadLink(name)
}
