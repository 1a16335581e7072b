package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fwctl/plan"
)

// imageUse is an image that a plan sends or starts, and how many hops do.
type imageUse struct {
	plan.ImageRef
	hops int
}

// imagesOf returns the images that a plan sends or starts, in the order of its steps.
func imagesOf(p *plan.Plan) []imageUse {
	var images []imageUse
	index := map[string]int{}
	for i := range p.Steps {
		for _, h := range p.Steps[i].Hops {
			at, ok := index[h.Image.SHA256]
			if !ok {
				at = len(images)
				index[h.Image.SHA256] = at
				images = append(images, imageUse{ImageRef: h.Image})
			}
			images[at].hops++
		}
	}
	return images
}

// imageItems are the images of a plan as Markdown.
func imageItems(p *plan.Plan) []string {
	var items []string
	for _, i := range imagesOf(p) {
		items = append(items, fmt.Sprintf("- %s, %s, for %s: SHA-256 %s\n",
			markdownCode(i.Name), size(i.Size), Components(i.hops), markdownCode(i.SHA256)))
	}
	return items
}

// policyUse is a policy that holds for some components of a plan.
type policyUse struct {
	// name is "" for the defaults.
	name  string
	reset plan.Reset
	// steps counts the components that it decided about.
	steps int
	// asked are the safeguards that any of its components had to pass, and without those that it does not
	// require, or that had nothing to check.
	asked, without []string
}

// waiver is a safeguard that a policy waives, why, and where: names of enclosures, or their identifiers.
type waiver struct {
	gate  plan.Gate
	why   string
	where []string
}

// policiesOf returns the policies of the components that something is done with, and what they
// waive.
func policiesOf(p *plan.Plan) (policies []policyUse, waivers []waiver) {
	type policy struct {
		name  string
		reset plan.Reset
	}
	type waived struct {
		gate plan.Gate
		why  string
	}
	indexes, asked, indexesWaived := map[policy]int{}, map[policy]map[plan.Gate]bool{}, map[waived]int{}
	for i := range p.Steps {
		s := &p.Steps[i]
		if len(s.Gates) == 0 {
			// Nothing is to be done.
			continue
		}
		by := policy{s.Policy, s.Reset}
		at, ok := indexes[by]
		if !ok {
			at = len(policies)
			indexes[by], asked[by] = at, map[plan.Gate]bool{}
			policies = append(policies, policyUse{name: s.Policy, reset: s.Reset})
		}
		policies[at].steps++
		for _, g := range s.Gates {
			asked[by][g.Gate] = true
			if g.Verdict != plan.Waived {
				continue
			}
			at, ok := indexesWaived[waived{g.Gate, g.Why}]
			if !ok {
				at = len(waivers)
				indexesWaived[waived{g.Gate, g.Why}] = at
				waivers = append(waivers, waiver{gate: g.Gate, why: g.Why})
			}
			w := &waivers[at]
			if place, last := cmp.Or(s.Name, s.Enclosure), len(w.where)-1; last < 0 || w.where[last] != place {
				// Steps are sorted by address.
				w.where = append(w.where, place)
			}
		}
	}
	for i := range policies {
		by := &policies[i]
		for _, gate := range plan.Gates {
			if asked[policy{by.name, by.reset}][gate] {
				by.asked = append(by.asked, string(gate))
			} else {
				by.without = append(by.without, string(gate))
			}
		}
	}
	return policies, waivers
}

// policyItems are the policies of a plan and what they waive as Markdown.
func policyItems(p *plan.Plan) []string {
	policies, waivers := policiesOf(p)
	var items []string
	for _, w := range waivers {
		waived := string(w.gate) + " at " + Enumerate(w.where, 8) + ": " + w.why
		items = append(items, "- **Waived:** "+markdownText(waived)+"\n")
	}
	for _, by := range policies {
		item := fmt.Sprintf("- %s, of %s: reset %s; safeguards: %s", cmp.Or(markdownCode(by.name), "The default"),
			Components(by.steps), by.reset, strings.Join(by.asked, ", "))
		if len(by.without) > 0 {
			item += "; not checked: " + strings.Join(by.without, ", ")
		}
		items = append(items, item+"\n")
	}
	return items
}

// sign is what stands under WAVE, TO or MODE, and what it means.
type sign struct{ Sign, Meaning string }

var signs = []sign{
	{"1c", "a wave of canaries"},
	{"1,2", "staged in wave 1, its reset in wave 2"},
	{">", "one hop after the other"},
	{"?", "nobody has said which revision the image brings"},
	{"e", "the image is saved, and starts later"},
	{"7", "it is saved and started at once, which resets the module"},
	{"7, at power cycle", "it is saved, and a power cycle starts it"},
	{"/", "the second where the device refuses the first"},
	{"e+0F", "it is saved, then started by fwctl, which resets the module"},
	{"e+page", "it is saved, then started by a page of the vendor's, which resets the module"},
	{"e+power", "it is saved, and a person's power cycle starts it"},
	{"7+power", "it is saved, and a person's power cycle starts it"},
	{"0F", "what is saved already is started, which resets the module"},
	{"page", "what is saved already is started by a page of the vendor's, which resets the module"},
	{"power", "a person's power cycle starts what is saved already"},
}

// signsIn returns the signs that a plan's rows have.
func signsIn(p *plan.Plan) []sign {
	used := map[string]bool{}
	for _, s := range p.Steps {
		waves := wavesOf(&s, p.Waves)
		used["1c"] = used["1c"] || strings.Contains(waves, "c")
		used["1,2"] = used["1,2"] || strings.Contains(waves, ",")
		used[">"] = used[">"] || len(s.Hops) > 1
		for _, h := range s.Hops {
			used["?"] = used["?"] || h.Brings() == "?"
			ways := strings.Split(modeOf(h), "/")
			used["/"] = used["/"] || len(ways) > 1
			for _, way := range ways {
				if way == string(plan.Mode7) && h.Defers(plan.Mode7) {
					way = "7, at power cycle"
				}
				used[way] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(signs), func(s sign) bool { return !used[s.Sign] })
}

// signsOf returns what the signs in a plan's rows mean, as Markdown.
func signsOf(p *plan.Plan) string {
	var parts []string
	for _, s := range signsIn(p) {
		parts = append(parts, markdownCode(s.Sign)+" "+s.Meaning)
	}
	if len(parts) == 0 {
		return ""
	}
	return "\nSigns: " + strings.Join(parts, " · ") + ".\n"
}
