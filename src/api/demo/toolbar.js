// Buttons that format what is selected.

const TOOLS = [
  ['B', 'Bold', 'bold', (chain) => chain.toggleBold()],
  ['I', 'Italic', 'italic', (chain) => chain.toggleItalic()],
  ['H', 'Heading', 'heading', (chain) => chain.toggleHeading({ level: 2 })],
  ['•', 'List', 'bulletList', (chain) => chain.toggleBulletList()],
  ['❝', 'Quote', 'blockquote', (chain) => chain.toggleBlockquote()],
  ['{}', 'Code', 'codeBlock', (chain) => chain.toggleCodeBlock()],
  ['↶', 'Undo what was typed here', undefined, (chain) => chain.undo()],
  ['↷', 'Redo', undefined, (chain) => chain.redo()],
];

export function toolbar(place, editor) {
  const buttons = TOOLS.map(([text, label, mark, run]) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = text;
    button.title = label;
    button.setAttribute('aria-label', label);
    button.addEventListener('click', () => run(editor.chain().focus()).run());
    return { button, mark };
  });
  place.replaceChildren(...buttons.map(({ button }) => button));
  const look = () => {
    for (const { button, mark } of buttons) if (mark) button.setAttribute('aria-pressed', String(editor.isActive(mark)));
  };
  editor.on('transaction', look);
  look();
}
