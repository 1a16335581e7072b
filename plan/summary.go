package plan

func (p *Plan) Summarize() Summary {
	sum := Summary{Unread: len(p.Unread)}
	counts := map[Action]*int{
		Update: &sum.Update, Activate: &sum.Activate, IsStaged: &sum.Staged, NoOp: &sum.NoOp,
		Blocked: &sum.Blocked, Excepted: &sum.Excepted, Unmanaged: &sum.Unmanaged,
	}
	for _, s := range p.Steps {
		if n := counts[s.Action]; n != nil {
			*n++
		}
	}
	return sum
}
