// Package ratelimit bounds how often a caller calls, how often an address calls
// without saying who it is, and how often it sends wrong credentials.
//
// Requests are counted in whole minutes of the clock, so that a refusal can say
// exactly when to go on. Several processes share the counts through Redis: each
// takes requests from there in batches of a fiftieth of the limit and hands them
// out from memory, so that the limit holds for all of them together and one
// request in fifty costs a round trip. While Redis is away each process counts
// by itself. docs/decisions/rate-limits.md says why this is not a library.
//
// It deliberately does not limit what is long: an event stream is one request.
// The trap: an address is that of the nearest proxy that is not trusted; behind
// one that TRUSTED_PROXIES does not name, everybody has one address.
package ratelimit
