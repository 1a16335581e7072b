package main

import (
	"fmt"
	"path/filepath"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"fwctl/internal/document"
	"fwctl/internal/ui"
	"fwctl/plan/desired"
)

func (a *app) validateCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "validate -f FILE",
		Short: "check a desired state, its images and their signatures",
		Long: `Checks a desired state, the images that it names and, if a policy requires them,
their signatures. It reads no device, and reports all problems at once, each with
its line and column and with what to do about it.`,
		Args: args(cobra.NoArgs, "none; the desired state is named with -f"),
		RunE: func(*cobra.Command, []string) error {
			desired, images, err := a.loadDesired(file)
			if err != nil {
				return err
			}
			for _, w := range desired.Warnings() {
				if _, err := fmt.Fprintf(a.stdout, "WARNING %s\n", ui.OneLine(w.Error())); err != nil {
					return err
				}
			}
			for _, w := range images.Warnings {
				if _, err := fmt.Fprintf(a.stdout, "WARNING %s\n", ui.OneLine(w)); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintf(a.stdout, "%s is valid: %d %s, %d %s, %d %s.\n", ui.OneLine(nameOf(file)),
				len(desired.Models), english.PluralWord(len(desired.Models), "model", "models"),
				len(images.Files), english.PluralWord(len(images.Files), "image", "images"),
				len(desired.Want), english.PluralWord(len(desired.Want), "want", "wants"))
			return err
		},
	}
	desiredFlag(cmd, &file)
	return cmd
}

func desiredFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "file", "f", "",
		"the desired state `FILE`; - is standard input, with images relative to the present directory")
	cmd.MarkFlagFilename("file", "yaml", "yml")
}

// loadDesired reads a desired state and its images, whose paths are relative to it.
func (a *app) loadDesired(file string) (*desired.State, *desired.Images, error) {
	if file == "" {
		return nil, nil, &failure{exitError, "no desired state is named", "name it with -f FILE"}
	}
	data, err := a.readDesired(file)
	if err != nil {
		return nil, nil, err
	}
	return desired.Read(nameOf(file), data, filepath.Dir(file))
}

func (a *app) readDesired(name string) ([]byte, error) {
	if name == stdin {
		return readAs(a.stdin, nameOf(name), document.DesiredState)
	}
	return readDocument(name, document.DesiredState)
}

// stdin is the name of standard input on the command line.
const stdin = "-"

// nameOf returns what messages call an input file.
func nameOf(file string) string {
	if file == stdin {
		return "stdin"
	}
	return file
}
