package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"fwctl/internal/image"
)

func (a *app) imageCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "image",
		Short: "look into firmware images",
		Args:  wholeCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.inspectCommand())
	return cmd
}

func (a *app) inspectCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "tell an image's size, SHA-256 and what it seems to be for",
		Long: `Tells the size and the SHA-256 of an image file, and the texts in it that read
like a vendor, a product or a revision. These are guesses: the release notes say
what an image is for. Packed or encrypted images have no such texts.`,
		Args: args(cobra.ExactArgs(1), "the name of an image file"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := oneOf("-o", output, "table", "json"); err != nil {
				return err
			}
			img, err := image.Load(args[0])
			if err != nil {
				return err
			}
			if output == "json" {
				return a.imageJSON(img)
			}
			_, err = fmt.Fprint(a.stdout, imageView(img))
			return err
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

// imageJSON writes what schemas/image.schema.json describes.
func (a *app) imageJSON(img *image.Image) error {
	clues := img.Clues()
	if clues == nil {
		clues = []image.Clue{}
	}
	data, err := json.MarshalIndent(struct {
		File   string       `json:"file"`
		Size   int64        `json:"size"`
		SHA256 string       `json:"sha256"`
		Clues  []image.Clue `json:"clues"`
	}{img.Path(), img.Size(), img.SHA256(), clues}, "", "  ")
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(append(data, '\n'))
	return err
}

// cluesShown is how many texts of a kind a person is shown.
const cluesShown = 5

// imageView renders what an image tells of itself.
func imageView(img *image.Image) string {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-9s %s\n", label, fmt.Sprintf(format, args...))
	}
	line("File", "%s", img.Path())
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
