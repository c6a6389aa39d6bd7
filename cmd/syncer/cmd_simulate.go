package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/config"
)

func newSimulateCmd(g *globals) *cobra.Command {
	o := app.SimulateOptions{}
	var since string
	var faults []string
	cmd := &cobra.Command{
		Use:     "simulate",
		Short:   "Serve the built-in simulator of the API",
		GroupID: groupSetup,
		Long: `Serve the simulator of the API on a port of this machine, until stopped: signed,
paged, with a history that lives. It prints the settings a client needs. Keys
are made anew in --dir unless they are there already.

Faults come at random, each with its probability: --fault u=0.1 answers one
request in ten with an unknown outcome. There are ` + strings.Join(app.FaultNames(), ", ") + `.`,
		Example: `  syncer simulate --port 8400
  syncer simulate --port 8400 --bills-per-day 200 --latency 50ms --fault u=0.02 --fault drop=0.05 --drift 0.01`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if since != "" {
				d, err := config.ParseDate(since)
				if err != nil {
					return usagef("", "--since: %v", err)
				}
				o.Since = d.Midnight(time.FixedZone("+08:00", 8*3600))
			}
			for _, f := range faults {
				if err := o.AddFault(f); err != nil {
					return usagef("such as --fault u=0.1; there are "+strings.Join(app.FaultNames(), ", "), "--fault %s: %v", f, err)
				}
			}
			if o.Drift < 0 || o.Drift > 1 {
				return usagef("", "--drift %g: a probability is 0 to 1", o.Drift)
			}
			if o.Port < 0 || o.Port > 65535 {
				return usagef("0 takes a free port", "--port %d: 0 to 65535", o.Port)
			}
			if !o.OAuth && (o.Customer != "" || o.TokenLife != 0 || o.Rotate) {
				return usagef("", "--customer, --token-life and --rotate go with --oauth")
			}
			if o.TokenLife < 0 {
				return usagef("", "--token-life must not be negative")
			}
			if o.Latency < 0 || o.BillsPerDay <= 0 || o.Cards <= 0 {
				return usagef("", "--latency must not be negative, --bills-per-day and --cards must be above 0")
			}
			o.Log, o.Now = g.log, g.now
			return app.Simulate(cmd.Context(), o, func(s app.SimulatorSettings) error {
				if g.json {
					return g.printJSON(s)
				}
				return g.print(fmt.Sprintf(`the simulator listens on %[1]s; stop it with Ctrl-C

# settings for a client: put them into config.toml
[api]
base_url = "%[1]s"
client_id = "%[2]s"
private_key_file = "%[3]s"
server_public_key_file = "%[4]s"
%[5]s`, s.BaseURL, s.ClientID, s.PrivateKeyFile, s.ServerPublicKeyFile, grantText(s, o)))
			})
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Port, "port", 8400, "`PORT` of 127.0.0.1; 0: a free one")
	f.StringVar(&o.Dir, "dir", "simulator-keys", "`FOLDER` for the keys")
	f.Uint64Var(&o.Seed, "seed", 1, "`NUMBER` that decides the history")
	f.Float64Var(&o.BillsPerDay, "bills-per-day", 9, "how many, on average")
	f.IntVar(&o.Cards, "cards", 6, "how many cards a customer has")
	f.StringVar(&since, "since", "", "first `DATE` of the history (default 2020-01-01)")
	f.DurationVar(&o.Latency, "latency", 0, "waited before each answer")
	f.StringArrayVar(&faults, "fault", nil, "`KIND=PROBABILITY`, repeatable")
	f.Float64Var(&o.Drift, "drift", 0, "`PROBABILITY` that a request finds the list changed under it")
	f.Uint64Var(&o.FaultSeed, "fault-seed", 1, "`NUMBER` that decides when faults and drift come")
	f.IntVar(&o.MaxPageSize, "max-page-size", 0, "give no more bills a page than that, whatever is asked")
	f.IntVar(&o.MaxCount, "max-count", 0, "list and count no more bills than that")
	f.BoolVar(&o.Ascending, "ascending", false, "oldest bill first")
	f.StringVar(&o.Notify, "notify", "", "send bill notifications to this `URL`, such as http://127.0.0.1:8090/notify/bill")
	f.DurationVar(&o.Review, "review", 10*time.Minute, "how long the review of a cardholder takes; below 0: it ends at once")
	f.BoolVar(&o.NoRepeats, "refuse-repeats", false, "refuse a cardholder's request id that comes again, instead of answering as before")
	f.BoolVar(&o.Unsigned, "unsigned", false, "do not sign the answers")
	f.BoolVar(&o.OAuth, "oauth", false, "a customer has granted access: print the code, and demand access tokens")
	f.StringVar(&o.Customer, "customer", "", "with --oauth: the customer's connected `ID` (default: none is sent)")
	f.DurationVar(&o.TokenLife, "token-life", 0, "with --oauth: how long an access token lives (default 720h)")
	f.BoolVar(&o.Rotate, "rotate", false, "with --oauth: a refresh token works once")
	return cmd
}

// grantText is what a client needs for the tokens of the grant.
func grantText(s app.SimulatorSettings, o app.SimulateOptions) string {
	if s.AuthCode == "" {
		return ""
	}
	customer := ""
	if o.Customer != "" {
		customer = fmt.Sprintf("connected_customer_id = %q\n", o.Customer)
	}
	return fmt.Sprintf(`[[account]]
name = "main"
%[2]saccess_token_file = "main.token"

# the customer has granted access; within 10 minutes:
#   echo '%[1]s' | syncer token apply --auth-code-file -
`, s.AuthCode, customer)
}
