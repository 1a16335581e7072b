package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// writeFile replaces the file name with data, or leaves it as it was: a reader
// never sees half of it, not even after a power failure.
func writeFile(name string, data []byte) (err error) {
	// A rename would put a file in the place of a device such as /dev/stdout.
	if info, err := os.Stat(name); err == nil {
		if !info.Mode().IsRegular() {
			return fmt.Errorf("cannot write %s: it is no regular file", name)
		}
		if name, err = filepath.EvalSymlinks(name); err != nil {
			return fmt.Errorf("cannot write %s: %w", name, err)
		}
	}
	dir := filepath.Dir(name)
	temp, err := os.CreateTemp(dir, "."+filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			temp.Close()
			os.Remove(temp.Name())
			err = fmt.Errorf("cannot write %s: %w", name, err)
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

// syncDir makes the names in a directory last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
