// Command release builds what is given away: the three programs for each
// system as one archive, the list of what is in them (CycloneDX), and the
// checksums of it all. "make release" runs it.
//
// The same commit and the same compilers give the same bytes: Go is the one that
// go.mod's toolchain line names, fetched where it is not at hand, paths are
// trimmed, dates are the commit's, archives are written in order. With -twice it
// builds everything again from nothing, in another folder, and compares.
// It deliberately signs and uploads nothing.
//
// The trap is cgo: WebP needs a C compiler for the target, so only the archive
// for this machine's own Linux has it. The others make JPEG copies, and say so
// in --version and in the doctor.
package main
