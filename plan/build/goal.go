package build

import (
	"maps"
	"slices"

	"fwctl/plan/desired"
)

// goal is what a want asks for: an image, and what may be done for it.
type goal struct {
	name       string
	image      desired.ModelImage
	modelName  string
	model      desired.Model
	images     []string // names of the model's images for the same part, sorted
	policyName string
	policy     desired.Policy
	quirks     *quirkFinder

	stageWindows, resetWindows string // of the policy; see place
}

func newGoal(d *desired.State, want desired.Want, quirks *quirkFinder) *goal {
	g := &goal{name: want.Image, modelName: want.Model, model: d.Models[want.Model], policyName: want.Policy,
		policy: desired.DefaultPolicy(), quirks: quirks}
	g.image = g.model.Images[want.Image]
	for _, name := range slices.Sorted(maps.Keys(g.model.Images)) {
		if g.model.Images[name].Part == g.image.Part {
			g.images = append(g.images, name)
		}
	}
	if p, ok := d.Policies[want.Policy]; ok {
		g.policy = p
	}
	g.stageWindows, g.resetWindows = joinWindows(g.policy.Windows.Stage), joinWindows(g.policy.Windows.Reset)
	return g
}
