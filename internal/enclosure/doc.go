// Package enclosure holds an enclosure while it is worked on: it opens its nodes exclusively, reads it, and finds its
// ESPs again by their identity when nodes have changed their names.
//
// It sends nothing with an effect, and knows no plan and no store.
package enclosure
