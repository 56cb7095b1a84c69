package siteapi

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// columns reads a row of content_tasks whose columns differ between the site's
// versions, and whose types differ between the databases: a missing column and
// a NULL are both null.
type columns map[string]any

func (c columns) text(name string) *string {
	s, _ := c[name].(string)
	return orNull(s)
}

func (c columns) number(name string) *float64 {
	switch v := c[name].(type) {
	case nil:
		return nil
	case float64:
		return &v
	default:
		// PostgreSQL's NUMERIC travels as text.
		f, err := strconv.ParseFloat(fmt.Sprint(v), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil // JSON has no such numbers
		}
		return &f
	}
}

func (c columns) whole(name string) *int {
	f := c.number(name)
	if f == nil {
		return nil
	}
	n := int(*f)
	return &n
}

func (c columns) time(name string) *string {
	switch v := c[name].(type) {
	case time.Time:
		return isoTime(v)
	case string:
		return orNull(v)
	default:
		return nil
	}
}
