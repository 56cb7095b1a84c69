package desk_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/golang-jwt/jwt/v5"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/testenv"
	"github.com/glad-labs/frontispiece/internal/testenv/chromium"
)

// site is the desk of a world on an address that stays its own while the server
// goes and comes.
type site struct {
	t      *testing.T
	world  *world
	base   string
	server *httptest.Server
}

func serveSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, world: newWorld(t)}
	s.start(testenv.FreeAddr(t))
	t.Cleanup(s.stop)
	return s
}

func (s *site) start(addr string) {
	s.t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.server = httptest.NewUnstartedServer(s.world.desk)
	s.server.Listener.Close()
	s.server.Listener = listener
	s.server.Start()
	s.base = s.server.URL
}

func (s *site) stop() {
	s.server.CloseClientConnections()
	s.server.Close()
}

// A server that goes away takes nothing with it that an editor has typed, and
// the page goes on when it is back.
func TestALostConnection(t *testing.T) {
	t.Parallel()
	s := serveSite(t)
	id := s.world.draft("d-1", "A Lighthouse", nil)
	s.world.ask(id, 1)
	tab := window(t, 1280, 800)
	tab.Do(chromedp.Navigate(s.base+"/desk/drafts/d-1"), until(`document.documentElement.classList.contains('js')`),
		chromedp.SendKeys(chromedp.CSS("#reason"), "a long and careful reason"))
	s.stop()
	tab.Do(until(`document.getElementById('lost').innerText.includes('The connection is lost')`), click("#reject .btn"),
		until(`document.getElementById('lost').innerText.includes('Not sent')`))
	if at := chromium.Eval[string](tab, `location.pathname + ' ' + document.getElementById('reason').value`); at != "/desk/drafts/d-1 a long and careful reason" {
		t.Errorf("after a form sent into nowhere the page is %s", at)
	}
	s.start(strings.TrimPrefix(s.base, "http://"))
	tab.Do(until(`document.getElementById('lost').hidden`), click("#reject .btn"), until(`document.getElementById('said')?.innerText.includes('Rejected')`))
	if s.world.status(id) != editorial.DraftRejected {
		t.Errorf("the draft is %s", s.world.status(id))
	}
}

// A button that is pressed twice, and a page that is an hour old.
func TestImpatienceAndOldPages(t *testing.T) {
	t.Parallel()
	s := serveSite(t)
	id := s.world.draft("d-1", "A Lighthouse", nil)
	old := s.world.finish(s.world.ask(id, 1).Images[0].ID)
	tab := window(t, 1280, 800)
	tab.Do(chromedp.Navigate(s.base+"/desk/drafts/d-1"), until(`document.documentElement.classList.contains('js')`),
		chromedp.DoubleClick(chromedp.CSS("#ask form > .btn")), until(`document.getElementById('said')`))
	state, err := s.world.store.DraftImages(t.Context(), id)
	if err != nil || state.Round != 2 {
		t.Fatalf("round %d after a button pressed twice, want 2: %v", state.Round, err)
	}
	rounds, err := s.world.store.PresentRounds(t.Context(), []string{id})
	if err != nil {
		t.Fatal(err)
	}
	s.world.finish(rounds[id].Images[0].ID)
	tab.Do(until(`document.querySelector('.pick:not(:disabled)')`), chromedp.SendKeys(chromedp.CSS("#reason"), "not sent yet"),
		// As if the page had been in a drawer since the first round.
		js(`document.querySelector('.pick:checked').value = '`+old.ID+`:`+old.SHA256+`'; document.querySelector('#decide').requestSubmit()`),
		until(`document.getElementById('problem')?.innerText.includes('Newer pictures have taken this one')`),
		until(`document.getElementById('reason')?.value === 'not sent yet'`)) // what was being typed
	if s.world.status(id) != editorial.DraftAwaitingApproval {
		t.Errorf("the draft is %s", s.world.status(id))
	}
}

// An editor signs in, is signed out elsewhere in the middle of a sentence, and
// loses nothing.
func TestASessionEnds(t *testing.T) {
	t.Parallel()
	const secret = "a secret of the site, long enough to be one"
	p := startProgram(t, "JWT_SECRET_KEY="+secret, "EDITORS=8")
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": "edith", "user_id": "8", "name": "Edith", "type": "access", "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	p.Token = token
	id := p.Draft("A Lighthouse at Night", nil)
	tab := window(t, 1280, 800)
	signIn := chromedp.Steps(visible("[name=credential]"), chromedp.SendKeys(chromedp.CSS("[name=credential]"), token), click(".sign .btn"))
	tab.Do(chromedp.Navigate(p.Base+"/desk/drafts/"+id), visible("[name=credential]"))
	accessible(tab, t, "login")
	tab.Do(chromedp.SendKeys(chromedp.CSS("[name=credential]"), "nonsense"), click(".sign .btn"), visible(".sign .notice"))
	accessible(tab, t, "refused login")
	tab.Do(signIn, visible("#reason"), chromedp.SendKeys(chromedp.CSS("#reason"), "the tower is on the wrong side"))

	signOut := `fetch('/desk/logout', {method: 'POST'}).then(r => r.ok)`
	if !chromium.Eval[bool](tab, signOut) {
		t.Fatal("could not sign out")
	}
	tab.Do(click("#reject .btn"), until(`document.querySelector('.typed textarea')?.value === 'the tower is on the wrong side'`))
	accessible(tab, t, "ended session")
	// In the other tab that the page offers, which has the same cookies.
	other := tab.Another()
	other.Do(chromedp.Navigate(p.Base+"/desk/login"), signIn, until(`location.pathname === '/desk'`))
	tab.Do(click(".typed .btn"), until(`document.getElementById('said')?.innerText.includes('Rejected')`))
	if status := p.JSON(http.MethodGet, "/api/content/tasks/"+id, nil)["status"]; status != string(editorial.DraftRejected) {
		t.Errorf("the draft is %v", status)
	}
}

// With a thumb: the menu, the second picture, and the button that stays in reach.
func TestOnAPhone(t *testing.T) {
	t.Parallel()
	p := startProgram(t)
	id := p.Draft("A Lighthouse for a Thumb", nil)
	p.call(http.MethodPost, "/desk/drafts/"+id+"/pictures", "prompt=A+lighthouse&count=2")
	tab := window(t, 360, 780)
	tab.Do(chromedp.Navigate(p.Base+"/desk"), until(stored(2)),
		click(".who summary"), click(".menu [value=dark]"), until(`document.documentElement.dataset.theme === 'dark'`),
		click(".draft .chip-1"), until(`document.querySelector('.draft .pick-1').checked`),
		click(".draft [data-open]"), until(`location.pathname.startsWith('/desk/drafts/') && document.documentElement.classList.contains('js')`))
	if in := chromium.Eval[bool](tab, `(r => r.top >= 0 && r.bottom <= innerHeight)(document.querySelector('#decide .see-0 .btn').getBoundingClientRect())`); !in {
		t.Error("the button that approves is not on the first screen")
	}
	tab.Do(click(".cand:nth-of-type(2) .open"), until(`document.querySelector('#decide .see-1').checkVisibility()`))
	second := chromium.Eval[string](tab, `document.querySelector('.pick-1').value.split(':')[0]`)
	tab.Do(click("#decide .see-1 .btn"), until(`document.querySelector('#said')?.innerText.includes('published')`),
		until(`document.querySelector('#c-`+second+` .tag.published')`), click(".bar nav [href='/desk/posts']"), until(`document.querySelector('.post')`))
}
