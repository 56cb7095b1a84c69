// Package editorial is the vocabulary and the rules of Frontispiece: jobs,
// images, drafts, rounds, approvals and posts, which state may follow which,
// and what a failure has to say about itself.
//
// It imports only the standard library, does no I/O and reads no clock, so
// every other package may depend on it and every rule in it is a table test.
// It deliberately knows nothing of SQL, Redis, HTTP or S3.
//
// The words mean one thing each, everywhere in the program: a job is the row a
// client asked for, a task the message that wakes a worker, an attempt one
// try, a draft a piece of content awaiting approval, a round the nth request
// for pictures for one draft, a candidate one of a round's pictures.
package editorial
