package e2e

import (
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/blob/blobtest"
	"github.com/glad-labs/frontispiece/internal/testenv"
)

// The seed's seven criteria of success, in its order, each seen once on real
// servers: PostgreSQL, Redis, an S3 server whose worker may only put, nginx with
// docker-compose's own configuration in the place of CloudFront, and Chromium.
// "make acceptance" prints what was seen.
func TestAcceptance(t *testing.T) {
	t.Parallel()
	s := startSite(t, plan{
		workers: 1, env: []string{"RENDITIONS=640,1280"},
		uploader: func(t testing.TB, gw blobtest.Gateway) blobtest.Gateway {
			uploader := gw.User(t, "uploader")
			grantModuleRights(t, gw, uploader.AccessKeyID, "*")
			return uploader
		},
		readers: startCache,
	})
	draft := s.newDraft("Why lighthouses blink")
	s.mustSubmit(fmt.Sprintf(`{"prompt":"A lighthouse at dawn","width":1536,"height":1024,"draft_id":%q}`, draft))
	s.approve(draft)
	s.awaitStatus(draft, "published", productionBound)
	r := s.check()
	r.wantAllStored(t)
	a := &acceptance{site: s}
	a.doctor()
	key, url := r.images[0].Key, r.images[0].URL
	a.inTheBucket(key)
	a.fromTheCache(url)
	a.row(url)
	a.page("why-lighthouses-blink")
	a.speed(url, s.gateway.Endpoint+"/"+s.gateway.Bucket+"/"+key)
	a.logs()
	a.table()
}

// acceptance collects what was seen.
type acceptance struct {
	*site
	rows []seen
}

type seen struct {
	criterion, what string
	ok              bool
}

func (a *acceptance) see(criterion string, ok bool, format string, args ...any) {
	a.t.Helper()
	a.rows = append(a.rows, seen{criterion, fmt.Sprintf(format, args...), ok})
	if !ok {
		a.t.Errorf("%s: %s", criterion, a.rows[len(a.rows)-1].what)
	}
}

func (a *acceptance) table() {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-4s %-48s %s\n", "", "the seed's criterion", "what was seen")
	for i, r := range a.rows {
		mark := "ok"
		if !r.ok {
			mark = "NO"
		}
		head := fmt.Sprintf("%d. %s", i+1, r.criterion)
		for line := range strings.SplitSeq(r.what, "\n") {
			fmt.Fprintf(&b, "%-4s %-48s %s\n", mark, head, line)
			mark, head = "", ""
		}
	}
	fmt.Fprintln(os.Stdout, b.String()) // the table is what make acceptance is for
}

// startCache is docker-compose's nginx, with addresses where that has names.
func startCache(t testing.TB, gw blobtest.Gateway) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testenv.Root(t), "deploy", "compose", "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	origin := strings.TrimPrefix(gw.Endpoint, "http://")
	return testenv.StartNginx(t, func(addr, dir string) string {
		config := string(b)
		for _, change := range [][2]string{
			{"/tmp/", dir + "/"}, // first: the folder's own path has it as well
			{"listen 8080;", "listen " + addr + ";"},
			{"http://s3:7070/frontispiece", gw.Endpoint + "/" + gw.Bucket},
			{"Host s3:7070", "Host " + origin},
			{"/var/cache/nginx", dir + "/cache"},
			{"/dev/stderr", dir + "/error.log"},
			{"/dev/stdout", dir + "/access.log"},
			{"    resolver 127.0.0.11 valid=10s ipv6=off;\n", ""}, // Docker's
		} {
			if !strings.Contains(config, change[0]) {
				t.Fatalf("deploy/compose/nginx.conf has no %q", change[0])
			}
			config = strings.ReplaceAll(config, change[0], change[1])
		}
		return config
	}).URL
}

var doctorLine = regexp.MustCompile(`"status": "(ok|warning|broken|skipped)",\n\s+"tried"`)

func (a *acceptance) doctor() {
	out, code := a.frontispiece("doctor", "--json")
	count := map[string]int{}
	for _, m := range doctorLine.FindAllStringSubmatch(out, -1) {
		count[m[1]]++
	}
	ok := code == 0 && count["ok"] > 10 && count["broken"]+count["warning"] == 0
	a.see("All checks pass", ok, "frontispiece doctor: %d ok, %d warnings, %d broken, exit code %d", count["ok"], count["warning"], count["broken"], code)
	if !ok {
		a.t.Log(out)
	}
}

func (a *acceptance) inTheBucket(key string) {
	head := a.gatewayHead(key)
	_, when := time.Parse(time.RFC3339, head["generated-date"])
	a.see("The picture is in the bucket",
		head["content-type"] == "image/png" && head["cache-control"] == "public, max-age=31536000, immutable" && head["task-id"] != "" && when == nil,
		"%s\n%s, %s\ntask-id %s, generated-date %s", key, head["content-type"], head["cache-control"], head["task-id"], head["generated-date"])
}

