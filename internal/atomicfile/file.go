// Package atomicfile replaces whole files. What it has written survives a crash of the
// machine; a write that fails leaves the old file and nothing else. It never appends and
// imports nothing of this module.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Write replaces the file name with data, or leaves it as it was: a reader never sees half
// of it, not even after a power failure. A link stays a link. Write refuses anything that is
// not a regular file. errors.As finds an *fs.PathError for name.
func Write(name string, data []byte) (err error) {
	// A rename would put a file in the place of a device such as /dev/stdout.
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return cannotWrite(name, errors.New("it is not a regular file"))
	}
	if name, err = target(name); err != nil {
		return cannotWrite(name, err)
	}
	dir := filepath.Dir(name)
	temp, err := os.CreateTemp(dir, "."+filepath.Base(name)+".*")
	if err != nil {
		return cannotWrite(name, err)
	}
	defer func() {
		if err != nil {
			temp.Close()
			os.Remove(temp.Name())
			err = cannotWrite(name, err)
		}
	}()
	if _, err := temp.Write(data); err != nil {
		return err
	}
	if err := temp.Chmod(0o644); err != nil {
		return err
	}
	if err := temp.Sync(); err != nil {
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), name); err != nil {
		return err
	}
	return syncDir(dir)
}

// target follows a link, even to a file that does not exist yet.
func target(name string) (string, error) {
	for range 40 { // as many as Linux follows
		to, err := os.Readlink(name)
		if err != nil {
			return name, nil // not a link
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(name), to)
		}
		name = to
	}
	return name, errors.New("too many links")
}

// cannotWrite names the file that was to be written, not the temporary one.
func cannotWrite(name string, err error) error {
	var file *fs.PathError
	var rename *os.LinkError
	switch {
	case errors.As(err, &file):
		err = file.Err
	case errors.As(err, &rename):
		err = rename.Err
	}
	return fmt.Errorf("cannot %w", &fs.PathError{Op: "write", Path: name, Err: err})
}

// syncDir writes the names in a directory to the disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
