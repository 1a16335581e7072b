// Package state is fwctl's memory on one host: which runs there were, how far
// each component got, what was about to be done when, and what is staged where.
//
// It is written before an effect, not after it, so that a crash leaves a trace
// of everything that may have happened. It is never taken for the truth about a
// device: whoever acts on it looks at the device first. It knows no devices and
// no plans, and imports nothing of this module.
package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// FileName is the name of the database in the state directory.
const FileName = "state.db"

// ErrNewerSchema: the database was written by a newer fwctl.
var ErrNewerSchema = errors.New("written by a newer fwctl")

// Error is a store that could not be opened, read or written.
// errors.Is sees ErrNewerSchema, fs.ErrPermission and the context's errors.
type Error struct {
	Op   string // what could not be done: "open", "read", "write to"
	Path string // of the database
	Hint string // what to do about it, "" where nobody knows
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

// Key names a component: one subenclosure of the ESP behind one logical unit.
type Key struct {
	LUID         string // designator of the logical unit, as inventories have it
	Subenclosure int    // subenclosure id, 0 to 255
}

// Run is one apply.
type Run struct {
	ID         int64
	PlanDigest string
	Host       string
	By         string // who started it
	StartedAt  time.Time
	EndedAt    time.Time // zero while it runs, and after a crash
	Outcome    string    // "" likewise
}

// Step is how far a run got with one component.
type Step struct {
	Address string
	Key     Key
	Hop     int    // index into the plan's hops
	State   string // of the executor's step machine
	Mode    string // "e" or "7": how the hop was last downloaded, or is to be in the next wave; "" before
	Detail  string // why it is in this state, in words
	At      time.Time
}

// Kind is an effect that a run is about to have on a device.
type Kind string

const (
	DownloadStart Kind = "download-start"
	LastChunk     Kind = "last-chunk"
	Activation    Kind = "activation"
	Abort         Kind = "abort"
)

// Intent is an effect, committed before it is tried.
type Intent struct {
	ID      int64
	Run     int64
	Address string
	Key     Key
	Kind    Kind
	Mode    string // two hex digits, as in the command: "0e", "07", "0f"
	SHA256  string // of the image that it is about
	At      time.Time
	Outcome string // what the device said of it, in words; "" where nothing is known
}

// OverrideKind is what a person overrode.
type OverrideKind string

const (
	AcceptDisruption OverrideKind = "accept-disruption" // I/O may stop at the component
	IgnoreWindow     OverrideKind = "ignore-window"     // the component is worked on outside its maintenance windows
)

// Override is a safeguard that a person put aside for one component of a run.
type Override struct {
	Kind    OverrideKind
	Address string
	Given   string // what they gave for it: a pattern, or a reason
}

// Staged is microcode that was downloaded to a component and waits there.
type Staged struct {
	SHA256    string
	Revision  string // that the image brings
	Running   string // that the component reported when the image was staged
	Since     time.Time
	By        string
	Confirmed bool // the device said that the image is complete
}

// Sent is an image that a component took whole.
type Sent struct {
	SHA256   string
	Revision string // that the image brings
	At       time.Time
}

// Store is an open state database. It is safe for concurrent use.
type Store struct {
	db   *sql.DB
	path string
}

// Open opens the store in dir for reading and writing, and creates both where
// they are missing. Simulated runs want a directory of their own.
//
// WAL and synchronous=FULL: a transaction that was committed survives a crash of
// the machine, and readers are never in the way of the writer.
func Open(dir string) (*Store, error) {
	path := filepath.Join(dir, FileName)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, openError(path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, openError(path, err)
	}
	if err := f.Close(); err != nil {
		return nil, openError(path, err)
	}
	s, err := open(path, path, "_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)")
	if err != nil {
		return nil, err
	}
	if err := s.migrate(); err != nil {
		s.db.Close()
		return nil, err
	}
	return s, nil
}

// OpenReadOnly opens the store in dir for reading, also while an apply writes to
// it. Where there is none it is an empty one: nothing is created.
func OpenReadOnly(dir string) (*Store, error) {
	path := filepath.Join(dir, FileName)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return openEmpty(path)
	case err != nil:
		return nil, openError(path, err)
	}
	s, err := open(path, path, "mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	version, err := s.version()
	if err == nil && version == 0 && info.Size() == 0 {
		s.db.Close()
		return openEmpty(path) // a writer is just creating it
	}
	if err == nil && version == 0 {
		err = &Error{Op: "read", Path: path, Err: errors.New("it has no schema"), Hint: "the next apply makes one"}
	}
	if err != nil {
		s.db.Close()
		return nil, err
	}
	return s, nil
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
	db.SetMaxOpenConns(1) // one writer, and an in-memory database is one connection's
	s := &Store{db: db, path: path}
	if _, err := s.version(); err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

// Close closes the store.
func (s *Store) Close() error { return s.db.Close() }

// migrations bring an empty database to the schema of this fwctl, one by one;
// PRAGMA user_version counts those that were done. Each only adds to the ones
// before it, so that an older database can be read as it is.
var migrations = []string{`
CREATE TABLE runs (
	id INTEGER PRIMARY KEY,
	plan_digest TEXT NOT NULL, host TEXT NOT NULL, by TEXT NOT NULL,
	started_at TEXT NOT NULL, ended_at TEXT NOT NULL DEFAULT '', outcome TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE steps (
	run INTEGER NOT NULL REFERENCES runs(id), address TEXT NOT NULL,
	lu_id TEXT NOT NULL, subenclosure INTEGER NOT NULL,
	hop INTEGER NOT NULL, state TEXT NOT NULL, mode TEXT NOT NULL, detail TEXT NOT NULL, at TEXT NOT NULL,
	PRIMARY KEY (run, address)
) STRICT;
CREATE TABLE intents (
	id INTEGER PRIMARY KEY,
	run INTEGER NOT NULL REFERENCES runs(id), address TEXT NOT NULL,
	lu_id TEXT NOT NULL, subenclosure INTEGER NOT NULL,
	kind TEXT NOT NULL, mode TEXT NOT NULL, sha256 TEXT NOT NULL, at TEXT NOT NULL, outcome TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE staged (
	lu_id TEXT NOT NULL, subenclosure INTEGER NOT NULL,
	sha256 TEXT NOT NULL, revision TEXT NOT NULL, running TEXT NOT NULL,
	since TEXT NOT NULL, by TEXT NOT NULL, confirmed INTEGER NOT NULL,
	PRIMARY KEY (lu_id, subenclosure)
) STRICT;
CREATE TABLE sent (
	lu_id TEXT NOT NULL, subenclosure INTEGER NOT NULL,
	sha256 TEXT NOT NULL, revision TEXT NOT NULL, at TEXT NOT NULL,
	PRIMARY KEY (lu_id, subenclosure, sha256)
) STRICT;
`, `
CREATE TABLE overrides (
	run INTEGER NOT NULL REFERENCES runs(id), kind TEXT NOT NULL, address TEXT NOT NULL, given TEXT NOT NULL,
	PRIMARY KEY (run, kind, address)
) STRICT;
`}

// version is the schema's, refused by name where it is newer than this fwctl knows.
func (s *Store) version() (int, error) {
	var v int
	if err := s.db.QueryRow("PRAGMA user_version").Scan(&v); err != nil {
		return 0, s.wrap("open", err)
	}
	if v > len(migrations) {
		return 0, &Error{Op: "open", Path: s.path, Err: fmt.Errorf("schema %d, and this fwctl knows %d: %w", v, len(migrations), ErrNewerSchema),
			Hint: "use that version, or another --state-dir"}
	}
	return v, nil
}

func (s *Store) migrate() error {
	return s.update(context.Background(), "open", func(tx *Tx) error {
		var v int
		if err := tx.tx.QueryRow("PRAGMA user_version").Scan(&v); err != nil {
			return err
		}
		for ; v < len(migrations); v++ {
			if _, err := tx.tx.Exec(migrations[v] + fmt.Sprintf("PRAGMA user_version = %d", v+1)); err != nil {
				return err
			}
		}
		return nil
	})
}

func openError(path string, err error) error {
	e := &Error{Op: "open", Path: path, Err: err}
	var p *fs.PathError
	if errors.As(err, &p) {
		e.Err = p.Err // the path stands in the message already
	}
	if errors.Is(err, fs.ErrPermission) {
		e.Hint = "run as root, or name a directory of your own with --state-dir"
	}
	return e
}

// wrap says what a database error means to whoever reads it at night.
func (s *Store) wrap(op string, err error) error {
	e := &Error{Op: op, Path: s.path, Err: err}
	var q *sqlite.Error
	if errors.As(err, &q) {
		switch q.Code() & 0xff {
		case sqlite3.SQLITE_FULL:
			e.Hint = "the disk is full: make room before going on"
		case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
			e.Hint = "the directory must be writable: run as root, or name a directory of your own with --state-dir"
		case sqlite3.SQLITE_BUSY:
			e.Hint = "another fwctl is writing: try again"
		case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
			e.Hint = "the file is damaged: move it away, and what was staged is no longer known"
		}
	}
	return e
}
