package main

import (
	"fmt"
	"os"
)

// readFile reads an input file whole.
func readFile(what, name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", what, err)
	}
	return data, nil
}
