package state_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/internal/state"
	"fwctl/inventory"
)

var (
	ctx  = context.Background()
	noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	key  = state.Key{LUID: "5000ccab04001001", Subenclosure: 3}
)

func open(t *testing.T, dir string) *state.Store {
	t.Helper()
	s, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func update(t *testing.T, s *state.Store, f func(*state.Tx)) {
	t.Helper()
	if err := s.Update(ctx, f); err != nil {
		t.Fatal(err)
	}
}

func TestWrittenIsReadAfterReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "here")
	staged := state.StagedRecord{SHA256: "aa", Revision: "1100", Running: "1000", Since: noon, By: "anna", Confirmed: true}
	step := state.Step{Address: "a", Key: key, Hop: 1, SHA256: "aa", From: "1000", To: "1100", State: "failed", Mode: "e",
		Outcome: "failed", Detail: "d", At: noon.Add(time.Nanosecond)}
	verification := state.Verification{Address: "a", Key: key, SHA256: "aa", Revision: "1100", Outcome: state.Running,
		By: "ben", At: noon.Add(2 * time.Hour)}
	intent := state.Intent{Address: "a", Key: key, Kind: state.LastChunk, Mode: "0e", SHA256: "aa", At: noon}

	override := state.Override{Kind: state.AcceptDisruption, Address: "a", Given: "all"}
	before := state.Hook{Address: "a", Key: key, Hop: 1, Kind: state.BeforeReset, Command: "ceph osd set noout", At: noon}
	after := state.Hook{Address: "a", Key: key, Hop: 1, Kind: state.AfterReset, Command: "ceph osd unset noout",
		At: noon.Add(time.Minute)}

	s := open(t, dir)
	var run int64
	update(t, s, func(tx *state.Tx) {
		run = tx.BeginRun(state.Run{PlanDigest: "sha256:00", Host: "stor1", By: "anna", StartedAt: noon, Phase: "reset",
			Wave: 2})
		tx.SetStep(run, state.Step{Address: "a", Key: key, State: "pending", At: noon})
		tx.SetStep(run, step)
		intent.Run = run
		intent.ID = tx.Intend(intent)
		tx.Resolve(intent.ID, "13h: staged")
		tx.Resolve(intent.ID, "00h: nothing") // the first word counts
		tx.Stage(key, state.StagedRecord{SHA256: "older", Since: noon})
		tx.Stage(key, staged)
		tx.Sent(key, state.Sent{SHA256: "first", Revision: "1100", At: noon.Add(time.Second)})
		tx.Sent(key, state.Sent{SHA256: "aa", Revision: "1100", At: noon.Add(500 * time.Millisecond)})
		tx.Override(run, override)
		tx.Keep(run, []byte("{}"))
		tx.Resume(run, "ben", noon.Add(30*time.Minute))
		tx.Resume(run, "anna", noon.Add(20*time.Minute)) // the clock was set back
		tx.Baseline(run, "5000ccab04001000", []byte("first"))
		tx.Baseline(run, "5000ccab04001000", []byte{0, 1})
		tx.Verified(verification)
		tx.Work(run, state.Account{Login: "root", SudoUser: "anna"}, noon)
		tx.Work(run, state.Account{UID: 1000, Login: "ben"}, noon)
		before.Run, after.Run = run, run
		before.ID = tx.BeginHook(before)
		tx.EndHook(before.ID, noon.Add(time.Second), "done", "noout is set\n")
		after.ID = tx.BeginHook(after)
		tx.EndRun(run, noon.Add(time.Hour), "done")
	})
	intent.Outcome = "13h: staged"
	before.EndedAt, before.Outcome, before.Output = noon.Add(time.Second), "done", "noout is set\n"
	s.Close()

	s = open(t, dir)
	check(t, "Staged", map[state.Key]state.StagedRecord{key: staged})(s.Staged(ctx))
	check(t, "Sent", map[state.Key][]state.Sent{key: {
		{SHA256: "first", Revision: "1100", At: noon.Add(time.Second)},
		{SHA256: "aa", Revision: "1100", At: noon.Add(500 * time.Millisecond)}, // the clock was set back
	}})(s.Sent(ctx))
	check(t, "Steps", []state.Step{step})(s.Steps(ctx, run))
	check(t, "Intents", []state.Intent{intent})(s.Intents(ctx, run))
	check(t, "Overrides", []state.Override{override})(s.Overrides(ctx, run))
	check(t, "Accounts", []state.Account{{Login: "root", SudoUser: "anna", At: noon},
		{UID: 1000, Login: "ben", At: noon}})(s.Accounts(ctx, run))
	check(t, "Hooks", []state.Hook{before, after})(s.Hooks(ctx, run))
	check(t, "Addresses", map[state.Key]string{key: "a"})(s.Addresses(ctx))
	check(t, "Kept", []byte("{}"))(s.Kept(ctx, run))
	check(t, "Kept of another run", []byte(nil))(s.Kept(ctx, run+1))
	check(t, "Resumes", []state.Resume{{By: "ben", At: noon.Add(30 * time.Minute)},
		{By: "anna", At: noon.Add(20 * time.Minute)}})(s.Resumes(ctx, run))
	check(t, "Baselines", map[string][]byte{"5000ccab04001000": {0, 1}})(s.Baselines(ctx, run))
	check(t, "Verifications", []state.Verification{verification})(s.Verifications(ctx))
	ended := state.Run{ID: run, PlanDigest: "sha256:00", Host: "stor1", By: "anna", StartedAt: noon,
		EndedAt: noon.Add(time.Hour), Outcome: "done", PID: os.Getpid(), Phase: "reset", Wave: 2}
	check(t, "Runs", []state.Run{ended})(s.Runs(ctx))
	check(t, "Run", &ended)(s.Run(ctx, run))
	if r, err := s.Run(ctx, run+1); err == nil {
		t.Errorf("Run of an id that there is not = %+v; want an error", r)
	}

	update(t, s, func(tx *state.Tx) { tx.Unstage(key) })
	check(t, "Staged after Unstage", map[state.Key]state.StagedRecord{})(s.Staged(ctx))
}

