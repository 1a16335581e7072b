package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"syscall"
)

// Error says why an input file is not read: it might have no end.
type Error struct {
	Path    string
	Summary string // what it is: "it is a directory"
	Hint    string // what to do about it
}

func (e *Error) Error() string { return e.Path + ": " + e.Summary }

// Open opens a regular file of at most that many bytes for reading. It opens nothing else:
// a pipe without a writer would block for ever, a device has no end, and opening some has
// an effect. It accepts a pipe that was open when the process started, as with <(command)
// in a shell, so readers still have to count.
// The error is an *Error or an *fs.PathError.
func Open(path string, most int64) (*os.File, error) {
	if given.MatchString(path) {
		return os.Open(path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, opening(path, err)
	}
	if err := usable(path, info, most); err != nil {
		return nil, err
	}
	// The file may have been replaced by now.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, opening(path, err)
	}
	if info, err = f.Stat(); err == nil {
		err = usable(path, info, most)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// given matches the names of files that were open when the process started.
var given = regexp.MustCompile(`^(/dev/stdin|/dev/fd/\d+|/proc/self/fd/\d+)$`)

// Read reads a whole file, which it opens as Open does.
func Read(path string, most int64) ([]byte, error) {
	f, err := Open(path, most)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadFrom(f, path, most)
}

// ReadFrom reads at most that many bytes to their end. path names the source in errors.
func ReadFrom(r io.Reader, path string, most int64) ([]byte, error) {
	// Most files are as large as they say. Then one buffer is enough, and it is not cleared first.
	size := bytes.MinRead
	if f, ok := r.(fs.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() <= most {
			size += int(info.Size())
		}
	}
	data := make([]byte, 0, size)
	for limited := io.LimitReader(r, most+1); ; {
		n, err := limited.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case err == io.EOF && int64(len(data)) > most:
			return nil, tooLarge(path, most)
		case err == io.EOF:
			return data, nil
		case err != nil:
			return nil, err
		}
		if len(data) == cap(data) {
			data = slices.Grow(data, len(data))
		}
	}
}

func usable(path string, info fs.FileInfo, most int64) error {
	switch mode := info.Mode(); {
	case mode.IsDir():
		return &Error{path, "it is a directory", "name a file in that directory"}
	case mode&fs.ModeNamedPipe != 0:
		return &Error{path, "it is a named pipe", "name a regular file"}
	case !mode.IsRegular():
		return &Error{path, "it is a device or a socket", "name a regular file"}
	case info.Size() > most:
		return tooLarge(path, most)
	}
	return nil
}

func tooLarge(path string, most int64) error {
	limit := fmt.Sprintf("%d MiB", most>>20)
	if most < 1<<20 {
		limit = fmt.Sprintf("%d KiB", most>>10)
	}
	return &Error{path, "it has more than " + limit, "files of this kind are never that large: check the name"}
}

// opening turns any failure into one to open the file: that fwctl looked at the file first
// does not matter.
func opening(path string, err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		err = e.Err
	}
	return &fs.PathError{Op: "open", Path: path, Err: err}
}
