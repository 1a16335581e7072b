package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"time"
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
	_, digest, err := p.bare()
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
	if !bytes.HasPrefix(data, []byte("{\n  \"format_version\": ")) || !showable(data) {
		return nil, false
	}
	var p Plan
	if err := json.Unmarshal(data, &p); err != nil || p.Kind != Kind || p.FormatVersion != FormatVersion ||
		!schemas.Fits("plan", &p) || p.contradiction() != "" {
		return nil, false
	}
	w := canonical{plan: &p, rest: data, sum: sha256.New()}
	if err := p.writeBare(&w); err != nil || len(w.rest) > 0 {
		return nil, false
	}
	return &p, "sha256:"+hex.EncodeToString(w.sum.Sum(nil)) == p.Digest
}

// canonical compares a plan as it is being encoded with a file that it was read from, and
// sums up what its digest is over: neither is in memory twice.
type canonical struct {
	plan   *Plan
	rest   []byte // of the file
	sum    hash.Hash
	signed bool // the head, which comes first, was compared
}

var errOtherBytes = errors.New("the file is not as fwctl writes it")

func (c *canonical) Write(bare []byte) (int, error) {
	c.sum.Write(bare)
	want := bare
	if !c.signed {
		c.signed = true
		var err error
		if want, err = c.plan.sign(bare); err != nil {
			return 0, err
		}
	}
	if !bytes.HasPrefix(c.rest, want) {
		return 0, errOtherBytes
	}
	c.rest = c.rest[len(want):]
	return len(bare), nil
}

// showable reports whether the texts of JSON have only characters that can be
// shown, line feeds and tabs. It may miss some that are.
func showable(data []byte) bool {
	for i := 0; i < len(data); {
		c := data[i]
		switch {
		case c == '\\' && i+1 < len(data):
			if !slices.Contains([]byte(`\"nt`), data[i+1]) {
				return false // an escape, which Encode writes of nothing else
			}
			i += 2
		case c < utf8.RuneSelf:
			if c == 0x7f {
				return false
			}
			i++
		default:
			r, size := utf8.DecodeRune(data[i:])
			if !unicode.IsPrint(r) {
				return false
			}
			i += size
		}
	}
	return true
}

// Encode writes the plan as indented JSON that ends in a newline, and sets its
// Commands and its Digest.
func (p *Plan) Encode() ([]byte, error) {
	p.Commands = p.turns()
	bare, digest, err := p.bare()
	if err != nil {
		return nil, err
	}
	p.Digest = digest
	return p.sign(bare)
}

// Kind is what a plan file says that it is.
const Kind = "Plan"

// bare encodes the plan without its digest, the time of its creation and the hints
// at images, and the digest is over that. It leaves <, > and & as they are, so that a plan that
// went through another JSON tool is still the same plan.
func (p *Plan) bare() (data []byte, digest string, err error) {
	var b bytes.Buffer
	sum := sha256.New()
	if err := p.writeBare(io.MultiWriter(&b, sum)); err != nil {
		return nil, "", err
	}
	return b.Bytes(), "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// writeBare writes what bare returns, a step at a time: plans can be large.
func (p *Plan) writeBare(w io.Writer) error {
	bare := *p
	bare.Digest, bare.CreatedAt, bare.ImageHints = "", time.Time{}, nil
	if len(p.Steps) > 0 {
		bare.Steps = []Step{}
	}
	frame, err := indented(&bare, "")
	if err != nil {
		return err
	}
	head, tail, found := bytes.Cut(frame, []byte("\n  \"steps\": [],"))
	if len(p.Steps) == 0 || !found {
		_, err := w.Write(frame)
		return err
	}
	write := func(data ...[]byte) {
		for _, d := range data {
			if err == nil {
				_, err = w.Write(d)
			}
		}
	}
	write(head, []byte("\n  \"steps\": ["))
	for i := range p.Steps {
		step, failure := indented(&p.Steps[i], "    ")
		if failure != nil {
			return failure
		}
		if i > 0 {
			write([]byte(","))
		}
		write([]byte("\n    "), bytes.TrimSuffix(step, []byte("\n")))
	}
	write([]byte("\n  ],"), tail)
	return err
}

// indented encodes a value as plans are, with a prefix before every line but the first.
func indented(v any, prefix string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent(prefix, "  ")
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("cannot encode the plan: %w", err)
	}
	return b.Bytes(), nil
}

// sign puts digest, time of creation and hints where bare left them out: at the
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
