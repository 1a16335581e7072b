package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/executor/result"
	"fwctl/internal/notify"
	"fwctl/plan"
	"fwctl/schemas"
)

// digest is that of the plan.
var digest = "sha256:" + strings.Repeat("1", 64)

// pager is a command that notifies people, and what became of it.
type pager struct {
	*testing.T

	// does is what it does with its nth message, from 0; nil: it takes all at once.
	does func(ctx context.Context, nth int) ([]byte, error)

	got    []string // kind and subject of each message
	last   map[string]any
	warned []string
	runs   int
}

// begin returns the notifier of a run number 7, that has begun.
func (p *pager) begin() *notify.Notifier {
	n := notify.New(notify.Config{
		Plan: &plan.Plan{Notify: plan.Command{"page", "--channel", "night"}, Digest: digest}, Host: "stor1",
		Run: p.run, Warn: func(e result.Event) { p.warned = append(p.warned, e.Reason) },
	})
	n.Event(result.Event{Time: time.Now(), Type: result.EventBegun, Run: 7, Components: 3})
	return n
}

func (p *pager) run(ctx context.Context, argv []string, stdin []byte) ([]byte, error) {
	if p.runs++; p.runs > 1 {
		p.Error("the command runs twice at a time")
	}
	defer func() { p.runs-- }()
	if diff := cmp.Diff([]string{"page", "--channel", "night"}, argv); diff != "" {
		p.Errorf("words (-want +got):\n%s", diff)
	}
	if _, problems := schemas.Check("events", "stdin", stdin); len(problems) > 0 {
		p.Errorf("message %s does not fit its schema: %v", stdin, problems)
	}
	p.last = map[string]any{}
	if err := json.Unmarshal(stdin, &p.last); err != nil {
		p.Error(err)
	}
	about := p.last["address"]
	if about == nil {
		about = p.last["type"]
	}
	p.got = append(p.got, fmt.Sprint(p.last["notify"], " ", about))
	if p.does == nil {
		return nil, nil
	}
	return p.does(ctx, len(p.got)-1)
}

func finished(address string, o result.Outcome) result.Event {
	return result.Event{Time: time.Now(), Type: result.EventFinished, Address: address, Hop: 1, Hops: 1, Outcome: o, Confirmed: new(bool)}
}

func failed() *result.Result {
	return &result.Result{
		Outcome: result.RunFailed, Reason: "a/b/sub0 failed",
		Steps: []result.Step{{Address: "a/b/sub0", Outcome: result.OutcomeFailed, Reason: "no"}},
	}
}

// end ends the run, and returns how long that took.
func end(n *notify.Notifier) time.Duration {
	began := time.Now()
	n.End(context.Background(), failed())
	return time.Since(began)
}

func (p *pager) want(messages ...string) {
	p.Helper()
	if diff := cmp.Diff(messages, p.got); diff != "" {
		p.Errorf("messages (-want +got):\n%s", diff)
	}
}

