// Package soak is a model-based test of the whole program: nothing but tests.
//
// A seed is a life: a simulated provider with a few dozen bills, a database, a
// clock. Random steps change the source, the settings and the clock, let the
// API fail, move pages while they are read, and run the program, some of the
// runs as a process that is really killed. In half of the lives the provider
// also notifies the program of bills, between runs and during them, as they are
// and as they once were. After every step the database is held against a model
// of the source; at the end there is one quiet refresh, after which both are
// equal, and every state that was ever stored can still be read.
//
// What a seed does depends on the seed alone, but for the instant of a kill and
// the order in which concurrent requests arrive. A seed that fails is printed
// with its steps and with the command that runs it again:
//
//	go test ./internal/soak -run TestModel -first 17 -seeds 1
//
// "make soak" runs thousands.
package soak
