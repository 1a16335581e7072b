package executor

import (
	"errors"
	"fmt"
	"slices"

	"fwctl/plan"
)

// validate refuses a plan that this host cannot carry out, whatever its devices are like.
func (c *Config) validate() error {
	hooks := false
	for _, s := range c.Local() {
		if err := c.validateStep(s); err != nil {
			return err
		}
		hooks = hooks || s.Hooks != nil
	}
	if hooks && c.Command == nil && !c.Machine.Simulated() {
		return errors.New(
			"cannot carry out the plan: it has commands to run around resets, and there is nothing to run them with",
		)
	}
	return nil
}

// validateStep refuses a step that no wave works on, or whose mode or image is missing.
func (c *Config) validateStep(s *plan.Step) error {
	if !slices.ContainsFunc(c.Plan.Waves, func(w plan.Wave) bool {
		return w.Kind == plan.StageWave && w.Number == s.Waves.Stage ||
			w.Kind == plan.ResetWave && w.Number == s.Waves.Reset
	}) {
		return fmt.Errorf("cannot carry out the plan: no wave of it works on %s", s.Address)
	}
	for _, hop := range s.Hops {
		if _, err := hop.ActivationPageBytes(); err != nil {
			return fmt.Errorf("cannot carry out the plan: %w", err)
		}
	}
	if s.Action == plan.Activate {
		return nil
	}
	for _, hop := range s.Hops {
		if len(hop.Modes) == 0 {
			return fmt.Errorf(
				"cannot carry out the plan: it names no mode to send image %s to %s by", hop.Image.Name, s.Address,
			)
		}
		if err := c.validateImage(hop.Image); err != nil {
			return err
		}
	}
	return nil
}

// validateImage refuses an image that was not found, or that is not what the plan wants.
func (c *Config) validateImage(want plan.ImageRef) error {
	img, ok := c.Images[want.SHA256]
	if !ok {
		return fmt.Errorf(
			"cannot find image %s (sha256 %s): name the directory that it is in with --images", want.Name, want.SHA256,
		)
	}
	if img.SHA256() != want.SHA256 || img.Size() != want.Size {
		return fmt.Errorf("cannot use image %s: its %d bytes have the sha256 %s, and the plan wants %d bytes with %s",
			want.Name, img.Size(), img.SHA256(), want.Size, want.SHA256)
	}
	return nil
}
