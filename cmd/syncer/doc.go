// Syncer reads World Card bills from the WorldFirst API into a database, and
// proves that none is missing.
//
//	syncer COMMAND [flags]
//
// Results go to standard output, everything else to standard error. The
// manual is in the program: "syncer help", "syncer help COMMAND", and the
// topics exit-codes, environment and sql.
package main
