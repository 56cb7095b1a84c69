package ops

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/tasks"
)

// Level is how bad something is.
type Level string

// The levels.
const (
	Fine    Level = "fine"
	Warning Level = "warning" // it works; look at it today
	Broken  Level = "broken"  // somebody waits for nothing
)

// Finding is one thing that is wrong: what, why, and what to do.
type Finding struct {
	Level  Level
	What   string
	Why    string
	Do     string
	Button Button
}

// Button is what to press about a finding; none when Path is empty.
type Button struct {
	Path, Label string
	Fields      map[string]string
}

// How long a stage may take before somebody should look. Generating is slow on
// some machines, and uploads wait out an outage by themselves, so these ages are
// generous: the page says what is stuck and not what is busy.
const (
	stuckQueued     = 30 * time.Minute
	stuckGenerating = time.Hour
	stuckUploading  = 15 * time.Minute
	stuckApproved   = time.Hour
	stuckDelivery   = 15 * time.Minute
	spoolHigh       = 0.8 // of the quota
)

// judge finds what is wrong, the worst first.
func (o *Room) judge(v View, groups []Group, troubles []store.Trouble) []Finding {
	var found []Finding
	add := func(when bool, f Finding) {
		if when {
			found = append(found, f)
		}
	}
	add(v.Rows != nil, Finding{
		Level: Broken, What: "The database does not answer", Why: "Nothing can be accepted, and what is below may be missing.",
		Do: "Run frontispiece doctor on this machine; it tries each part and says what to type next.",
	})
	add(v.Queue != nil, Finding{
		Level: Broken, What: "Redis does not answer", Why: "Jobs are accepted and wait; nothing is lost.",
		Do: "Bring Redis back: the workers ring whatever is due within seconds of it.",
	})
	if v.Rows == nil {
		failing := retrying(v, groups)
		found = append(found, failing...) // first: it is why spools fill
		found = append(found, workersMissing(v)...)
		found = append(found, o.spoolsMissing(v)...)
		found = append(found, stuck(v, len(failing) > 0)...)
	}
	found = append(found, paused(v)...)
	found = append(found, failing(groups, awayWith(v, troubles))...)
	found = append(found, generators(v)...)
	slices.SortStableFunc(found, func(a, b Finding) int { return rank(a.Level) - rank(b.Level) })
	return found
}

func rank(l Level) int {
	return map[Level]int{Broken: 0, Warning: 1}[l]
}

func workersMissing(v View) (found []Finding) {
	alive := 0
	for _, w := range v.Workers {
		if v.alive(w.SeenAt) {
			alive++
		}
		switch {
		case !v.alive(w.SeenAt):
		case w.UploadsPaused != "":
			found = append(found, Finding{
				Level: Broken, What: "Uploads are paused on " + w.Host, Why: sentence(w.UploadsPaused),
				Do: "Mend the bucket's configuration. The pictures wait in the spool, and uploads go on by themselves when a test upload works.",
			})
		case w.GeneratingPaused != "":
			found = append(found, Finding{
				Level: Warning, What: "Generating is paused on " + w.Host, Why: sentence(w.GeneratingPaused),
				Do: "It goes on by itself once that is over." + queuedBehind(v),
			})
		}
	}
	waiting := v.Survey.Queued.Count + v.Survey.Generating.Count + v.Survey.Uploading.Count
	if alive > 0 {
		return found
	}
	level, why := Warning, "Nothing waits for one at the moment."
	if waiting > 0 {
		level, why = Broken, counted(waiting, "picture waits", "pictures wait")+" and nobody works on them."
	}
	return append(found, Finding{Level: level, What: "No worker is running", Why: why, Do: "Start cmd/worker with the same DATABASE_URL and REDIS_URL as this API."})
}

// queuedBehind says what a pause holds up.
func queuedBehind(v View) string {
	if n := v.Survey.Queued.Count; n > 0 {
		return " Meanwhile " + counted(n, "picture waits", "pictures wait") + " in line."
	}
	return ""
}

