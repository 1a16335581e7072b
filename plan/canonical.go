package plan

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"runtime"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/errgroup"

	"fwctl/schemas"
)

var (
	errOtherBytes = errors.New("the file is not as fwctl writes it")
	errHidden     = errors.New("a text has characters that cannot be shown")
)

// blockSize is how much of a plan is read at a time: about a chunk of steps. A step that is larger
// than that is not for readCanonical.
const blockSize = 512 << 10

// readCanonical reads a plan that is byte by byte as Encode writes it: only its values then need
// comparing with the schema. An error says merely that it is not such a plan.
//
// It never holds the whole file: while it reads a block of steps, others decode the blocks before,
// encode them again, and compare the bytes.
func readCanonical(from io.Reader) (*Plan, error) {
	const start = "{\n  \"format_version\": "
	r := bufio.NewReaderSize(from, blockSize)
	if text, err := r.Peek(len(start)); err != nil || string(text) != start {
		return nil, cmp.Or(err, errOtherBytes)
	}
	head, err := readHead(r)
	if err != nil {
		return nil, err
	}
	// What the digest covers begins with the head as it was before it was signed.
	var opening Plan
	if err := decodeShowable(slices.Concat(head, []byte("]\n}")), &opening); err != nil {
		return nil, err
	}
	before, _, err := opening.frame()
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	sum.Write(before)
	steps, err := readSteps(r, sum)
	if err != nil {
		return nil, err
	}
	tail, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	sum.Write(tail)
	var p Plan
	if err := decodeShowable(slices.Concat(head, tail), &p); err != nil {
		return nil, err
	}
	p.Steps = steps
	if !p.framed(head, tail) || p.Digest != digestOf(sum) || p.Kind != Kind || p.FormatVersion != FormatVersion ||
		!schemas.Fits("plan", &p) || p.contradiction() != "" {
		return nil, errOtherBytes
	}
	return &p, nil
}

// framed reports whether Encode writes these bytes before and after the steps.
func (p *Plan) framed(head, tail []byte) bool {
	before, after, err := p.frame()
	if err != nil || !bytes.Equal(after, tail) {
		return false
	}
	signed, err := p.sign(before)
	return err == nil && bytes.Equal(signed, head)
}

// readHead reads all that comes before the steps.
func readHead(r *bufio.Reader) ([]byte, error) {
	var head []byte
	for !bytes.HasSuffix(head, []byte(beforeSteps)) {
		text, err := r.ReadBytes(beforeSteps[len(beforeSteps)-1])
		if err != nil {
			return nil, err
		}
		head = append(head, text...)
	}
	return head, nil
}

// readSteps reads the steps, and adds their text to what the digest covers.
func readSteps(r *bufio.Reader, sum hash.Hash) ([]Step, error) {
	if next, err := r.Peek(1); err != nil || string(next) == afterSteps[:1] {
		return []Step{}, err
	}
	todo := make(chan *block)
	var workers errgroup.Group
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() error { return decodeBlocks(todo) })
	}
	blocks, err := readBlocks(r, sum, todo)
	if err = cmp.Or(workers.Wait(), err); err != nil {
		return nil, err
	}
	var parts [][]Step
	for _, b := range blocks {
		parts = append(parts, b.steps)
	}
	return slices.Concat(parts...), nil
}

// block is some steps that follow each other in a file.
type block struct {
	json  *bytes.Buffer // as an array
	steps []Step
}

// readBlocks reads the steps in blocks, and closes todo behind the last.
func readBlocks(r *bufio.Reader, sum hash.Hash, todo chan<- *block) ([]*block, error) {
	defer close(todo)
	const end, begin = "}", "{"
	var blocks []*block
	for {
		text, err := r.Peek(blockSize)
		if err != nil && err != io.EOF {
			return nil, err
		}
		// Both are found by the brace: a line feed is everywhere.
		at, behind := bytes.Index(text, []byte(end+lastStep+afterSteps)), lastStep
		if at < 0 {
			at, behind = bytes.LastIndex(text, []byte(end+betweenSteps+beforeStep+begin)), betweenSteps
		}
		if at < 0 {
			return nil, errOtherBytes
		}
		text = text[:at+len(end)]
		b := &block{json: buffers.Get().(*bytes.Buffer)}
		b.json.Reset()
		b.json.WriteByte('[')
		b.json.Write(text)
		b.json.WriteByte(']')
		blocks = append(blocks, b)
		todo <- b
		sum.Write(text)
		sum.Write([]byte(behind))
		if _, err := r.Discard(len(text) + len(behind)); err != nil || behind == lastStep {
			return blocks, err
		}
	}
}

// decodeBlocks decodes blocks until there are no more.
func decodeBlocks(todo <-chan *block) (failed error) {
	shared := json.WithUnmarshalers(json.JoinUnmarshalers(
		sharing[[]Hop](), sharing[[]GateResult](), sharing[[]string]()))
	for b := range todo {
		if failed == nil {
			failed = b.decode(shared)
		}
		buffers.Put(b.json)
		b.json = nil
	}
	return failed
}

// decode decodes the steps, and makes sure that their text is what Encode writes of them.
func (b *block) decode(options json.Options) error {
	text := b.json.Bytes()
	b.steps = make([]Step, 0, chunk)
	if err := decodeShowable(text, &b.steps, options); err != nil {
		return err
	}
	again := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(again)
	again.Reset()
	if err := appendSteps(again, b.steps); err != nil {
		return err
	}
	if !bytes.Equal(again.Bytes(), text[len("["):len(text)-len("]")]) {
		return errOtherBytes
	}
	return nil
}

// sharing returns an unmarshaler that decodes equal texts once: their values share memory. The
// steps of a large plan have the same few hops, gates and reasons again and again.
func sharing[T any]() *json.Unmarshalers {
	known := map[string]T{}
	return json.UnmarshalFunc(func(text []byte, into *T) error {
		if value, ok := known[string(text)]; ok {
			*into = value
			return nil
		}
		if err := json.Unmarshal(text, into); err != nil {
			return err
		}
		known[string(text)] = *into
		return nil
	})
}

func decodeShowable(text []byte, into any, options ...json.Options) error {
	if !showable(text) {
		return errHidden
	}
	return json.Unmarshal(text, into, options...)
}

// showable reports whether the texts of JSON have only characters that can be shown, line feeds
// and tabs. It may return false for some that do.
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
