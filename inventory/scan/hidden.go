package scan

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"fwctl/inventory"
)

const hostDir = "sys/class/scsi_host"

// controllers are RAID controllers that can keep the enclosures behind them from the
// host, by the name of their driver as /sys/class/scsi_host/*/proc_name has it.
var controllers = map[string]struct{ what, todo string }{
	"megaraid_sas": {
		"a MegaRAID or PERC controller",
		"let it expose the backplane (perccli /cX set backplane expose=on; storcli takes the same), " +
			"or set it to HBA mode, then reboot",
	},
	"megaraid": {"a MegaRAID controller", "update its enclosures with the vendor's tool, or attach them to an HBA"},
	"hpsa": {
		"a Smart Array controller",
		"set it to HBA mode (ssacli controller slot=N modify hbamode=on), or update its enclosures with the vendor's " +
			"tool",
	},
	"smartpqi": {
		"a Smart Array, SmartRAID or Adaptec controller",
		"set its ports to HBA mode (ssacli or arcconf), or update its enclosures with the vendor's tool",
	},
	"aacraid": {
		"an Adaptec RAID controller",
		"set it to HBA mode (arcconf setcontrollermode N 2), or update its enclosures with the vendor's tool",
	},
	"arcmsr": {"an Areca RAID controller", "set it to JBOD mode, or update its enclosures with the vendor's tool"},
	"3w-sas": {"a 3ware RAID controller", "update its enclosures with the vendor's tool, or attach them to an HBA"},
}

// madeUp are enclosures that a controller simulates for its own drives. None takes
// firmware. Vendor and product are those of INQUIRY, in either case.
var madeUp = []struct {
	vendor, product *regexp.Regexp
	what            string
}{
	{regexp.MustCompile(``), regexp.MustCompile(`(?i)^virtualses`), "the virtual enclosure of an LSI HBA"},
	{
		regexp.MustCompile(`(?i)^hpe?$`),
		regexp.MustCompile(`(?i)^smart adapter`),
		"the virtual enclosure of an HPE Smart Array controller",
	},
	{regexp.MustCompile(`(?i)^hpe?$`), regexp.MustCompile(`(?i)^h240`),
		"the virtual enclosure of an HP H240 controller"},
	{
		regexp.MustCompile(`(?i)^ahci$`),
		regexp.MustCompile(`(?i)^sgpio enclosure`),
		"the SGPIO lights of an AHCI controller",
	},
}

// virtual returns what simulates the enclosure behind a node, or "" if it is a real one.
func virtual(fsys fs.FS, sg string) string {
	vendor, product := attribute(fsys, sg, "vendor"), attribute(fsys, sg, "model")
	for _, m := range madeUp {
		if m.vendor.MatchString(vendor) && m.product.MatchString(product) {
			return m.what
		}
	}
	return ""
}

// hidden returns why a host that has enclosures may show none, and what to do.
func hidden(fsys fs.FS) []inventory.Problem {
	var all []inventory.Problem
	hosts, _ := fs.ReadDir(fsys, hostDir)
	for _, h := range hosts {
		driver := text(fsys, path.Join(hostDir, h.Name(), "proc_name"))
		if c, ok := controllers[driver]; ok {
			all = append(
				all,
				inventory.Problem{
					Path:    h.Name(),
					Summary: fmt.Sprintf("no enclosure is in sight, and %s (%s) may hide some", c.what, driver),
					Detail:  c.todo,
				},
			)
		}
	}
	nodes, _ := fs.ReadDir(fsys, genericDir)
	for _, n := range nodes {
		if what := virtual(fsys, n.Name()); what != "" && isEnclosure(fsys, n.Name()) {
			all = append(all, inventory.Problem{
				Path: "/dev/" + n.Name(), Summary: "it is " + what + ", which takes no firmware",
				Detail: strings.TrimSpace(attribute(fsys, n.Name(), "vendor")+" "+attribute(fsys, n.Name(), "model")) +
					" is skipped; update the controller with its vendor's tool",
			})
		}
	}
	if len(all) == 0 {
		all = append(all, inventory.Problem{Path: "/" + genericDir, Summary: "no enclosure is in sight",
			Detail: "no SCSI device says that it is one, and no known RAID controller hides any: check that the " +
				"enclosures are switched on and cabled to this host, and that the driver of the SAS HBA is loaded " +
				"(lsscsi -g, dmesg)"})
	}
	return all
}
