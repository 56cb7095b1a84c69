package store

// For the test of the plan.
var (
	LookStatement = lookStatement
	LookArgs      = lookArgs
)

// SurveyQueries are the statements of a survey, for a look at their plans.
func SurveyQueries() []string {
	queries := make([]string, len(places))
	for i, p := range places {
		queries[i] = p.query
	}
	return queries
}
