package inventory_test

import (
	"testing"
	"time"

	"fwctl/inventory"
)

func TestFreshness(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for age, want := range map[time.Duration]inventory.Freshness{
		0:                 inventory.Fresh,
		24 * time.Hour:    inventory.Fresh,
		24*time.Hour + 1:  inventory.Outdated,
		-15 * time.Minute: inventory.Fresh,
		-16 * time.Minute: inventory.FromFuture,
	} {
		inv := &inventory.Inventory{ScannedAt: now.Add(-age)}
		if got := inv.Freshness(now, 24*time.Hour); got != want {
			t.Errorf("Freshness at the age of %v = %v; want %v", age, got, want)
		}
	}
}
