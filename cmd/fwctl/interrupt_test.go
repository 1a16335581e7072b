package main

import (
	"testing"
	"testing/synctest"
	"time"
)

// An output that stands still does not hold an interrupt up for more than a second. One that
// moves gets its text first.
func TestBriefly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, moves := time.Now(), make(chan struct{})
		briefly(func() { <-moves })
		close(moves)
		said := false
		briefly(func() {
			synctest.Wait() // until briefly waits for this
			said = true
		})
		if took := time.Since(began); took != time.Second || !said {
			t.Errorf("briefly waited %v, said = %v; want a second for the first, and to wait for the second", took, said)
		}
	})
}