func TestUnfinishedRunsAndTheLatestBaselines(t *testing.T) {
	s := open(t, t.TempDir())
	var ids []int64
	update(t, s, func(tx *state.Tx) {
		for i := range 4 {
			// clocks are set back
			ids = append(ids, tx.BeginRun(state.Run{By: "anna", StartedAt: noon.Add(-time.Duration(i) * time.Hour)}))
		}
		tx.EndRun(ids[1], noon, "done")
		tx.EndRun(ids[2], noon, "interrupted")
		tx.Resume(ids[2], "ben", noon) // it goes on
		tx.Baseline(ids[0], "enc1", []byte("old"))
		tx.Baseline(ids[2], "enc1", []byte("new"))
		tx.Baseline(ids[1], "enc2", []byte("only"))
	})
	unfinished, err := s.Unfinished(ctx)
	var got []int64
	for _, r := range unfinished {
		got = append(got, r.ID)
	}
	check(t, "Unfinished", []int64{ids[0], ids[2], ids[3]})(got, err)
	check(t, "LastBaselines", map[string]state.Baseline{
		"enc1": {Run: ids[2], At: noon.Add(-2 * time.Hour), Data: []byte("new")},
		"enc2": {Run: ids[1], At: noon.Add(-time.Hour), Data: []byte("only")},
	})(s.LastBaselines(ctx))
}

// What can be gone on with: whatever has no end, and the last run that did anything,
// where that was interrupted.
func TestResumable(t *testing.T) {
	for name, tt := range map[string]struct {
		outcomes []string // of the runs, "" for no end
		want     []int64
	}{
		"nothing":                      {nil, nil},
		"done":                         {[]string{"done"}, nil},
		"killed, and done":             {[]string{"", "done"}, []int64{1}},
		"interrupted":                  {[]string{"done", state.Interrupted}, []int64{2}},
		"interrupted, and refused":     {[]string{state.Interrupted, state.Refused}, []int64{1}},
		"interrupted, and done":        {[]string{state.Interrupted, "done"}, nil},
		"interrupted, and killed":      {[]string{state.Interrupted, ""}, []int64{2}},
		"killed, and interrupted":      {[]string{"", state.Interrupted}, []int64{1, 2}},
		"interrupted, and interrupted": {[]string{state.Interrupted, state.Interrupted}, []int64{2}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			update(t, s, func(tx *state.Tx) {
				for _, outcome := range tt.outcomes {
					if id := tx.BeginRun(state.Run{Host: "stor1", StartedAt: noon}); outcome != "" {
						tx.EndRun(id, noon, outcome)
					}
				}
			})
			runs, err := s.Resumable(ctx)
			var got []int64
			for _, r := range runs {
				got = append(got, r.ID)
			}
			check(t, "Resumable", tt.want)(got, err)
		})
	}
}

