# make demo   inventory, plan and apply on a simulated rack
# make test   everything: static checks, unit tests, a real kernel in qemu
#             (installs the Debian packages that it needs, and says which)

KERNEL := $(CURDIR)/build/kernel

.PHONY: build demo test check unit e2e

build:
	CGO_ENABLED=0 go build -trimpath -o bin/fwctl ./cmd/fwctl

demo:
	sh examples/quickstart/demo.sh

test: check unit e2e

check:
	@test -z "$$(gofmt -l .)" || { gofmt -l . && echo "make check: these files are not gofmt-ed" && false; }
	go mod tidy -diff
	go vet ./...
	go vet -tags e2e ./internal/e2e/...
	go tool staticcheck ./...
	GOOS=darwin go vet ./cmd/fwctl
	GOOS=freebsd go build -o /dev/null ./cmd/fwctl

# -race needs a C compiler.
unit:
	go test -race -timeout 60m ./...
	go test -count=1 -timeout 30m ./executor -run TestPromises -racks 10000

e2e:
	internal/e2e/prepare.sh $(KERNEL)
	FWCTL_E2E_KERNEL=$(KERNEL) FWCTL_E2E_RUN=$(RUN) go test -tags e2e -count=1 -v ./internal/e2e
