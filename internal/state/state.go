// Package state is fwctl's memory on one host: which runs there were, how far each
// component got, what was about to be done when, and what is staged where.
//
// It records an effect before the effect is tried: a crash leaves a trace of everything
// that may have happened. It is never the truth about a device: whoever acts on it looks at
// the device first. It knows no devices and no plans.
package state

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// FileName is the name of the database in the state directory.
const FileName = "state.db"

// ErrNewerSchema: the database was written by a newer fwctl.
var ErrNewerSchema = errors.New("written by a newer fwctl")

// ErrFull: the disk has no room for what was to be written.
var ErrFull = errors.New("the disk is full")

// Error is a store that could not be opened, read or written.
// errors.Is sees ErrNewerSchema, ErrFull, fs.ErrPermission and the context's errors.
type Error struct {
	Op   string // what could not be done: "open", "read", "write to"
	Path string // of the database, or of an image kept beside it
	Hint string // what to do about it, "" if unknown
	Err  error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("cannot %s state %s: %v", e.Op, e.Path, e.Err)
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

func (e *Error) Is(target error) bool { return target == ErrFull && isFull(e.Err) }

// isFull reports whether err is a disk, or a quota, that is full.
func isFull(err error) bool {
	var q *sqlite.Error
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.As(err, &q) &&
		q.Code()&0xff == sqlite3.SQLITE_FULL
}

// Store is an open state database. It is safe for concurrent use.
type Store struct {
	db       *sql.DB
	q        querier // db, or the transaction of a View
	path     string
	file     fs.FileInfo // the database, as it was opened; nil if nothing is written
	readOnly bool
}

// Open opens the store in dir for reading and writing, and creates both if they are
// missing. Simulated runs need a directory of their own.
//
// WAL and synchronous=FULL: a committed transaction survives a crash of the machine, and
// readers never block the writer.
func Open(dir string) (*Store, error) {
	path := filepath.Join(dir, FileName)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, openError(path, err)
	}
	if err := fit(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o644)
	if err != nil {
		return nil, openError(path, err)
	}
	file, err := f.Stat()
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, openError(path, err)
	}
	s, err := open(path, path,
		"_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"+
			"&_pragma=foreign_keys(1)")
	if err != nil {
		return nil, err
	}
	s.file = file
	empty, err := s.empty()
	if err == nil && empty {
		err = lost(path)
	}
	if err == nil {
		err = s.migrate()
	}
	if err != nil {
		s.db.Close()
		return nil, err
	}
	return s, nil
}

// OpenReadOnly opens the store in dir for reading, even while an apply writes to it. If
// there is none, it returns an empty store and creates nothing.
func OpenReadOnly(dir string) (*Store, error) {
	path := filepath.Join(dir, FileName)
	switch err := fit(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return openEmpty(path)
	case err != nil:
		return nil, err
	}
	s, err := open(path, path, "mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	empty, err := s.empty()
	if err == nil && empty { // a writer is just creating it, or was killed while it did
		if err = lost(path); err == nil {
			s.db.Close()
			return openEmpty(path)
		}
	}
	if err != nil {
		s.db.Close()
		return nil, err
	}
	s.readOnly = true
	return s, nil
}

// OpenExisting opens the store in dir as Open does. If there is none, it returns an empty
// store for reading only, as OpenReadOnly does.
func OpenExisting(dir string) (*Store, error) {
	if _, err := os.Lstat(filepath.Join(dir, FileName)); errors.Is(err, fs.ErrNotExist) {
		return OpenReadOnly(dir)
	}
	return Open(dir)
}

func openEmpty(path string) (*Store, error) {
	s, err := open(path, ":memory:", "")
	if err != nil {
		return nil, err
	}
	if err := s.migrate(); err != nil {
		s.db.Close()
		return nil, err
	}
	s.readOnly = true
	return s, nil
}

func open(path, name, query string) (*Store, error) {
	dsn := name
	if query != "" {
		dsn = (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: name}).EscapedPath(), RawQuery: query}).String()
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, openError(path, err)
	}
	db.SetMaxOpenConns(1) // one writer; and an in-memory database belongs to one connection
	s := &Store{db: db, q: db, path: path}
	if _, err := s.version(); err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

// Close closes the store.
func (s *Store) Close() error { return s.db.Close() }

func openError(path string, err error) error {
	e := &Error{Op: "open", Path: path, Err: err}
	var p *fs.PathError
	if errors.As(err, &p) {
		e.Err = p.Err // the message has the path already
	}
	if errors.Is(err, fs.ErrPermission) {
		e.Hint = "run as root, or name a directory of your own with --state-dir"
	}
	return e
}

const (
	fullHint     = "the disk is full: make room before going on"
	writableHint = "the directory must be writable: run as root, or name a directory of your own with --state-dir"
)

// wrap adds a hint to a database error.
func (s *Store) wrap(op string, err error) error {
	e := &Error{Op: op, Path: s.path, Err: err}
	var q *sqlite.Error
	if errors.As(err, &q) {
		switch q.Code() & 0xff {
		case sqlite3.SQLITE_FULL:
			e.Hint = fullHint
		case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
			e.Hint = writableHint
		case sqlite3.SQLITE_BUSY:
			e.Hint = "another fwctl is writing: try again"
		case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
			e.Hint = "the file is damaged, or not a database of fwctl: put a copy of it back, or move it away; " +
				"without it, what was staged is no longer known"
		}
	}
	return e
}
