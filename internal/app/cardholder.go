package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"billsync/internal/card"
	"billsync/internal/config"
	"billsync/internal/store"
)

// A Registration is a request to register a cardholder, and what a command did
// about it.
type Registration struct {
	store.Cardholder
	Sent   bool          // the API was asked
	Known  bool          // it was stored before
	Bytes  int           // of its content; 0: not read
	Others []card.Holder // listed by the API and not made from here: this may be one of them
}

// CardholderOptions are what "syncer cardholder create" can be told.
type CardholderOptions struct {
	Account   string // may be empty if only one is enabled
	Type      string
	Info      string // a file, or "-"
	Stdin     io.Reader
	RequestID string // empty: one is made
	DryRun    bool   // look, and change nothing
}

var requestIDs = regexp.MustCompile(`^[A-Za-z0-9]{1,32}$`)

// CreateCardholder registers a cardholder: the request is stored before it is
// sent, and one that is stored already is gone on with. The error says, with its
// exit code, why there is no answer that can be relied on.
func (a *App) CreateCardholder(ctx context.Context, o CardholderOptions) (Registration, error) {
	o.Type = strings.ToUpper(strings.TrimSpace(o.Type))
	types := strings.Join(card.HolderTypes, ", ")
	switch {
	case o.Type == "":
		return Registration{}, &InputError{"create needs --type", "one of " + types}
	case !slices.Contains(card.HolderTypes, o.Type):
		return Registration{}, &InputError{fmt.Sprintf("--type %.40q is no type of cardholder", o.Type), "one of " + types}
	case o.Info == "":
		return Registration{}, &InputError{"create needs --info", `the file with the cardholder's information, or "-" for standard input`}
	case o.RequestID != "" && !requestIDs.MatchString(o.RequestID):
		return Registration{}, badRequestID(o.RequestID)
	}
	acct, err := a.oneAccount(o.Account)
	if err != nil {
		return Registration{}, err
	}
	info, err := a.readInfo(o.Info, o.Stdin)
	if err != nil {
		return Registration{}, err
	}
	defer clear(info.object)
	if _, err := a.source(); err != nil {
		return Registration{}, err
	}
	if o.DryRun {
		return a.previewCardholder(ctx, o, acct, info)
	}
	a.renewDue(ctx, []string{acct.Name}) // before the request is marked as being sent
	d, err := a.openDesk(ctx, "cardholder create", true)
	if err != nil {
		return Registration{}, err
	}
	defer d.close()
	r, send, err := d.enter(ctx, o, acct, info)
	if err != nil || !send {
		return r, err
	}
	known := r.Known
	r, err = d.send(ctx, r.Cardholder, acct, info, !known && o.RequestID != "")
	r.Known, r.Bytes = known, len(info.object)
	return r, err
}

func badRequestID(id string) error {
	return &InputError{fmt.Sprintf("--request-id %.80q: 1 to 32 letters and digits are allowed", id), "leave it out to have one made"}
}

// previewCardholder says what CreateCardholder would do.
func (a *App) previewCardholder(ctx context.Context, o CardholderOptions, acct config.Account, info holderInfo) (Registration, error) {
	r := Registration{Cardholder: store.Cardholder{RequestID: o.RequestID, Account: acct.Name, Type: o.Type, InfoFile: info.file}, Bytes: len(info.object)}
	if err := store.Check(ctx, a.cfg.Database.URL); err != nil {
		return r, withCode(err)
	}
	st, err := a.openForLookup(ctx)
	if err != nil || st == nil {
		return r, err
	}
	defer a.logged("closing the database", st.Close)
	err = st.View(ctx, func(t *store.Tx) error {
		have, ok, err := a.findRequest(t, o, acct, info)
		if err != nil || !ok {
			return err
		}
		r.Cardholder, r.Known = have, true
		_, err = a.standing(&have, asking{})
		return err
	})
	return r, withCode(err)
}

