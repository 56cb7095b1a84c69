package worker_test

import (
	"database/sql/driver"
	"time"

	"modernc.org/sqlite"
)

// Claims run by the database's clock, and SQLite asks the system for it, past
// the clock of a synctest bubble. Its strftime is therefore replaced, in this
// test binary, by one that asks Go: {now} and {now+?} of package store are its
// only callers, and everything else about the database stays real.
func init() {
	sqlite.MustRegisterScalarFunction("strftime", -1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		now := time.Now().UTC()
		for _, modifier := range args[2:] {
			text, _ := modifier.(string)
			later, err := time.ParseDuration(trimSeconds(text))
			if err != nil {
				return nil, err
			}
			now = now.Add(later)
		}
		return now.Format("2006-01-02T15:04:05.000Z"), nil
	})
}

// trimSeconds turns SQLite's "-5.0 seconds" into Go's "-5.0s".
func trimSeconds(modifier string) string {
	const word = " seconds"
	if n := len(modifier) - len(word); n > 0 && modifier[n:] == word {
		return modifier[:n] + "s"
	}
	return modifier
}
