package ops

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"time"

	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/store"
)

//go:embed templates/page.html
var templates embed.FS

//go:embed static
var files embed.FS

var pageTemplate = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"age": age, "size": size, "short": short, "queueName": queueName, "isSpool": isSpool,
}).ParseFS(templates, "templates/page.html"))

func isSpool(name string) bool { return queueName(name) != name }

// data is what the template reads.
type data struct {
	View     View
	Version  string
	Theme    string // "light" or "dark" where somebody chose on the desk
	Level    Level
	Headline string
	Findings []Finding
	Stages   []stage
	Groups   []groupLine
	More     bool // the groups are of the newest only
	Troubles error
	Workers  []workerLine
	Queues   []queueLine
	Uploads  int    // failed uploads that a button retries
	Said     string // what the last button did
}

// stage is one card of the row of stages.
type stage struct {
	Name, Note string
	Count      int
	AtLeast    bool
	Oldest     string
	Level      Level
}

type workerLine struct {
	store.Worker
	Spool   store.Spool
	Alive   bool
	Seen    string
	Percent int
}

type queueLine struct {
	queue.Condition
	Oldest string
}

// Tab is the first of the dashboard's tabs in which this queue has something.
func (q queueLine) Tab() string {
	for _, tab := range []struct {
		name  string
		count int
	}{{"active", q.Active}, {"pending", q.Pending}, {"retry", q.Retry}, {"scheduled", q.Scheduled}, {"archived", q.Archived}} {
		if tab.count > 0 {
			return tab.name
		}
	}
	return "active"
}

// groupLine is a group with its times in words.
type groupLine struct {
	Group
	Newest string // ago
	Next   string // from now
}

func groupLines(v View, groups []Group) []groupLine {
	lines := make([]groupLine, len(groups))
	for i, g := range groups {
		lines[i] = groupLine{g, age(v.At.Sub(g.Sample.Failure.At)) + " ago", "now"}
		if wait := g.Next.Sub(v.At); wait >= time.Second {
			lines[i].Next = "in " + age(wait)
		}
	}
	return lines
}

// Later is how many tasks wait for a moment of their own.
func (q queueLine) Later() int { return q.Scheduled + q.Retry }

// High is where a budget's bar turns.
func (b Budget) High() float64 { return 0.8 * b.Limit }

// Stands is how much of a budget is used, in its unit.
func (b Budget) Stands() string {
	switch {
	case b.Unit == UnitUSD && b.Limit == 0:
		return fmt.Sprintf("$%.2f, without a cap", b.Used)
	case b.Unit == UnitUSD:
		return fmt.Sprintf("$%.2f of $%.2f", b.Used, b.Limit)
	default:
		return fmt.Sprintf("%.0f of %.0f %s", b.Used, b.Limit, b.Unit)
	}
}

func (o *Room) page(w http.ResponseWriter, r *http.Request) {
	v := o.Look(r.Context())
	d := data{View: v, Version: o.Version, Theme: theme(r), Said: said(r)}
	var troubles []store.Trouble
	if v.Rows == nil {
		troubles, d.Troubles = o.Rows.Troubles(r.Context(), maxTroubles)
	}
	groups := grouped(troubles)
	d.Groups, d.More = groupLines(v, groups), len(troubles) >= maxTroubles
	for _, g := range groups {
		if g.Failed {
			d.Uploads += g.Spooled
		}
	}
	d.Findings = o.judge(v, groups, troubles)
	d.Level, d.Headline = headline(d.Findings)
	d.Stages, d.Workers, d.Queues = stages(v, troubles), workerLines(v), queueLines(v)
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, d); err != nil {
		o.Fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(out.Bytes()) // a client that is gone
}

// theme is what the desk's menu keeps, so that both look alike.
func theme(r *http.Request) string {
	if c, err := r.Cookie("desk-theme"); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return ""
}

// maxSaid bounds what a link may have the page say.
const maxSaid = 200

// said is what the last button reported. It is a parameter, so that a redirect
// can carry it; the page shows it as text, and only after a button of ours:
// a link from elsewhere puts no words into the page's mouth.
func said(r *http.Request) string {
	text := r.URL.Query().Get("said")
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" || len(text) > maxSaid {
		return ""
	}
	return text
}

func headline(found []Finding) (Level, string) {
	broken := 0
	for _, f := range found {
		if f.Level == Broken {
			broken++
		}
	}
	switch {
	case broken > 0 && broken < len(found):
		return Broken, counted(broken, "thing needs you", "things need you") + fmt.Sprintf(", and %d can wait", len(found)-broken)
	case broken > 0:
		return Broken, counted(broken, "thing needs you", "things need you")
	case len(found) > 0:
		return Warning, "It works, with " + counted(len(found), "thing to look at", "things to look at")
	default:
		return Fine, "Everything works"
	}
}

func stages(v View, troubles []store.Trouble) []stage {
	waiting := map[string]int{}
	for _, t := range troubles {
		if !t.Failed {
			waiting[string(t.Failure.Stage)]++
		}
	}
	card := func(name string, s store.Standing, note string, limit time.Duration) stage {
		c := stage{Name: name, Count: s.Count, AtLeast: s.Count >= store.MaxCounted, Note: note, Level: Fine}
		if s.Count > 0 {
			c.Oldest = age(v.At.Sub(s.Oldest))
			if limit > 0 && v.At.Sub(s.Oldest) > limit {
				c.Level = Warning
			}
		}
		return c
	}
	again := func(stage string) string {
		if n := waiting[stage]; n > 0 {
			return counted(n, "is tried again after an error", "are tried again after an error")
		}
		return ""
	}
	failed := card("Failed", v.Survey.Failed, "", 0)
	if failed.Count > 0 {
		failed.Level = Warning
	}
	delivery := again("notify")
	if n := v.Survey.DeliveriesFailed.Count; n > 0 {
		delivery = counted(n, "was given up", "were given up")
	}
	return []stage{
		card("Queued", v.Survey.Queued, again("generate"), stuckQueued),
		card("Generating", v.Survey.Generating, "", stuckGenerating),
		card("Uploading", v.Survey.Uploading, again("upload"), stuckUploading),
		card("Approved, waiting", v.Survey.Approved, "", stuckApproved),
		card("Deliveries", v.Survey.DeliveriesPending, delivery, stuckDelivery),
		failed,
	}
}

func workerLines(v View) []workerLine {
	spools := map[string]store.Spool{}
	for _, s := range v.Spools {
		spools[s.ID] = s
	}
	lines := make([]workerLine, len(v.Workers))
	for i, w := range v.Workers {
		lines[i] = workerLine{Worker: w, Spool: spools[w.SpoolID], Alive: v.alive(w.SeenAt), Seen: age(v.At.Sub(w.SeenAt))}
		if q := lines[i].Spool.Quota; q > 0 {
			lines[i].Percent = int(100 * lines[i].Spool.Bytes / q)
		}
	}
	return lines
}

func queueLines(v View) []queueLine {
	lines := make([]queueLine, len(v.Queues))
	for i, q := range v.Queues {
		lines[i] = queueLine{Condition: q}
		if !q.Oldest.IsZero() {
			lines[i].Oldest = age(time.Since(q.Oldest))
		}
	}
	return lines
}

// static serves the page's style and its one script.
func static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := files.ReadFile(path.Join("static", path.Base(r.URL.Path)))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "private, max-age=300")
		http.ServeContent(w, r, path.Base(r.URL.Path), time.Time{}, bytes.NewReader(body))
	})
}
