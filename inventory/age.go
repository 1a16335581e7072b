package inventory

import "time"

// clockSkew is how far the clocks of hosts may be apart.
const clockSkew = 15 * time.Minute

// Freshness is what the time of a scan says about an inventory.
type Freshness int

const (
	Fresh Freshness = iota
	// Outdated is older than it may be: what it says may hold no longer.
	Outdated
	// FromFuture was scanned later than now: exceptions and waivers that end by then count
	// as ended.
	FromFuture
)

// Freshness compares the time of the scan with now, for an inventory of at most some age.
func (inv *Inventory) Freshness(now time.Time, most time.Duration) Freshness {
	switch age := now.Sub(inv.ScannedAt); {
	case age < -clockSkew:
		return FromFuture
	case age > most:
		return Outdated
	}
	return Fresh
}