// findRequest finds the stored request that a command to create a cardholder is
// about: the one with its id or, if none is given, one with this very content
// that may have made a cardholder, so that a command that is simply repeated
// never makes a second one. The error is an InputError if the id is that of
// something else, or if nobody can say whether this is a repetition: the content
// is that of an open request, written differently.
func (a *App) findRequest(t *store.Tx, o CardholderOptions, acct config.Account, info holderInfo) (store.Cardholder, bool, error) {
	if o.RequestID != "" {
		have, ok, err := t.Cardholder(o.RequestID)
		if err != nil || !ok {
			return have, false, err
		}
		if have.Account != acct.Name || have.Type != o.Type || !info.is(&have) {
			return have, false, &InputError{fmt.Sprintf("--request-id %s is stored already, for another account, type or content: one id is one request", o.RequestID),
				"nothing was sent; give another id, or leave it out to have one made"}
		}
		return have, true, nil
	}
	all, err := t.Cardholders([]string{acct.Name})
	if err != nil {
		return store.Cardholder{}, false, err
	}
	var alike *store.Cardholder
	for i := range slices.Backward(all) { // the newest first
		c := &all[i]
		switch {
		case c.Type != o.Type || c.State == store.HolderAnswered && c.AuditStatus == rejected:
		case c.State != store.HolderAnswered && !c.AcceptedAt.IsZero(): // a person closed it
		case info.is(c) && (c.State != store.HolderRefused || refusesUs(c) || inDoubt(c)):
			return *c, true, nil
		case c.State == store.HolderAnswered && info.says(c):
			return *c, true, nil
		case alike == nil && open(c) && info.says(c):
			alike = c
		case inDoubt(c) && info.cameFrom(c):
			a.log.Warn().Str("account", acct.Name).Str("request_id", c.RequestID).Str("state", c.State).
				Msg("a request that may have made a cardholder was made from this file, which says something else now: this is taken for another person's")
		}
	}
	if alike != nil {
		return store.Cardholder{}, false, a.looksRepeated(alike)
	}
	return store.Cardholder{}, false, nil
}

// enter stores what is about to be sent, durably: new, or found there. The second
// result says whether it is to be sent now.
func (d *holderDesk) enter(ctx context.Context, o CardholderOptions, acct config.Account, info holderInfo) (r Registration, send bool, err error) {
	err = d.st.UpdateDurably(ctx, func(t *store.Tx) error {
		have, ok, err := d.app.findRequest(t, o, acct, info)
		if err != nil {
			return err
		}
		if ok {
			r = Registration{Cardholder: have, Known: true, Bytes: len(info.object)}
			if send, err = d.app.standing(&have, asking{}); err != nil || !send {
				return err
			}
			if have.InfoFile == "" || info.file != "" {
				have.InfoFile = info.file // where it can be read now
			}
			d.claim(&have)
			r.Cardholder = have
			return t.SaveCardholder(have)
		}
		now := d.app.now().Truncate(time.Millisecond)
		c := store.Cardholder{RequestID: o.RequestID, Account: acct.Name, Type: o.Type, State: store.HolderSending, CreatedAt: now, SentAt: now}
		if c.RequestID == "" {
			c.RequestID = newRequestID()
		}
		info.mark(&c)
		r, send = Registration{Cardholder: c, Bytes: len(info.object)}, true
		return t.SaveCardholder(c)
	})
	return r, send, withCode(err)
}

// A ResumeOptions says which requests are to be sent again.
type ResumeOptions struct {
	Account   string
	RequestID string // empty: all that are open
	Info      string // a file, or "-": where the content of one is now
	Stdin     io.Reader
	Now       bool // also those that are not due, and those that were given up
	DryRun    bool
	Daemon    bool // nobody is there: no waiting for others, nothing that is for a person, and one request at most
}

// A Resumption is what became of the requests that were open.
type Resumption struct {
	Done  []Registration     // those that were asked or would be, and those that could not be
	Still []store.Cardholder // those that are open still
}

