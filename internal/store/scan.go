package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// timeLayout is how times travel to both databases: PostgreSQL reads it as any
// of its time types, SQLite keeps it as the text it is.
const timeLayout = "2006-01-02T15:04:05.000Z"

// stamp is a time that may be NULL, which is the zero time.
type stamp struct{ time.Time }

func (s stamp) Value() (driver.Value, error) {
	if s.IsZero() {
		return nil, nil
	}
	return s.UTC().Format(timeLayout), nil
}

func (s *stamp) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		s.Time = time.Time{}
	case time.Time:
		s.Time = v.UTC()
	case string:
		return s.parse(v)
	case []byte:
		return s.parse(string(v))
	default:
		return fmt.Errorf("scan time: unexpected %T", src)
	}
	return nil
}

func (s *stamp) parse(text string) (err error) {
	// The site's own rows may lack the zone or the fraction.
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		if s.Time, err = time.Parse(layout, text); err == nil {
			s.Time = s.UTC()
			return nil
		}
	}
	return fmt.Errorf("scan time: %w", err)
}

// text is a string whose empty value is NULL.
type text string

func (t text) Value() (driver.Value, error) {
	if t == "" {
		return nil, nil
	}
	return string(t), nil
}

func (t *text) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*t = ""
	case string:
		*t = text(v)
	case []byte:
		*t = text(v)
	default:
		*t = text(fmt.Sprint(v))
	}
	return nil
}

// document is a value kept as JSON; its zero value is NULL.
type document[T any] struct{ V T }

func doc[T any](v T) document[T] { return document[T]{v} }

func (d document[T]) Value() (driver.Value, error) {
	b, err := json.Marshal(d.V)
	if err != nil {
		return nil, fmt.Errorf("encode document: %w", err)
	}
	if s := string(b); s != "null" {
		return s, nil
	}
	return nil, nil
}

func (d *document[T]) Scan(src any) error {
	var zero T
	d.V = zero
	switch v := src.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(v), &d.V)
	case []byte:
		return json.Unmarshal(v, &d.V)
	default:
		return fmt.Errorf("scan document: unexpected %T", src)
	}
}

// uuidList is posts.tag_ids: uuid[] in PostgreSQL, its literal as text in SQLite.
type uuidList []string

func (l uuidList) Value() (driver.Value, error) {
	return "{" + strings.Join(l, ",") + "}", nil
}

func (l *uuidList) Scan(src any) error {
	var t text
	if err := t.Scan(src); err != nil {
		return err
	}
	*l = nil
	if inner := strings.Trim(string(t), "{}"); inner != "" {
		*l = strings.Split(inner, ",")
	}
	return nil
}
