# make demo   inventory, plan and apply on a simulated rack
# make quick  the inner loop: vet and the tests, without race detector and kernel
# make test   before every commit: static checks, all tests under the race detector,
#             a real kernel in qemu for a few of them
# make prove  everything at length: other systems, every kill, 10,000 random racks, all
#             tests on the real kernel, the HTML pages in Chromium, every fuzzer for a minute, known vulnerabilities
#
# test and prove install the Debian packages that they need, and say which.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec

KERNEL := $(CURDIR)/build/kernel

# Everything is built like the binary that is shipped, but for the race detector, which needs C:
# a package is compiled twice, not four times. Compiling is half of a first run.
export CGO_ENABLED := 0
export GOFLAGS := $(strip $(GOFLAGS) -trimpath)

# Tests sync files all the time: they are quicker where nothing waits for a disk.
# The toolchain's own temporary files stay where they are.
SCRATCH := $(shell [ -d /dev/shm ] && ! grep -q ' /dev/shm tmpfs [^ ]*noexec' /proc/mounts && echo /dev/shm)
# vet is off, because go vet runs first.
GOTEST := $(if $(SCRATCH),GOTMPDIR=$(or $(TMPDIR),/tmp) TMPDIR=$(SCRATCH)) go test -vet=off

# SQLite is C that was translated to Go, and its races are not ours to look for. Without
# the detector in there, tests that keep a state take two thirds of the time.
RACETEST := CGO_ENABLED=1 $(GOTEST) -race -gcflags=modernc.org/...=-race=false

# One test a promise: every command exactly once, an apply over each protocol, a kill
# and a resumption.
SMOKE := ^(TestEffectExactlyOnce|TestModeE|TestKilledAndResumed)$$

# The seed of the first random rack of make prove; make prove SEED=N repeats a run.
ifndef SEED
SEED := $(shell date +%s)
endif

.PHONY: build demo quick test prove check unit smoke elsewhere unabridged racks browser e2e fuzz vulnerabilities

build:
	go build -o bin/fwctl ./cmd/fwctl

demo:
	sh examples/quickstart/demo.sh

quick:
	go vet ./...
	$(GOTEST) -short ./...

# The guest of the kernel tests has one processor: the others go on with the tests beside it.
test: check
	$(MAKE) -j2 unit smoke

smoke:
	$(MAKE) e2e RUN='$(SMOKE)'

prove: elsewhere unabridged racks browser e2e fuzz vulnerabilities

check:
	@test -z "$$(gofmt -l .)" || { gofmt -l . && echo "make check: these files are not gofmt-ed" && false; }
	go mod tidy -diff
	go vet ./...
	go vet -tags e2e ./internal/e2e/...
	go tool staticcheck ./...

# All that runs in the tests' own processes is under the race detector (which needs a
# C compiler). The fwctl processes that tests start are the binary that is shipped.
unit: build
	FWCTL_TEST_BINARY=$(CURDIR)/bin/fwctl $(RACETEST) -timeout 45m ./...
	$(GOTEST) -timeout 45m ./executor ./executor/step ./plan -run 'TestPromises|TestSearch|TestParseFindsFlippedBytes'

# The planner is for other systems too; to build it for each of them anew takes minutes.
elsewhere:
	GOOS=darwin go vet ./cmd/fwctl
	GOOS=freebsd go build -o /dev/null ./cmd/fwctl

# What unit leaves out: every kill, and the race detector in every process of fwctl.
unabridged:
	$(GOTEST) -count=1 -timeout 45m ./executor -run 'TestResumeAfterEveryEffect|TestResumeRunsTheCommandAfter|TestOneFailedReadIsNoVerdict|OneReadFails'
	$(RACETEST) -count=1 -timeout 45m ./cmd/fwctl

racks:
	@echo "random racks from seed $(SEED)"
	$(GOTEST) -count=1 -timeout 40m ./executor -run TestPromises -racks 10000 -seed $(SEED) -v | grep -v '^ *--- PASS: TestPromises/\|^=== '

# The HTML pages in Chromium. make test looks at one of them, if Chromium is there.
browser:
	internal/ui/install-browser.sh
	FWCTL_BROWSER=1 $(GOTEST) -count=1 -timeout 20m ./internal/ui -run InABrowser -v

e2e:
	internal/e2e/prepare.sh $(KERNEL)
	FWCTL_E2E_KERNEL=$(KERNEL) FWCTL_E2E_RUN='$(RUN)' go test -tags e2e -count=1 -timeout 30m -v ./internal/e2e

fuzz:
	.ci/fuzz 1m

vulnerabilities:
	.ci/vulnerabilities
