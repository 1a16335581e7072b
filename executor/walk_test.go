package executor_test

import (
	"context"
	"strings"
	"testing"

	"fwctl/executor"
	"fwctl/plan"
)

// Where one fails nothing else of its fault domain is touched, and the others are.
func TestFailureInAResetWaveLeavesTheRestOfItsDomain(t *testing.T) {
	rack := acme("accepts: {product: OTHER}, maxImage: 16384") + strings.ReplaceAll(acme(""), enc1, other)
	onRack(t, rack, func(b *bench) {
		hop := b.hop("1100", plan.Mode7)
		c := b.config(b.step(esp1, reset, hop), b.step(esp2, reset, hop), b.step(other+"/esp1/sub0", reset, hop))
		c.Plan.Rollout.MaxFailures = 1
		r, err := executor.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		b.ended(r, executor.RunFailed, "failed unconfirmed 7 1000", "skipped unconfirmed  1000", "updated confirmed 7 1100")
	})
}
