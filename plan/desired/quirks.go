package desired

import (
	_ "embed"
	"fmt"
	"slices"
	"sync"

	"fwctl/internal/glob"
	"fwctl/plan"
	"fwctl/schemas"
)

//go:embed quirks.yaml
var quirksYAML []byte

// Quirk is one row of the quirk table: how some devices differ from the defaults. Zero values
// mean the default.
type Quirk struct {
	Name  string     `yaml:"name"`
	Match QuirkMatch `yaml:"match"`
	// Source is where the row comes from, and how sure it is.
	Source string `yaml:"source"`
	// ChunkSize is in bytes, a multiple of 4.
	ChunkSize  int               `yaml:"chunkSize"`
	SkipStatus []plan.StatusRead `yaml:"skipStatus"`
	// Settle is how long to leave the device alone after a reset.
	Settle     plan.Duration  `yaml:"settle"`
	Activation ActivationPage `yaml:"activation"`
	// ModeE are globs on the only revisions at which mode e is taken; nil for all.
	ModeE []string `yaml:"modeE"`
	// RefusedMode are sense data that mean a refused mode, at the first chunk and if they point
	// at no field.
	RefusedMode         plan.SenseCode `yaml:"refusedMode"`
	ActivateUnconfirmed bool           `yaml:"activateUnconfirmed"`
	// PeerSync is how long ESPs take to bring each other to one revision by themselves; 0 if they
	// do not.
	PeerSync plan.Duration `yaml:"peerSync"`
}

// QuirkMatch holds globs on page 01h's primary subenclosure. An empty one matches anything.
type QuirkMatch struct {
	Vendor   string `yaml:"vendor"`
	Product  string `yaml:"product"`
	Revision string `yaml:"revision"` // that an image starts from
}

// Fits reports whether a device is of this vendor and product, and at this revision.
func (m QuirkMatch) Fits(vendor, product, revision string) bool {
	return fits(m.Vendor, vendor) && fits(m.Product, product) && fits(m.Revision, revision)
}

// ActivationPage is how a quirk starts deferred microcode.
type ActivationPage struct {
	By   plan.ActivateBy `yaml:"by"`
	Page string          `yaml:"page"` // sent in place of mode 0Fh: bytes in hex, separated by blanks
}

// quirkTable is the built-in quirk table.
var quirkTable = sync.OnceValue(func() []Quirk {
	root, problems := schemas.Check("quirks", "quirks.yaml", quirksYAML)
	var table struct{ Quirks []Quirk }
	if err := schemas.Join(problems); err != nil {
		panic(err) // part of the program, and tested
	}
	if err := root.Decode(&table); err != nil {
		panic(err)
	}
	return table.Quirks
})

// QuirkOf returns the row of the quirk table that fits a device by its primary subenclosure, an
// empty one if there is none. own are rows that come before the built-in table, and replace its
// rows of the same names.
func QuirkOf(own []Quirk, vendor, product, revision string) Quirk {
	match := func(q Quirk) bool { return q.Match.Fits(vendor, product, revision) }
	if i := slices.IndexFunc(own, match); i >= 0 {
		return own[i]
	}
	for _, q := range quirkTable() {
		if match(q) && !slices.ContainsFunc(own, func(o Quirk) bool { return o.Name == q.Name }) {
			return q
		}
	}
	return Quirk{}
}

// TakesModeE reports whether the ESP takes mode e when it runs a revision.
func (q *Quirk) TakesModeE(revision string) bool {
	return q.ModeE == nil || slices.ContainsFunc(q.ModeE, func(at string) bool { return glob.Match(at, revision) })
}

// checkQuirk finds the problems of a quirk that the schema cannot find.
func (c *checker) checkQuirk(index string, q Quirk) {
	at := func(path ...string) []string { return append([]string{"quirks", index}, path...) }
	c.checkGlob(at("match", "vendor"), q.Match.Vendor)
	c.checkGlob(at("match", "product"), q.Match.Product)
	c.checkGlob(at("match", "revision"), q.Match.Revision)
	for i, g := range q.ModeE {
		c.checkGlob(at("modeE", fmt.Sprint(i)), g)
	}
	if i := slices.IndexFunc(c.d.Quirks, func(o Quirk) bool { return o.Name == q.Name }); fmt.Sprint(i) != index {
		c.add(at("name"), fmt.Sprintf("there is a quirk %q already", q.Name), "give each row a name of its own")
	}
	c.checkDurations(at(), map[string]plan.Duration{"settle": q.Settle, "peerSync": q.PeerSync})
	if q.Activation.Page == "" {
		return
	}
	page, err := q.Activation.Bytes()
	switch {
	case err != nil: // the schema has said it
	case q.Activation.By == plan.ByPowerCycle:
		c.add(at("activation", "page"), "a page starts the firmware, and by says that only a power cycle does",
			"leave one of them out")
	case !plan.VendorPage(page[0]) && page[0] != 0x0e:
		c.add(
			at("activation", "page"),
			fmt.Sprintf("page %02Xh is not a vendor's page", page[0]),
			"vendors' pages are 10 to 1F, and 80 and up",
		)
	case page[0] == 0x0e:
		c.add(at("activation", "page"), "page 0Eh downloads firmware", "for mode 0Fh leave page out: it is the default")
	case int(page[2])<<8|int(page[3]) != len(page)-4:
		c.add(at("activation", "page"),
			fmt.Sprintf("the page's length, its bytes 2 and 3, is not the %d of the bytes that follow", len(page)-4),
			"copy the whole page, from its page code on")
	}
}

// Bytes returns the bytes of the page, from its page code on.
func (a ActivationPage) Bytes() ([]byte, error) { return plan.PageBytes(a.Page) }
