package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"billsync/internal/bill"
	"billsync/internal/config"
	"billsync/internal/store"
	"billsync/internal/worldfirst"

	"github.com/mattn/go-sqlite3"
)

// A Finding is one line of a check.
type Finding struct {
	Level   string // ok, warn, FAIL
	Subject string
	Text    string
	Advice  string
	Code    int // the exit code it stands for; 0 unless Level is FAIL
}

// clockTolerance is how far our clock may be from the API's before a check
// warns. What the API tolerates in Request-Time is not published (API §3.4).
const clockTolerance = 30 * time.Second

// Check looks at everything a sync needs, all of it even if something fails.
// Offline leaves out the signed request.
func (a *App) Check(ctx context.Context, offline bool) []Finding {
	var out []Finding
	add := func(level, subject, text, advice string, code int) {
		out = append(out, Finding{level, subject, text, advice, code})
	}
	add("ok", "configuration", fmt.Sprintf("%s, accounts: %s", a.cfg.File, strings.Join(a.enabledNames(), ", ")), "", 0)
	for _, w := range a.cfg.Warnings {
		add("warn", "configuration", w, "correct it, or take it out", 0)
	}
	for _, w := range a.unserved() {
		add("warn", "configuration", w, "take it out, or leave it for a later version", 0)
	}
	client, err := a.source()
	if err != nil {
		add("FAIL", "keys", err.Error(), hintOf(err), 2)
	} else if a.sim != nil {
		add("ok", "keys", "the built-in simulator makes its own", "", 0)
	} else {
		add("ok", "keys", a.cfg.API.PrivateKeyFile+" is an RSA private key that only this user can read", "", 0)
		if a.cfg.API.ServerPublicKeyFile == "" {
			add("warn", "keys", "answers are not verified: api.server_public_key_file is not set", "copy WorldFirst's public key from the Developer Center into a file and name it there", 0)
		}
	}
	for _, c := range a.cfg.Enabled() {
		out = append(out, a.checkToken(c)...)
	}
	out = append(out, a.checkDatabase(ctx)...)
	out = append(out, a.checkSchedule()...)
	out = append(out, a.checkWebhook()...)
	if client != nil && !offline {
		for _, c := range a.cfg.Enabled() {
			out = append(out, a.checkAccount(ctx, client, vocabulary(c))...)
		}
	}
	return out
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func (a *App) checkDatabase(ctx context.Context) []Finding {
	version, _, _ := sqlite3.Version()
	path := a.cfg.Database.URL
	if err := store.CheckFolder(path); err != nil {
		return []Finding{{"FAIL", "database", err.Error(), hintOf(err), codeOf(err)}}
	}
	st, err := store.OpenReader(ctx, path)
	if errors.Is(err, store.ErrNoDatabase) {
		return []Finding{{"ok", "database", fmt.Sprintf("%s will be created by the first sync (SQLite %s)", path, version), "", 0}}
	}
	if err != nil {
		return []Finding{{"FAIL", "database", err.Error(), hintOf(err), codeOf(err)}}
	}
	defer a.logged("closing the database", st.Close)
	bad, err := st.IntegrityCheck(ctx)
	switch {
	case err != nil:
		return []Finding{{"FAIL", "database", err.Error(), hintOf(err), 1}}
	case len(bad) > 0:
		return []Finding{{"FAIL", "database", path + " is damaged: " + bad[0], "restore a snapshot, or move the file away and sync again: the bills come back from the API", 1}}
	}
	err = st.View(ctx, func(t *store.Tx) error { return t.CompareOrigin(a.origin) })
	if a.client != nil && err != nil {
		return []Finding{{"FAIL", "database", err.Error(), hintOf(err), 2}}
	}
	err = st.View(ctx, func(t *store.Tx) error {
		_, err := t.InZone(a.cfg.Report.Timezone)
		return err
	})
	if err != nil {
		return []Finding{{"FAIL", "database", err.Error(), hintOf(err), codeOf(err)}}
	}
	out := []Finding{{"ok", "database", fmt.Sprintf("%s is sound (SQLite %s)", path, version), "", 0}}
	var other *InputError
	switch err := a.sameZone(ctx, st); {
	case errors.As(err, &other): // a sync mends it, but until then there are no reports
		out = append(out, Finding{"warn", "database", err.Error(), hintOf(err), 0})
	case err != nil:
		out = append(out, Finding{"FAIL", "database", err.Error(), hintOf(err), codeOf(err)})
	}
	return out
}

func codeOf(err error) int {
	var input *store.InputError
	if errors.As(err, &input) {
		return 2
	}
	return 1
}

func (a *App) checkSchedule() []Finding {
	var out []Finding
	zone := a.cfg.Schedule.Timezone
	for _, s := range []struct{ name, expr string }{{"sync", a.cfg.Schedule.Sync}, {"refresh", a.cfg.Schedule.Refresh}} {
		if s.expr == "" {
			out = append(out, Finding{"warn", "schedule", s.name + " is switched off", "run it from cron or a systemd timer", 0})
			continue
		}
		var next []string
		t := a.now()
		for range 3 {
			if t = a.next(s.expr, t); t.IsZero() {
				break
			}
			next = append(next, t.In(zone).Format("2006-01-02 15:04:05"))
		}
		out = append(out, Finding{"ok", "schedule", fmt.Sprintf("%s %q (%s): next %s", s.name, s.expr, zone, strings.Join(next, ", ")), "", 0})
		if hour := a.next(s.expr, a.now()).In(zone).Hour(); s.name == "refresh" && hour < 4 && hasSummerTime(zone, a.now()) {
			out = append(out, Finding{"warn", "schedule", fmt.Sprintf("%s has summer time: a run at that hour is left out once a year, and made twice once", zone),
				"choose another hour, or UTC; nothing is lost either way", 0})
		}
	}
	return out
}

func hasSummerTime(zone *time.Location, now time.Time) bool {
	_, first := now.In(zone).Zone()
	for month := 1; month < 12; month++ {
		if _, offset := now.AddDate(0, month, 0).In(zone).Zone(); offset != first {
			return true
		}
	}
	return false
}

// checkAccount makes one signed request and compares the clocks.
func (a *App) checkAccount(ctx context.Context, client *worldfirst.Client, acct bill.Account) []Finding {
	end := a.now().Add(-2 * time.Minute).In(a.cfg.Sync.Timezone).Truncate(time.Second)
	q := bill.Query{Start: end.Add(-24 * time.Hour), End: end, Zone: a.cfg.Sync.Timezone, Page: 1, PageSize: 1}
	began := a.now()
	page, err := client.QueryBillList(ctx, acct, q)
	subject := "api " + acct.Name
	if err != nil {
		err = failure(err)
		return []Finding{{"FAIL", subject, err.Error(), hintOf(err), exitCodeOf(err)}}
	}
	out := []Finding{{"ok", subject, fmt.Sprintf("answered in %d ms: %d bills in the last 24 hours", a.now().Sub(began).Milliseconds(), page.TotalCount), "", 0}}
	if page.ServerTime.IsZero() {
		return out
	}
	skew := a.now().Sub(page.ServerTime)
	if skew.Abs() > clockTolerance {
		return append(out, Finding{"warn", "clock", fmt.Sprintf("this machine's clock differs from the API's by %s", DurationText(skew.Abs().Round(time.Second))),
			"synchronise it (NTP): requests carry the time, and windows end by it", 0})
	}
	return append(out, Finding{"ok", "clock", "agrees with the API's within " + DurationText(clockTolerance), "", 0})
}

func exitCodeOf(err error) int {
	var c interface{ ExitCode() int }
	if errors.As(err, &c) {
		return c.ExitCode()
	}
	return 1
}

// failure gives a single question that was not answered with yes its exit code.
func failure(err error) error {
	f, ok := bill.AsFailure(err)
	if !ok {
		return err
	}
	v := &Verdict{Code: 3, Reason: f.Error(), Advice: onceAdvice(f)}
	if f.Outcome == bill.RefusedUs {
		v.Code = 4
	}
	return v
}

// checkToken tells how long an account's token lives.
func (a *App) checkToken(c config.Account) []Finding {
	t, err := a.lookAtTokens(c)
	if err != nil || t == nil {
		return nil // a token that cannot be read is told of already
	}
	now, subject := a.now(), "token "+c.Name
	var left time.Duration
	if !t.ExpiresAt.IsZero() {
		left = t.ExpiresAt.Sub(now)
	}
	switch {
	case t.Bare:
		return []Finding{{"ok", subject, "a bare token: nobody here knows until when it is good, and nothing refreshes it", "", 0}}
	case t.Refreshable:
		return []Finding{{"ok", subject, a.tokenEnds(*t), "", 0}}
	case t.Spent != "" && (t.ExpiresAt.IsZero() || left > 0):
		return []Finding{{"warn", subject, a.tokenEnds(*t), t.Spent, 0}}
	case t.Spent != "":
		return []Finding{{"FAIL", subject, a.tokenEnds(*t), t.Spent, 4}}
	case !t.ExpiresAt.IsZero() && left <= 0:
		return []Finding{{"FAIL", subject, a.tokenEnds(*t), grantAgain(c.Name), 4}}
	case !t.ExpiresAt.IsZero() && left < warnLeft:
		return []Finding{{"warn", subject, a.tokenEnds(*t), grantAgain(c.Name), 0}}
	}
	return []Finding{{"ok", subject, a.tokenEnds(*t), "", 0}}
}

// warnLeft is how long before the end of a token that nothing refreshes a check
// warns.
const warnLeft = 3 * 24 * time.Hour

// tokenEnds says when a token expires and whether anything is done about it.
func (a *App) tokenEnds(t Tokens) string {
	text := "until when it is good is not known"
	switch {
	case t.ExpiresAt.IsZero():
	case !t.ExpiresAt.After(a.now()):
		text = "expired " + a.clockTime(t.ExpiresAt)
	default:
		text = "good until " + a.clockTime(t.ExpiresAt)
	}
	switch {
	case t.Refreshable && t.DueAt.IsZero():
		return text + ", refreshed when the API says that it has expired"
	case t.Refreshable && !t.DueAt.After(a.now()):
		return text + ", refreshed by the next run"
	case t.Refreshable:
		return text + ", refreshed by itself from " + a.clockTime(t.DueAt)
	case t.Spent != "":
		return text + "; no refresh is made by itself any more, the outcome of too many is not known"
	case t.RefreshToken:
		return text + "; the refresh token expired " + a.clockTime(t.RefreshExpiresAt)
	}
	return text + "; nothing refreshes it"
}
