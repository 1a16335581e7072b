package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"fwctl/internal/document"
	"fwctl/internal/image"
	"fwctl/plan"
)

// How much of an input file is read. Files that people write are small: an image that was named
// by mistake does not fill the memory.
const (
	// Names and exceptions of tens of thousands of enclosures.
	maxWritten = 4 << 20
	// The enclosures of a large site, each in full.
	maxRack = 64 << 20
	// What fwctl itself has written.
	maxRecorded = 256 << 20
)

func limitOf(kind document.Kind) int64 {
	switch kind {
	case document.DesiredState:
		return maxWritten
	case document.Rack:
		return maxRack
	}
	return maxRecorded
}

// enough is how much of a file shows what it is.
const enough = 64 << 10

// readDocument reads a document of a kind whole.
func readDocument(name string, want document.Kind) ([]byte, error) {
	f, err := openDocument(name, want)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAs(f, name, want)
}

// readAs reads a document of a kind from r, to which messages refer by name.
func readAs(r io.Reader, name string, want document.Kind) ([]byte, error) {
	data, err := document.ReadFrom(r, name, limitOf(want))
	if err != nil {
		return nil, unread(want, err)
	}
	return data, wrongKind(name, data, want)
}

// openDocument opens a document of a kind. It refuses a file whose beginning shows
// that it is something else, without reading the rest.
func openDocument(name string, want document.Kind) (fs.File, error) {
	f, err := document.Open(name, limitOf(want))
	if err != nil {
		return nil, unread(want, err)
	}
	r := bufio.NewReaderSize(f, enough)
	head, err := r.Peek(enough)
	if err == nil {
		err = wrongKind(name, wholeRunes(head), want)
	} else if err == io.EOF {
		err = wrongKind(name, head, want)
	} else {
		err = unread(want, err)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return begun{f, r}, nil
}

// beginning returns enough of a recorded document to show what it is.
func beginning(name string) ([]byte, error) {
	f, err := document.Open(name, maxRecorded)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, enough)
	n, err := io.ReadFull(f, head)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return head[:n], nil
	}
	return wholeRunes(head[:n]), err
}

// begun is a file whose beginning was read already. from reads all of it.
type begun struct {
	*os.File
	from *bufio.Reader
}

func (b begun) Read(p []byte) (int, error) { return b.from.Read(p) }

func (b begun) Seek(offset int64, whence int) (int64, error) {
	at, err := b.File.Seek(offset, whence)
	b.from.Reset(b.File)
	return at, err
}

// seekable returns an open document of a kind that can be read more than once: the file itself, or
// what came out of a pipe.
func seekable(f fs.File, name string, want document.Kind) (io.ReadSeeker, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, unread(want, err)
	}
	if r, ok := f.(io.ReadSeeker); ok && info.Mode().IsRegular() && info.Size() <= limitOf(want) {
		return r, nil
	}
	data, err := readAs(f, name, want)
	return bytes.NewReader(data), err
}

// wholeRunes cuts off a character that does not end in data.
func wholeRunes(data []byte) []byte {
	for i := 1; i < utf8.UTFMax && i < len(data); i++ {
		if tail := data[len(data)-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return data[:len(data)-i]
			}
			break
		}
	}
	return data
}

func unread(want document.Kind, err error) error {
	return fmt.Errorf("cannot read %s: %w", the(want), err)
}

// the names a document of a kind that was named on the command line: "the plan".
func the(kind document.Kind) string {
	_, noun, _ := strings.Cut(kind.String(), " ")
	return "the " + noun
}

// wrongKind refuses a document that is evidently not of the wanted kind, and says what it is.
// It accepts text of no known kind: its parser knows best what is wrong with it.
func wrongKind(name string, data []byte, want document.Kind) error {
	is := ""
	got := document.Of(data)
	if got == want || want == document.Rack && got == document.Capture {
		return nil
	}
	switch kind := image.KindOf(data); {
	case got != "":
		is = got.String()
	case kind == image.Text, kind == image.JSON, kind == image.Data && bytes.IndexByte(data, 0) < 0:
		return nil
	default:
		is = kind.Name
	}
	hint := useOf(got, name)
	if hint == "" {
		hint = sourceOf[want]
	}
	return &failure{exitError, fmt.Sprintf("cannot use %s as %s: this is %s", name, want, is), hint}
}

// useOf returns what a document of a kind is good for, "" if it is for people to read.
func useOf(kind document.Kind, name string) string {
	command := func(words ...string) string { return plan.Command(append([]string{"fwctl"}, words...)).String() }
	switch kind {
	case document.DesiredState:
		return "use it with -f: " + command("plan", "-f", name) + ", or " + command("apply", "-f", name)
	case document.Inventory:
		return "plan from it: " + command("plan", "-f", "FILE", "--inventory", name)
	case document.Plan:
		return command("show", name) + " shows it, " + command("apply", name) + " carries it out"
	case document.Capture, document.Rack:
		return "use it in place of this machine: " + command("--simulate", name, "inventory")
	case document.Status, document.History:
		return command(strings.ToLower(string(kind)), "--from", name) + " shows it"
	}
	return ""
}

// sourceOf has where documents of each kind come from.
var sourceOf = map[document.Kind]string{
	document.DesiredState: "a desired state is a YAML file, as `fwctl init` prints one; images are named in it",
	document.Inventory:    "an inventory is what `fwctl inventory --out` writes",
	document.Plan:         "a plan is what `fwctl plan --out` writes",
	document.Rack: "a rack is a YAML file of kind Rack, see `fwctl schema rack`; " +
		"`fwctl capture --out` records a machine",
	document.Status:  "a status is what `fwctl status -o json` writes",
	document.History: "a history is what `fwctl history -o json` writes",
}
