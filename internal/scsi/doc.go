// Package scsi builds the SPC commands that fwctl sends, sends them, and reads
// what devices answer: sense data, INQUIRY data, vital product data, supported
// operation codes and buffer descriptors.
//
// It knows nothing of enclosures (that is ses) nor of device nodes (that is
// transport), and never repeats a command that has an effect.
package scsi
