// Package token holds an account's OAuth tokens: what they are, and the file
// that keeps them (API §11).
package token

import (
	"time"

	"billsync/internal/secret"
)

// A Grant is what applyToken gives (API §11).
type Grant struct {
	Access           secret.Text
	ExpiresAt        time.Time   // UTC; zero if the answer does not say
	Refresh          secret.Text // empty: keep the one there is
	RefreshExpiresAt time.Time   // UTC; zero if the answer does not say
}
