// Package image reads firmware images. It reads each file once, whole, into memory that
// never changes: what was hashed is what is sent.
//
// It never sends anything and knows nothing about devices.
package image

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"

	"fwctl/internal/document"
)

// MaxSize is the size in bytes of the largest file that Load accepts. The largest known
// images have some ten MiB.
const MaxSize = 256 << 20

// Image is a firmware image, read once.
type Image struct {
	path   string
	data   []byte
	sha256 string
}

// Error is an image that cannot be used.
type Error struct {
	Path    string
	Summary string // what is wrong with it, including the cause
	Hint    string // what to do
	Err     error  // cause, nil if there is none; errors.Is sees fs.ErrNotExist and fs.ErrPermission
}

func (e *Error) Error() string {
	return "cannot use image " + e.Path + ": " + e.Summary
}

func (e *Error) Unwrap() error { return e.Err }

// Load reads an image. Errors are of type *Error.
func Load(path string) (*Image, error) {
	data, err := read(path, MaxSize)
	if err != nil {
		return nil, err
	}
	return New(path, data), nil
}

// New returns an image that was read elsewhere. path says where it came from. The caller
// must not change data afterwards.
func New(path string, data []byte) *Image {
	digest := sha256.Sum256(data)
	return &Image{path: path, data: data, sha256: hex.EncodeToString(digest[:])}
}

// read reads a file of at most that many bytes. Errors are of type *Error.
func read(path string, most int64) ([]byte, error) {
	f, err := document.Open(path, most)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, unreadable(path, err)
	}
	data, err := document.ReadFrom(f, path, most)
	switch {
	case err != nil:
		return nil, unreadable(path, err)
	case len(data) == 0:
		return nil, &Error{Path: path, Summary: "it is empty", Hint: "get the file again"}
	case info.Mode().IsRegular() && int64(len(data)) != info.Size():
		return nil, &Error{Path: path, Summary: "it changed while it was read",
			Hint: "wait until it is complete, then try again"}
	}
	return data, nil
}

func unreadable(path string, err error) error {
	var refused *document.Error
	if errors.As(err, &refused) {
		return &Error{Path: path, Summary: refused.Summary, Hint: refused.Hint, Err: err}
	}
	var perr *fs.PathError
	if errors.As(err, &perr) {
		err = perr.Err // the message has the path already
	}
	e := &Error{Path: path, Summary: "it cannot be read: " + err.Error(),
		Hint: "check the disk, or get the file again", Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Summary, e.Hint = "there is no such file", "check the name, or get the file from the vendor"
	case errors.Is(err, fs.ErrPermission):
		e.Hint = "allow the user that runs fwctl to read it"
	}
	return e
}

// Path returns where the image was read from.
func (i *Image) Path() string { return i.path }

// Bytes returns the image. The caller must not change it.
func (i *Image) Bytes() []byte { return i.data }

// Size returns the length of the image in bytes.
func (i *Image) Size() int64 { return int64(len(i.data)) }

// SHA256 returns the digest of the image, 64 lower-case hex digits.
func (i *Image) SHA256() string { return i.sha256 }

// Expect compares the image's digest with the one it should have, in hex of
// either case. The error is an *Error that names both.
func (i *Image) Expect(sha256 string) error {
	if want := strings.ToLower(sha256); want != i.sha256 {
		return &Error{
			Path:    i.path,
			Summary: "its SHA-256 is " + i.sha256 + ", not the expected " + want,
			Hint: "this is not the file that was reviewed: get that one back, " +
				"or compare this one with the vendor's digest and then change sha256",
		}
	}
	return nil
}
