package desk_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestAPageIsToldToLookAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.draft("d-1", "A lighthouse", nil)
	server := httptest.NewServer(w.desk)
	t.Cleanup(server.Close)
	req, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/desk/live?topic="+id, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	heard := func(want string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == want {
				return
			}
		}
		t.Fatalf("the stream ended without %q: %v", want, lines.Err())
	}
	heard("data: connected")
	w.ask(id, 1)
	heard("data: changed")
}
