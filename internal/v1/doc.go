// Package v1 is the jobs API for new front ends: /v1/jobs, /v1/drafts,
// /v1/posts and /v1/capabilities, with Problem Details, idempotency keys, long
// polls, event streams, an OpenAPI 3.1 description generated from the same Go
// types that are served, and documentation pages that need no network.
//
// It translates between HTTP and package dispatch and decides nothing itself:
// limits of a request are editorial's, what may follow what is dispatch's. It
// neither listens nor adds what every answer needs (request ids, compression,
// security headers, rate limits): that is package edge.
//
// The trap: huma reads a body under a read deadline and leaves it set. net/http
// watches the idle connection of a long poll, meets that deadline there and
// takes it for a client that hung up. Bodies are therefore read by [readBody],
// which lifts the deadline, and every operation forbids huma its own.
package v1
