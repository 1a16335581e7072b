package plan

import (
	"errors"
	"time"

	"fwctl/internal/image"
)

// DesiredState is what a desired state file says, checked and with its defaults
// filled in.
type DesiredState struct {
	File     string            // as it was named, for messages
	SHA256   string            // of the file, 64 hex digits
	Name     string            // metadata.name
	Models   map[string]Model  // by name
	Want     []Want            // as in the file
	Names    map[string]string // names of enclosures by their identifier, in lower case
	Policies map[string]Policy // by name
	Rollout  Rollout
}

// Model is what is known of one product: facts from its release notes.
type Model struct {
	Match      Match
	ESPs       int // ESPs of one enclosure; 0: as reported
	Download   Download
	Activation ActivationRule
	Parts      map[string]Part
	Order      []string // revisions, earliest first; the only order that revisions have
	Images     map[string]ModelImage
}

// Match holds globs on page 01h's primary subenclosure. An empty one matches anything.
type Match struct {
	Vendor  string
	Product string
}

// Download is how a model takes microcode. What is 0 is filled in from the quirk
// table, else from the defaults of INTERFACE.
type Download struct {
	Protocol     Protocol // "": auto
	ChunkSize    int      // bytes
	BufferID     int
	FlashTimeout time.Duration
}

// ActivationRule is how a model starts deferred microcode, and what that resets.
type ActivationRule struct {
	By            ActivateBy
	Scope         Scope
	Settle        time.Duration
	ReturnTimeout time.Duration
}

// Scope is what a reset takes down.
type Scope string

const (
	ESPScope       Scope = "esp"
	EnclosureScope Scope = "enclosure"
)

// Part is a set of subenclosures that take the same images.
type Part struct {
	Subenclosures []int
	Activation    ActivationRule // the model's where the part says nothing
}

// ModelImage is one image of a model.
type ModelImage struct {
	Part     string
	File     string // as written
	SHA256   string // 64 lower-case hex digits
	Revision string
	From     []string // globs on the revision it starts from; nil: any
	Modes    []Mode   // what the vendor supports
}

// Want says that the components of a model's part should run an image.
type Want struct {
	Model      string
	Image      string
	Policy     string   // "": the defaults
	Enclosures []string // globs on identifier or name; nil: all
	Line       int      // in the file, 0 where it comes from no file
}

// Policy is what may be done to a component.
type Policy struct {
	Reset          Reset
	Activate       Activation
	RequireAllESPs bool
	RequireHealthy bool
}

// Reset says whether an ESP may be reset.
type Reset string

const (
	ResetNever  Reset = "never"
	ResetAlways Reset = "always"
)

// ParseDesiredState reads a desired state. The error holds every problem of the
// file at once: a *multierror.Error of schemas.Problem.
func ParseDesiredState(file string, data []byte) (*DesiredState, error) {
	return nil, errors.New("not done yet")
}

// LoadImages reads the images that a desired state names, relative to dir, and
// compares their digests. The result is by SHA-256. The error holds every
// problem at once: a *multierror.Error of schemas.Problem.
func (d *DesiredState) LoadImages(dir string) (map[string]*image.Image, error) {
	return nil, errors.New("not done yet")
}
