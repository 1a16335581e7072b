// Package image reads firmware images: once, whole, into memory that nobody
// changes, so that what is hashed is what is sent.
//
// It never sends anything and knows nothing of devices.
package image

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"

	"fwctl/internal/document"
)

// MaxSize is the largest file that Load takes for an image, in bytes. The
// largest images known are some ten MiB.
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
	Summary string // what is wrong with it, its cause included
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

// New is an image that was read elsewhere. path says where it came from, and
// nobody changes data any more.
func New(path string, data []byte) *Image {
	digest := sha256.Sum256(data)
	return &Image{path: path, data: data, sha256: hex.EncodeToString(digest[:])}
}

// read reads a file of at most so many bytes. Errors are of type *Error.
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
			Hint: "wait until it is written, then try again"}
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
		err = perr.Err // the path is told already
	}
	e := &Error{Path: path, Summary: "it cannot be read: " + err.Error(),
		Hint: "see that the disk is sound, or get the file again", Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Summary, e.Hint = "there is no such file", "check the name, or get the file from the vendor"
	case errors.Is(err, fs.ErrPermission):
		e.Hint = "let the user that runs fwctl read it"
	}
	return e
}

// Path is where the image was read from.
func (i *Image) Path() string { return i.path }

// Bytes is the image. The caller must not change it.
func (i *Image) Bytes() []byte { return i.data }

// Size is the length of the image in bytes.
func (i *Image) Size() int64 { return int64(len(i.data)) }

// SHA256 is the digest of the image, 64 lower-case hex digits.
func (i *Image) SHA256() string { return i.sha256 }

// Expect compares the image's digest with the one it should have, in hex of
// either case. The error is an *Error that names both.
func (i *Image) Expect(sha256 string) error {
	if want := strings.ToLower(sha256); want != i.sha256 {
		return &Error{
			Path:    i.path,
			Summary: "its SHA-256 is " + i.sha256 + ", not the expected " + want,
			Hint:    "this is another file than the one that was reviewed: get that one back, or compare with the vendor's digest and then change sha256",
		}
	}
	return nil
}
