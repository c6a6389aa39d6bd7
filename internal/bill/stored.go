package bill

import "time"

// Stored is what the database holds of a stretch of bill time, as far as it can
// be compared with a count of the provider's.
type Stored struct {
	Live      int       // bills the provider listed when they were last looked for
	Withdrawn int       // bills it no longer lists
	ChangedAt time.Time // the latest change among them; zero if there are none
}
