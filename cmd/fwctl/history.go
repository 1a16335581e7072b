package main

import (
	"context"

	"fwctl/internal/document"
	"fwctl/internal/report"
	"fwctl/internal/state"
	"fwctl/internal/ui"

	"github.com/spf13/cobra"
)

func (a *app) historyCommand() *cobra.Command {
	var o lookBack
	cmd := &cobra.Command{
		Use:   "history",
		Short: "show what was done, when, with which image and by whom",
		Long: `Shows every apply of this host, the latest last: who started and resumed it, which
safeguards were overridden and why, and what became of each component. It goes by
what this host remembers and opens no device.`,
		Example: `  fwctl history --enclosure r12u20
  fwctl history -o json > stor2.json    # on stor2
  fwctl history --from stor2.json       # and here, with it
  fwctl history -o html > history.html  # for a change ticket`,
		Args: args(cobra.NoArgs, "none"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return look(cmd.Context(), a, o, kept[*report.History]{
				document.History, a.readHistory, report.ParseHistory, ui.Screen.History, ui.HistoryPage,
			})
		},
	}
	o.flags(cmd)
	return cmd
}

func (a *app) readHistory(ctx context.Context, store *state.Store) (*report.History, error) {
	host, _, err := a.thisHost()
	if err != nil {
		return nil, err
	}
	return report.ReadHistory(ctx, store, host)
}
