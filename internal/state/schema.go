package state

import (
	"context"
	"errors"
	"fmt"
)

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
`, `
ALTER TABLE runs ADD COLUMN pid INTEGER NOT NULL DEFAULT 0;
ALTER TABLE steps ADD COLUMN sha256 TEXT NOT NULL DEFAULT '';
ALTER TABLE steps ADD COLUMN from_revision TEXT NOT NULL DEFAULT '';
ALTER TABLE steps ADD COLUMN to_revision TEXT NOT NULL DEFAULT '';
ALTER TABLE steps ADD COLUMN outcome TEXT NOT NULL DEFAULT '';
CREATE TABLE plans (run INTEGER PRIMARY KEY REFERENCES runs(id), plan BLOB NOT NULL) STRICT;
CREATE TABLE resumes (
	id INTEGER PRIMARY KEY,
	run INTEGER NOT NULL REFERENCES runs(id), by TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE TABLE baselines (
	run INTEGER NOT NULL REFERENCES runs(id), enclosure TEXT NOT NULL, data BLOB NOT NULL,
	PRIMARY KEY (run, enclosure)
) STRICT;
CREATE TABLE verifications (
	id INTEGER PRIMARY KEY,
	address TEXT NOT NULL, lu_id TEXT NOT NULL, subenclosure INTEGER NOT NULL,
	sha256 TEXT NOT NULL, revision TEXT NOT NULL, outcome TEXT NOT NULL, by TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE INDEX open_intents ON intents (id) WHERE outcome = '';
CREATE INDEX intents_of_run ON intents (run);
CREATE INDEX open_runs ON runs (id) WHERE ended_at = '';
`, `
CREATE TABLE cautions (
	lu_id TEXT NOT NULL, subenclosure INTEGER NOT NULL,
	kind TEXT NOT NULL, address TEXT NOT NULL, detail TEXT NOT NULL, since TEXT NOT NULL,
	PRIMARY KEY (lu_id, subenclosure, kind)
) STRICT;
`, `
CREATE TABLE hooks (
	id INTEGER PRIMARY KEY,
	run INTEGER NOT NULL REFERENCES runs(id), address TEXT NOT NULL,
	lu_id TEXT NOT NULL, subenclosure INTEGER NOT NULL,
	hop INTEGER NOT NULL, kind TEXT NOT NULL, command TEXT NOT NULL, at TEXT NOT NULL,
	ended_at TEXT NOT NULL DEFAULT '', outcome TEXT NOT NULL DEFAULT '', output TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE accounts (
	id INTEGER PRIMARY KEY,
	run INTEGER NOT NULL REFERENCES runs(id), uid INTEGER NOT NULL, login TEXT NOT NULL,
	sudo_user TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE INDEX hooks_of_run ON hooks (run);
`, `
ALTER TABLE runs ADD COLUMN phase TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN wave INTEGER NOT NULL DEFAULT 0;
`, `
CREATE TABLE names (enclosure TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT;
`, `
CREATE TABLE beside (
	lu_id TEXT NOT NULL, subenclosure INTEGER NOT NULL,
	buffer INTEGER NOT NULL, sha256 TEXT NOT NULL, at TEXT NOT NULL,
	PRIMARY KEY (lu_id, subenclosure, buffer)
) STRICT;
`, `
ALTER TABLE steps ADD COLUMN component TEXT NOT NULL DEFAULT '';
`, `
CREATE TABLE timings (
	id INTEGER PRIMARY KEY,
	run INTEGER NOT NULL REFERENCES runs(id),
	vendor TEXT NOT NULL, product TEXT NOT NULL, mode TEXT NOT NULL, protocol TEXT NOT NULL,
	image_size INTEGER NOT NULL, phase TEXT NOT NULL, took_ns INTEGER NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE INDEX timings_by_kind ON timings (vendor, product, mode, protocol, image_size, phase);
`}

// version returns the version of the schema, or ErrNewerSchema if this fwctl does not know it.
func (s *Store) version() (int, error) {
	var v int
	if err := s.q.QueryRowContext(context.Background(), "PRAGMA user_version").Scan(&v); err != nil {
		return 0, s.wrap("open", err)
	}
	if v > len(migrations) {
		return 0, &Error{Op: "open", Path: s.path,
			Err:  fmt.Errorf("it has schema %d and this fwctl knows %d: %w", v, len(migrations), ErrNewerSchema),
			Hint: "use that version, or another --state-dir"}
	}
	return v, nil
}

// empty reports whether the database has no content at all. It returns an error if it has
// the tables of another program.
func (s *Store) empty() (bool, error) {
	var version, tables int
	err := s.q.QueryRowContext(context.Background(),
		"SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version").Scan(&version, &tables)
	switch {
	case err != nil:
		return false, s.wrap("open", err)
	case version == 0 && tables > 0:
		return false, &Error{Op: "open", Path: s.path, Err: errors.New("it is the database of another program"),
			Hint: "name another directory with --state-dir"}
	}
	return version == 0, nil
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
