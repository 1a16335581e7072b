package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"fwctl/schemas"
)

// DamagedError reports a file that is not a plan as this fwctl writes plans: it was cut off,
// changed, or written by another version.
type DamagedError struct {
	Reason   string
	Problems []schemas.Problem // what the schema says of the file, if that is the reason
}

func (e *DamagedError) Error() string {
	var problems []string
	for _, p := range e.Problems {
		problems = append(problems, p.Error())
	}
	s := "cannot use this plan: " + e.Reason
	if len(problems) > 0 {
		s += ": " + strings.Join(problems, "; ")
	}
	return s
}

// Parse reads a saved plan. The error is a *DamagedError.
//
// The digest proves only that a plan was not changed by accident. Parse also checks that the
// plan can be carried out: all that the executor relies on holds for every plan that it
// returns.
func Parse(data []byte) (*Plan, error) {
	if p, err := readCanonical(bytes.NewReader(data)); err == nil {
		return p, nil
	}
	return parseAny(data)
}

// Read reads a saved plan as Parse does, and holds the whole file only if it has to. The
// error may also be one of reading.
func Read(r io.ReadSeeker) (*Plan, error) {
	if p, err := readCanonical(r); err == nil {
		return p, nil
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return parseAny(data)
}

// parseAny parses a plan however it is written, or says what is wrong with it.
func parseAny(data []byte) (*Plan, error) {
	var head struct {
		FormatVersion string `json:"format_version"`
		Kind          string `json:"kind"`
	}
	switch err := json.Unmarshal(data, &head); {
	case err != nil:
		return nil, &DamagedError{Reason: "it is not valid JSON: " + err.Error()}
	case head.Kind != Kind:
		return nil, &DamagedError{Reason: fmt.Sprintf("it is of kind %q, not Plan", head.Kind)}
	case head.FormatVersion != FormatVersion:
		return nil, &DamagedError{Reason: fmt.Sprintf("its format is version %q, and this fwctl reads %s",
			head.FormatVersion, FormatVersion)}
	}
	if _, problems := schemas.Check("plan", "plan", data); len(problems) > 0 {
		return nil, &DamagedError{Reason: "it does not look like a plan", Problems: problems}
	}
	var p Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, &DamagedError{Reason: err.Error()}
	}
	digest, err := p.writeSigned(func([]byte) error { return nil })
	if err != nil {
		return nil, &DamagedError{Reason: err.Error()}
	}
	if digest != p.Digest {
		return nil, &DamagedError{Reason: "it was changed after it was written: its digest is " + digest +
			", and it says " + p.Digest}
	}
	if why := p.contradiction(); why != "" {
		return nil, &DamagedError{Reason: "it cannot be carried out: " + why}
	}
	return &p, nil
}

// Encode writes the plan as indented JSON that ends in a newline, and sets its
// Commands and its Digest.
func (p *Plan) Encode() ([]byte, error) {
	p.Commands = p.turns()
	// The digest stands in front of what it covers. Until it is known, a text of the same length
	// is in its place.
	p.Digest = digestOf(sha256.New())
	size, err := p.size()
	if err != nil {
		return nil, err
	}
	data := make([]byte, 0, size)
	digest, err := p.writeSigned(func(part []byte) error {
		data = append(data, part...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	copy(data[bytes.Index(data, []byte(p.Digest)):], digest)
	p.Digest = digest
	return data, nil
}

// writeSigned writes the plan as Encode does, in parts, with the digest that it has, and
// returns the one that it should have.
func (p *Plan) writeSigned(write func(part []byte) error) (digest string, err error) {
	sum := sha256.New()
	begun := false
	err = p.writeBare(func(bare []byte) error {
		sum.Write(bare)
		if begun {
			return write(bare)
		}
		begun = true
		head, err := p.sign(bare)
		if err != nil {
			return err
		}
		return write(head)
	})
	return digestOf(sum), err
}

func digestOf(sum hash.Hash) string { return "sha256:" + hex.EncodeToString(sum.Sum(nil)) }

// Kind is the kind that a plan file says it is of.
const Kind = "Plan"

// sign puts digest, time of creation and hints at the head of a file, where writeBare left them
// out. No text of a device comes before that place.
func (p *Plan) sign(bare []byte) ([]byte, error) {
	at, err := p.CreatedAt.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("cannot encode the plan: %w", err)
	}
	const blank = `"digest": "",
  "created_at": "0001-01-01T00:00:00Z",`
	head, tail, _ := bytes.Cut(bare, []byte(blank))
	data := make([]byte, 0, len(bare)+len(p.Digest)+len(at))
	data = append(data, head...)
	data = fmt.Appendf(data, "\"digest\": %q,\n  \"created_at\": %s,", p.Digest, at)
	if hints := p.showableHints(); len(hints) > 0 {
		text, err := indented(hints, "  ")
		if err != nil {
			return nil, err
		}
		data = fmt.Appendf(data, "\n  \"image_hints\": %s,", bytes.TrimSpace(text))
	}
	return append(data, tail...), nil
}

// showableHints returns the hints at images that the plan sends, without paths that have
// characters that cannot be shown: Parse would refuse the plan.
func (p *Plan) showableHints() map[string]string {
	hints := map[string]string{}
	for _, ref := range p.ImagesToSend() {
		path, ok := p.ImageHints[ref.SHA256]
		if ok && utf8.ValidString(path) && !strings.ContainsFunc(path,
			func(r rune) bool { return !unicode.IsPrint(r) }) {
			hints[ref.SHA256] = path
		}
	}
	return hints
}

// ImagesToSend returns the images of all hops that send one, each once, in the order of the
// steps.
func (p *Plan) ImagesToSend() []ImageRef {
	var refs []ImageRef
	seen := map[string]bool{}
	for _, s := range p.Steps {
		for _, h := range s.Hops {
			// A hop without modes sends nothing: its image is staged already.
			if len(h.Modes) > 0 && !seen[h.Image.SHA256] {
				seen[h.Image.SHA256] = true
				refs = append(refs, h.Image)
			}
		}
	}
	return refs
}
