package executor_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/executor"
	"fwctl/internal/state"
	"fwctl/inventory"
)

// The image behind a revision is the last of that revision that was sent, unless
// that is the one that waits.
func TestRememberSent(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
	key := state.Key{LUID: "5000ccab04001001"}
	older, newer, other := state.Sent{SHA256: "aa", Revision: "1100", At: day(1)}, state.Sent{SHA256: "bb", Revision: "1100", At: day(2)}, state.Sent{SHA256: "cc", Revision: "1200", At: day(3)}
	for _, tt := range []struct {
		name   string
		staged map[state.Key]state.Staged
		sent   []state.Sent
		want   *inventory.Sent
	}{
		{"nothing", nil, nil, nil},
		{"another revision", nil, []state.Sent{other}, nil},
		{"the last", nil, []state.Sent{older, newer, other}, &inventory.Sent{SHA256: "bb", At: day(2)}},
		{"not the one that waits", map[state.Key]state.Staged{key: {SHA256: "bb", Revision: "1100", Running: "1100"}}, []state.Sent{older, newer}, &inventory.Sent{SHA256: "aa", At: day(1)}},
	} {
		inv := &inventory.Inventory{Enclosures: []inventory.Enclosure{{ESPs: []inventory.ESP{{LUID: key.LUID, Subenclosures: []inventory.Subenclosure{{Revision: "1100"}}}}}}}
		executor.Remember(inv, &state.Memory{Staged: tt.staged, Sent: map[state.Key][]state.Sent{key: tt.sent}})
		if diff := cmp.Diff(tt.want, inv.Enclosures[0].ESPs[0].Subenclosures[0].Sent); diff != "" {
			t.Errorf("%s: Remember (-want +got):\n%s", tt.name, diff)
		}
	}
}

// What has to be minded is told of its own enclosure, once, however often it is asked.
func TestRememberCautions(t *testing.T) {
	t.Parallel()
	inv := &inventory.Inventory{Enclosures: []inventory.Enclosure{{LogicalID: enc1}, {LogicalID: other}}}
	for range 2 {
		executor.Remember(inv, &state.Memory{Cautions: []state.Caution{{Kind: state.NeedsImage, Address: esp1, Detail: "83h"}}})
	}
	if own, others := inv.Enclosures[0].Cautions, inv.Enclosures[1].Cautions; len(own) != 1 || own[0].Address != esp1 || len(others) != 0 {
		t.Errorf("Remember = %+v and %+v; want one, of the first enclosure", own, others)
	}
}
