// Package repair drives what mends a site and cleans up after it: the backfill
// of posts that lack a picture or a column, its undo, the reaper of pictures
// that nobody uses, and the takedown of one that nobody may see.
//
// It plans, asks, waits and deletes objects; what changes a row is dispatch's.
// Each of them may be stopped at any moment and run again, since the rows say
// how far it came. The trap is the order of a deletion: first the row that says
// nobody can choose the picture any more, then its objects, then the row that
// says they are gone.
package repair
