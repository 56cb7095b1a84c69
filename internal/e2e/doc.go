// Package e2e holds no code, only tests of the built programs: cmd/api and
// cmd/worker as child processes, with real databases, a real Redis and a real
// S3 server, which are killed, cut off and filled up under them.
//
// One checker reads the database, the bucket and the jobs' history after every
// fault and names each promise that was broken (violations); it shares no code
// with the programs, and a test of its own shows that it sees each breach.
// What one function or one package does is deliberately not tested here.
//
// The trap: these tests wait far more than they compute, so TestMain runs more
// of them at once than there are cores. A test that burns CPU does not belong
// here.
package e2e
