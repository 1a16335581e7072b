package ui

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Output is standard output or standard error. All that fwctl prints goes through it, and much of
// that comes from elsewhere: from devices, files, processes and people who wrote a plan. None of it
// may control the terminal, so Output passes on visible characters, line feeds, tabs, and the
// colours of a Screen. It escapes everything else in a way that JSON reads as the same text.
//
// Write never fails: Close reports the first error, so that no command can forget it, and a result
// that no one received is not reported as success. A standard output that was closed (>&-) looks
// like /dev/null: Go's runtime opens that in its place before fwctl runs.
type Output struct {
	out io.Writer

	mu  sync.Mutex
	err error
}

// NewOutput returns an output that writes to out.
func NewOutput(out io.Writer) *Output { return &Output{out: out} }

// Write writes text, escaped. It never fails: see Close.
func (o *Output) Write(p []byte) (int, error) {
	o.raw(visible(string(p)))
	return len(p), nil
}

// raw writes text as it is: codes for the terminal, around text that visible has escaped.
func (o *Output) raw(text string) {
	if _, err := io.WriteString(o.out, text); err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.err = cmp.Or(o.err, err)
	}
}

// Close closes the output and returns a *WriteError if anything could not be written.
// Some file systems report only here that they are full.
func (o *Output) Close() error {
	var err error
	if file := fileOf(o); file != nil {
		err = file.Close()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err = cmp.Or(o.err, err); err != nil {
		return &WriteError{err}
	}
	return nil
}

// WriteError reports that standard output could not be written.
type WriteError struct{ Err error }

func (e *WriteError) Error() string {
	return "cannot write to standard output: " + cause(e.Err).Error()
}

func (e *WriteError) Unwrap() error { return e.Err }

// cause returns the error of a file without the file's name.
func cause(err error) error {
	if file := (*os.PathError)(nil); errors.As(err, &file) {
		return file.Err
	}
	return err
}

// fileOf returns the file behind an output, nil if there is none.
func fileOf(f any) *os.File {
	if o, ok := f.(*Output); ok {
		f = o.out
	}
	file, _ := f.(*os.File)
	return file
}

// visible escapes everything in text that a terminal obeys, or that looks like something else:
// control characters, marks that turn the direction of writing, characters without width, bytes
// that are not UTF-8. Codes of Screen.paint become those of the terminal.
func visible(text string) string {
	if !strings.ContainsFunc(text, isHidden) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + 64)
	for text != "" {
		if code, ok := cutPaint(text); ok {
			b.WriteString("\x1b[" + code + "m")
			text = text[len(paintCode(code)):]
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case !isHidden(r), r == utf8.RuneError:
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		text = text[size:]
	}
	return b.String()
}

// isHidden reports whether visible escapes a character, or may have to.
func isHidden(r rune) bool {
	return r != '\n' && r != '\t' && !unicode.IsPrint(r) || r == utf8.RuneError
}

// ownMark is in every code of paint. It distinguishes them from codes in foreign text, whose
// authors cannot guess it.
var ownMark = fmt.Sprintf(";%d", rand.Uint64())

// paintCode returns the code that begins a tone, or ends one, for visible. It has the form of a
// terminal's code, so width does not count it.
func paintCode(code string) string { return "\x1b[" + code + ownMark + "m" }

// cutPaint returns the code if text begins with one of paint.
func cutPaint(text string) (code string, ok bool) {
	rest, ok := strings.CutPrefix(text, "\x1b[")
	if !ok {
		return "", false
	}
	code, _, ok = strings.Cut(rest, ownMark+"m")
	return code, ok && len(code) <= 2 && strings.Trim(code, "0123456789") == ""
}
