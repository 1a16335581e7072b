package enclosure

import (
	"cmp"
	"fmt"
	"time"

	"fwctl/inventory"
)

// PeerSync follows what the ESPs of an enclosure run. Some bring each other to one
// revision by themselves, up or down, some time after one of them was updated
// (WD calls it Auto-Sync).
type PeerSync struct {
	seen  string // what they ran at the last look, "" if they could not be read
	since time.Time
}

// Over takes in a look at the enclosure, nil if it could not be read, and reports
// whether the ESPs are done with each other: all run the same, or have run what they
// do for so long.
func (p *PeerSync) Over(e *inventory.Enclosure, long time.Duration) bool {
	seen, alike := "", true
	if e != nil {
		first := map[string]string{}
		for _, esp := range e.ESPs {
			for _, sub := range esp.Subenclosures {
				part := fmt.Sprintf("%d %s", sub.ID, sub.Product)
				alike = alike && sub.Revision == cmp.Or(first[part], sub.Revision)
				first[part] = sub.Revision
				seen += fmt.Sprintf("%s %s %s\n", esp.LUID, part, sub.Revision)
			}
		}
	}
	if seen != p.seen || p.since.IsZero() {
		p.seen, p.since = seen, time.Now()
	}
	return seen != "" && (alike || time.Since(p.since) >= long)
}
