// Package images finds the image files that a plan sends, wherever they are: only size and SHA-256 count.
//
// It reads files and nothing else, and judges no image: images are judged when a plan is made.
package images

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-multierror"

	"fwctl/internal/image"
	"fwctl/plan"
)

// Hints returns the paths of images by their SHA-256, as a plan file has them.
func Hints(images map[string]*image.Image) (map[string]string, error) {
	paths := make(map[string]string, len(images))
	for sha256, img := range images {
		path, err := filepath.Abs(img.Path())
		if err != nil {
			return nil, fmt.Errorf("cannot find out where image %s is: %w", img.Path(), err)
		}
		paths[sha256] = path
	}
	return paths, nil
}

// MissingError reports an image of a plan that was not found.
type MissingError struct {
	Image plan.ImageRef
	// Where lists the places that were looked in, in words.
	Where string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf(
		"cannot find image %s (%d bytes, SHA-256 %s): %s", e.Image.Name, e.Image.Size, e.Image.SHA256, e.Where,
	)
}

// Places are where the images of a plan may be.
type Places struct {
	// Known are images that need not be looked for, by their SHA-256.
	Known map[string]*image.Image
	// Dir is looked in first, and below; "" for none.
	Dir string
	// File is the plan file, "" for none. The folder that it is in is looked in next, and below.
	File string
}

// Find returns the images that a plan sends, by their SHA-256. An image that is in none of the places is looked for
// where it was when the plan was made, if the plan says so. The error is that of a directory that cannot be read, or a
// *multierror.Error with a *MissingError for each image that was not found.
func Find(p *plan.Plan, places Places) (map[string]*image.Image, error) {
	s := search{plan: p, wanted: p.ImagesToSend(), found: map[string]*image.Image{}}
	maps.Copy(s.found, places.Known)
	if places.Dir != "" {
		if err := s.walk(places.Dir); err != nil {
			return nil, fmt.Errorf("cannot look for images: %w", err)
		}
	}
	if places.File != "" {
		// It is not an error if that cannot be read, as long as the images are elsewhere.
		if err := s.walk(filepath.Dir(places.File)); err != nil {
			s.looked[len(s.looked)-1] += " (" + err.Error() + ")"
		}
	}
	s.followHints()
	return s.found, s.missing()
}

// search is one search for the images of a plan.
type search struct {
	plan   *plan.Plan
	wanted []plan.ImageRef
	// found are images by SHA-256.
	found map[string]*image.Image
	// looked are the places that were searched, in order.
	looked []string
}

func (s *search) done() bool {
	for _, ref := range s.wanted {
		if s.found[ref.SHA256] == nil {
			return false
		}
	}
	return true
}

// walk looks in a directory and below it.
func (s *search) walk(dir string) error {
	s.looked = append(s.looked, "in "+dir)
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && path == dir:
			return err
		case err != nil:
			// A directory that may not be read, or is gone.
			return nil
		case s.done():
			return fs.SkipAll
		case d.Type().IsRegular():
			s.try(path)
		}
		return nil
	})
}

// followHints looks where images were when the plan was made.
func (s *search) followHints() {
	for _, ref := range s.wanted {
		if hint := s.plan.ImageHints[ref.SHA256]; filepath.IsAbs(hint) && s.found[ref.SHA256] == nil {
			s.try(hint)
		}
	}
}

// try takes a file if it is one of the images. It reads only regular files of the right size,
// because whoever can write a plan file can name any path.
func (s *search) try(path string) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	for _, ref := range s.wanted {
		if ref.Size != info.Size() || s.found[ref.SHA256] != nil {
			continue
		}
		img, err := image.Load(path)
		if err != nil {
			// If it was one of them it is reported as missing.
			return
		}
		for _, ref := range s.wanted {
			if ref.SHA256 == img.SHA256() {
				s.found[ref.SHA256] = img
			}
		}
		return
	}
}

// missing reports each image that was not found, with every place.
func (s *search) missing() error {
	var all *multierror.Error
	for _, ref := range s.wanted {
		if s.found[ref.SHA256] != nil {
			continue
		}
		places := s.looked
		if hint := s.plan.ImageHints[ref.SHA256]; filepath.IsAbs(hint) {
			places = append(places[:len(places):len(places)], "at "+hint+", "+whatIsAt(hint))
		}
		where := "the state directory does not have it, and the plan does not say where it was"
		if len(places) > 0 {
			where = "looked " + strings.Join(places, "; ")
		}
		all = multierror.Append(all, &MissingError{ref, where})
	}
	return all.ErrorOrNil()
}

// whatIsAt says why the file at a path was not taken for the image that was there.
func whatIsAt(path string) string {
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return "where it was when the plan was made: no file is there now"
	case err != nil:
		return "where it was when the plan was made: it cannot be read"
	case !info.Mode().IsRegular():
		return "where it was when the plan was made: no regular file is there now"
	}
	return "where it was when the plan was made: another file is there now"
}
