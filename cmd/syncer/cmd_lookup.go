package main

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"billsync/internal/app"
)

// lookupFlags are the flags of lookup as they were given.
type lookupFlags struct {
	orderNo, cardNo, merchant string
	statuses, budgets         []string
	from, to, account         string
	limit                     int
}

func newLookupCmd(g *globals) *cobra.Command {
	var f lookupFlags
	cmd := &cobra.Command{
		Use:     "lookup",
		Short:   "Ask the API now, and show the answer beside what is stored",
		GroupID: groupLook,
		Long: `Ask the API live and show each bill beside what is stored of it: the same,
different (in what, and what is stored), or not stored; and below, the stored
bills that the API did not list. Nothing is written.

Days are in the [sync] timezone, both included. Without them an order that is
stored is asked for around its bills, a day either side; everything else from
history_start to now. What is shown is no verdict: the exit code is 0 whenever
the API answered.`,
		Example: `  syncer lookup --order-no 20260814103000123456789012345
  syncer lookup --card-no 4242 --from 2026-08-01 --to 2026-08-31
  syncer lookup --merchant "example cloud" --status WAITING_CLEARANCE,WAITING_DEDUCT`,
		// An argument may be a part of a card number that was pasted with
		// blanks in it: it is not repeated.
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef(`put a name with blanks into quotes; "syncer lookup --help" shows what is allowed`, "lookup takes flags only, and was given something else")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.options(cmd)
			if err != nil {
				return err
			}
			a, cfg, err := g.app(cmd)
			if err != nil {
				return err
			}
			l, err := a.Lookup(cmd.Context(), o)
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			if l.Account == "" {
				return err // nothing was answered
			}
			if g.json {
				g.summed = true
				return errors.Join(g.printJSON(lookupJSON(&l, o, err)), err)
			}
			return errors.Join(g.print(g.lookupText(&l, o, cfg)), err)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.orderNo, "order-no", "", "bills of this order `NUMBER`")
	fs.StringVar(&f.cardNo, "card-no", "", "bills of cards with these last four `DIGITS`, never more of the number")
	fs.StringVar(&f.merchant, "merchant", "", "bills of merchants with this `NAME`, or a part of it if the API takes one")
	fs.StringSliceVar(&f.statuses, "status", nil, "bills in this `STATUS`, such as WAITING_CLEARANCE; repeatable, or with commas")
	fs.StringVar(&f.from, "from", "", "first `DATE`")
	fs.StringVar(&f.to, "to", "", "last `DATE`")
	fs.StringSliceVar(&f.budgets, "budget-account", nil, "bills paid from this budget account `ID`; repeatable, or with commas")
	fs.StringVar(&f.account, "account", "", "whose bills: the `NAME`, needed if there are several accounts")
	fs.IntVar(&f.limit, "limit", 200, "show so many bills at most")
	g.completeAccounts(cmd)
	if err := cmd.RegisterFlagCompletionFunc("status", cobra.FixedCompletions(app.DocumentedStatuses(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // a flag of that name is missing
	}
	return cmd
}

var lastFour = regexp.MustCompile(`^[0-9]{4}$`)

// options checks the flags and returns what they mean.
func (f *lookupFlags) options(cmd *cobra.Command) (app.LookupOptions, error) {
	o := app.LookupOptions{Account: f.account, CardLast4: f.cardNo, Limit: f.limit}
	if cmd.Flags().Changed("card-no") && !lastFour.MatchString(f.cardNo) {
		// Whatever was given may be a full number: it is neither shown nor sent.
		return o, usagef("give those alone, such as --card-no 4242; a full number is neither needed nor sent", "--card-no takes the last four digits of the card and nothing else")
	}
	var err error
	if o.From, o.To, err = dates(f.from, f.to); err != nil {
		return o, err
	}
	for _, x := range []struct {
		flag   string
		values []string
		set    func([]string)
	}{
		{"order-no", []string{f.orderNo}, func(v []string) { o.OrderNo = v[0] }},
		{"merchant", []string{f.merchant}, func(v []string) { o.Merchant = v[0] }},
		{"status", f.statuses, func(v []string) { o.Statuses = v }},
		{"budget-account", f.budgets, func(v []string) { o.BudgetAccounts = v }},
	} {
		if !cmd.Flags().Changed(x.flag) {
			continue
		}
		if len(x.values) == 0 {
			x.values = []string{""} // what is left of an empty list
		}
		values := make([]string, len(x.values))
		for i, v := range x.values {
			if values[i] = strings.TrimSpace(v); values[i] == "" {
				return o, usagef("leave it out to look for all", "--%s is empty", x.flag)
			}
			if len(v) > 256 || strings.ContainsFunc(v, unicode.IsControl) {
				return o, usagef("", "--%s: at most 256 characters, none of them a control character", x.flag)
			}
		}
		x.set(values)
	}
	for i, s := range o.Statuses {
		if up := strings.ToUpper(s); slices.Contains(app.DocumentedStatuses(), up) {
			o.Statuses[i] = up // others are asked for as they are: the list is open
		}
	}
	return o, nil
}
