# Every target has one line of help behind it; "make" shows them.
.DEFAULT_GOAL := help
.PHONY: help build run test soak crash bench bench-quick bench-doc lint fuzz mutants vuln clean

FUZZTIME ?= 30s
SEEDS ?= 3000

# The tool that changes the code a little and sees whether a test notices. What
# it calls NOT COVERED are mostly constants and the conditions of a switch, which
# Go's coverage does not count.
GREMLINS := go run github.com/go-gremlins/gremlins/cmd/gremlins@v0.6.0 unleash --workers 2 --invert-logical --invert-loopctrl

# but PACKAGE FILES: an expression for the package's files except these.
empty :=
but = -E '(^|/)($(subst $(empty) ,|,$(strip $(filter-out $(2) %_test.go,$(notdir $(wildcard internal/$(1)/*.go))))))$$'

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 13

build: ## build bin/syncer
	CGO_ENABLED=1 go build -o bin/syncer ./cmd/syncer

run: build ## build, sync as config.toml says (as shipped: from the simulator into bills.db), show what came
	./bin/syncer sync
	./bin/syncer status

# The program's own tests begin it anew hundreds of times, and those of the engine
# live through thousands of histories, which the race detector makes slow: with it run
# those in which work goes on beside work. Random cases are fewer with it.
BESIDE := 'Daemon|Notified|Notifications|Inbox|Stopped|Beside|Together|Reader|Locked|TwoProcesses|Terminal|Progress'

test: ## all tests, with the race detector where it matters, and 80 random stories
	RAPID_CHECKS=25 go test -race -timeout 15m $$(go list ./... | grep -vE '/(internal|cmd)/syncer$$')
	RAPID_CHECKS=25 go test -race -timeout 30m -parallel 4 -run $(BESIDE) ./cmd/syncer ./internal/syncer
	RAPID_CHECKS=25 go test -timeout 30m -parallel 4 -skip $(BESIDE) ./cmd/syncer ./internal/syncer
	go test ./internal/soak -count=1 -run TestModel -seeds 80 -budget 25s -v

soak: ## the model-based test with SEEDS (3000) seeds, new ones each time (a quarter of an hour or more)
	go test ./internal/soak -run TestModel -v -timeout 0 -budget 0 -seeds $(SEEDS) -first $$(date +%s)0000

crash: ## kill the program at every operation on its database, and let the disk fail there (about 20 minutes)
	CRASH_ALL=1 go test -count=1 -timeout 3h -v -run '^TestCrash$$' ./cmd/syncer

bench: ## every goal of speed, memory and requests beside floors of the same run (less than ten minutes)
	go run ./internal/bench

bench-quick: ## the same with fewer bills, in less than a minute
	go run ./internal/bench -quick

bench-doc: ## as bench, and write docs/benchmarks.md
	go run ./internal/bench -md docs/benchmarks.md

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

mutants: ## changes to windows, outcomes and identity that no test notices (an hour; needs the network)
	$(GREMLINS) --timeout-coefficient 30 ./internal/bill
	$(GREMLINS) --timeout-coefficient 30 $(call but,worldfirst,judge.go outcomes.go) ./internal/worldfirst
	RAPID_CHECKS=10 $(GREMLINS) --timeout-coefficient 5 $(call but,syncer,agenda.go identity.go outcome.go) ./internal/syncer

vuln: ## known vulnerabilities (needs the network)
	go run golang.org/x/vuln/cmd/govulncheck@v1.5.0 ./...

clean: ## remove what was built
	rm -rf bin
