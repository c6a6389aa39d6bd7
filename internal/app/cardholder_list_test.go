package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"billsync/internal/app"
	"billsync/internal/worldfirst"
)

// A list that could not be read to its end, or not understood, is no success.
func TestCardholderListIncomplete(t *testing.T) {
	t.Parallel()
	const entry = `{"cardholderId":"CH%d","orderId":"O%d","auditStatus":"APPROVED","availableStatus":"T"}`
	for _, tt := range []struct {
		name, tail string
		entries    func(page int) []string
		code       int
		words      []string
	}{
		{"all of it", `"totalCount":2`, func(int) []string { return []string{fmt.Sprintf(entry, 1, 1), fmt.Sprintf(entry, 2, 2)} }, 0, nil},
		{"some without ids", `"totalCount":3`, func(int) []string { return []string{fmt.Sprintf(entry, 1, 1), `{"name":"a"}`, `7`} }, 3,
			[]string{"2 of its entries could not be understood"}},
		{"nothing of it", `"totalCount":4`, func(int) []string { return nil }, 3, []string{"4 of its entries could not be understood"}},
		{"without an end", `"totalPageNumber":100000`, func(page int) []string { return []string{fmt.Sprintf(entry, page, page)} }, 3,
			[]string{"longer than the 200 pages that are read"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCounter(t, "", nil)
			var pages atomic.Int64
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if r.URL.Path == worldfirst.CreateCardholderPath {
					fmt.Fprint(w, `{"result":{"resultCode":"SUCCESS","resultStatus":"S"},"orderId":"O1","auditStatus":"PENDING","availableStatus":"F"}`)
					return
				}
				fmt.Fprintf(w, `{"result":{"resultCode":"SUCCESS","resultStatus":"S"},"cardholderList":[%s],%s}`,
					strings.Join(tt.entries(int(pages.Add(1))), ","), tt.tail)
			}))
			defer api.Close()
			c.cfg.API.BaseURL = api.URL
			c.App = c.again()
			c.create(0)
			l, err := c.ListCardholders(t.Context(), app.ListOptions{Refresh: true})
			if exitCode(err) != tt.code || l.Refreshed != (tt.code == 0) || len(l.Holders) != 1 {
				t.Fatalf("list: %+v, %v, want exit code %d", l, err, tt.code)
			}
			if tt.code != 0 {
				contains(t, "the error", err.Error(), append(tt.words, "incomplete")...)
				contains(t, "the hint", hintOf(err), "ask again", "Technical Support")
			}
		})
	}
}
