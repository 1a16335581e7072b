package sim

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"fwctl/internal/transport"
)

// tree is a read-only file system with symbolic links, as /sys is one. It
// implements fs.ReadLinkFS, fs.ReadDirFS, fs.ReadFileFS and fs.StatFS.
type tree struct {
	entries map[string]*entry // by path without links; "." is the root
	held    map[string]bool   // block devices that someone has open exclusively
	shut    map[string]error  // block devices that cannot be opened
	open    []transport.OpenDisk
	busy    map[*entry]string  // what someone does to a disk all the time, by its counters' file
	maps    map[string][]*unit // paths of the dm-multipath maps, by the kernel's name
	pools   []*pool            // in the order of the rack file
}

type entry struct {
	name     string
	mode     fs.FileMode
	data     []byte // of a file, or the target of a link
	children []*entry
}

func newTree() *tree {
	return &tree{
		entries: map[string]*entry{".": {name: ".", mode: fs.ModeDir | 0o555}},
		held:    map[string]bool{},
		shut:    map[string]error{},
		maps:    map[string][]*unit{},
		busy:    map[*entry]string{},
	}
}

// dir makes a directory and those above it.
func (t *tree) dir(name string) *entry {
	if e := t.entries[name]; e != nil {
		return e
	}
	return t.put(name, &entry{mode: fs.ModeDir | 0o555})
}

func (t *tree) put(name string, e *entry) *entry {
	up := t.dir(path.Dir(name))
	e.name = path.Base(name)
	t.entries[name] = e
	up.children = append(up.children, e)
	return e
}

// file makes a file, and the directories above it.
func (t *tree) file(name string, data string) {
	t.put(name, &entry{mode: 0o444, data: []byte(data)})
}

// link makes a symbolic link to another path of the tree, relative as the
// kernel's are: they always end in the target's name.
func (t *tree) link(name, target string) {
	from, to := strings.Split(path.Dir(name), "/"), strings.Split(target, "/")
	for len(from) > 0 && len(to) > 1 && from[0] == to[0] {
		from, to = from[1:], to[1:]
	}
	relative := strings.Repeat("../", len(from)) + strings.Join(to, "/")
	t.put(name, &entry{mode: fs.ModeSymlink | 0o777, data: []byte(relative)})
}

// find resolves a path; the last element too if follow is set.
func (t *tree) find(op, name string, follow bool) (*entry, error) {
	fail := func(err error) (*entry, error) { return nil, &fs.PathError{Op: op, Path: name, Err: err} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	const maxLinks = 40
	at, rest := ".", strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		var step string
		step, rest = rest[0], rest[1:]
		switch step {
		case ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := step
		if at != "." {
			next = at + "/" + step
		}
		e := t.entries[next]
		if e == nil {
			return fail(fs.ErrNotExist)
		}
		if e.mode&fs.ModeSymlink != 0 && (follow || len(rest) > 0) {
			if links++; links > maxLinks {
				return fail(fs.ErrInvalid)
			}
			rest = append(strings.Split(string(e.data), "/"), rest...)
			continue
		}
		if len(rest) > 0 && !e.mode.IsDir() {
			return fail(fs.ErrNotExist)
		}
		at = next
	}
	return t.entries[at], nil
}

func (t *tree) Open(name string) (fs.File, error) {
	e, err := t.find("open", name, true)
	if err != nil {
		return nil, err
	}
	return &openEntry{entry: e, Reader: bytes.NewReader(e.data), name: name}, nil
}

func (t *tree) ReadFile(name string) ([]byte, error) {
	e, err := t.find("read", name, true)
	if err == nil && e.mode.IsDir() {
		err = &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	if err != nil {
		return nil, err
	}
	return bytes.Clone(e.data), nil
}

func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := t.find("readdir", name, true)
	if err == nil && !e.mode.IsDir() {
		err = &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	if err != nil {
		return nil, err
	}
	return e.list(), nil
}

func (t *tree) Stat(name string) (fs.FileInfo, error) {
	e, err := t.find("stat", name, true)
	if err != nil {
		return nil, err
	}
	return info{e, path.Base(name)}, nil
}

func (t *tree) Lstat(name string) (fs.FileInfo, error) {
	e, err := t.find("lstat", name, false)
	if err != nil {
		return nil, err
	}
	return info{e, path.Base(name)}, nil
}

func (t *tree) ReadLink(name string) (string, error) {
	e, err := t.find("readlink", name, false)
	if err == nil && e.mode&fs.ModeSymlink == 0 {
		err = &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	if err != nil {
		return "", err
	}
	return string(e.data), nil
}

func (e *entry) list() []fs.DirEntry {
	list := make([]fs.DirEntry, len(e.children))
	for i, c := range e.children {
		list[i] = fs.FileInfoToDirEntry(info{c, c.name})
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list
}

// info is an entry as it was asked for: a link that was followed keeps its name.
type info struct {
	*entry
	as string
}

func (i info) Name() string       { return i.as }
func (i info) Size() int64        { return int64(len(i.data)) }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }

// openEntry is an open file or directory.
type openEntry struct {
	*entry
	*bytes.Reader
	name string
	read int // directory entries read so far
}

func (o *openEntry) Stat() (fs.FileInfo, error) { return info{o.entry, path.Base(o.name)}, nil }
func (o *openEntry) Close() error               { return nil }

func (o *openEntry) Read(b []byte) (int, error) {
	if o.mode.IsDir() {
		return 0, &fs.PathError{Op: "read", Path: o.name, Err: fs.ErrInvalid}
	}
	return o.Reader.Read(b)
}

func (o *openEntry) ReadDir(n int) ([]fs.DirEntry, error) {
	if !o.mode.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: o.name, Err: fs.ErrInvalid}
	}
	list := o.list()[o.read:]
	if n > 0 {
		if len(list) == 0 {
			return nil, io.EOF
		}
		list = list[:min(n, len(list))]
	}
	o.read += len(list)
	return list, nil
}