// ResumeCardholders sends unanswered requests again, each with its own id and
// content. The error says, with its exit code, what is open still.
func (a *App) ResumeCardholders(ctx context.Context, o ResumeOptions) (Resumption, error) {
	names, err := a.holderAccounts(o.Account)
	if err != nil {
		return Resumption{}, err
	}
	if o.RequestID != "" && !requestIDs.MatchString(o.RequestID) {
		return Resumption{}, badRequestID(o.RequestID)
	}
	var given *holderInfo
	if o.Info != "" {
		info, err := a.readInfo(o.Info, o.Stdin)
		if err != nil {
			return Resumption{}, err
		}
		given = &info
		defer clear(info.object)
	}
	if _, err := a.source(); err != nil {
		return Resumption{}, err
	}
	switch there, err := store.Exists(ctx, a.cfg.Database.URL); {
	case err != nil:
		return Resumption{}, withCode(err)
	case !there && (o.RequestID != "" || given != nil):
		return Resumption{}, errNoRequest(o.RequestID)
	case !there:
		return Resumption{}, nil
	}
	if o.DryRun {
		return a.previewResume(ctx, o, names, given)
	}
	a.renewDue(ctx, names)
	d, err := a.openDesk(ctx, "cardholder resume", !o.Daemon)
	if err != nil {
		return Resumption{}, err
	}
	defer d.close()
	return d.resume(ctx, o, names, given)
}

func errNoRequest(id string) error {
	const advice = "\"syncer cardholder list\" shows the requests that were made from here"
	if id == "" {
		return &InputError{"no unanswered request was made with this content", advice}
	}
	return &InputError{"there is no request " + id, advice}
}

// holderAccounts returns the names of the accounts meant, all or one.
func (a *App) holderAccounts(name string) ([]string, error) {
	var wanted []string
	if name != "" {
		wanted = []string{name}
	}
	accounts, err := a.accounts(wanted)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, c := range accounts {
		names = append(names, c.Name)
	}
	return names, nil
}

// selectOpen returns the requests that a resume is about, of those stored.
func selectOpen(all []store.Cardholder, o ResumeOptions, given *holderInfo) ([]store.Cardholder, error) {
	var out []store.Cardholder
	for _, c := range all {
		switch {
		case o.RequestID != "" && c.RequestID != o.RequestID:
		case o.RequestID != "":
			out = append(out, c)
		case c.State == store.HolderAnswered, c.State == store.HolderRepeated, !c.AcceptedAt.IsZero():
		case given != nil && !given.is(&c):
		case c.State == store.HolderRefused && !refusesUs(&c) && given == nil:
		case o.Daemon && (c.State == store.HolderRefused || c.State == store.HolderFailed || c.InfoFile == ""):
		default:
			out = append(out, c)
		}
	}
	if len(out) == 0 && (o.RequestID != "" || given != nil) {
		return nil, errNoRequest(o.RequestID)
	}
	return out, nil
}

// previewResume says what ResumeCardholders would send.
func (a *App) previewResume(ctx context.Context, o ResumeOptions, names []string, given *holderInfo) (Resumption, error) {
	var out Resumption
	st, err := a.openForLookup(ctx)
	if err != nil || st == nil {
		return out, err
	}
	defer a.logged("closing the database", st.Close)
	var all []store.Cardholder
	if err := st.View(ctx, func(t *store.Tx) (err error) {
		all, err = t.Cardholders(names)
		return err
	}); err != nil {
		return out, withCode(err)
	}
	found, err := selectOpen(all, o, given)
	if err != nil {
		return out, err
	}
	for _, c := range found {
		if send, _ := a.standing(&c, o.asking(given)); !send {
			out.Still = append(out.Still, c)
			continue
		}
		info, err := a.contentOf(&c, given)
		if err != nil {
			return out, err
		}
		out.Done = append(out.Done, Registration{Cardholder: c, Known: true, Bytes: len(info.object)})
	}
	return out, nil
}

func (o *ResumeOptions) asking(given *holderInfo) asking {
	return asking{named: o.RequestID != "" || given != nil, now: o.Now, daemon: o.Daemon}
}

