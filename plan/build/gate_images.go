package build

import (
	"fmt"
	"slices"
	"strings"

	"fwctl/plan"
	"fwctl/plan/desired"
)

// signatureGate asks whether the images of a way are signed by a key of the policy.
func (w *wanted) signatureGate(way []string, signedBy map[string][]string) plan.GateResult {
	if len(w.policy.RequireSignature) == 0 {
		return plan.GateResult{}
	}
	var reasons []string
	for _, name := range way {
		if r := w.signatureReason(w.model.Images[name], signedBy); r != "" {
			reasons = append(reasons, r)
		}
	}
	return answer(plan.GateSignature, strings.Join(reasons, "; "),
		"a key of the policy has signed "+strings.Join(way, ", "))
}

// signatureReason returns why the policy does not accept an image's signature, "" if it does.
func (w *wanted) signatureReason(i desired.ModelImage, signedBy map[string][]string) string {
	signed := func(key string) bool { return slices.Contains(signedBy[i.SHA256], key) }
	if len(w.policy.RequireSignature) == 0 || slices.ContainsFunc(w.policy.RequireSignature, signed) {
		return ""
	}
	why := "the desired state names no signature of it"
	if i.Signature != "" {
		why = "its signature is by another key"
	}
	return fmt.Sprintf("image %s is not signed by a key of the policy's requireSignature: %s", w.nameOf(i), why)
}

// downgradeGate asks whether the model's order and the policy permit every hop of a way. Models
// without an order have no downgrades.
func (w *wanted) downgradeGate(way []string) plan.GateResult {
	if len(w.model.Order) == 0 {
		return plan.GateResult{}
	}
	var reasons []string
	from := w.Sub.Revision
	for _, name := range way {
		i := w.model.Images[name]
		if r := w.orderReason(from, i); r != "" {
			reasons = append(reasons, r)
		}
		from = i.Revision
	}
	if len(reasons) > 0 && len(way) > 1 {
		reasons[0] = fmt.Sprintf("the way is %s, but %s", strings.Join(way, ", then "), reasons[0])
	}
	passed := "no hop goes to an earlier entry of the model's order"
	if w.policy.Downgrade == desired.DowngradeOrder {
		passed = "the policy says downgrade: order"
	}
	return answer(plan.GateDowngrade, strings.Join(reasons, "; "), passed)
}

// orderReason returns why the model's order forbids a hop, "" if it does not.
func (w *wanted) orderReason(current string, i desired.ModelImage) string {
	order := w.model.Order
	if len(order) == 0 || current == i.Revision || i.NoVersion {
		return ""
	}
	from, to := slices.Index(order, current), slices.Index(order, i.Revision)
	switch {
	case from >= 0 && to >= 0 && to < from && w.policy.Downgrade != desired.DowngradeOrder:
		return fmt.Sprintf("%s is earlier than %s in the model's order, and the policy says downgrade: forbid",
			i.Revision, current)
	case (from < 0 || to < 0) && i.From == nil:
		outside := current
		if from >= 0 {
			outside = i.Revision
		}
		return fmt.Sprintf("%s is not in the model's order, so that an image has to name what it starts at: %s "+
			"has no from", outside, w.nameOf(i))
	}
	return ""
}
