package enclosure_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"fwctl/internal/enclosure"
	"fwctl/internal/transport"
)

// tardy is a machine whose commands take as long as their first byte says, in minutes.
type tardy struct{ transport.Machine }

func (tardy) Open(string, transport.Access) (transport.Node, error) { return tardyNode{}, nil }

type tardyNode struct{ transport.Node }

func (tardyNode) Do(_ context.Context, req *transport.Request) (*transport.Response, error) {
	time.Sleep(time.Duration(req.CDB[0]) * time.Minute)
	return &transport.Response{}, nil
}

// A command is reported after a minute, and then every ten: each one by itself, however
// long the node has been busy, and whatever went before.
func TestWatchSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reports []string
		m := enclosure.WatchSlow(tardy{}, func(path string, waited time.Duration) {
			reports = append(reports, fmt.Sprint(path, " ", waited))
		})
		n, err := m.Open("/dev/sg0", transport.Exclusive)
		if err != nil {
			t.Fatal(err)
		}
		do := func(minutes byte, times int) {
			for range times {
				if _, err := n.Do(t.Context(), &transport.Request{CDB: []byte{minutes}}); err != nil {
					t.Error(err)
				}
				// It is no command's time.
				time.Sleep(30 * time.Second)
			}
		}
		do(0, 300)
		if len(reports) > 0 {
			t.Errorf("reports of fast commands = %q; want none", reports)
		}
		do(25, 1)
		do(0, 10)
		time.Sleep(time.Hour)
		do(2, 2)
		synctest.Wait() // for a look that is under way
		want := []string{
			"/dev/sg0 1m0s", "/dev/sg0 11m0s", "/dev/sg0 21m0s",
			"/dev/sg0 1m0s", "/dev/sg0 1m0s",
		}
		if !slices.Equal(reports, want) {
			t.Errorf("reports = %q; want %q", reports, want)
		}
	})
}

// BenchmarkWatchSlow is what watching adds to a command that is fast.
func BenchmarkWatchSlow(b *testing.B) {
	n, err := enclosure.WatchSlow(instant{}, nil).Open("", transport.Exclusive)
	if err != nil {
		b.Fatal(err)
	}
	req := &transport.Request{}
	b.ReportAllocs()
	for b.Loop() {
		n.Do(b.Context(), req)
	}
}

type instant struct{ transport.Machine }

func (instant) Open(string, transport.Access) (transport.Node, error) { return instantNode{}, nil }

type instantNode struct{ transport.Node }

func (instantNode) Do(context.Context, *transport.Request) (*transport.Response, error) {
	return nil, nil
}
