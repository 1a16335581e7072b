package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/executor"
	"fwctl/plan"
)

// download is the events of a download of 100 bytes, a second a byte.
func download(address string) []executor.Event {
	events := []executor.Event{{Time: noon, Type: executor.EventStarted, Address: address, Mode: plan.ModeE, Total: 100}}
	for sent := int64(1); sent <= 100; sent++ {
		events = append(events, executor.Event{Time: noon.Add(time.Duration(sent) * time.Second), Type: executor.EventProgress, Address: address, Bytes: sent, Total: 100})
	}
	return append(events, executor.Event{Type: executor.EventStaged, Address: address})
}

// Without a terminal: a line at the start, at every tenth, and at the end.
func TestProgressLines(t *testing.T) {
	var out bytes.Buffer
	p := &progress{w: &out, plan: &plan.Plan{}}
	for _, e := range download("a") {
		p.tell(e)
	}
	want := `a: sending 100 bytes by mode e
a: 10 % sent
a: 20 % sent
a: 30 % sent
a: 40 % sent
a: 50 % sent
a: 60 % sent
a: 70 % sent
a: 80 % sent
a: 90 % sent
a: 100 % sent
a: staged
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
}

// At most a line every 5 s, however fast it goes.
func TestProgressLinesOfAFastDownload(t *testing.T) {
	var out bytes.Buffer
	p := &progress{w: &out, plan: &plan.Plan{}}
	for _, e := range download("a") {
		e.Time = noon.Add(e.Time.Sub(noon) / 10) // 10 s in all
		p.tell(e)
	}
	want := "a: sending 100 bytes by mode e\na: 50 % sent\na: 100 % sent\na: staged\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
}

// On a terminal a bar is drawn over, and stands when the next line comes.
func TestProgressBar(t *testing.T) {
	var out bytes.Buffer
	p := &progress{w: &out, plan: &plan.Plan{}, width: 40}
	for _, e := range []executor.Event{
		{Type: executor.EventProgress, Address: "a", Bytes: 1, Total: 2},
		{Type: executor.EventProgress, Address: "a", Bytes: 2, Total: 2},
		{Type: executor.EventVerified, Address: "a", Revision: "1100"},
	} {
		p.tell(e)
	}
	want := "\ra:  50 % sent [###########............]\ra: 100 % sent [#######################]\na: runs 1100\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	if got := bar("5000ccab04001000/esp1/sub0", 50, 40); got != "5000ccab04001000/esp1/sub0:  50 % sent" {
		t.Errorf("bar on a narrow terminal = %q; want no bar", got)
	}
}

// An interrupt is told on lines of its own: a terminal has shown ^C where the cursor was.
func TestProgressInterrupted(t *testing.T) {
	for _, tt := range []struct {
		width int
		want  string
	}{{80, "\nInterrupted.\na: runs 1100\n"}, {0, "Interrupted.\na: runs 1100\n"}} {
		var out bytes.Buffer
		p := &progress{w: &out, plan: &plan.Plan{}, width: tt.width}
		p.interrupted("Interrupted.")
		p.tell(executor.Event{Type: executor.EventVerified, Address: "a", Revision: "1100"})
		if got := out.String(); got != tt.want {
			t.Errorf("interrupted at %d columns = %q; want %q", tt.width, got, tt.want)
		}
	}
}
