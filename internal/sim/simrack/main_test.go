package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fwctl/internal/sim"
)

func TestImage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "1100.bin")
	if err := image([]string{"-size", "5000", "ACME", "JBOD-60", "1100", file}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, sim.Image("ACME", "JBOD-60", "1100", 5000)) {
		t.Errorf("image wrote %d bytes, %v; want those of sim.Image", len(got), err)
	}
	if err := image([]string{"ACME"}); !errors.Is(err, errUsage) {
		t.Errorf("image ACME = %v; want a usage error", err)
	}
}

func TestPowerCycle(t *testing.T) {
	rack := filepath.Join(t.TempDir(), "rack.yaml")
	text := "apiVersion: fwctl/v1\nkind: Rack\nenclosures: [{logicalID: 5000ccab04001000, vendor: ACME, product: " +
		"JBOD-60, esps: [{}]}]\n"
	if err := os.WriteFile(rack, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := powerCycle([]string{rack, "5000ccab04001000"}); err != nil {
		t.Fatal(err)
	}
	r, err := sim.Open(rack)
	if err != nil {
		t.Fatal(err)
	}
	if units, err := r.Units("stor1"); err != nil || len(units) != 0 {
		t.Errorf("units after the power cycle = %v, %v; want none, it boots", units, err)
	}
	if err := trace([]string{rack}); err == nil || !strings.Contains(err.Error(), "has no trace") {
		t.Errorf("trace of a rack without one = %v; want an error that says so", err)
	}
}
