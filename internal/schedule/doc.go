// Package schedule decides when work happens: by cron expressions, one job at a
// time, for as long as the process lives.
//
// A Runner is a queue of one. While a job runs, triggers of any job are noted,
// and each noted job runs once afterwards, however often it was triggered. A
// job that panics is logged and comes again at its next time. Between jobs the
// Runner sleeps until the next trigger or the next due retry, but never longer
// than a minute: the clock may have been set, or the machine been asleep.
package schedule
