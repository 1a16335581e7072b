package main

import (
	"testing"
	"testing/synctest"
	"time"
)

// Who asks for something is not kept by an output that stands still, and hears of
// it first where it does not.
func TestBriefly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, moves := time.Now(), make(chan struct{})
		briefly(func() { <-moves })
		close(moves)
		told := false
		briefly(func() { time.Sleep(time.Millisecond); told = true })
		if took := time.Since(began); took > 2*time.Second || !told {
			t.Errorf("briefly waited %v, and told: %v; want a second for what stands still, and to wait for what does not", took,
				told)
		}
	})
}
