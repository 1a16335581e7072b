package capture

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"sync"
	"time"

	"fwctl/internal/transport"
)

// Recorder is a machine that records what is read from it. It opens nodes read-only and
// takes no lock.
type Recorder struct {
	machine transport.Machine

	mu      sync.Mutex // guards the fields below
	capture *Capture
}

// Record returns a recorder in front of a machine. takenAt is for the record.
func Record(m transport.Machine, takenAt time.Time) *Recorder {
	return &Recorder{machine: m,
		capture: &Capture{FormatVersion: FormatVersion, Kind: kind, Host: m.Hostname(), TakenAt: takenAt,
			Simulated: m.Simulated(),
			Dirs:      map[string][]string{}, Links: map[string]string{}, Files: map[string]Bytes{},
			Nodes: map[string]*Node{}, DMTables: map[string]*DMTable{}}}
}

// Encode writes everything recorded so far as a capture file. It leaves out commands
// without an answer yet.
func (r *Recorder) Encode() ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.capture.Encode()
}

func (r *Recorder) note(f func(*Capture)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.capture)
}

var errRecording = errors.New("the machine is being recorded, and can only be read")

// Hostname implements transport.Machine, as do the methods below.
func (r *Recorder) Hostname() string { return r.machine.Hostname() }

func (r *Recorder) Simulated() bool { return r.machine.Simulated() }

func (r *Recorder) FS() fs.FS { return recordedFS{r, r.machine.FS()} }

func (r *Recorder) BlockDeviceHeld(string) (bool, error) { return false, errRecording }

func (r *Recorder) OpenDisks() ([]transport.OpenDisk, error) {
	open, err := r.machine.OpenDisks()
	noted := &OpenDisks{List: []OpenDisk{}}
	for _, d := range open {
		noted.List = append(noted.List, OpenDisk{d.PID, Bytes(d.Command), d.Device})
	}
	if err != nil {
		noted.Failure = failureOf("list the processes in", err)
	}
	r.note(func(c *Capture) { c.OpenDisks = noted })
	return open, err
}

func (r *Recorder) DMTableStatus(name string) (string, error) {
	status, err := r.machine.DMTableStatus(name)
	noted := &DMTable{Status: Bytes(status)}
	if err != nil {
		noted.Failure = failureOf("read the device mapper's status of", err)
	}
	r.note(func(c *Capture) { c.DMTables[name] = noted })
	return status, err
}

func (r *Recorder) ZpoolStatus(ctx context.Context) (string, error) {
	text, err := r.machine.ZpoolStatus(ctx)
	noted := &ZpoolStatus{Text: Bytes(text)}
	if err != nil {
		noted.Failure = failureOf("read the status of", err)
	}
	r.note(func(c *Capture) { c.ZpoolStatus = noted })
	return text, err
}

func (r *Recorder) Lock(string) (io.Closer, error) { return nil, errRecording }

func (r *Recorder) ShareLock(string) (io.Closer, error) { return nil, errRecording }

func (r *Recorder) HoldsLock(string, int) (bool, error) { return false, errRecording }

func (r *Recorder) Open(path string, access transport.Access) (transport.Node, error) {
	if access != transport.ReadOnly {
		return nil, &transport.Error{Op: "open", Path: path, NotSent: true, Err: errRecording}
	}
	node, err := r.machine.Open(path, access)
	n := &Node{Exchanges: []Exchange{}}
	if err != nil {
		n.Failure = failureOf("open", err)
	}
	r.note(func(c *Capture) { c.Nodes[path] = n })
	if err != nil {
		return nil, err
	}
	return &recordedNode{node, r, n}, nil
}

type recordedNode struct {
	transport.Node
	recorder *Recorder
	node     *Node
}

func (n *recordedNode) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	resp, err := n.Node.Do(ctx, req)
	e := Exchange{CDB: slices.Clone(req.CDB)}
	if err != nil {
		e.Failure = failureOf("read the answer of", err)
	} else {
		e.Status, e.Sense, e.Data = resp.Status, slices.Clone(resp.Sense), slices.Clone(req.In[:resp.Received])
	}
	n.recorder.note(func(*Capture) { n.node.Exchanges = append(n.node.Exchanges, e) })
	return resp, err
}

// recordedFS records files, links and names. Whatever could not be read does not exist
// when the capture is replayed.
type recordedFS struct {
	recorder *Recorder
	fsys     fs.FS
}

var _ interface {
	fs.ReadFileFS
	fs.ReadDirFS
	fs.ReadLinkFS
} = recordedFS{}

func (f recordedFS) ReadFile(name string) ([]byte, error) {
	data, err := fs.ReadFile(f.fsys, name)
	if err == nil {
		f.recorder.note(func(c *Capture) { c.Files[name] = slices.Clone(data) })
	}
	return data, err
}

func (f recordedFS) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(f.fsys, name)
	if err == nil {
		names := []string{}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		f.recorder.note(func(c *Capture) { c.Dirs[name] = names })
	}
	return entries, err
}

func (f recordedFS) ReadLink(name string) (string, error) {
	to, err := fs.ReadLink(f.fsys, name)
	if err == nil {
		f.recorder.note(func(c *Capture) { c.Links[name] = to })
	}
	return to, err
}

func (f recordedFS) Open(name string) (fs.File, error)      { return nil, unread("open", name) }
func (f recordedFS) Lstat(name string) (fs.FileInfo, error) { return nil, unread("lstat", name) }

// unread lists the ways of reading a file that cannot be replayed.
func unread(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: errors.ErrUnsupported}
}
