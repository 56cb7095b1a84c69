package store

// For the test of the plan.
var (
	LookStatement = lookStatement
	LookArgs      = lookArgs
)