func (o *Room) spoolsMissing(v View) (found []Finding) {
	for _, s := range v.Spools {
		silent := v.At.Sub(s.SeenAt)
		switch {
		case silent > o.SpoolLostAfter && s.Bytes > 0 && silent < 24*time.Hour:
			found = append(found, Finding{
				Level: Warning, What: "The disk of " + s.Host + " has been away for " + age(silent),
				Why: "What waited on it for upload is made again elsewhere, by itself. " + size(s.Bytes) + " were on it.",
				Do:  "Nothing, unless failed uploads were to be retried from it: bring spool " + short(s.ID) + " back for those.",
			})
		case silent > silentAfter && silent <= o.SpoolLostAfter && s.Bytes > 0:
			found = append(found, Finding{
				Level: Broken, What: "The disk of " + s.Host + " is away with " + size(s.Bytes) + " of finished pictures",
				Why: "No worker has been seen on spool " + short(s.ID) + " for " + age(silent) + ".",
				Do:  "Start a worker with that SPOOL_DIR. After " + age(o.SpoolLostAfter) + " of silence its pictures are made again elsewhere.",
			})
		case silent <= silentAfter && s.Quota > 0 && float64(s.Bytes) > spoolHigh*float64(s.Quota) && !v.pausedOn(s.ID):
			found = append(found, Finding{
				Level: Warning, What: "The spool on " + s.Host + " is nearly full",
				Why: size(s.Bytes) + " of " + size(s.Quota) + " wait for upload.",
				Do:  "See below why uploads fail, or raise SPOOL_QUOTA if the disk has room.",
			})
		}
	}
	return found
}

// pausedOn reports whether generating is paused for a spool, which says more
// than that it is nearly full.
func (v View) pausedOn(spool string) bool {
	return slices.ContainsFunc(v.Workers, func(w store.Worker) bool {
		return w.SpoolID == spool && v.alive(w.SeenAt) && w.GeneratingPaused != ""
	})
}

// noneGenerates reports whether something that is a finding of its own keeps
// everybody from generating: then what waits needs no other advice.
func (v View) noneGenerates() bool {
	paused := slices.ContainsFunc(v.Queues, func(q queue.Condition) bool { return q.Name == tasks.QueueGenerate && q.Paused })
	return paused || !slices.ContainsFunc(v.Workers, func(w store.Worker) bool { return v.alive(w.SeenAt) && w.GeneratingPaused == "" })
}

// stuck finds stages where the oldest has waited for too long, unless what is
// known already says why.
func stuck(v View, uploadsFail bool) (found []Finding) {
	ring := Button{Path: "/ops/reconcile", Label: "Reconcile now"}
	for _, s := range []struct {
		at     store.Standing
		limit  time.Duration
		one    string
		many   string
		do     string
		button Button
		known  bool
	}{
		{v.Survey.Queued, stuckQueued, "picture waits to be generated", "pictures wait to be generated", "If the workers are busy, add one or raise GENERATE_CONCURRENCY. If they are idle, reconcile.", ring, v.noneGenerates()},
		{v.Survey.Generating, stuckGenerating, "picture is being generated", "pictures are being generated", "See the generators below. A try that hangs ends at GENERATE_TIMEOUT by itself.", Button{}, false},
		{v.Survey.Uploading, stuckUploading, "picture waits to be uploaded", "pictures wait to be uploaded", "The errors below say why. Their bytes are safe in the spool, and they are tried again by themselves.", Button{}, uploadsFail},
		{v.Survey.DeliveriesPending, stuckDelivery, "delivery waits", "deliveries wait", "See whether the site answers at its address. They are tried again by themselves.", Button{}, false},
		{v.Survey.Approved, stuckApproved, "approved draft waits for its picture", "approved drafts wait for their pictures", "They are published by themselves when those are stored; retry what failed below.", Button{}, false},
	} {
		if s.known {
			continue
		}
		if waited := v.At.Sub(s.at.Oldest); s.at.Count > 0 && waited >= s.limit {
			found = append(found, Finding{
				Level: Warning, What: counted(s.at.Count, s.one, s.many), Why: "The oldest for " + age(waited) + ".", Do: s.do, Button: s.button,
			})
		}
	}
	return found
}

func paused(v View) (found []Finding) {
	for _, q := range v.Queues {
		if q.Paused {
			found = append(found, Finding{
				Level: Broken, What: "The queue " + queueName(q.Name) + " is paused",
				Why: "Somebody paused it in the dashboard. No worker takes anything from it; " + counted(q.Pending, "task waits", "tasks wait") + ".",
				Do:  "Resume it when the reason is gone.", Button: Button{"/ops/resume", "Resume", map[string]string{"queue": q.Name}},
			})
		}
	}
	return found
}

