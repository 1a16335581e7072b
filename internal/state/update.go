package state

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"time"

	"fwctl/inventory"
)

var errReadOnly = errors.New("it is open for reading only")

// Tx is one transaction. Its methods keep the first error, and Update reports it.
type Tx struct {
	ctx   context.Context
	tx    *sql.Tx
	store *Store
	err   error
}

// Update runs f in a transaction and commits it to the disk. If it returns nil, everything
// that f wrote is durable; if it returns an error, nothing of it is kept. f must not call
// the Store.
func (s *Store) Update(ctx context.Context, f func(*Tx)) error {
	return s.update(ctx, "write to", func(tx *Tx) error { f(tx); return tx.err })
}

func (s *Store) update(ctx context.Context, op string, f func(*Tx) error) error {
	if s.readOnly {
		return &Error{Op: op, Path: s.path, Err: errReadOnly}
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.wrap(op, err)
	}
	defer tx.Rollback() // does nothing after Commit
	if err := s.inPlace(); err != nil {
		return err
	}
	if err := f(&Tx{ctx: ctx, tx: tx, store: s}); err != nil {
		return s.wrap(op, err)
	}
	if err := tx.Commit(); err != nil {
		return s.wrap(op, err)
	}
	return nil
}

func (t *Tx) exec(query string, args ...any) sql.Result {
	if t.err != nil {
		return nil
	}
	r, err := t.tx.ExecContext(t.ctx, query, args...)
	t.err = err
	return r
}

func (t *Tx) insert(query string, args ...any) int64 {
	r := t.exec(query, args...)
	if t.err != nil {
		return 0
	}
	id, err := r.LastInsertId()
	t.err = err
	return id
}

// BeginRun records a run that this process starts, and returns its id.
func (t *Tx) BeginRun(r Run) int64 {
	return t.insert("INSERT INTO runs (plan_digest, host, by, started_at, pid, phase, wave) VALUES (?, ?, ?, ?, ?, ?, "+
		"?)",
		r.PlanDigest, r.Host, r.By, stamp(r.StartedAt), os.Getpid(), r.Phase, r.Wave)
}

// EndRun records how a run ended.
func (t *Tx) EndRun(id int64, at time.Time, outcome string) {
	t.exec("UPDATE runs SET ended_at = ?, outcome = ? WHERE id = ?", stamp(at), outcome, id)
}

// Keep records the plan file that a run carries out, for whoever resumes it.
func (t *Tx) Keep(run int64, plan []byte) {
	t.exec("INSERT OR REPLACE INTO plans (run, plan) VALUES (?, ?)", run, plan)
}

// Resume records that someone resumes, in this process, a run that was broken off. It
// removes the end of a run that was interrupted.
func (t *Tx) Resume(run int64, by string, at time.Time) {
	t.exec("UPDATE runs SET pid = ?, ended_at = '', outcome = '' WHERE id = ?", os.Getpid(), run)
	t.exec("INSERT INTO resumes (run, by, at) VALUES (?, ?, ?)", run, by, stamp(at))
}

// Name records what a plan calls an enclosure, by the first part of its addresses. A name
// belongs to one enclosure: another one that had it before loses it.
func (t *Tx) Name(enclosure, name string) {
	t.exec("DELETE FROM names WHERE name = ?", name)
	t.exec("INSERT OR REPLACE INTO names (enclosure, name) VALUES (?, ?)", enclosure, name)
}

// Work records the account of someone who starts or resumes a run.
func (t *Tx) Work(run int64, a Account, at time.Time) {
	t.exec("INSERT INTO accounts (run, uid, login, sudo_user, at) VALUES (?, ?, ?, ?, ?)", run, a.UID, a.Login,
		a.SudoUser, stamp(at))
}

// Baseline records what an enclosure was like before a run touched it. It replaces an
// earlier record of the same run.
func (t *Tx) Baseline(run int64, enclosure string, data []byte) {
	t.exec("INSERT OR REPLACE INTO baselines (run, enclosure, data) VALUES (?, ?, ?)", run, enclosure, data)
}

// Override records a safeguard that a person overrode for a run.
func (t *Tx) Override(run int64, o Override) {
	t.exec("INSERT OR REPLACE INTO overrides (run, kind, address, given) VALUES (?, ?, ?, ?)", run, string(o.Kind),
		o.Address, o.Given)
}

