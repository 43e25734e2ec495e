// What went wrong last, until something goes right.

const place = document.getElementById('trouble');

/** Shows an error; nothing without one. */
export function trouble(error) {
  // What a browser throws when nobody answers says neither what nor what to do.
  const text = error instanceof TypeError ? 'the node is not reached; try again' : error?.message;
  place.hidden = !text;
  place.textContent = text ?? '';
}
