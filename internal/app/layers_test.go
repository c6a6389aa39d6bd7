package app_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestImports holds the directions in which packages may know each other.
func TestImports(t *testing.T) {
	t.Parallel()
	allowed := map[string][]string{
		"billsync":                     nil,
		"billsync/internal/bill":       nil,
		"billsync/internal/config":     nil,
		"billsync/internal/schedule":   nil,
		"billsync/internal/secret":     nil,
		"billsync/internal/merchant":   nil,
		"billsync/internal/books":      {"bill"},
		"billsync/internal/report":     {"bill"},
		"billsync/internal/export":     {"bill"},
		"billsync/internal/ledger":     {"bill"},
		"billsync/internal/reconcile":  {"bill"},
		"billsync/internal/card":       {"secret"},
		"billsync/internal/token":      {"secret"},
		"billsync/internal/worldfirst": {"bill", "card", "secret", "token"},
		"billsync/internal/syncer":     {"bill"},
		"billsync/internal/verify":     {"bill"},
		"billsync/internal/webhook":    {"bill", "worldfirst"},
		"billsync/internal/store":      {"bill", "billsync", "books"},
		"billsync/internal/simulator":  {"bill", "worldfirst"},
		"billsync/internal/app":        {"bill", "books", "card", "config", "export", "ledger", "merchant", "reconcile", "report", "schedule", "secret", "simulator", "store", "syncer", "token", "verify", "webhook", "worldfirst"},
		"billsync/cmd/syncer":          {"app", "bill", "card", "config", "export", "ledger", "report", "schedule", "secret", "syncer", "verify"},
	}
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "billsync/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		may, ok := allowed[fields[0]]
		if !ok {
			continue // a tool beside the program
		}
		seen++
		for _, imp := range fields[1:] {
			name := strings.TrimPrefix(imp, "billsync/internal/")
			if strings.HasPrefix(imp, "billsync") && !slices.Contains(may, name) {
				t.Errorf("%s imports %s; it may import %v", fields[0], imp, may)
			}
		}
	}
	if seen != len(allowed) {
		t.Errorf("%d packages found, %d have a rule", seen, len(allowed))
	}
}
