// Forms: sent once, remembered while they are written, and sent with Ctrl+Enter.

export function forms() {
  document.addEventListener('submit', (e) => {
    const form = e.target;
    if (form.method !== 'post') return;
    if (form.dataset.sent) { e.preventDefault(); return; }
    form.dataset.sent = 'yes';
    e.submitter?.setAttribute('aria-busy', 'true');
    if (form.dataset.keep) session('desk-sent', form.dataset.keep);
  });
  // Coming back with the browser's button shows the page as it was left.
  addEventListener('pageshow', () => {
    for (const form of document.querySelectorAll('form[data-sent]')) {
      delete form.dataset.sent;
      for (const b of form.querySelectorAll('[aria-busy]')) b.removeAttribute('aria-busy');
    }
  });
  document.addEventListener('keydown', (e) => {
    if (e.key === 'Enter' && (e.ctrlKey || e.metaKey) && e.target.matches('textarea')) e.target.form?.requestSubmit();
  });
  keep();
  tick();
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

// A reason half written survives a closed tab, until it was carried out.
function keep() {
  const sent = session('desk-sent');
  if (sent && document.getElementById('said')) local('desk-' + sent, '');
  for (const form of document.querySelectorAll('form[data-keep]')) {
    const key = 'desk-' + form.dataset.keep;
    const text = form.querySelector('textarea');
    const before = local(key);
    if (before && text.value === '') text.value = before;
    text.addEventListener('input', () => local(key, text.value));
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
