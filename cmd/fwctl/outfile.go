package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"fwctl/internal/atomicfile"
	"fwctl/internal/document"
	"fwctl/internal/image"
)

// outFile is the file that --out names, and the kind of document that goes into it.
// It never replaces anything but an earlier document of that kind.
type outFile struct {
	// name is "" if there is none.
	name string
	kind document.Kind
}

// flag adds the flag --out.
func (o *outFile) flag(cmd *cobra.Command, kind document.Kind, usage string) {
	o.kind = kind
	cmd.Flags().StringVar(&o.name, "out", "", usage+"; an existing file is replaced only if it is "+kind.String())
}

// check refuses a file that must not be replaced, or cannot be. It is called before any work is
// done for the file, and once more when that is written.
func (o *outFile) check() error {
	if o.name == "" {
		return nil
	}
	info, err := os.Stat(o.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if info, err := os.Stat(filepath.Dir(o.name)); err != nil || !info.IsDir() {
			return fmt.Errorf("cannot %w", &fs.PathError{Op: "write", Path: o.name, Err: syscall.ENOENT})
		}
		return nil
	case err != nil:
		return fmt.Errorf("cannot write %s: %w", the(o.kind), err)
	case info.IsDir():
		return o.cannot("it is a directory", "name a file in that directory")
	case isStream(info):
		return nil
	case !info.Mode().IsRegular():
		return o.cannot("it is a device or a socket", "name a new file")
	}
	return o.checkContent()
}

func (o *outFile) checkContent() error {
	head, err := beginning(o.name)
	var unusable *document.Error
	if err != nil && !errors.As(err, &unusable) {
		return fmt.Errorf("cannot write %s: %w", the(o.kind), err)
	}
	kind := document.Of(head)
	if kind == o.kind {
		return nil
	}
	is := kind.String()
	switch {
	case unusable != nil:
		is = "not " + o.kind.String()
	case kind == "":
		is = image.KindOf(head).Name
	}
	return o.cannot(
		"it exists and is "+is,
		"only "+o.kind.String()+" is replaced: name a new file, or remove that one first",
	)
}

func (o *outFile) cannot(why, hint string) error {
	return &failure{exitError, fmt.Sprintf("cannot write %s to %s: %s", the(o.kind), o.name, why), hint}
}

// write writes the document. A reader sees the earlier one, or all of this one.
func (o *outFile) write(data []byte) error {
	if o.name == "" {
		return nil
	}
	if err := o.check(); err != nil {
		return err
	}
	if info, err := os.Stat(o.name); err == nil && isStream(info) {
		return o.send(data)
	}
	return atomicfile.Write(o.name, data)
}

// send writes to a pipe or a terminal. It does not wait for a reader.
func (o *outFile) send(data []byte) error {
	f, err := os.OpenFile(o.name, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ENXIO) {
		return o.cannot("it is a pipe that no one reads", "start the reader first")
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", the(o.kind), err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cannot write %s: %w", the(o.kind), err)
	}
	return nil
}

// isStream reports whether writing to a file replaces nothing: it is a pipe, /dev/null or the
// terminal. Other devices keep what they get, or take it for a command.
func isStream(info fs.FileInfo) bool {
	if info.Mode()&fs.ModeNamedPipe != 0 {
		return true
	}
	for _, name := range []string{os.DevNull, "/dev/stdout", "/dev/stderr", "/dev/tty"} {
		known, err := os.Stat(name)
		if err == nil && known.Mode()&fs.ModeCharDevice != 0 && os.SameFile(known, info) {
			return true
		}
	}
	return false
}