// People are notified of what they are to know of, in order, once of each component and kind, and
// of nothing else.
func TestKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pager{T: t}
		n := p.begin()
		soon := time.Now().Add(time.Hour)
		person := finished("c/d/sub0", result.OutcomeFailed)
		person.NeedsPerson = true
		hook := result.Event{
			Time: time.Now(), Type: result.EventHookEnded, Address: "g/h/sub0", Hop: 1, Hops: 1, Hook: "after-reset",
			Command: plan.Command{"x"},
		}
		hookFailed := hook
		hook.Address = "g/i/sub0"
		hookFailed.Reason = "no quorum"
		cycle := result.Event{Time: time.Now(), Type: result.EventPowerCycle, Wave: 2, Components: 2, Reason: "a"}
		other := cycle
		other.Wave = 3
		for _, e := range []result.Event{
			{Type: result.EventBegun, Run: 7, Components: 3},
			{Type: result.EventRecovered, Address: "a/b/sub0", Reason: "x"},
			{Type: result.EventChecking, Components: 3},
			{Type: result.EventWave, Wave: 1},
			{Type: result.EventWindow, Wave: 1, Until: &soon, Reason: "night"},
			{Type: result.EventSoaking, Wave: 1, Until: &soon},
			{Type: result.EventStarted, Address: "a/b/sub0"},
			{Type: result.EventProgress, Address: "a/b/sub0"},
			{Type: result.EventNoticed, Address: "a/b/sub0", Reason: "slow"},
			finished("a/b/sub0", result.OutcomeFailed),
			finished("a/b/sub0", result.OutcomeFailed),
			finished("a/b/sub0", result.OutcomeUnknown),
			finished("b/b/sub0", result.OutcomeRefused),
			finished("c/b/sub0", result.OutcomeUpdated),
			finished("d/b/sub0", result.OutcomeStaged),
			finished("e/b/sub0", result.OutcomeSkipped),
			finished("f/b/sub0", result.OutcomeUnchanged),
			person, cycle, cycle, other, hook, hookFailed,
			finished("g/h/sub0", result.OutcomeFailed),
		} {
			n.Event(e)
			synctest.Wait()
		}
		if took := end(n); took != 0 {
			t.Errorf("End took %v; want no time", took)
		}
		p.want("start begun", "failure a/b/sub0", "person a/b/sub0", "failure b/b/sub0", "person c/d/sub0",
			"person power-cycle", "person power-cycle", "failure g/h/sub0", "end result")
		want := map[string]any{
			"notify": "end", "host": "stor1", "run": 7., "plan_digest": digest, "type": "result", "exit_code": 4.,
			"outcome": "failed", "reason": "a/b/sub0 failed", "simulated": false, "steps": []any{map[string]any{
				"address": "a/b/sub0", "outcome": "failed", "confirmed": false, "revision": "", "reason": "no",
			}},
		}
		if diff := cmp.Diff(want, p.last); diff != "" {
			t.Errorf("last message (-want +got):\n%s", diff)
		}
		if len(p.warned) > 0 {
			t.Errorf("warnings = %q; want none", p.warned)
		}
	})
}

// hang is a command that ends when it is killed.
func hang(ctx context.Context, _ int) ([]byte, error) {
	<-ctx.Done()
	return nil, errors.New("signal: terminated")
}

// A command that never ends keeps nothing up but the next message, and the end for a time.
func TestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pager{T: t, does: hang}
		n := p.begin()
		began := time.Now()
		for i := range 400 {
			n.Event(finished(fmt.Sprintf("a/b/sub%d", i), result.OutcomeFailed))
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("400 events took %v; want no time", took)
		}
		time.Sleep(notify.MessageTime + time.Second)
		if took := end(n); took != notify.BacklogTime+notify.LastTime {
			t.Errorf("End took %v; want %v and %v", took, notify.BacklogTime, notify.LastTime)
		}
		p.want("start begun", "failure a/b/sub0", "end result")
		if got := p.last["missed"]; got != 401. {
			t.Errorf("missed = %v; want 401: the start, and all failures", got)
		}
		if len(p.warned) != 1 || !strings.HasPrefix(p.warned[0], "failed: it did not end within 30s and was killed (") {
			t.Errorf("warnings = %q; want one", p.warned)
		}
	})
}

// One that cannot even be killed does not keep fwctl.
func TestUnkillable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		awake := make(chan struct{})
		p := &pager{T: t, does: func(context.Context, int) ([]byte, error) {
			<-awake
			return nil, nil
		}}
		if took := end(p.begin()); took > notify.BacklogTime+notify.LastTime+10*time.Second {
			t.Errorf("End took %v; want an end", took)
		}
		close(awake)
	})
}

