/** What the demo's page of a document is made of: the provider, Yjs, and Tiptap, with one copy of each. */

import { Editor } from '@tiptap/core';
import Collaboration from '@tiptap/extension-collaboration';
import CollaborationCaret from '@tiptap/extension-collaboration-caret';
import StarterKit from '@tiptap/starter-kit';
import { DocProvider } from '../src/yjs.ts';

export { Doc } from 'yjs';
export { DocProvider };

/** How somebody is shown. */
interface User {
  name?: unknown;
  hue?: unknown;
}

/** What others say is text, and short. */
const nameOf = ({ name }: User) => (typeof name === 'string' && name.trim().slice(0, 32)) || 'somebody';
const colourOf = ({ hue }: User) => `oklch(55% 0.15 ${Number.isFinite(hue) ? Number(hue) % 360 : 0})`;

/** Where somebody writes. Styles are set one by one: the page's policy takes no markup with styles. */
function caret(user: User): HTMLElement {
  const line = document.createElement('span');
  line.className = 'caret';
  line.style.setProperty('--colour', colourOf(user));
  const label = document.createElement('b');
  label.textContent = nameOf(user);
  line.append(label);
  return line;
}

/** An editor of the document's rich text. */
export function richText({
  element,
  provider,
  user,
}: {
  element: HTMLElement;
  provider: DocProvider;
  user: { name: string; hue: number };
}): Editor {
  return new Editor({
    element,
    injectCSS: false,
    editorProps: { attributes: { 'aria-label': 'The document', role: 'textbox', 'aria-multiline': 'true' } },
    extensions: [
      StarterKit.configure({ undoRedo: false, link: false }),
      Collaboration.configure({ document: provider.doc, field: 'text' }),
      CollaborationCaret.configure({
        provider,
        user,
        render: caret,
        selectionRender: (one: User) => ({ class: 'selected', style: `--colour: ${colourOf(one)}` }),
      }),
    ],
  });
}
