package config

import (
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// What texts must be like. Only the outside is judged here: whether a host is
// the provider's, or a file holds a key, is for those who use them.

var baseURL = &rule{
	allowed: `"simulator" or an address such as "https://open-sea.worldfirst.com"`,
	ok: func(s string) bool {
		if s == Simulator {
			return true
		}
		u, err := url.Parse(s)
		return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" &&
			u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && !strings.HasSuffix(s, "#")
	},
}

// oneWord holds for what is sent in a header.
var oneWord = &rule{
	allowed: "up to 128 letters, digits and signs without blanks",
	ok: func(s string) bool {
		return len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
	},
}

var databaseFile = &rule{
	allowed: `PostgreSQL and other servers come later; name a file, such as "bills.db"`,
	ok: func(s string) bool {
		return s != "" && s != ":memory:" && !strings.Contains(s, "://") && !strings.HasPrefix(s, "file:") && fileName.ok(s)
	},
	secret: true, // the address of a server usually holds a password
}

var listen = &rule{
	allowed: `host and port, such as "127.0.0.1:8321", or "" for off`,
	ok: func(s string) bool {
		if s == "" {
			return true
		}
		_, port, err := net.SplitHostPort(s)
		if err != nil || strings.ContainsAny(s, " \t/") {
			return false
		}
		n, err := strconv.Atoi(port)
		return err == nil && n >= 0 && n <= 65535
	},
}

var urlPath = &rule{
	allowed: `a path that begins with /, such as "/notify/bill"`,
	ok: func(s string) bool {
		return strings.HasPrefix(s, "/") && !strings.ContainsAny(s, " \t?#{}%")
	},
}

var (
	accountPattern  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	variablePattern = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)?$`)
)

var (
	beancountPattern = regexp.MustCompile(`^(Assets|Liabilities|Equity|Income|Expenses)(:[A-Z0-9][A-Za-z0-9-]*)+$`)
	journalPattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*( [A-Za-z0-9_-]+)*(:[A-Za-z0-9][A-Za-z0-9_-]*( [A-Za-z0-9_-]+)*)*$`)
)

var beancountAccount = &rule{
	allowed: `an account of Beancount, such as "Liabilities:WorldCard": Assets, Liabilities, Equity, Income or Expenses, and parts that begin with a capital or a digit`,
	ok:      beancountPattern.MatchString,
}

var journalAccount = &rule{
	allowed: `an account such as "liabilities:world card": parts of letters, digits, - and _, with : between them`,
	ok:      journalPattern.MatchString,
}

var accountName = &rule{allowed: "1 to 64 letters, digits, - and _", ok: accountPattern.MatchString}

var variable = &rule{
	allowed: "the name of an environment variable, not the token itself",
	ok:      variablePattern.MatchString,
	secret:  true,
}
