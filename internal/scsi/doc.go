// Package scsi builds the SPC commands that fwctl sends, sends them, and reads
// what devices answer: sense data, INQUIRY data, vital product data, supported
// operation codes and buffer descriptors.
//
// It knows nothing about enclosures, which are in package ses, or device nodes, which are
// in package transport. It never repeats a command that has an effect.
package scsi
