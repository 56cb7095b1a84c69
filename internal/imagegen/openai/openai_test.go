package openai_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/imagegentest"
	"github.com/glad-labs/frontispiece/internal/imagegen/importer"
	"github.com/glad-labs/frontispiece/internal/imagegen/openai"
)

// standIn is an images API as strict as the real ones: the official models
// refuse parameters and sizes that they do not have.
type standIn struct {
	picture []byte
	link    func(r *http.Request) string // answers a link instead of the picture

	mu     sync.Mutex
	bodies []map[string]any
}

var sizes = map[string]string{
	"gpt-image-1": "auto 1024x1024 1536x1024 1024x1536", "dall-e-2": "256x256 512x512 1024x1024", "dall-e-3": "1024x1024 1792x1024 1024x1792",
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, message string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"message":%q,"type":"invalid_request_error","param":null,"code":null}}`, message)
	}
	switch {
	case r.Header.Get("Authorization") != "Bearer "+imagegentest.Secret:
		refuse(http.StatusUnauthorized, "Incorrect API key provided")
	case r.URL.Path == "/generated-images/a b.png":
		w.Write(s.picture)
	case r.URL.Path == "/v1/models":
		io.WriteString(w, `{"object":"list","data":[]}`)
	case r.URL.Path == "/v1/images/generations" && r.Method == http.MethodPost:
		s.generate(w, r, refuse)
	default:
		http.NotFound(w, r)
	}
}

func (s *standIn) generate(w http.ResponseWriter, r *http.Request, refuse func(int, string)) {
	var body map[string]any
	if json.NewDecoder(r.Body).Decode(&body) != nil || body["prompt"] == "" {
		refuse(http.StatusBadRequest, "no prompt")
		return
	}
	model, _ := body["model"].(string)
	_, hasFormat := body["response_format"]
	if strings.HasPrefix(model, "gpt-image") && hasFormat {
		refuse(http.StatusBadRequest, "Unknown parameter: 'response_format'.")
		return
	}
	if list, ok := sizes[model]; ok && !strings.Contains(" "+list+" ", fmt.Sprintf(" %v ", body["size"])) {
		refuse(http.StatusBadRequest, "Invalid value: size")
		return
	}
	s.mu.Lock()
	s.bodies = append(s.bodies, body)
	s.mu.Unlock()
	item := map[string]any{"revised_prompt": "a mill"}
	if s.link != nil {
		item["url"] = s.link(r)
	} else {
		item["b64_json"] = base64.StdEncoding.EncodeToString(s.picture)
	}
	json.NewEncoder(w).Encode(map[string]any{"created": 1, "data": []any{item}, "size": body["size"], "usage": map[string]any{"total_tokens": 272}})
}

func (s *standIn) asked() (list []imagegentest.Asked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.bodies {
		a := imagegentest.Asked{Prompt: b["prompt"].(string)}
		fmt.Sscanf(b["size"].(string), "%dx%d", &a.Width, &a.Height)
		list = append(list, a)
	}
	return list
}

// anywhere is an importer that may dial loopback.
func anywhere() imagegen.Generator {
	return importer.NewWithControl(func(string, string, syscall.RawConn) error { return nil })
}

func newGenerator(t testing.TB, rawURL, settings string, fetcher imagegen.Generator) *openai.Generator {
	t.Helper()
	g, err := openai.New(rawURL+settings, imagegentest.Secret, fetcher)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestConformance(t *testing.T) {
	t.Parallel()
	own := func(*http.Request) string { return "/generated-images/a%20b.png" }
	for _, dialect := range []struct {
		name, settings string
		link           func(*http.Request) string
		width, height  int
		column         string
	}{
		{"gpt-image", "/v1?model=gpt-image-1&quality=low", nil, 1536, 1024, "openai gpt-image"},
		{"dall-e", "/v1/?model=dall-e-3", nil, 1792, 1024, "openai dall-e"},
		{"stable-diffusion.cpp, no path", "", nil, 768, 512, "openai sd.cpp"},
		{"LocalAI, a link to itself", "/v1?model=flux.1-dev", own, 768, 512, "openai LocalAI"},
	} {
		t.Run(dialect.name, func(t *testing.T) {
			t.Parallel()
			imagegentest.Run(t, imagegentest.Harness{
				New: func(t testing.TB, rawURL string) imagegen.Generator {
					return newGenerator(t, rawURL, dialect.settings, nil)
				},
				Start: func(_ testing.TB, picture []byte) *imagegentest.StandIn {
					s := &standIn{picture: picture, link: dialect.link}
					return &imagegentest.StandIn{Handler: s, Asked: s.asked}
				},
				Want: func(req imagegen.Request) imagegentest.Asked {
					return imagegentest.Asked{Prompt: req.Prompt, Width: dialect.width, Height: dialect.height}
				},
				Column: dialect.column,
			})
		})
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		model string
		w, h  int
		want  any
	}{
		{"gpt-image-1", 1200, 630, "1536x1024"},
		{"gpt-image-1-mini", 1080, 1920, "1024x1536"},
		{"gpt-image-1.5", 800, 800, "1024x1024"},
		{"dall-e-3", 1200, 630, "1792x1024"},
		{"dall-e-3", 1000, 1000, "1024x1024"},
		{"dall-e-2", 200, 200, "256x256"},
		{"dall-e-2", 300, 200, "256x256"},
		{"dall-e-2", 600, 600, "1024x1024"},
		{"dall-e-2", 4000, 4000, "1024x1024"},
		{"gpt-image-2", 1200, 630, "1200x640"},
		{"gpt-image-2", 256, 256, "816x816"},
		{"gpt-image-2", 9000, 1000, "3008x1008"},
		{"gpt-image-2", 100, 4000, "480x1408"},
		{"gpt-image-2-2026-04-21", 8000, 8000, "2160x2160"},
		{"sd-cpp-local", 1200, 630, "1200x630"},
		{"", 512, 512, "512x512"},
		{"gpt-image-1", 0, 0, nil},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.model, tt.w, "x", tt.h), func(t *testing.T) {
			t.Parallel()
			var body map[string]any
			srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { json.NewDecoder(r.Body).Decode(&body) }))
			defer srv.Close()
			g := newGenerator(t, srv.URL, "/v1?model="+tt.model, nil)
			if _, err := g.Generate(t.Context(), imagegen.Request{Prompt: "x", Width: tt.w, Height: tt.h}); err == nil {
				t.Error("an empty answer is taken for a picture")
			}
			if body["size"] != tt.want {
				t.Errorf("size = %v, want %v", body["size"], tt.want)
			}
		})
	}
}

func TestTheRequestAndWhatIsRecorded(t *testing.T) {
	t.Parallel()
	s := &standIn{picture: imagegentest.PNG()}
	srv := httptest.NewServer(s)
	defer srv.Close()
	g := newGenerator(t, srv.URL, "/v1?model=gpt-image-1&quality=low", nil)
	req := imagegentest.Request()
	req.Prompt = `Subject: a cat <sd_cpp_extra_args>{"steps":150}</sd_cpp_extra_args> | ugly`
	got, err := g.Generate(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	wantBody := []map[string]any{{"model": "gpt-image-1", "prompt": "a cat, ugly", "n": 1.0, "size": "1536x1024", "quality": "low"}}
	if diff := cmp.Diff(wantBody, s.bodies); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	want := imagegen.Result{
		Bytes: imagegentest.PNG(), Seed: req.Seed, Model: "gpt-image-1",
		Params: map[string]any{"prompt": "a cat, ugly", "size": "1536x1024", "quality": "low", "revised_prompt": "a mill", "total_tokens": 272},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	const tr, te = editorial.Transient, editorial.Terminal
	tests := []struct {
		status int
		body   string
		class  editorial.Class
		code   string
	}{
		{400, `{"error":{"message":"Your request was rejected by the safety system.","type":"image_generation_user_error","code":"moderation_blocked"}}`, te, "moderation_blocked"},
		{400, `{"error":{"message":"no","type":"invalid_request_error","code":"content_policy_violation"}}`, te, "moderation_blocked"},
		{403, `{"error":"blocked by content policy"}`, te, "moderation_blocked"},
		{429, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}`, te, "no_credit"},
		{400, `{"error":{"message":"Billing hard limit has been reached","code":"billing_hard_limit_reached"}}`, te, "no_credit"},
		{429, `{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}`, tr, "rate_limited"},
		{400, `{"error":{"message":"Invalid size","code":400}}`, te, "refused"},
		{404, `{"error":{"message":"The model does not exist","code":"model_not_found"}}`, te, "not_found"},
		{500, `{"error":{"message":"refused by the safety system"}}`, tr, "unavailable"},
		{500, `{"error":"server_error","message":"out of memory"}`, tr, "unavailable"},
		{200, `{"error":{"message":"content policy"}}`, te, "moderation_blocked"},
		{200, `{"error":"backend crashed"}`, tr, "failed"},
		{200, `{"error":{}}`, tr, "failed"},
		{200, `{"error":null,"data":[]}`, tr, "no_picture"},
		{200, `{"data":[{"b64_json":"aGk="}]}`, tr, "bad_picture"},
		{200, `{"data":[{"b64_json":"!"}]}`, tr, "bad_picture"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status, tt.body), func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			}))
			defer srv.Close()
			_, err := newGenerator(t, srv.URL, "", nil).Generate(t.Context(), imagegentest.Request())
			e := imagegen.AsError(err)
			if e == nil || e.Class != tt.class || e.Code != tt.code || e.Message == "" {
				t.Errorf("error = %v, want %s %s", err, tt.class, tt.code)
			}
		})
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("another host is shown the key")
		}
		w.Write(imagegentest.PNG())
	}))
	defer files.Close()
	constant := func(link string) func(*http.Request) string { return func(*http.Request) string { return link } }
	tests := []struct {
		name    string
		link    func(*http.Request) string
		fetcher imagegen.Generator
		code    string // empty: the picture arrives
	}{
		{"to itself", func(r *http.Request) string { return "http://" + r.Host + "/generated-images/a%20b.png?x=1" }, nil, ""},
		{"to itself, relative", constant("/generated-images/a%20b.png"), nil, ""},
		{"to itself, missing", constant("/generated-images/c.png"), nil, "not_found"},
		{"to another host", constant(files.URL + "/x.png?sig=1"), anywhere(), ""},
		{"to another host without a fetcher", constant(files.URL), nil, "other_host"},
		{"to a private address", constant(files.URL), importer.New(), "private_address"},
		{"to the metadata service", constant("http://169.254.169.254/latest"), importer.New(), "private_address"},
		{"with a password", func(r *http.Request) string { return "http://u:p@" + r.Host + "/generated-images/a%20b.png" }, nil, "bad_link"},
		{"that is none", constant("http://[::1"), anywhere(), "bad_link"},
		{"to a file", constant("file:///etc/passwd"), anywhere(), "bad_url"},
		{"that holds the picture", constant("data:image/png;base64," + base64.StdEncoding.EncodeToString(imagegentest.PNG())), nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { // not parallel: the files' server ends with this test
			s := &standIn{picture: imagegentest.PNG(), link: tt.link}
			srv := httptest.NewServer(s)
			defer srv.Close()
			got, err := newGenerator(t, srv.URL, "/v1", tt.fetcher).Generate(t.Context(), imagegentest.Request())
			if tt.code == "" && (err != nil || len(got.Bytes) != len(imagegentest.PNG())) {
				t.Errorf("%d bytes, %v", len(got.Bytes), err)
			}
			if tt.code != "" && (err == nil || imagegen.AsError(err).Code != tt.code) {
				t.Errorf("error = %v, want %s", err, tt.code)
			}
		})
	}
}

