// Live updates. The server only says "look again"; the page is then fetched anew
// and what differs is changed in place, so that focus, scrolling, pictures that
// are there and everything typed stay as they are.

const self = () => document.body.dataset.self || location.pathname + location.search;

let source;
let reopen; // the timer that opens the stream again
let looking = false;
let again = false;

export function follow() {
  const topic = document.body.dataset.topic;
  if (!topic) return;
  const open = () => {
    clearTimeout(reopen);
    source?.close();
    source = new EventSource('/desk/live?topic=' + encodeURIComponent(topic));
    source.addEventListener('look', () => { lost(false); look(); });
    source.addEventListener('error', () => {
      lost(true);
      // Refused connections are tried again by the browser. An answer that is no
      // stream is not: it may be a proxy's, whose server comes back, or say that
      // the session has ended, which looking finds out.
      if (source.readyState !== EventSource.CLOSED) return;
      reopen = setTimeout(open, 4000);
      look();
    });
  };
  // A browser has few connections for one server: a hidden page gives its back.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) close();
    else open();
  });
  if (!document.hidden) open();
}

function close() {
  clearTimeout(reopen);
  source?.close();
}

// A blink of the connection is nobody's business.
let timer;
function lost(is) {
  clearTimeout(timer);
  const bar = document.getElementById('lost');
  document.documentElement.classList.toggle('offline', is);
  if (!is) { bar.hidden = true; return; }
  timer = setTimeout(() => { tell(bar, 'The connection is lost. The page goes on by itself when it is back; what you typed stays.'); }, 1500);
}

function tell(bar, text) {
  bar.querySelector('span').textContent = text;
  bar.hidden = false;
}

// ended says that nothing comes any more until somebody has signed in.
function ended() {
  clearTimeout(timer);
  tell(document.getElementById('lost'), 'Your session has ended. What you typed stays here: sign in in another tab, then go on.');
  close();
}

export async function look() {
  if (looking) { again = true; return; }
  looking = true;
  try {
    do {
      again = false;
      const res = await fetch(self(), {headers: {Accept: 'text/html'}, cache: 'no-store'});
      if (res.status === 401 || new URL(res.url).pathname === '/desk/login') {
        ended();
        return;
      }
      if (res.ok) apply(new DOMParser().parseFromString(await res.text(), 'text/html'));
    } while (again);
  } catch {
    // The stream notices as well, and says so.
  } finally {
    looking = false;
  }
}

function apply(next) {
  const list = document.getElementById('list');
  const newList = next.getElementById('list');
  if (list && newList && list.children.length === 0 && newList.children.length > 0) {
    // The page said that there is nothing: all of it changes.
    morph(document.getElementById('main'), next.getElementById('main'));
    return;
  }
  for (const part of document.querySelectorAll('[data-live]')) {
    const other = part.id && next.getElementById(part.id);
    if (!other) continue;
    if (part.id === 'list') rows(part, other);
    else morph(part, other);
  }
  document.title = next.title;
}

// rows changes what is there. What is new waits behind a button, and what has
// gone stays as a shadow of itself: nothing moves under a hand.
function rows(list, next) {
  let fresh = 0;
  const seen = new Set();
  for (const row of next.children) {
    seen.add(row.id);
    const mine = document.getElementById(row.id);
    if (!mine) { fresh++; continue; }
    // What was live keeps its room, although it needs less of it in the end.
    const live = mine.classList.contains('live');
    morph(mine, row);
    if (live) mine.classList.add('live');
  }
  for (const row of list.children) {
    const gone = !seen.has(row.id);
    row.classList.toggle('gone', gone);
    for (const b of row.querySelectorAll('button')) if (gone) b.disabled = true;
  }
  let pill = document.getElementById('news');
  if (fresh === 0) { pill?.remove(); return; }
  if (!pill) {
    pill = document.createElement('button');
    pill.id = 'news';
    pill.className = 'btn primary small news';
    pill.addEventListener('click', () => location.assign(self()));
    document.body.append(pill);
  }
  pill.textContent = fresh === 1 ? 'One more. Show it' : fresh + ' more. Show them';
}

// morph makes a like b, touching only what differs. Children with ids keep
// their elements, wherever they stand.
export function morph(a, b) {
  if (a.isEqualNode(b)) return;
  attributes(a, b);
  if (a.nodeName === 'TEXTAREA') {
    if (a.value === a.defaultValue && a !== document.activeElement) a.defaultValue = b.defaultValue;
    return;
  }
  let at = a.firstChild;
  for (let want = b.firstChild; want; want = want.nextSibling) {
    const known = want.id && want.nodeType === 1 ? byID(a, want.id) : null;
    if (known && known !== at) a.insertBefore(known, at);
    if (known) { morph(known, want); at = known.nextSibling; continue; }
    if (at && like(at, want)) {
      if (at.nodeType === 1) morph(at, want);
      else if (at.data !== want.data) at.data = want.data;
      at = at.nextSibling;
      continue;
    }
    a.insertBefore(document.importNode(want, true), at);
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
}

const byID = (parent, id) => [...parent.children].find((c) => c.id === id);
const like = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && !a.id && !b.id;

// What a person changed in the page is theirs: whether something is open, and
// where the keys have put the focus.
const theirs = new Set(['open', 'tabindex', 'aria-busy']);

function attributes(a, b) {
  for (const {name, value} of b.attributes) {
    if (a.getAttribute(name) !== value) a.setAttribute(name, value);
  }
  for (const {name} of [...a.attributes]) {
    if (!b.hasAttribute(name) && !theirs.has(name)) a.removeAttribute(name);
  }
}
