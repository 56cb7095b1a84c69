// Package internal is Frontispiece. This comment is a guided tour of it, in the
// order in which a job travels; it holds no code.
//
// A request arrives at one of two faces of the same program: siteapi, the
// routes that the site's front ends have always called, or v1, the jobs API for
// new ones. Around both stands edge (request ids, limits, compression), and auth
// says who is calling. Neither face decides anything. They hand what was asked
// to dispatch, the only place where a row changes and a task is rung.
//
// dispatch speaks the language of editorial: job, image, draft, round, approval,
// post, and the table of which state may follow which. Its method Submit writes
// the job and its images through store, in one transaction, and only after the
// commit rings a bell in queue, which is asynq, configured. The task holds an id
// and nothing else; its wire form is package tasks at the top of the tree, so
// that other programs may ring too.
//
// A worker is woken. Package worker claims the row that the task names and asks
// imagegen's chain of generators (imagegen/card and its siblings, each in a
// folder of its own) for the picture. The answer is judged by picture, since a
// generator's word is not proof of a picture, and put into spool: a folder whose
// files are complete by their names. From here on the bytes are paid for, and
// the row says so.
//
// A second task uploads. picture strips what the file should not tell, says
// where it comes from and makes the smaller copies; blob puts them into a
// bucket (blob/s3 or blob/file); cdn fetches each back through the URL that
// readers will use and compares digests. Only then does dispatch.Stored say
// "stored", and in the same transaction it tries to publish.
//
// An editor's approval tries the same, from the other side: dispatch.Decide.
// Whichever comes last finds everything there and writes the post. Both lock
// the draft's row in draft_images first, which is why neither can miss the
// other.
//
// Whoever waits, waits in events: one subscription a process, fanned out in
// memory, with the row read again every few seconds in case a note was lost. How
// far a picture is stands on a board in the same package, kept in Redis alone:
// the one thing here that may be gone without anybody missing more than it.
//
// What if the process dies in between? dispatch.Reconcile reads the rows and
// rings whatever is due and nobody is working on. Redis may be empty at any
// moment; the rows are the truth and the queue is a doorbell.
//
// People look at the same rows. desk is the editors' pages, ops the operators',
// with asynq's own dashboard beside it; a button of theirs calls dispatch, as a
// request does. Whom a change concerns outside is written in its transaction
// (dispatch's deliveries) and told by webhook, as often as it takes.
//
// What nobody waits for is done by the operators' command: cli types it, repair
// plans and drives it (old posts mended, unused pictures deleted, one taken
// down), dispatch changes the rows, doctor says what is wrong. telemetry counts
// and traces all of it, and ratelimit keeps one caller from taking it all.
//
// app opens all of this in the order of need and is the only package that knows
// every implementation; config reads the environment and nothing else does;
// importrules holds the tree to this description.
package internal
