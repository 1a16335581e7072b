package main

import (
	"slices"

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

// withoutAll leaves out the word that selects every component.
func withoutAll(all []inventory.Selector) []inventory.Selector {
	return slices.DeleteFunc(slices.Clone(all), func(s inventory.Selector) bool { return s == inventory.All })
}
