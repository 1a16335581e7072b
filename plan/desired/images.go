package desired

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"fwctl/internal/glob"
	"fwctl/internal/image"
	"fwctl/schemas"
)

// Images are the images of a desired state, loaded and checked.
type Images struct {
	// Files has the images by SHA-256.
	Files map[string]*image.Image
	// SignedBy has, by SHA-256 of an image, the public keys of policies that have signed it, as
	// they are written there; sorted.
	SignedBy map[string][]string
	// Warnings are sorted.
	Warnings []string
}

// LoadImages reads the images that a desired state names, relative to dir, and compares their
// digests. If the policy of a want requires a signature, the wanted image must have one by a key
// of that policy. Images of the same part, which may become stepping stones, need no signature;
// if they have one, it must be valid. The error holds every problem at once: a
// *multierror.Error of schemas.Problem, sorted by position.
func (d *State) LoadImages(dir string) (*Images, error) {
	l := newImageLoader(d, dir, nil)
	l.loadAll()
	if err := schemas.Join(l.problems); err != nil {
		return nil, err
	}
	return &l.images, nil
}

type imageLoader struct {
	d        *State
	dir      string
	read     map[string]*image.Image // by path
	images   Images
	problems []schemas.Problem
	known    schemas.Positions // of the file's own problems
}

// newImageLoader loads the images of a desired state. known are its own problems.
func newImageLoader(d *State, dir string, known []schemas.Problem) *imageLoader {
	return &imageLoader{
		d: d, dir: dir, read: map[string]*image.Image{}, known: schemas.PositionsOf(known),
		images: Images{Files: map[string]*image.Image{}, SignedBy: map[string][]string{}},
	}
}

// loadAll loads the images that have no problem already.
func (l *imageLoader) loadAll() {
	for _, model := range slices.Sorted(maps.Keys(l.d.Models)) {
		for _, name := range slices.Sorted(maps.Keys(l.d.Models[model].Images)) {
			if l.sound("models", model, "images", name) {
				l.load(model, name)
			}
		}
	}
}

// sound reports whether no problem is known at a path.
func (l *imageLoader) sound(path ...string) bool {
	return len(l.known) == 0 || !l.d.root.At(l.known, path...)
}

// load reads and checks one image.
func (l *imageLoader) load(model, name string) {
	m := l.d.Models[model]
	i := m.Images[name]
	at := func(key string) []string { return []string{"models", model, "images", name, key} }
	path := l.path(i.File)
	img, ok := l.read[path]
	if !ok {
		var err error
		if img, err = image.Load(path); err != nil {
			l.add(err, at("file")...)
			return
		}
		l.read[path] = img
	}
	if err := img.CheckKind(); err != nil && !i.Opaque {
		l.add(err, at("file")...)
		return // the digest of such a file does not matter
	}
	if err := img.Expect(i.SHA256); err != nil {
		l.add(err, at("sha256")...)
		return
	}
	l.images.Files[i.SHA256] = img
	l.verify(img, model, name)
	if !slices.Contains(m.Parts[i.Part].Subenclosures, 0) {
		return // the model does not have the product name of such a part
	}
	if doubt := Doubt(img, name+" of model "+model, m.Match); doubt != "" {
		l.images.Warnings = append(l.images.Warnings, doubt)
	}
}

// verify checks the signature of an image by the keys of each policy that the wants of its part
// have.
func (l *imageLoader) verify(img *image.Image, model, name string) {
	m := l.d.Models[model]
	i := m.Images[name]
	for _, w := range l.d.Want {
		keys := l.d.Policies[w.Policy].RequireSignature
		if w.Model != model || m.Images[w.Image].Part != i.Part || len(keys) == 0 || !l.sound("policies", w.Policy) {
			continue
		}
		at := []string{"models", model, "images", name, "signature"}
		if i.Signature == "" {
			if w.Image == name {
				l.add(&image.Error{Path: img.Path(),
					Summary: fmt.Sprintf("it has no signature, and policy %s requires one", w.Policy),
					Hint:    "name the vendor's .minisig file in the image's signature"}, at...)
			}
			continue
		}
		key, err := img.Verify(l.path(i.Signature), keys)
		if err != nil {
			l.add(err, at...)
			continue
		}
		if signed := l.images.SignedBy[i.SHA256]; !slices.Contains(signed, key) {
			l.images.SignedBy[i.SHA256] = slices.Sorted(slices.Values(append(signed, key)))
		}
	}
}

func (l *imageLoader) path(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(l.dir, file)
}

func (l *imageLoader) add(err error, path ...string) {
	p := l.d.At(path...)
	p.Summary = err.Error()
	var e *image.Error
	if errors.As(err, &e) {
		p.Hint = e.Hint
	}
	l.problems = append(l.problems, p)
}

// Doubt returns the warning of an image that may be for another product, "" if
// there is no reason for one.
func Doubt(img *image.Image, called string, match Match) string {
	if doubt := img.Kind().Doubt; doubt != "" {
		return fmt.Sprintf("image %s: %s", called, doubt)
	}
	product := unmentioned(img, match)
	if product == "" {
		return ""
	}
	return fmt.Sprintf("image %s: no text in it reads like %s; packed or encrypted images have none, else it may be "+
		"the wrong file: compare it with the release notes", called, product)
}

// unmentioned returns the product that an image does not mention; "" if it does, or if the globs
// have no letters to look for.
func unmentioned(img *image.Image, match Match) string {
	for _, pattern := range []string{match.Product, match.Vendor} {
		longest := ""
		for _, word := range glob.Words(pattern) {
			if len(word) > len(longest) {
				longest = word
			}
		}
		if len(longest) >= 3 {
			if img.Mentions(longest) {
				return ""
			}
			return strings.TrimSpace(longest)
		}
	}
	return ""
}