// What waits is bounded, one command runs at a time, and what is lost is counted. Whoever has to
// do something hears of it before all failures.
func TestManyFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := make(chan struct{})
		p := &pager{T: t, does: func(_ context.Context, nth int) ([]byte, error) {
			if nth == 0 {
				<-began
			}
			return nil, nil
		}}
		n := p.begin()
		synctest.Wait()
		for i := range 400 {
			n.Event(finished(fmt.Sprintf("a/b/sub%d", i), result.OutcomeFailed))
		}
		n.Event(finished("x/y/sub0", result.OutcomeUnknown))
		n.Event(finished("x/y/sub1", result.OutcomeUnknown))
		close(began)
		end(n)
		if len(p.got) != 102 || p.got[1] != "person x/y/sub0" || p.got[2] != "person x/y/sub1" ||
			p.got[3] != "failure a/b/sub0" || p.got[100] != "failure a/b/sub97" {
			t.Errorf("messages = %q; want the start, who needs a person, 98 failures and the end", p.got)
		}
		if got := p.last["missed"]; got != 302. {
			t.Errorf("missed = %v; want 302", got)
		}
	})
}

// A command that fails is tried again for what comes next, and reported once, as text that steers
// no terminal.
func TestFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pager{T: t, does: func(context.Context, int) ([]byte, error) {
			return []byte("ignored\n\x1b[2Jno route\n"), errors.New("exit status 1")
		}}
		n := p.begin()
		n.Event(finished("a/b/sub0", result.OutcomeFailed))
		end(n)
		p.want("start begun", "failure a/b/sub0", "end result")
		want := []string{`failed: exit status 1, and it said "\x1b[2Jno route" last ` +
			`(the run does not depend on it; further failures are not reported)`}
		if diff := cmp.Diff(want, p.warned); diff != "" {
			t.Errorf("warnings (-want +got):\n%s", diff)
		}
		if got := p.last["missed"]; got != 2. {
			t.Errorf("missed = %v; want 2", got)
		}
	})
}

// A warning that nobody reads keeps nothing up.
func TestWarningIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read := make(chan struct{})
		n := notify.New(notify.Config{
			Plan: &plan.Plan{Notify: plan.Command{"page"}, Digest: digest}, Host: "stor1",
			Run:  func(context.Context, []string, []byte) ([]byte, error) { return nil, errors.New("exit status 1") },
			Warn: func(result.Event) { <-read },
		})
		n.Event(result.Event{Type: result.EventBegun, Run: 7})
		synctest.Wait()
		time.AfterFunc(time.Hour, func() { close(read) })
		began := time.Now()
		n.Event(finished("a/b/sub0", result.OutcomeFailed))
		if took := time.Since(began); took != 0 {
			t.Errorf("Event took %v; want no time", took)
		}
		if took := end(n); took > time.Minute {
			t.Errorf("End took %v; want an end", took)
		}
		time.Sleep(time.Hour)
	})
}

// Somebody who leaves, and somebody who does not want to wait, is not kept.
func TestLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pager{T: t, does: hang}
		n := p.begin()
		synctest.Wait()
		began := time.Now()
		n.End(context.Background(), &result.Result{Outcome: result.RunUnknown, Left: true, Steps: []result.Step{}})
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("End of a run that was left took %v; want 2s at most", took)
		}
		p.want("start begun", "end result")

		p = &pager{T: t, does: hang}
		n = p.begin()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		n.End(ctx, failed())
		if took := time.Since(began); took != time.Second {
			t.Errorf("End with somebody who waits for 1s took %v", took)
		}
	})
}

// A plan without a command, and one on a simulated rack, notify nobody.
func TestNobody(t *testing.T) {
	p := &pager{T: t}
	warn := func(e result.Event) {
		p.warned = append(p.warned, e.Command.String()+": "+e.Reason)
	}
	for _, c := range []notify.Config{
		{Plan: &plan.Plan{}, Run: p.run, Warn: warn},
		{Plan: &plan.Plan{Notify: plan.Command{"page"}, Simulated: true}, Warn: warn},
	} {
		n := notify.New(c)
		n.Event(result.Event{Type: result.EventBegun, Run: 7})
		n.Event(finished("a/b/sub0", result.OutcomeFailed))
		end(n)
	}
	if len(p.got) > 0 {
		t.Errorf("messages = %q; want none", p.got)
	}
	if diff := cmp.Diff([]string{"page: not run, because the rack is simulated"}, p.warned); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}
