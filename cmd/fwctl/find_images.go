package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-multierror"

	"fwctl/internal/image"
	"fwctl/plan"
)

// hints are the paths of images by their SHA-256, as a plan file has them.
func hints(images map[string]*image.Image) (map[string]string, error) {
	paths := make(map[string]string, len(images))
	for sha256, img := range images {
		path, err := filepath.Abs(img.Path())
		if err != nil {
			return nil, fmt.Errorf("cannot tell where image %s is: %w", img.Path(), err)
		}
		paths[sha256] = path
	}
	return paths, nil
}

// imageSearch looks for the images that a plan sends. An image is found by its size
// and SHA-256 alone, wherever it lies.
type imageSearch struct {
	plan   *plan.Plan
	wanted []plan.ImageRef
	// By SHA-256.
	found map[string]*image.Image
	// The places, in the order in which they were looked in.
	looked []string
}

// findImages looks for the images of a plan: in dir and below it, if one is named,
// else beside the plan file, if there is one, and below, else where the plan says
// that they were when it was made. known are images that need not be looked for.
func findImages(p *plan.Plan, known map[string]*image.Image, dir, file string) (map[string]*image.Image, error) {
	s := imageSearch{plan: p, wanted: p.ImagesToSend(), found: map[string]*image.Image{}}
	for sha256, img := range known {
		s.found[sha256] = img
	}
	if dir != "" {
		if err := s.walk(dir); err != nil {
			return nil, fmt.Errorf("cannot look for images: %w", err)
		}
	}
	if file != "" {
		// What cannot be read there is not an error as long as the images are elsewhere.
		if err := s.walk(filepath.Dir(file)); err != nil {
			s.looked[len(s.looked)-1] += " (" + err.Error() + ")"
		}
	}
	s.followHints()
	return s.found, s.missing()
}

func (s *imageSearch) done() bool {
	for _, ref := range s.wanted {
		if s.found[ref.SHA256] == nil {
			return false
		}
	}
	return true
}

// walk looks in a directory and below it.
func (s *imageSearch) walk(dir string) error {
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
func (s *imageSearch) followHints() {
	for _, ref := range s.wanted {
		if hint := s.plan.ImageHints[ref.SHA256]; filepath.IsAbs(hint) && s.found[ref.SHA256] == nil {
			s.try(hint)
		}
	}
}

// try takes a file if it is one of the images. A file of another size is not read,
// nor is anything but a regular file: whoever can write a plan file can name any path.
func (s *imageSearch) try(path string) {
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
func (s *imageSearch) missing() error {
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
		all = multierror.Append(all, &failure{exitError,
			fmt.Sprintf("cannot find image %s (%d bytes, SHA-256 %s): %s", ref.Name, ref.Size, ref.SHA256, where),
			"name the directory that has it with --images"})
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
