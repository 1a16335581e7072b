package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "show how this fwctl was built",
		Args:  args(cobra.NoArgs, "none"),
		RunE: func(*cobra.Command, []string) error {
			version, revision := "unknown", ""
			if info, ok := debug.ReadBuildInfo(); ok {
				version = info.Main.Version
				for _, s := range info.Settings {
					switch {
					case s.Key == "vcs.revision":
						revision += ", commit " + s.Value
					case s.Key == "vcs.modified" && s.Value == "true":
						revision += ", modified"
					}
				}
			}
			fmt.Fprintf(a.stdout, "fwctl %s%s\n%s %s/%s\n", version, revision, runtime.Version(), runtime.GOOS,
				runtime.GOARCH)
			return nil
		},
	}
}
