package config_test

import (
	"testing"

	"billsync/internal/config"
)

// Accounts that ask for different bills, or of which one is switched off, may
// stand side by side.
func TestAccountsSideBySide(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"another customer":     "[[account]]\nname = \"a\"\n[[account]]\nname = \"b\"\nconnected_customer_id = \"C2\"\n",
		"one switched off":     "[[account]]\nname = \"a\"\nenabled = false\n[[account]]\nname = \"b\"\n",
		"tokens of their own":  "[[account]]\nname = \"a\"\naccess_token_env = \"A\"\n[[account]]\nname = \"b\"\naccess_token_env = \"B\"\n",
		"one by token":         "[[account]]\nname = \"a\"\n[[account]]\nname = \"b\"\naccess_token_file = \"b.token\"\n",
		"the same on one side": "[[account]]\nname = \"a\"\nconnected_account_id = \"A1\"\n[[account]]\nname = \"b\"\nconnected_customer_id = \"C2\"\nconnected_account_id = \"A1\"\n",
	} {
		if c, err := config.Parse("config.toml", []byte(text), options()); err != nil || len(c.Accounts) != 2 {
			t.Errorf("%s: Parse = %v", name, err)
		}
	}
}
