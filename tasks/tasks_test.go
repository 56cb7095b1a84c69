package tasks_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/glad-labs/frontispiece/tasks"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The wire form is what running workers understand: a change to the golden file
// is a change that an older worker meets during a deploy.
func TestPayloadWireForm(t *testing.T) {
	t.Parallel()
	p := tasks.NewPayload("0197f3a0-0000-7000-8000-000000000001", 3)
	got := p.Encode()
	const golden = "testdata/payload.golden.json"
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("payload is %s, want %s", got, want)
	}
	if id := p.TaskID(); id != "0197f3a0-0000-7000-8000-000000000001.3" {
		t.Errorf("task id is %s", id)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     tasks.Payload
		version  bool
		bad      bool
	}{
		{name: "ours", in: `{"v":1,"id":"a","epoch":2}`, want: tasks.Payload{Version: 1, ID: "a", Epoch: 2}},
		{name: "with a member of a later version", in: `{"v":1,"id":"a","epoch":2,"new":true}`, want: tasks.Payload{Version: 1, ID: "a", Epoch: 2}},
		{name: "from a newer program", in: `{"v":2,"id":"a","epoch":2}`, version: true},
		{name: "from a newer program that renamed everything", in: `{"v":7}`, version: true},
		{name: "without a version", in: `{"id":"a","epoch":2}`, bad: true},
		{name: "without an id", in: `{"v":1,"epoch":2}`, bad: true},
		{name: "with an epoch before the first", in: `{"v":1,"id":"a","epoch":-1}`, bad: true},
		{name: "cut off", in: `{"v":1,"id":"a`, bad: true},
		{name: "empty", in: ``, bad: true},
		{name: "another JSON value", in: `[1]`, bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tasks.Decode([]byte(tt.in))
			switch {
			case tt.version != errors.Is(err, tasks.ErrVersion):
				t.Errorf("Decode(%s) = %v, want ErrVersion %v", tt.in, err, tt.version)
			case tt.bad && err == nil:
				t.Errorf("Decode(%s) took it", tt.in)
			case !tt.bad && !tt.version && (err != nil || got != tt.want):
				t.Errorf("Decode(%s) = %+v, %v; want %+v", tt.in, got, err, tt.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"v":1,"id":"a","epoch":2}`))
	f.Add([]byte(`{"v":1e400}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := tasks.Decode(b)
		if err != nil {
			return
		}
		again, err := tasks.Decode(p.Encode())
		if err != nil || again != p {
			t.Fatalf("%+v does not survive a round trip: %+v, %v", p, again, err)
		}
	})
}

func TestSpoolOf(t *testing.T) {
	t.Parallel()
	for queue, want := range map[string]string{
		tasks.UploadQueue("0af1"): "0af1", tasks.QueueGenerate: "", tasks.QueueBackfill: "", "uploads": "",
	} {
		if got, ok := tasks.SpoolOf(queue); ok != (want != "") || ok && got != want {
			t.Errorf("SpoolOf(%q) = %q, %v; want %q", queue, got, ok, want)
		}
	}
}

func ExamplePayload() {
	p := tasks.NewPayload("0197f3a0-0000-7000-8000-000000000001", 1)
	fmt.Println(p.TaskID())
	fmt.Println(string(p.Encode()))
	// Output:
	// 0197f3a0-0000-7000-8000-000000000001.1
	// {"v":1,"id":"0197f3a0-0000-7000-8000-000000000001","epoch":1}
}
