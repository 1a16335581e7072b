package image_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwctl/internal/image"
)

func load(t *testing.T, content string) *image.Image {
	t.Helper()
	img, err := image.Load(write(t, "a.bin", content))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestClues(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		want          []image.Clue
	}{
		{"nothing", "\x00\x01\x7f\xff", nil},
		{"text of another kind", "usage: frobnicate [options]\x00\x00error 12: cannot open file\n", nil},
		{"labels", "\x00\x01vendor: ACME\nProduct ID = JBOD-60 IOM\x00FW Revision:1100\x00", []image.Clue{
			{Kind: image.Vendor, Text: "ACME", Offset: 10},
			{Kind: image.Product, Text: "JBOD-60 IOM", Offset: 28},
			{Kind: image.Revision, Text: "1100", Offset: 52},
		}},
		{"labels on one line", "model=X28;rev=0611", []image.Clue{
			{Kind: image.Product, Text: "X28", Offset: 6},
			{Kind: image.Revision, Text: "0611", Offset: 14},
		}},
		{"each once", "vendor: ACME\nvendor: ACME\n", []image.Clue{{Kind: image.Vendor, Text: "ACME", Offset: 8}}},
		{"formats are no values", "version: %d.%d\x00", nil},
		{"INQUIRY data", "\x0d\x00\x05\x02\x5b\x00\x40\x02ACME    JBOD-60         1100\x00", []image.Clue{
			{Kind: image.Vendor, Text: "ACME", Offset: 8},
			{Kind: image.Product, Text: "JBOD-60", Offset: 16},
			{Kind: image.Revision, Text: "1100", Offset: 32},
		}},
		{"a vendor of eight letters", "\x02INITECH8SHELF-24        0210 and more\x00", []image.Clue{
			{Kind: image.Vendor, Text: "INITECH8", Offset: 1},
			{Kind: image.Product, Text: "SHELF-24", Offset: 9},
			{Kind: image.Revision, Text: "0210", Offset: 25},
		}},
		{"fields apart", "ACME    \x00JBOD-60         \x00", []image.Clue{
			{Kind: image.Vendor, Text: "ACME", Offset: 0},
			{Kind: image.Product, Text: "JBOD-60", Offset: 9},
		}},
		{"vendor and product", "ACME    JBOD-60         \x00", []image.Clue{
			{Kind: image.Vendor, Text: "ACME", Offset: 0},
			{Kind: image.Product, Text: "JBOD-60", Offset: 8},
		}},
		{"text of those lengths", "ABCDEFGH\x00not  so \x00a line of sixteen\x00", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, load(t, tt.content).Clues()); diff != "" {
				t.Errorf("Clues(%q) (-want +got):\n%s", tt.content, diff)
			}
		})
	}
}

func TestMentions(t *testing.T) {
	img := load(t, strings.Repeat("\x00\xff", 100)+"X28\x00...acme JBOD_60 v1...\x00end")
	for word, want := range map[string]bool{
		"JBOD-60": true, "JBOD60": true, "ACME": true, "X28": true, "X2": true, "": true, "60v1": true, "end": true,
		"JBOD-61": false, "GLOBEX": false, "8acme": false, "xff": false,
	} {
		if got := img.Mentions(word); got != want {
			t.Errorf("Mentions(%q) = %v; want %v", word, got, want)
		}
	}
}
