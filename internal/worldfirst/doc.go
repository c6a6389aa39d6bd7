// Package worldfirst is the client of WorldFirst's signed JSON API.
//
// A question to the provider goes down through layers, each an
// http.RoundTripper with one concern, and its answer comes up again:
//
//	QueryBillList   builds the body once, asks again where asking may help
//	gate            at most so many requests at once over the whole program
//	pace            evenly spaced requests, slower when the provider says so
//	deadline        the time limit of one try, to the last byte of its answer
//	signer          a fresh Request-Time and a signature over the bytes sent
//	recorder        counts, times and logs what is handed to the network
//	wholeBody       reads the answer to its end, under a limit of size
//	network         connections; no redirects, no compression
//
// Asking again stands above signing, so every try carries its own time and
// signature. The time limit stands below gate and pace, so that waiting for a
// turn never uses it up, and it covers the reading of the body, which happens
// inside the layers: when an answer leaves the gate, nothing of it is left on
// the network.
//
// What comes back is judged in one place, by one table (API §5, §6.3): result
// status S is decoded into package bill's words, everything else is a
// *bill.Failure. Nothing that is logged, returned or kept as evidence holds a
// full card number, a token or a whole signature.
//
// Facts about the provider are cited as "API §n".
package worldfirst
