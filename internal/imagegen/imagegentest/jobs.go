package imagegentest

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
)

var jobTests = []suiteTest{
	{"the id is told before the wait", testStartedFirst},
	{"an id that cannot be stored ends the call", testStartedFails},
	{"an interrupted job is resumed, not paid again", testResume},
	{"a job that the server forgot is asked for again", testForgotten},
	{"a restart in the middle of a job", testRestart},
	{"cancel stops the right job and no other", testCancel},
	{"cancel of what is not there", testCancelUnknown},
}

func testStartedFirst(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	b.Hold(true)
	var ids []string
	req := Request()
	req.Started = func(_ context.Context, id string) error {
		ids = append(ids, id)
		b.Hold(false)
		return nil
	}
	if _, err := b.gen.Generate(within(t), req); err != nil {
		t.Fatal(err)
	}
	if len(ids) != 1 || ids[0] == "" {
		t.Errorf("Started was called with %q, want one id", ids)
	}
}

func testStartedFails(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	b.Hold(true)
	broken := errors.New("the row is not ours")
	req := Request()
	req.Started = func(context.Context, string) error { return broken }
	_, err := b.gen.Generate(within(t), req)
	if !errors.Is(err, broken) {
		t.Errorf("error = %v, want Started's", err)
	}
	_ = failed(t, err)
}

// interrupted starts a job whose worker goes away, and returns its id.
func interrupted(t *testing.T, b *bench) string {
	t.Helper()
	b.Hold(true)
	ctx, cancel := context.WithCancel(within(t))
	var id string
	req := Request()
	req.Started = func(_ context.Context, got string) error {
		id = got
		cancel()
		return nil
	}
	if _, err := b.gen.Generate(ctx, req); !errors.Is(err, context.Canceled) {
		t.Fatalf("error = %v, want ctx's", err)
	}
	return id
}

func testResume(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	req := Request()
	req.ProviderJobID = interrupted(t, b)
	b.Hold(false)
	for range 2 { // the answer may be lost on our side, too
		got, err := b.gen.Generate(within(t), req)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes, PNG()) {
			t.Error("the resumed job answers another picture")
		}
	}
	if n := len(b.Asked()); n != 1 {
		t.Errorf("the picture was paid for %d times", n)
	}
}

func testForgotten(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	old := interrupted(t, b)
	b.Restart()
	b.Hold(false)
	var ids []string
	req := Request()
	req.ProviderJobID = old
	req.Started = func(_ context.Context, id string) error { ids = append(ids, id); return nil }
	if _, err := b.gen.Generate(within(t), req); err != nil {
		t.Fatal(err)
	}
	if len(ids) != 1 || len(b.Asked()) != 2 {
		t.Errorf("Started was told %q and the server was asked %d times, want one new id and two", ids, len(b.Asked()))
	}
}

func testRestart(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	b.Hold(true)
	calls := 0
	req := Request()
	req.Started = func(context.Context, string) error {
		if calls++; calls == 1 {
			b.Restart()
			b.Hold(false)
		}
		return nil
	}
	if _, err := b.gen.Generate(within(t), req); err != nil {
		t.Fatal(err)
	}
	if calls != 2 || len(b.Asked()) != 2 {
		t.Errorf("Started was called %d times and the server asked %d times, want 2 and 2", calls, len(b.Asked()))
	}
}

func testCancel(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	canceler, ok := b.gen.(imagegen.Canceler)
	if !ok {
		t.Fatal("a backend with jobs can cancel them")
	}
	b.Hold(true)
	run := func(image string) (id string, end chan error) {
		started, end := make(chan string, 1), make(chan error, 1)
		req := Request()
		req.ImageID = image
		req.Started = func(_ context.Context, id string) error { started <- id; return nil }
		go func() {
			_, err := b.gen.Generate(within(t), req)
			end <- err
			close(started)
		}()
		return <-started, end
	}
	ours, oursEnd := run("0192f0c1-7a2b-7c3d-8e4f-5a6b7c8d9e01")
	other, otherEnd := run("0192f0c1-7a2b-7c3d-8e4f-5a6b7c8d9e02")
	if ours == "" || ours == other {
		t.Fatalf("ids %q and %q", ours, other)
	}
	if err := canceler.Cancel(within(t), ours); err != nil {
		t.Fatalf("Cancel: %v", err)
	}
	if e := failed(t, <-oursEnd); e.Class != editorial.Canceled {
		t.Errorf("the stopped job ends with %v, want it canceled", e)
	}
	b.Hold(false)
	if err := <-otherEnd; err != nil {
		t.Errorf("the other job: %v", err)
	}
	if diff := cmp.Diff([]string{ours}, b.Canceled()); diff != "" {
		t.Errorf("stopped (-want +got):\n%s", diff)
	}
}

// What is over cannot be stopped, which is what the caller wanted.
func testCancelUnknown(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	canceler, ok := b.gen.(imagegen.Canceler)
	if !ok {
		t.Fatal("a backend with jobs can cancel them")
	}
	id := interrupted(t, b)
	b.Restart()
	if err := canceler.Cancel(within(t), id); err != nil {
		t.Errorf("Cancel of a job that the server forgot: %v", err)
	}
	if got := b.Canceled(); len(got) != 0 {
		t.Errorf("stopped %q", got)
	}
}
