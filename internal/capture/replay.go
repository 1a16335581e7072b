package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"fwctl/internal/transport"
)

// ErrReplay: a capture can only be read.
var ErrReplay = errors.New("this is a capture, which can only be read")

// errNoAnswer: the device was not asked this, or did not answer.
var errNoAnswer = errors.New("the capture has no answer to this command")

// Machine stands in for the machine that was recorded. It reports that it is simulated, so
// that a plan made on it is never taken for one of real devices.
func (c *Capture) Machine() transport.Machine { return machine{c} }

type machine struct{ capture *Capture }

func (m machine) Hostname() string { return m.capture.Host }
func (m machine) Simulated() bool  { return true }
func (m machine) FS() fs.FS        { return replayedFS(m) }

func (m machine) BlockDeviceHeld(string) (bool, error) {
	return false, errors.New("the capture does not show who holds block devices")
}

func (m machine) OpenDisks() ([]transport.OpenDisk, error) {
	noted := m.capture.OpenDisks
	if noted == nil {
		return nil, errors.New("the capture does not show which processes have disks open")
	}
	var open []transport.OpenDisk
	for _, d := range noted.List {
		open = append(open, transport.OpenDisk{PID: d.PID, Command: string(d.Command), Device: d.Device})
	}
	return open, noted.Failure.failed("/proc")
}

func (m machine) DMTableStatus(name string) (string, error) {
	noted := m.capture.DMTables[name]
	if noted == nil {
		return "", fmt.Errorf("the capture does not have the device mapper's status of %s", name)
	}
	return string(noted.Status), noted.Failure.failed("/dev/" + name)
}

func (m machine) ZpoolStatus(context.Context) (string, error) {
	noted := m.capture.ZpoolStatus
	if noted == nil {
		return "", errors.New("the capture does not tell of ZFS pools")
	}
	return string(noted.Text), noted.Failure.failed("ZFS pools")
}

func (m machine) Lock(string) (io.Closer, error)      { return nil, ErrReplay }
func (m machine) ShareLock(string) (io.Closer, error) { return nil, ErrReplay }
func (m machine) HoldsLock(string, int) (bool, error) { return false, nil }

func (m machine) Open(path string, access transport.Access) (transport.Node, error) {
	fail := func(err error) (transport.Node, error) {
		return nil, &transport.Error{Op: "open", Path: path, NotSent: true, Err: err}
	}
	n := m.capture.Nodes[path]
	switch {
	case access != transport.ReadOnly:
		return fail(ErrReplay)
	case n == nil:
		return fail(fs.ErrNotExist)
	case n.Failure != nil:
		return nil, n.Failure.failed(path)
	}
	return &replayedNode{path: path, exchanges: slices.Clone(n.Exchanges)}, nil
}

// replayedNode repeats the recorded answers to a command, one after the other, and then
// the last one again and again.
type replayedNode struct {
	path      string
	exchanges []Exchange
}

func (n *replayedNode) Close() error { return nil }

func (n *replayedNode) Do(_ context.Context, req *transport.Request) (*transport.Response, error) {
	if req.Effect || len(req.Out) > 0 {
		return nil, &transport.Error{Op: "send a command to", Path: n.path, NotSent: true, Err: ErrReplay}
	}
	same := func(e Exchange) bool { return bytes.Equal(e.CDB, req.CDB) }
	i := slices.IndexFunc(n.exchanges, same)
	if i < 0 {
		return nil, &transport.Error{Op: "read the answer of", Path: n.path, Err: errNoAnswer}
	}
	e := n.exchanges[i]
	if slices.ContainsFunc(n.exchanges[i+1:], same) {
		n.exchanges = slices.Delete(n.exchanges, i, i+1)
	}
	if e.Failure != nil {
		return nil, e.Failure.failed(n.path)
	}
	return &transport.Response{Status: e.Status, Sense: slices.Clone(e.Sense), Received: copy(req.In, e.Data)}, nil
}

type replayedFS machine

func (f replayedFS) ReadFile(name string) ([]byte, error) {
	data, ok := f.capture.Files[name]
	if !ok {
		return nil, notThere("open", name)
	}
	return slices.Clone(data), nil
}

func (f replayedFS) ReadDir(name string) ([]fs.DirEntry, error) {
	names, ok := f.capture.Dirs[name]
	if !ok {
		return nil, notThere("open", name)
	}
	var entries []fs.DirEntry
	for _, n := range names {
		entries = append(entries, entry(n))
	}
	return entries, nil
}

func (f replayedFS) ReadLink(name string) (string, error) {
	to, ok := f.capture.Links[name]
	if !ok {
		return "", notThere("readlink", name)
	}
	return to, nil
}

func (f replayedFS) Open(name string) (fs.File, error)      { return nil, unread("open", name) }
func (f replayedFS) Lstat(name string) (fs.FileInfo, error) { return nil, unread("lstat", name) }

// entry is a name in a directory whose file was not recorded.
type entry string

func (e entry) Name() string               { return string(e) }
func (e entry) IsDir() bool                { return false }
func (e entry) Type() fs.FileMode          { return fs.ModeIrregular }
func (e entry) Info() (fs.FileInfo, error) { return nil, unread("stat", string(e)) }
