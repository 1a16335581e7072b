package inventory

import "time"

// clockSkew is how far apart the clocks of hosts may be.
const clockSkew = 15 * time.Minute

// Freshness is what the time of a scan says about an inventory.
type Freshness int

const (
	Fresh Freshness = iota
	// Outdated is older than allowed: what it says may no longer be true.
	Outdated
	// FromFuture was scanned later than now. Exceptions and waivers that end before the scan
	// count as ended.
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