// What is open stays quick to find however long the history is.
func TestOpenIntentsAreFoundByAnIndex(t *testing.T) {
	s := open(t, t.TempDir())
	for query, index := range map[string]string{
		state.StagedQuery: "open_intents",
		"UPDATE intents SET outcome = '' WHERE lu_id = '' AND subenclosure = 0 AND outcome = ''": "open_intents",
		"SELECT id FROM intents WHERE outcome = '' ORDER BY id":                                  "open_intents",
		"SELECT id FROM intents WHERE run = 1 ORDER BY id":                                       "intents_of_run",
		"SELECT id FROM runs WHERE ended_at = '' ORDER BY id":                                    "open_runs",
	} {
		if got := s.Explain(t, query); !strings.Contains(got, index) {
			t.Errorf("the plan of %s is %s; want it to use %s", query, got, index)
		}
	}
}

// A download whose end is not known hides what was staged before it, until it is
// known, or another download takes its place.
func TestOpenDownloadHidesStaged(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	key := state.Key{LUID: "5000ccab04001001"}
	staged := map[state.Key]state.StagedRecord{key: {SHA256: "aa", Revision: "1100", Running: "1000", Since: noon}}
	none := map[state.Key]state.StagedRecord{}
	intend := func(tx *state.Tx, kind state.Kind) int64 {
		run := tx.BeginRun(state.Run{StartedAt: noon})
		return tx.Intend(state.Intent{Run: run, Key: key, Kind: kind, At: noon})
	}
	var first, second int64
	update(t, s, func(tx *state.Tx) {
		tx.Stage(key, staged[key])
		intend(tx, state.Activation)
	})
	check(t, "Staged before a download", staged)(s.Staged(ctx))
	update(t, s, func(tx *state.Tx) { first = intend(tx, state.DownloadStart) })
	check(t, "Staged during a download", none)(s.Staged(ctx))
	update(t, s, func(tx *state.Tx) { second = intend(tx, state.DownloadStart) })
	open, err := s.Open(ctx)
	if err != nil || len(open) != 1 || open[0].ID != second {
		t.Errorf("Open = %v, %v; want the second download, %d, alone, not %d", open, err, second, first)
	}
	update(t, s, func(tx *state.Tx) { tx.Resolve(second, "refused") })
	check(t, "Staged after a refusal", staged)(s.Staged(ctx))
}

