package verify

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"fwctl/executor/result"
	"fwctl/internal/state"
	"fwctl/inventory"
)

// names are what this host calls components and enclosures.
type names struct {
	// components are the addresses that components had in the last run that worked on them.
	components map[state.Key]string
	// enclosures are the names of enclosures, by the first part of their addresses.
	enclosures map[string]string
}

func readNames(ctx context.Context, store *state.Store) (*names, error) {
	components, err := store.Addresses(ctx)
	if err != nil {
		return nil, err
	}
	enclosures, err := store.Names(ctx)
	return &names{components, enclosures}, err
}

func (n *names) of(address string) string { return n.enclosures[inventory.EnclosureOf(address)] }

// all returns the components in sight, and the enclosures and components that this host remembers.
func (n *names) all(inv *inventory.Inventory, last map[string]state.Baseline) []inventory.Named {
	// The identifier of an enclosure is the first part of its components' addresses, and stands for all of them.
	addresses := slices.Collect(maps.Keys(last))
	addresses = slices.AppendSeq(addresses, maps.Values(n.components))
	all := make([]inventory.Named, len(addresses))
	for i, address := range addresses {
		all[i] = inventory.Named{Address: address, Name: n.of(address)}
	}
	for i := range inv.Enclosures {
		all = append(all, n.inSight(&inv.Enclosures[i])...)
	}
	return all
}

// inSight returns the components of an enclosure, with the name that this host knows it by.
func (n *names) inSight(e *inventory.Enclosure) []inventory.Named {
	all := e.Named()
	for i := range all {
		all[i].Name = n.of(all[i].Address)
	}
	return all
}

// absent returns the finding of a component that is not in sight.
func (n *names) absent(key state.Key, s state.StagedRecord) result.Finding {
	f := finding(cmp.Or(n.components[key], fmt.Sprintf("lu-%s/sub%d", key.LUID, key.Subenclosure)), s)
	f.Reason = "it is not in sight: is the enclosure switched on and cabled to this host?"
	return f
}
