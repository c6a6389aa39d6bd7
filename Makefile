# Every target has one line of help behind it; "make" shows them.
.DEFAULT_GOAL := help
.PHONY: help build run test crash bench bench-quick lint fuzz vuln clean

FUZZTIME ?= 30s

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 13

build: ## build bin/syncer
	CGO_ENABLED=1 go build -o bin/syncer ./cmd/syncer

run: build ## build, sync as config.toml says (as shipped: from the simulator into bills.db), show what came
	./bin/syncer sync
	./bin/syncer status

test: ## all tests, with the race detector
	go test -race ./...

crash: ## kill the program at every operation on its database, and let the disk fail there (about 20 minutes)
	CRASH_ALL=1 go test -count=1 -timeout 3h -v -run '^TestCrash$$' ./cmd/syncer

bench: ## measure speed, memory and requests beside the fastest plain loop (up to ten minutes)
	go run ./internal/bench

bench-quick: ## the same, smaller, in about a minute
	go run ./internal/bench -quick

lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt: $$unformatted"; exit 1; }
	go vet ./...
	go tool -modfile=internal/tools/go.mod staticcheck ./...

fuzz: ## every fuzz test for FUZZTIME (30s)
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u | while read -r dir; do \
		grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$$dir"/*_test.go | cut -c 6- | while read -r name; do \
			echo "$$dir $$name"; \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$dir" || exit 1; \
		done || exit 1; \
	done

vuln: ## known vulnerabilities (needs the network)
	go run golang.org/x/vuln/cmd/govulncheck@v1.5.0 ./...

clean: ## remove what was built
	rm -rf bin
