package inventory

// Reading is what one logical unit answered over one path: the plain record that
// scan makes of a device and Merge makes enclosures of.
type Reading struct {
	Path           string // device node
	LUID           string // Identity.LUID
	Port           string // SAS address of the SEP's own port on this path as the host knows it, 16 hex digits; "" unknown
	Serial         string
	Inquiry        Inquiry
	Pages          []int // supported diagnostic pages, ascending; nil where the device does not tell
	GenerationCode uint32
	RelativeID     int // of the primary subenclosure, page 01h
	Processes      int // likewise
	Subenclosures  []Subenclosure
	Download       Download
	Health         Health
	Slots          []Slot
	Problems       []Problem // what of the device could not be read
}

// Slot is an occupied device slot of page 0Ah.
type Slot struct {
	Number     int
	SASAddress string // of the drive's port, 16 hex digits
}

// BlockDevice is one way that the host reaches a drive.
type BlockDevice struct {
	Name       string // "sda"
	SASAddress string // of the drive's port that it goes to, 16 hex digits
	LogicalID  string // NAA of the drive's logical unit, "" unknown
	Live       bool
}

// Merge joins readings to ESPs, ESPs to enclosures, and drives to the block
// devices that lead to them. The result does not depend on the order of either.
func Merge(readings []Reading, blocks []BlockDevice) ([]Enclosure, []Problem) {
	return nil, nil
}
