// Forms: sent once, remembered while they are written, and sent with Ctrl+Enter.

export function forms() {
  document.addEventListener('submit', (e) => {
    const form = e.target;
    if (form.method !== 'post') return;
    if (form.dataset.sent) { e.preventDefault(); return; }
    if (document.documentElement.classList.contains('offline')) {
      e.preventDefault();
      unsent();
      return;
    }
    form.dataset.sent = 'yes';
    e.submitter?.setAttribute('aria-busy', 'true');
    setTimeout(() => release(form), 10_000); // somebody stopped it, or the answer never came
    if (form.dataset.keep) session('desk-sent', form.dataset.keep);
  });
  // Coming back with the browser's button shows the page as it was left.
  addEventListener('pageshow', () => {
    for (const form of document.querySelectorAll('form[data-sent]')) release(form);
  });
  document.addEventListener('keydown', (e) => {
    if (e.key === 'Enter' && (e.ctrlKey || e.metaKey) && e.target.matches('textarea')) e.target.form?.requestSubmit();
  });
  keep();
  tick();
}

function release(form) {
  delete form.dataset.sent;
  for (const b of form.querySelectorAll('[aria-busy]')) b.removeAttribute('aria-busy');
}

// A form that is sent into nowhere would take the page with it.
function unsent() {
  const bar = document.getElementById('lost');
  bar.querySelector('span').textContent = 'Not sent: the connection is lost. Everything is still here; send it again when it is back.';
  bar.hidden = false;
}

const local = (key, value) => {
  try {
    if (value === undefined) return localStorage.getItem(key);
    if (value === '') localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch { /* private window: nothing is remembered */ }
  return null;
};

const session = (key, value) => {
  try {
    if (value === undefined) { const v = sessionStorage.getItem(key); sessionStorage.removeItem(key); return v; }
    sessionStorage.setItem(key, value);
  } catch { /* as above */ }
  return null;
};

// What is half written survives a closed tab, until it was carried out. It is
// put back into a field only where that still says what it said before.
function keep() {
  const sent = session('desk-sent');
  const carriedOut = sent && document.getElementById('said');
  for (const form of document.querySelectorAll('form[data-keep]')) {
    for (const text of form.querySelectorAll('textarea:not([readonly])')) {
      const key = `desk-${form.dataset.keep}-${text.name}`;
      if (carriedOut && sent === form.dataset.keep) local(key, '');
      const kept = JSON.parse(local(key) ?? 'null');
      if (kept?.was === text.defaultValue && text.value === text.defaultValue) text.value = kept.is;
      text.addEventListener('input', () => local(key, text.value === text.defaultValue ? '' : JSON.stringify({was: text.defaultValue, is: text.value})));
    }
  }
}

// How many jobs are ticked, and all of them at once.
function tick() {
  const form = document.getElementById('jobs-form');
  if (!form) return;
  const all = document.getElementById('tick-all');
  const boxes = () => [...form.querySelectorAll('input[name=job]')];
  const show = () => {
    const n = boxes().filter((b) => b.checked).length;
    document.getElementById('ticked').textContent = n === 0 ? 'With the ticked jobs:' : n === 1 ? 'With the one ticked:' : `With the ${n} ticked:`;
    all.checked = n > 0 && n === boxes().length;
    all.indeterminate = n > 0 && !all.checked;
  };
  all.addEventListener('change', () => { for (const b of boxes()) b.checked = all.checked; show(); });
  form.addEventListener('change', show);
}