// The picture is paid for when its link is followed: a host that went away in
// between costs an attempt.
func TestALinkThatLeadsNowhereCounts(t *testing.T) {
	t.Parallel()
	var srv *httptest.Server
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		srv.Listener.Close()
		w.Header().Set("Connection", "close")
		io.WriteString(w, `{"data":[{"url":"/x.png"}]}`)
	}))
	defer srv.Close()
	_, err := newGenerator(t, srv.URL, "", nil).Generate(t.Context(), imagegentest.Request())
	if e := imagegen.AsError(err); e == nil || e.Class != editorial.Transient || e.Unreachable {
		t.Errorf("error = %#v, want a transient one that counts", e)
	}
}

func TestNewAndHealth(t *testing.T) {
	t.Parallel()
	for rawURL, says := range map[string]string{
		"https://api.openai.com/v1?model=gpt-image-1": "OPENAI_API_KEY",
		"https://sk-key@api.openai.com/v1":            "model",
		"https://x/v1?colour=y":                       "colour",
		"x":                                           "http",
	} {
		if _, err := openai.New(rawURL, "", nil); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "sk-key") {
			t.Errorf("New(%q) = %v, want %q in it", rawURL, err, says)
		}
	}
	var key string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key = r.Header.Get("Authorization")
		w.WriteHeader(http.StatusNotFound)
	}))
	defer srv.Close()
	for user, want := range map[string]string{"": "", "sk-1@": "Bearer sk-1", ":sk-2@": "Bearer sk-2"} {
		g, err := openai.New(strings.Replace(srv.URL, "http://", "http://"+user, 1), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Health(context.WithoutCancel(t.Context())); err != nil || key != want {
			t.Errorf("Health with %q: %v, Authorization %q, want %q", user, err, key, want)
		}
	}
}
