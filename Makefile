# make install   rhx and rhx-full into GOBIN, and the names by which clients look for it; needs only Go
# make test      everything; installs the test servers first
# make mutate    PKG=host/codec: the small faults that its own tests do not notice
# make soak      random comparisons with other programs, SEEDS of each
# make vuln      known faults in what rhx links; needs https://vuln.go.dev
# make docs      docs/reference.md, from the help of the commands
# make release   all files of a release into dist, published nowhere: docs/releasing.md
# make site      docs as a site, in the folder site: open site/index.html
# make actions   the action and the component in .ci, by the schemas of GitHub and GitLab
# make licenses  the licences of what rhx links are among those that docs/dependencies.md has
# make api       BASE=COMMIT: what changed in what rhx exports; without BASE against the last tag
# make bench     docs/BENCHMARKS.md: rhx beside others, and how it grows; BENCH=run repeats one comparison, BENCH=page
#                writes the page of what was found last, ROUNDS=3 makes it short, INSTALL=no takes the peers that are there

SHELL := /bin/sh
GO ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
COMMIT := $(shell git rev-parse HEAD 2>/dev/null)
DATE := $(shell TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)
FUZZTIME ?= 30s
SEEDS ?= 100
MIN ?= 85
LINT := $(GO) tool -modfile=.ci/tools/go.mod golangci-lint

.PHONY: install build docs test test-deps soak bench lint wasm fuzz mutate vuln vet release site actions licenses api

# rhx starts faster without the C library, the Vault client and the wasm runtime, and goes
# on as rhx-full where it needs the last two: docs/ARCHITECTURE.md, RATIONALE. The checks
# share what is compiled for it.
install build docs vet lint: export CGO_ENABLED = 0

install:
	dir="$$($(GO) env GOBIN)"; dir="$${dir:-$$($(GO) env GOPATH)/bin}"; mkdir -p "$$dir" && \
	$(GO) build -trimpath -tags slim -ldflags '$(LDFLAGS)' -o "$$dir/rhx" ./cmd/rhx && \
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o "$$dir/rhx-full" ./cmd/rhx && \
	for name in git-credential-rhx docker-credential-rhx terraform-credentials-rhx; do ln -sf rhx "$$dir/$$name" || exit 1; done && \
	echo "installed $$dir/rhx and $$dir/rhx-full" && \
	case ":$$PATH:" in *":$$dir:"*) ;; *) echo "$$dir is not in PATH; add it: export PATH=\"$$dir:\$$PATH\"" ;; esac

build:
	$(GO) build -trimpath -tags slim -ldflags '$(LDFLAGS)' -o bin/rhx ./cmd/rhx
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/rhx-full ./cmd/rhx

test: test-deps
	GORACE=atexit_sleep_ms=0 $(GO) test -race -timeout 40m ./... ./.ci/release

test-deps:
	sh .ci/tools/deps.sh

# What make test does with one seed, with many.
soak: test-deps
	sh .ci/soak.sh $(SEEDS)

lint: vet
	$(LINT) run

vet:
	$(GO) vet ./...
	$(GO) vet -tags slim ./cmd/...
	GOOS=windows $(GO) vet ./...
	GOOS=darwin $(GO) vet ./...

# The committed modules, from their sources.
wasm:
	sh providers-wasm/build.sh

# What the help of the commands says, as a page.
docs:
	$(GO) run ./cmd/rhx man --markdown > docs/reference.md.new && mv docs/reference.md.new docs/reference.md || { rm -f docs/reference.md.new; exit 1; }

# RHX_MINISIGN_KEY=FILE and RHX_COSIGN_KEY=FILE sign the checksums.
release:
	sh .ci/release/release.sh

site:
	sh .ci/site/site.sh site

actions:
	bash .ci/actions.sh

licenses:
	bash .ci/licenses.sh

api:
	bash .ci/api.sh $(BASE)

bench: build
	sh .ci/bench.sh $(BENCH)

# Every fuzz target for FUZZTIME.
fuzz:
	sh .ci/fuzz.sh $(FUZZTIME)

# Mutations of a package that none of its own tests catches. FILES='toml*.go' takes
# only some of its files, N=200 so many of the mutations.
mutate:
	@test -n "$(PKG)" || { echo "make mutate PKG=host/codec: name a package's folder in PKG" >&2; exit 2; }
	nice $(GO) run ./.ci/mutate $(if $(FILES),-files '$(FILES)') $(if $(N),-n $(N)) -min $(MIN) $(PKG)

# Not a part of make lint: a machine without the Internet has no such database.
# VULNDB=file:///... is a copy of it.
vuln:
	@$(GO) tool -modfile=.ci/tools/go.mod govulncheck $(if $(VULNDB),-db $(VULNDB)) ./... || { status=$$?; \
	[ $$status -eq 3 ] || echo "make vuln: nothing was checked; without $(or $(VULNDB),https://vuln.go.dev) there is nothing to check against" >&2; exit $$status; }
