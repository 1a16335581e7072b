package sim

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// A simulated image is a text header, filler, and a trailer: WRITE BUFFER has no
// field for the length of the whole, so the image itself has to say where it ends, as real
// ones do by their headers.
const (
	imageMagic   = "fwctl simulated firmware\n"
	imageTrailer = "\nend of fwctl simulated firmware\n"
	maxHeader    = 256
)

// Image makes a simulated image of size bytes, or of as many as its header and
// trailer need: a text header with the identity that the simulated enclosures
// look for,
//
//	fwctl simulated firmware
//	vendor: ACME
//	product: JBOD-60
//	revision: 1100
//
// an empty line, and then filler. The same arguments give the same bytes.
func Image(vendor, product, revision string, size int) []byte {
	head := fmt.Sprintf("%svendor: %s\nproduct: %s\nrevision: %s\n\n", imageMagic, vendor, product, revision)
	var seed [32]byte
	copy(seed[:], vendor+"\x00"+product+"\x00"+revision)
	filler := make([]byte, max(0, size-len(head)-len(imageTrailer)))
	rand.NewChaCha8(seed).Read(filler) // never fails
	return slices.Concat([]byte(head), filler, []byte(imageTrailer))
}

// imageIdentity reads the header of an image from its first bytes. known is false while more
// bytes are needed.
func imageIdentity(head []byte) (id identity, ours, known bool) {
	n := min(len(head), len(imageMagic))
	if string(head[:n]) != imageMagic[:n] {
		return identity{}, false, true
	}
	text, _, complete := bytes.Cut(head, []byte("\n\n"))
	if !complete {
		return identity{}, false, len(head) >= maxHeader
	}
	for line := range strings.Lines(string(text) + "\n") {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch key {
		case "vendor":
			id.Vendor = value
		case "product":
			id.Product = value
		case "revision":
			id.Revision = value
		}
	}
	return id, true, true
}
