package auth

// Route says of one route who may call it. docs/api.md is made of these, and a
// test asks each whether it is so.
type Route struct {
	Section      string // of the page
	Method, Path string // as http.ServeMux has them; wildcards in braces
	Role         Role   // Nobody: public
	Summary      string // what it does, without a full stop
	MaxBody      int64  // bytes; 0: it takes none
	Jobs         bool   // it adds to the unfinished jobs, which are bounded
}
