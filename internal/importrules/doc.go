// Package importrules holds no code, only the tests that keep the shape of the
// tree: which of our packages may import which, who may know which library, and
// how large a file may grow. It is DESIGN's section 3 as a table; a failure
// names the import and the rule, and a new package says there what it needs.
//
// It deliberately judges no style: that is the linter's. The trap: a rule that
// matches nothing passes silently, so every rule is also run on a made-up tree
// that breaks it.
package importrules
