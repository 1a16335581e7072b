package plan

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	v1 "github.com/go-json-experiment/json/v1"
	"golang.org/x/sync/errgroup"
)

// A plan of a large site has tens of thousands of steps, and they are nearly all of its file.
// So they are encoded and decoded one by one, in chunks side by side. In a file as Encode
// writes it, a step begins and ends at these lines, because no text has a line feed in it.
const (
	beforeSteps  = "\n  \"steps\": ["
	afterSteps   = "\n  ],"
	beforeStep   = "\n    "
	betweenSteps = ","
)

// chunk is how many steps are encoded or decoded at a time.
const chunk = 128

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

// writeBare writes what the digest covers: the plan without its digest, the time of its
// creation and the hints at images. The first part has all that comes before the steps.
func (p *Plan) writeBare(write func(part []byte) error) error {
	bare := *p
	bare.Digest, bare.CreatedAt, bare.ImageHints = "", time.Time{}, nil
	if len(p.Steps) > 0 {
		bare.Steps = []Step{}
	}
	frame, err := indented(&bare, "")
	if err != nil {
		return err
	}
	frame = append(frame, '\n')
	if len(p.Steps) == 0 {
		return write(frame)
	}
	head, tail, _ := bytes.Cut(frame, []byte(beforeSteps+"],"))
	if err := write(slices.Concat(head, []byte(beforeSteps))); err != nil {
		return err
	}
	if err := writeSteps(p.Steps, write); err != nil {
		return err
	}
	return write(slices.Concat([]byte(afterSteps), tail))
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
		for i := first; i < min(first+chunk, len(steps)); i++ {
			if i > 0 {
				b.WriteString(betweenSteps)
			}
			b.WriteString(beforeStep)
			if err := appendIndented(b, &steps[i], "    "); err != nil {
				return result{err: err}
			}
		}
		return result{text: b}
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

// decodeCanonical decodes a plan that looks as Encode writes it, and whose texts can be shown.
// The caller has to find out whether it is byte by byte as Encode writes it.
func decodeCanonical(data []byte) (*Plan, error) {
	var p Plan
	head, rest, found := bytes.Cut(data, []byte(beforeSteps+beforeStep))
	end := bytes.Index(rest, []byte(afterSteps))
	if !found || end < 0 {
		return &p, decodeShowable(data, &p)
	}
	if err := decodeShowable(bytes.Join([][]byte{head, rest[end:]}, []byte(beforeSteps)), &p); err != nil {
		return nil, err
	}
	texts := split(rest[:end])
	p.Steps = make([]Step, len(texts))
	var decoders errgroup.Group
	decoders.SetLimit(runtime.GOMAXPROCS(0))
	for first := 0; first < len(texts); first += chunk {
		decoders.Go(func() error {
			for i := first; i < min(first+chunk, len(texts)); i++ {
				if err := decodeShowable(texts[i], &p.Steps[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return &p, decoders.Wait()
}

var errHidden = errors.New("a text has characters that cannot be shown")

func decodeShowable(text []byte, into any) error {
	if !showable(text) {
		return errHidden
	}
	return json.Unmarshal(text, into)
}

// split returns the texts of steps. It looks for the brace at the end of one, and not for the
// line feed before that: there are fewer braces.
func split(steps []byte) [][]byte {
	const end, begin = "}", "{"
	var texts [][]byte
	for {
		at := bytes.Index(steps, []byte(end+betweenSteps+beforeStep+begin))
		if at < 0 {
			return append(texts, steps)
		}
		texts = append(texts, steps[:at+len(end)])
		steps = steps[at+len(end+betweenSteps+beforeStep):]
	}
}
