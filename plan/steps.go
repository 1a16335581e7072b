package plan

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	v1 "github.com/go-json-experiment/json/v1"
)

// A plan of a large site has tens of thousands of steps, and they are nearly all of its file.
// So they are encoded and decoded in parts, side by side. In a file as Encode writes it, a step
// begins and ends at these lines, because no text has a line feed in it.
const (
	beforeSteps  = "\n  \"steps\": ["
	beforeStep   = "\n    "
	betweenSteps = ","
	lastStep     = "\n  "
	afterSteps   = "],"
)

// chunk is how many steps are encoded at a time.
const chunk = 256

// indented encodes a value as plans are, with a prefix before every line but the first. It
// leaves <, > and & as they are.
func indented(v any, prefix string) ([]byte, error) {
	var b bytes.Buffer
	if err := appendIndented(&b, v, prefix); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func appendIndented(b *bytes.Buffer, v any, prefix string) error {
	err := json.MarshalWrite(b, v, asInV1, jsontext.WithIndentPrefix(prefix), jsontext.WithIndent("  "))
	if err != nil {
		return fmt.Errorf("cannot encode the plan: %w", err)
	}
	return nil
}

// asInV1 are the rules of the first version of encoding/json, by which the digest of every
// plan was made.
var asInV1 = json.JoinOptions(
	v1.OmitEmptyWithLegacySemantics(true), json.FormatNilSliceAsNull(true), json.FormatNilMapAsNull(true),
	json.Deterministic(true), jsontext.EscapeForJS(true), jsontext.AllowInvalidUTF8(true),
)

// frame returns what the digest covers before and after the steps: all of the plan but its
// digest, the time of its creation and the hints at images.
func (p *Plan) frame() (before, after []byte, err error) {
	bare := *p
	bare.Digest, bare.CreatedAt, bare.ImageHints, bare.Steps = "", time.Time{}, nil, []Step{}
	frame, err := indented(&bare, "")
	if err != nil {
		return nil, nil, err
	}
	at := bytes.Index(frame, []byte(beforeSteps+afterSteps)) + len(beforeSteps)
	return frame[:at:at], append(frame[at:], '\n'), nil
}

// writeBare writes what the digest covers. The first part is all that comes before the steps.
func (p *Plan) writeBare(write func(part []byte) error) error {
	before, after, err := p.frame()
	if err != nil {
		return err
	}
	if err := write(before); err != nil {
		return err
	}
	if len(p.Steps) > 0 {
		if err := writeSteps(p.Steps, write); err != nil {
			return err
		}
		after = slices.Concat([]byte(lastStep), after)
	}
	return write(after)
}

// writeSteps writes steps in their order, and encodes several chunks of them side by side.
func writeSteps(steps []Step, write func(part []byte) error) error {
	type result struct {
		text *bytes.Buffer
		err  error
	}
	encode := func(first int) result {
		b := buffers.Get().(*bytes.Buffer)
		b.Reset()
		if first > 0 {
			b.WriteString(betweenSteps)
		}
		err := appendSteps(b, steps[first:min(first+chunk, len(steps))])
		return result{b, err}
	}
	// The chunks that were begun, in their order. It has room for all that can be unfinished:
	// then no goroutine is left behind if writing ends with an error.
	begun := make(chan chan result, runtime.GOMAXPROCS(0))
	begin := func(first int) {
		done := make(chan result, 1)
		begun <- done
		go func() { done <- encode(first) }()
	}
	next := 0
	for range cap(begun) {
		if next < len(steps) {
			begin(next)
			next += chunk
		}
	}
	for len(begun) > 0 {
		r := <-<-begun
		if r.err != nil {
			return r.err
		}
		if next < len(steps) {
			begin(next)
			next += chunk
		}
		if err := write(r.text.Bytes()); err != nil {
			return err
		}
		buffers.Put(r.text)
	}
	return nil
}

// appendSteps encodes steps that follow each other, without what separates them from others.
func appendSteps(b *bytes.Buffer, steps []Step) error {
	for i := range steps {
		if i > 0 {
			b.WriteString(betweenSteps)
		}
		b.WriteString(beforeStep)
		if err := appendIndented(b, &steps[i], "    "); err != nil {
			return err
		}
	}
	return nil
}

// size estimates how many bytes the file will have, from some of its steps.
func (p *Plan) size() (int, error) {
	const samples = 32
	sum, n := 0, 0
	for i := 0; i < len(p.Steps); i += max(1, len(p.Steps)/samples) {
		text, err := indented(&p.Steps[i], "    ")
		if err != nil {
			return 0, err
		}
		sum, n = sum+len(text), n+1
	}
	return sum * len(p.Steps) / max(1, n) * 9 / 8, nil
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
