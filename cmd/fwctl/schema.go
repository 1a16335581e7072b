package main

import (
	"strings"

	"github.com/spf13/cobra"

	"fwctl/schemas"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema NAME",
		Short: "print the JSON Schema of a file format",
		Long: "Prints the JSON Schema (draft 2020-12) of a file that fwctl reads or writes, for\n" +
			"editors and other programs. NAME is one of: " + strings.Join(schemas.Names(), ", ") + ".",
		Example:   "  fwctl schema desired-state > desired-state.schema.json",
		ValidArgs: schemas.Names(),
		Args:      args(cobra.ExactArgs(1), "the name of a schema: "+strings.Join(schemas.Names(), ", ")),
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := schemas.Text(args[0])
			if err != nil {
				return err
			}
			_, err = a.stdout.Write(text)
			return err
		},
	}
}