// SetStep records how far a run got with one component.
func (t *Tx) SetStep(run int64, s Step) {
	t.exec(`INSERT OR REPLACE INTO steps (run, address, lu_id, subenclosure, hop, sha256, from_revision, to_revision,
		state, mode, outcome, detail, at, component)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		run, s.Address, s.Key.LUID, s.Key.Subenclosure, s.Hop, s.SHA256, s.From, s.To, s.State, s.Mode, s.Outcome,
		s.Detail,
		stamp(s.At), s.Component)
}

// Intend records an effect that is about to be tried, and returns its id. A download
// supersedes earlier open intents of the component.
func (t *Tx) Intend(i Intent) int64 {
	if i.Kind == DownloadStart {
		t.exec("UPDATE intents SET outcome = 'superseded' WHERE lu_id = ? AND subenclosure = ? AND outcome = ''",
			i.Key.LUID, i.Key.Subenclosure)
	}
	return t.insert("INSERT INTO intents (run, address, lu_id, subenclosure, kind, mode, sha256, at) "+
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		i.Run, i.Address, i.Key.LUID, i.Key.Subenclosure, string(i.Kind), i.Mode, i.SHA256, stamp(i.At))
}

// Resolve records what the device answered to an intent. The first answer counts: a later
// one changes nothing.
func (t *Tx) Resolve(intent int64, outcome string) {
	t.exec("UPDATE intents SET outcome = ? WHERE id = ? AND outcome = ''", outcome, intent)
}

// BeginHook records a command that is about to be started, and returns its id.
func (t *Tx) BeginHook(h Hook) int64 {
	return t.insert("INSERT INTO hooks (run, address, lu_id, subenclosure, hop, kind, command, at) "+
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		h.Run, h.Address, h.Key.LUID, h.Key.Subenclosure, h.Hop, string(h.Kind), h.Command, stamp(h.At))
}

// EndHook records how a command ended, and its output.
func (t *Tx) EndHook(id int64, at time.Time, outcome, output string) {
	t.exec("UPDATE hooks SET ended_at = ?, outcome = ?, output = ? WHERE id = ?", stamp(at), outcome, output, id)
}

// Stage records the image staged on a component, in place of an earlier one.
func (t *Tx) Stage(k Key, s StagedRecord) {
	t.exec("INSERT OR REPLACE INTO staged (lu_id, subenclosure, sha256, revision, running, since, by, confirmed) "+
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		k.LUID, k.Subenclosure, s.SHA256, s.Revision, s.Running, stamp(s.Since), s.By, s.Confirmed)
	t.Settle(k, "", inventory.PowerOnly)
}

// Caution records a caution about a component.
func (t *Tx) Caution(c CautionRecord) {
	t.exec("INSERT OR REPLACE INTO cautions (lu_id, subenclosure, kind, address, detail, since) "+
		"VALUES (?, ?, ?, ?, ?, ?)",
		c.Key.LUID, c.Key.Subenclosure, c.Kind, c.Address, c.Detail, stamp(c.Since))
}

// NeedsImage records that a component needs a whole image, and must not start what it held
// before.
func (t *Tx) NeedsImage(k Key, address, detail string, since time.Time) {
	t.Unstage(k)
	t.Caution(CautionRecord{Key: k, Caution: inventory.Caution{
		Kind: inventory.NeedsImage, Address: address, Detail: detail, Since: since,
	}})
}

// Settle deletes the cautions of a kind about a component, or about one that was at its address before: the module was
// exchanged. "" is no address.
func (t *Tx) Settle(k Key, address string, kind inventory.CautionKind) {
	t.exec("DELETE FROM cautions WHERE (lu_id = ? AND subenclosure = ? OR address = ? AND address != '') AND kind = ?",
		k.LUID, k.Subenclosure, address, kind)
}

// Unstage deletes the record of an image staged on a component: it runs, was lost, or is
// about to be overwritten.
func (t *Tx) Unstage(k Key) {
	t.exec("DELETE FROM staged WHERE lu_id = ? AND subenclosure = ?", k.LUID, k.Subenclosure)
	t.Settle(k, "", inventory.PowerOnly)
}

// Sent records an image that a component has received completely.
func (t *Tx) Sent(k Key, s Sent) {
	t.exec("INSERT OR REPLACE INTO sent (lu_id, subenclosure, sha256, revision, at) VALUES (?, ?, ?, ?, ?)",
		k.LUID, k.Subenclosure, s.SHA256, s.Revision, stamp(s.At))
}

// Beside records an image that a part beside a component has received completely.
func (t *Tx) Beside(k Key, b Beside) {
	t.exec("INSERT OR REPLACE INTO beside (lu_id, subenclosure, buffer, sha256, at) VALUES (?, ?, ?, ?, ?)",
		k.LUID, k.Subenclosure, b.BufferID, b.SHA256, stamp(b.At))
}

// Verified records what became of a staged image. It unstages nothing.
func (t *Tx) Verified(v Verification) {
	t.insert("INSERT INTO verifications (address, lu_id, subenclosure, sha256, revision, outcome, by, at) "+
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		v.Address, v.Key.LUID, v.Key.Subenclosure, v.SHA256, v.Revision, string(v.Outcome), v.By, stamp(v.At))
}

// maxTimings is how many timings of the same work are kept, the latest ones.
const maxTimings = 50

// Time records how long a phase took.
func (t *Tx) Time(v Timing) {
	t.exec(`INSERT INTO timings (run, vendor, product, mode, protocol, image_size, phase, took_ns, at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		v.Run, v.Vendor, v.Product, v.Mode, v.Protocol, v.ImageSize, string(v.Phase), int64(v.Took), stamp(v.At))
	t.exec(`DELETE FROM timings WHERE id IN (SELECT id FROM timings WHERE vendor = ? AND product = ? AND mode = ?
		AND protocol = ? AND image_size = ? AND phase = ? ORDER BY id DESC LIMIT -1 OFFSET ?)`,
		v.Vendor, v.Product, v.Mode, v.Protocol, v.ImageSize, string(v.Phase), maxTimings)
}

// stamp writes a time so that its order as text is its order in time; the zero time
// is the empty string.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000000Z07:00")
}
