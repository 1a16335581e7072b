package desired

import (
	"slices"

	"fwctl/internal/glob"
	"fwctl/plan"
)

// Model is what is known of one product: facts from its release notes.
type Model struct {
	Match      Match                 `yaml:"match"`
	ESPs       int                   `yaml:"esps"` // ESPs of one enclosure; 0: as reported
	Download   Download              `yaml:"download"`
	Activation ActivationRule        `yaml:"activation"`
	Parts      map[string]Part       `yaml:"parts"`
	Order      []string              `yaml:"order"` // revisions, earliest first; the only order that revisions have
	Images     map[string]ModelImage `yaml:"images"`
}

// Match holds globs on page 01h's primary subenclosure. An empty one matches anything.
type Match struct {
	Vendor  string `yaml:"vendor"`
	Product string `yaml:"product"`
}

// Fits reports whether a device is of this vendor and product.
func (m Match) Fits(vendor, product string) bool {
	return fits(m.Vendor, vendor) && fits(m.Product, product)
}

// fits reports whether a pattern matches a text; an empty one matches any.
func fits(pattern, text string) bool { return pattern == "" || glob.Match(pattern, text) }

// Download is how a model takes microcode. Package build fills in zero values from the quirk
// table, or else from the defaults.
type Download struct {
	Protocol     plan.Protocol `yaml:"protocol"` // "" or "auto": what the ESP supports
	ChunkSize    int           `yaml:"chunkSize"`
	BufferID     int           `yaml:"bufferID"`
	FlashTimeout plan.Duration `yaml:"flashTimeout"`
}

// ActivationRule is how a model starts deferred microcode, and what a reset takes down. Zero
// values are filled in as in Download.
type ActivationRule struct {
	By            plan.ActivateBy `yaml:"by"`
	Scope         Scope           `yaml:"scope"`
	Settle        plan.Duration   `yaml:"settle"`
	ReturnTimeout plan.Duration   `yaml:"returnTimeout"`
}

// Scope is what a reset takes down.
type Scope string

const (
	ESPScope       Scope = "esp"
	EnclosureScope Scope = "enclosure"
)

// Part is a set of subenclosures that take the same images.
type Part struct {
	Subenclosures []int          `yaml:"subenclosures"`
	Activation    ActivationRule `yaml:"activation"` // what it leaves out is as the model has it
}

// DefaultPart is the part of images that name none, and the only part of models that name none:
// subenclosure 0.
const DefaultPart = "iom"

// ModelImage is one image of a model.
type ModelImage struct {
	Part      string      `yaml:"part"`
	File      string      `yaml:"file"`      // as written
	SHA256    string      `yaml:"sha256"`    // 64 lower-case hex digits
	Opaque    bool        `yaml:"opaque"`    // devices take the file though it looks like a container or a text
	Signature string      `yaml:"signature"` // file of its minisign signature, as written; "" if it has none
	Revision  string      `yaml:"revision"`
	From      []string    `yaml:"from"`        // globs on the revision it starts from; nil: any
	Modes     []plan.Mode `yaml:"modes"`       // what the vendor supports
	BufferID  int         `yaml:"bufferID"`    // that takes it; 0: the model's
	NoVersion bool        `yaml:"unversioned"` // the part that it is for reports no revision, and Revision is ""
}

// StartsAt reports whether an image can be installed over a revision in one hop.
func (i ModelImage) StartsAt(revision string) bool {
	return i.From == nil || slices.ContainsFunc(i.From, func(from string) bool { return glob.Match(from, revision) })
}

// StartsAtItself reports whether from names the image's own revision: it is then installed over
// components that report that revision already.
func (i ModelImage) StartsAtItself() bool { return slices.Contains(i.From, i.Revision) }
