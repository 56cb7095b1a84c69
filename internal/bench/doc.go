// Package bench holds no code but tests: the figures of DESIGN's section 12,
// each beside its floor, a bare program that does the same input and output
// with the same clients and nothing else. "make bench" prints them as one
// table; docs/bench.md keeps the last one with what profiles say about it.
//
// Ours and the floor run in the same run, in turns, each in a process of its
// own, and the medians are compared, because machines differ and are shared.
// It deliberately asserts nothing: a missed goal is a line in the table.
//
// The trap is the client. It runs on the same cores, so whatever it costs is
// in both figures and brings them closer together; that is why it is not
// net/http's.
package bench
