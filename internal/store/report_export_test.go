package store

// The queries of reports, for tests that look at how they are done.
var (
	OpenBillsQuery   = openBills
	RefundsQuery     = refunds
	AccrualsQuery    = accruals
	ChangesQuery     = changes
	AdjustmentsQuery = adjustments
)
