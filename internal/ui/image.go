package ui

import (
	"fmt"
	"strings"

	"fwctl/internal/image"
)

// cluesShown is how many texts of a kind a person is shown.
const cluesShown = 5

// Image draws what an image shows of itself.
func Image(img *image.Image) string {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-9s %s\n", label, OneLine(fmt.Sprintf(format, args...)))
	}
	kind := img.Kind()
	line("File", "%s", img.Path())
	line("Contents", "%s", kind.Name)
	if kind.Unlike != "" {
		line("", "not a firmware image: %s", kind.Unlike)
	}
	if kind.Doubt != "" {
		line("", "%s", kind.Doubt)
	}
	line("Size", "%d bytes", img.Size())
	line("SHA-256", "%s", img.SHA256())
	clues := img.Clues()
	if len(clues) == 0 {
		line("", "No text in it reads like a vendor, a product or a revision.")
		return b.String()
	}
	for _, kind := range []image.ClueKind{image.Vendor, image.Product, image.Revision} {
		found := 0
		for _, c := range clues {
			if c.Kind != kind {
				continue
			}
			if found++; found <= cluesShown {
				line(strings.ToUpper(string(kind[:1]))+string(kind[1:])+"?", "%s (at byte %d)", c.Text, c.Offset)
			}
		}
		if found > cluesShown {
			line("", "and %d more: -o json shows them", found-cluesShown)
		}
	}
	return b.String()
}
