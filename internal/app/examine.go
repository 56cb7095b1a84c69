package app

import "context"

// Unlimited lists the time-outs that do not hold for this connection. SQLite has
// its own, which nobody between can swallow.
func (r *Rows) Unlimited(ctx context.Context) (missing []string, err error) {
	if r.Dialect() != "postgres" {
		return nil, nil
	}
	for _, name := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		var value string
		if err := r.DB().GetContext(ctx, &value, `SELECT current_setting($1)`, name); err != nil {
			return nil, err
		}
		if value == "0" {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

// Paused implements [doctor.Redis].
func (r redisServer) Paused(ctx context.Context) (names []string, err error) {
	queues, err := r.Conditions(ctx)
	for _, q := range queues {
		if q.Paused {
			names = append(names, q.Name)
		}
	}
	return names, err
}
