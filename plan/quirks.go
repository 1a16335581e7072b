package plan

import (
	_ "embed"
	"sync"

	"gopkg.in/yaml.v3"
)

//go:embed quirks.yaml
var quirksYAML []byte

// quirk is one row of the quirk table; what is zero is as usual.
type quirk struct {
	Vendor, Product, Revision string
	ChunkSize                 int `yaml:"chunk_size"`
	Settle                    Duration
	Source                    string
}

var quirks = sync.OnceValue(func() []quirk {
	var rows []quirk
	if err := yaml.Unmarshal(quirksYAML, &rows); err != nil {
		panic(err) // part of the program, and tested
	}
	return rows
})

// quirkOf finds the row for a device, an empty one where there is none.
func quirkOf(vendor, product, revision string) quirk {
	for _, q := range quirks() {
		if globOrAny(q.Vendor, vendor) && globOrAny(q.Product, product) && globOrAny(q.Revision, revision) {
			return q
		}
	}
	return quirk{}
}

// globOrAny is glob where an empty pattern matches anything.
func globOrAny(pattern, s string) bool { return pattern == "" || glob(pattern, s) }
