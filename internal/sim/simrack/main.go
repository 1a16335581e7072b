// Command simrack looks after simulated racks: it makes images for them, cycles
// the power of their enclosures and prints their traces.
package main

func main() {}