// awayWith says whose disks hold failed uploads and are away: to retry those is
// of no use before their worker is back. It is "" when all are there.
func awayWith(v View, troubles []store.Trouble) string {
	hosts := map[string]string{}
	for _, s := range v.Spools {
		if !v.alive(s.SeenAt) {
			hosts[s.ID] = s.Host
		}
	}
	away, failed, count := map[string]bool{}, 0, 0
	for _, t := range troubles {
		if !t.Failed || !t.Spooled {
			continue
		}
		failed++
		if host, ok := hosts[t.SpoolID]; ok {
			away[host] = true
			count++
		}
	}
	if count == 0 {
		return ""
	}
	which := counted(count, "of them is", "of them are")
	if failed == count {
		which = "All of them are"
		if count == 1 {
			which = "It is"
		}
	}
	return which + " on the disk of " + strings.Join(slices.Sorted(maps.Keys(away)), ", ") + ", which is away. "
}

func failing(groups []Group, away string) (found []Finding) {
	uploads, again := 0, 0
	for _, g := range groups {
		if g.Failed {
			uploads += g.Spooled
			again += g.Count - g.Spooled
		}
	}
	if uploads > 0 {
		found = append(found, Finding{
			Level: Broken, What: counted(uploads, "upload was", "uploads were") + " given up",
			Why:    "Their pictures are paid for and wait in the spool, for 30 days. " + away,
			Do:     doUploads(away),
			Button: Button{"/ops/retry", "Retry all failed uploads", map[string]string{"all": "uploads"}},
		})
	}
	if again > 0 {
		found = append(found, Finding{
			Level: Warning, What: counted(again, "picture", "pictures") + " could not be made",
			Why: "Every generator that may answer refused; the groups below say why.",
			Do:  "Mend the cause, then retry its group.",
		})
	}
	return found
}

// An upload that is tried again is nobody's business until it is more than a
// hiccup: so many at once, or one for so long.
const (
	manyRetries = 3
	longRetries = 2 * time.Minute
)

// retrying finds uploads that fail again and again, long before any is stuck:
// whoever looks wants to hear that the bucket is away, and that nothing is lost.
func retrying(v View, groups []Group) (found []Finding) {
	count, worst := 0, Group{}
	for _, g := range groups {
		if g.Failed || g.Stage != string(editorial.StageUpload) {
			continue
		}
		if count += g.Count; g.Count > worst.Count {
			worst = g
		}
	}
	waits := v.Survey.Uploading
	if count == 0 || count < manyRetries && v.At.Sub(waits.Oldest) < longRetries {
		return nil
	}
	level, what := Warning, counted(count, "upload fails and is tried again", "uploads fail and are tried again")
	if count >= waits.Count && v.At.Sub(waits.Oldest) >= longRetries {
		level, what = Broken, "No picture can be stored: "+what
	}
	return []Finding{{
		Level: level, What: what,
		Why: "The " + worst.Provider + " says: " + strings.TrimSuffix(worst.Sample.Failure.Message, ".") + ".",
		Do:  "Mend that; frontispiece doctor tries each step. The pictures are safe in the spool, and go on by themselves.",
	}}
}

func doUploads(away string) string {
	if away != "" {
		return "Start a worker on that disk first. Then retry: nothing is generated."
	}
	return "Retry them when the bucket works again: nothing is generated."
}

func generators(v View) (found []Finding) {
	up := 0
	for _, g := range v.Generators {
		if g.OK {
			up++
		}
	}
	for _, g := range v.Generators {
		if g.OK {
			continue
		}
		level, why := Warning, "Requests go to the next generator, and say so."
		if up == 0 {
			level, why = Broken, "No generator would take a request now; jobs wait for one."
		}
		do := "Start it, or correct its URL in GENERATORS."
		if g.Detail != "" {
			do = sentence(g.Detail)
		}
		found = append(found, Finding{Level: level, What: "The generator " + g.Name + " does not answer", Why: why, Do: do})
	}
	for _, b := range v.Budgets {
		if !b.Spent {
			continue
		}
		do := "It renews by itself."
		if b.Do != "" {
			do = b.Do
		}
		found = append(found, Finding{
			Level: Warning, What: "The budget for " + b.Name + " is spent",
			Why: b.Stands() + ". What it pays for is passed over, and every picture says so, or is refused.", Do: do,
		})
	}
	return found
}
