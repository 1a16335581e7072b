package state

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"fwctl/internal/atomicfile"
)

// imagesDir holds the images of open runs, beside the database: one file each, named by its
// SHA-256. A writer holds the database's write lock: anything there that is not an image was
// left by a crash.
const imagesDir = "images"

// KeepImage keeps a copy of an image for whoever resumes the run, unless there is one
// already. sha256 is 64 lower-case hex digits. The file is written before the transaction
// is committed: a run on record has its images. DropImages removes files of transactions
// that were never committed.
func (t *Tx) KeepImage(sha256 string, data []byte) {
	if t.err == nil {
		t.err = t.store.keepImage(sha256, data)
	}
}

func (s *Store) keepImage(sha256 string, data []byte) error {
	if digest(data) != sha256 {
		return fmt.Errorf("cannot keep image %s: its content has the sha256 %s", sha256, digest(data))
	}
	if _, err := s.Image(sha256); err == nil {
		return nil
	}
	name := s.image(sha256)
	if err := os.Mkdir(filepath.Dir(name), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return imageError("write", name, err)
	}
	if err := atomicfile.Write(name, data); err != nil {
		return imageError("write", name, err)
	}
	return nil
}

// Image returns a kept image, whose content it checks against its SHA-256.
// errors.Is sees fs.ErrNotExist if there is none.
func (s *Store) Image(sha256 string) ([]byte, error) {
	name := s.image(sha256)
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, imageError("read", name, err)
	}
	if digest(data) != sha256 {
		return nil, &Error{Op: "read", Path: name, Err: errors.New("it is damaged"),
			Hint: "name a directory that has the image with --images"}
	}
	return data, nil
}

// DropImages removes the images that are no longer needed. keep has the SHA-256 of those
// of all runs without an end.
func (s *Store) DropImages(keep map[string]bool) error {
	return s.update(context.Background(), "write to", func(*Tx) error {
		dir := s.image("")
		files, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return imageError("read", dir, err)
		}
		for _, f := range files {
			name := filepath.Join(dir, f.Name())
			if keep[f.Name()] {
				continue
			}
			if err := os.Remove(name); err != nil {
				return imageError("remove", name, err)
			}
		}
		return nil
	})
}

func (s *Store) image(sha256 string) string {
	return filepath.Join(filepath.Dir(s.path), imagesDir, sha256)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// imageError adds a hint to a file error.
func imageError(op, name string, err error) error {
	e := &Error{Op: op, Path: name, Err: err}
	var p *fs.PathError
	if errors.As(err, &p) {
		e.Err = p.Err
	}
	switch {
	case isFull(err):
		e.Hint = fullHint
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		e.Hint = writableHint
	}
	return e
}
