package events_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/events"
)

var painting = editorial.Image{ID: "image-1", JobID: "job-1", DraftID: "draft-1", Claim: "claim-1"}

func percent(n int) *int { return &n }

var noTime = cmpopts.IgnoreFields(editorial.Progress{}, "At")

func TestProgressIsShownTwiceASecondAndForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, hub := hearing(t)
		elsewhere := hubOn(t, q)
		board := events.NewBoard(q.Redis(), hub)
		progress, row := elsewhere.Watch(events.ProgressOf("job-1")), elsewhere.Watch("job-1", "draft-1", "image-1", events.All)
		defer progress.Close()
		defer row.Close()
		report, end := board.Follow(t.Context(), painting)
		notes := 0
		for n := range 100 { // ten seconds of a talkative generator
			report(editorial.Progress{Generator: "sdcpp", Percent: percent(n), Stage: "generating", Step: n, Steps: 100})
			<-time.After(100 * time.Millisecond)
			if told(progress) {
				notes++
			}
		}
		if notes < 15 || notes > 20 {
			t.Errorf("%d notes in ten seconds, want about twenty and no more", notes)
		}
		if told(row) {
			t.Error("progress woke somebody who watches rows")
		}
		<-time.After(time.Second)
		want := map[string]editorial.Progress{"image-1": {Generator: "sdcpp", Percent: percent(99), Stage: "generating", Step: 99, Steps: 100}}
		got := board.Of(t.Context(), "image-1", "image-2")
		if diff := cmp.Diff(want, got, noTime); diff != "" {
			t.Errorf("Of (-want +got):\n%s", diff)
		}
		<-time.After(2 * time.Minute)
		if _, ok := board.Of(t.Context(), "image-1")["image-1"]; !ok {
			t.Error("the progress of a silent generator was forgotten while it works")
		}
		end()
		if got := board.Of(t.Context(), "image-1"); len(got) != 0 {
			t.Errorf("after the end there is still %v", got)
		}
	})
}

func TestAQuickPictureShowsNoProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, hub := hearing(t)
		board := events.NewBoard(q.Redis(), hub)
		w := hub.Watch(events.ProgressOf(events.All))
		defer w.Close()
		report, end := board.Follow(t.Context(), painting)
		report(editorial.Progress{Generator: "card", Stage: "generating"})
		<-time.After(400 * time.Millisecond)
		end()
		if told(w) || len(board.Of(t.Context(), "image-1")) != 0 {
			t.Error("a picture of 400 ms was shown")
		}
	})
}

// A worker that lost its claim stops late; what the next one shows stays.
func TestProgressOfTheNextWorkerStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, hub := hearing(t)
		board := events.NewBoard(q.Redis(), hub)
		report, endFirst := board.Follow(t.Context(), painting)
		report(editorial.Progress{Generator: "sdcpp", Stage: "first"})
		<-time.After(time.Second)
		next := painting
		next.Claim = "claim-2"
		report, endNext := board.Follow(t.Context(), next)
		report(editorial.Progress{Generator: "sdcpp", Stage: "second"})
		<-time.After(time.Second)
		endFirst()
		if got := board.Of(t.Context(), "image-1")["image-1"].Stage; got != "second" {
			t.Errorf("stage %q, want the next worker's", got)
		}
		endNext()
	})
}

// A preview is sent when it is new; until then the last one stands.
func TestThePreviewStands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, hub := hearing(t)
		board := events.NewBoard(q.Redis(), hub)
		report, end := board.Follow(t.Context(), painting)
		defer end()
		for i, step := range []struct {
			said editorial.Progress
			want string
		}{
			{editorial.Progress{Generator: "sdwebui", Preview: "data:1"}, "data:1"},
			{editorial.Progress{Generator: "sdwebui"}, "data:1"},
			{editorial.Progress{Generator: "card"}, ""}, // another generator began anew
		} {
			report(step.said)
			<-time.After(time.Second)
			if got := board.Of(t.Context(), "image-1")["image-1"].Preview; got != step.want {
				t.Errorf("report %d: preview %q, want %q", i, got, step.want)
			}
		}
	})
}

func TestProgressWithoutRedis(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, hub := hearing(t)
		board := events.NewBoard(q.Redis(), hub)
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		report, end := board.Follow(t.Context(), painting)
		for range 20 {
			report(editorial.Progress{Stage: "generating"})
			<-time.After(100 * time.Millisecond)
		}
		if got := board.Of(t.Context(), "image-1"); got != nil {
			t.Errorf("Of = %v, want nil", got)
		}
		end()
	})
}

func TestManyImagesAreOneLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, hub := hearing(t)
		board := events.NewBoard(q.Redis(), hub)
		var ids []string
		for n := range 40 {
			img := painting
			img.ID = fmt.Sprint("image-", n)
			ids = append(ids, img.ID)
			report, end := board.Follow(t.Context(), img)
			defer end()
			report(editorial.Progress{Stage: fmt.Sprint(n)})
		}
		<-time.After(time.Second)
		got := board.Of(t.Context(), ids...)
		if len(got) != len(ids) || got["image-7"].Stage != "7" {
			t.Errorf("Of %d images = %d", len(ids), len(got))
		}
		if board.Of(t.Context()) != nil {
			t.Error("Of no images is something")
		}
	})
}
