// Pointing at a field lights its octets, pointing at an octet its fields:
// with the mouse, a tap or the keyboard. Escape lets go.
for (const scope of document.querySelectorAll('.scope')) {
  const parts = [...scope.querySelectorAll('[data-f]')];
  const fields = (part) => part.dataset.f.split(' ');
  let held = null;
  const light = (part) => {
    const wanted = part ? fields(part) : [];
    scope.classList.toggle('pointing', wanted.length > 0);
    for (const other of parts) {
      other.classList.toggle('lit', fields(other).some((field) => wanted.includes(field)));
    }
  };
  const under = (event) => event.target.closest('[data-f]');
  scope.addEventListener('pointerover', (event) => light(under(event) ?? held));
  scope.addEventListener('pointerleave', () => light(held));
  scope.addEventListener('focusin', (event) => light(under(event)));
  scope.addEventListener('focusout', () => light(held));
  scope.addEventListener('click', (event) => {
    const part = under(event);
    held = part === held ? null : part;
    light(part);
  });
  scope.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      held = null;
      light(null);
    }
  });
}
