package scan

import (
	"strings"
	"testing"
	"testing/fstest"
)

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text + "\n")} }

func TestHidden(t *testing.T) {
	t.Parallel()
	enclosure := func(vendor, product string) fstest.MapFS {
		dir := genericDir + "/sg0/device/"
		return fstest.MapFS{dir + "type": file("13"), dir + "vendor": file(vendor), dir + "model": file(product)}
	}
	driver := func(name string) fstest.MapFS { return fstest.MapFS{hostDir + "/host3/proc_name": file(name)} }
	for name, tt := range map[string]struct {
		fs   fstest.MapFS
		path string
		want string
	}{
		"a PERC":                       {driver("megaraid_sas"), "host3", "perccli /cX set backplane expose=on"},
		"a Smart Array":                {driver("hpsa"), "host3", "hbamode=on"},
		"a SmartRAID":                  {driver("smartpqi"), "host3", "HBA mode"},
		"an Adaptec":                   {driver("aacraid"), "host3", "arcconf"},
		"an HBA hides nothing":         {driver("mpt3sas"), "/" + genericDir, "switched on and cabled"},
		"nothing":                      {fstest.MapFS{}, "/" + genericDir, "switched on and cabled"},
		"LSI":                          {enclosure("LSI", "VirtualSES"), "/dev/sg0", "takes no firmware"},
		"LSI, the other case":          {enclosure("LSI", "virtualSES"), "/dev/sg0", "takes no firmware"},
		"HPE":                          {enclosure("HPE", "Smart Adapter"), "/dev/sg0", "takes no firmware"},
		"HP":                           {enclosure("HP", "H240"), "/dev/sg0", "takes no firmware"},
		"AHCI":                         {enclosure("AHCI", "SGPIO Enclosure"), "/dev/sg0", "takes no firmware"},
		"one like it that is for real": {enclosure("ACME", "Smart Adapter"), "/" + genericDir, "no enclosure is in sight"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := hidden(tt.fs)
			if len(got) != 1 || got[0].Path != tt.path || !strings.Contains(got[0].Summary+": "+got[0].Detail, tt.want) {
				t.Errorf("hidden = %+v; want one about %s with %q", got, tt.path, tt.want)
			}
			if len(tt.fs) < 2 {
				return // no node
			}
			madeUp := tt.path == "/dev/sg0"
			if nodes, err := candidates(tt.fs, nil); err != nil || (len(nodes) == 0) != madeUp {
				t.Errorf("candidates = %v, %v; want none only if a controller makes it up", nodes, err)
			}
		})
	}
}
