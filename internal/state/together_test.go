package state_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"fwctl/internal/state"
	"fwctl/inventory"
)

// together does something so many times at once.
func together(t *testing.T, n int, f func() error) {
	t.Helper()
	var all sync.WaitGroup
	for range n {
		all.Add(1)
		go func() {
			defer all.Done()
			if err := f(); err != nil {
				t.Error(err)
			}
		}()
	}
	all.Wait()
}

// Runs that begin at once, each in a process of its own, and the first on this host,
// wait for each other: none fails because another writes.
func TestWritersWaitForEachOther(t *testing.T) {
	dir := t.TempDir()
	together(t, 4, func() error {
		s, err := state.Open(dir)
		if err != nil {
			return err
		}
		defer s.Close()
		for range 5 {
			if err := s.Update(ctx, func(tx *state.Tx) {
				tx.EndRun(tx.BeginRun(state.Run{StartedAt: noon}), noon, "done")
			}); err != nil {
				return err
			}
		}
		return nil
	})
	runs, err := open(t, dir).Runs(ctx)
	if err != nil || len(runs) != 4*5 {
		t.Errorf("Runs = %d of them, %v; want %d", len(runs), err, 4*5)
	}
}

// Readers that are the first after a crash wait for each other too: one of them
// brings the database in order.
func TestReadersAfterACrash(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	update(t, s, func(tx *state.Tx) { tx.Stage(key, state.StagedRecord{SHA256: "aa", Since: noon}) })
	crashed := t.TempDir() // as the files stood when the writer was killed
	if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(crashed, state.FileName+"-shm")); err != nil {
		t.Fatal(err)
	}
	together(t, 16, func() error {
		r, err := state.OpenReadOnly(crashed)
		if err != nil {
			return err
		}
		defer r.Close()
		staged, err := r.Staged(ctx)
		if staged[key].SHA256 != "aa" {
			t.Errorf("Staged = %v; want what was committed before the crash", staged)
		}
		return err
	})
}

// What is read where there is no state is nothing, by however many at once.
func TestManyReadNothing(t *testing.T) {
	s, err := state.OpenReadOnly(filepath.Join(t.TempDir(), "none"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	together(t, 16, func() error {
		_, err := s.Runs(ctx)
		return err
	})
}

// The caution that only power on starts an image holds while that image is staged. The
// caution that a component needs an image holds until it has one.
func TestEndOfACaution(t *testing.T) {
	powerOnly, needsImage := state.CautionRecord{Key: key, Caution: inventory.Caution{Kind: inventory.PowerOnly, Since: noon}},
		state.CautionRecord{Key: key, Caution: inventory.Caution{Kind: inventory.NeedsImage, Since: noon}}
	for name, tt := range map[string]struct {
		f    func(*state.Tx)
		want []state.CautionRecord
	}{
		"another image is staged": {func(tx *state.Tx) { tx.Stage(key, state.StagedRecord{}) }, []state.CautionRecord{needsImage}},
		"nothing is staged":       {func(tx *state.Tx) { tx.Unstage(key) }, []state.CautionRecord{needsImage}},
		"something is sent":       {func(tx *state.Tx) { tx.Sent(key, state.Sent{}) }, []state.CautionRecord{needsImage, powerOnly}},
		"it has got an image":     {func(tx *state.Tx) { tx.Settle(key, "", inventory.NeedsImage) }, []state.CautionRecord{powerOnly}},
		"elsewhere":               {func(tx *state.Tx) { tx.Unstage(state.Key{LUID: key.LUID}) }, []state.CautionRecord{needsImage, powerOnly}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			update(t, s, func(tx *state.Tx) { tx.Caution(powerOnly); tx.Caution(needsImage) })
			update(t, s, tt.f)
			check(t, "Cautions", tt.want)(s.Cautions(ctx))
		})
	}
}
