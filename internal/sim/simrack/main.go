// Command simrack manages simulated racks: it makes images for them, power-cycles their
// enclosures and prints their traces. It is not part of the shipped program.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"fwctl/internal/sim"
)

// command is a subcommand; each file adds its own to commands.
type command struct {
	usage string // arguments, then what it does
	run   func(args []string) error
}

var commands = map[string]command{
	"image":       {"[-size BYTES] VENDOR PRODUCT REVISION FILE: writes a simulated image", image},
	"power-cycle": {"RACK ENCLOSURE: switches an enclosure off and on again", powerCycle},
	"trace":       {"RACK: prints the trace of a rack", trace},
}

var errUsage = errors.New("wrong arguments")

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	c, ok := commands[os.Args[1]]
	if !ok {
		usage()
	}
	err := c.run(os.Args[2:])
	if errors.Is(err, errUsage) {
		fmt.Fprintf(os.Stderr, "usage: simrack %s %s\n", os.Args[1], c.usage)
		os.Exit(1)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "simrack: %v\n", err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: simrack COMMAND ARGUMENTS")
	names := make([]string, 0, len(commands))
	for name := range commands {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(os.Stderr, "  %s %s\n", name, commands[name].usage)
	}
	os.Exit(1)
}

func image(args []string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	size := flags.Int("size", 1<<20, "size of the image in bytes")
	if err := flags.Parse(args); err != nil || flags.NArg() != 4 {
		return errUsage
	}
	return os.WriteFile(flags.Arg(3), sim.Image(flags.Arg(0), flags.Arg(1), flags.Arg(2), *size), 0o644)
}

func powerCycle(args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	rack, err := sim.Open(args[0])
	if err != nil {
		return err
	}
	return rack.PowerCycle(args[1])
}

func trace(args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	rack, err := sim.Open(args[0])
	if err != nil {
		return err
	}
	if rack.TraceFile() == "" {
		return fmt.Errorf("%s has no trace: add a line such as trace: trace.jsonl", args[0])
	}
	f, err := os.Open(rack.TraceFile())
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(os.Stdout, f)
	return err
}
