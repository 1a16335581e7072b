package main

import (
	"encoding/json"
	"io"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"fwctl/internal/image"
	"fwctl/internal/ui"
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
		Use:   "inspect FILE...",
		Short: "show what kind of file an image is, its size, SHA-256 and what it seems to be for",
		Long: `Shows what kind of file each image is, its size and SHA-256, and the texts in it
that read like a vendor, a product or a revision. These are guesses: the release
notes say what an image is for. Packed or encrypted images have no such texts.

Devices do not take a container of an image, such as a ZIP archive or a vendor's
self-extracting script, or a web page that was saved by mistake: validate, plan and
flash refuse such files. If devices do take one, a desired state can say so with
` + "`opaque: true`" + `.

With -o json, an object is written for each file.`,
		Args: args(cobra.MinimumNArgs(1), "the name of an image file, or of several"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := oneOf("-o", output, "table", "json"); err != nil {
				return err
			}
			var failed *multierror.Error
			for i, name := range args {
				img, err := image.Load(name)
				if err != nil {
					failed = multierror.Append(failed, err)
					continue
				}
				text := ui.Image(img)
				if i > 0 {
					text = "\n" + text
				}
				if output == "json" {
					if text, err = imageJSON(img); err != nil {
						return err
					}
				}
				if _, err := io.WriteString(a.stdout, text); err != nil {
					return err
				}
			}
			return failed.ErrorOrNil()
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

// imageJSON returns what schemas/image.schema.json describes.
func imageJSON(img *image.Image) (string, error) {
	clues := img.Clues()
	if clues == nil {
		clues = []image.Clue{}
	}
	kind := img.Kind()
	data, err := json.MarshalIndent(struct {
		File     string       `json:"file"`
		Contents string       `json:"contents"`
		Image    bool         `json:"image"`
		Size     int64        `json:"size"`
		SHA256   string       `json:"sha256"`
		Clues    []image.Clue `json:"clues"`
	}{img.Path(), kind.Name, kind.Unlike == "", img.Size(), img.SHA256(), clues}, "", "  ")
	return string(append(data, '\n')), err
}
