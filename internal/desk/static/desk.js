// The desk's own script: what only a script can do. Every form and link works
// without it.
import {follow} from './live.js';
import {keys} from './keys.js';
import {forms} from './forms.js';
import {zoom} from './zoom.js';

document.documentElement.classList.add('js');
forms();
zoom();
keys();
follow();

// A page that answers a form stands at the form's address, which cannot be
// loaded again.
const self = document.body.dataset.self;
if (self && self !== location.pathname + location.search) history.replaceState(null, '', self);

// The menu closes when something else is meant.
const who = document.querySelector('.who');
document.addEventListener('click', (e) => {
  if (who?.open && !who.contains(e.target)) who.open = false;
});
