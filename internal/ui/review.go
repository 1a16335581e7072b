package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fwctl/plan"
)

// What a reviewer asks of a plan beside its rows, as Markdown.

// imageItems are the images that a plan sends or starts, in the order of their steps.
func imageItems(p *plan.Plan) []string {
	var images []plan.ImageRef
	counts := map[string]int{}
	for _, s := range p.Steps {
		for _, h := range s.Hops {
			if counts[h.Image.SHA256] == 0 {
				images = append(images, h.Image)
			}
			counts[h.Image.SHA256]++
		}
	}
	var items []string
	for _, i := range images {
		items = append(items, fmt.Sprintf("- %s, %s, for %s: SHA-256 %s\n",
			markdownCode(i.Name), size(i.Size), Components(counts[i.SHA256]), markdownCode(i.SHA256)))
	}
	return items
}

// policyItems are what policies waive, where, and the policies by which something
// is done or not: what each asks for, and what it does not.
func policyItems(p *plan.Plan) []string {
	type policy struct{ name, reset string }
	type waiver struct{ gate, why string }
	var policies []policy
	var waivers []waiver
	steps, where := map[policy][]plan.Step{}, map[waiver][]string{}
	for _, s := range p.Steps {
		if len(s.Gates) == 0 {
			// Nothing is to be done.
			continue
		}
		by := policy{s.Policy, string(s.Reset)}
		if steps[by] == nil {
			policies = append(policies, by)
		}
		steps[by] = append(steps[by], s)
		for _, g := range s.Gates {
			if g.Verdict != plan.Waived {
				continue
			}
			w := waiver{string(g.Gate), g.Why}
			if where[w] == nil {
				waivers = append(waivers, w)
			}
			if place, last := cmp.Or(s.Name, s.Enclosure), len(where[w])-1; last < 0 || where[w][last] != place {
				// Steps are sorted by address.
				where[w] = append(where[w], place)
			}
		}
	}
	var items []string
	for _, w := range waivers {
		items = append(items, "- **Waived:** "+markdownText(w.gate+" at "+Enumerate(where[w], 8)+": "+w.why)+"\n")
	}
	for _, by := range policies {
		var asked, not []string
		for _, gate := range plan.Gates {
			has := func(s plan.Step) bool {
				return slices.ContainsFunc(s.Gates, func(g plan.GateResult) bool { return g.Gate == gate })
			}
			if slices.ContainsFunc(steps[by], has) {
				asked = append(asked, string(gate))
			} else {
				not = append(not, string(gate))
			}
		}
		item := fmt.Sprintf("- %s, of %s: reset %s; safeguards: %s", cmp.Or(markdownCode(by.name), "The default"),
			Components(len(steps[by])), by.reset, strings.Join(asked, ", "))
		if len(not) > 0 {
			item += "; without: " + strings.Join(not, ", ")
		}
		items = append(items, item+"\n")
	}
	return items
}

// signs are what stands under WAVE, TO and MODE, and what it means.
var signs = []struct{ sign, meaning string }{
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

// signsOf says what the signs in a plan's rows mean.
func signsOf(p *plan.Plan) string {
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
	var parts []string
	for _, s := range signs {
		if used[s.sign] {
			parts = append(parts, markdownCode(s.sign)+" "+s.meaning)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "\nSigns: " + strings.Join(parts, " · ") + ".\n"
}
