package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"fwctl/schemas"
)

// DamagedError is a file that is not a plan as this fwctl writes them: it was cut,
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
// A digest proves that a plan was not changed by accident. That it is one which
// can be carried out is looked at too: what the executor relies on holds of
// every plan that Parse returns.
func Parse(data []byte) (*Plan, error) {
	if p, ok := parseCanonical(data); ok {
		return p, nil
	}
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

// parseCanonical reads a plan that is byte by byte as Encode writes it: of that, only its
// values are compared with the schema. What is not so is for the slow way, which can say why.
func parseCanonical(data []byte) (*Plan, bool) {
	if !bytes.HasPrefix(data, []byte("{\n  \"format_version\": ")) {
		return nil, false
	}
	p, err := decodeCanonical(data)
	if err != nil || p.Kind != Kind || p.FormatVersion != FormatVersion || !schemas.Fits("plan", p) ||
		p.contradiction() != "" {
		return nil, false
	}
	rest := data
	digest, err := p.writeSigned(func(part []byte) (err error) {
		if !bytes.HasPrefix(rest, part) {
			return errOtherBytes
		}
		rest = rest[len(part):]
		return nil
	})
	return p, err == nil && len(rest) == 0 && digest == p.Digest
}

var errOtherBytes = errors.New("the file is not as fwctl writes it")

// showable reports whether the texts of JSON have only characters that can be
// shown, line feeds and tabs. It may miss some that are.
func showable(data []byte) bool {
	if bytes.IndexByte(data, 0x7f) >= 0 {
		return false
	}
	for rest := data; ; rest = rest[2:] {
		if at := bytes.IndexByte(rest, '\\'); at >= 0 {
			rest = rest[at:]
		} else {
			break
		}
		if len(rest) < 2 || !slices.Contains([]byte(`\"nt`), rest[1]) {
			return false // an escape, which Encode writes of nothing else
		}
	}
	for i := 0; i < len(data); {
		if data[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(data[i:])
		if !unicode.IsPrint(r) {
			return false
		}
		i += size
	}
	return true
}

// Encode writes the plan as indented JSON that ends in a newline, and sets its
// Commands and its Digest.
func (p *Plan) Encode() ([]byte, error) {
	p.Commands = p.turns()
	// The digest stands in front of what it is over. Until that is known, something of its
	// length is in its place.
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

// Kind is what a plan file says that it is.
const Kind = "Plan"

// sign puts digest, time of creation and hints where writeBare left them out: at the
// head, which no text of a device comes before.
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

// showableHints returns the hints at images that the plan sends, without paths that
// could not be shown as they are: such a plan could not be read again.
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

// ImagesToSend returns the images of all hops that send one, each once, in the order
// of the steps.
func (p *Plan) ImagesToSend() []ImageRef {
	var refs []ImageRef
	seen := map[string]bool{}
	for _, s := range p.Steps {
		for _, h := range s.Hops {
			// Without modes it is staged already, and nothing is sent.
			if len(h.Modes) > 0 && !seen[h.Image.SHA256] {
				seen[h.Image.SHA256] = true
				refs = append(refs, h.Image)
			}
		}
	}
	return refs
}
