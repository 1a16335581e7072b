package memory_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/executor/memory"
	"fwctl/internal/state"
	"fwctl/inventory"
)

const (
	enc1 = "5000ccab04001000"
	enc2 = "5000ccab04002000"
	esp1 = enc1 + "/esp1/sub0"
)

// join joins what a store holds after a write into an inventory, twice: the second time must change nothing.
func join(t *testing.T, inv *inventory.Inventory, write func(*state.Tx)) {
	t.Helper()
	ctx := context.Background()
	store, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Update(ctx, write); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := memory.Join(ctx, inv, store, memory.Host{}); err != nil {
			t.Fatal(err)
		}
	}
}

// The image behind a revision is the last of that revision that was sent, unless that is the one that is staged.
func TestSent(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
	key := state.Key{LUID: "5000ccab04001001"}
	older := state.Sent{SHA256: "aa", Revision: "1100", At: day(1)}
	newer := state.Sent{SHA256: "bb", Revision: "1100", At: day(2)}
	other := state.Sent{SHA256: "cc", Revision: "1200", At: day(3)}
	for _, tt := range []struct {
		name   string
		staged string // SHA-256 of an image of 1100
		sent   []state.Sent
		want   *inventory.Sent
	}{
		{"nothing", "", nil, nil},
		{"another revision", "", []state.Sent{other}, nil},
		{"the last", "", []state.Sent{older, newer, other}, &inventory.Sent{SHA256: "bb", At: day(2)}},
		{"not the one that is staged", "bb", []state.Sent{older, newer}, &inventory.Sent{SHA256: "aa", At: day(1)}},
	} {
		inv := &inventory.Inventory{Enclosures: []inventory.Enclosure{{
			LogicalID: enc1,
			ESPs:      []inventory.ESP{{LUID: key.LUID, Subenclosures: []inventory.Subenclosure{{Revision: "1100"}}}},
		}}}
		join(t, inv, func(tx *state.Tx) {
			for _, s := range tt.sent {
				tx.Sent(key, s)
			}
			if tt.staged != "" {
				tx.Stage(key, state.StagedRecord{SHA256: tt.staged, Revision: "1100", Running: "1100"})
			}
		})
		if diff := cmp.Diff(tt.want, inv.Enclosures[0].ESPs[0].Subenclosures[0].Sent); diff != "" {
			t.Errorf("%s: what was sent (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A caution is about its own enclosure, once, even if what the store holds is joined in again.
func TestCautions(t *testing.T) {
	t.Parallel()
	inv := &inventory.Inventory{Enclosures: []inventory.Enclosure{{LogicalID: enc1}, {LogicalID: enc2}}}
	join(t, inv, func(tx *state.Tx) {
		tx.Caution(state.CautionRecord{
			Key: state.Key{LUID: "5000ccab04001001"}, Caution: inventory.Caution{Kind: inventory.PowerOnly, Address: esp1, Detail: "it said so"},
		})
	})
	own, others := inv.Enclosures[0].Cautions, inv.Enclosures[1].Cautions
	if len(own) != 1 || own[0].Address != esp1 || own[0].Detail != "it said so" || len(others) != 0 {
		t.Errorf("cautions = %+v and %+v; want one, of the first enclosure", own, others)
	}
}