func (d *holderDesk) resume(ctx context.Context, o ResumeOptions, names []string, given *holderInfo) (Resumption, error) {
	var out Resumption
	all, err := d.stored(ctx, names)
	if err != nil {
		return out, err
	}
	found, err := selectOpen(all, o, given)
	if err != nil {
		return out, err
	}
	if o.Daemon {
		slices.SortStableFunc(found, func(a, b store.Cardholder) int { return due(&a).Compare(due(&b)) })
	}
	refused, silent := map[string]bool{}, 0
	var trouble []error
	for _, c := range found {
		if refused[c.Account] || silent == maxSilent {
			continue // one answer says it for all; they wait
		}
		r, err := d.resumeOne(ctx, c, o, given)
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		var v *Verdict
		var input *InputError
		if err != nil && !errors.As(err, &v) && !errors.As(err, &input) {
			return out, err // of the database
		}
		if input != nil && o.asking(given).named {
			return out, err
		}
		if err != nil {
			trouble = append(trouble, err)
		}
		refused[c.Account] = r.Sent && r.State == store.HolderRefused && refusesUs(&r.Cardholder)
		silent++
		if !r.Sent || r.Setbacks == 0 || r.State != store.HolderWaiting {
			silent = 0
		}
		if r.Sent || err != nil {
			out.Done = append(out.Done, r)
		}
		if o.Daemon && r.Sent {
			break // it may have taken minutes, and bills may be due: the others have their turn next
		}
	}
	if all, err = d.stored(ctx, names); err != nil {
		return out, err
	}
	for _, c := range all {
		forPerson := c.State == store.HolderRepeated || c.State == store.HolderRefused && !refusesUs(&c) // nothing more is asked
		if open(&c) && (o.RequestID == "" || c.RequestID == o.RequestID) && (!forPerson || out.has(c.RequestID)) {
			out.Still = append(out.Still, c)
		}
	}
	return out, stillOpen(out.Still, trouble, d.app.cfg.Report.Timezone)
}

// due is when a request that is open is to be sent again.
func due(c *store.Cardholder) time.Time {
	if c.NextAttemptAt.IsZero() {
		return c.SentAt
	}
	return c.NextAttemptAt
}

// maxSilent is how many requests in a row may get no answer before the others are
// left for another time.
const maxSilent = 5

func (r *Resumption) has(id string) bool {
	return slices.ContainsFunc(r.Done, func(x Registration) bool { return x.RequestID == id })
}

// resumeOne sends one request again if it is its turn. The error may be an
// InputError: its content is not there.
func (d *holderDesk) resumeOne(ctx context.Context, c store.Cardholder, o ResumeOptions, given *holderInfo) (Registration, error) {
	r := Registration{Cardholder: c, Known: true}
	send, err := d.app.standing(&c, o.asking(given))
	if err != nil || !send {
		if !o.asking(given).named {
			err = nil // it is told with all that is open still
		}
		return r, err
	}
	info, err := d.app.contentOf(&c, given)
	if err != nil {
		if e := d.contentMissing(ctx, c, err); e != nil {
			return r, e
		}
		return r, err
	}
	defer clear(info.object)
	acct, _ := d.app.cfg.Account(c.Account)
	var standing error
	if err := d.st.UpdateDurably(ctx, func(t *store.Tx) error {
		// A person may have closed it meanwhile, or the list told what became of it.
		have, ok, err := t.Cardholder(c.RequestID)
		if err != nil {
			return err
		}
		if ok {
			c = have
		}
		if send, standing = d.app.standing(&c, o.asking(given)); !send {
			return nil
		}
		if info.file != "" {
			c.InfoFile = info.file
		}
		d.claim(&c)
		return t.SaveCardholder(c)
	}); err != nil {
		return r, withCode(err)
	}
	if r.Cardholder = c; !send {
		if !o.asking(given).named {
			standing = nil
		}
		return r, standing
	}
	r, err = d.send(ctx, c, acct, info, false)
	r.Known, r.Bytes = true, len(info.object)
	return r, err
}

// stillOpen makes an error of what is open after a resume.
func stillOpen(still []store.Cardholder, trouble []error, zone *time.Location) error {
	if len(still) == 0 && len(trouble) == 0 {
		return nil
	}
	v := &Verdict{Code: 3}
	for i := range still {
		if still[i].State == store.HolderRefused && refusesUs(&still[i]) {
			v.Code = 4
		}
	}
	if len(trouble) > 0 {
		v.Reason = trouble[0].Error()
		var h interface{ Hint() string }
		if errors.As(trouble[0], &h) {
			v.Advice = h.Hint()
		}
	} else {
		var one *Verdict
		if errors.As(verdictOn(&still[0], zone), &one) {
			v.Reason, v.Advice = one.Reason, one.Advice
		}
	}
	if n := len(still); n > 1 {
		v.Reason = fmt.Sprintf("%d requests for cardholders are open; %s", n, v.Reason)
	}
	return v
}