// check returns a function that takes what a query returned.
func check[T any](t *testing.T, what string, want T) func(T, error) {
	t.Helper()
	return func(got T, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s = %v", what, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

func TestNothingOfAFailedUpdateIsKept(t *testing.T) {
	s := open(t, t.TempDir())
	err := s.Update(ctx, func(tx *state.Tx) {
		tx.Stage(key, state.StagedRecord{SHA256: "aa"})
		tx.SetStep(4711, state.Step{Address: "a"}) // no such run
	})
	var e *state.Error
	if !errors.As(err, &e) {
		t.Fatalf("Update with a step of no run = %v; want a *state.Error", err)
	}
	check(t, "Staged", map[state.Key]state.StagedRecord{})(s.Staged(ctx))
}

func TestReadersSeeCommittedDuringAWrite(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	update(t, w, func(tx *state.Tx) { tx.Stage(key, state.StagedRecord{SHA256: "before", Since: noon}) })
	before := map[state.Key]state.StagedRecord{key: {SHA256: "before", Since: noon}}

	update(t, w, func(tx *state.Tx) {
		tx.Stage(key, state.StagedRecord{SHA256: "after", Since: noon})
		r, err := state.OpenReadOnly(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		check(t, "Staged in mid-transaction", before)(r.Staged(ctx))
		refusesToWrite(t, r)
	})
	r, err := state.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	check(t, "Staged after it", map[state.Key]state.StagedRecord{key: {SHA256: "after", Since: noon}})(r.Staged(ctx))
}

// refusesToWrite holds that a store that was opened for reading is not written.
func refusesToWrite(t *testing.T, s *state.Store) {
	t.Helper()
	for what, err := range map[string]error{
		"Update":     s.Update(ctx, func(tx *state.Tx) { tx.Unstage(key) }),
		"KeepImage":  s.KeepImage(digestOf("image"), []byte("image")),
		"DropImages": s.DropImages(nil),
	} {
		var e *state.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), "for reading only") {
			t.Errorf("%s through OpenReadOnly = %v; want a *state.Error that says why", what, err)
		}
	}
}

// What is asked in a View is of one moment.
func TestView(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	var run int64
	update(t, w, func(tx *state.Tx) { run = tx.BeginRun(state.Run{StartedAt: noon}) })
	r, err := state.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	err = r.View(ctx, func(s *state.Store) error {
		before, err := s.Unfinished(ctx)
		update(t, w, func(tx *state.Tx) { tx.EndRun(run, noon, "done") })
		check(t, "Unfinished in a View", before)(s.Unfinished(ctx))
		if len(before) != 1 {
			t.Errorf("Unfinished = %v; want the run", before)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	check(t, "Unfinished after it", []state.Run(nil))(r.Unfinished(ctx))
}

func TestReadingCreatesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	s, err := state.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	check(t, "Staged", map[state.Key]state.StagedRecord{})(s.Staged(ctx))
	refusesToWrite(t, s)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat(%s) = %v; want it not to exist", dir, err)
	}
}

// A reader that comes while the first apply creates the database finds an empty
// store; one that finds the database of another program says so.
func TestReadingWithoutSchema(t *testing.T) {
	for statement, want := range map[string]string{
		"SELECT 1":                  "",
		"PRAGMA journal_mode = WAL": "",
		"CREATE TABLE mail (id)":    "another program",
	} {
		dir := t.TempDir()
		pragma(t, dir, statement)
		s, err := state.OpenReadOnly(dir)
		if err == nil {
			check(t, "Staged", map[state.Key]state.StagedRecord{})(s.Staged(ctx))
			s.Close()
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("OpenReadOnly after %s = %v; want %q", statement, err, want)
		}
	}
}

func TestNewerSchemaIsRefusedByName(t *testing.T) {
	dir := t.TempDir()
	open(t, dir).Close()
	pragma(t, dir, "PRAGMA user_version = 99")
	for name, opener := range map[string]func(string) (*state.Store, error){"Open": state.Open,
		"OpenReadOnly": state.OpenReadOnly} {
		_, err := opener(dir)
		if !errors.Is(err, state.ErrNewerSchema) || !strings.Contains(err.Error(), "schema 99") {
			t.Errorf("%s(schema 99) = %v; want ErrNewerSchema, naming 99", name, err)
		}
	}
}

// A database of an earlier fwctl is read as it is, and brought up to date by whoever writes.
func TestOlderSchema(t *testing.T) {
	step := state.Step{Address: "a", Key: key, State: "staged", Mode: "e", Detail: "d", At: noon}
	run := state.Run{ID: 1, By: "anna", StartedAt: noon} // without a PID
	staged := map[state.Key]state.StagedRecord{key: {SHA256: "aa", Since: noon}}
	override := []state.Override{{Kind: state.AcceptDisruption, Address: "a", Given: "a"}}
	for schema, overrides := range map[int][]state.Override{1: nil, 2: override} {
		t.Run(fmt.Sprint(schema), func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			update(t, s, func(tx *state.Tx) {
				tx.BeginRun(run)
				tx.SetStep(1, step)
				tx.Stage(key, staged[key])
				for _, o := range overrides {
					tx.Override(1, o)
				}
			})
			s.Close()
			pragma(t, dir, `DROP INDEX open_runs; DROP INDEX open_intents; DROP INDEX intents_of_run;
				DROP TABLE cautions; DROP TABLE plans; DROP TABLE resumes; DROP TABLE baselines; DROP TABLE verifications; DROP TABLE hooks; DROP TABLE accounts; DROP TABLE names; DROP TABLE beside; DROP TABLE timings;
				ALTER TABLE runs DROP COLUMN pid; ALTER TABLE runs DROP COLUMN phase; ALTER TABLE runs DROP COLUMN wave;
				ALTER TABLE steps DROP COLUMN sha256; ALTER TABLE steps DROP COLUMN from_revision;
				ALTER TABLE steps DROP COLUMN to_revision; ALTER TABLE steps DROP COLUMN outcome;
				ALTER TABLE steps DROP COLUMN component`)
			if schema < 2 {
				pragma(t, dir, "DROP TABLE overrides")
			}
			pragma(t, dir, fmt.Sprintf("PRAGMA user_version = %d", schema))

			old := func(s *state.Store) {
				check(t, "Staged", staged)(s.Staged(ctx))
				check(t, "Unfinished", []state.Run{run})(s.Unfinished(ctx))
				check(t, "Steps", []state.Step{step})(s.Steps(ctx, 1))
				check(t, "Overrides", overrides)(s.Overrides(ctx, 1))
				check(t, "Kept", []byte(nil))(s.Kept(ctx, 1))
				check(t, "Names", map[string]string{})(s.Names(ctx))
				check(t, "Resumes", []state.Resume(nil))(s.Resumes(ctx, 1))
				check(t, "Baselines", map[string][]byte{})(s.Baselines(ctx, 1))
				check(t, "LastBaselines", map[string]state.Baseline{})(s.LastBaselines(ctx))
				check(t, "Verifications", []state.Verification(nil))(s.Verifications(ctx))
				check(t, "Hooks", []state.Hook(nil))(s.Hooks(ctx, 1))
				check(t, "Accounts", []state.Account(nil))(s.Accounts(ctx, 1))
				check(t, "Cautions", []state.CautionRecord(nil))(s.Cautions(ctx))
				check(t, "Beside", map[state.Key][]state.Beside{})(s.Beside(ctx))
				check(t, "Timings", []state.Timing(nil))(s.Timings(ctx))
			}
			r, err := state.OpenReadOnly(dir)
			if err != nil {
				t.Fatal(err)
			}
			old(r)
			r.Close()
			s = open(t, dir)
			old(s)
			update(t, s, func(tx *state.Tx) { tx.Keep(1, []byte("{}")); tx.Override(1, override[0]) })
			check(t, "Kept, brought up to date", []byte("{}"))(s.Kept(ctx, 1))
			check(t, "Overrides, brought up to date", override)(s.Overrides(ctx, 1))
		})
	}
}

// pragma runs a statement on the database behind the store's back.
func pragma(t *testing.T, dir, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, state.FileName))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func TestTheStoreIsDurable(t *testing.T) {
	s := open(t, t.TempDir())
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2"} { // 2: FULL
		if got := s.Pragma(t, pragma); got != want {
			t.Errorf("PRAGMA %s = %s; want %s", pragma, got, want)
		}
	}
}

