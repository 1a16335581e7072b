package executor_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwctl/executor"
)

var states = []executor.State{
	executor.Pending, executor.Checking, executor.Sending, executor.Sent, executor.Staged, executor.Activating, executor.Waiting,
	executor.Recovering, executor.Verifying, executor.Done, executor.Refused, executor.Unchanged, executor.Failed, executor.Aborted, executor.Unknown,
}

var triggers = []executor.Trigger{
	executor.Begin, executor.Recover, executor.StartOver, executor.Again, executor.Stale, executor.AsPlanned, executor.Send, executor.Refuse, executor.Withdraw, executor.Keep, executor.Postpone,
	executor.SentAll, executor.Abort, executor.Defer, executor.Start, executor.Activate, executor.Restart, executor.Return,
	executor.Confirm, executor.NextHop, executor.Fail, executor.Lose,
}

// Every state with every trigger: what is not here must not happen.
func TestNext(t *testing.T) {
	t.Parallel()
	want := map[executor.State]map[executor.Trigger]executor.State{
		executor.Pending: {executor.Begin: executor.Checking, executor.Recover: executor.Recovering},
		executor.Recovering: {
			executor.StartOver: executor.Pending, executor.SentAll: executor.Sent, executor.Start: executor.Waiting, executor.Restart: executor.Waiting,
			executor.Keep: executor.Staged, executor.Fail: executor.Failed, executor.Lose: executor.Unknown,
		},
		executor.Checking: {
			executor.Stale: executor.Refused, executor.AsPlanned: executor.Unchanged, executor.Send: executor.Sending,
			executor.Activate: executor.Activating, executor.Fail: executor.Failed, executor.Withdraw: executor.Pending, executor.Keep: executor.Staged,
			executor.Return: executor.Verifying,
		},
		executor.Sending: {
			executor.Refuse: executor.Refused, executor.Withdraw: executor.Pending, executor.Again: executor.Checking, executor.Postpone: executor.Pending,
			executor.SentAll: executor.Sent, executor.Abort: executor.Aborted, executor.Fail: executor.Failed, executor.Lose: executor.Unknown,
		},
		executor.Sent: {
			executor.Defer: executor.Staged, executor.Start: executor.Waiting, executor.Fail: executor.Failed, executor.Lose: executor.Unknown,
		},
		executor.Staged:     {executor.Begin: executor.Checking},
		executor.Activating: {executor.Restart: executor.Waiting, executor.Fail: executor.Failed, executor.Lose: executor.Unknown},
		executor.Waiting:    {executor.Return: executor.Verifying, executor.Lose: executor.Unknown},
		executor.Verifying:  {executor.Confirm: executor.Done, executor.Fail: executor.Failed, executor.Lose: executor.Unknown},
		executor.Done:       {executor.NextHop: executor.Pending, executor.Fail: executor.Failed},
	}
	for _, s := range states {
		for _, trigger := range triggers {
			wantTo, wantOK := want[s][trigger]
			if !wantOK {
				wantTo = s
			}
			if to, ok := executor.Next(s, trigger); to != wantTo || ok != wantOK {
				t.Errorf("Next(%s, %s) = %s, %v; want %s, %v", s, trigger, to, ok, wantTo, wantOK)
			}
		}
	}
}

// What nobody can tell any more is never made a success by a later event.
func TestUnknownIsNeverLeft(t *testing.T) {
	t.Parallel()
	for _, end := range []executor.State{executor.Unknown, executor.Failed, executor.Refused, executor.Aborted, executor.Unchanged} {
		for _, trigger := range triggers {
			if to, ok := executor.Next(end, trigger); ok {
				t.Errorf("Next(%s, %s) = %s; want it to stay", end, trigger, to)
			}
		}
	}
}

func TestDiagramDrawsEveryTransition(t *testing.T) {
	t.Parallel()
	drawn := map[string]bool{}
	for line := range strings.Lines(executor.Diagram()) {
		drawn[strings.TrimSpace(line)] = true
	}
	var missing []string
	for _, s := range states {
		for _, trigger := range triggers {
			if to, ok := executor.Next(s, trigger); ok && !drawn[string(s)+" --> "+string(to)+": "+string(trigger)] {
				missing = append(missing, string(s)+" on "+string(trigger))
			}
		}
	}
	if diff := cmp.Diff([]string(nil), missing); diff != "" {
		t.Errorf("Diagram() leaves out (-want +got):\n%s", diff)
	}
}

func TestDiagramIsTheOneOfTheDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), executor.Diagram()) {
		t.Errorf("CONTRIBUTING.md draws another step machine than this, which is that of the code:\n%s", executor.Diagram())
	}
}
