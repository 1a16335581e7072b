package state

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// Staged returns what this host remembers as staged, by component. It leaves out components
// where a download has begun since whose end is unknown: see Open.
func (s *Store) Staged(ctx context.Context) (map[Key]StagedRecord, error) {
	all := map[Key]StagedRecord{}
	err := s.query(ctx, func(scan scanner) error {
		var k Key
		var v StagedRecord
		err := scan(&k.LUID, &k.Subenclosure, &v.SHA256, &v.Revision, &v.Running, (*moment)(&v.Since), &v.By,
			&v.Confirmed)
		all[k] = v
		return err
	}, stagedQuery)
	if err != nil {
		return nil, err
	}
	return all, nil
}

const stagedQuery = `SELECT lu_id, subenclosure, sha256, revision, running, since, by, confirmed FROM staged s
	WHERE NOT EXISTS (SELECT 1 FROM intents i WHERE i.lu_id = s.lu_id AND i.subenclosure = s.subenclosure
		AND i.kind = '` + string(DownloadStart) + `' AND i.outcome = '')`

// Cautions returns the cautions, by component.
func (s *Store) Cautions(ctx context.Context) ([]CautionRecord, error) {
	var all []CautionRecord
	err := s.since(4, func() error {
		return s.query(ctx, func(scan scanner) error {
			var c CautionRecord
			err := scan(&c.Key.LUID, &c.Key.Subenclosure, &c.Kind, &c.Address, &c.Detail, (*moment)(&c.Since))
			all = append(all, c)
			return err
		}, "SELECT lu_id, subenclosure, kind, address, detail, since FROM cautions ORDER BY address, kind")
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Sent returns the images that each component took, the latest last.
func (s *Store) Sent(ctx context.Context) (map[Key][]Sent, error) {
	all := map[Key][]Sent{}
	err := s.query(ctx, func(scan scanner) error {
		var k Key
		var v Sent
		err := scan(&k.LUID, &k.Subenclosure, &v.SHA256, &v.Revision, (*moment)(&v.At))
		all[k] = append(all[k], v)
		return err
	}, "SELECT lu_id, subenclosure, sha256, revision, at FROM sent ORDER BY rowid") // not by time: clocks are set back
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Beside returns the last image that each part without a revision of its own took, by the
// component that it is beside and then by its buffer.
func (s *Store) Beside(ctx context.Context) (map[Key][]Beside, error) {
	all := map[Key][]Beside{}
	err := s.since(8, func() error {
		return s.query(ctx, func(scan scanner) error {
			var k Key
			var v Beside
			err := scan(&k.LUID, &k.Subenclosure, &v.BufferID, &v.SHA256, (*moment)(&v.At))
			all[k] = append(all[k], v)
			return err
		}, "SELECT lu_id, subenclosure, buffer, sha256, at FROM beside ORDER BY buffer")
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Timings returns how long phases took, those of the same work together, earliest first.
func (s *Store) Timings(ctx context.Context) ([]Timing, error) {
	var all []Timing
	err := s.since(10, func() error {
		return s.query(ctx, func(scan scanner) error {
			var v Timing
			err := scan(&v.Run, &v.Vendor, &v.Product, &v.Mode, &v.Protocol, &v.ImageSize, &v.Phase, &v.Took,
				(*moment)(&v.At))
			all = append(all, v)
			return err
		}, `SELECT run, vendor, product, mode, protocol, image_size, phase, took_ns, at FROM timings
			ORDER BY vendor, product, mode, protocol, image_size, phase, id`)
	})
	return all, err
}

// Runs returns all runs, latest last.
func (s *Store) Runs(ctx context.Context) ([]Run, error) { return s.runs(ctx, "TRUE") }

// Unfinished returns the runs without an end, oldest first: those still running, and those
// that were killed.
func (s *Store) Unfinished(ctx context.Context) ([]Run, error) { return s.runs(ctx, "ended_at = ''") }

// Resumable returns the runs that are being resumed or can be, oldest first: those without
// an end, those with an effect whose end is unknown, and the last run that did anything if
// it was interrupted.
func (s *Store) Resumable(ctx context.Context) ([]Run, error) {
	all, err := s.Runs(ctx)
	if err != nil {
		return nil, err
	}
	effects, err := s.Open(ctx)
	if err != nil {
		return nil, err
	}
	var open []Run
	last := true
	for _, run := range slices.Backward(all) {
		left := slices.ContainsFunc(effects, func(i Intent) bool { return i.Run == run.ID })
		if run.EndedAt.IsZero() || left || last && run.Outcome == Interrupted {
			open = append(open, run)
		}
		last = last && run.Outcome == Refused
	}
	slices.Reverse(open)
	return open, nil
}

// Run returns one run.
func (s *Store) Run(ctx context.Context, id int64) (*Run, error) {
	all, err := s.runs(ctx, "id = ?", id)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("cannot find run %d in state %s", id, s.path)
	}
	if err != nil {
		return nil, err
	}
	return &all[0], nil
}

func (s *Store) runs(ctx context.Context, where string, args ...any) ([]Run, error) {
	pid, err := s.column(3, "pid", "0")
	if err != nil {
		return nil, err
	}
	limits, err := s.column(6, "phase, wave", "'', 0")
	if err != nil {
		return nil, err
	}
	var all []Run
	err = s.query(ctx, func(scan scanner) error {
		var r Run
		err := scan(&r.ID, &r.PlanDigest, &r.Host, &r.By, (*moment)(&r.StartedAt), (*moment)(&r.EndedAt), &r.Outcome,
			&r.PID,
			&r.Phase, &r.Wave)
		all = append(all, r)
		return err
	}, "SELECT id, plan_digest, host, by, started_at, ended_at, outcome, "+pid+", "+limits+
		" FROM runs WHERE "+where+" ORDER BY id", args...)
	return all, err
}

// Kept returns the plan file of a run, or nil if none was kept.
func (s *Store) Kept(ctx context.Context, run int64) ([]byte, error) {
	var plan []byte
	err := s.since(3, func() error {
		return s.query(ctx, func(scan scanner) error { return scan(&plan) }, "SELECT plan FROM plans WHERE run = ?",
			run)
	})
	return plan, err
}

// Resumes returns who resumed a run, in order.
func (s *Store) Resumes(ctx context.Context, run int64) ([]Resume, error) {
	var all []Resume
	err := s.since(3, func() error {
		return s.query(ctx, func(scan scanner) error {
			var v Resume
			err := scan(&v.By, (*moment)(&v.At))
			all = append(all, v)
			return err
		}, "SELECT by, at FROM resumes WHERE run = ? ORDER BY id", run)
	})
	return all, err
}

// Baselines returns the baselines that a run recorded, by enclosure.
func (s *Store) Baselines(ctx context.Context, run int64) (map[string][]byte, error) {
	all := map[string][]byte{}
	err := s.since(3, func() error {
		return s.query(ctx, func(scan scanner) error {
			var enclosure string
			var data []byte
			err := scan(&enclosure, &data)
			all[enclosure] = data
			return err
		}, "SELECT enclosure, data FROM baselines WHERE run = ?", run)
	})
	return all, err
}

// LastBaselines returns the baseline of each enclosure's latest run that has one.
func (s *Store) LastBaselines(ctx context.Context) (map[string]Baseline, error) {
	all := map[string]Baseline{}
	err := s.since(3, func() error {
		return s.query(ctx, func(scan scanner) error {
			var enclosure string
			var v Baseline
			err := scan(&enclosure, &v.Run, (*moment)(&v.At), &v.Data)
			all[enclosure] = v
			return err
		}, `SELECT enclosure, run, started_at, data FROM baselines b JOIN runs r ON r.id = b.run
			WHERE run = (SELECT max(run) FROM baselines l WHERE l.enclosure = b.enclosure)`)
	})
	return all, err
}

// Steps returns how far a run got with each component, by address.
func (s *Store) Steps(ctx context.Context, run int64) ([]Step, error) {
	added, err := s.column(3, "sha256, from_revision, to_revision, outcome", "'', '', '', ''")
	if err != nil {
		return nil, err
	}
	component, err := s.column(9, "component", "''")
	if err != nil {
		return nil, err
	}
	var all []Step
	err = s.query(ctx, func(scan scanner) error {
		var v Step
		err := scan(&v.Address, &v.Key.LUID, &v.Key.Subenclosure, &v.Hop, &v.State, &v.Mode, &v.Detail,
			(*moment)(&v.At),
			&v.SHA256, &v.From, &v.To, &v.Outcome, &v.Component)
		all = append(all, v)
		return err
	}, "SELECT address, lu_id, subenclosure, hop, state, mode, detail, at, "+added+", "+component+
		" FROM steps WHERE run = ? ORDER BY address", run)
	return all, err
}

// Intents returns the effects that a run was about to try, in order.
func (s *Store) Intents(ctx context.Context, run int64) ([]Intent, error) {
	return s.intents(ctx, "run = ?", run)
}

func (s *Store) intents(ctx context.Context, where string, args ...any) ([]Intent, error) {
	var all []Intent
	err := s.query(ctx, func(scan scanner) error {
		var v Intent
		err := scan(&v.ID, &v.Run, &v.Address, &v.Key.LUID, &v.Key.Subenclosure, &v.Kind, &v.Mode, &v.SHA256,
			(*moment)(&v.At), &v.Outcome)
		all = append(all, v)
		return err
	}, "SELECT id, run, address, lu_id, subenclosure, kind, mode, sha256, at, outcome "+
		"FROM intents WHERE "+where+" ORDER BY id", args...)
	return all, err
}

// Open returns the effects that were about to be tried and whose end is unknown, in order.
// Their run is still running, or was killed.
func (s *Store) Open(ctx context.Context) ([]Intent, error) {
	return s.intents(ctx, "outcome = ''")
}

// Memory is what a store knows about the devices themselves, from all runs.
type Memory struct {
	Staged   map[Key]StagedRecord
	Sent     map[Key][]Sent
	Beside   map[Key][]Beside
	Open     []Intent // effects whose end is unknown, the last of each component
	Cautions []CautionRecord
	Timings  []Timing
}

// Memory returns everything that the store knows about devices.
func (s *Store) Memory(ctx context.Context) (*Memory, error) {
	var m Memory
	err := s.View(ctx, func(s *Store) (err error) {
		if m.Staged, err = s.Staged(ctx); err != nil {
			return err
		}
		if m.Sent, err = s.Sent(ctx); err != nil {
			return err
		}
		if m.Beside, err = s.Beside(ctx); err != nil {
			return err
		}
		open, err := s.Open(ctx)
		if err != nil {
			return err
		}
		m.Open = slices.DeleteFunc(slices.Clone(open), func(i Intent) bool {
			return slices.ContainsFunc(open, func(o Intent) bool { return o.Key == i.Key && o.ID > i.ID })
		})
		if m.Cautions, err = s.Cautions(ctx); err != nil {
			return err
		}
		m.Timings, err = s.Timings(ctx)
		return err
	})
	return &m, err
}

// Overrides returns the safeguards that a person overrode for a run, by address.
func (s *Store) Overrides(ctx context.Context, run int64) ([]Override, error) {
	var all []Override
	err := s.since(2, func() error {
		return s.query(ctx, func(scan scanner) error {
			var v Override
			err := scan(&v.Kind, &v.Address, &v.Given)
			all = append(all, v)
			return err
		}, "SELECT kind, address, given FROM overrides WHERE run = ? ORDER BY address, kind", run)
	})
	return all, err
}

// Accounts returns the accounts of those who started or resumed a run, in order.
func (s *Store) Accounts(ctx context.Context, run int64) ([]Account, error) {
	var all []Account
	err := s.since(5, func() error {
		return s.query(ctx, func(scan scanner) error {
			var v Account
			err := scan(&v.UID, &v.Login, &v.SudoUser, (*moment)(&v.At))
			all = append(all, v)
			return err
		}, "SELECT uid, login, sudo_user, at FROM accounts WHERE run = ? ORDER BY id", run)
	})
	return all, err
}

// Hooks returns the commands that a run ran around resets, in order.
func (s *Store) Hooks(ctx context.Context, run int64) ([]Hook, error) {
	var all []Hook
	err := s.since(5, func() error {
		return s.query(ctx, func(scan scanner) error {
			var v Hook
			err := scan(&v.ID, &v.Run, &v.Address, &v.Key.LUID, &v.Key.Subenclosure, &v.Hop, &v.Kind, &v.Command,
				(*moment)(&v.At), (*moment)(&v.EndedAt), &v.Outcome, &v.Output)
			all = append(all, v)
			return err
		}, "SELECT id, run, address, lu_id, subenclosure, hop, kind, command, at, ended_at, outcome, output "+
			"FROM hooks WHERE run = ? ORDER BY id", run)
	})
	return all, err
}

// Verifications returns what became of staged images, latest last.
func (s *Store) Verifications(ctx context.Context) ([]Verification, error) {
	var all []Verification
	err := s.since(3, func() error {
		return s.query(ctx, func(scan scanner) error {
			var v Verification
			err := scan(&v.Address, &v.Key.LUID, &v.Key.Subenclosure, &v.SHA256, &v.Revision, &v.Outcome, &v.By,
				(*moment)(&v.At))
			all = append(all, v)
			return err
		}, "SELECT address, lu_id, subenclosure, sha256, revision, outcome, by, at FROM verifications ORDER BY id")
	})
	return all, err
}

// Addresses returns the address that each component had in its latest run.
func (s *Store) Addresses(ctx context.Context) (map[Key]string, error) {
	all := map[Key]string{}
	err := s.query(ctx, func(scan scanner) error {
		var k Key
		var address string
		var run int64
		err := scan(&k.LUID, &k.Subenclosure, &address, &run)
		all[k] = address
		return err
	}, "SELECT lu_id, subenclosure, address, max(run) FROM steps GROUP BY lu_id, subenclosure")
	return all, err
}

// Names returns the latest names that plans gave enclosures, by the first part of their addresses.
func (s *Store) Names(ctx context.Context) (map[string]string, error) {
	all := map[string]string{}
	err := s.since(7, func() error {
		return s.query(ctx, func(scan scanner) error {
			var enclosure, name string
			err := scan(&enclosure, &name)
			all[enclosure] = name
			return err
		}, "SELECT enclosure, name FROM names")
	})
	return all, err
}

// column returns how to query columns that a schema added: names, or what stands for them
// in a database of an earlier schema.
func (s *Store) column(schema int, names, without string) (string, error) {
	v, err := s.version()
	if v < schema {
		names = without
	}
	return names, err
}

// since runs a query that needs that schema or a later one. A database that an earlier
// fwctl wrote has no rows for it.
func (s *Store) since(schema int, ask func() error) error {
	if v, err := s.version(); err != nil || v < schema {
		return err
	}
	return ask()
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// View calls f with a Store whose answers are all of one moment, whatever is written
// meanwhile.
func (s *Store) View(ctx context.Context, f func(*Store) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.wrap("read", err)
	}
	defer tx.Rollback()
	return f(&Store{q: tx, path: s.path, readOnly: true})
}

type scanner func(dest ...any) error

func (s *Store) query(ctx context.Context, row func(scanner) error, query string, args ...any) error {
	rows, err := s.q.QueryContext(ctx, query, args...)
	if err != nil {
		return s.wrap("read", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return s.wrap("read", err)
		}
	}
	if err := rows.Err(); err != nil {
		return s.wrap("read", err)
	}
	return nil
}

// moment reads a time as stamp wrote it; the empty string is the zero time.
type moment time.Time

var _ sql.Scanner = (*moment)(nil)

func (m *moment) Scan(v any) error {
	text, _ := v.(string)
	if text == "" {
		*m = moment{}
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	*m = moment(t)
	return err
}
