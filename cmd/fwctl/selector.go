package main

import (
	"github.com/hashicorp/go-multierror"

	"fwctl/inventory"
)

// selectors reads the selectors of a flag.
func selectors(flag string, texts []string) ([]inventory.Selector, error) {
	var all []inventory.Selector
	var bad *multierror.Error
	for _, text := range texts {
		s, err := inventory.ParseSelector(text)
		if err != nil {
			bad = multierror.Append(bad, &failure{exitError, err.Error() + " (" + flag + ")", inventory.SelectorHelp})
		}
		all = append(all, s)
	}
	return all, bad.ErrorOrNil()
}