func TestBadDirectories(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	garbage := t.TempDir()
	if err := os.WriteFile(filepath.Join(garbage, state.FileName), []byte(strings.Repeat("not a database ", 100)),
		0o644); err != nil {
		t.Fatal(err)
	}
	readOnly := t.TempDir()
	if err := os.Chmod(readOnly, 0o555); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ dir, want string }{
		{file, "not a directory"},
		{garbage, "damaged"},
		{readOnly, "--state-dir"},
	} {
		if tt.dir == readOnly && os.Geteuid() == 0 {
			continue // root writes everywhere
		}
		_, err := state.Open(tt.dir)
		var e *state.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Open(%s) = %v; want a *state.Error with %q", tt.dir, err, tt.want)
		}
	}
}

// A full disk stops before the next effect: nothing of what could not be written whole is kept.
func TestFullDisk(t *testing.T) {
	large := []byte(strings.Repeat("a", 1<<20))
	for what, fill := range map[string]func(*state.Tx, int64){
		"intents": func(tx *state.Tx, run int64) {
			for range 100 {
				tx.Intend(state.Intent{Run: run, SHA256: string(large[:4096])})
			}
		},
		"a plan":     func(tx *state.Tx, run int64) { tx.Keep(run, large) },
		"a baseline": func(tx *state.Tx, run int64) { tx.Baseline(run, "enc1", large) },
	} {
		s := open(t, t.TempDir())
		s.LimitPages(t)
		err := s.Update(ctx, func(tx *state.Tx) { fill(tx, tx.BeginRun(state.Run{})) })
		if err == nil || !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("Update with %s on a full disk = %v; want it to say so", what, err)
		}
		check(t, "Runs", []state.Run(nil))(s.Runs(ctx))
	}
}

func TestPathsWithOddCharacters(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b?c#d%20")
	s := open(t, dir)
	update(t, s, func(tx *state.Tx) { tx.Stage(key, state.StagedRecord{SHA256: "aa", Since: noon}) })
	if _, err := os.Stat(filepath.Join(dir, state.FileName)); err != nil {
		t.Error(err)
	}
	check(t, "Staged", map[state.Key]state.StagedRecord{key: {SHA256: "aa", Since: noon}})(s.Staged(ctx))
}

func TestTimingsAreKeptByWorkTheLatestOfEach(t *testing.T) {
	s := open(t, t.TempDir())
	flash := inventory.TimedWork{
		Vendor: "ACME", Product: "JBOD-60", Mode: "e", Protocol: "ses", Phase: inventory.FlashPhase,
	}
	var want []state.Timing
	update(t, s, func(tx *state.Tx) {
		run := tx.BeginRun(state.Run{StartedAt: noon})
		for i := range 60 {
			v := state.Timing{TimedWork: flash, ImageSize: 1 << 20, Run: run, Took: time.Duration(i) * time.Second, At: noon}
			tx.Time(v)
			if i >= 10 {
				want = append(want, v)
			}
		}
		v := state.Timing{TimedWork: flash, ImageSize: 1 << 21, Run: run, Took: time.Nanosecond, At: noon}
		tx.Time(v)
		want = append(want, v)
	})
	check(t, "Timings", want)(s.Timings(ctx))
}
