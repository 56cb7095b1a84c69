// Pictures in full, one after the other. Without this the link opens the file.

export function zoom() {
  const dialog = document.getElementById('zoom');
  const room = dialog.querySelector('.zoom-room');
  const img = document.getElementById('zoom-img');
  const size = document.getElementById('zoom-size');
  let at = 0;
  let back; // what has the focus again afterwards
  const links = () => [...document.querySelectorAll('[data-zoom]')];

  const show = (i) => {
    const all = links();
    at = (i + all.length) % all.length;
    img.src = all[at].dataset.zoom;
    img.alt = all[at].dataset.caption;
    document.getElementById('zoom-caption').textContent = `${all[at].dataset.caption} (${at + 1} of ${all.length})`;
  };
  const full = (is) => {
    room.classList.toggle('full', is);
    size.setAttribute('aria-pressed', String(is));
  };

  document.addEventListener('click', (e) => {
    const link = e.target.closest('[data-zoom]');
    if (!link || e.ctrlKey || e.metaKey || e.shiftKey) return;
    e.preventDefault();
    full(false);
    show(links().indexOf(link));
    back = document.activeElement === document.body ? link : document.activeElement;
    dialog.showModal();
  });
  dialog.addEventListener('close', () => back?.focus());
  dialog.addEventListener('keydown', (e) => {
    if (e.key === 'ArrowRight' || e.key === 'j') show(at + 1);
    else if (e.key === 'ArrowLeft' || e.key === 'k') show(at - 1);
    else if (e.key === 'z') full(!room.classList.contains('full'));
    else return;
    e.preventDefault();
  });
  dialog.addEventListener('click', (e) => { if (e.target === dialog) dialog.close(); });
  img.addEventListener('click', () => full(!room.classList.contains('full')));
  size.addEventListener('click', () => full(!room.classList.contains('full')));
  document.getElementById('zoom-prev').addEventListener('click', () => show(at - 1));
  document.getElementById('zoom-next').addEventListener('click', () => show(at + 1));
}
