package plan

import (
	"slices"
	"time"
)

// worstChunk is how long a chunk may take at worst; the flash time-out covers erasing. It is a
// guess on the safe side: observed chunks take some 10 ms, but slow modules write each one to
// flash before they answer.
const worstChunk = time.Second

// worst bounds the time of the commands around one reset, in whole minutes.
func (h *Hooks) worst() Duration {
	var d time.Duration
	for _, command := range []Command{h.BeforeReset, h.AfterReset} {
		if len(command) > 0 {
			d += time.Duration(h.Timeout)
		}
	}
	return wholeMinutes(d)
}

func wholeMinutes(d time.Duration) Duration {
	return Duration((d + time.Minute - 1).Truncate(time.Minute))
}

// Worst returns an upper bound of the time of all hops and the commands around their resets.
func (s *Step) Worst() Duration {
	var d Duration
	for i := range s.Hops {
		h := &s.Hops[i]
		d += worstDuration(*h)
		if h.Resets() && !h.ByPerson() && s.Hooks != nil {
			d += s.Hooks.worst()
		}
	}
	return d
}

// worstDuration bounds the time of a hop, in whole minutes: all chunks at their slowest, then
// the flash time-out, then, if there may be a reset, the time that the device may stay away and
// the time that it is left alone. Before the download, and before the reset, its peers may be
// bringing each other to one revision.
func worstDuration(h Hop) Duration {
	var d time.Duration
	if len(h.Modes) > 0 {
		chunks := (h.Image.Size + int64(h.ChunkSize) - 1) / int64(h.ChunkSize)
		d = time.Duration(chunks)*worstChunk + time.Duration(h.FlashTimeout+h.PeerSync)
	}
	if h.Resets() {
		d += time.Duration(h.PeerSync + h.Settle + h.ReturnTimeout)
	}
	return wholeMinutes(d)
}

// WorstIn bounds the time that a wave spends on a step, 0 if it does not.
func (s *Step) WorstIn(w Wave) Duration {
	staging, again := Duration(0), false
	if s.Waves.Stage != 0 && len(s.Hops) > 0 {
		only := s.Hops[0]
		only.Modes, only.Activation = only.Deferring(), Manual
		staging, again = worstDuration(only), s.Hops[0].MayReset()
	}
	switch w.Number {
	case s.Waves.Stage:
		return staging
	case s.Waves.Reset:
		if again {
			return s.WorstDuration // the fallback sends it all once more
		}
		return max(s.WorstDuration-staging, Duration(time.Minute))
	}
	return 0
}

// WorstLeft bounds the time that a wave still takes with a step that has come to a hop. held:
// it holds the hop's image already. At its first hop the plan's own bound holds.
func (s *Step) WorstLeft(w Wave, hop int, held bool) Duration {
	all := s.WorstIn(w)
	if w.Number != s.Waves.Reset || hop == 0 {
		return all
	}
	left := *s
	left.Hops = slices.Clone(s.Hops[hop:])
	if held {
		left.Hops[0].Modes = nil
	}
	return min(all, max(left.Worst(), Duration(time.Minute)))
}
