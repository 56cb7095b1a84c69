// Single keys, for people who decide on many drafts. They can be switched off in
// the help, and do nothing while something is being typed.

const stored = {
  get on() { try { return localStorage.getItem('desk-keys') !== 'off'; } catch { return true; } },
  set on(is) { try { localStorage.setItem('desk-keys', is ? 'on' : 'off'); } catch { /* private window */ } },
};

const say = (text) => { document.getElementById('say').textContent = text; };
const rows = () => [...document.querySelectorAll('[data-row]')];
const here = () => document.activeElement?.closest('[data-row]');

export function keys() {
  const help = document.getElementById('help');
  const on = document.getElementById('keys-on');
  on.checked = stored.on;
  on.addEventListener('change', () => { stored.on = on.checked; });
  document.getElementById('help-open')?.addEventListener('click', () => help.showModal());
  document.addEventListener('keydown', press);
  restore();
}

let led = 0; // when g was pressed

function press(e) {
  const typing = e.target.closest('input:not([type=radio], [type=checkbox]), textarea, select');
  if (e.key === 'Escape' && typing) { typing.blur(); return; }
  if (typing || e.ctrlKey || e.metaKey || e.altKey || document.querySelector('dialog[open]')) return;
  if (e.key === '?') { document.getElementById('help').showModal(); e.preventDefault(); return; }
  if (!stored.on) return;
  if (e.timeStamp - led < 1200 && goTo[e.key]) { location.assign(goTo[e.key]); return; }
  led = e.key === 'g' ? e.timeStamp : 0;
  if (does[e.key] && does[e.key](e.key) !== false) e.preventDefault();
}

const goTo = {d: '/desk', p: '/desk/posts', j: '/desk/jobs'};

const does = {
  j: () => step(1),
  k: () => step(-1),
  o: () => here()?.querySelector('[data-open]')?.click(),
  Enter: () => document.activeElement?.matches('[data-row]') ? here().querySelector('[data-open]')?.click() : false,
  1: pick, 2: pick, 3: pick, 4: pick, 5: pick,
  a: () => reach('a', 'Press Enter to approve what is picked.'),
  r: () => reach('r'),
  n: () => reach('n'),
  x: () => { const box = here()?.querySelector('input[type=checkbox]'); if (box) box.click(); },
  z: () => { const c = scope().querySelector('.pick:checked')?.closest('.cand') ?? scope(); c.querySelector('[data-zoom]')?.click(); },
};

const scope = () => here() ?? (rows().length === 1 ? rows()[0] : document);

function step(by) {
  const all = rows();
  if (all.length === 0) return false;
  const i = all.indexOf(here());
  focusRow(all[i < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(i + by, 0), all.length - 1)]);
}

function focusRow(row) {
  row.tabIndex = -1;
  row.focus({preventScroll: true});
  row.scrollIntoView({block: 'nearest'});
}

function pick(key) {
  const choice = scope().querySelectorAll('.pick')[key - 1];
  if (!choice || choice.disabled) return false;
  choice.click();
  say(choice.getAttribute('aria-label') + ', picked');
}

function reach(key, hint) {
  // Of the buttons for each picture, the one for the picked picture is shown.
  const target = [...scope().querySelectorAll(`[data-key="${key}"]`)].find((b) => b.checkVisibility());
  if (!target || target.disabled) return false;
  if (target.matches('a')) { target.click(); return; }
  target.focus();
  target.scrollIntoView({block: 'nearest'});
  if (hint) say(hint);
}

// After a decision the list comes again: the keys go on where they were.
addEventListener('submit', () => {
  const i = rows().indexOf(here());
  if (i >= 0) sessionStorage.setItem('desk-row', i);
});

function restore() {
  const i = sessionStorage.getItem('desk-row');
  sessionStorage.removeItem('desk-row');
  const all = rows();
  if (i !== null && document.getElementById('said') && all.length > 0) focusRow(all[Math.min(i, all.length - 1)]);
}