func (a *acceptance) fromTheCache(url string) {
	var states []string
	var last http.Header
	for range 2 {
		resp, err := http.Get(url)
		if err != nil {
			a.t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		states = append(states, fmt.Sprintf("%d %s", resp.StatusCode, resp.Header.Get("X-Cache")))
		last = resp.Header
	}
	a.see("The CDN serves it",
		states[1] == "200 HIT" && last.Get("Cache-Control") == "public, max-age=31536000, immutable" && last.Get("Content-Type") == "image/png",
		"GET %s\n%s; %s, %s", url, strings.Join(states, ", then "), last.Get("Content-Type"), last.Get("Cache-Control"))
}

// row counts the columns that the seed found NULL in every post.
func (a *acceptance) row(url string) {
	columns := []string{"featured_image_url", "cover_image_url", "author_id", "category_id", "tag_ids", "created_by", "updated_by", "published_at"}
	var filled []string
	for _, column := range columns {
		var n int
		query := "SELECT count(*) FROM posts WHERE status = 'published' AND " + column + " IS NOT NULL"
		if strings.HasSuffix(column, "image_url") {
			query += " AND " + column + " = '" + url + "'"
		}
		if err := a.db.GetContext(a.t.Context(), &n, query); err != nil {
			a.t.Fatal(err)
		}
		if n == 1 {
			filled = append(filled, column)
		}
	}
	var tags int
	if err := a.db.GetContext(a.t.Context(), &tags, "SELECT count(*) FROM post_tags"); err != nil {
		a.t.Fatal(err)
	}
	a.see("featured_image_url is filled in posts", slices.Equal(filled, columns) && tags == 2,
		"featured_image_url is that URL; %d of the %d columns that were NULL\nare filled (%s), %d tags", len(filled), len(columns), strings.Join(filled[2:], ", "), tags)
}

// sitePage is a site in twelve lines, which reads its post from the API.
var sitePage = template.Must(template.New("").Parse(`<!doctype html><meta charset="utf-8"><title>{{.title}}</title>
<body style="font: 18px/1.5 serif; max-width: 720px; margin: 40px auto; color: #222">
<h1>{{.title}}</h1>
<img src="{{.featured_image_url}}" alt="{{.title}}" style="width: 100%; height: auto">
<p>{{.excerpt}}</p>
<script>addEventListener("load", () => {
  const i = document.images[0]
  document.body.dataset.seen = i.complete + " " + i.naturalWidth + "x" + i.naturalHeight
})</script>`))

// page opens a site's page of the post in a real browser.
func (a *acceptance) page(slug string) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		testenv.Missing(a.t, "chromium")
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_ = sitePage.Execute(w, a.get("/api/posts/" + slug).want(http.StatusOK).object()["data"])
	}))
	defer front.Close()
	shot := filepath.Join(a.t.TempDir(), "page.png")
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		shot = filepath.Join(dir, "acceptance.png")
	}
	browse := func(flags ...string) string {
		cmd := exec.CommandContext(a.t.Context(), chromium, append([]string{
			"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
			"--disable-sync", "--hide-scrollbars", "--user-data-dir=" + a.t.TempDir(), "--window-size=900,860",
		}, append(flags, front.URL)...)...)
		out, err := cmd.Output()
		if err != nil {
			a.t.Fatalf("chromium: %v", err)
		}
		return string(out)
	}
	dom := browse("--dump-dom")
	browse("--screenshot=" + shot)
	picture, err := os.Stat(shot)
	if err != nil {
		a.t.Fatal(err)
	}
	m := regexp.MustCompile(`data-seen="([^"]*)"`).FindStringSubmatch(dom)
	if m == nil {
		a.t.Fatalf("the page never loaded:\n%s", dom)
	}
	a.see("The picture shows on the public site", m[1] == "true 1536x1024" && picture.Size() > 20_000,
		"Chromium: complete, naturalWidth x naturalHeight: %s\nscreenshot of %d KiB", m[1], picture.Size()/1024)
}

// speed puts the cache beside what it saves. It asserts nothing of a clock.
func (a *acceptance) speed(cached, origin string) {
	median := func(url string) (time.Duration, time.Duration) {
		var took []time.Duration
		for range 40 {
			began := time.Now()
			if _, err := fetch(url); err != nil {
				a.t.Fatal(err)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		return took[20].Round(10 * time.Microsecond), took[38].Round(10 * time.Microsecond)
	}
	p50, p95 := median(cached)
	originP50, originP95 := median(origin)
	a.see("It loads fast", true, "hot in the cache: %v (p95 %v); from the origin: %v (p95 %v)\non this machine, without a network between", p50, p95, originP50, originP95)
}

func (a *acceptance) logs() {
	var bad []string
	lines := 0
	for _, p := range append([]*program{a.api}, a.workers...) {
		for line := range strings.Lines(p.stderr.String()) {
			lines++
			if strings.Contains(line, "level=ERROR") || strings.Contains(line, "level=WARN") {
				bad = append(bad, p.name+": "+strings.TrimSpace(line))
			}
		}
	}
	a.see("No error in the logs", len(bad) == 0 && lines > 0, "%d lines of the API and the worker, of which warnings or errors: %d %s", lines, len(bad), strings.Join(bad, "\n"))
}
