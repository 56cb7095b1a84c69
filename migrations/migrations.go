// Package migrations embeds the numbered migrations of both databases. The two
// folders hold the same numbers and end in the same columns; a test of package
// store compares them.
package migrations

import "embed"

//go:embed postgres/*.sql
var postgres embed.FS

//go:embed sqlite/*.sql
var sqlite embed.FS

// Postgres and SQLite return the migrations of each database, in a folder of
// the database's name.
func Postgres() embed.FS { return postgres }

// SQLite is Postgres' twin.
func SQLite() embed.FS { return sqlite }
