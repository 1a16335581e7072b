package images_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"fwctl/internal/image"
	"fwctl/plan"
	"fwctl/plan/images"
)

// Images are found by their content, whatever they are called and however deep.
func TestFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) plan.ImageRef {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		img, err := image.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		return plan.ImageRef{Name: content, SHA256: img.SHA256(), Size: img.Size()}
	}
	write("decoy", "xne")
	p := &plan.Plan{Steps: []plan.Step{
		{Hops: []plan.Hop{
			{Image: write("one", "one"), Modes: []plan.Mode{plan.ModeE}},
			{Image: write("a/b/c", "three"), Modes: []plan.Mode{plan.Mode7}},
		}},
		// It has no modes: nothing is sent.
		{Hops: []plan.Hop{{Image: plan.ImageRef{Name: "staged", SHA256: "00", Size: 1}}}},
	}}
	found, err := images.Find(p, images.Places{Dir: dir})
	if err != nil || len(found) != 2 {
		t.Fatalf("Find = %v, %v; want two images", found, err)
	}
	for _, h := range p.Steps[0].Hops {
		if img := found[h.Image.SHA256]; img == nil || string(img.Bytes()) != h.Image.Name {
			t.Errorf("Find()[%s] = %v; want %s", h.Image.SHA256, img, h.Image.Name)
		}
	}
	if err := os.Remove(filepath.Join(dir, "a", "b", "c")); err != nil {
		t.Fatal(err)
	}
	_, err = images.Find(p, images.Places{Dir: dir})
	if missing := (*images.MissingError)(nil); !errors.As(err, &missing) || missing.Image != p.Steps[0].Hops[1].Image {
		t.Errorf("Find = %v; want the missing image named", err)
	}
}
