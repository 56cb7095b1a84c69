// Package desk is the editors' pages: drafts that await a decision with their
// pictures as they arrive, one draft in full, published posts, and jobs. Pages
// are rendered here and work without JavaScript; the small modules in static
// add what only they can, which is keys, live updates and zooming.
//
// It decides nothing and writes no row: every button is a form that asks
// dispatch, and every page is read from the rows. It deliberately has no
// session of its own either; who is calling is auth's to say.
//
// The trap is promise P5. An approval here always names the picture that stands
// on the page, by id and digest, and never "the present one": a page may be an
// hour old. Whatever a conflict answers is shown on a fresh page together with
// everything that was typed.
package desk
