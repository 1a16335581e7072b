package main

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

// output is stdout or stderr. All that fwctl says goes through it, and much of that
// was said by somebody else: devices, files, processes, whoever wrote a plan. Nothing
// of it may steer the terminal, so output lets through what can be seen, line feeds
// and tabs, and the codes of paint. Everything else is escaped in a way that JSON
// reads as the same text.
//
// A write never fails: close reports the first one that did, so that no command can
// forget it, and a result that nobody received is not reported as success. A standard
// output that was closed (>&-) cannot be told from one that the caller sends to
// /dev/null: Go's runtime has opened that in its place before anything of fwctl runs.
type output struct {
	out io.Writer

	mu  sync.Mutex
	err error
}

func (o *output) Write(p []byte) (int, error) {
	o.raw(visible(string(p)))
	return len(p), nil
}

// raw writes text as it is: what steers the terminal, around text that visible has seen.
func (o *output) raw(text string) {
	if _, err := io.WriteString(o.out, text); err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.err = cmp.Or(o.err, err)
	}
}

// close closes the output of a command that ended in err, and joins what kept it from
// being written. Some file systems report only here that they are full.
func (o *output) close(ended error) error {
	var err error
	if file := fileOf(o); file != nil {
		err = file.Close()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err = cmp.Or(o.err, err); err == nil {
		return ended
	}
	return errors.Join(&unwrittenError{err}, ended)
}

// unwrittenError is a standard output that could not be written.
type unwrittenError struct{ err error }

func (e *unwrittenError) Error() string {
	return "cannot write to standard output: " + cause(e.err).Error()
}
func (e *unwrittenError) Unwrap() error { return e.err }

// cause is an error of a file without the file's name.
func cause(err error) error {
	if file := (*os.PathError)(nil); errors.As(err, &file) {
		return file.Err
	}
	return err
}

// fileOf returns the file behind an output, nil if it is not one.
func fileOf(f any) *os.File {
	if o, ok := f.(*output); ok {
		f = o.out
	}
	file, _ := f.(*os.File)
	return file
}

// visible escapes everything in text that a terminal obeys or that reads differently
// from what it is: control characters, marks that turn the direction of writing,
// characters without width, bytes that are not UTF-8. Codes of paint become those of
// the terminal.
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

// oneLine escapes the line breaks of a text that names files, or quotes what a device,
// a process or a file says: what follows them would read like a line of fwctl's.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", `\n`) }

// isHidden reports whether visible escapes a character, or may have to.
func isHidden(r rune) bool {
	return r != '\n' && r != '\t' && !unicode.IsPrint(r) || r == utf8.RuneError
}

// ownMark is in every code of paint, so that visible tells them from codes in
// foreign text, whose authors cannot guess it.
var ownMark = fmt.Sprintf(";%d", rand.Uint64())

// paintCode is the code that begins a tone, or ends one, for visible. It has the
// form of a terminal's code, so that no width counts it.
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
